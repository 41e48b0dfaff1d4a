"""Words of any script, phrases and word forms; equal sentences, near-duplicates.

Comparison sees through Unicode forms (``core.folding``). Spans that are found lie in the text as it
is given.

A *word* is a run of letters, digits and their marks within one kind of script. Scripts without
blanks between words (Chinese, hiragana, Thai, Khmer, ...) have no borders of words that could be
seen: there each letter is a word of its own, with those that belong to it by spelling (a Thai vowel
and its consonant). Katakana and Hangul are runs, also beside letters of another kind: a Korean name
is followed by its particle without a blank.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import regex
from pydantic import Field

from tkre.core.folding import MARKS, fold
from tkre.core.instance import Instance, Span
from tkre.core.params import Params

_LETTER = r"\p{L}\p{N}\p{M}_"
# LB=SA: the scripts of South East Asia that break lines inside runs of letters (UAX 14).
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Bopomofo}\p{Yi}\p{Tibetan}\p{LB=SA}"
_KATAKANA = r"\p{Katakana}\u30fc\uff70\uff9e\uff9f"
_OTHER = rf"[[{_LETTER}]--[{_UNSPACED}{_KATAKANA}\p{{Hangul}}]]"
_ONE = rf"[[{_UNSPACED}]&&[{_LETTER}]]\p{{M}}*"
# Where no word of Thai, Lao, Khmer or Burmese ends: behind a vowel that is written before its
# consonant, a sign that stacks the next one, or a vowel that a consonant closes (but for Thai "ko",
# a word); before a vowel that is written behind its consonant, and before a silent or final one.
_JOINT = (
    r"(?:(?<=[\u0e40-\u0e44\u0ec0-\u0ec4\u1039\u17d2])"
    r"|(?<=(?:[\u0e31\u0e37\u0eb1]|(?<!\u0e01)\u0e47)\p{M}?)"
    r"|(?=[\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3])"
    r"|(?=\p{L}[\u0e34\u0e38]?[\u0e4c\u0ecc\u103a\u17cd]))"
)
_RUN = rf"{_ONE}(?:{_JOINT}{_ONE})*|[{_KATAKANA}]+"
_WORD = regex.compile(rf"{_RUN}|\p{{Hangul}}+|{_OTHER}+", regex.V1)
_PART = regex.compile(rf"{_RUN}|\p{{Hangul}}+|{_OTHER}+|[^\s]", regex.V1)
_ASCII_WORD = re.compile(r"\w+")
_UNSPACED_LETTER = regex.compile(_ONE, regex.V1)
_INSIDE = regex.compile(_JOINT, regex.V1)
_BLANKLESS = regex.compile(rf"[[{_UNSPACED}{_KATAKANA}]&&[{_LETTER}]]", regex.V1)
_KINDS = regex.compile(
    rf"(?P<mark>\p{{M}})|(?P<unspaced>[[{_UNSPACED}]&&[{_LETTER}]])|(?P<katakana>[{_KATAKANA}])"
    rf"|(?P<hangul>\p{{Hangul}})|(?P<other>[{_LETTER}])",
    regex.V1,
)
_CONTENT = regex.compile(rf"[[{_OTHER}]--\p{{Nd}}]+|\p{{Hangul}}+|[{_KATAKANA}]+", regex.V1)
_UNSPACED_RUN = regex.compile(rf"(?:{_ONE})+", regex.V1)
_CHINESE = regex.compile(r"\p{Han}")
# What follows a Korean name within its word: particles, forms of the copula, titles; which of two
# forms is right depends on how the syllable before it ends (open, in l, in another consonant).
_OPEN, _IN_L = ("".join(map(chr, range(0xAC00 + end, 0xD7A4, 28))) for end in (0, 8))
_PARTICLE = (
    rf"(?<=[{_OPEN}])(?:가|는|를|와|랑|나|다|며|라도|라고|라는|였다|였던|였으며|예요)"
    rf"|(?<=[{_OPEN}{_IN_L}])(?:로|로서|로써|로부터)|(?<![{_OPEN}{_IN_L}])으로(?:서|써|부터)?"
    rf"|(?<![{_OPEN}])(?:이|은|을|과|이랑|이나|이라도|이라고|이라는|이었다|이었던|이었으며|이에요)"
    r"|이다|이며|이고|이자|이지만|입니다|의|에|에서|에게|에게서|께|께서|한테|한테서|하고|도|만|까지|부터"
    r"|마저|조차|마다|밖에|뿐|처럼|만큼|보다|같은|들|씨|님"
)
_PARTICLES = regex.compile(rf"(?:{_PARTICLE}){{0,4}}(?!\p{{Hangul}})")
# Letters of grammar in Chinese and Japanese.
_GRAMMAR = re.compile("[的了是在和与與之而也都就の は が を に で と も へ]".replace(" ", ""))
# Words that say nothing about a relation by themselves: articles, pronouns, auxiliaries and plain
# conjunctions, the commonest prepositions, and the prefixes of TACRED's names. Prepositions such as
# "into" or "inside" and words of comparison are not among them: some relations are stated by them.
_FUNCTION_WORDS = re.compile(
    r"and|are|been|for|from|had|has|have|its|not|org|per|that|the|their|was|were|which|with"
    r"|being|but|can|could|did|does|her|him|his|how|may|might|must|nor|our|shall|she|should|them"
    r"|there|these|they|this|those|what|when|where|who|whom|whose|why|will|would|you|your"
)


@lru_cache(maxsize=4096)
def _kind(character: str) -> str | None:
    """Kind of script of a letter; ``mark`` for a part of the letter before; None for a sign."""
    found = _KINDS.match(character)
    return found.lastgroup if found else None


def _within_word(text: str, at: int) -> bool:
    """Whether a place, before a character of a text, lies inside a word."""
    if not 0 < at < len(text) or (after := _kind(text[at])) in (None, "mark"):
        return 0 < at < len(text) and after == "mark"
    kinds = (_kind(character) for character in reversed(text[max(0, at - MARKS) : at]))
    before = next((kind for kind in kinds if kind != "mark"), None)
    return before == after and (after != "unspaced" or _INSIDE.match(text, at) is not None)


def _may_end(text: str, at: int, *, name: bool) -> bool:
    """Whether a phrase may end at a place: also within a run of Hangul, where its ending begins."""
    if not _within_word(text, at):
        return True
    return _kind(text[at]) == "hangul" and (not name or _PARTICLES.match(text, at) is not None)


# A text that nearly repeats a phrase takes their product of time.
_LONGEST_PHRASE = 1000


def find_phrase(text: str, phrase: str, *, name: bool = False) -> list[Span]:
    """Every occurrence of a phrase as whole words, in any case, Unicode form and white space.

    Args:
        text: The text that is searched.
        phrase: One or several words; an empty phrase, or one of over 1,000 characters, has no
            occurrence.
        name: The phrase is a name. In Hangul only particles follow a name within its word; behind
            other phrases, of which many are verbs, any ending may.

    Returns:
        Disjoint spans, in order.
    """
    folded, phrase = fold(text), fold(phrase).text
    if not phrase.strip() or len(phrase) > _LONGEST_PHRASE:
        return []
    pattern = re.compile(r"\s+".join(re.escape(w) for w in phrase.split()), re.IGNORECASE)
    ends_in_sign = _kind(phrase.rstrip()[-1]) is None  # such as "5 %": a word may not follow
    found, at = [], 0
    while match := pattern.search(folded.text, at):
        start, end = match.span()
        split = _within_word(folded.text, start) or not _may_end(folded.text, end, name=name)
        if split or (ends_in_sign and _kind(folded.text[end : end + 1]) == "other"):
            at = start + 1
        else:
            found.append(folded.original(start, end))
            at = end
    return found


def find_word_forms(text: str, phrases: str) -> list[Span]:
    """Words of a text that are forms of content words of phrases, or of a relation's name.

    Of Chinese phrases the pairs of letters are taken for words, but for those with a letter of
    grammar.
    """
    folded = fold(text)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", fold(phrases).text)
    words = {word.lower() for word in _CONTENT.findall(spaced)}
    content = [w for w in words if len(_letters(w)) > 2 and not _FUNCTION_WORDS.fullmatch(w)]
    found = [
        span for span in word_spans(folded.text)
        if any(same_stem(span.of(folded.text).lower(), word) for word in content)
    ]  # fmt: skip
    for pair in _pairs_of_letters(spaced):
        found += [Span(*match.span()) for match in re.finditer(re.escape(pair), folded.text)]
    return [folded.original(span.start, span.end) for span in sorted(found)]


def _pairs_of_letters(phrases: str) -> set[str]:
    """What stands for the content words of phrases in scripts without blanks between words."""
    pairs = set()
    for run in _UNSPACED_RUN.findall(phrases):
        letters = _UNSPACED_LETTER.findall(run)
        if not _CHINESE.search(run):
            pairs |= {run} if len(letters) > 2 else set()
            continue
        two = [a + b for a, b in pairwise(letters)]
        pairs |= {pair for pair in two if _CHINESE.search(pair) and not _GRAMMAR.search(pair)}
    return pairs


def same_stem(a: str, b: str) -> bool:
    """Whether two words are forms of one: they differ in at most their last three letters."""
    a, b = _letters(a), _letters(b)
    if a[:3] != b[:3]:
        return False
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return shared >= max(3, max(len(a), len(b)) - 3) and shared >= min(len(a), len(b)) - 1


def _letters(word: str) -> str:
    """Letters of a word; those of a syllable of Hangul one by one."""
    return unicodedata.normalize("NFD", word) if "\uac00" <= word[:1] <= "\ud7a3" else word


def normalised(text: str) -> str:
    """A text for comparison: folded, lower case, single blanks."""
    return " ".join(fold(text).text.lower().split())


def word_list(text: str) -> list[str]:
    """Words of a text for comparison: folded, lower case."""
    text = fold(text).text.lower()
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def word_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Places of the words between two characters of a text."""
    end = len(text) if end is None else end
    pattern = _ASCII_WORD if text.isascii() else _WORD
    return [Span(*match.span()) for match in pattern.finditer(text, start, end)]


