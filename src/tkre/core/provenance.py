"""Provenance: the environment of a result, digests, and the lineage of a checkpoint.

The environment is read without importing the libraries whose versions it lists. A lineage proves
that stages were chained, not merely run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from tkre.core.errors import UserError
from tkre.core.instance import Instance, to_frame
from tkre.core.params import Params

if TYPE_CHECKING:  # it is a third of a second, and every command reads this module
    import pandas as pd


LIBRARIES = (
    "tkre", "kedro", "kedro-datasets", "numpy", "pandas", "scikit-learn", "torch", "transformers",
    "accelerate", "setfit", "vllm", "openai", "ray",
)  # fmt: skip
_PATIENCE = 10.0  # seconds for git; a report does not wait for a slow disk


class Environment(Params):
    """Environment of a result: what it may depend on beside code, parameters and data.

    Attributes:
        finished: Time in UTC, as ISO 8601.
        revision: Git revision of the code; None outside a repository.
        modified: Whether the code differed from the revision; None outside a repository.
        python: Version of Python.
        platform: System and architecture.
        processor: Name of the processor.
        cores: Number of cores.
        libraries: Versions of installed libraries.
        device: Name of the device; None where nothing was trained.
        threads: Number of threads; None where nothing was trained.
        precision: Precision of matrix products; None where nothing was trained.
    """

    finished: str
    revision: str | None
    modified: bool | None
    python: str
    platform: str
    processor: str
    cores: int | None
    libraries: dict[str, str]
    device: str | None = None
    threads: int | None = None
    precision: str | None = None


def environment(
    device: str | None = None, threads: int | None = None, precision: str | None = None
) -> Environment:
    """The environment of this process, now.

    Args:
        device: Name of the device, for training.
        threads: Number of threads, for training.
        precision: Precision of matrix products, for training.
    """
    revision, modified = _revision(Path(__file__).parent)
    return Environment(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=revision,
        modified=modified,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()}, {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count(),
        libraries=versions(LIBRARIES),
        device=device,
        threads=threads,
        precision=precision,
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of the installed packages among those given."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@cache  # the code that runs is that of the first call
def _revision(folder: Path) -> tuple[str | None, bool | None]:
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None, None
    changes = _git(folder, "status", "--porcelain")
    return head, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of git; None without git or a repository."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


class Environments(Params):
    """Environments of a report.

    Attributes:
        reported: Environment that the scores were put together in.
        trained: Environments that the classifiers were trained in, each once.
    """

    reported: Environment
    trained: tuple[Environment, ...]

    @classmethod
    def of(cls, lineages: Iterable[Lineage]) -> Self:
        """The environment of this process, and those in which the lineages' steps were trained."""
        trained = {
            step.environment.model_dump_json(exclude={"finished"}): step.environment
            for lineage in lineages
            for step in lineage.steps
            if step.environment is not None
        }
        return cls(reported=environment(), trained=tuple(trained.values()))


LINEAGE_FILE = "lineage.json"  # in the folder of a checkpoint


class LineageError(UserError, RuntimeError):
    """A checkpoint with an unexpected origin; the message says what differs."""


class Step(Params):
    """One stage of training.

    Attributes:
        stage: ``mslm``, ``scl`` or ``finetuning``.
        started_from: Digest of the initial weights.
        weights: Digest of the trained weights.
        data: Digest of the training data.
        settings: Parameters of the stage.
        chosen: Those that its data chose where the parameters leave it open.
        teacher: Digest of the probabilities of the classifier that it was distilled from.
        seconds: Wall time of the training, and of that of the classifiers of its folds.
        environment: Environment, never compared; None in older records.
    """

    stage: str
    started_from: str
    weights: str
    data: str
    settings: dict[str, Any]
    chosen: dict[str, Any] = Field(default_factory=dict)
    teacher: str | None = None
    seconds: float
    environment: Environment | None = None


class Lineage(Params):
    """The steps from a backbone to the weights of a checkpoint.

    Attributes:
        backbone: Name of the backbone.
        origin: Digest of the backbone's weights.
        steps: Steps in order.
    """

    backbone: str
    origin: str
    steps: tuple[Step, ...] = ()

    @property
    def weights(self) -> str:
        """Digest of the weights after the last step."""
        return self.steps[-1].weights if self.steps else self.origin

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(step.seconds for step in self.steps)

    def then(self, step: Step) -> Lineage:
        """Returns the lineage with a further step.

        Raises:
            LineageError: The step did not start from these weights.
        """
        if step.started_from != self.weights:
            raise LineageError(
                f"stage {step.stage} started from weights {step.started_from[:12]}..., not from "
                f"{self.weights[:12]}..., which the stage before it gave"
            )
        return self.model_copy(update={"steps": (*self.steps, step)})

    def amended(self, **changes: Any) -> Lineage:
        """The lineage with other values of fields of its last step."""
        last = self.steps[-1].model_copy(update=changes)
        return self.model_copy(update={"steps": (*self.steps[:-1], last)})

    def require(
        self, *, origin: str, stages: Mapping[Any, dict[str, Any]], data: Mapping[str, str]
    ) -> None:
        """Checks that a checkpoint is the one that a cell needs.

        Args:
            origin: Digest of the cell's backbone.
            stages: The stages of its pre-training, with their settings.
            data: Digest of the knowledge of its sample, by stage.

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


def instances_digest(instances: Iterable[Instance]) -> str:
    """SHA-256 of instances, in their order."""
    return frame_digest(to_frame(instances))


def digest_of(content: Any) -> str:
    """SHA-256 of a value that JSON can hold."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _short(value: Any) -> str:
    return str([v[:12] for v in value] if isinstance(value, list) else value[:12])
