"""Experiments of the book as they are typed, on the demo corpus, with tiny models."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from tests.smoke_project import RATES, SMOKE_PARAMETERS, Project, newest

pytestmark = pytest.mark.slow

NOISY = {
    "corpora": ["newsroom"],
    "noise": [0, 40],
    "filtered": [False, True],
    "variants": ["typ_marker", "tkre_plus"],
    "baseline": "typ_marker",
}
ZERO = {"corpora": ["newsroom"], "shots": 0, "synthetic": [1, 2],
        "variants": ["zero_prototypes", "tkre_plus_zero"]}  # fmt: skip
MORE = {"corpora": ["newsroom"], "variants": ["more_pairs", "more_texts"],
        "baseline": "more_texts"}  # fmt: skip
ANNOTATING = {"corpora": ["newsroom"], "annotated": [0, 8],
              "variants": ["typ_marker", "tkre_plus_annotated"]}  # fmt: skip
SHARED = {"corpora": ["newsroom"], "variants": ["tkre", "tkre_no_scl", "tkre_genpt"],
          "baseline": "tkre"}  # fmt: skip


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """Five experiments, run at once."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    project.write(
        "conf/smoke/experiments.yml",
        {"noisy": NOISY, "zero": ZERO, "shared": SHARED, "more": MORE, "annotating": ANNOTATING},
    )
    more = {"pretrained_on": {"synthetic": 2, "zero_shot": 1}}
    pairs = {
        "mslm": None,
        "scl": None,
        "pairs": {"epochs": 1, "layers": [1, 2], "optimisation": RATES},
    }
    variants = {
        "more_texts": {"like": "tkre_plus", **more},
        "more_pairs": {"like": "tkre_plus", "pretraining": pairs, **more},
    }
    smoke = SMOKE_PARAMETERS
    project.write("conf/smoke/parameters.yml", smoke | {"variants": smoke["variants"] | variants})
    result = project.kedro("run", "--pipelines", "noisy,zero,shared,more,annotating")
    assert result.returncode == 0, result.stdout
    project.printed = result.stdout
    return project


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(newest(project, f"08_reporting/{name}.csv"))


def test_every_combination_of_the_axes_is_a_row(project):
    cells = table(project, "noisy/cells")
    of_recipe = cells[cells["variant"] == "tkre_plus"]
    assert sorted(zip(of_recipe["noise"], of_recipe["filtered"], strict=True)) == [
        (0, False), (0, True), (40, False), (40, True),
    ]  # fmt: skip
    assert len(cells[cells["variant"] == "typ_marker"]) == 1
    summary = table(project, "noisy/summary")
    compared = summary[(summary["metric"] == "micro_f1") & (summary["variant"] == "tkre_plus")]
    assert compared["difference"].notna().all()


def test_the_filter_is_measured_against_what_was_planted(project):
    measured = table(project, "noisy/filter").set_index("noise")
    # No precision: a random model may refuse nothing at all.
    assert measured.loc[40, ["recall", "lost"]].between(0, 100).all()
    assert pd.isna(measured.loc[0, "recovered"])
    planted = pd.read_parquet(project.folder / "data/04_feature/newsroom/k8n40/s13/planted.parquet")
    assert planted["planted"].notna().sum() == round(0.4 * len(planted))


def test_without_a_labelled_row_there_is_knowledge_and_a_classifier(project):
    support = project.folder / "data/03_primary/newsroom/k0x2/s13/support.parquet"
    assert pd.read_parquet(support).empty
    synthetic = newest(project, "04_feature/newsroom/k0x2/s13/synthetic.parquet")
    assert len(pd.read_parquet(synthetic)) > 100
    cells = table(project, "zero/cells").set_index(["variant", "synthetic"])
    assert set(cells.index) == {
        ("zero_prototypes", 0),
        ("tkre_plus_zero", 1),
        ("tkre_plus_zero", 2),
    }
    assert cells["micro_f1"].notna().all()


def test_what_variants_share_is_trained_once(project):
    models = project.folder / "data/06_models/newsroom/k8/s13"
    variants = [folder for folder in models.iterdir() if not folder.name.startswith("encoder_")]
    assert all([p.name for p in folder.iterdir()] == ["classifier"] for folder in variants)
    lineages = {
        name: json.loads(
            newest(project, f"07_model_output/newsroom/k8/s13/{name}/lineage.json").read_text()
        )["steps"]
        for name in SHARED["variants"]
    }
    assert lineages["tkre_no_scl"][0]["weights"] == lineages["tkre"][0]["weights"]
    assert lineages["tkre_genpt"][1]["weights"] == lineages["tkre"][1]["weights"]


def test_an_encoder_learns_from_more_than_its_classifier(project):
    inputs = project.folder / "data/05_model_input/newsroom"
    rows = pd.read_parquet(inputs / "k8/s13/more_pairs/training_rows.parquet")
    [file] = inputs.glob("k8x2/s13/encoder_*/pretraining_pairs.parquet")
    pairs = pd.read_parquet(file)
    zero_shot = pairs["id"].str.contains("zero-shot")
    assert zero_shot.sum() > 80
    # One round of sentences for the classifier, two for the encoder.
    synthetic = rows["id"].str.contains("/round-")
    assert len(pairs) - zero_shot.sum() == pytest.approx(2 * synthetic.sum(), rel=0.1)
    [file] = inputs.glob("k8x2/s13/encoder_*/pretraining_texts.jsonl")
    texts = pd.read_json(file, lines=True, orient="records")
    assert texts["id"].str.contains("zero-shot").sum() > 80


