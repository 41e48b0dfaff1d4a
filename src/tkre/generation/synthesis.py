"""Schema-constrained synthetic data: checks of one sentence, requests, and bounded rounds.

Every round sends one request for each relation that is short of sentences; a sentence is kept if it
passes all checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tkre.core.cells import KShotSample
from tkre.core.instance import Instance, Span, TagError, parse_tagged, to_tagged
from tkre.core.schema import RelationSchema
from tkre.core.text import NearDuplicateIndex, count_words
from tkre.generation.explanations import LETTERS_PER_WORD, TRIGGERS_SCHEMA, verbatim_triggers
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.llm.retry import generate_with_retries
from tkre.generation.params import RetryParams, SynthesisParams
from tkre.generation.prompts import bullets, in_language, render
from tkre.generation.rejections import SYNTHESIS, Reject, Tally
from tkre.generation.sentence_plans import sentence_plan
from tkre.generation.subjects import subject_of

PROMPT = "synthesis.txt"


class Rejected(Exception):
    """A synthetic sentence that is not used.

    Args:
        reason: Key that rejects are counted by.
        detail: Description of the problem.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def tagged_sentence(
    sample: Any, params: SynthesisParams, *, head_first: bool
) -> tuple[str, Span, Span]:
    """The plain text of a sample's sentence and its mentions.

    Raises:
        Rejected: ``wrong_schema``, ``bad_tags``, ``overlap``, ``length`` or ``order``.
    """
    if not isinstance(sample, dict) or not isinstance(sample.get("sentence"), str):
        raise Rejected("wrong_schema", "a sample must be an object with a sentence")
    try:
        text, head, tail = parse_tagged(" ".join(sample["sentence"].split()))
    except TagError as error:
        raise Rejected("bad_tags", str(error)) from None
    if head.overlaps(tail):
        raise Rejected("overlap", "the mentions overlap")
    words = count_words(text)
    if not params.min_words <= words <= params.max_words:
        raise Rejected("length", f"{words} words, not {params.min_words} to {params.max_words}")
    if head_first and tail < head:
        raise Rejected("order", "the tail precedes the head")
    return text, head, tail


def entity_types(
    sample: dict[str, Any], relation: str, schema: RelationSchema
) -> tuple[str | None, str | None]:
    """The types of a sample's mentions; none where the corpus has none.

    Raises:
        Rejected: ``type``: one is missing, unknown, or not allowed for the relation.
    """
    if not schema.entity_types:
        return None, None
    kinds = (sample.get("head_type"), sample.get("tail_type"))
    for kind in kinds:
        if kind not in schema.entity_types:
            raise Rejected("type", f"{kind!r} is not a type of the schema")
    if not schema.allows(relation, *kinds):
        raise Rejected("type", f"{relation} does not join {kinds[0]!r} and {kinds[1]!r}")
    return kinds


@dataclass(frozen=True)
class SynthesisTask:
    """The relations that need sentences, and the sentences that they are checked against.

    Attributes:
        schema: The relations.
        seed: Seed of the sample, part of the request ids since the demonstrations depend on it;
            None without demonstrations (zero-shot), where requests depend on no seed.
        wanted: Sentences needed per relation.
        support: Support instances: the demonstrations, the first few of each relation.
        forbidden: Sentences by source (support, validation, test, natural test) of which no
            near-duplicate is kept.
        head_first: Whether the head must precede the tail, as it does all through some corpora.
    """

    schema: RelationSchema
    seed: int | None
    wanted: int
    support: Sequence[Instance]
    forbidden: Mapping[str, Sequence[str]]
    head_first: bool


def task_of_sample(
    sample: KShotSample,
    support: Sequence[Instance],
    validation: Sequence[Instance],
    test: Sequence[Instance],
    natural_test: Sequence[Instance],
    schema: RelationSchema,
    params: SynthesisParams,
    *,
    head_first: bool,
) -> SynthesisTask:
    """The task of a sample: ``sample.synthetic`` times K sentences per relation.

    A zero-shot sample has one request's number of sentences in place of K.
    """
    sources = {
        "the support set": support, "the validation set": validation, "the test set": test,
        "the natural test": natural_test,
    }  # fmt: skip
    return SynthesisTask(
        schema=schema,
        seed=sample.seed if sample.shots else None,
        wanted=(sample.shots or params.per_request) * sample.synthetic,
        support=support,
        forbidden={source: [row.text for row in rows] for source, rows in sources.items()},
        head_first=head_first,
    )


def request_id(corpus: str, relation: str, seed: int | None, round_number: int) -> str:
    """Id of the request for a relation in a round; zero-shot without a seed."""
    source = "zero-shot" if seed is None else f"seed-{seed}"
    return f"synthesis/{corpus}/{relation}/{source}/round-{round_number}"


