"""Sentences to label: batches, and files of JSON Lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from typing import Any

from tkre.core.errors import UserError, listed
from tkre.core.instance import Instance
from tkre.corpora.formats import json_object, numbered_lines
from tkre.corpora.reading import CorpusError
from tkre.corpora.records import RowError, id_problem, instance_problem, unlabelled_record

Sentence = str | Mapping[str, Any] | Instance


class SentenceError(UserError, ValueError):
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


def read_unlabelled(
    text: str, file: str, problem_of: Callable[[Instance], str | None]
) -> list[Instance]:
    """Parse a file of JSON Lines.

    Args:
        text: A record of ``corpora.records.unlabelled_record`` a line.
        file: File name for messages.
        problem_of: Reason why an instance may not be used (``corpora.records.instance_problem``);
            None for a good one.

    Raises:
        CorpusError: Bad lines, which the message lists; or none at all.
    """
    instances, bad = [], []
    taken: dict[str, str] = {}
    for number, line in numbered_lines(text):
        try:
            instance = unlabelled_record(json_object(line), f"line-{number}")
            problem = id_problem(instance.id, taken) or problem_of(instance)
            taken.setdefault(instance.id, f"line {number}")
            if problem:
                raise RowError(problem)
            instances.append(instance)
        except RowError as error:
            bad.append(f"  {file}, line {number}: {error}")
    if bad:
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *listed(bad)]))
    if not instances:
        raise CorpusError(f"{file}: no sentence in it; a line for each, as a JSON object")
    return instances


def validate_batch(
    sentences: Iterable[Sentence],
    types: Collection[str] | None = None,
    first: int = 0,
    taken: MutableMapping[str, str] | None = None,
    place: str | None = None,
) -> tuple[dict[int, Instance], dict[int, str]]:
    """Parse a batch of sentences; return instances and the problems of invalid ones.

    Args:
        sentences: Tagged texts, mappings as of ``unlabelled_record``, or instances.
        types: Entity types of the classifier; None accepts any.
        first: Position of the first sentence, if the batch is a part of a larger one.
        taken: Ids of the mappings of earlier batches, with their places; those of this one are
            added.
        place: Place of the only sentence in its file; None counts sentences.

    Returns:
        Instances and reasons, both by position.
    """
    instances, problems = {}, {}
    taken = {} if taken is None else taken
    for n, sentence in enumerate(sentences, first):
        try:
            instance = _instance(sentence, str(n))
            problem = None
            if isinstance(sentence, Mapping) and sentence.get("id") is not None:
                problem = id_problem(instance.id, taken)
                taken.setdefault(instance.id, place or f"sentence {n}")
            if problem := problem or instance_problem(instance, types):
                raise RowError(problem)
            instances[n] = instance
        except RowError as error:
            problems[n] = str(error)
    return instances, problems


def read_sentences(
    sentences: Iterable[Sentence],
    types: Collection[str] | None = None,
    first: int = 0,
    taken: MutableMapping[str, str] | None = None,
) -> list[Instance]:
    """Parse a batch of sentences; see ``validate_batch``.

    Raises:
        SentenceError: Some sentences are invalid; the message lists them.
    """
    instances, problems = validate_batch(sentences, types, first, taken)
    if problems:
        raise SentenceError(problems)
    return list(instances.values())


def _instance(sentence: Any, default_id: str) -> Instance:
    if isinstance(sentence, Instance):
        return sentence
    if isinstance(sentence, str):
        return unlabelled_record({"sentence": sentence}, default_id)
    if isinstance(sentence, Mapping):
        return unlabelled_record(sentence, default_id)
    raise RowError("a tagged text or a record was expected, not " + type(sentence).__name__)
