"""Limits, request and response models of the service, as its OpenAPI document shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    create_model,
)
from pydantic_core import PydanticCustomError

from tkre.core.instance import Instance
from tkre.core.params import Params
from tkre.corpora.unlabelled import validate_batch
from tkre.serving.extractor import Prediction, RelationExtractor

LEAST_BODY_BYTES = 1024  # a request of one short sentence


class ServiceParams(Params):
    """Limits of the service; the error of a request beyond one names it.

    Attributes:
        max_body_bytes: Longest body of a request; a longer one is refused (413) unread.
        max_sentences: Most sentences in a request.
        max_characters: Longest sentence, tags included.
        max_waiting: Sentences that may wait for the classifier; beyond it requests get 503.
        batch_sentences: Most sentences of several requests that are labelled together.
        shutdown_seconds: Time for requests under way once the service is stopped.
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
    Field(description="An entity type of `/relations`; left out: unknown."),
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
        description="Start and end of the tail mention.", examples=[[25, 31]]
    )
    head_type: _Type = None
    tail_type: _Type = None


class LabelRequest(_Read):
    """Sentences to label. ``request_model`` narrows this to one classifier."""

    sentences: list[Any]
    probabilities: StrictBool = Field(False, description="Return probabilities of all relations.")


def request_model(extractor: RelationExtractor, params: ServiceParams) -> type[LabelRequest]:
    """Model of a request's body; each bad sentence is an error with its place in ``loc``.

    Args:
        extractor: The classifier, which knows the entity types.
        params: Limits.
    """

    def read(sentence: Any) -> Instance:
        reason = _form_error(sentence, params.max_characters)
        if reason is None:
            instances, problems = validate_batch([sentence], extractor.entity_types)
            if instances:
                return instances[0]
            reason = problems[0]
        raise PydanticCustomError("sentence", "{reason}", {"reason": reason})

    forms = StrictStr | TaggedSentence | SentenceWithSpans
    sentence = Annotated[Instance, PlainValidator(read, json_schema_input_type=forms)]
    spans = {"text": "Ada Lovelace was born in London.", "head": [0, 12], "tail": [25, 31]}
    return create_model(
        "PredictRequest",
        __base__=LabelRequest,
        __doc__="Sentences to label, each in any of the three forms.",
        sentences=(
            list[sentence],
            Field(min_length=1, max_length=params.max_sentences, examples=[[EXAMPLE, spans]]),
        ),
    )


def _form_error(sentence: Any, max_characters: int) -> str | None:
    """Reason why a sentence has a wrong form; ``validate_batch`` checks its content."""
    text = sentence
    if isinstance(sentence, Mapping):
        text = sentence.get("text", sentence.get("sentence"))
    elif not isinstance(sentence, str):
        return "a tagged text or an object was expected"
    if isinstance(text, str) and len(text) > max_characters:
        return f"{len(text)} characters are more than {max_characters}"
    return None


class LabelledSentence(BaseModel):
    """Answer for one sentence."""

    relation: str | None = Field(description="The relation; null where the answer is withheld.")
    probability: float = Field(description="Probability of the guess.")
    abstained: bool = Field(
        description="Whether the guess is below the threshold of the wanted precision."
    )
    guess: str = Field(description="The most probable relation.")
    truncated: bool = Field(
        description="Whether the sentence has more tokens than `max_length` of `/health`; then "
        "only the words around its mentions were read."
    )
    probabilities: dict[str, float] | None = Field(
        None, description="Probability of every relation, on request."
    )

    @classmethod
    def of(cls, prediction: Prediction, *, probabilities: bool) -> Self:
        """Convert a prediction of the extractor."""
        fields = {name: getattr(prediction, name) for name in cls.model_fields}
        if not probabilities:
            del fields["probabilities"]
        return cls(**fields)


class PredictResponse(BaseModel):
    """Answers for the sentences of a request, in their order."""

    predictions: list[LabelledSentence]


class RelationInfo(BaseModel):
    """A label; definition and phrase are null where no schema lies beside the classifier."""

    name: str
    definition: str | None
    phrase: str | None
    head_types: list[str] = Field(description="Types the head may have; none: any.")
    tail_types: list[str] = Field(description="Types the tail may have; none: any.")
    inverse: str | None = Field(description="The label with head and tail exchanged.")
    negative: bool = Field(description="Whether it is the negative relation.")

    @classmethod
    def of(cls, name: str, extractor: RelationExtractor) -> Self:
        """Describe one label of a classifier."""
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
        """Describe the labels of a classifier."""
        types = extractor.entity_types
        return cls(
            relations=[RelationInfo.of(name, extractor) for name in extractor.relations],
            entity_types=None if types is None else sorted(types),
        )


class HealthResponse(BaseModel):
    """State of the service, its classifier and its limits."""

    status: str = Field(description="`ready`, or `stopping` (then with the status 503).")
    model: str = Field(description="SHA-256 of the classifier's weights.")
    backend: str = Field(description="`torch` or `onnxruntime`.")
    calibrated: bool = Field(
        description="Whether a calibrator record calibrates the probabilities."
    )
    wanted_precision: float | None = Field(description="Answers below its threshold are withheld.")
    natural: bool = Field(
        description="Whether sentences are labelled as natural text, most of it without a relation."
    )
    max_length: int = Field(
        description="Tokens of a sentence, markers included, that the classifier reads."
    )
    waiting: int = Field(description="Sentences that wait for the classifier now.")
    versions: dict[str, str]
    limits: ServiceParams
