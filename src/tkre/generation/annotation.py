"""Which relation does a sentence state between its mentions? Annotation of unlabelled text.

One request for every marked pair. The definitions of all relations come first, so that all requests
of a corpus share their beginning; the choice of relations and the sentence come last. The same
question about test rows makes the language model a classifier (``LabelKind``).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkre.core.folding import verbatim
from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.generation.explanations import TRIGGERS_SCHEMA, verbatim_triggers
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.llm.retry import generate_with_retries
from tkre.generation.params import AnnotationParams, RetryParams
from tkre.generation.prompts import bullets, render
from tkre.generation.rejections import ANNOTATION, Reject, Tally
from tkre.generation.subjects import subject_of

PROMPT = "annotation.txt"


@dataclass(frozen=True)
class Annotation:
    """A sentence with the label that a language model gave it.

    Attributes:
        instance: The sentence with ``relation`` and ``triggers``; its id is that of the request.
        confidence: Stated probability that the relation is right, 0 to 1, or the share of the
            votes for it; not calibrated.
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

    def request_id(self, corpus: str, instance_id: str, vote: int = 0) -> str:
        """Id of the request for one instance; votes are counted from 0."""
        again = f"/vote-{vote + 1}" if vote else ""
        return f"{self.name}/{corpus}/{self.part}{instance_id}{again}"


ANNOTATIONS = LabelKind()


def possible_relations(instance: Instance, schema: RelationSchema) -> list[str]:
    """Relations that the entity types of an instance allow, in schema order.

    Empty if none but the negative one is left: the types answer the question.
    """
    allowed = [
        name for name in schema.names if schema.allows(name, instance.head_type, instance.tail_type)
    ]
    return [] if allowed in ([], [schema.negative]) else allowed


def subject(instance: Instance, schema: RelationSchema) -> str:
    """Digest of what is asked about a sentence: the relations to choose from with definitions."""
    choices = sorted(possible_relations(instance, schema))
    return subject_of([[name, schema.relations[name].definition] for name in choices], instance)


def annotation_requests(
    unlabelled: Sequence[Instance],
    support: Sequence[Instance],
    schema: RelationSchema,
    prompt: str,
    params: AnnotationParams,
    kind: LabelKind = ANNOTATIONS,
) -> list[Request]:
    """The requests for every unlabelled instance that some relation may join, vote by vote.

    Args:
        unlabelled: Instances to annotate; a label that one has is not read.
        support: Labelled instances; the first ``params.demonstrations`` of each relation are shown.
        schema: The relations.
        prompt: Content of the prompt file.
        params: Number of demonstrations, votes, sampling.
        kind: Kind of question.
    """
    requests = []
    for vote in range(params.votes):
        names = _order_of_vote(schema.names, vote)
        definitions = [f"{name}: {schema.relations[name].definition}" for name in names]
        demonstrations = [
            f"{to_tagged(row)} Relation: {name}"
            for name in names
            for row in [r for r in support if r.relation == name][: params.demonstrations]
        ]
        shared = {"relations": bullets(definitions), "demonstrations": bullets(demonstrations)}
        requests += [
            Request(
                id=kind.request_id(schema.corpus, instance.id, vote),
                messages=render(
                    prompt,
                    {**shared, "choices": ", ".join(choices), "sentence": to_tagged(instance)},
                    PROMPT,
                    needed=["sentence"],
                ),
                schema=_answer_schema(choices, kind),
                sampling=params.sampling,
                subject=subject(instance, schema),
            )
            for instance in unlabelled
            if (choices := _order_of_vote(possible_relations(instance, schema), vote))
        ]
    return requests


