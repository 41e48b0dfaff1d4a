"""Checks of a ``relations.yml``: YAML mistakes with line numbers, and ambiguous definitions.

Findings of all checks of a corpus: level, place, message and way out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tkre.core.documents import DocumentError, compose_yaml, construct_yaml, shown
from tkre.core.params import did_you_mean
from tkre.core.schema import Relation, RelationSchema
from tkre.core.text import word_list
from tkre.corpora.scaffold import PLACEHOLDER, is_draft, is_placeholder


class Level(StrEnum):
    """Severity: a run is refused or meaningless; suspicious; for information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


LABEL = 9  # columns of the level before a message


@dataclass(frozen=True)
class Finding:
    """Result of a check.

    Attributes:
        level: Severity.
        place: File and line; empty if there is none.
        message: Problem and way out.
        kind: Group of findings that are cut and counted together, e.g. ``bad rows``; empty for a
            finding that is always printed.
    """

    level: Level
    place: str
    message: str
    kind: str = ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{self.level:<7}  {place}{self.message}"


def count_levels(findings: Iterable[Finding]) -> dict[Level, int]:
    """Number of findings of every level."""
    counts = Counter(finding.level for finding in findings)
    return {level: counts[level] for level in Level}


def finding_lines(findings: Sequence[Finding], limit: int = 20) -> Iterator[str]:
    """One line for each finding, errors first; beyond ``limit`` of one kind only their number."""
    for level in Level:
        counts: Counter[str] = Counter()
        for finding in (finding for finding in findings if finding.level == level):
            counts[finding.kind] += 1
            if not finding.kind or counts[finding.kind] <= limit:
                yield str(finding)
        for kind, count in counts.items():
            if kind and count > limit:
                yield f"{level:<7}  ... and {count - limit} more: {kind}"


_ARTICLES = {"a", "an", "the"}
# Words of English and of hardly another language; beside "a", which others have, those below.
_ENGLISH = {
    "the", "and", "with", "who", "which", "whose", "that", "from", "has", "have", "are", "were",
    "their", "its",
}  # fmt: skip
_WITH_A = {"was", "is", "of", "by"}
Place = Callable[[str], str]


def definition_findings(schema: RelationSchema, place: Place) -> Iterator[Finding]:
    """Definitions, phrases and names that mislead a language model or a classifier.

    Args:
        schema: Schema of the corpus.
        place: Returns file and line of a relation.
    """
    written = {
        name: relation
        for name, relation in schema.relations.items()
        if not is_placeholder(relation.definition) and not is_placeholder(relation.phrase)
    }
    vague = (pair for name in written for pair in _vague_definition(name, schema))
    for name, message in (*_alike(schema, written), *_inverse_types(schema), *vague):
        yield Finding(Level.WARNING, place(name), message)


def _alike(schema: RelationSchema, written: Mapping[str, Relation]) -> Iterator[tuple[str, str]]:
    """Relations with the words or the phrase of another one."""
    words = {name: _words(relation) - _ARTICLES for name, relation in written.items()}
    for one, other in combinations(written, 2):
        # The definition of an inverse has the same words.
        if schema.inverse_of(one) != other and words[one] == words[other]:
            yield (
                other,
                f"the definitions of {one} and {other} are made of the same words: state the "
                "difference, since a language model knows nothing else of them; or, if one is the "
                "other with head and tail exchanged, declare it under inverse",
            )
    by_phrase = defaultdict(list)
    for name, relation in written.items():
        by_phrase[" ".join(relation.phrase.lower().split())].append(name)
    for phrase, names in by_phrase.items():
        if len(names) > 1:
            yield names[-1], f"{' and '.join(names)} have the same phrase, {phrase!r}"


def _inverse_types(schema: RelationSchema) -> Iterator[tuple[str, str]]:
    """Inverses whose mentions cannot be the same: head types and tail types of the inverse."""
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


def _vague_definition(name: str, schema: RelationSchema) -> Iterator[tuple[str, str]]:
    relation = schema.relations[name]
    if relation.negative:
        return
    if is_draft(relation.definition):
        yield (
            name,
            f"the definition of {name} only repeats its name: a language model learns nothing from "
            "it; say what holds between the head and the tail",
        )
    elif _names_no_sides(_words(relation)):
        yield (
            name,
            f"the definition of {name} does not speak of both the head and the tail, so it "
            "leaves open which is which",
        )
    if schema.spelled_out(name, f"{relation.phrase} {relation.definition}"):
        yield (
            name,
            f"{name} stands in its own definition or phrase: explanations that hold the name "
            "of their relation are refused; use plain words instead",
        )


def _names_no_sides(words: set[str]) -> bool:
    """Whether a definition in English leaves out the head or the tail; of others it is unknown."""
    english = words & _ENGLISH or ("a" in words and words & _WITH_A)
    return bool(english) and not {"head", "tail"} <= words


def _words(relation: Relation) -> set[str]:
    return set(word_list(relation.definition))


Path = tuple[str, ...]
# Messages for pydantic's error types.
_TYPE_MESSAGES = {
    "string_type": "a text is wanted",
    "tuple_type": "a list is wanted: [{value}]",
    "bool_parsing": "true or false is wanted",
    "missing": "it is missing",
    "dict_type": "names with their entries are wanted, each behind a colon",
    "model_type": "a definition and a phrase are wanted: {{definition: ..., phrase: ...}}",
}