def subject(name: str, schema: RelationSchema) -> str:
    """Digest of what is asked about a relation; the negative one is none of all."""
    relation = schema.relations[name]
    others = [r.phrase for r in schema.relations.values()] if relation.negative else []
    return subject_of([name, relation.phrase, relation.definition, sorted(others)])


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
        task: The task.
        name: The relation.
        number: Number of the round, from 0.
        prompt: Content of the prompt file.
        params: Number of sentences and demonstrations.
        attempt: Number of earlier attempts, by which the demonstrations (the first few of the
            relation's support) are rotated.
    """
    relation, schema = task.schema.relations[name], task.schema
    of_round = request_id(schema.corpus, name, task.seed, number)
    demonstrations = [to_tagged(i) for i in task.support if i.relation == name][
        : params.demonstrations
    ]
    turn = attempt % len(demonstrations) if demonstrations else 0
    others = ", ".join(r.phrase for r in schema.relations.values() if not r.negative)
    values = {
        "relation": relation.phrase,
        "definition": relation.definition,
        "head_types": ", ".join(relation.head_types or schema.entity_types) or "any",
        "tail_types": ", ".join(relation.tail_types or schema.entity_types) or "any",
        "demonstrations": bullets(demonstrations[turn:] + demonstrations[:turn]),
        "count": str(params.per_request),
        "task": (
            f"In each of them two entities occur between which none of these relations holds, "
            f"though it may look so: {others}."
            if relation.negative
            else "Each of them states that the relation holds from its head to its tail."
        ),
        "order": "The head comes before the tail." if task.head_first else "Vary their order.",
        "more": f" This is batch {number + 1}: write none that you wrote before." if number else "",
        "language": in_language(schema.language),
        "plan": "" if relation.negative else sentence_plan(of_round, params),
    }
    return Request(
        id=of_round,
        messages=render(prompt, values, PROMPT, needed=["plan", "language"]),
        schema=_answer_schema(task.schema, params),
        sampling=params.sampling,
        attempt=attempt,
        subject=subject(name, schema),
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


def first_requests(task: SynthesisTask, prompt: str, params: SynthesisParams) -> list[Request]:
    """The requests of the rounds that suffice if every sentence is kept."""
    return [
        synthesis_request(task, name, number, prompt, params)
        for number in range(_needed_rounds(task, params))
        for name in task.schema.names
    ]


def _needed_rounds(task: SynthesisTask, params: SynthesisParams) -> int:
    return -(-task.wanted // params.per_request)


def write_sentences(
    model: LanguageModel,
    task: SynthesisTask,
    prompt: str,
    params: SynthesisParams,
    retry: RetryParams,
) -> list[Response]:
    """Asks for sentences until every relation has enough, or the rounds are used up.

    Each round asks only for relations that are still short. The rounds that would do if every
    sentence were kept must be answered; a replay need not hold the extra ones.

    Returns:
        Every attempt, to be read by ``keep_sentences``.
    """
    needed = _needed_rounds(task, params)
    responses: dict[str, list[Response]] = {}
    subjects: dict[str, tuple[str, int]] = {}  # relation and round by request id

    def later_request(first: Request, attempt: int) -> Request:
        return synthesis_request(task, *subjects[first.id], prompt, params, attempt=attempt)

    for number in range(needed + params.extra_rounds):
        requests = []
        for name in _short(task, responses, params) if number else task.schema.names:
            request = synthesis_request(task, name, number, prompt, params)
            if number < needed or model.can_answer(request):
                requests.append(request)
                subjects[request.id] = name, number
        if not requests or not task.wanted:
            break
        label = f"synthetic sentences, round {number + 1}"
        for response in generate_with_retries(
            model, requests, retry, name=label, rephrase=later_request
        ):
            responses.setdefault(response.request_id, []).append(response)
    return [attempt for attempts in responses.values() for attempt in attempts]


def keep_sentences(
    responses: Mapping[str, Sequence[Response]], task: SynthesisTask, params: SynthesisParams
) -> tuple[list[Instance], dict[str, Tally]]:
    """Select the valid synthetic instances, and count the others.

    A relation gets its first ``task.wanted`` valid ones of rounds 0, 1, ... in order, so that a
    larger cell uses all sentences of a smaller one.

    Args:
        responses: Attempts by request id, oldest first.
        task: The task.
        params: Bounds of a sentence.
    """
    copies = NearDuplicateIndex(params)
    for source, texts in task.forbidden.items():
        copies.add(source, texts)
    tallies = {name: Tally(wanted=task.wanted) for name in task.schema.names}
    kept: dict[str, list[Instance]] = {name: [] for name in task.schema.names}
    # In the order of the rounds: whether a sentence copies an earlier one must not depend
    # on how many later rounds there are.
    for number in range(_rounds(responses, task)):
        for name, tally in tallies.items():
            key = request_id(task.schema.corpus, name, task.seed, number)
            for response in responses.get(key, ()):
                tally.requested += params.per_request
                valid = _instances(response, name, task, params, copies, tally)
                used = valid[: task.wanted - tally.kept]
                kept[name] += used
                tally.kept += len(used)
                tally.surplus += len(valid) - len(used)
    return [instance for name in task.schema.names for instance in kept[name]], tallies


def _rounds(responses: Mapping[str, Sequence[Response]], task: SynthesisTask) -> int:
    """Largest number of rounds of a relation."""
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
    copies: NearDuplicateIndex,
    tally: Tally,
) -> list[Instance]:
    """The valid instances of one response; the others go to the tally."""

    def reject(reason: str, detail: str, text: object) -> None:
        tally.rejects.append(
            Reject(SYNTHESIS, relation, response.request_id, reason, detail, str(text))
        )

    samples = response.answer.get("samples") if response.answer is not None else None
    if not isinstance(samples, list):
        reason, detail = response.failure or ("wrong_schema", "samples must be a list")
        reject(reason, detail, response.answer or response.text or "")
        return []
    valid = []
    for n, sample in enumerate(samples):
        tally.answered += 1
        try:
            text, head, tail = tagged_sentence(sample, params, head_first=task.head_first)
            head_type, tail_type = entity_types(sample, relation, task.schema)
            if copied := copies.find(text):
                source, share = copied
                raise Rejected("near_duplicate", f"{share:.0%} of its word runs stand in {source}")
        except Rejected as problem:
            text = sample.get("sentence", "") if isinstance(sample, dict) else sample
            reject(problem.reason, problem.detail, text)
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
