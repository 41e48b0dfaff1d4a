"""Pages in the book of results: made from its tables, curves before the first of them."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader

from tests.conftest import ROOT
from tkre.core.cells import Experiment
from tkre.evaluation.metrics import METRICS
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.project.results import draw_page
from tkre.settings import CONFIG_LOADER_ARGS
from tkre.training.recipes import Variant, written_out

HEAD = "# shots\n\n`kedro run --pipelines shots`\n\n"
TABLE = "## toy, K = 4"


def spec(**changes):
    whole = {"corpora": ["toy"], "shots": [4, 8], "seeds": [1, 2], "variants": ["a", "b"]}
    return Experiment.model_validate(whole | changes)


@pytest.fixture
def published(tmp_path):
    rows = [
        {"corpus": "toy", "shots": shots, "synthetic": 0, "noise": 0, "filtered": False,
         "annotated": 0, "chosen": "in_order",
         "llm": "none", "seed": seed, "variant": variant, "micro_f1": 40.04 + shots + seed,
         "official_f1": 30.0, "micro_precision": 50.0, "micro_recall": 50.0, "seconds": 3.0,
         "rows": 9}
        for shots in (4, 8) for seed in (1, 2) for variant in ("a", "b")
    ]  # fmt: skip
    (tmp_path / "shots").mkdir()
    cells = pd.DataFrame(rows)
    cells.to_csv(tmp_path / "shots/cells.csv", index=False)
    metrics = list(METRICS)
    summary = cells.melt([*GROUP_KEYS_WITH_VARIANT, "seed"], metrics, "metric", "mean")
    means = summary.groupby([*GROUP_KEYS_WITH_VARIANT, "metric"], sort=False)["mean"]
    summary = means.agg(["mean", "std"]).reset_index().assign(
        seeds=2, difference=1.0, difference_low=0.5, difference_high=1.5
    )  # fmt: skip
    summary.to_csv(tmp_path / "shots/summary.csv", index=False)
    (tmp_path / "shots.md").write_text(f"{HEAD}## Old\n\nWords.\n", "utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def variants():
    """Two that differ in more than one number, so that K is the only axis."""
    loader = OmegaConfigLoader(str(ROOT / "conf"), **CONFIG_LOADER_ARGS)
    written = written_out(loader["parameters"]["variants"])
    recipes = {"a": "typ_marker", "b": "tkre_plus"}
    return {name: Variant.model_validate(written[recipe]) for name, recipe in recipes.items()}


def test_a_curve_stands_before_the_tables(published, variants):
    page, *drawn = draw_page("shots", spec(), variants, published)
    assert page == published / "shots.md" and drawn == [published / "shots/f1_by_shots.svg"]
    picture = drawn[0].read_text("utf-8")
    assert ">a</text>" in picture and ">b</text>" in picture
    text = page.read_text("utf-8")
    assert text.startswith(HEAD + "## Curves") and "## Old" not in text
    section, tables = text.removeprefix(HEAD).split(TABLE)
    assert " | 2 | 45.5 ± 0.7 | +1.0 [+0.5, +1.5] |" in tables
    assert "of an earlier kind" in tables and "[cells](shots/cells.csv)" in tables
    assert section.startswith("## Curves\n\n![Micro-F1 along K") and "Means over seeds" in section
    assert "![Micro-F1 along K, labelled sentences per relation](shots/f1_by_shots.svg)" in section
    assert "dotted" not in section


def test_drawn_again_it_is_the_same(published, variants):
    written = draw_page("shots", spec(), variants, published)
    before = [path.read_bytes() for path in written]
    draw_page("shots", spec(), variants, published)
    assert [path.read_bytes() for path in written] == before


def test_where_nothing_has_several_values_there_is_none(published, variants):
    draw_page("shots", spec(), variants, published)
    assert draw_page("shots", spec(shots=8), variants, published) == [published / "shots.md"]
    assert (published / "shots.md").read_text("utf-8").startswith(HEAD + TABLE)
    assert not list((published / "shots").glob("*.svg"))


def test_what_was_not_scored_is_not_drawn(published, variants):
    table = published / "shots/cells.csv"
    pd.read_csv(table).assign(micro_f1=None).to_csv(table, index=False)
    assert draw_page("shots", spec(), variants, published) == [published / "shots.md"]
    assert (published / "shots.md").read_text("utf-8").startswith(HEAD + TABLE)


def test_a_table_of_other_variants_is_named(published, variants):
    with pytest.raises(ValueError, match=r"cells\.csv has the variants a, b, but shots has a; run"):
        draw_page("shots", spec(), {"a": variants["a"]}, published)


def test_what_was_not_published_is_named_with_the_way_out(published, variants):
    with pytest.raises(FileNotFoundError, match=r"amounts\.md.*results write amounts"):
        draw_page("amounts", spec(), variants, published)
