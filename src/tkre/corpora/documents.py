"""Annotated documents, as every annotation tool writes them: a text, entities, relations.

A reader of a tool's file (``corpora.annotations``) fills a ``Document`` with the spans of mentions
and directed relations; ``document_rows.Rows`` makes rows of it. What cannot be taken is counted by
its reason in a ``Tally``.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from tkre.core.documents import shown
from tkre.core.instance import Span
from tkre.core.text import find_phrase, normalised
from tkre.corpora.candidates import Mention
from tkre.corpora.records import RowError

# Offsets are counted in characters. Where the texts of the mentions do not fit, the units of other
# programs are tried: the length of a character in each, and the offset of the first one.
_UTF_16 = "UTF-16 units"
_UNITS: dict[str, tuple[Callable[[str], int], int]] = {
    _UTF_16: (lambda c: 2 if c > "\uffff" else 1, 0),
    "characters, line ends being two": (lambda c: 2 if c == "\n" else 1, 0),
    "characters, line ends being one": (lambda c: 0 if c == "\r" else 1, 0),
    "bytes of UTF-8": (lambda c: len(c.encode()), 0),
    "characters from 1, as behind a byte-order mark": (lambda c: 1, 1),
    "bytes of UTF-8 behind a byte-order mark": (lambda c: len(c.encode()), 3),
}
_SPACE = re.compile(r"(?:\s|\\n)+")  # Label Studio writes a line break as \n in some versions


@dataclass
class Tally:
    """Counts of an import.

    Attributes:
        read: Numbers of documents, sentences, mentions and relations.
        left_out: Places of what could not be taken, by kind (``relation``, ``mention``, ``record``)
            and reason.
        notes: Numbers of what was read in another way than it stands there.
    """

    read: Counter[str] = field(default_factory=Counter)
    left_out: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: Counter[str] = field(default_factory=Counter)

    def leave_out(self, kind: str, reason: str, place: str) -> None:
        """Count something that cannot be taken."""
        self.left_out[kind, reason].append(place)


@dataclass(frozen=True)
class _Given:
    """A mention as a file gives it: offsets in the file's unit, and the text if it is given.

    Without an end it is as long as its text.
    """

    start: int
    end: int | None
    kind: str | None
    surface: str | None

    def fits(self, text: str, places: Mapping[int, int] | None = None) -> bool:
        """Whether the offsets hold the mention's text; without one, whether they cut no word."""
        span = self.span(text, places)
        if span is None:
            return False
        if self.surface is not None:
            return _plain(span.of(text)) == _plain(self.surface)
        inside = span.of(text)
        return inside == inside.strip() and not cuts_word(text, span)

    def span(self, text: str, places: Mapping[int, int] | None = None) -> Span | None:
        """Its characters without white space around; None for no character of the text."""
        start, end = (
            place if places is None or place is None else places.get(place, -1)
            for place in (self.start, self.end)
        )
        start = -1 if start is None else start
        if end is None:
            end = _end_of(text, start, self.surface or "")
        if not 0 <= start < end <= len(text) or not (inside := text[start:end]).strip():
            return None
        start += len(inside) - len(inside.lstrip())
        return Span(start, start + len(inside.strip()))


def _plain(text: str) -> str:
    """A mention for comparison: in any case, Unicode form and white space."""
    return normalised(_SPACE.sub(" ", text))


def _end_of(text: str, start: int, surface: str) -> int:
    """Where a mention ends that begins at a place: it may be spelt in another form."""
    there = text[start : start + 2 * len(surface)] if start >= 0 else ""
    found = next(iter(find_phrase(there, surface, name=True)), None)
    return start + (found.end if found and not found.start else len(surface))


def cuts_word(text: str, span: Span) -> bool:
    """Whether a span begins or ends between two letters that have a case, or before an accent."""
    return any(_in_word(text[max(0, place - 1) : place + 1]) for place in (span.start, span.end))


def _in_word(around: str) -> bool:
    cased = len(around) == 2 and around[0].lower() != around[0].upper()
    after = around[-1:]
    return cased and (after.lower() != after.upper() or unicodedata.category(after)[0] == "M")


@dataclass(frozen=True)
class Link:
    """A relation between two entities of a document.

    Attributes:
        head: Key of the head.
        tail: Key of the tail.
        label: The relation.
        evidence: Numbers of the sentences that state it; empty if unknown.
    """

    head: str
    tail: str
    label: str
    evidence: tuple[int, ...] = ()


