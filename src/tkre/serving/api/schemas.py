"""What the service takes, and how much of it.

What the service reads and answers, as it stands in its OpenAPI document.

The sentences of a request, each judged by itself: all that is wrong is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StrictBool, StrictInt, StrictStr

from tkre.core.instance import Instance
from tkre.core.params import Params, did_you_mean
from tkre.corpora.unlabelled import SentenceError, validate_batch
from tkre.serving.extractor import Prediction, RelationExtractor

LEAST_BODY_BYTES = 1024  # a request of one short sentence


class ServiceParams(Params):
    """Limits of the service; a request beyond one is refused with the limit in the reason.

    Attributes:
        max_body_bytes: Of a request; more is refused (413) before it is read.
        max_sentences: In a request.
        max_characters: Of a sentence, tags included.
        max_waiting: Sentences that may wait for the classifier; beyond it a request is refused
            (503), since it would wait too long.
        batch_sentences: Of several requests that are read together, at most.
        shutdown_seconds: How long requests that are under way may take once the service is stopped.
    """

    max_body_bytes: int = Field(1024 * 1024, ge=LEAST_BODY_BYTES)
    max_sentences: int = Field(256, ge=1)
    max_characters: int = Field(5000, ge=1)
    max_waiting: int = Field(4096, ge=1)
    batch_sentences: int = Field(128, ge=1)
    shutdown_seconds: int = Field(20, ge=1)


EXAMPLE = "<head>Ada Lovelace</head> was born in <tail>London</tail>."
_Type = Annotated[
    StrictStr | None,
    Field(description="A type of the classifier's schema, see `/relations`; left out: not known."),
]
_Place = Annotated[StrictInt, Field(ge=0)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaggedSentence(_Read):
    """A sentence with its mentions in tags, and their types if they are known."""

    sentence: StrictStr = Field(examples=[EXAMPLE])
    head_type: _Type = None
    tail_type: _Type = None


class SentenceWithSpans(_Read):
    """A plain text with the places of its two mentions, and their types if they are known."""

    text: StrictStr = Field(examples=["Ada Lovelace was born in London."])
    head: tuple[_Place, _Place] = Field(
        description="Start and end of the head mention in characters, half-open.",
        examples=[[0, 12]],
    )
    tail: tuple[_Place, _Place] = Field(
        description="Likewise of the tail mention.", examples=[[25, 31]]
    )
    head_type: _Type = None
    tail_type: _Type = None


# How a sentence is described; whether one is as it should be, ``service.reading`` says.
Sentence = StrictStr | TaggedSentence | SentenceWithSpans


class PredictRequest(_Read):
    """Sentences to be labelled, each in any of the three forms."""

    sentences: list[SkipValidation[Sentence]] = Field(
        min_length=1,
        examples=[
            [EXAMPLE, {"text": "Ada Lovelace was born in London.", "head": [0, 12],
                       "tail": [25, 31]}]
        ],
    )  # fmt: skip
    probabilities: StrictBool = Field(False, description="Whether to tell those of all relations.")


class LabelledSentence(BaseModel):
    """What is said of a sentence."""

    relation: str | None = Field(description="The relation; null where the answer is withheld.")
    probability: float = Field(description="That of the guess.")
    abstained: bool = Field(
        description="Whether the guess is not sure enough for the wanted precision."
    )
    guess: str = Field(description="The relation in any case.")
    truncated: bool = Field(
        description="Whether the sentence has more tokens than `max_length` of `/health`; then "
        "only the words around its mentions were read."
    )
    probabilities: dict[str, float] | None = Field(
        None, description="Of every relation, if the request wants them."
    )

    @classmethod
    def of(cls, prediction: Prediction, *, probabilities: bool) -> Self:
        """What the extractor says, with or without the probabilities of all relations."""
        more = {"probabilities": prediction.probabilities} if probabilities else {}
        return cls(
            relation=prediction.relation,
            probability=prediction.probability,
            abstained=prediction.abstained,
            guess=prediction.guess,
            truncated=prediction.truncated,
            **more,
        )


class PredictResponse(BaseModel):
    """What is said of the sentences of a request, in their order."""

    predictions: list[LabelledSentence]


class RelationInfo(BaseModel):
    """A label; definition and phrase are null where no schema lies beside the classifier."""

    name: str
    definition: str | None
    phrase: str | None
    head_types: list[str] = Field(description="Types the head may have; none: any.")
    tail_types: list[str] = Field(description="Likewise the tail.")
    inverse: str | None = Field(description="The label with head and tail exchanged.")
    negative: bool = Field(description="Whether it says that none of the others holds.")

    @classmethod
    def of(cls, name: str, extractor: RelationExtractor) -> Self:
        """One label of a classifier."""
        config = extractor.config
        meant = extractor.schema.relations[name] if extractor.schema else None
        heads, tails = config.allowed_types.get(name, ((), ()))
        return cls(
            name=name,
            definition=meant.definition if meant else None,
            phrase=meant.phrase if meant else None,
            head_types=list(meant.head_types if meant else heads),
            tail_types=list(meant.tail_types if meant else tails),
            inverse=config.inverses.get(name),
            negative=name == config.negative,
        )


class RelationsResponse(BaseModel):
    """The labels of the classifier, and the types that mentions may have."""

    relations: list[RelationInfo]
    entity_types: list[str] | None = Field(
        description="Other types are refused; null: not known, any is taken."
    )

    @classmethod
    def of(cls, extractor: RelationExtractor) -> Self:
        """Those of a classifier."""
        types = extractor.entity_types
        return cls(
            relations=[RelationInfo.of(name, extractor) for name in extractor.relations],
            entity_types=None if types is None else sorted(types),
        )


class HealthResponse(BaseModel):
    """Whether the service answers, with what, and within which limits."""

    status: str = Field(description="`ready`, or `stopping` (then with the status 503).")
    model: str = Field(description="SHA-256 of the classifier's weights.")
    backend: str = Field(description="`torch` or `onnxruntime`.")
    calibrated: bool = Field(
        description="Whether a calibrator record calibrates the probabilities."
    )
    wanted_precision: float | None = Field(description="Answers less sure are withheld.")
    max_length: int = Field(
        description="Tokens of a sentence, markers included, that the classifier reads."
    )
    waiting: int = Field(description="Sentences that wait for the classifier now.")
    versions: dict[str, str]
    limits: ServiceParams

    @classmethod
    def of(
        cls,
        extractor: RelationExtractor,
        status: str,
        waiting: int,
        versions: dict[str, str],
        limits: ServiceParams,
    ) -> Self:
        """That of a classifier, in the state that the service is in."""
        return cls(
            status=status,
            model=extractor.digest,
            backend=extractor.backend,
            calibrated=extractor.calibrator is not None,
            wanted_precision=extractor.wanted_precision,
            max_length=extractor.config.max_length,
            waiting=waiting,
            versions=versions,
            limits=limits,
        )


class Problem(BaseModel):
    """Why a request is refused: a sentence of it, or all of it (`item` null)."""

    item: int | None = Field(description="Place of the sentence in the request, counted from 0.")
    reason: str


class ErrorResponse(BaseModel):
    """A refused request."""

    detail: str
    problems: list[Problem] = []
    request_id: str | None = Field(None, description="As in the log, for a defect of the service.")


_TAGGED, _SPANS = (set(model.model_fields) for model in (TaggedSentence, SentenceWithSpans))
_KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}


class TooManyError(ValueError):
    """More sentences than a request may have."""


def read(
    sentences: Sequence[Any], extractor: RelationExtractor, params: ServiceParams
) -> list[Instance]:
    """The instances of a request.

    Args:
        sentences: As they came, whatever they are.
        extractor: Knows which types there are.
        params: Limits.

    Raises:
        TooManyError: There are too many.
        SentenceError: Some cannot be labelled; all of them are named.
    """
    if len(sentences) > params.max_sentences:
        raise TooManyError(
            f"{len(sentences)} sentences are more than {params.max_sentences}, the most that a "
            "request may have"
        )
    problems = {
        n: reason for n, sentence in enumerate(sentences) if (reason := _wrong(sentence, params))
    }
    instances, unreadable = validate_batch(sentences, extractor.entity_types)
    problems = unreadable | problems
    if problems:
        raise SentenceError(dict(sorted(problems.items())))
    return list(instances.values())


def _wrong(sentence: Any, params: ServiceParams) -> str | None:
    """What only a request is asked for; all else ``validate_batch`` finds."""
    return (
        _no_sentence(sentence)
        or _too_long(sentence, params.max_characters)
        or _unknown_key(sentence)
    )


def _no_sentence(sentence: Any) -> str | None:
    """In the words of JSON, not of Python."""
    if isinstance(sentence, str | Mapping):
        return None
    given = "null" if sentence is None else _KINDS[type(sentence)]
    return f"a tagged text or an object was expected, not {given}"


def _too_long(sentence: Any, most: int) -> str | None:
    if isinstance(sentence, Mapping):
        sentence = sentence.get("text", sentence.get("sentence"))
    if isinstance(sentence, str) and len(sentence) > most:
        return f"{len(sentence)} characters are more than {most}, the most that a sentence may have"
    return None


def _unknown_key(sentence: Any) -> str | None:
    """A misspelt ``head_type`` would else be a sentence without types."""
    if not isinstance(sentence, Mapping):
        return None
    known = _SPANS if "text" in sentence else _TAGGED
    for key in sentence:
        if key not in known:
            return f"key {key!r} is not known" + did_you_mean(str(key), known)
    return None
