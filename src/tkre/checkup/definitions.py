"""What relations say of themselves: definitions that are too alike, or one-sided, and names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from tkre.checkup.findings import Finding, Level
from tkre.corpora.scaffold import is_placeholder
from tkre.corpora.schema import Relation, RelationSchema

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
