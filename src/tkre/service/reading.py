"""The sentences of a request, each judged by itself: all that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tkre.corpora.unlabelled import SentenceError, sort_out
from tkre.extractor import RelationExtractor
from tkre.records import Instance
from tkre.service.params import ServiceParams
from tkre.service.schemas import SentenceWithSpans, TaggedSentence
from tkre.suggest import did_you_mean

_TAGGED, _SPANS = (set(model.model_fields) for model in (TaggedSentence, SentenceWithSpans))
_KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}


class TooManyError(ValueError):
    """More sentences than a request may have."""


def read(
    sentences: Sequence[Any], extractor: RelationExtractor, params: ServiceParams
) -> list[Instance]:
    """The instances of a request.

    Args:
        sentences: As they came, whatever they are.
        extractor: Knows which types there are.
        params: Limits.

    Raises:
        TooManyError: There are too many.
        SentenceError: Some cannot be labelled; all of them are named.
    """
    if len(sentences) > params.max_sentences:
        raise TooManyError(
            f"{len(sentences)} sentences are more than {params.max_sentences}, the most that a "
            "request may have"
        )
    problems = {
        n: reason for n, sentence in enumerate(sentences) if (reason := _wrong(sentence, params))
    }
    instances, unreadable = sort_out(sentences, extractor.entity_types)
    problems = unreadable | problems
    if problems:
        raise SentenceError(dict(sorted(problems.items())))
    return list(instances.values())


def _wrong(sentence: Any, params: ServiceParams) -> str | None:
    """What only a request is asked for; all else ``sort_out`` finds."""
    return (
        _no_sentence(sentence)
        or _too_long(sentence, params.max_characters)
        or _unknown_key(sentence)
    )


def _no_sentence(sentence: Any) -> str | None:
    """In the words of JSON, not of Python."""
    if isinstance(sentence, str | Mapping):
        return None
    given = "null" if sentence is None else _KINDS[type(sentence)]
    return f"a tagged text or an object was expected, not {given}"


def _too_long(sentence: Any, most: int) -> str | None:
    if isinstance(sentence, Mapping):
        sentence = sentence.get("text", sentence.get("sentence"))
    if isinstance(sentence, str) and len(sentence) > most:
        return f"{len(sentence)} characters are more than {most}, the most that a sentence may have"
    return None


def _unknown_key(sentence: Any) -> str | None:
    """A misspelt ``head_type`` would else be a sentence without types."""
    if not isinstance(sentence, Mapping):
        return None
    known = _SPANS if "text" in sentence else _TAGGED
    for key in sentence:
        if key not in known:
            return f"key {key!r} is not known" + did_you_mean(str(key), known)
    return None
