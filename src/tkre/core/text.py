"""Texts in one form for comparison; phrases and word forms; equal sentences, near-duplicates.

Comparison sees through Unicode forms: composed and decomposed letters, typographic quotes, blanks
of any width, invisible characters (``fold``). Spans that are found lie in the text as it is given.
Texts are never written in the folded form.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import Field

from tkre.core.instance import Instance, Span
from tkre.core.params import Params

_WORD = re.compile(r"\w+")
# Words that say nothing about a relation by themselves: articles, pronouns, auxiliaries and plain
# conjunctions, the commonest prepositions, and the prefixes of TACRED's names. Prepositions such as
# "into" or "inside" and words of comparison are not among them: some relations are stated by them.
_FUNCTION_WORDS = re.compile(
    r"and|are|been|for|from|had|has|have|its|not|org|per|that|the|their|was|were|which|with"
    r"|being|but|can|could|did|does|her|him|his|how|may|might|must|nor|our|shall|she|should|them"
    r"|there|these|they|this|those|what|when|where|who|whom|whose|why|will|would|you|your"
)


# Signs that stand for one another, one character for one.
_ALIKE = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4\u02b9\u02bc\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"')
    | dict.fromkeys("\u2010\u2011", "-")
    # White space that is not in ASCII, and the empty Braille pattern.
    | dict.fromkeys("\x85\xa0\u1680\u2028\u2029\u202f\u205f\u2800\u3000", " ")
    | {code: " " for code in range(0x2000, 0x200B)}
)
# Unicode's Default_Ignorable_Code_Point: without a glyph of their own.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_VOWELS_AND_FINALS = ("\u1160", "\u11ff")  # of Hangul: they join the letter before them
_MARKS = 30  # on one letter at most, as in Unicode's Stream-Safe Text Format (UAX 15)


@dataclass(frozen=True, slots=True)
class Folded:
    """A text in the form for comparison.

    Attributes:
        text: The form.
        spans: For each of its characters the characters of the original that it stands for; empty
            where each stands for the one at its place.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def original(self, start: int, end: int) -> Span:
        """The characters of the original for ``start`` to ``end`` (half-open, not empty)."""
        return (
            Span(self.spans[start].start, self.spans[end - 1].end)
            if self.spans
            else Span(start, end)
        )


def fold(text: str) -> Folded:
    """A text in the form for comparison: NFC, plain quotes and blanks, nothing invisible."""
    if text.isascii():
        return Folded(text)
    return _folded_once(text) if len(text) <= _REMEMBERED else _folded(text)


def _folded(text: str) -> Folded:
    plain = text.translate(_ALIKE)
    if not _INVISIBLE.search(plain) and unicodedata.is_normalized("NFC", plain):
        return Folded(plain)
    letters: list[str] = []  # each with the marks that follow it
    places: list[Span] = []
    for place, character in enumerate(plain):
        if _INVISIBLE.match(character):
            continue
        if letters and _joins(character) and len(letters[-1]) <= _MARKS:
            letters[-1] += character
            places[-1] = Span(places[-1].start, place + 1)
        else:
            letters.append(character)
            places.append(Span(place, place + 1))
    composed = [unicodedata.normalize("NFC", letter) for letter in letters]
    spans = [span for letter, span in zip(composed, places, strict=True) for _ in letter]
    return Folded("".join(composed), tuple(spans))


# The same sentence is asked for again and again; a long one would fill the memory.
_REMEMBERED = 4000
_folded_once = lru_cache(maxsize=1024)(_folded)


def _joins(character: str) -> bool:
    """Whether a character may be one with the letter before it."""
    first, last = _VOWELS_AND_FINALS
    return unicodedata.category(character)[0] == "M" or first <= character <= last


def is_invisible(text: str) -> bool:
    """Whether a text shows nothing: blanks, control characters and characters without a glyph."""
    return all(
        c.isspace() or unicodedata.category(c) == "Cc"
        for c in _INVISIBLE.sub("", text).translate(_ALIKE)
    )


def verbatim(text: str, part: str) -> str | None:
    """A part of a text as it is spelt there; None if it is not in it, or shows nothing."""
    folded, wanted = fold(text), fold(part).text
    start = folded.text.find(wanted)
    if start < 0 or is_invisible(part):
        return None
    return folded.original(start, start + len(wanted)).of(text)


def find_phrase(text: str, phrase: str) -> list[Span]:
    """Every occurrence of a phrase as whole words, in any case, Unicode form and white space.

    Args:
        text: The text that is searched.
        phrase: One or several words; an empty phrase has no occurrence.

    Returns:
        Disjoint spans, in order.
    """
    folded, phrase = fold(text), fold(phrase).text
    if not phrase.strip() or len("".join(phrase.split())) > len(folded.text):
        return []
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    # \b would be wrong next to a phrase that begins or ends with a sign, such as "'s".
    pattern = rf"(?<!\w){words}(?!\w)" if phrase[0].isalnum() else rf"{words}(?!\w)"
    found = re.finditer(pattern, folded.text, re.IGNORECASE)
    return [folded.original(*match.span()) for match in found]


