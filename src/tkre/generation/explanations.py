"""Explanation-driven knowledge: why does this support instance have its relation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tkre.corpora.schema import RelationSchema
from tkre.generation.ledger import EXPLANATION, Reject, Tally
from tkre.generation.params import ExplanationParams
from tkre.generation.prompts import render
from tkre.generation.protocol import Request, Response
from tkre.records import Instance
from tkre.tagged import to_tagged

PROMPT = "explanation.txt"

# No pattern or length bound inside: servers ignore or mishandle them, and every answer is checked
# again below.
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "triggers": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
    },
    "required": ["explanation", "triggers"],
    "additionalProperties": False,
}

_WHY = "why the sentence says that this relation holds from the head to the tail."
_WHY_NOT = (
    "how the head and the tail are connected in the sentence, if they are at all, and why that is "
    "none of these relations: {others}."
)


def request_id(corpus: str, instance_id: str) -> str:
    """The name of the question about one support instance."""
    return f"explanation/{corpus}/{instance_id}"


def explanation_requests(
    support: Sequence[Instance], schema: RelationSchema, prompt: str, params: ExplanationParams
) -> list[Request]:
    """One request for every support instance."""
    others = ", ".join(r.phrase for r in schema.relations.values() if not r.negative)
    requests = []
    for instance in support:
        assert instance.relation is not None
        relation = schema.relations[instance.relation]
        values = {
            "relation": relation.phrase,
            "definition": relation.definition,
            "question": _WHY_NOT.format(others=others) if relation.negative else _WHY,
            "sentence": to_tagged(instance),
        }
        requests.append(
            Request(
                id=request_id(schema.corpus, instance.id),
                messages=render(prompt, values, PROMPT),
                schema=ANSWER_SCHEMA,
                sampling=params.sampling,
            )
        )
    return requests


def keep_explanations(
    support: Sequence[Instance],
    responses: Mapping[str, Response],
    schema: RelationSchema,
    params: ExplanationParams,
) -> tuple[list[Instance], dict[str, Tally]]:
    """The support with its explanations and triggers, and what became of what was asked.

    Args:
        support: All support instances.
        responses: By request id.
        schema: The relations.
        params: What is rejected.

    Returns:
        The support in its order, a rejected explanation left out of its instance; counts by
        relation.
    """
    tallies = {name: Tally() for name in schema.names}
    explained = []
    for instance in support:
        assert instance.relation is not None
        tally = tallies[instance.relation]
        tally.wanted += 1
        tally.asked += 1
        response = responses.get(request_id(schema.corpus, instance.id))
        if response is None or response.answer is None:
            reason = (response and response.error) or "the request was not answered"
            problem: tuple[str, str] | None = ("no_answer", reason)
        else:
            tally.answered += 1
            problem = _problem(instance, response.answer, schema, params)
        if problem is None:
            assert response is not None and response.answer is not None
            tally.kept += 1
            explained.append(_with_explanation(instance, response.answer))
            continue
        explained.append(instance)
        text = str((response and (response.answer or response.text)) or "")
        tally.rejects.append(
            Reject(
                EXPLANATION,
                instance.relation,
                request_id(schema.corpus, instance.id),
                problem[0],
                problem[1],
                text,
            )
        )
    return explained, tallies


def verbatim_triggers(text: str, triggers: Sequence[Any]) -> tuple[str, ...]:
    """The triggers that do stand in the text, letter by letter; a model may invent others."""
    return tuple(t for t in triggers if isinstance(t, str) and t.strip() and t in text)


def _problem(
    instance: Instance, answer: dict[str, Any], schema: RelationSchema, params: ExplanationParams
) -> tuple[str, str] | None:
    """Why an explanation is not used: a reason to count by, and what exactly."""
    explanation, triggers = answer.get("explanation"), answer.get("triggers")
    if not isinstance(explanation, str) or not isinstance(triggers, list):
        return "wrong_schema", "explanation must be a text and triggers a list"
    words = len(explanation.split())
    if words < 3:
        return "empty", f"{words} word(s)"
    if words > params.max_words:
        return "too_long", f"{words} words, at most {params.max_words}"
    for role, mention in (("head", instance.head_text), ("tail", instance.tail_text)):
        if mention.lower() not in explanation.lower():
            return "mention_missing", f"the {role} {mention!r} is not in it"
    # A text that spells out its label teaches the label, not what it means. The negative one is
    # exempt: "Other" is also a word.
    if instance.relation != schema.negative and str(instance.relation) in explanation:
        return "label_spelled_out", f"it holds {instance.relation!r}"
    return None


def _with_explanation(instance: Instance, answer: dict[str, Any]) -> Instance:
    triggers = verbatim_triggers(instance.text, answer["triggers"])
    return replace(instance, explanation=" ".join(answer["explanation"].split()), triggers=triggers)
