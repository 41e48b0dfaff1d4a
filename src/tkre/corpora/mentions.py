"""Where the names of a list stand in a sentence: whole words, the longest match first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tkre.corpora.formats.row import RowError, json_lines, json_object, string
from tkre.corpora.reading import SHOWN, CorpusError
from tkre.records import Span
from tkre.suggest import did_you_mean

_TOKEN = re.compile(r"\w+|[^\w\s]")
_KEYS = ("mention", "type")


@dataclass(frozen=True)
class Mention:
    """A name in a sentence.

    Attributes:
        span: Where it stands.
        kind: Entity type; None where nobody says.
    """

    span: Span
    kind: str | None


class MentionList:
    """Names with their types, looked up word by word.

    A name of a million costs no more than one of ten: what is looked up is every run of words of a
    sentence that is not longer than the longest name.

    Args:
        kinds: Types by name; None where a name has none.
        ignore_case: Whether ``OSLO`` is ``Oslo``.
    """

    def __init__(self, kinds: Iterable[tuple[str, str | None]], *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._kinds = {self._words(name): kind for name, kind in kinds}
        self._longest = max(map(len, self._kinds), default=0)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def types(self) -> set[str]:
        """The types that its names have."""
        return {kind for kind in self._kinds.values() if kind is not None}

    def find(self, text: str) -> list[Mention]:
        """The mentions in a text, from left to right; none overlaps another.

        Of two names that begin at one word the longer one is meant, and a name inside another is
        not looked for.
        """
        tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text)]
        words = [self._key(text[start:end]) for start, end in tokens]
        found, at = [], 0
        while at < len(words):
            length = self._match(words, at)
            if length:
                span = Span(tokens[at][0], tokens[at + length - 1][1])
                found.append(Mention(span, self._kinds[tuple(words[at : at + length])]))
            at += length or 1
        return found

    def _match(self, words: list[str], at: int) -> int:
        """How many words from here on are a name; 0 if none are."""
        for length in range(min(self._longest, len(words) - at), 0, -1):
            if tuple(words[at : at + length]) in self._kinds:
                return length
        return 0

    def _words(self, name: str) -> tuple[str, ...]:
        return tuple(self._key(word) for word in _TOKEN.findall(composed(name)))

    def _key(self, word: str) -> str:
        return word.casefold() if self._ignore_case else word


def composed(text: str) -> str:
    """A text in the one form in which an accented letter is one character (NFC)."""
    return unicodedata.normalize("NFC", text)


def read_mentions(
    text: str, file: str, *, ignore_case: bool, types: Collection[str] = ()
) -> MentionList:
    """The names in a file.

    Args:
        text: A line for each: ``name<TAB>type``, ``name`` alone, or a JSON object
            ``{"mention": ..., "type": ...}``.
        file: Its name, for messages.
        ignore_case: Whether case is no difference.
        types: Of the corpus; a name that ends with one, behind a comma, is no name.

    Raises:
        CorpusError: Lines that hold no name, or names that have two types; all are listed.
    """
    kinds: dict[str, tuple[str | None, int]] = {}
    bad = []
    for number, line in json_lines(text):
        try:
            name, kind = _mention(line.strip("\r\n"), types)
            key = name.casefold() if ignore_case else name
            before, first = kinds.setdefault(key, (kind, number))
            if before != kind:
                raise RowError(f"{name!r} is a {kind} here and a {before} on line {first}")
        except RowError as error:
            bad.append(f"  {file}, line {number}: {error}")
    if not kinds and not bad:
        bad.append(f"  {file}: no name in it; a line for each: name<TAB>type")
    if bad:
        more = [f"  ... and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *bad[:SHOWN], *more]))
    return MentionList(((name, kind) for name, (kind, _) in kinds.items()), ignore_case=ignore_case)


def _mention(line: str, types: Collection[str]) -> tuple[str, str | None]:
    if line.lstrip().startswith("{"):
        record = json_object(line)
        for key in record:
            if key not in _KEYS:
                raise RowError(f"unknown key {key!r}" + did_you_mean(key, _KEYS))
        name = string(record, "mention")
        kind = string(record, "type") if record.get("type") else None
    else:
        name, *rest = line.split("\t")
        if len(rest) > 1:
            raise RowError(f"{len(rest)} tabs; one stands between the name and its type")
        if not rest:
            _refuse_comma(name, types)
        kind = rest[0].strip() or None if rest else None
    if not re.search(r"\w", name):
        raise RowError(f"no name before the type: {line!r}")
    return composed(name.strip()), kind


def _refuse_comma(name: str, types: Collection[str]) -> None:
    """Else nothing would be found, and nothing said: no sentence holds ``Ada,person``."""
    ending = re.fullmatch(r".*([,;])(.*)", name)
    if ending and ending[2].strip() in types:
        raise RowError(f"a tab stands between a name and its type, not {ending[1]!r}: {name!r}")
