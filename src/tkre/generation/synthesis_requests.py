"""The questions that synthetic sentences answer: one for each relation and round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tkre.corpora.schema import RelationSchema
from tkre.generation.explanations import LETTERS_PER_WORD, TRIGGERS_SCHEMA
from tkre.generation.params import SynthesisParams
from tkre.generation.prompts import bullets, render
from tkre.generation.protocol import Request
from tkre.records import Instance
from tkre.tagged import to_tagged

PROMPT = "synthesis.txt"


@dataclass(frozen=True)
class SynthesisTask:
    """What sentences are written for, and what they are checked against.

    Attributes:
        schema: The relations.
        seed: Of the cell; part of the request ids, since the demonstrations depend on it. None
            without demonstrations (zero-shot): then no seed decides anything that is asked.
        wanted: Sentences needed per relation.
        support: Support instances: the demonstrations, the first few of each relation.
        forbidden: Sentences by source (``support``, ``validation``, ``test``) of which no
            near-copy is kept.
        head_first: Whether the head must precede the tail, as it does all through some corpora.
    """

    schema: RelationSchema
    seed: int | None
    wanted: int
    support: Sequence[Instance]
    forbidden: Mapping[str, Sequence[str]]
    head_first: bool


def request_id(corpus: str, relation: str, seed: int | None, round_number: int) -> str:
    """The name of one round's question about one relation; without a seed, of a zero-shot one."""
    shown = "zero-shot" if seed is None else f"seed-{seed}"
    return f"synthesis/{corpus}/{relation}/{shown}/round-{round_number}"


def needed_rounds(task: SynthesisTask, params: SynthesisParams) -> int:
    """The rounds that would do if every sentence were kept."""
    return -(-task.wanted // params.per_request)


def synthesis_request(
    task: SynthesisTask,
    name: str,
    number: int,
    prompt: str,
    params: SynthesisParams,
    *,
    attempt: int = 0,
) -> Request:
    """The request for one relation in one round.

    Args:
        task: What is wanted.
        name: The relation.
        number: The round, from 0.
        prompt: Content of the prompt file.
        params: How much is asked for.
        attempt: How often it has been asked: the demonstrations, always the first few of the
            relation's support, are rotated by so many places.
    """
    relation, schema = task.schema.relations[name], task.schema
    shown = [to_tagged(i) for i in task.support if i.relation == name][: params.demonstrations]
    turn = attempt % len(shown) if shown else 0
    others = ", ".join(r.phrase for r in schema.relations.values() if not r.negative)
    values = {
        "relation": relation.phrase,
        "definition": relation.definition,
        "head_types": ", ".join(relation.head_types or schema.entity_types) or "any",
        "tail_types": ", ".join(relation.tail_types or schema.entity_types) or "any",
        "demonstrations": bullets(shown[turn:] + shown[:turn]),
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
        attempt=attempt,
    )


def _answer_schema(schema: RelationSchema, params: SynthesisParams) -> dict[str, Any]:
    kind = {"type": "string", "enum": list(schema.entity_types) or [""]}
    sample = {
        "type": "object",
        "properties": {
            "sentence": {
                "type": "string",
                "minLength": 1,
                "maxLength": params.max_words * LETTERS_PER_WORD,
            },
            "head_type": kind,
            "tail_type": kind,
            "triggers": TRIGGERS_SCHEMA,
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
