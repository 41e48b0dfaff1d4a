"""A sentence with two mentions as a record: read and checked alike by every way in.

Corpus files, ``kedro corpus validate``, the inference pipeline, ``kedro label``, the extractor, its
wrappers and the service call these functions, and so refuse the same records with the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Integral
from typing import Any

from tkre.core.documents import shown
from tkre.core.errors import UserError
from tkre.core.folding import is_invisible
from tkre.core.instance import HEAD, TAIL, Instance, Span, TagError, parse_tagged
from tkre.core.params import did_you_mean

KEYS = (
    "id", "sentence", "text", HEAD, TAIL, "head_type", "tail_type", "relation", "implicit",
)  # fmt: skip


class RowError(UserError, ValueError):
    """A bad row; the message gives the reason, the caller adds the place."""


def id_once(row_id: str, taken: dict[str, int]) -> str:
    """An id that no row before has: the given one, or with a number behind it.

    Args:
        row_id: The id that is given.
        taken: Ids of the rows before, each with the last number behind it; the new one is added.
    """
    unique = row_id
    while unique in taken:
        taken[row_id] += 1
        unique = f"{row_id}-{taken[row_id]}"
    taken[unique] = 1
    return unique


def labelled_record(record: Mapping[str, Any]) -> Instance:
    """The instance of a record with an id and a relation.

    Args:
        record: As for ``unlabelled_record``, with ``relation`` and, optionally, ``implicit`` (true
            where no words state the relation).

    Raises:
        RowError: The record is no such instance.
    """
    given = _given(record)
    implicit = given.get("implicit")
    if implicit is not None and not isinstance(implicit, bool):
        raise RowError(f"implicit must be true or false, not {shown(implicit)}")
    if isinstance(labels := given.get("relation"), list | tuple):
        raise RowError(
            f"{len(labels)} labels, {shown(labels)}: a pair has one. Keep one of them, or declare "
            "a relation of its own for pairs of all, such as "
            f"{shown(' and '.join(map(str, labels)))}"
        )
    if "id" not in given:
        raise RowError("key 'id' is missing" + did_you_mean("id", given))
    return _instance(given, "", string(given, "relation"), implicit)


def unlabelled_record(record: Mapping[str, Any], default_id: str) -> Instance:
    """The instance of a record, without its label if it has one.

    Args:
        record: ``sentence``, tagged; or ``text`` with the spans ``head`` and ``tail``, each a
            start and an end (half-open) in characters. Optional: ``id``, a text or a whole number,
            ``head_type``, ``tail_type``. None is as good as no entry; a type may be empty, too.
            ``relation`` and ``implicit`` are not read: labelled rows can be given as they are.
        default_id: Id of a record without one.

    Raises:
        RowError: The record is no such instance.
    """
    return _instance(_given(record), default_id, None, None)


def instance_problem(instance: Instance, types: Collection[str] | None) -> str | None:
    """Reason why no one may label or train on an instance; None for a good one.

    Args:
        instance: An instance of any source: a file, a spaCy document, a program.
        types: Entity types of the corpus or classifier; None accepts any.
    """
    text, head, tail = instance.text, instance.head, instance.tail
    for key, span in ((HEAD, head), (TAIL, tail)):
        if is_invisible(span.of(text)):
            return (
                f"{key} [{span.start}, {span.end}] holds nothing but white space or invisible "
                "characters"
            )
    if head == tail:
        return f"head and tail are the same mention, [{head.start}, {head.end}]"
    first, second = sorted((head, tail))
    if first.start < second.start < first.end < second.end:  # one may hold the other
        return f"the mentions [{head.start}, {head.end}] and [{tail.start}, {tail.end}] cross"
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can hold it as an escape
        return f"half of a surrogate pair stands at character {error.start}"
    head_type = type_problem("head_type", instance.head_type, types)
    return head_type or type_problem("tail_type", instance.tail_type, types)


_EXCHANGED = "exchange the mentions and take the inverse relation"


def order_problem(instance: Instance, corpus: str, otherwise: str = _EXCHANGED) -> str | None:
    """Message on a tail that precedes its head, for a corpus that says ``head_first``.

    Args:
        instance: A row of the corpus, labelled or not.
        corpus: Name of the corpus.
        otherwise: What its user may do instead of taking ``head_first`` back.
    """
    if instance.head <= instance.tail:
        return None
    return (
        f"the tail precedes the head, but corpora.{corpus}.head_first is true: set it to false, or "
        + otherwise
    )


def type_problem(key: str, kind: str | None, known: Collection[str] | None) -> str | None:
    """Message on an entity type that is not known.

    Args:
        key: Name of the entry with the type.
        kind: The type; None, an unknown one, is always right.
        known: Entity types of the corpus or classifier; None accepts any.
    """
    if kind is None or known is None or kind in known:
        return None
    if not known:
        return f"{key} {shown(kind)}: no entity types are declared, leave it out"
    return f"{key} {shown(kind)} is not one of the entity types{did_you_mean(kind, known)}"


def id_problem(row_id: str, taken: Mapping[str, str]) -> str | None:
    """Message on an id that a row before has; None for a new one.

    Args:
        row_id: The id.
        taken: Places by id of the rows before.
    """
    return f"id {shown(row_id)} is taken by {taken[row_id]}" if row_id in taken else None


def string(record: Mapping[str, Any], key: str) -> str:
    """The non-blank text of a required key.

    Raises:
        RowError: The key is missing, or its value is no text or blank.
    """
    if key not in record:
        raise RowError(f"key {key!r} is missing" + did_you_mean(key, record))
    value = record[key]
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{key} must be a text, not {shown(value)}")
    return value


def tagged(sentence: str, **tags: str) -> tuple[str, Span, Span]:
    """Text and spans of a tagged sentence, with ``TagError`` as ``RowError``."""
    try:
        return parse_tagged(sentence, **tags)
    except TagError as error:
        raise RowError(str(error)) from None


def _given(record: Mapping[str, Any]) -> dict[str, Any]:
    for key in record:
        if key not in KEYS:
            raise RowError(f"unknown key {shown(key)}" + did_you_mean(str(key), KEYS))
    return {key: value for key, value in record.items() if value is not None}


def _instance(
    record: Mapping[str, Any], default_id: str, relation: str | None, implicit: bool | None
) -> Instance:
    if "text" in record:
        if "sentence" in record:
            raise RowError("it has both a 'sentence' (tagged) and a 'text' (with spans): give one")
        text = string(record, "text")
        head, tail = (_span(record, key, text) for key in (HEAD, TAIL))
    elif spans := [key for key in (HEAD, TAIL) if key in record]:
        raise RowError(f"{spans[0]!r} is a span in a 'text': a 'sentence' has tags")
    elif "sentence" in record:
        text, head, tail = tagged(string(record, "sentence"))
    else:
        raise RowError(
            "key 'sentence' is missing (tagged), or 'text' with the spans of its mentions"
        )
    return Instance(
        id=_id(record, default_id),
        text=text,
        head=head,
        tail=tail,
        relation=relation,
        head_type=_type(record, "head_type"),
        tail_type=_type(record, "tail_type"),
        implicit=implicit,
    )


def _id(record: Mapping[str, Any], default: str) -> str:
    value = record.get("id", default)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str) or (is_invisible(value) and "id" in record):
        raise RowError(f"id must be a text or a whole number, not {shown(value)}")
    return value


def _span(record: Mapping[str, Any], key: str, text: str) -> Span:
    if key not in record:
        raise RowError(f"key {key!r} is missing: a text needs the spans 'head' and 'tail'")
    value = record[key]
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or any(isinstance(place, bool) or not isinstance(place, Integral) for place in value)
    ):
        raise RowError(f"{key} must be [start, end] in characters, not {shown(value)}")
    start, end = map(int, value)
    if not 0 <= start < end <= len(text):
        raise RowError(
            f"{key} [{start}, {end}] is empty or outside the {len(text)} characters of the text"
        )
    return Span(start, end)


def _type(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise RowError(f"{key} must be a text or left out, not {shown(value)}")
    return value or None