def parts(text: str) -> list[Span]:
    """Places of the words and of the signs of a text."""
    return [Span(*match.span()) for match in _PART.finditer(text)]


def clause_parts(text: str) -> list[int]:
    """Starts of the words and signs of what has no blanks between its words, such as Chinese."""
    if text.isascii():
        return []
    starts = []
    for run in re.finditer(r"\S+", text):
        touching = any(a.end == b.start for a, b in pairwise(word_spans(text, *run.span())))
        if touching or _BLANKLESS.search(text, *run.span()):
            starts += [part.start() for part in _PART.finditer(text, *run.span())]
    return starts


def without_particles(word: str, longest: int) -> Iterator[str]:
    """A word, and for one in Hangul, longest first, what is left of it without particles."""
    yield word
    if "\uac00" <= word[:1] <= "\ud7a3":
        ends = range(min(longest, len(word) - 1), 0, -1)
        yield from (word[:end] for end in ends if _PARTICLES.match(word, end))


def count_words(text: str) -> int:
    """Length of a text in words: those between blanks.

    Of scripts without blanks between words, three Chinese characters count as two words, three
    other letters as one: about the length of a translation.
    """
    letters = [] if text.isascii() else _UNSPACED_LETTER.findall(text)
    if not letters:
        return len(text.split())
    chinese = sum(bool(_CHINESE.match(letter)) for letter in letters)
    rest = _UNSPACED_LETTER.sub(" ", text).split()
    return -(-(len(letters) + chinese) // 3) + sum(bool(_ASCII_WORD.search(w)) for w in rest)


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