def _order_of_vote(names: Sequence[str], vote: int) -> list[str]:
    """Relations in the order of a vote: the schema's for the first, a random one for another."""
    if not vote:
        return list(names)
    return sorted(names, key=lambda name: hashlib.sha256(f"{vote}\n{name}".encode()).digest())


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
    instances = {
        kind.request_id(schema.corpus, row.id, vote): row
        for row in unlabelled
        for vote in range(params.votes)
    }
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
    votes: int = 1,
) -> tuple[list[Annotation], Tally]:
    """The instances with the relation that most of their usable answers name, and the yield.

    Args:
        unlabelled: Instances to annotate.
        responses: Attempts by request id, oldest first.
        schema: The relations.
        kind: Kind of question.
        votes: Answers that were requested for each instance. The confidence of several is the
            share that names the relation (self-consistency, Wang et al. 2023), where an answer
            that is not usable names none; of relations with equally many votes, the one that was
            named first is taken.

    Returns:
        The annotated instances, in their order; counts of all, with the rejects. An instance that
        no relation may join is a reject of the reason ``type`` and was not requested. Usable votes
        beside the first are ``surplus``.
    """
    tally = Tally(wanted=len(unlabelled))
    annotations = []
    for instance in unlabelled:
        key = kind.request_id(schema.corpus, instance.id)
        if not possible_relations(instance, schema):
            detail = f"no relation joins {instance.head_type!r} and {instance.tail_type!r}"
            tally.rejects.append(Reject(kind.name, "", key, "type", detail, to_tagged(instance)))
            continue
        keys = [kind.request_id(schema.corpus, instance.id, vote) for vote in range(votes)]
        answers = [_usable(instance, k, responses.get(k, ()), schema, kind, tally) for k in keys]
        if usable := [answer for answer in answers if answer is not None]:
            tally.kept += 1
            tally.surplus += len(usable) - 1
            answer, agreeing = _majority(usable)
            confidence = answer["confidence"] / 100 if votes == 1 else agreeing / votes
            annotations.append(_annotation(instance, key, answer, confidence, kind))
    return annotations, tally


def _usable(
    instance: Instance,
    key: str,
    responses: Sequence[Response],
    schema: RelationSchema,
    kind: LabelKind,
    tally: Tally,
) -> Mapping[str, Any] | None:
    """The first usable answer to a request; all attempts before it are counted as rejects."""
    for response in tally.attempts(key, responses):
        answer = response.answer or {}
        problem = response.failure or _problem(instance, answer, schema, kind)
        if problem is None:
            return answer
        relation, text = answer.get("relation"), str(response.answer or response.text or "")
        known = str(relation) if relation in schema.names else ""
        tally.rejects.append(Reject(kind.name, known, key, *problem, text))
    return None


def _majority(answers: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], int]:
    """The first answer that names the commonest relation, and the number of those that name it."""
    [(relation, count)] = Counter(answer["relation"] for answer in answers).most_common(1)
    return next(a for a in answers if a["relation"] == relation), count


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


def _problem(
    instance: Instance, answer: Mapping[str, Any], schema: RelationSchema, kind: LabelKind
) -> tuple[str, str] | None:
    """Reason and message of a rejected annotation; None for a usable one."""
    relation, confidence = answer.get("relation"), answer.get("confidence")
    triggers = answer.get("triggers") if kind.triggers else []
    if not isinstance(relation, str) or not isinstance(triggers, list):
        return "wrong_schema", "relation must be a text and triggers a list"
    # 90.0 is an integer to JSON schemas; true is one to Python, but no confidence.
    number = confidence if type(confidence) in (int, float) else math.nan
    if number not in range(101):
        return "wrong_schema", f"confidence must be a whole number to 100, not {confidence!r}"
    if relation not in schema.relations:
        return "unknown_relation", f"{relation!r} is not a relation of the schema"
    if relation not in possible_relations(instance, schema):
        kinds = f"{instance.head_type!r} and {instance.tail_type!r}"
        return "type", f"{relation} does not join {kinds}"
    for trigger in triggers:
        if not isinstance(trigger, str) or verbatim(instance.text, trigger) is None:
            return "invented_trigger", f"{trigger!r} is not in the sentence"
    return None


def _annotation(
    instance: Instance, key: str, answer: Mapping[str, Any], confidence: float, kind: LabelKind
) -> Annotation:
    """The instance with a checked answer."""
    triggers = verbatim_triggers(instance.text, answer["triggers"]) if kind.triggers else ()
    triggers = tuple(dict.fromkeys(triggers))
    labelled = replace(instance, id=key, relation=answer["relation"], triggers=triggers)
    return Annotation(labelled, confidence)
