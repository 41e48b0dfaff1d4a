"""The stages of pre-training: their registry and their parameters. Imports no torch.

A new stage has a class of parameters, a field of ``PretrainingParams`` and an entry of ``STAGES``
here, and a function that prepares it like those of ``training.pretraining``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tkre.core.params import Params, Registry
from tkre.modeling.params import ContrastParams, MaskingParams
from tkre.training.params import OptimisationParams, SentenceParams

TEXTS, PAIRS = "pretraining_texts", "pretraining_pairs"
ANNOTATED = "annotated"  # a source: annotated rows, with their triggers


class StageParams(Params):
    """Parameters of every stage; with 0 epochs it is left out.

    Attributes:
        epochs: Passes over its data.
        most_samples: Most rows shown in all epochs together: with more rows there are fewer
            epochs, at least one. None sets no limit.
        optimisation: Its optimiser.
    """

    epochs: int = Field(ge=0)
    most_samples: int | None = Field(None, gt=0)
    optimisation: OptimisationParams

    def epochs_of(self, rows: int) -> int:
        """Number of epochs over a number of rows."""
        if self.most_samples is None or not self.epochs:
            return self.epochs
        return max(1, min(self.epochs, round(self.most_samples / rows)))


class TextParams(StageParams):
    """A stage on knowledge texts: ``l1 * MSLM + l2 * SCL``.

    Attributes:
        mslm_weight: l1, weight of masked span language modelling.
        scl_weight: l2, weight of span-level contrastive learning.
    """

    mslm_weight: float = Field(1.0, ge=0)
    scl_weight: float = Field(0.0, ge=0)


class PairsParams(StageParams, SentenceParams):
    """The contrast of marked pairs (``pretraining.pair_training``). Not in the paper.

    Attributes:
        layers: Encoder layers that are pooled; deeper ones stay as they are.
        add_inverted: Whether every sentence also trains with head and tail exchanged, under the
            inverse relation.
        temperature: Divisor of the similarities to explanations and definitions.
        dropout: Dropout of the features.
    """

    layers: tuple[int, ...]
    add_inverted: bool = True
    temperature: float = Field(0.1, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)


@dataclass(frozen=True)
class Stage:
    """A stage of pre-training; its name is also the name of its loss.

    Attributes:
        description: The stage in words, for recipes.
        loss: Title of its loss, for charts.
        params: Class of its parameters.
        reads: Dataset it learns from: ``TEXTS``, knowledge texts, or ``PAIRS``, labelled sentences.
        masks: Whether it reads ``pretraining.masking``.
        contrasts: Whether it reads ``pretraining.contrast``.
        function: Name of the function that prepares it, ``package.module:name``; it needs torch.
    """

    description: str
    loss: str
    params: type[StageParams]
    reads: str
    function: str
    masks: bool = False
    contrasts: bool = False

    @property
    def prepare(self) -> Callable[..., Any]:
        """The function that returns a ``pretraining.StageTraining``; imports torch."""
        function: Callable[..., Any] = resolve_name(self.function)
        return function


_MSLM = Stage(
    description="masked span language modelling",
    loss="MSLM loss",
    params=TextParams,
    reads=TEXTS,
    function="tkre.training.pretraining:text_training",
    masks=True,
)
# In the order of a chain.
STAGES: Registry[Stage] = Registry(
    "tkre.stages",
    {
        "mslm": _MSLM,
        "scl": replace(
            _MSLM,
            description="masked span language modelling with span contrast",
            loss="MSLM and SCL loss",
            contrasts=True,
        ),
        "pairs": Stage(
            description="contrast of marked pairs with explanations and definitions",
            loss="pair contrast loss",
            params=PairsParams,
            reads=PAIRS,
            function="tkre.training.pretraining:pair_training",
        ),
    },
)


class PretrainingParams(Params):
    """Further pre-training of an encoder on knowledge, in chained stages; None leaves one out.

    Attributes:
        sources: Kinds of knowledge texts: ``explanation``, ``synthetic``, ``support``,
            ``annotated``.
        masking: Masking probabilities.
        contrast: The contrastive loss of the second stage.
        mslm: The first stage.
        scl: The second stage, which starts from the first one's weights.
        pairs: A third one, not in the paper: pairs as the classifier reads them, against
            explanations and definitions.
    """

    sources: tuple[Literal["explanation", "synthetic", "support", "annotated"], ...]
    masking: MaskingParams = MaskingParams()
    contrast: ContrastParams = ContrastParams()
    mslm: TextParams | None = None
    scl: TextParams | None = None
    pairs: PairsParams | None = None

    @model_validator(mode="after")
    def _has_a_stage(self) -> Self:
        if not self.stages:
            raise ValueError("no stage has an epoch: leave out pretraining as a whole (null)")
        return self

    def of(self, stage: str) -> Any:
        """The parameters of a stage; None if it is left out."""
        return getattr(self, stage)

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """The stages that run, by name, with the settings that decide their encoders."""
        parts = {name: self.of(name) for name in STAGES}
        return {name: self.settings(name) for name, part in parts.items() if part and part.epochs}

    def settings(self, stage: str) -> dict[str, Any]:
        """The settings that decide the encoder of a stage, earlier stages included.

        Two recipes with the same settings give the same encoder. A stage without a contrast still
        draws spans for it from the generator of the masks.
        """
        settings = self.model_dump(mode="json")
        order = list(STAGES)
        place = order.index(stage) + 1
        for later in order[place:]:
            del settings[later]
        if not any(STAGES[name].contrasts for name in order[:place]):
            settings["contrast"] = {"other_spans": self.contrast.other_spans}
        return settings
