"""A project in a folder of its own, with tiny models, driven as a user drives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pytest
import yaml
from click import ClickException
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner
from omegaconf import OmegaConf

from tests.conftest import ROOT

# A masked language model of two layers and a few steps: what a run does, not how good it gets.
RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3, "batch_size": 32}
STAGE = {"epochs": 1, "optimisation": RATES}
SMOKE_PARAMETERS = {
    "reporting": {"resamples": 50},
    "generation": {"filtering": {"crossfit": {"layers": [1, 2]}}},
    "calibration": {"precisions": [0.4, 0.95]},
    "variants": {
        "setfit": {"setfit": {"samples_per_relation": 4}},
        "typ_marker": {"finetuning": {"samples_per_relation": 8, "min_epochs": 1}},
        "tkre": {
            "pretraining": {"mslm": STAGE, "scl": STAGE},
            "finetuning": {"samples_per_relation": 16, "min_epochs": 1},
        },
        "tkre_plus": {
            "pretraining": {"sources": ["synthetic"], "mslm": STAGE, "scl": STAGE},
            "finetuning": {"samples_per_relation": 16, "min_epochs": 1, "layers": [1, 2]},
        },
        # Variants like these take their size from them; the others are made small by themselves.
        "genpt": {"finetuning": {"samples_per_relation": 8, "min_epochs": 1}},
        "tkre_genpt": {"finetuning": {"samples_per_relation": 8, "min_epochs": 1}},
    },
}


class Project:
    """A copy of the project's configuration and demo corpus; outputs go nowhere else.

    Of the experiments and corpora only those of the demo: each is a pipeline, and Kedro builds and
    checks all of them in every run. ``tests/test_wiring.py`` has the whole configuration.
    """

    printed: str  # by the run of the default experiment

    def __init__(self, folder: Path, backbone: Path) -> None:
        self.folder = folder
        for file in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / file, folder)
        shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        self.keep("conf/base/experiments.yml", "demo")
        self.keep("conf/base/parameters_corpora.yml", "newsroom", under="corpora")
        (folder / "src").mkdir()
        for corpus in ("newsroom", "inference"):
            shutil.copytree(ROOT / "data/01_raw" / corpus, folder / "data/01_raw" / corpus)
        (folder / "data/08_reporting").mkdir()
        (folder / "conf/local").mkdir()
        self.write("conf/smoke/parameters.yml", SMOKE_PARAMETERS)
        self.write(
            "conf/smoke/catalog.yml",
            {
                "backbones.minilm": {
                    "type": "tkre.datasets.checkpoint.BackboneDataset",
                    "name": "tiny",
                    "source": str(backbone),
                }
            },
        )

    @classmethod
    def existing(cls, folder: Path) -> Self:
        """The project that another process has made in a folder."""
        project = cls.__new__(cls)
        project.folder = folder
        project.printed = (folder / "printed.txt").read_text(encoding="utf-8")
        return project

    @classmethod
    def after_a_run(cls, folder: Path, backbone: Path) -> Self:
        """A project whose default experiment has been run."""
        project = cls(folder, backbone)
        result = project.kedro("run")
        assert result.returncode == 0, result.stdout
        (folder / "outputs.txt").write_text("\n".join(project.outputs()), encoding="utf-8")
        (folder / "printed.txt").write_text(result.stdout, encoding="utf-8")
        project.printed = result.stdout
        return project

    @property
    def first_outputs(self) -> set[str]:
        """The files that this run wrote."""
        return set((self.folder / "outputs.txt").read_text(encoding="utf-8").splitlines())

    def cells(self) -> pd.DataFrame:
        """The newest table of cells of the default experiment."""
        return pd.read_csv(newest(self, "08_reporting/demo/cells.csv"))

    def keep(self, file: str, name: str, under: str | None = None) -> None:
        """Removes all entries but one from a file of the configuration, or from a group of it."""
        content = yaml.safe_load((self.folder / file).read_text(encoding="utf-8"))
        kept = {name: (content[under] if under else content)[name]}
        text = yaml.safe_dump({under: kept} if under else kept, default_flow_style=None)
        (self.folder / file).write_text(text, encoding="utf-8")

    def write(self, file: str, content: object) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Changes a file as a user would; what is changed must be there."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def kedro(
        self, *arguments: str, env: str = "smoke", **given: Any
    ) -> subprocess.CompletedProcess[str]:
        """``kedro <arguments>``, with what it printed on both streams as one text."""
        with self.started(*arguments, env=env, **given) as process:
            printed, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, printed)

    def started(self, *arguments: str, env: str = "smoke", **given: Any) -> subprocess.Popen[str]:
        """The same, while it runs.

        Args:
            *arguments: Those of ``kedro``.
            env: Environment of the configuration.
            **given: Further arguments of ``subprocess.Popen``.
        """
        environment = os.environ | {
            "KEDRO_ENV": env, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "TKRE_DATA": "data/01_raw",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **given,
        )  # fmt: skip

    @contextmanager
    def entered(self, env: str = "smoke") -> Iterator[None]:
        """This process as if it had been started in the project's folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("KEDRO_ENV", env)
            patch.setenv("TKRE_DATA", "data/01_raw")
            bootstrap_project(self.folder)
            yield

    def refusal(self, *pipelines: str, params: str = "") -> str:
        """What a run in this process is refused with; it must leave nothing behind."""
        message = self.failure(*pipelines, params=params)
        assert self.outputs() == set()
        return message

    def failure(self, *pipelines: str, params: str = "") -> str:
        """The message, without a traceback, that ends a run in this process."""
        given = OmegaConf.to_container(OmegaConf.from_dotlist(params.split(",") if params else []))
        with (
            self.entered(),
            pytest.raises(ClickException) as failed,
            KedroSession.create(self.folder, env="smoke", runtime_params=given) as session,
        ):
            session.run(
                pipeline_names=list(pipelines) or ["__default__"], runner=SequentialRunner()
            )
        return " ".join(failed.value.message.split())

    def outputs(self) -> set[str]:
        """All files that runs have written, but for the log, claims on nodes and caches."""
        return {
            str(path.relative_to(self.folder / "data"))
            for path in (self.folder / "data").rglob("*")
            if path.is_file()
            and not {"01_raw", "claims", "cache"} & set(path.parts)
            and "tkre.log" not in path.name
        }


def newest(project: Project, file: str) -> Path:
    """The newest version of an output."""
    return sorted((project.folder / "data" / file).glob(f"*/{Path(file).name}"))[-1]
