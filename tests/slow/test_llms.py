"""Two language models side by side, as typed: the recordings, and one that writes nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.live.runs import answered_twice, stored
from tests.slow.test_generation_commands import plan
from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow

COMPARED = {
    "corpora": ["newsroom"],
    "shots": 2,
    "llms": ["default", "tiny"],
    "variants": ["typ_marker", "tkre_plus_no_pretraining"],
}
# Random weights never come to an end by themselves. Recordings without digests answer all the same.
SHORT: dict[str, Any] = {
    "retry": {"attempts": 2},
    "explanations": {"sampling": {"max_tokens": 24}},
    "synthesis": {"sampling": {"max_tokens": 24}, "extra_rounds": 1},
}


def choose(project: Project, **llms: dict[str, str]) -> None:
    project.write("conf/smoke/parameters_writers.yml", {"generation": SHORT | {"llms": llms}})


@pytest.fixture(scope="module")
def project(tiny_backbone: Path, tiny_llama: Path, tmp_path_factory) -> Project:
    """One experiment with the recordings and a random Llama, run once."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    choose(project, tiny={"backend": "transformers", "model": str(tiny_llama), "name": "llama"})
    project.write("conf/smoke/experiments.yml", {"compared": COMPARED})
    result = project.kedro("run", "--pipelines", "compared")
    assert result.returncode == 0, result.stdout
    project.printed = result.stdout
    return project


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(newest(project, f"08_reporting/compared/{name}.csv"))


def sample_file(project: Project, sample: str, name: str) -> Path:
    return newest(project, f"04_feature/newsroom/{sample}/s13/{name}")


def test_both_are_compared_on_the_same_sets(project):
    sets = [
        pd.read_parquet(project.folder / f"data/03_primary/newsroom/{sample}/s13/{name}.parquet")
        for name in ("support", "validation")
        for sample in ("k2", "k2_tiny")
    ]
    assert sets[0].equals(sets[1]) and sets[2].equals(sets[3])
    cells = table(project, "cells")
    assert list(zip(cells["variant"], cells["llm"], strict=True)) == [
        ("typ_marker", "none"),
        ("tkre_plus_no_pretraining", "default"),
        ("tkre_plus_no_pretraining", "tiny"),
    ]
    assert cells["micro_f1"].notna().all()


def test_each_is_measured_by_what_it_wrote(project):
    llms = table(project, "llms").set_index("llm")
    recorded, random = llms.loc["default"], llms.loc["tiny"]
    assert (recorded["model"], random["model"]) == ("claude", "llama")
    assert recorded["explanation_validity"] > 90 and recorded["synthesis_yield"] == 100
    assert recorded["distinct_2"] > 50 and recorded["words"] > 5
    assert random["explanation_kept"] == random["synthesis_kept"] == random["synthesis_yield"] == 0
    assert "truncated" in random["synthesis_rejects"] and pd.isna(random["distinct_2"])
    # Recordings do not tell what they took.
    assert pd.isna(recorded["completion_tokens"]) and random["completion_tokens"] > 0
    cells = table(project, "cells").set_index("llm")["micro_f1"]
    f1 = llms["micro_f1.tkre_plus_no_pretraining"]
    assert f1.to_dict() == pytest.approx({name: cells[name] for name in ("default", "tiny")})


def test_relations_that_stay_short_are_named_and_the_golden_rows_are_trained_on(project):
    assert pd.read_parquet(sample_file(project, "k2_tiny", "synthetic.parquet")).empty
    yields = pd.read_csv(sample_file(project, "k2_tiny", "yield.csv"))
    assert (yields["short"] == 2).all() and len(yields) == 22
    rows = "data/05_model_input/newsroom/{}/s13/tkre_plus_no_pretraining/training_rows.parquet"
    golden, both = (
        pd.read_parquet(project.folder / rows.format(sample)) for sample in ("k2_tiny", "k2")
    )
    assert len(golden) == 22 and len(both) == 44
    [note] = [line for line in project.printed.splitlines() if "written by tiny: " in line]
    assert "synthesis short: acquired_by 2" in note
    assert "language models: newsroom, K = 2" in project.printed
    assert "default (claude)" in project.printed and "tiny (llama)" in project.printed


def test_live_requests_are_named_and_sent_once(project):
    assert {line["model"] for line in stored(project)} == {"llama"}
    assert not answered_twice(project)
    rows, printed = plan(project, "--pipelines", "compared")
    assert rows["explanation"][:3] == ["22", "22", "0"]
    assert "first questions to claude by replay" in printed
    assert "first questions to llama by transformers, llm tiny" in printed


def test_a_replayed_llm_takes_its_own_answers(project):
    choose(project, tiny={"backend": "replay", "model": "llama"})
    rows, printed = plan(project, "--pipelines", "compared")
    assert rows["synthesis"][2] == "0" and "llama by replay, llm tiny" in printed
    # The recordings carry no digests: they are not taken for those of just any model.
    choose(project, tiny={"backend": "replay", "model": "another"})
    result = project.kedro("run", "--pipelines", "compared", "--tags", "data_generation")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    printed = " ".join(result.stdout.split())
    assert "22 response(s) of 'another' are missing" in printed
    assert "unless strict: false is set" in printed


def test_the_page_of_results_has_the_comparison(project):
    result = project.kedro("results", "write", "compared")
    assert result.returncode == 0, result.stdout
    page = (project.folder / "docs/results/compared.md").read_text(encoding="utf-8")
    assert "## Language models: newsroom, K = 2" in page and "| tiny (llama) | 1 | 0.0 |" in page
    assert (project.folder / "docs/results/compared/llms.csv").is_file()
