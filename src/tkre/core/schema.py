"""The relation schema of a corpus: its labels, what they mean, and which entity types they join."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ValidationError, model_validator

from tkre.core.documents import DocumentError, parse_yaml, shown
from tkre.core.errors import UserError
from tkre.core.folding import fold
from tkre.core.languages import check_language
from tkre.core.params import Params, did_you_mean

_PLAIN_WORDS = re.compile(r"[^\W\d_]+( [^\W\d_]+)*")


class SchemaError(UserError, ValueError):
    """A ``relations.yml`` that cannot be used; the message names the file and the entry."""


def name_problem(name: str) -> str | None:
    """Reason why a text is no name of a relation or an entity type; None for a good one."""
    control = any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in name)
    if not name or name != name.strip() or control:
        return (
            "a name is not empty, has no blanks around it, no line breaks and no control characters"
        )
    return None


def _form(form: str) -> str:
    """A sentence with one {head} and one {tail}."""
    try:
        parts = list(Formatter().parse(form))
    except ValueError as error:  # a single brace
        raise ValueError(f"{error} (a brace of the text is written twice)") from None
    fields = sorted(name for _, name, *_ in parts if name is not None)
    if fields != ["head", "tail"] or any(spec or conversion for *_, spec, conversion in parts):
        raise ValueError("a sentence with {head} once and {tail} once is wanted")
    return form


class Relation(Params):
    """One label of a schema.

    Attributes:
        definition: Definition in terms of "the head" and "the tail", for language models.
        phrase: Reads naturally between head and tail ("was born in").
        head_types: Allowed entity types of the head; empty allows any.
        tail_types: Allowed entity types of the tail; empty allows any.
        inverse: The label that holds with head and tail exchanged; a symmetric relation names
            itself; None where the schema has no such label.
        negative: Whether this label says that none of the others holds.
        forms: Further sentences that state it, each with ``{head}`` and ``{tail}``, such as a
            passive one ("{tail} was born to {head}."); probes of a classifier are made of them.
    """

    definition: str
    phrase: str
    head_types: tuple[str, ...] = ()
    tail_types: tuple[str, ...] = ()
    inverse: str | None = None
    negative: bool = False
    forms: tuple[Annotated[str, AfterValidator(_form)], ...] = ()


class RelationSchema(Params):
    """All labels of a corpus.

    Attributes:
        corpus: Name of the corpus.
        language: Code of the language of its text, such as ``de`` (BCP 47): language models are
            asked to write in it. None leaves the prompts as they are, in English.
        entity_types: All types an entity may have; empty where the corpus has none.
        relations: The labels by name.
    """

    corpus: str
    language: Annotated[str, AfterValidator(check_language)] | None = None
    entity_types: tuple[str, ...] = ()
    relations: dict[str, Relation]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(self.relations) < 2:
            raise ValueError("a schema needs at least two relations")
        for names in (self.relations, self.entity_types):
            first: dict[str, str] = {}
            for name in names:
                if problem := name_problem(name):
                    raise ValueError(f"{shown(name)}: {problem}")
                if (other := first.setdefault(fold(name).text, name)) != name:
                    raise ValueError(
                        f"{name!a} is {other!a} in another Unicode form: keep one of them"
                    )
        negatives = [name for name, r in self.relations.items() if r.negative]
        if len(negatives) > 1:
            raise ValueError(f"only one relation may be negative, not {', '.join(negatives)}")
        if problems := [p for name in self.relations for p in self._problems(name)]:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self, name: str) -> Iterator[str]:
        """What of a relation does not fit the rest of the schema, each with its name before it."""
        relation = self.relations[name]
        for unknown in sorted({*relation.head_types, *relation.tail_types} - {*self.entity_types}):
            yield (
                f"{name}: type {unknown!r} is not one of the entity_types"
                + did_you_mean(unknown, self.entity_types)
            )
        inverse = relation.inverse
        if inverse is None:
            return
        if inverse not in self.relations:
            yield (
                f"{name}: its inverse {inverse!r} is not a relation of the schema"
                + did_you_mean(inverse, self.relations)
            )
        elif self.relations[inverse].inverse != name:
            yield (
                f"{name}: its inverse is {inverse!r}, whose own inverse is "
                f"{self.relations[inverse].inverse!r}; each must name the other"
            )

    @classmethod
    def read(cls, text: str, source: str) -> Self:
        """The schema in the text of a ``relations.yml``.

        Args:
            text: Content of the file.
            source: The file's name, for messages.

        Raises:
            SchemaError: It is not YAML (``core.documents.parse_yaml``), not a schema, or not a
                consistent one.
        """
        try:
            return cls.parse(parse_yaml(text, names=True), source)
        except DocumentError as error:
            raise SchemaError(f"{source}, line {error.line or 1}: {error}") from None

    @classmethod
    def parse(cls, raw: Mapping[str, Any], source: str) -> Self:
        """The schema in the content of a ``relations.yml``.

        Args:
            raw: Content of the YAML file.
            source: The file's name, for messages.

        Raises:
            SchemaError: It is not a schema, or not a consistent one.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            problems = "\n".join(
                f"  {'.'.join(map(str, e['loc'])) or 'schema'}: {line}"
                for e in error.errors()
                for line in e["msg"].removeprefix("Value error, ").split("\n")
            )
            raise SchemaError(
                f"{source} is not a relation schema (kedro corpus validate names the lines, and "
                f"what is still to be written):\n{problems}"
            ) from None

    @property
    def names(self) -> list[str]:
        """The labels in the one order that sampling and classifiers use: sorted."""
        return sorted(self.relations)

    @property
    def negative(self) -> str | None:
        """The label that says "none of the others", if the schema has one."""
        return next((name for name, r in self.relations.items() if r.negative), None)

    def inverse_of(self, name: str) -> str | None:
        """The label with head and tail exchanged; None if unknown.

        The negative label stays if every other relation has an inverse. Else the exchanged pair may
        hold the inverse of a relation whose inverse the schema does not name: it is unknown.
        """
        relation = self.relations[name]
        if relation.negative:
            return name if self.all_invertible else None
        return relation.inverse

    @property
    def all_invertible(self) -> bool:
        """Whether every relation but the negative one has an inverse."""
        return all(r.inverse is not None for r in self.relations.values() if not r.negative)

    def spelled_out(self, name: str, text: str) -> bool:
        """Whether a text holds a label as such, which teaches the label and not what it means.

        A label that is made of plain words, such as "owns" or "born in", cannot be told from the
        words, which an explanation cannot but use; nor can the negative one: "Other" is a word.
        """
        plain = _PLAIN_WORDS.fullmatch(name) and name == name.lower()
        return not plain and name != self.negative and name in text

    def allows(self, name: str, head_type: str | None, tail_type: str | None) -> bool:
        """Whether a relation may join these types; an unknown one (None) is not held against it."""
        relation = self.relations[name]
        return all(
            actual is None or not allowed or actual in allowed
            for actual, allowed in (
                (head_type, relation.head_types),
                (tail_type, relation.tail_types),
            )
        )
