"""Sentences to label: tagged text, or text with the spans of its two mentions."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tkre.core.instance import HEAD, TAIL, Instance, Span, TagError, parse_tagged
from tkre.core.params import did_you_mean
from tkre.corpora.formats import RowError, json_lines, json_object, string
from tkre.corpora.reading import CorpusError, listed

_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # white space, control and zero-width characters

Sentence = str | Mapping[str, Any] | Instance


class SentenceError(ValueError):
    """Invalid sentences of a batch; the message lists them.

    Args:
        problems: Reasons by position in the batch, counted from 0.

    Attributes:
        problems: The same.
    """

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(problems)
        lines = [f"sentence {n}: {reason}" for n, reason in problems.items()]
        super().__init__("\n".join(line.strip() for line in listed(lines)))


def read_unlabelled(text: str, file: str) -> list[Instance]:
    """Parse a file of JSON Lines.

    Args:
        text: Lines such as ``{"sentence": "<head>Ada</head> ... <tail>London</tail>."}``, with
            optional ``id``, ``head_type``, ``tail_type``; other keys are ignored.
        file: File name for messages.

    Raises:
        CorpusError: Lines without exactly one head and one tail; the message lists them.
    """
    instances, bad = [], []
    for number, line in json_lines(text):
        try:
            instances.append(unlabelled_instance(json_object(line), f"line-{number}"))
        except (RowError, TagError) as error:
            bad.append(f"  {file}, line {number}: {error}")
    if bad:
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *listed(bad)]))
    return instances


def validate_batch(
    sentences: Iterable[Sentence], known_types: Collection[str] | None = None, first: int = 0
) -> tuple[dict[int, Instance], dict[int, str]]:
    """Parse a batch of sentences; return instances and the problems of invalid ones.

    Args:
        sentences: Tagged texts, mappings as of ``unlabelled_instance``, or instances.
        known_types: Entity types of the classifier; None accepts any.
        first: Position of the first sentence, if the batch is a part of a larger one.

    Returns:
        Instances and reasons, both by position.
    """
    instances, problems = {}, {}
    for n, sentence in enumerate(sentences, first):
        try:
            instance = _instance(sentence, str(n))
            if known_types is not None:
                _check_types(instance, known_types)
            instances[n] = instance
        except (RowError, TagError) as error:
            problems[n] = str(error)
    return instances, problems


def read_sentences(
    sentences: Iterable[Sentence], known_types: Collection[str] | None = None, first: int = 0
) -> list[Instance]:
    """Parse a batch of sentences; see ``validate_batch``.

    Raises:
        SentenceError: Some sentences are invalid; the message lists them.
    """
    instances, problems = validate_batch(sentences, known_types, first)
    if problems:
        raise SentenceError(problems)
    return list(instances.values())


def unlabelled_instance(record: Mapping[str, Any], default_id: str) -> Instance:
    """Parse one record.

    Args:
        record: ``sentence``, tagged; or ``text`` with the spans ``head`` and ``tail``, each a
            start and an end (half-open) in characters. Optional: ``id``, ``head_type``,
            ``tail_type``; a type that is missing, None or empty is unknown.
        default_id: Id of a record without one.

    Raises:
        TagError: The tags do not mark one head and one tail.
        RowError: The record is invalid in another way.
    """
    record = dict(record)
    if "text" in record and "sentence" in record:
        raise RowError("it has both a 'sentence' (tagged) and a 'text' (with spans): give one")
    if "text" in record:
        text = string(record, "text")
        head, tail = (_span(record, key, text) for key in (HEAD, TAIL))
        _check_order(head, tail)
    else:
        text, head, tail = parse_tagged(string(record, "sentence"))
    _check_mentions(text, head, tail)
    _check_characters(text)
    return Instance(
        id=str(record.get("id") or default_id),
        text=text,
        head=head,
        tail=tail,
        head_type=_type(record, "head_type"),
        tail_type=_type(record, "tail_type"),
    )


def _instance(sentence: Any, default_id: str) -> Instance:
    if isinstance(sentence, Instance):
        return sentence
    if isinstance(sentence, str):
        return unlabelled_instance({"sentence": sentence}, default_id)
    if isinstance(sentence, Mapping):
        return unlabelled_instance(sentence, default_id)
    raise RowError(
        "a tagged text, a mapping or an instance was expected, not " + type(sentence).__name__
    )


def _span(record: dict[str, Any], key: str, text: str) -> Span:
    if key not in record:
        raise RowError(f"key {key!r} is missing: a text needs the spans 'head' and 'tail'")
    value = record[key]
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or any(isinstance(place, bool) or not isinstance(place, int) for place in value)
    ):
        raise RowError(f"{key} must be [start, end] in characters, not {value!r}")
    start, end = value
    if not 0 <= start < end <= len(text):
        raise RowError(
            f"{key} [{start}, {end}] is empty or outside the {len(text)} characters of the text"
        )
    return Span(start, end)


def _check_order(head: Span, tail: Span) -> None:
    """Refuse crossing mentions; one may hold the other, as in tagged text."""
    first, second = sorted((head, tail))
    if first.start < second.start < first.end < second.end:
        raise RowError(
            f"the mentions [{head.start}, {head.end}] and [{tail.start}, {tail.end}] cross"
        )


def _check_mentions(text: str, head: Span, tail: Span) -> None:
    """Refuse blank mentions, and head and tail on the same span."""
    for key, span in ((HEAD, head), (TAIL, tail)):
        if all(unicodedata.category(character) in _BLANK for character in span.of(text)):
            raise RowError(
                f"{key} [{span.start}, {span.end}] holds nothing but white space or invisible "
                "characters"
            )
    if head == tail:
        raise RowError(f"head and tail are the same mention, [{head.start}, {head.end}]")


def _check_characters(text: str) -> None:
    """Refuse lone surrogates, which JSON can hold as escapes: UTF-8 has no code for them."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(f"half of a surrogate pair stands at character {error.start}") from None


def _type(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise RowError(f"{key} must be a text or left out, not {value!r}")
    return value or None


def _check_types(instance: Instance, known: Collection[str]) -> None:
    for key, kind in (("head_type", instance.head_type), ("tail_type", instance.tail_type)):
        if kind is not None and kind not in known:
            if not known:
                raise RowError(f"{key} {kind!r}: this classifier knows no types, leave it out")
            hint = did_you_mean(kind, known)
            listed = f"; it knows {', '.join(sorted(known))}"
            raise RowError(
                f"{key} {kind!r} is not a type that this classifier knows{hint}"
                + ("" if hint.startswith(" (known") else listed)
            )
