"""Parameters of training: ``variants.<name>.pretraining`` and ``.finetuning`` in ``conf/base``.

Parameters of the SetFit baseline: ``variants.<name>.setfit`` in ``conf/base``.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from tkre.core.params import Params
from tkre.modeling.params import HEAD_TRAITS, HeadName


class OptimisationParams(Params):
    """AdamW with a linear warm-up and decay.

    Attributes:
        learning_rate: Of the encoder.
        head_learning_rate: Of everything that is new: heads, projections, anchors.
        batch_size: Sentences per step.
        weight_decay: Of AdamW.
        warmup: Share of the steps in which the rates rise from 0.
        max_grad_norm: Gradients are clipped to this norm.
        freeze_embeddings: Whether the word embeddings stay as they are.
        precision: Of the matrix products; ``auto`` is bf16 where the GPU or CPU has it, else fp32.
        compile_layers: Whether torch compiles the encoder's layers, at a stage's first batch.
    """

    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    batch_size: int = Field(16, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    freeze_embeddings: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile_layers: bool = False


class AlignmentParams(Params):
    """Pulls a sentence to the explanations and the definition of its relation (InfoNCE).

    Attributes:
        weight: Of this loss beside the classifier's.
        temperature: Of the similarities.
    """

    weight: float = Field(0.5, gt=0)
    temperature: float = Field(0.1, gt=0)


# Parts that do nothing where nothing is trained.
PARTS_OF_TRAINING = ("synthetic", "add_inverted", "alignment", "average")


class FinetuningParams(Params):
    """The classifier and its training; every part of a recipe is a parameter that can be off.

    Attributes:
        head: ``markers`` (Zhou and Chen 2022), ``spans`` (both ``modeling.heads``), ``prompt``
            (Han et al. 2022), ``virtual_words`` (after Chen et al. 2022; both ``modeling.prompt_head``)
            or ``prototypes`` (``modeling.prototypes``). The last three know the relations by what
            the schema says of them, so they need no training. Or one of another package
            (``tkre.core.params``).
        options: Settings of another package's head; the project's own have none.
        layers: For ``spans``: encoder layers that are pooled; deeper ones are cut off.
        typed_markers: Whether markers (or prompts, or roles) hold entity types, where the corpus
            has any.
        max_length: Longest sentence in tokens; of a longer one the window around its mentions.
        synthetic: Whether synthetic sentences are trained on beside the golden ones.
        add_inverted: Whether every row is also shown with head and tail exchanged, under the inverse
            relation; rows whose relation has no inverse in the schema are not.
        both_directions: Whether the classifier reads a sentence both ways when it predicts. One
            that is trained must have been shown both ways: with ``add_inverted``.
        type_guided: Whether relations that the schema does not allow for the types of the mentions
            are ruled out when it predicts, where an instance has types.
        least_probability: What a relation must reach to be predicted; where none does the
            prediction is the negative label. Without one in the schema, nothing.
        alignment: Pull to explanations and definitions; None is off. Not for ``prompt``, whose
            features are scores.
        trigger_weight: Weight of supervising the attention of ``spans`` by triggers; 0 is off,
            and there is no attention.
        probe_start: Inverse regularisation of the logistic regression on frozen features that
            the last layer of ``spans`` starts from; None starts at random.
        temperature: For ``prototypes``: what likenesses are divided by; None is the head's own.
        encoder_dropout: Inside the encoder; None leaves what its configuration says.
        head_dropout: Of the head's features. Not for ``prompt``.
        average: Decay of the running average of the weights that is validated and saved; None
            takes the weights themselves.
        keep_epoch: Which epoch is kept by its validation scores: the ``best``, or the last one
            within ``one_standard_error`` of the best (``training.selection``).
        validations: How many epochs are validated at most, evenly spread, the last one among them.
        samples_per_relation: How many sentences of a relation are shown in all, so that epochs follow
            from the number of rows.
        min_epochs: At least so many. With 0 of both nothing is trained: the classifier is what
            its head knows from the schema.
        optimisation: Its optimiser.
    """

    head: HeadName = "markers"
    # Not in records that say nothing by it: classifiers from before it was there stay good.
    options: dict[str, JsonValue] = Field(default_factory=dict, exclude_if=lambda of: not of)
    layers: tuple[int, ...] = ()
    typed_markers: bool = True
    max_length: int = Field(128, ge=16)
    synthetic: bool = False
    add_inverted: bool = False
    both_directions: bool = False
    type_guided: bool = False
    least_probability: float = Field(0.0, ge=0, lt=1)
    alignment: AlignmentParams | None = None
    trigger_weight: float = Field(0.0, ge=0)
    probe_start: float | None = Field(None, gt=0)
    temperature: float | None = Field(None, gt=0)
    encoder_dropout: float | None = Field(None, ge=0, lt=1)
    head_dropout: float = Field(0.1, ge=0, lt=1)
    average: float | None = Field(None, gt=0, lt=1)
    keep_epoch: Literal["best", "one_standard_error"] = "best"
    validations: int = Field(10, ge=1)
    samples_per_relation: int = Field(160, ge=0)
    min_epochs: int = Field(4, ge=0)
    optimisation: OptimisationParams

    @model_validator(mode="after")
    def _parts_fit_the_head(self) -> Self:
        if self.head not in HEAD_TRAITS:
            return self
        allowed = HEAD_TRAITS[self.head].parts
        if "layers" in allowed and not self.layers:
            raise ValueError(f"head {self.head!r} needs layers, e.g. [3, 4]")
        if self.options:
            raise ValueError(f"head {self.head!r} has no options")
        for part in sorted({part for traits in HEAD_TRAITS.values() for part in traits.parts}):
            default = type(self).model_fields[part].default
            if part not in allowed and getattr(self, part) != default:
                heads = [repr(name) for name, t in HEAD_TRAITS.items() if part in t.parts]
                raise ValueError(
                    f"{part} is a part of head {', '.join(heads)}, not of {self.head!r}"
                )
        return self

    @model_validator(mode="after")
    def _what_is_read_was_shown(self) -> Self:
        if self.trained and self.both_directions and not self.add_inverted:
            raise ValueError(
                "both_directions without add_inverted: sentences would be read in a way that training has "
                "never shown. Set add_inverted, or both_directions to false"
            )
        return self

    @model_validator(mode="after")
    def _what_is_not_trained_can_do_without(self) -> Self:
        if self.samples_per_relation and not self.min_epochs:
            raise ValueError(
                "min_epochs 0 means no training at all: then samples_per_relation are 0 too"
            )
        if self.trained:
            return self
        if self.head in HEAD_TRAITS and not HEAD_TRAITS[self.head].untrained:
            raise ValueError(f"head {self.head!r} starts random, so it needs at least one epoch")
        for part in PARTS_OF_TRAINING:
            if getattr(self, part):
                raise ValueError(f"{part} is a part of training, and with 0 epochs there is none")
        return self

    @property
    def trained(self) -> bool:
        """Whether there is any training."""
        return self.min_epochs > 0

    @property
    def uses_knowledge(self) -> bool:
        """Whether it needs what a language model wrote."""
        return self.synthetic or self.alignment is not None or self.trigger_weight > 0

    def epochs(self, rows: int, relations: int) -> int:
        """Passes over so many rows of so many relations.

        Raises:
            ValueError: There are no rows, and training is asked for.
        """
        if not self.trained:
            return 0
        if not rows:
            raise ValueError(
                "there are no rows to train on: give some shots or synthetic sentences, or take a "
                "variant that needs none (head prompt, virtual_words or prototypes; samples_per_relation 0, "
                "min_epochs 0)"
            )
        return max(self.min_epochs, round(self.samples_per_relation * relations / rows))


class MissingPackage(RuntimeError):
    """A package that a variant needs is not installed; the message says how to install it."""


class SetFitParams(Params):
    """SetFit, by its own package, on the golden rows (``training.setfit_baseline``).

    Attributes:
        typed_markers: Whether the markers in the text hold entity types, where there are any.
        max_length: Longest sentence in tokens; a longer one is cut at its end.
        samples_per_relation: How many sentences of a relation are shown in all, two with every pair, as
            many pairs alike as not; None takes every pair there is once, as SetFit does by
            itself, which grows with the square of the rows.
        learning_rate: Of the sentence encoder.
        batch_size: Pairs per step.
        precision: Of the matrix products; ``auto`` is bf16 where the GPU or CPU has it, else fp32.
    """

    typed_markers: bool = True
    max_length: int = Field(128, ge=16)
    samples_per_relation: int | None = Field(None, gt=0)
    learning_rate: float = Field(2e-5, gt=0)
    batch_size: int = Field(16, gt=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def iterations(self, rows: int, relations: int) -> int | None:
        """SetFit's word for how often a row leads a pair that is alike, and one that is not."""
        if self.samples_per_relation is None:
            return None
        return max(1, round(self.samples_per_relation * relations / (4 * rows)))

    def check(self) -> None:
        """Refuses a run without the package.

        Raises:
            MissingPackage: It is not installed; the message says how to install it.
        """
        if find_spec("setfit") is None:
            raise MissingPackage(
                "a variant with `setfit` needs the package setfit, which is not installed: "
                "pip install -c constraints.txt -e '.[baselines]'"
            )
