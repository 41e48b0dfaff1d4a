"""What checks find: an error, a warning or a note, and where it stands.

What relations say of themselves: definitions that are too alike, or one-sided, and names.

A ``relations.yml`` looked at line by line: what YAML hides, what is still to be written.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import Any

import yaml
from pydantic import ValidationError

from tkre.core.params import did_you_mean
from tkre.core.schema import Relation, RelationSchema
from tkre.corpora.scaffold import PLACEHOLDER, READ_AS_MISSING, is_placeholder

SHOWN = 20  # findings of one kind that are printed; the rest is a number


class Level(StrEnum):
    """How bad it is: a run would be refused or mean nothing; worth a look; worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        level: How bad it is.
        place: File and line; empty for what stands nowhere in particular.
        message: What is the matter, and the way out.
        kind: What is counted together where there is much of it, e.g. ``bad row``.
    """

    level: Level
    place: str
    message: str
    kind: str = ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{self.level:<7}  {place}{self.message}"


def counted(findings: Iterable[Finding]) -> dict[Level, int]:
    """How many there are of every level."""
    counts = Counter(finding.level for finding in findings)
    return {level: counts[level] for level in Level}


def told(findings: Sequence[Finding], shown: int = SHOWN) -> Iterator[str]:
    """A line for each, the worst first; of one kind only so many, then their number."""
    for level in Level:
        of_level = [finding for finding in findings if finding.level == level]
        seen: Counter[str] = Counter()
        for finding in of_level:
            seen[finding.kind] += 1
            if not finding.kind or seen[finding.kind] <= shown:
                yield str(finding)
        for kind, count in seen.items():
            if kind and count > shown:
                yield f"{level:<7}  ... and {count - shown} more: {kind}"


def names(items: Sequence[str], shown: int = 8) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + more


_WORD = re.compile(r"\w+")
_ARTICLES = {"a", "an", "the"}
Place = Callable[[str], str]


def definition_findings(schema: RelationSchema, place: Place) -> Iterator[Finding]:
    """Definitions, phrases and names that serve a language model or a classifier badly.

    Args:
        schema: The relations.
        place: File and line of a relation, by its name.
    """
    written = {
        name: relation
        for name, relation in schema.relations.items()
        if not is_placeholder(relation.definition) and not is_placeholder(relation.phrase)
    }
    for about, message in (
        *_same_words(schema, written),
        *_same_phrase(written),
        *_inverse_types(schema),
        *(told for name, relation in written.items() for told in _of_one(schema, name, relation)),
    ):
        yield Finding(Level.WARNING, place(about), message)


def _same_words(
    schema: RelationSchema, written: Mapping[str, Relation]
) -> Iterator[tuple[str, str]]:
    words = {name: _words(relation) - _ARTICLES for name, relation in written.items()}
    for one, other in combinations(written, 2):
        # An inverse says the same of the pair the other way round.
        if schema.inverse_of(one) != other and words[one] == words[other]:
            yield (
                other,
                f"the definitions of {one} and {other} are made of the same words: say what sets "
                "them apart, since it is all that a language model knows of them; or, if the one "
                "is the other with head and tail exchanged, say so in inverse",
            )


def _same_phrase(written: Mapping[str, Relation]) -> Iterator[tuple[str, str]]:
    by_phrase = defaultdict(list)
    for name, relation in written.items():
        by_phrase[" ".join(relation.phrase.lower().split())].append(name)
    for phrase, names in by_phrase.items():
        if len(names) > 1:
            yield names[-1], f"{' and '.join(names)} have the same phrase, {phrase!r}"


def _inverse_types(schema: RelationSchema) -> Iterator[tuple[str, str]]:
    """What the head may be, the tail of the inverse may be: sentences are read both ways."""
    for name, relation in schema.relations.items():
        other = schema.relations[relation.inverse] if relation.inverse else None
        heads, tails = set(relation.head_types), set(other.tail_types if other else ())
        if heads and tails and not heads & tails:
            yield (
                name,
                f"{name} has head_types [{', '.join(sorted(heads))}], its inverse "
                f"{relation.inverse} tail_types [{', '.join(sorted(tails))}]: these are the same "
                "mentions, and have no type in common",
            )


def _of_one(schema: RelationSchema, name: str, relation: Relation) -> Iterator[tuple[str, str]]:
    if relation.negative:
        return
    if not {"head", "tail"} <= _words(relation):
        yield (
            name,
            f"the definition of {name} does not speak of both the head and the tail, so it does "
            "not say which of the two is which",
        )
    if schema.spelled_out(name, f"{relation.phrase} {relation.definition}"):
        yield (
            name,
            f"{name} stands in its own definition or phrase: an explanation that holds the name "
            "of its relation is refused, since it would teach the name; say it in plain words",
        )


def _words(relation: Relation) -> set[str]:
    return set(_WORD.findall(relation.definition.lower()))


Path = tuple[str, ...]
_TEXT = "tag:yaml.org,2002:str"
# What PyYAML says of the mistakes that are made most, and the way out.
_HINTS = {
    "found character '\\t'": "indent with blanks, not with tabs",
    "mapping values are not allowed here": "a text with ': ' in it must stand in quotes",
    "could not find expected ':'": "a colon is missing after a name, or a quote before",
    "expected <block end>": "a line is indented more or less than those around it",
    "expected ',' or ']'": "a list is not closed: [person, place]",
}
_KINDS_OF_VALUE = {
    "string_type": "it is read as another kind of value; put it in quotes",
    "tuple_type": "a list is wanted: [{value}]",
    "bool_parsing": "true or false is wanted",
    "missing": "it is missing",
}


@dataclass
class RelationsFile:
    """What the file holds, and what is wrong with it.

    Attributes:
        file: Its name.
        schema: As far as it can be read; placeholders are left out of types and inverses, so
            that rows can be checked before all is written. None if it is no schema at all.
        findings: What is wrong.
        lines: Of its entries.
    """

    file: str
    schema: RelationSchema | None = None
    findings: list[Finding] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)

    def place(self, relation: str) -> str:
        """File and line of a relation."""
        line = self.lines.get(("relations", relation))
        return f"{self.file}, line {line}" if line else self.file


def read_relations(text: str, file: str, corpus: str) -> RelationsFile:
    """Reads the content of a ``relations.yml``.

    Args:
        text: Its content.
        file: Its name, for messages.
        corpus: Name of the corpus that it belongs to.
    """
    read = RelationsFile(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        read.findings.append(_not_yaml(error, file))
        return read
    except yaml.YAMLError as error:  # characters that YAML has no place for
        read.findings.append(Finding(Level.ERROR, file, f"not YAML: {error}"))
        return read
    if not isinstance(root, yaml.MappingNode):
        message = (
            "it does not hold `corpus: <name>`, `relations:` with an entry for each and, where "
            "mentions have types, `entity_types: [...]`"
        )
        read.findings.append(Finding(Level.ERROR, file, message))
        return read
    walked = _Walk(file)
    walked.walk(root, ())
    read.lines = walked.lines
    read.findings += [*walked.findings, *walked.placeholders()]
    if any(finding.kind == "name" for finding in walked.findings):
        return read
    read.schema = _parsed(_without_placeholders(yaml.safe_load(text)), walked, read.findings)
    if read.schema is not None:
        read.findings += _about(read.schema, walked, corpus)
    return read


def _not_yaml(error: yaml.MarkedYAMLError, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    place = f"{file}, line {mark.line + 1}" if mark else file
    problem = str(error.problem or error.context or error)
    hint = next((f" ({way_out})" for start, way_out in _HINTS.items() if start in problem), "")
    return Finding(Level.ERROR, place, f"not YAML: {problem}{hint}")


class _Walk:
    """The nodes of the file: where each stands, and what a plain load would not tell."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.findings: list[Finding] = []
        self.unwritten: dict[Path, list[str]] = {}

    def place(self, path: Path) -> str:
        """File and line of an entry, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}, line {self.lines[path]}" if path else self.file

    def walk(self, node: yaml.Node, path: Path) -> None:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._entry(key, value, path)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self.walk(value, (*path, str(number)))
        elif is_placeholder(node.value):
            of_relation = path[:2] if path[0] == "relations" else path[:1]
            entry = ".".join(path[len(of_relation) : 3]) or "all of it"
            self.unwritten.setdefault(of_relation, []).append(entry)

    def _entry(self, key: yaml.Node, value: yaml.Node, path: Path) -> None:
        place, line = (*path, str(key.value)), key.start_mark.line + 1
        if place in self.lines:
            self._at(line, f"{key.value!r} stands here and on line {self.lines[place]}; YAML would "
                           "take the second and forget the first", "name")  # fmt: skip
            return
        self.lines[place] = line
        if key.tag != _TEXT and key.value != "<<":
            message = f"YAML does not read {key.value} as a name; put it in quotes: '{key.value}'"
            self._at(line, message, "name")
        self.walk(value, place)

    def placeholders(self) -> Iterator[Finding]:
        """What is still to be written, a line for each relation."""
        for path, entries in self.unwritten.items():
            told = ", ".join(dict.fromkeys(entries))
            message = f"{'.'.join(path)} is still to be written: {told}"
            yield Finding(Level.ERROR, self.place(path), message, "placeholders")

    def _at(self, line: int, message: str, kind: str) -> None:
        self.findings.append(Finding(Level.ERROR, f"{self.file}, line {line}", message, kind))


def _without_placeholders(raw: Any) -> Any:
    """The content with what is still to be written left out, but for the texts of relations."""
    if isinstance(raw, dict):
        kept = {k: v for k, v in raw.items() if not (k == "inverse" and is_placeholder(v))}
        return {key: _without_placeholders(value) for key, value in kept.items()}
    if isinstance(raw, list):
        return [value for value in raw if value != PLACEHOLDER]
    return raw


def _parsed(raw: Any, walked: _Walk, findings: list[Finding]) -> RelationSchema | None:
    try:
        return RelationSchema.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors():
            findings += _told(dict(problem), walked)
    return None


def _told(problem: dict[str, Any], walked: _Walk) -> Iterator[Finding]:
    path = tuple(str(part) for part in problem["loc"])
    if not path:  # of the schema as a whole: a line for each relation that does not fit
        for line in problem["msg"].removeprefix("Value error, ").split("\n"):
            name = line.partition(":")[0]
            entry = "inverse" if "inverse" in line else "head_types"
            yield Finding(Level.ERROR, walked.place(("relations", name, entry)), line, "schema")
        return
    dotted, value = ".".join(path), problem["input"]
    if problem["type"] == "extra_forbidden":
        known = Relation.model_fields if len(path) > 1 else RelationSchema.model_fields
        message = f"{dotted}: there is no such entry" + did_you_mean(path[-1], known)
    else:
        said = _KINDS_OF_VALUE.get(problem["type"], problem["msg"]).format(value=value)
        shown = "" if problem["type"] == "missing" else f" (it is {value!r})"
        message = f"{dotted}: {said}{shown}"
    yield Finding(Level.ERROR, walked.place(path), message, "schema")


def _about(schema: RelationSchema, walked: _Walk, corpus: str) -> Iterator[Finding]:
    """What can be used but is seldom meant."""
    if schema.corpus != corpus:
        yield Finding(
            Level.WARNING, walked.place(("corpus",)),
            f"corpus is {schema.corpus!r}, the corpus is run as {corpus!r}: recorded answers are "
            "looked up by the first of these names",
        )  # fmt: skip
    for name in schema.names:
        if name in READ_AS_MISSING:
            message = f"{name!r} is read back from tables as a missing value; choose another name"
            yield Finding(Level.WARNING, walked.place(("relations", name)), message)
    if schema.negative is None:
        yield Finding(
            Level.NOTE, walked.file,
            "no relation is negative: every pair will be given one of the relations, even where "
            "none holds; `negative: true` on one of them changes that",
        )  # fmt: skip
    used = {t for r in schema.relations.values() for t in (*r.head_types, *r.tail_types)}
    if used and (idle := sorted(set(schema.entity_types) - used)):
        message = f"no relation allows the entity type {', '.join(idle)}"
        yield Finding(Level.NOTE, walked.place(("entity_types",)), message)