def test_annotated_rows_train_beside_the_others(project):
    feature = project.folder / "data/04_feature/newsroom/k8a8/s13"
    annotated = pd.read_parquet(newest(project, "04_feature/newsroom/k8a8/s13/annotated.parquet"))
    assert len(annotated) == 8 and annotated["confidence"].between(0, 1).all()
    assert annotated["id"].str.startswith("annotation/newsroom/line-").all()
    inputs = project.folder / "data/05_model_input/newsroom"
    without, beside = (
        pd.read_parquet(inputs / place / "s13/tkre_plus_annotated/training_rows.parquet")
        for place in ("k8", "k8a8")
    )
    training = newest(project, "04_feature/newsroom/k8a8/s13/annotated_training.parquet")
    trained = pd.read_parquet(training)["id"].tolist()
    assert beside["id"].tolist() == [*without["id"], *trained] and trained
    # What K = 8 has is not made again: the encoder, the sets, the texts.
    assert not [*(project.folder / "data/06_models/newsroom/k8a8").glob("**/encoder_*")]
    assert {path.name for path in feature.iterdir()} == {
        "annotated.parquet", "annotated_training.parquet", "annotated_validation.parquet",
        "annotation_rejects.csv", "annotation_responses.json", "annotation_yield.csv",
        "rejects.csv", "review_report.json", "unlabelled.parquet", "unlabelled_report.json",
        "unreviewed.parquet", "yield.csv",
    }  # fmt: skip
    yields = pd.read_csv(newest(project, "04_feature/newsroom/k8a8/s13/yield.csv"))
    counted = yields.groupby("kind")["kept"].sum()
    assert counted["annotation"] == 8 and {"explanation", "synthesis"} < set(counted.index)
    cells = table(project, "annotating/cells")
    assert sorted(zip(cells["variant"], cells["annotated"], strict=True)) == [
        ("tkre_plus_annotated", 0), ("tkre_plus_annotated", 8), ("typ_marker", 0),
    ]  # fmt: skip
    [sample] = table(project, "annotating/samples").to_dict("records")
    assert sample["annotation_kept"] == 8
    page = newest(project, "08_reporting/annotating/report.html").read_text(encoding="utf-8")
    assert "Annotated sentences of each sample" in page and "newsroom.k8a8.s13" in page
    assert "tkre_plus_annotated, 8 annotated" in page
    report = project.folder / "data/04_feature/newsroom/k8a8/s13/unlabelled_report.json"
    assert json.loads(report.read_text())["taken"] == 8


def test_stale_cells_are_named_when_only_the_report_is_made(project):
    changed = "variants.tkre_no_scl.finetuning.head_dropout=0.3"
    result = project.kedro(
        "run", "--pipelines", "shared", "--tags", "reporting", "--params", changed
    )
    assert result.returncode != 0
    assert "1 of 3 cells are stale" in result.stdout
    assert "head_dropout was 0.1, it is 0.3 now" in result.stdout


def test_pages_of_results(project):
    result = project.kedro("results", "write", "noisy", "zero")
    assert result.returncode == 0, result.stdout
    page = (project.folder / "docs/results/noisy.md").read_text(encoding="utf-8")
    assert "`kedro run --pipelines noisy`" in page and "cores" in page
    assert "| tkre_plus | 40 | yes |" in page
    assert (project.folder / "docs/results/noisy/filter.csv").is_file()
    assert "(noisy/f1_by_noise.svg)" in page
    picture = project.folder / "docs/results/noisy/f1_by_noise.svg"
    drawn = picture.read_bytes()
    picture.unlink()
    assert project.kedro("results", "draw", "noisy").returncode == 0
    assert picture.read_bytes() == drawn
    [(cells, hours)] = re.findall(r"^(\d+) cells, ([\d.]+) hours", page, re.MULTILINE)
    assert (int(cells), float(hours)) == (5, pytest.approx(0, abs=0.2))
    # Of a part, with what has to be typed to repeat it.
    part = ("--params", "experiments.zero.synthetic=[2]")
    project.kedro("results", "write", "zero", "--folder", "part", *part)
    page = (project.folder / "part/zero.md").read_text(encoding="utf-8")
    assert "\n2 cells, " in page
    assert '`kedro run --pipelines zero --params "experiments.zero.synthetic=[2]"`' in page
    unknown = project.kedro("results", "write", "niosy")
    assert unknown.returncode != 0 and "no experiment niosy" in unknown.stdout
    missing = project.kedro("results", "write", "noisy", "demo")
    assert missing.returncode != 0 and "not run yet: demo" in missing.stdout
    # A grid of which only a part was run, as `--params` may have it.
    lineage = next((project.folder / "data/07_model_output").glob("**/lineage.json"))
    cell = ".".join(lineage.relative_to(project.folder / "data/07_model_output").parts[:4])
    aside = lineage.rename(lineage.with_name("aside"))
    part = project.kedro("results", "write", "noisy", "zero", "shared", "more", "annotating")
    aside.rename(lineage)
    assert part.returncode != 0 and "Traceback" not in part.stdout
    assert f"not trained yet: {cell} (kedro run --pipelines" in " ".join(part.stdout.split())
