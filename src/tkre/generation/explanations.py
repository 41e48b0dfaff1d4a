"""Explanation-driven knowledge: why does this support instance have its relation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tkre.core.folding import verbatim
from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.core.text import count_words, normalised
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.llm.retry import generate_with_retries
from tkre.generation.params import ExplanationParams, RetryParams
from tkre.generation.prompts import in_language, render
from tkre.generation.rejections import EXPLANATION, Reject, Tally
from tkre.generation.subjects import subject_of

PROMPT = "explanation.txt"
LETTERS_PER_WORD = 12  # bounds a text in a schema, which cannot count words; generous
TRIGGERS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "maxLength": 100},
    "maxItems": 8,
}

_WHY = "why the sentence says that this relation holds from the head to the tail."
_WHY_NOT = (
    "how the head and the tail are connected in the sentence, if they are at all, and why that is "
    "none of these relations: {others}."
)


def request_id(corpus: str, instance_id: str) -> str:
    """Id of the request for one support instance."""
    return f"explanation/{corpus}/{instance_id}"


def subject(instance: Instance, schema: RelationSchema) -> str:
    """Digest of what is asked about a labelled instance; the negative relation is none of all."""
    relation = schema.relations[str(instance.relation)]
    others = [r.phrase for r in schema.relations.values()] if relation.negative else []
    asked = [instance.relation, relation.phrase, relation.definition, sorted(others)]
    return subject_of(asked, instance)


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
            "language": in_language(schema.language),
        }
        requests.append(
            Request(
                id=request_id(schema.corpus, instance.id),
                messages=render(prompt, values, PROMPT, needed=["sentence", "language"]),
                schema=_answer_schema(params),
                sampling=params.sampling,
                subject=subject(instance, schema),
            )
        )
    return requests


def explain(
    model: LanguageModel,
    support: Sequence[Instance],
    schema: RelationSchema,
    prompt: str,
    params: ExplanationParams,
    retry: RetryParams,
) -> list[Response]:
    """Requests an explanation of every support instance, with retries of unusable answers.

    Returns:
        All attempts, the input of ``keep_explanations``.
    """
    instances = {request_id(schema.corpus, instance.id): instance for instance in support}
    return list(
        generate_with_retries(
            model,
            explanation_requests(support, schema, prompt, params),
            retry,
            name="explanations",
            check=lambda key, answer: _problem(instances[key], answer, schema, params),
        )
    )


def keep_explanations(
    support: Sequence[Instance],
    responses: Mapping[str, Sequence[Response]],
    schema: RelationSchema,
    params: ExplanationParams,
) -> tuple[list[Instance], dict[str, Tally]]:
    """The support with its explanations and triggers, and the yield.

    Args:
        support: All support instances.
        responses: Attempts by request id, oldest first.
        schema: The relations.
        params: Bounds of an explanation.

    Returns:
        The support in its order, a rejected explanation left out of its instance; counts by
        relation.
    """
    tallies = {name: Tally() for name in schema.names}
    explained = []
    for instance in support:
        assert instance.relation is not None
        key, tally = request_id(schema.corpus, instance.id), tallies[instance.relation]
        tally.wanted += 1
        result = instance
        for response in tally.attempts(key, responses.get(key, ())):
            problem = response.failure or _problem(instance, response.answer or {}, schema, params)
            if problem is None:
                tally.kept += 1
                assert response.answer is not None
                result = _with_explanation(instance, response.answer)
                break
            text = str(response.answer or response.text or "")
            tally.rejects.append(Reject(EXPLANATION, instance.relation, key, *problem, text))
        explained.append(result)
    return explained, tallies


def verbatim_triggers(text: str, triggers: Sequence[Any]) -> tuple[str, ...]:
    """The triggers that stand in the text, as spelt there; a model may invent others."""
    found = (verbatim(text, t) for t in triggers if isinstance(t, str))
    return tuple(trigger for trigger in found if trigger is not None)


def _answer_schema(params: ExplanationParams) -> dict[str, Any]:
    """JSON schema of an answer; its bounds stop a model that does not end by itself."""
    return {
        "type": "object",
        "properties": {
            "explanation": {
                "type": "string",
                "minLength": 1,
                "maxLength": params.max_words * LETTERS_PER_WORD,
            },
            "triggers": TRIGGERS_SCHEMA,
        },
        "required": ["explanation", "triggers"],
        "additionalProperties": False,
    }


def _problem(
    instance: Instance, answer: dict[str, Any], schema: RelationSchema, params: ExplanationParams
) -> tuple[str, str] | None:
    """Reason and message of a rejected explanation; None for a usable one."""
    explanation, triggers = answer.get("explanation"), answer.get("triggers")
    if not isinstance(explanation, str) or not isinstance(triggers, list):
        return "wrong_schema", "explanation must be a text and triggers a list"
    words = count_words(explanation)
    if words < 3:
        return "empty", f"{words} word(s)"
    if words > params.max_words:
        return "too_long", f"{words} words, at most {params.max_words}"
    for role, mention in (("head", instance.head_text), ("tail", instance.tail_text)):
        if normalised(mention) not in normalised(explanation):
            return "mention_missing", f"the {role} {mention!r} is not in it"
    if schema.spelled_out(str(instance.relation), explanation):
        return "label_spelled_out", f"it holds {instance.relation!r}"
    return None


def _with_explanation(instance: Instance, answer: dict[str, Any]) -> Instance:
    triggers = verbatim_triggers(instance.text, answer["triggers"])
    return replace(instance, explanation=" ".join(answer["explanation"].split()), triggers=triggers)
