"""Parameters of the models and losses: masking, contrast, classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from tkre.core.params import Params, Registry

if TYPE_CHECKING:
    from tkre.modeling.encodings import Encoding
    from tkre.modeling.heads import Head
    from tkre.modeling.losses import Contrast


@dataclass(frozen=True)
class HeadKind:
    """A kind of classifier head, described without torch.

    Recipes read the last three attributes of the project's own kinds only: a kind of another
    package is not imported to validate a parameter.

    Attributes:
        head: The class, as ``package.module:name``; it is imported when it is used.
        encoding: The function that encodes sentences for it (``modeling.encodings``), likewise.
        description: The head in words; ``{typed}`` and ``{layers}`` are filled in.
        parts: The parameters of fine-tuning it has, of those that only some heads have.
        untrained: Whether it can label without training, by the definitions or phrases of the
            schema.
    """

    head: str
    encoding: str
    description: str = ""
    parts: tuple[str, ...] = ()
    untrained: bool = False

    @property
    def head_class(self) -> type[Head]:
        """The class; imports torch."""
        loaded: type[Head] = resolve_name(self.head)
        return loaded

    @property
    def encode(self) -> Encoding:
        """The function that encodes sentences."""
        function: Encoding = resolve_name(self.encoding)
        return function


HEADS: Registry[HeadKind] = Registry(
    "tkre.heads",
    {
        "markers": HeadKind(
            "tkre.modeling.heads:MarkerHead",
            "tkre.modeling.encodings:marked",
            description="a perceptron on the states of two {typed}entity markers",
            parts=("alignment", "head_dropout"),
        ),
        "spans": HeadKind(
            "tkre.modeling.heads:SpanHead",
            "tkre.modeling.encodings:marked",
            description="a perceptron on the pooled words of both mentions and of what stands "
            "between them (layers {layers})",
            parts=(
                "alignment",
                "head_dropout",
                "layers",
                "by_order",
                "before_mentions",
                "part_dropout",
                "trigger_weight",
                "probe_start",
            ),
        ),
        "prompt": HeadKind(
            "tkre.modeling.prompt_heads:PromptHead",
            "tkre.modeling.encodings:with_phrases",
            description="the masked-language-model head, which fills in each relation's phrase "
            "between the mentions",
            untrained=True,
        ),
        "virtual_words": HeadKind(
            "tkre.modeling.prompt_heads:KnowPromptHead",
            "tkre.modeling.encodings:with_one_mask",
            description="one masked word between the mentions, compared with a trained word for "
            "each relation",
            parts=("alignment", "head_dropout"),
            untrained=True,
        ),
        "prototypes": HeadKind(
            "tkre.modeling.heads:PrototypeHead",
            "tkre.modeling.encodings:masked",
            description="the likeness of a sentence to the definitions of the relations",
            parts=("alignment", "head_dropout", "temperature"),
            untrained=True,
        ),
    },
)
LOSSES: Registry[Contrast] = Registry("tkre.losses", {"spans": "tkre.modeling.losses:SpanContrast"})

LossName = Annotated[str, AfterValidator(LOSSES.check)]
HeadName = Annotated[str, AfterValidator(HEADS.check)]


def own_heads() -> dict[str, HeadKind]:
    """The project's kinds of heads by name; imports none of them."""
    return {name: kind for name, kind in HEADS.entries.items() if not isinstance(kind, str)}


# ``auto`` is bf16 where the GPU or CPU multiplies in bf16, else fp32.
Precision = Literal["auto", "fp32", "bf16"]


class MaskingParams(Params):
    """Masked span language modelling (``modeling.span_masking``).

    Attributes:
        relation: Probability that a token of a relation span is masked (paper: 0.8).
        entity: The same of a mention (paper: 0.5).
        other: The same of any other token (paper: 0.2).
        max_span_words: A relation span of more words is masked word by word.
        max_length: Longest text in tokens; more is cut off, and counted.
        to_mask: Share of the masked units that become mask tokens.
        to_random: Share that become random tokens; the rest stays as it is.
    """

    relation: float = Field(0.8, ge=0, le=1)
    entity: float = Field(0.5, ge=0, le=1)
    other: float = Field(0.2, ge=0, le=1)
    max_span_words: int = Field(6, ge=1)
    max_length: int = Field(256, ge=8)
    to_mask: float = Field(0.8, ge=0, le=1)
    to_random: float = Field(0.1, ge=0, le=1)


class ContrastParams(Params):
    """Span-level contrastive learning (``modeling.losses``).

    Attributes:
        loss: ``spans``, or one of another package (``tkre.core.params``).
        options: Settings of another package's loss; the project's own has none.
        temperature: tau of the loss.
        dimension: Dimension of the space in which anchors and spans are compared.
        other_spans: Negatives per text that are other spans of the same sentence.
        inverted_negatives: Whether the pair with head and tail exchanged is a negative, for
            relations that have a direction.
    """

    loss: LossName = "spans"
    options: dict[str, JsonValue] = Field(default_factory=dict)
    temperature: float = Field(0.1, gt=0)
    dimension: int = Field(128, gt=0)
    other_spans: int = Field(1, ge=0)
    inverted_negatives: bool = True

    @model_validator(mode="after")
    def _options_are_read(self) -> Self:
        if self.options and self.loss in LOSSES.entries:
            raise ValueError(f"loss {self.loss!r} has no options")
        return self
