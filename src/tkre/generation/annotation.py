"""Which relation does a sentence state between its mentions? Annotation of unlabelled text.

One request for every marked pair. The definitions of all relations come first, so that all requests
of a corpus share their beginning; the choice of relations and the sentence come last. The same
question about test rows makes the language model a classifier (``LabelKind``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.generation.explanations import TRIGGERS_SCHEMA
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.llm.retry import generate_with_retries
from tkre.generation.params import AnnotationParams, RetryParams
from tkre.generation.prompts import bullets, render
from tkre.generation.rejections import ANNOTATION, Reject, Tally

PROMPT = "annotation.txt"


@dataclass(frozen=True)
class Annotation:
    """A sentence with the label that a language model gave it.

    Attributes:
        instance: The sentence with ``relation`` and ``triggers``; its id is that of the request.
        confidence: Stated probability that the relation is right, 0 to 1; not calibrated.
    """

    instance: Instance
    confidence: float


def instances_of(rows: Sequence[Instance] | Sequence[Annotation]) -> list[Instance]:
    """Rows without the confidence of their annotation."""
    return [row.instance if isinstance(row, Annotation) else row for row in rows]


@dataclass(frozen=True)
class LabelKind:
    """A kind of question about the relation of a sentence.

    Attributes:
        name: First part of the request ids, and the kind of the rejects.
        part: Part of the ids between corpus and instance, with its slash.
        triggers: Whether an answer lists trigger words.
    """

    name: str = ANNOTATION
    part: str = ""
    triggers: bool = True

    def request_id(self, corpus: str, instance_id: str) -> str:
        """Id of the request for one instance."""
        return f"{self.name}/{corpus}/{self.part}{instance_id}"


ANNOTATIONS = LabelKind()


def possible_relations(instance: Instance, schema: RelationSchema) -> list[str]:
    """Relations that the entity types of an instance allow, in schema order.

    Empty if none but the negative one is left: the types answer the question.
    """
    allowed = [
        name for name in schema.names if schema.allows(name, instance.head_type, instance.tail_type)
    ]
    return [] if allowed in ([], [schema.negative]) else allowed


def annotation_requests(
    unlabelled: Sequence[Instance],
    support: Sequence[Instance],
    schema: RelationSchema,
    prompt: str,
    params: AnnotationParams,
    kind: LabelKind = ANNOTATIONS,
) -> list[Request]:
    """One request for every unlabelled instance that some relation may join.

    Args:
        unlabelled: Instances to annotate; a label that one has is not read.
        support: Labelled instances; the first ``params.demonstrations`` of each relation are shown.
        schema: The relations.
        prompt: Content of the prompt file.
        params: Number of demonstrations, sampling.
        kind: Kind of question.
    """
    definitions = [f"{name}: {schema.relations[name].definition}" for name in schema.names]
    demonstrations = [
        f"{to_tagged(row)} Relation: {name}"
        for name in schema.names
        for row in [r for r in support if r.relation == name][: params.demonstrations]
    ]
    shared = {"relations": bullets(definitions), "demonstrations": bullets(demonstrations)}
    return [
        Request(
            id=kind.request_id(schema.corpus, instance.id),
            messages=render(
                prompt,
                {**shared, "choices": ", ".join(choices), "sentence": to_tagged(instance)},
                PROMPT,
            ),
            schema=_answer_schema(choices, kind),
            sampling=params.sampling,
        )
        for instance in unlabelled
        if (choices := possible_relations(instance, schema))
    ]


def annotate(
    model: LanguageModel,
    unlabelled: Sequence[Instance],
    support: Sequence[Instance],
    schema: RelationSchema,
    prompt: str,
    params: AnnotationParams,
    retry: RetryParams,
    kind: LabelKind = ANNOTATIONS,
) -> list[Response]:
    """Requests the relation of every unlabelled instance, with retries of unusable answers.

    Returns:
        All attempts, the input of ``keep_annotations``.
    """
    instances = {kind.request_id(schema.corpus, row.id): row for row in unlabelled}
    return list(
        generate_with_retries(
            model,
            annotation_requests(unlabelled, support, schema, prompt, params, kind),
            retry,
            name=f"{kind.name}s",
            check=lambda key, answer: _problem(instances[key], answer, schema, kind),
        )
    )


def keep_annotations(
    unlabelled: Sequence[Instance],
    responses: Mapping[str, Sequence[Response]],
    schema: RelationSchema,
    kind: LabelKind = ANNOTATIONS,
) -> tuple[list[Annotation], Tally]:
    """The instances with their first usable answers, and the yield.

    Args:
        unlabelled: Instances to annotate.
        responses: Attempts by request id, oldest first.
        schema: The relations.
        kind: Kind of question.

    Returns:
        The annotated instances, in their order; counts of all, with the rejects. An instance that
        no relation may join is a reject of the reason ``type`` and was not requested.
    """
    tally = Tally(wanted=len(unlabelled))
    annotations = []
    for instance in unlabelled:
        key = kind.request_id(schema.corpus, instance.id)
        if not possible_relations(instance, schema):
            detail = f"no relation joins {instance.head_type!r} and {instance.tail_type!r}"
            tally.rejects.append(Reject(kind.name, "", key, "type", detail, to_tagged(instance)))
            continue
        for response in responses.get(key) or [_unanswered(key)]:
            tally.requested += 1
            tally.answered += response.answer is not None
            answer = response.answer or {}
            problem = response.failure or _problem(instance, answer, schema, kind)
            if problem is None:
                tally.kept += 1
                annotations.append(_annotation(instance, key, answer, kind))
                break
            relation, text = answer.get("relation"), str(response.answer or response.text or "")
            known = str(relation) if relation in schema.names else ""
            tally.rejects.append(Reject(kind.name, known, key, *problem, text))
    return annotations, tally


def _answer_schema(choices: Sequence[str], kind: LabelKind) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "relation": {"type": "string", "enum": list(choices)},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    }
    if kind.triggers:
        properties["triggers"] = TRIGGERS_SCHEMA
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _unanswered(key: str) -> Response:
    return Response(key, reason="no_answer", error="the request was not answered")


def _problem(
    instance: Instance, answer: Mapping[str, Any], schema: RelationSchema, kind: LabelKind
) -> tuple[str, str] | None:
    """Reason and message of a rejected annotation; None for a usable one."""
    relation, confidence = answer.get("relation"), answer.get("confidence")
    triggers = answer.get("triggers") if kind.triggers else []
    if not isinstance(relation, str) or not isinstance(triggers, list):
        return "wrong_schema", "relation must be a text and triggers a list"
    # bool is an int to Python, but true is no confidence.
    if type(confidence) is not int or not 0 <= confidence <= 100:
        return "wrong_schema", f"confidence must be a whole number to 100, not {confidence!r}"
    if relation not in schema.relations:
        return "unknown_relation", f"{relation!r} is not a relation of the schema"
    if relation not in possible_relations(instance, schema):
        kinds = f"{instance.head_type!r} and {instance.tail_type!r}"
        return "type", f"{relation} does not join {kinds}"
    for trigger in triggers:
        if not isinstance(trigger, str) or not trigger.strip() or trigger not in instance.text:
            return "invented_trigger", f"{trigger!r} is not in the sentence"
    return None


def _annotation(
    instance: Instance, key: str, answer: Mapping[str, Any], kind: LabelKind
) -> Annotation:
    """The instance with a checked answer."""
    triggers = tuple(dict.fromkeys(answer["triggers"])) if kind.triggers else ()
    labelled = replace(instance, id=key, relation=answer["relation"], triggers=triggers)
    return Annotation(labelled, answer["confidence"] / 100)
