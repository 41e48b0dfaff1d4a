"""Annotation in rounds: the rows of a round are chosen by the answers to those before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.annotation import (
    ANNOTATIONS,
    annotate,
    annotation_requests,
    keep_annotations,
    possible_relations,
)
from tkre.generation.llm.protocol import LanguageModel, Response, attempts_by_request
from tkre.generation.params import AnnotationParams, RetryParams


class Choose(Protocol):
    """A way to choose rows (``training.active_learning``)."""

    def __call__(self, taken: Sequence[int], labels: Mapping[int, str], most: int) -> list[int]:
        """Numbers of further candidates.

        Args:
            taken: Numbers of the candidates that were chosen before.
            labels: Relations of those with a usable annotation, by number.
            most: Number of candidates to choose; at least as many are left.
        """
        ...


@dataclass(frozen=True)
class AnnotationTask:
    """Questions about unlabelled text of a sample.

    Attributes:
        support: Labelled instances, for demonstrations.
        schema: The relations.
        prompt: Content of the prompt file.
        params: Settings of the questions, size of a round.
        retry: Retries of unusable answers.
    """

    support: Sequence[Instance]
    schema: RelationSchema
    prompt: str
    params: AnnotationParams
    retry: RetryParams

    def answerable(self, model: LanguageModel, rows: Sequence[Instance]) -> list[Instance]:
        """Rows that some relation may join and that a language model can answer.

        A replay can answer those whose responses are recorded, all votes included.
        """
        requests = annotation_requests(rows, self.support, self.schema, self.prompt, self.params)
        missing = {request.id for request in requests if not model.can_answer(request)}
        return [
            row
            for row in rows
            if possible_relations(row, self.schema) and missing.isdisjoint(self._keys(row))
        ]

    def ask(self, model: LanguageModel, rows: Sequence[Instance]) -> list[Response]:
        """All attempts at the requests for rows (``annotation.annotate``)."""
        return annotate(
            model, rows, self.support, self.schema, self.prompt, self.params, self.retry
        )

    def relations(
        self, rows: Sequence[Instance], responses: Sequence[Response]
    ) -> list[str | None]:
        """The relation of every row; None without a usable answer."""
        kept, _ = keep_annotations(
            rows, attempts_by_request(responses), self.schema, votes=self.params.votes
        )
        found = {annotation.instance.id: annotation.instance.relation for annotation in kept}
        return [found.get(self._keys(row)[0]) for row in rows]

    def _keys(self, row: Instance) -> list[str]:
        votes = range(self.params.votes)
        return [ANNOTATIONS.request_id(self.schema.corpus, row.id, vote) for vote in votes]


@dataclass(frozen=True)
class Rounds:
    """Rows that were annotated in rounds.

    Attributes:
        rows: The rows, in the order of the questions.
        responses: All attempts.
        sizes: Number of rows of every round.
    """

    rows: list[Instance]
    responses: list[Response]
    sizes: list[int]


def annotate_in_rounds(
    model: LanguageModel,
    kept_out: Sequence[Instance],
    candidates: Sequence[Instance],
    task: AnnotationTask,
    most: int,
    choose: Choose,
) -> Rounds:
    """Chooses rows by the answers to those before, and asks about them.

    The same answers lead to the same rows: a run that was killed goes on from its store and asks
    nothing twice.

    Args:
        model: The language model.
        kept_out: Rows that are annotated first. They measure what is trained on the others, so
            their answers choose none.
        candidates: Rows to choose from.
        task: The questions.
        most: Number of rows, those that are kept out included.
        choose: Chooses the rows of a round.
    """
    responses = task.ask(model, kept_out)
    taken: list[int] = []
    labels: dict[int, str] = {}
    sizes: list[int] = []
    wanted = min(most - len(kept_out), len(candidates))
    while len(taken) < wanted:
        numbers = choose(taken, labels, min(task.params.round_size, wanted - len(taken)))
        rows = [candidates[number] for number in numbers]
        answers = task.ask(model, rows)
        relations = task.relations(rows, answers)
        labels |= {n: name for n, name in zip(numbers, relations, strict=True) if name is not None}
        taken += numbers
        responses += answers
        sizes.append(len(numbers))
    return Rounds([*kept_out, *(candidates[number] for number in taken)], responses, sizes)