def find_word_forms(text: str, phrases: str) -> list[Span]:
    """Words of a text that are forms of content words of phrases, or of a relation's name."""
    folded = fold(text)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", fold(phrases).text)
    words = {word.lower() for word in re.findall(r"[^\W\d]{3,}", spaced)}
    content = [word for word in words if not _FUNCTION_WORDS.fullmatch(word)]
    return [
        folded.original(*match.span())
        for match in _WORD.finditer(folded.text)
        if any(same_stem(match.group().lower(), word) for word in content)
    ]


def same_stem(a: str, b: str) -> bool:
    """Whether two words are forms of one: they differ in at most their last three letters."""
    if a[:3] != b[:3]:
        return False
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return shared >= max(3, max(len(a), len(b)) - 3) and shared >= min(len(a), len(b)) - 1


def normalised(text: str) -> str:
    """A text for comparison: folded, lower case, single blanks."""
    return " ".join(fold(text).text.lower().split())


def word_list(text: str) -> list[str]:
    """Words of a text for comparison: folded, lower case."""
    return _WORD.findall(fold(text).text.lower())


def sentence_rank(text: str, seed: int) -> float:
    """A number from 0 to 1 that is random for a sentence and the same for all its pairs.

    It depends on the sentence and the seed alone: sentences below a share are a random sample that
    stays the same when text is added.
    """
    named = f"{seed}\n{normalised(text)}"
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:8]) / 2**64


def rows_by_text(rows: Sequence[Instance]) -> dict[str, list[Instance]]:
    """Instances by the normalised text of their sentence."""
    found: dict[str, list[Instance]] = {}
    for row in rows:
        found.setdefault(normalised(row.text), []).append(row)
    return found


PairKey = tuple[str, tuple[int, int], tuple[int, int]]


def pair_key(row: Instance) -> PairKey:
    """The normalised sentence and the places of its mentions: one name may stand there twice."""
    head, tail = (
        (len(normalised(row.text[: span.start])), len(normalised(row.text[: span.end])))
        for span in (row.head, row.tail)
    )
    return normalised(row.text), head, tail


def same_pair(one: Instance, other: Instance) -> bool:
    """Whether two instances of one sentence have the same mentions."""
    pairs = {(normalised(i.head_text), normalised(i.tail_text)) for i in (one, other)}
    return len(pairs) == 1


def shared_sentences(
    rows: Sequence[Instance], others: Sequence[Instance]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs of ids with the same sentence up to case, Unicode form and white space.

    Returns:
        Pairs with the same mentions, and pairs with other mentions (a sentence annotated twice, as
        public corpora have).
    """
    by_text = rows_by_text(others)
    same: list[tuple[str, str]] = []
    differing: list[tuple[str, str]] = []
    for row in rows:
        for other in by_text.get(normalised(row.text), []):
            (same if same_pair(row, other) else differing).append((row.id, other.id))
    return same, differing


def word_runs(text: str, run: int) -> set[tuple[str, ...]]:
    """All runs of ``run`` consecutive words of a text, in lower case; a shorter text is one run."""
    words = word_list(text)
    last = max(1, len(words) - run + 1)
    return {tuple(words[i : i + run]) for i in range(last)}


class NearDuplicateParams(Params):
    """Detection of near-duplicates by shared runs of words.

    Attributes:
        overlap_words: Length of a run, in words; a shorter sentence is one run.
        max_overlap: Largest share of a sentence's runs that one other sentence may hold.
    """

    overlap_words: int = Field(4, gt=0)
    max_overlap: float = Field(0.5, gt=0, le=1)


def near_duplicate_groups(texts: Sequence[str], params: NearDuplicateParams) -> list[int]:
    """Group numbers of texts: equal where a chain of near-duplicates joins two texts.

    Args:
        texts: Texts in any order; a group has the number of its first text.
        params: Two texts are near-duplicates if they share more than ``max_overlap`` of the runs
            of the one that has fewer.
    """
    runs = [word_runs(text, params.overlap_words) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    groups = list(range(len(texts)))
    for number, own in enumerate(runs):
        shared = Counter(other for words in own for other in holders[words])
        joined = {
            groups[other]
            for other, count in shared.items()
            if count > params.max_overlap * min(len(own), len(runs[other]))
        }
        if joined:
            first = min(joined)
            groups = [first if group in joined or n == number else group
                      for n, group in enumerate(groups)]  # fmt: skip
        for words in own:
            holders[words].append(number)
    return groups


class NearDuplicateIndex:
    """An index of sentences by their word runs.

    Args:
        params: Length of a run, and the largest share of them that is no near-duplicate.
    """

    def __init__(self, params: NearDuplicateParams) -> None:
        self._params = params
        self._sources: dict[tuple[str, ...], set[tuple[str, int]]] = defaultdict(set)
        self._size = 0

    def add(self, source: str, texts: Iterable[str]) -> None:
        """Adds texts to the index under the name of their source, e.g. ``test``."""
        for text in texts:
            self._size += 1
            for run in word_runs(text, self._params.overlap_words):
                self._sources[run].add((source, self._size))

    def find(self, text: str) -> tuple[str, float] | None:
        """The source of the nearest text and the share of shared word runs, if above the limit."""
        runs = word_runs(text, self._params.overlap_words)
        hits = Counter(source for run in runs for source in self._sources.get(run, ()))
        if not hits:
            return None
        (source, _), count = max(hits.items(), key=lambda item: (item[1], item[0]))
        share = count / len(runs)
        return (source, share) if share > self._params.max_overlap else None
