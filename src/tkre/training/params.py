"""Parameters of training: ``variants.<name>.finetuning`` and ``.setfit`` in ``conf/base``.

Those of pre-training are in ``training.stages``.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from tkre.core.cells import IN_ORDER, KShotSample
from tkre.core.errors import UserError
from tkre.core.params import Params
from tkre.modeling.params import HeadName, Precision, own_heads


class OptimisationParams(Params):
    """AdamW with a linear warm-up and decay.

    Attributes:
        learning_rate: Learning rate of the encoder.
        head_learning_rate: Learning rate of everything new: heads, projections, anchors.
        batch_size: Sentences per step.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the rates rise from 0.
        max_grad_norm: Gradients are clipped to this norm.
        freeze_embeddings: Whether the word embeddings stay as they are.
        precision: Precision of the matrix products; ``auto`` is bf16 where the GPU or CPU has it,
            else fp32.
        compile_layers: Whether torch compiles the encoder's layers, at a stage's first batch.
    """

    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    batch_size: int = Field(16, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    freeze_embeddings: bool = False
    precision: Precision = "auto"
    compile_layers: bool = False


class SentenceParams(Params):
    """Conversion of labelled sentences to tokens.

    Attributes:
        typed_markers: Whether markers, prompts or masked mentions hold entity types, where the
            corpus has any.
        max_length: Longest sentence in tokens; a longer one is cut to the window around its
            mentions.
    """

    typed_markers: bool = True
    max_length: int = Field(128, ge=16)


class RowsParams(SentenceParams):
    """Sentences that a classifier is trained on, beside the golden ones.

    Attributes:
        synthetic: Whether synthetic sentences train.
        annotated: Whether the annotated rows of the sample train.
    """

    synthetic: bool = False
    annotated: bool = False

    @property
    def uses_knowledge(self) -> bool:
        """Whether it needs generated knowledge."""
        return self.synthetic or self.annotated


class AlignmentParams(Params):
    """Pulls a sentence to the explanations and the definition of its relation (InfoNCE).

    Attributes:
        weight: Weight of this loss beside the classifier's.
        temperature: Divisor of the similarities.
    """

    weight: float = Field(0.5, gt=0)
    temperature: float = Field(0.1, gt=0)


# Parts without effect if no annotated rows train.
PARTS_OF_ANNOTATED = (
    "annotation_weights", "annotation_filter", "folds", "true_labels", "text_priors",
)  # fmt: skip
# Parts without effect if nothing is trained.
PARTS_OF_TRAINING = ("synthetic", "annotated", "add_inverted", "alignment", "average")


class FinetuningParams(RowsParams):
    """The classifier and its training; every part of a recipe can be off.

    Attributes:
        head: ``markers`` (Zhou and Chen 2022), ``spans``, ``prompt`` (Han et al. 2022),
            ``virtual_words`` (after Chen et al. 2022), ``prototypes``, or one of another package
            (``tkre.core.params``). The last three of the project's start from phrases or
            definitions of the schema, so they need no training.
        options: Settings of another package's head.
        layers: For ``spans``: encoder layers that are pooled; deeper ones are cut off. ``auto``
            leaves the choice to the training rows (``training.layer_choice``).
        by_order: For ``spans``: whether the tokens between the mentions have other features where
            the tail comes first.
        before_mentions: For ``spans``: whether the two tokens before each mention, prepositions
            for instance, have features.
        part_dropout: For ``spans``: share of the training rows without the features of what is
            between the mentions; half as many are without those of the mentions.
        annotation_weights: Whether annotated rows are weighted by the estimated probability that
            their label is right (``generation.annotation_weights``).
        annotation_filter: Whether annotated rows whose label is a suspected error are left out.
        folds: Folds of the annotated sentences, where these are in order: all of them train, and
            those of a fold are labelled by a classifier of the others to fit the calibrator of
            natural text. With 0, those that are kept out fit it.
        true_labels: Whether annotated rows have the labels of the training split that they come
            from: the upper bound of annotations, for comparison.
        text_priors: Whether the logits are shifted in training by the log shares of the labels
            among rows of the same kind of text, natural or not (logit adjustment, Menon et al.
            2021). The shares of natural text then become a prior that predictions may use.
        distilled_from: The variant whose classifier teaches this one, a larger one for instance:
            its probabilities are the targets of the unlabelled rows that no language model has
            labelled (knowledge distillation, Hinton et al. 2015), all of them where none has
            annotated any. It must be a variant of the same experiment that reads the same rows.
        add_inverted: Whether every row also trains with head and tail exchanged, under the
            inverse relation, where the schema names one.
        both_directions: Whether predictions average a sentence and its inverted reading. A
            classifier that is trained needs ``add_inverted`` for it.
        type_guided: Whether predictions rule out relations that the schema does not allow for
            the types of the mentions, where an instance has types.
        least_probability: Smallest probability of a predicted relation; below it the prediction
            is the negative label, if the schema has one.
        alignment: Pull to explanations and definitions; None is off. Not for ``prompt``, whose
            features are scores.
        trigger_weight: Weight of the loss that supervises the attention of ``spans`` by triggers;
            0 is off, and there is no attention.
        probe_start: Inverse regularisation of the logistic regression on frozen features that
            the last layer of ``spans`` starts from; None starts at random.
        temperature: For ``prototypes``: divisor of the cosines; None is the head's default.
        encoder_dropout: Dropout inside the encoder; None keeps the encoder's configuration.
        head_dropout: Dropout of the head's features. Not for ``prompt``.
        average: Decay of the running average of the weights that is validated and saved; None
            keeps the weights themselves.
        keep_epoch: Epoch that is kept by its validation scores: the ``best``, or the last one
            within ``one_standard_error`` of the best (``finetuning.EpochSelection``).
        validations: Most epochs that are validated, evenly spaced, the last one among them.
        samples_per_relation: Training sentences of a relation in all epochs together; the number
            of epochs follows from it and the number of rows.
        most_samples: Most of all relations together, where there are many; None sets no limit.
        min_epochs: Fewest epochs, also beyond ``most_samples``. If this and
            ``samples_per_relation`` are 0, nothing is trained: the head keeps what it
            starts from.
        optimisation: Its optimiser.
    """

    head: HeadName = "markers"
    options: dict[str, JsonValue] = Field(default_factory=dict)
    layers: tuple[int, ...] | Literal["auto"] = ()
    by_order: bool = False
    before_mentions: bool = False
    part_dropout: float = Field(0.0, ge=0, le=0.6)
    annotation_weights: bool = False
    annotation_filter: bool = False
    folds: int = Field(0, ge=0)
    true_labels: bool = False
    text_priors: bool = False
    distilled_from: str | None = None
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
    most_samples: int | None = Field(None, gt=0)
    min_epochs: int = Field(4, ge=0)
    optimisation: OptimisationParams

    @model_validator(mode="after")
    def _parts_fit_the_head(self) -> Self:
        heads = own_heads()
        if self.head not in heads:
            return self
        allowed = heads[self.head].parts
        if "layers" in allowed and not self.layers:
            raise ValueError(f"head {self.head!r} needs layers: [3, 4], for instance, or auto")
        if self.options:
            raise ValueError(f"head {self.head!r} has no options")
        for part in sorted({part for kind in heads.values() for part in kind.parts}):
            default = type(self).model_fields[part].default
            if part not in allowed and getattr(self, part) != default:
                having = ", ".join(repr(name) for name, kind in heads.items() if part in kind.parts)
                raise ValueError(f"{part} is a part of head {having}, not of {self.head!r}")
        return self

    @model_validator(mode="after")
    def _inverted_readings_are_trained(self) -> Self:
        if self.trained and self.both_directions and not self.add_inverted:
            raise ValueError(
                "both_directions without add_inverted: the classifier would read inverted "
                "sentences without training on any. Set add_inverted, or both_directions to false"
            )
        return self

    @model_validator(mode="after")
    def _needs_annotated_rows(self) -> Self:
        if not self.annotated:
            for part in PARTS_OF_ANNOTATED:
                if getattr(self, part):
                    raise ValueError(f"{part} is about annotated rows: set annotated, too")
        if self.folds == 1:
            raise ValueError("folds 1: a classifier of the other folds would have no annotated row")
        if self.folds and (self.annotation_weights or self.annotation_filter):
            raise ValueError(
                "folds train all annotated rows, and only those that are not kept out are judged: "
                "set annotation_weights and annotation_filter to false, or folds to 0"
            )
        if self.folds and self.distilled_from:
            raise ValueError("the classifiers of folds have no teacher: set folds to 0")
        return self

    @model_validator(mode="after")
    def _needs_training(self) -> Self:
        if self.samples_per_relation and not self.min_epochs:
            raise ValueError(
                "min_epochs 0 means no training at all: then samples_per_relation are 0 too"
            )
        if self.trained:
            return self
        kind = own_heads().get(self.head)
        if kind and not kind.untrained:
            raise ValueError(f"head {self.head!r} starts random, so it needs at least one epoch")
        for part in PARTS_OF_TRAINING:
            if getattr(self, part):
                raise ValueError(f"{part} is a part of training, and with 0 epochs there is none")
        return self

    @property
    def trained(self) -> bool:
        """Whether there is any training."""
        return self.min_epochs > 0

    def cross_fits(self, sample: KShotSample) -> bool:
        """Whether the annotated rows of a sample all train, fold by fold.

        Rows that were chosen are no random sample, so a calibrator is fitted on those kept out.
        """
        return self.folds > 0 and sample.annotated > 0 and sample.chosen == IN_ORDER

    @property
    def of_the_order(self) -> dict[str, Any]:
        """The parts that tell the order of the mentions, those that are on, each switched off.

        They are of no use where the head always comes first: inverted rows would train weights that
        no row of the corpus reads.
        """
        off = {"by_order": False, "before_mentions": False, "part_dropout": 0.0}
        return {name: value for name, value in off.items() if getattr(self, name) != value}

    @property
    def uses_knowledge(self) -> bool:
        """Whether it needs generated knowledge."""
        aligned = self.alignment is not None
        return super().uses_knowledge or aligned or self.trigger_weight > 0

    def epochs(self, rows: int, relations: int) -> int:
        """Number of epochs for a number of training rows and of relations.

        Raises:
            ValueError: There are no rows, and training is asked for.
        """
        if not self.trained:
            return 0
        if not rows:
            raise UserError(
                "there are no rows to train on: give some shots or synthetic sentences, or take a "
                "variant that needs none (head prompt, virtual_words or prototypes; "
                "samples_per_relation 0, min_epochs 0)"
            )
        samples = self.samples_per_relation * relations
        if self.most_samples is not None:
            samples = min(samples, self.most_samples)
        return max(self.min_epochs, round(samples / rows))


class MissingPackage(UserError, RuntimeError):
    """A package that a variant needs is not installed; the message says how to install it."""


class SetFitParams(RowsParams):
    """SetFit, by its own package (``training.setfit``).

    A sentence longer than ``max_length`` is cut at its end.

    Attributes:
        samples_per_relation: Training sentences of a relation in all, two with every pair, as many
            pairs alike as not; None takes every pair once, SetFit's default, which grows with
            the square of the rows.
        learning_rate: Learning rate of the sentence encoder.
        batch_size: Pairs per step.
        precision: Precision of the matrix products; ``auto`` is bf16 where the GPU or CPU has it,
            else fp32.
    """

    samples_per_relation: int | None = Field(None, gt=0)
    learning_rate: float = Field(2e-5, gt=0)
    batch_size: int = Field(16, gt=0)
    precision: Precision = "auto"

    def iterations(self, rows: int, relations: int) -> int | None:
        """SetFit's ``num_iterations``: pairs of each kind per row; None for all pairs."""
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