class Document:
    """A text with entities and relations, filled by a reader.

    Args:
        name: Id in the file, or its place.
        text: The text.
        sentences: Its sentences, where the file has them, in order and disjoint.
    """

    def __init__(self, name: str, text: str, sentences: Sequence[Span] = ()) -> None:
        self.name, self.text, self.sentences = name, text, sentences
        self.place = ""  # file and line, for messages
        self.links: list[Link] = []
        self.left_out: list[tuple[str, str, str]] = []
        self._given: dict[str, list[_Given]] = defaultdict(list)
        self.unclear: set[str] = set()  # keys of one mention that stand at several places

    def mention(
        self, key: str, start: Any, end: Any, kind: Any = None, surface: Any = None,
        *, alone: bool = False,
    ) -> None:  # fmt: skip
        """Add a mention of an entity.

        Args:
            key: Key of the entity, which relations name.
            start: First character.
            end: Character behind the last one; None where the text of the mention tells it.
            kind: Entity type.
            surface: Text of the mention, to check the offsets by.
            alone: The key is of one mention: if another place has it, no relation can name it.
        """
        surface = surface if isinstance(surface, str) and surface.strip() else None
        places = (start,) if end is None and surface else (start, end)
        if any(isinstance(place, bool) or not isinstance(place, int) for place in places):
            reason = "its offsets are no whole numbers"
            self.leave_out("mention", reason, f"{key} [{shown(start)}, {shown(end)}]")
            return
        kind = " ".join(kind.split()) or None if isinstance(kind, str) else None
        if alone and any((g.start, g.end) != (start, end) for g in self._given[key][:1]):
            self.unclear.add(key)
        self._given[key].append(_Given(start, end, kind, surface))

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def relate(self, head: str, tail: str, label: Any, evidence: Iterable[int] = ()) -> None:
        """Add a relation between two entities; one without a label is left out."""
        label = " ".join(label.split()) if isinstance(label, str) else ""
        self.links.append(Link(head, tail, label, tuple(evidence)))

    def leave_out(self, kind: str, reason: str, what: str) -> None:
        """Note what cannot be taken."""
        self.left_out.append((kind, reason, what))

    def mentions(self, tally: Tally) -> dict[str, list[Mention]]:
        """Mentions by entity, at their characters of the text."""
        unit = self._unit()
        if unit:
            tally.notes[f"documents whose offsets are {unit}"] += 1
        places = _places(self.text, *_UNITS[unit]) if unit else None
        found: dict[str, list[Mention]] = defaultdict(list)
        for key, given in ((key, g) for key, several in self._given.items() for g in several):
            tally.read["mentions"] += 1
            span = given.span(self.text, places)
            if span is None or (given.surface is not None and not given.fits(self.text, places)):
                here = "nothing" if span is None else shown(span.of(self.text))
                end = given.end or given.start + len(given.surface or "")
                what = f"{key} [{given.start}, {end}]"
                what += f" {shown(given.surface)}" if given.surface else ""
                reason = "its offsets do not fit the text"
                what = f"{self.place}: {what}: the text has {here} there"
                tally.leave_out("mention", reason, what)
            else:
                if cuts_word(self.text, span):
                    tally.notes["mentions that begin or end within a word"] += 1
                found[key].append(Mention(span, given.kind))
        return found

    def _unit(self) -> str | None:
        """The unit of the offsets that fits most mentions; None for characters."""
        given = [g for several in self._given.values() for g in several]
        best, most = None, sum(g.fits(self.text) for g in given)
        if most == len(given):
            return None
        # Without the texts of mentions a label within a word may be meant: another unit than that
        # of the shift by an emoji must mend two of them, and leave none.
        least = 0 if any(g.surface for g in given) else max(len(given), most + 2)
        for unit, counted in _UNITS.items():
            places = _places(self.text, *counted)
            fitting = sum(g.fits(self.text, places) for g in given)
            if fitting > most and (unit == _UTF_16 or fitting >= least):
                best, most = unit, fitting
        return best


def _places(text: str, length: Callable[[str], int], first: int) -> dict[int, int]:
    """Characters by offsets in another unit."""
    offsets = accumulate(map(length, text), initial=first)
    places: dict[int, int] = {}
    for place, offset in enumerate(offsets):
        places.setdefault(offset, place)
    return places


