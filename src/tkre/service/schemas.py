"""What the service reads and answers, as it stands in its OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StrictBool, StrictInt, StrictStr

from tkre.extractor import Prediction, RelationExtractor
from tkre.service.params import ServiceParams

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
    calibrated: bool = Field(description="Whether a trust record calibrates the probabilities.")
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
            calibrated=extractor.trust is not None,
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
