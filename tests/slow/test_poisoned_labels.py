"""Labels that are scored change nothing but scores: not the weights, the epoch, the thresholds."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow
CELLS = "newsroom/k8/s13"
VARIANTS = ("typ_marker", "tkre_plus")
# So many epochs that another one could be chosen; a poisoned label may not fit its types.
RUN = ("run", "--pipelines", "one", "--params",
       ",".join(["corpora.newsroom.on_type_mismatch=keep",
                 *(f"variants.{v}.finetuning.min_epochs=8" for v in VARIANTS)]))  # fmt: skip


def poison(project: Project, split: str) -> None:
    """Gives each row of a split another relation than its own."""
    file = project.folder / "data/01_raw/newsroom" / f"{split}.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    names = sorted({row["relation"] for row in rows})
    other = dict(zip(names, [*names[1:], names[0]], strict=True))
    lines = [json.dumps(row | {"relation": other[row["relation"]]}) + "\n" for row in rows]
    file.write_text("".join(lines), "utf-8")


def run(folder: Path, backbone: Path, *, poisoned: bool) -> Project:
    folder.mkdir()
    project = Project(folder, backbone)
    grid = {"corpora": ["newsroom"], "variants": list(VARIANTS)}
    project.write("conf/smoke/experiments.yml", {"one": grid})
    for split in ("test", "natural_test") if poisoned else ():
        poison(project, split)
    result = project.kedro(*RUN)
    assert result.returncode == 0, result.stdout
    return project


def test_poisoned_test_labels_reach_scores_alone(tiny_backbone, tmp_path):
    clean, poisoned = (
        run(tmp_path / name, tiny_backbone, poisoned=name == "poisoned")
        for name in ("clean", "poisoned")
    )
    for variant in VARIANTS:
        cell = f"{CELLS}/{variant}"
        curves = [
            pd.read_csv(newest(p, f"07_model_output/{cell}/finetuning_losses.csv"))
            for p in (clean, poisoned)
        ]
        assert curves[0]["validation_f1"].nunique() > 1  # there was something to choose
        pd.testing.assert_frame_equal(*curves)
        for made in (
            f"06_models/{cell}/classifier/*/classifier/model.safetensors",
            f"07_model_output/{cell}/trust.json/*/trust.json",
        ):
            files = [
                found.read_bytes()
                for project in (clean, poisoned)
                for found in (project.folder / "data").glob(made)
            ]
            assert len(files) == 2 and files[0] == files[1], made
        for rows in ("test", "natural"):
            predicted, gold, scores = zip(
                *(_scored(project, cell, rows) for project in (clean, poisoned)), strict=True
            )
            assert predicted[0] == predicted[1]
            assert gold[0] != gold[1] and scores[0] != scores[1]


def _scored(project: Project, cell: str, rows: str) -> tuple[list[str], list[str], float]:
    table = pd.read_parquet(newest(project, f"07_model_output/{cell}/{rows}_predictions.parquet"))
    metrics = json.loads(
        newest(project, f"08_reporting/cells/{cell}/{rows}_metrics.json").read_text()
    )
    return list(table["predicted"]), list(table["gold"]), metrics["micro_f1"]
