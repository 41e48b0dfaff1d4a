"""Sentences to be labelled: tagged text, or text with the spans of its two mentions."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tkre.core.instance import HEAD, TAIL, Instance, Span, TagError, parse_tagged
from tkre.core.params import did_you_mean
from tkre.corpora.formats import RowError, json_lines, json_object, string
from tkre.corpora.reading import SHOWN, CorpusError

_BLANK = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # white space, control and zero-width characters

Sentence = str | Mapping[str, Any] | Instance


class SentenceError(ValueError):
    """Sentences of a batch that cannot be labelled; the message lists them.

    Args:
        problems: Why, by the sentence's place in the batch, counted from 0.

    Attributes:
        problems: See above.
    """

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(problems)
        shown = [f"sentence {n}: {reason}" for n, reason in list(problems.items())[:SHOWN]]
        more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        super().__init__("\n".join([*shown, *more]))


def read_unlabelled(text: str, file: str) -> list[Instance]:
    """The instances in a file of JSON Lines.

    Args:
        text: Lines such as ``{"sentence": "<head>Ada</head> ... <tail>London</tail>."}``, with
            ``id``, ``head_type``, ``tail_type`` if there are any; other keys are not looked at.
        file: Its name, for messages.

    Raises:
        CorpusError: A line is no sentence with one head and one tail; all such lines are listed.
    """
    instances, bad = [], []
    for number, line in json_lines(text):
        try:
            instances.append(unlabelled_instance(json_object(line), f"line-{number}"))
        except (RowError, TagError) as error:
            bad.append(f"  {file}, line {number}: {error}")
    if bad:
        more = [f"  ... and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *bad[:SHOWN], *more]))
    return instances


def validate_batch(
    sentences: Iterable[Sentence], known_types: Collection[str] | None = None, first: int = 0
) -> tuple[dict[int, Instance], dict[int, str]]:
    """The instances of a batch, and why the rest of it cannot be labelled.

    Args:
        sentences: Tagged texts; or mappings as ``unlabelled_instance`` takes them; or instances.
        known_types: The entity types there are; None lets any pass.
        first: The place of the first one, where the batch is part of something larger.

    Returns:
        Instances and reasons, both by the sentence's place, counted from 0.
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
    """The instances of a batch all of which must be good; see ``validate_batch``.

    Raises:
        SentenceError: Some cannot be labelled; all of them are listed.
    """
    instances, problems = validate_batch(sentences, known_types, first)
    if problems:
        raise SentenceError(problems)
    return list(instances.values())


def unlabelled_instance(record: Mapping[str, Any], default_id: str) -> Instance:
    """The instance of one record.

    Args:
        record: ``sentence``, tagged; or ``text`` with the spans ``head`` and ``tail``, each a
            start and an end (half-open) in characters. And ``id``, ``head_type``, ``tail_type``,
            if there are any: a type that is missing, None or empty is not known.
        default_id: Where the record has none.

    Raises:
        TagError: The tags do not mark one head and one tail.
        RowError: The record is wrong in another way.
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
    """As in tagged text: one mention may hold the other, they may not cross."""
    first, second = sorted((head, tail))
    if first.start < second.start < first.end < second.end:
        raise RowError(
            f"the mentions [{head.start}, {head.end}] and [{tail.start}, {tail.end}] cross"
        )


def _check_mentions(text: str, head: Span, tail: Span) -> None:
    """Each has something that can be read, and they are two."""
    for key, span in ((HEAD, head), (TAIL, tail)):
        if all(unicodedata.category(character) in _BLANK for character in span.of(text)):
            raise RowError(
                f"{key} [{span.start}, {span.end}] holds nothing but white space or invisible "
                "characters"
            )
    if head == tail:
        raise RowError(f"head and tail are the same mention, [{head.start}, {head.end}]")


def _check_characters(text: str) -> None:
    """Half of a character, which JSON can write as an escape, is nothing that can be encoded."""
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