# A sentence ends with one of these signs, or at a line break. A run of signs is read from its first
# one alone: from each of them, a run without an end takes quadratic time.
_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019\u00bb)\]]*+(?=\s)|[\n\r]\s*+"
    r"|[\u3002\uff01\uff1f]++[\u201d\u2019\u300d\u300f\uff09\"]*+"
)
# No sentence ends behind an initial, an ordinal or one of these.
_SHORT = re.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|\d{1,2}|\w+\.\w+|Drs?|Mrs?|Ms|Prof|St|Mt|Ft|Gen|Col|Lt|Capt|Sen|Rep|Gov"
    r"|Rev|Hon|Jr|Sr|Inc|Ltd|Corp|Co|Bros|vs|etc|al|cf|Fig|Figs|Eq|Nos?|Nr|bzw|ca|vgl|usw|Mme|Mlle)\.$"
)


def split_sentences(text: str, mentions: Iterable[Mention] = ()) -> list[Span]:
    """The sentences of a text; none ends within a mention.

    Args:
        text: Text of any language; full stops and line breaks are looked at, words are not.
        mentions: Mentions in it.
    """
    steps = [0] * (len(text) + 1)
    for mention in mentions:
        steps[mention.span.start + 1] += 1
        steps[mention.span.end] -= 1
    inside = list(accumulate(steps))
    ends = [m.end() for m in _END.finditer(text) if not inside[m.end()] and _ends(text, m)]
    spans = []
    for start, end in pairwise([0, *ends, len(text)]):
        piece = text[start:end]
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append(Span(first, first + len(piece.strip())))
    return spans


def _ends(text: str, found: re.Match[str]) -> bool:
    """Whether a sentence ends here: not before a small letter, nor behind an abbreviation."""
    following = text[found.end() : found.end() + 20].lstrip()[:1]
    sign = found.group()
    if sign[0] in "\u3002\uff01\uff1f" or max(map(sign.count, "\n\r")) > 1:
        return True
    if following.islower():
        return False
    return sign != "." or not _SHORT.search(text[max(0, found.end() - 30) : found.end()])


@dataclass(frozen=True)
class Sentence:
    """A sentence of a document.

    Attributes:
        name: Name of the document, and its number.
        text: The sentence on one line.
        mentions: Mentions in it, each with the key of its entity.
    """

    name: str
    text: str
    mentions: tuple[tuple[str, Mention], ...]


_BREAKS = str.maketrans("\t\n\r\v\f\u2028\u2029", " " * 7)


def sentences_of(document: Document, tally: Tally) -> list[Sentence]:
    """The sentences of a document, with the mentions that lie in them."""
    tally.read["documents"] += 1
    for kind, reason, what in document.left_out:
        tally.read["relations"] += kind == "relation"
        tally.read["mentions"] += kind == "mention"
        tally.leave_out(kind, reason, f"{document.place}: {what}")
    by_entity = document.mentions(tally)
    mentions = [(key, m) for key, several in by_entity.items() for m in several]
    spans = document.sentences or split_sentences(document.text, (m for _, m in mentions))
    starts = [span.start for span in spans]
    inside: list[list[tuple[str, Mention]]] = [[] for _ in spans]
    for key, m in mentions:
        number = bisect_right(starts, m.span.start) - 1
        if number >= 0 and m.span.end <= spans[number].end:
            own = Span(m.span.start - starts[number], m.span.end - starts[number])
            inside[number].append((key, Mention(own, m.kind)))
    tally.read["sentences"] += len(spans)
    return [
        Sentence(f"{document.name}/{n}", span.of(document.text).translate(_BREAKS), tuple(within))
        for n, (span, within) in enumerate(zip(spans, inside, strict=True), start=1)
    ]


Documents = Iterable[tuple[str, Callable[[], Document]]]  # places in a file, parsers


def read_documents(documents: Documents, file: str, tally: Tally) -> Iterator[Document]:
    """The documents of a file; those that cannot be read are counted with their place."""
    stem = file.rpartition("/")[2].partition(".")[0]
    for number, (place, parse) in enumerate(documents, start=1):
        try:
            document = parse()
        except RowError as error:
            tally.leave_out("record", "it cannot be read", f"{file}, {place}: {error}")
            continue
        document.place = f"{file}, {place}" if place else file
        document.name = document.name or f"{stem}-{number}"
        yield document
