"""Schema-constrained synthetic data: new sentences for a relation, asked for in bounded rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tkre.corpora.schema import RelationSchema
from tkre.generation.explanations import verbatim_triggers
from tkre.generation.ledger import SYNTHESIS, Reject, Tally
from tkre.generation.near_copies import NearCopies
from tkre.generation.params import SynthesisParams
from tkre.generation.prompts import bullets, render
from tkre.generation.protocol import LanguageModel, Request, Response
from tkre.generation.samples import Rejected, entity_types, refuse_copy, tagged_sentence
from tkre.records import Instance
from tkre.tagged import to_tagged

PROMPT = "synthesis.txt"


@dataclass(frozen=True)
class SynthesisTask:
    """What sentences are written for, and what they are checked against.

    Attributes:
        schema: The relations.
        seed: Of the cell; part of the request ids, since the demonstrations depend on it.
        wanted: Sentences needed per relation.
        support: Support instances: the demonstrations, the first few of each relation.
        forbidden: Sentences by source (``support``, ``validation``, ``test``) of which no
            near-copy is kept.
        head_first: Whether the head must precede the tail, as it does all through some corpora.
    """

    schema: RelationSchema
    seed: int
    wanted: int
    support: Sequence[Instance]
    forbidden: Mapping[str, Sequence[str]]
    head_first: bool


def request_id(corpus: str, relation: str, seed: int, round_number: int) -> str:
    """The name of one round's question about one relation."""
    return f"synthesis/{corpus}/{relation}/seed-{seed}/round-{round_number}"


def write_sentences(
    model: LanguageModel, task: SynthesisTask, prompt: str, params: SynthesisParams
) -> list[Response]:
    """Asks for sentences until every relation has enough, or the rounds are used up.

    Each round asks only for relations that are still short. The rounds that would do if every
    sentence were kept must be answered; a replay need not hold the extra ones.

    Returns:
        Every response, to be read by ``keep_sentences``.
    """
    needed = -(-task.wanted // params.per_request)
    responses: dict[str, Response] = {}
    for number in range(needed + params.extra_rounds):
        short = _short(task, responses, params) if number else task.schema.names
        requests = [synthesis_request(task, name, number, prompt, params) for name in short]
        if number >= needed:
            requests = [request for request in requests if model.can_answer(request)]
        if not requests or not task.wanted:
            break
        responses |= {r.request_id: r for r in model.generate(requests)}
    return list(responses.values())


def synthesis_request(
    task: SynthesisTask, name: str, number: int, prompt: str, params: SynthesisParams
) -> Request:
    """The request for one relation in one round."""
    relation, schema = task.schema.relations[name], task.schema
    shown = [to_tagged(i) for i in task.support if i.relation == name][: params.demonstrations]
    others = ", ".join(r.phrase for r in schema.relations.values() if not r.negative)
    values = {
        "relation": relation.phrase,
        "definition": relation.definition,
        "head_types": ", ".join(relation.head_types or schema.entity_types) or "any",
        "tail_types": ", ".join(relation.tail_types or schema.entity_types) or "any",
        "demonstrations": bullets(shown),
        "count": str(params.per_request),
        "task": (
            f"In each of them two entities occur between which none of these relations holds, "
            f"though it may look so: {others}."
            if relation.negative
            else "Each of them states that the relation holds from its head to its tail."
        ),
        "order": "The head comes before the tail." if task.head_first else "Vary their order.",
        "more": f" This is batch {number + 1}: write none that you wrote before." if number else "",
    }
    return Request(
        id=request_id(schema.corpus, name, task.seed, number),
        messages=render(prompt, values, PROMPT),
        schema=_answer_schema(task.schema, params),
        sampling=params.sampling,
    )


def keep_sentences(
    responses: Mapping[str, Response], task: SynthesisTask, params: SynthesisParams
) -> tuple[list[Instance], dict[str, Tally]]:
    """The synthetic instances that are used, and what became of all the others.

    For each relation they are the first ``task.wanted`` valid ones of rounds 0, 1, ... in order,
    so that what a small cell uses, a larger one uses too.

    Args:
        responses: By request id.
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
            if key not in responses:
                continue
            tally.asked += params.per_request
            valid = _instances(responses[key], name, task, params, copies, tally)
            used = valid[: task.wanted - tally.kept]
            kept[name] += used
            tally.kept += len(used)
            tally.surplus += len(valid) - len(used)
    return [instance for name in task.schema.names for instance in kept[name]], tallies


def _rounds(responses: Mapping[str, Response], task: SynthesisTask) -> int:
    """How many rounds were asked, for the relation that took the most."""
    number = 0
    while any(
        request_id(task.schema.corpus, name, task.seed, number) in responses
        for name in task.schema.names
    ):
        number += 1
    return number


def _short(
    task: SynthesisTask, responses: Mapping[str, Response], params: SynthesisParams
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
        reason = "no_answer" if response.answer is None else "wrong_schema"
        detail = response.error or "samples must be a list"
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


def _answer_schema(schema: RelationSchema, params: SynthesisParams) -> dict[str, Any]:
    kind = {"type": "string", "enum": list(schema.entity_types) or [""]}
    sample = {
        "type": "object",
        "properties": {
            "sentence": {"type": "string"},
            "head_type": kind,
            "tail_type": kind,
            "triggers": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
        },
        "required": ["sentence", "head_type", "tail_type", "triggers"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "samples": {
                "type": "array",
                "items": sample,
                "minItems": params.per_request,
                "maxItems": params.per_request,
            },
        },
        "required": ["samples"],
        "additionalProperties": False,
    }
