"""A list of names with their types, as a finder of mentions in raw sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable

from tkre.core.documents import DocumentError, parse_json
from tkre.core.errors import listed
from tkre.core.folding import fold
from tkre.core.params import did_you_mean
from tkre.core.text import parts, without_particles
from tkre.corpora.candidates import Mention
from tkre.corpora.formats import json_object, numbered_lines
from tkre.corpora.reading import CorpusError
from tkre.corpora.records import RowError, string

_KEYS = ("mention", "type")
_HEADERS = {
    (name, kind) for name in ("name", "mention", "text", "entity") for kind in ("type", "label")
}


class MentionList:
    """Names with their types, matched as whole words (``core.text``).

    In scripts without blanks between words a name is found wherever its letters stand, in Hangul
    where a word consists of it and particles. Every run of as many words as a name has is looked up
    in a dictionary, so the time does not depend on the number of names.

    Args:
        kinds: Names with their types; None for a name without a type.
        ignore_case: Match ``OSLO`` with ``Oslo``.
    """

    def __init__(self, kinds: Iterable[tuple[str, str | None]], *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._kinds = {self._words(name): kind for name, kind in kinds}
        self._lengths = sorted({*map(len, self._kinds)} - {0}, reverse=True)
        self._letters = max((len(name[-1]) for name in self._kinds if name), default=0)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def types(self) -> set[str]:
        """Types of the names."""
        return {kind for kind in self._kinds.values() if kind is not None}

    def find(self, text: str) -> list[Mention]:
        """Mentions in a text, left to right, without overlaps; the longest match wins."""
        folded = fold(text)
        tokens = parts(folded.text)
        words = [self._key(token.of(folded.text)) for token in tokens]
        found, at = [], 0
        while at < len(words):
            length, name = self._match(words, at)
            if length:
                last = tokens[at + length - 1]
                span = folded.original(tokens[at].start, min(last.end, last.start + len(name[-1])))
                found.append(Mention(span, self._kinds[name]))
            at += length or 1
        return found

    def _match(self, words: list[str], at: int) -> tuple[int, tuple[str, ...]]:
        """The longest name that starts at a word, with its number of words; 0 if none does."""
        for length in (n for n in self._lengths if n <= len(words) - at):
            *first, last = words[at : at + length]
            for end in without_particles(last, self._letters):
                if (name := (*first, end)) in self._kinds:
                    return length, name
        return 0, ()

    def _words(self, name: str) -> tuple[str, ...]:
        folded = fold(name).text
        return tuple(self._key(part.of(folded)) for part in parts(folded))

    def _key(self, word: str) -> str:
        return word.casefold() if self._ignore_case else word


def read_mentions(
    text: str, file: str, *, ignore_case: bool, types: Collection[str] = ()
) -> MentionList:
    """Parse a file of names.

    Args:
        text: Lines ``name<TAB>type``, ``name``, or JSON ``{"mention": ..., "type": ...}``. Double
            quotes around a whole name or type are not read.
        file: File name for messages.
        ignore_case: Ignore case in names.
        types: Entity types of the corpus; a name that ends with one, or with a type of another
            name, behind another sign than a tab is refused.

    Raises:
        CorpusError: Lines without a name, or names with two types; the message lists them.
    """
    lines = list(numbered_lines(text))
    if text.lstrip("\ufeff \t\r\n").startswith("[") and _is_list(text):
        raise CorpusError(f"{file}, line {lines[0][0]}: {_LIST}")
    types = {*types, *_types_in([line for _, line in lines])}
    kinds: dict[str, tuple[str | None, int]] = {}
    bad = []
    for number, line in lines:
        try:
            name, kind = _mention(line, types)
            key = fold(name).text
            key = key.casefold() if ignore_case else key
            before, first = kinds.setdefault(key, (kind, number))
            if before != kind:
                raise RowError(f"{name!r} is a {kind} here and a {before} on line {first}")
        except RowError as error:
            bad.append(f"  {file}, line {number}: {error}")
    if not kinds and not bad:
        bad.append(f"  {file}: no name in it; a line for each: name<TAB>type")
    if bad:
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *listed(bad)]))
    return MentionList(((name, kind) for name, (kind, _) in kinds.items()), ignore_case=ignore_case)


_LIST = 'a JSON list; write a line for each name: name<TAB>type, or {"mention": ..., "type": ...}'


def _is_list(text: str) -> bool:
    try:
        return isinstance(parse_json(text), list)
    except DocumentError:  # a name may begin with a bracket
        return False


def _types_in(lines: list[str]) -> set[str]:
    """Types behind the tabs of a file; without a tab, what stands behind a sign of every line."""
    if found := {_unquoted(line.split("\t")[1]) for line in lines if line.count("\t") == 1}:
        return found
    for sign in ",;":
        behind = [line.rpartition(sign)[2].strip() for line in lines if sign in line]
        if len(behind) == len(lines) > len({*behind}):
            return {*behind}
    return set()


def _mention(line: str, types: Collection[str]) -> tuple[str, str | None]:
    if line.lstrip().startswith("{"):
        record = json_object(line)
        for key in record:
            if key not in _KEYS:
                raise RowError(f"unknown key {key!r}" + did_you_mean(key, _KEYS))
        name = string(record, "mention")
        kind = string(record, "type") if record.get("type") else None
    elif line.lstrip().startswith("[") and _is_list(line):
        raise RowError(_LIST)
    else:
        name, *rest = line.split("\t")
        if len(rest) > 1:
            raise RowError(f"{len(rest)} tabs; one stands between the name and its type")
        if not rest:
            _refuse_without_tab(name, types)
        name, *rest = map(_unquoted, [name, *rest])
        kind = rest[0] or None if rest else None
        if (name.lower(), str(kind).lower()) in _HEADERS:
            raise RowError("a header, where each line is a name: take it away")
    if not re.search(r"\w", name):
        raise RowError(f"no name before the type: {line!r}")
    return name.strip(), kind


def _unquoted(cell: str) -> str:
    """A cell without the quotes that spreadsheets write around one with a comma."""
    cell = cell.strip()
    inside = cell[1:-1].replace('""', "")
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inside
    return cell[1:-1].replace('""', '"').strip() if quoted else cell


def _refuse_without_tab(name: str, types: Collection[str]) -> None:
    """Refuse ``Ada,person`` and blanks in place of a tab: no sentence would ever match them."""
    words = fold(name).text.split()
    ends = (" ".join(words[-n:]) for n in range(1, min(len(words), 5)))  # types of a few words
    sign = next((s for s in "|,;" if _ends_with_type(name, s, types)), None)
    if sign is None and ("  " in fold(name.strip()).text or any(end in types for end in ends)):
        sign = " "
    if sign is not None:
        whole = json.dumps({"mention": name.strip()}, ensure_ascii=False)
        instead = "blanks" if sign == " " else repr(sign)
        raise RowError(
            f"a tab stands between a name and its type, not {instead}: {name!r}; if it is a name "
            f"as a whole, write {whole}"
        )


def _ends_with_type(name: str, sign: str, types: Collection[str]) -> bool:
    before, found, last = name.rpartition(sign)
    known = {kind.casefold() for kind in types}
    return bool(found and before) and (sign == "|" or last.strip().casefold() in known)
