"""Request and response models of the service, as its OpenAPI document shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Self

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from tkre.core.documents import DocumentError, parse_json
from tkre.core.files import not_utf8
from tkre.core.instance import Instance
from tkre.corpora.unlabelled import validate_batch
from tkre.serving.api.limits import ServiceParams
from tkre.serving.extractor import Prediction, RelationExtractor

EXAMPLE = "<head>Ada Lovelace</head> was born in <tail>London</tail>."
_Type = Annotated[
    StrictStr | None,
    Field(description="An entity type of `/relations`; left out: unknown."),
]
_Place = Annotated[StrictInt, Field(ge=0)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Record(_Read):
    id: StrictStr | StrictInt | None = Field(None, description="It comes back with the answer.")
    head_type: _Type = None
    tail_type: _Type = None
    relation: StrictStr | None = Field(
        None, description="Not read: labelled rows may be sent as they are. So is `implicit`."
    )
    implicit: StrictBool | None = None


class TaggedSentence(_Record):
    """A sentence with its mentions in tags, and their types if they are known."""

    sentence: StrictStr = Field(examples=[EXAMPLE])


class SentenceWithSpans(_Record):
    """A plain text with the places of its two mentions, and their types if they are known."""

    text: StrictStr = Field(examples=["Ada Lovelace was born in London."])
    head: tuple[_Place, _Place] = Field(
        description="Start and end of the head mention in characters, half-open. Characters are "
        "code points: where strings count UTF-16 units, as in JavaScript, an emoji is two.",
        examples=[[0, 12]],
    )
    tail: tuple[_Place, _Place] = Field(
        description="Start and end of the tail mention.", examples=[[25, 31]]
    )


_FORMS = [{"type": "string"}, *(m.model_json_schema() for m in (TaggedSentence, SentenceWithSpans))]

_AnyForm = Annotated[Any, WithJsonSchema({"anyOf": _FORMS})]


class LabelRequest(_Read):
    """Sentences to label, each in any of the three forms. ``request_model`` adds the limits."""

    sentences: list[_AnyForm]
    probabilities: StrictBool = Field(False, description="Return probabilities of all relations.")


def request_model(params: ServiceParams) -> type[LabelRequest]:
    """Model of a request's body; its sentences are not read yet (``read_request``)."""
    spans = {"text": "Ada Lovelace was born in London.", "head": [0, 12], "tail": [25, 31]}
    limits = Field(min_length=1, max_length=params.max_sentences, examples=[[EXAMPLE, spans]])
    return create_model(
        "PredictRequest",
        __base__=LabelRequest,
        sentences=(list[_AnyForm], limits),
    )


def read_request(
    body: bytes, model: type[LabelRequest], types: Collection[str] | None, params: ServiceParams
) -> tuple[list[Instance], LabelRequest]:
    """The instances of a request's body, and the request.

    Args:
        body: JSON in UTF-8.
        model: Model of the body.
        types: Entity types of the classifier; None accepts any.
        params: Limits.

    Raises:
        RequestValidationError: The body is no such request; each bad sentence is an error with its
            position.
    """
    try:
        request = model.model_validate(parse_json(body.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise _invalid(("json_invalid", ("body", error.start), not_utf8(error))) from None
    except DocumentError as error:
        raise _invalid(("json_invalid", ("body", error.at or 0), str(error))) from None
    except ValidationError as error:
        found = error.errors(include_input=False)
        raise _invalid(*((p["type"], ("body", *p["loc"]), p["msg"]) for p in found)) from None
    instances: list[Instance] = []
    bad: dict[int, str] = {}
    taken: dict[str, str] = {}
    for n, sentence in enumerate(request.sentences):
        if reason := _too_long(sentence, params.max_characters):
            bad[n] = reason
            continue
        read, problems = validate_batch([sentence], types, n, taken)
        instances += read.values()
        bad |= problems
    if bad:
        errors = [("sentence", ("body", "sentences", n), reason) for n, reason in bad.items()]
        raise _invalid(*errors)
    return instances, request


def _invalid(*errors: tuple[str, tuple[str | int, ...], str]) -> RequestValidationError:
    return RequestValidationError(
        [{"type": kind, "loc": loc, "msg": message} for kind, loc, message in errors]
    )


def _too_long(sentence: Any, most: int) -> str | None:
    record = sentence if isinstance(sentence, Mapping) else {"text": sentence}
    for text in (record.get("text"), record.get("sentence")):
        if isinstance(text, str) and len(text) > most:
            return f"{len(text)} characters are more than {most}"
    return None


class LabelledSentence(BaseModel):
    """Answer for one sentence."""

    id: str | None = Field(None, description="Id of the sentence, if it had one.")
    relation: str | None = Field(
        description="The relation, the negative one for none of the schema; null where the answer "
        "is withheld."
    )
    verdict: str = Field(
        description="`relation`: it holds; `no relation of the schema`; `no relation is probable "
        "enough`: the most probable one is below the classifier's limit; `withheld`."
    )
    probability: float = Field(description="Probability of the label `guess`.")
    abstained: bool = Field(
        description="Whether the guess is below the threshold of the wanted precision."
    )
    guess: str = Field(description="The label, withheld or not.")
    untyped: bool = Field(
        description="Whether a mention has no type although the classifier knows types: the answer "
        "is less certain. `head_type` and `tail_type` give them."
    )
    truncated: bool = Field(
        description="Whether the sentence has more tokens than `max_length` of `/health`; then "
        "only the words around its mentions were read."
    )
    probabilities: dict[str, float] | None = Field(
        None, description="Probability of every relation, on request."
    )

    @classmethod
    def of(cls, prediction: Prediction, sentence: Any, *, probabilities: bool) -> Self:
        """Convert a prediction of the extractor for a sentence of the request."""
        fields = {name: getattr(prediction, name) for name in cls.model_fields if name != "id"}
        if not probabilities:
            del fields["probabilities"]
        if isinstance(sentence, Mapping) and sentence.get("id") is not None:
            fields["id"] = str(sentence["id"])
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
