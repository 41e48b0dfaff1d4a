"""What a checkpoint was made from: proof that the stages were chained, not merely run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tkre.environment import Environment
from tkre.params import Params

if TYPE_CHECKING:  # it is a third of a second, and every command reads this module
    import pandas as pd

LINEAGE_FILE = "lineage.json"  # in the folder of a checkpoint


class LineageError(RuntimeError):
    """A checkpoint that does not come from where it should; the message says what differs."""


class Step(Params):
    """One stage of training.

    Attributes:
        stage: ``mslm``, ``scl`` or ``finetuning``.
        started_from: Digest of the weights it was given.
        weights: Digest of the weights it gave.
        data: Digest of the rows it was trained on.
        settings: Its parameters.
        seconds: Wall time of the training.
        environment: Where and when; nothing is compared by it. None in older records.
    """

    stage: str
    started_from: str
    weights: str
    data: str
    settings: dict[str, Any]
    seconds: float
    environment: Environment | None = None


class Lineage(Params):
    """The steps from a backbone to the weights of a checkpoint.

    Attributes:
        backbone: Name of the backbone.
        origin: Digest of the backbone's weights.
        steps: In the order they were taken.
    """

    backbone: str
    origin: str
    steps: tuple[Step, ...] = ()

    @property
    def weights(self) -> str:
        """Digest of the weights that the last step gave."""
        return self.steps[-1].weights if self.steps else self.origin

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(step.seconds for step in self.steps)

    def then(self, step: Step) -> Lineage:
        """The lineage with one more step.

        Raises:
            LineageError: The step did not start from these weights.
        """
        if step.started_from != self.weights:
            raise LineageError(
                f"stage {step.stage} started from weights {step.started_from[:12]}..., not from "
                f"{self.weights[:12]}..., which the stage before it gave"
            )
        return self.model_copy(update={"steps": (*self.steps, step)})

    def require(
        self, *, origin: str, stages: Mapping[Any, dict[str, Any]], data: Mapping[str, str]
    ) -> None:
        """Checks that a checkpoint is the one that a cell needs.

        Args:
            origin: Digest of the cell's backbone.
            stages: The stages of its pre-training, with their settings.
            data: Digest of the knowledge of its draw, by stage.

        Raises:
            LineageError: It comes from another backbone, other stages or other knowledge, or its
                stages had other settings.
        """
        expected = {
            "backbone": origin,
            "stages": list(stages),
            "knowledge": [data[stage] for stage in stages],
            "settings": [digest_of(settings) for settings in stages.values()],
        }
        actual = {
            "backbone": self.origin,
            "stages": [step.stage for step in self.steps],
            "knowledge": [step.data for step in self.steps],
            "settings": [digest_of(step.settings) for step in self.steps],
        }
        for what, wanted in expected.items():
            if actual[what] != wanted:
                raise LineageError(
                    f"this encoder is not the cell's: its {what} is {_short(actual[what])}, the "
                    f"cell's is {_short(wanted)}. Run the pipeline knowledge_pretraining again."
                )


def seconds_of(lineages: Iterable[Lineage]) -> float:
    """Wall time of all their steps; one that several share is counted once, as it is trained once.

    The same weights from the same weights are the same step.
    """
    steps = {
        (step.started_from, step.weights): step.seconds
        for lineage in lineages
        for step in lineage.steps
    }
    return sum(steps.values())


def frame_digest(frame: pd.DataFrame) -> str:
    """SHA-256 of the rows of a frame, whatever file format it went through."""
    # Parquet gives arrays back for lists; to JSON they are the same.
    content = json.loads(frame.to_json(orient="records"))
    return digest_of(content)


def digest_of(content: Any) -> str:
    """SHA-256 of a value that JSON can hold."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _short(value: Any) -> str:
    return str([v[:12] for v in value] if isinstance(value, list) else value[:12])