@dataclass
class RelationsFile:
    """A parsed ``relations.yml``.

    Attributes:
        file: File name for messages.
        schema: The schema without placeholders in types and inverses, so that rows can be checked
            before everything is written. None if the file holds no schema.
        findings: Findings in the file.
        lines: Line numbers by path of an entry, e.g. ``("relations", "born_in", "phrase")``.
    """

    file: str
    schema: RelationSchema | None = None
    findings: list[Finding] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)

    def place(self, *path: str) -> str:
        """File and line of an entry, or of the nearest enclosing one."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}, line {self.lines[path]}" if path else self.file

    def relation_place(self, name: str) -> str:
        """File and line of a relation."""
        return self.place("relations", name)

    def add(self, place: str, message: str, kind: str = "", level: Level = Level.ERROR) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, place, message, kind))


def read_relations(text: str, file: str, corpus: str) -> RelationsFile:
    """Parse and check the content of a ``relations.yml``.

    Args:
        text: Content of the file.
        file: File name for messages.
        corpus: Name of the corpus in ``conf/``.
    """
    read = RelationsFile(file)
    try:
        root = compose_yaml(text, names=True)
    except DocumentError as error:
        read.add(f"{file}, line {error.line or 1}", str(error))
        return read
    if not isinstance(root, yaml.MappingNode):
        message = (
            "it does not hold `corpus: <name>`, `relations:` with an entry for each and, where "
            "mentions have types, `entity_types: [...]`"
        )
        read.add(file, message)
        return read
    unwritten: dict[Path, list[str]] = {}
    _collect(root, (), read, unwritten)
    names_read = not read.findings
    for path, entries in unwritten.items():
        message = f"{'.'.join(path)} is still to be written: {', '.join(dict.fromkeys(entries))}"
        read.add(read.place(*path), message, "placeholders")
    if names_read:
        try:
            read.schema = RelationSchema.model_validate(_without_placeholders(construct_yaml(root)))
        except DocumentError as error:
            read.add(f"{file}, line {error.line or 1}", str(error))
        except ValidationError as error:
            for problem in error.errors():
                _add_problem(problem, read)
    if read.schema is not None:
        _check_schema(read.schema, read, corpus)
    return read


def _collect(
    node: yaml.Node, path: Path, read: RelationsFile, unwritten: dict[Path, list[str]]
) -> None:
    """Collect lines, keys that YAML drops, and placeholders."""
    read.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _collect(value, (*path, str(number)), read, unwritten)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            entry, line = (*path, str(key.value)), key.start_mark.line + 1
            place = f"{read.file}, line {line}"
            if entry in read.lines:
                message = (
                    f"{key.value!r} stands here and on line {read.lines[entry]}; YAML would take "
                    "the second and forget the first"
                )
                read.add(place, message, "name")
                continue
            read.lines[entry] = line
            _collect(value, entry, read, unwritten)
    elif is_placeholder(node.value):
        owner = path[:2] if path[0] == "relations" else path[:1]
        unwritten.setdefault(owner, []).append(".".join(path[len(owner) : 3]) or "all of it")


def _without_placeholders(raw: Any) -> Any:
    """The content without placeholders, except for the texts of relations."""
    if isinstance(raw, dict):
        kept = {k: v for k, v in raw.items() if not (k == "inverse" and is_placeholder(v))}
        return {key: _without_placeholders(value) for key, value in kept.items()}
    if isinstance(raw, list):
        return [value for value in raw if value != PLACEHOLDER]
    return raw


def _add_problem(problem: ErrorDetails, read: RelationsFile) -> None:
    """Add an error of pydantic with the line of its ``loc``."""
    path = tuple(str(part) for part in problem["loc"])
    if not path:  # of the schema as a whole: one line for each relation that does not fit
        for line in problem["msg"].removeprefix("Value error, ").split("\n"):
            entry = "inverse" if "inverse" in line else "head_types"
            read.add(read.place("relations", line.partition(":")[0], entry), line, "schema")
        return
    if problem["type"] == "extra_forbidden":
        known = Relation.model_fields if len(path) > 1 else RelationSchema.model_fields
        message = "there is no such entry" + did_you_mean(path[-1], known)
    else:
        value = problem["input"]
        known_type = _TYPE_MESSAGES.get(problem["type"])
        message = (
            known_type.format(value=value)
            if known_type
            else problem["msg"].removeprefix("Value error, ")
        )
        message += "" if problem["type"] == "missing" else f" (it is {shown(value)})"
    read.add(read.place(*path), f"{'.'.join(path)}: {message}", "schema")


def _check_schema(schema: RelationSchema, read: RelationsFile, corpus: str) -> None:
    """Add findings about a valid schema that is probably not intended."""
    if schema.corpus != corpus:
        message = (
            f"corpus is {schema.corpus!r}, the corpus is run as {corpus!r}: recorded answers are "
            "looked up by the first of these names"
        )
        read.add(read.place("corpus"), message, level=Level.WARNING)
    if schema.negative is None:
        message = (
            "no relation is negative: every pair will be given one of the relations, even where "
            "none holds; `negative: true` on one of them changes that"
        )
        read.add(read.file, message, level=Level.NOTE)
    used = {t for r in schema.relations.values() for t in (*r.head_types, *r.tail_types)}
    if used and (unused := sorted(set(schema.entity_types) - used)):
        message = f"no relation allows the entity type {', '.join(unused)}"
        read.add(read.place("entity_types"), message, level=Level.NOTE)
