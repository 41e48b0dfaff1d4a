"""Schema-constrained synthetic data: new sentences for a relation, asked for in bounded rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tkre.generation.asking import ask
from tkre.generation.explanations import verbatim_triggers
from tkre.generation.ledger import SYNTHESIS, Reject, Tally
from tkre.generation.near_copies import NearCopies
from tkre.generation.params import AgainParams, SynthesisParams
from tkre.generation.protocol import LanguageModel, Request, Response
from tkre.generation.samples import Rejected, entity_types, refuse_copy, tagged_sentence
from tkre.generation.synthesis_requests import (
    SynthesisTask,
    needed_rounds,
    request_id,
    synthesis_request,
)
from tkre.records import Instance


def write_sentences(
    model: LanguageModel,
    task: SynthesisTask,
    prompt: str,
    params: SynthesisParams,
    again: AgainParams,
) -> list[Response]:
    """Asks for sentences until every relation has enough, or the rounds are used up.

    Each round asks only for relations that are still short. The rounds that would do if every
    sentence were kept must be answered; a replay need not hold the extra ones.

    Returns:
        Every attempt, to be read by ``keep_sentences``.
    """
    needed = needed_rounds(task, params)
    responses: dict[str, list[Response]] = {}
    for number in range(needed + params.extra_rounds):
        short = _short(task, responses, params) if number else task.schema.names
        makers = {
            request_id(task.schema.corpus, name, task.seed, number): partial(
                synthesis_request, task, name, number, prompt, params
            )
            for name in short
        }
        requests = [make(attempt=0) for make in makers.values()]
        if number >= needed:
            requests = [request for request in requests if model.can_answer(request)]
        if not requests or not task.wanted:
            break
        for response in ask(
            model,
            requests,
            again,
            name=f"synthetic sentences, round {number + 1}",
            rephrase=partial(_reworded, makers),
        ):
            responses.setdefault(response.request_id, []).append(response)
    return [attempt for attempts in responses.values() for attempt in attempts]


def _reworded(
    makers: Mapping[str, Callable[..., Request]], first: Request, attempt: int
) -> Request:
    return makers[first.id](attempt=attempt)


def keep_sentences(
    responses: Mapping[str, Sequence[Response]], task: SynthesisTask, params: SynthesisParams
) -> tuple[list[Instance], dict[str, Tally]]:
    """The synthetic instances that are used, and what became of all the others.

    For each relation they are the first ``task.wanted`` valid ones of rounds 0, 1, ... in order,
    so that what a small cell uses, a larger one uses too.

    Args:
        responses: Attempts by request id, oldest first.
        task: What they were written for.
        params: What is rejected.
    """
    copies = NearCopies(params.overlap_words, params.max_overlap)
    for source, texts in task.forbidden.items():
        copies.add(source, texts)
    tallies = {name: Tally(wanted=task.wanted) for name in task.schema.names}
    kept: dict[str, list[Instance]] = {name: [] for name in task.schema.names}
    # Round by round, as they were asked: whether a sentence copies an earlier one must not depend
    # on how many later rounds there are.
    for number in range(_rounds(responses, task)):
        for name, tally in tallies.items():
            key = request_id(task.schema.corpus, name, task.seed, number)
            for response in responses.get(key, ()):
                tally.asked += params.per_request
                valid = _instances(response, name, task, params, copies, tally)
                used = valid[: task.wanted - tally.kept]
                kept[name] += used
                tally.kept += len(used)
                tally.surplus += len(valid) - len(used)
    return [instance for name in task.schema.names for instance in kept[name]], tallies


def _rounds(responses: Mapping[str, Sequence[Response]], task: SynthesisTask) -> int:
    """How many rounds were asked, for the relation that took the most."""
    number = 0
    while any(
        request_id(task.schema.corpus, name, task.seed, number) in responses
        for name in task.schema.names
    ):
        number += 1
    return number


def _short(
    task: SynthesisTask, responses: Mapping[str, Sequence[Response]], params: SynthesisParams
) -> list[str]:
    _, tallies = keep_sentences(responses, task, params)
    return [name for name, tally in tallies.items() if tally.kept < tally.wanted]


def _instances(
    response: Response,
    relation: str,
    task: SynthesisTask,
    params: SynthesisParams,
    copies: NearCopies,
    tally: Tally,
) -> list[Instance]:
    """The valid instances of one response; the others go to the tally."""
    samples = response.answer.get("samples") if response.answer is not None else None
    if not isinstance(samples, list):
        reason, detail = response.failure or ("wrong_schema", "samples must be a list")
        text = str(response.answer or response.text or "")
        tally.rejects.append(Reject(SYNTHESIS, relation, response.request_id, reason, detail, text))
        return []
    valid = []
    for n, sample in enumerate(samples):
        tally.answered += 1
        try:
            text, head, tail = tagged_sentence(sample, params, head_first=task.head_first)
            head_type, tail_type = entity_types(sample, relation, task.schema)
            refuse_copy(text, copies)
        except Rejected as problem:
            shown = sample.get("sentence", "") if isinstance(sample, dict) else sample
            tally.rejects.append(
                Reject(
                    SYNTHESIS,
                    relation,
                    response.request_id,
                    problem.reason,
                    problem.detail,
                    str(shown),
                )
            )
            continue
        copies.add("another synthetic sentence", [text])
        triggers = sample.get("triggers")
        valid.append(
            Instance(
                id=f"{response.request_id.removeprefix('synthesis/')}/{n}",
                text=text,
                head=head,
                tail=tail,
                relation=relation,
                head_type=head_type,
                tail_type=tail_type,
                triggers=verbatim_triggers(text, triggers if isinstance(triggers, list) else ()),
            )
        )
    return valid
