"""Curves in the book of results: drawn from its tables, one section of a page."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader

from tests.conftest import ROOT
from tkre.core.cells import Experiment
from tkre.project.results import draw_curves
from tkre.settings import CONFIG_LOADER_ARGS
from tkre.training.recipes import Variant, written_out

HEAD = "# shots\n\n`kedro run --pipelines shots`\n\n"
TABLE = "## toy, K = 4\n\n| variant |\n| --- |\n| a |\n\nTables: none.\n"


def spec(**changes):
    whole = {"corpora": ["toy"], "shots": [4, 8], "seeds": [1, 2], "variants": ["a", "b"]}
    return Experiment.model_validate(whole | changes)


@pytest.fixture
def published(tmp_path):
    rows = [
        {"corpus": "toy", "shots": shots, "synthetic": 0, "noise": 0, "filtered": False,
         "annotated": 0, "chosen": "in_order",
         "llm": "none", "seed": seed, "variant": variant, "micro_f1": 40 + shots + seed}
        for shots in (4, 8) for seed in (1, 2) for variant in ("a", "b")
    ]  # fmt: skip
    (tmp_path / "shots").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "shots/cells.csv", index=False)
    (tmp_path / "shots.md").write_text(HEAD + TABLE, "utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def variants():
    """Two that differ in more than one number, so that K is the only axis."""
    loader = OmegaConfigLoader(str(ROOT / "conf"), **CONFIG_LOADER_ARGS)
    written = written_out(loader["parameters"]["variants"])
    recipes = {"a": "typ_marker", "b": "tkre_plus"}
    return {name: Variant.model_validate(written[recipe]) for name, recipe in recipes.items()}


def test_a_curve_stands_before_the_tables(published, variants):
    drawn = draw_curves("shots", spec(), variants, published)
    assert drawn == [published / "shots/f1_by_shots.svg"]
    picture = drawn[0].read_text("utf-8")
    assert ">a</text>" in picture and ">b</text>" in picture
    page = (published / "shots.md").read_text("utf-8")
    section = page.removeprefix(HEAD).removesuffix(TABLE)
    assert section.startswith("## Curves\n\n![Micro-F1 along K") and "Means over seeds" in section
    assert "![Micro-F1 along K, labelled sentences per relation](shots/f1_by_shots.svg)" in section
    assert "dotted" not in section


def test_drawn_again_it_is_the_same(published, variants):
    [picture] = draw_curves("shots", spec(), variants, published)
    before = (published / "shots.md").read_bytes(), picture.read_bytes()
    draw_curves("shots", spec(), variants, published)
    assert ((published / "shots.md").read_bytes(), picture.read_bytes()) == before


def test_where_nothing_has_several_values_there_is_none(published, variants):
    draw_curves("shots", spec(), variants, published)
    assert draw_curves("shots", spec(shots=8), variants, published) == []
    assert (published / "shots.md").read_text("utf-8") == HEAD + TABLE
    assert not list((published / "shots").glob("*.svg"))


def test_what_was_not_scored_is_not_drawn(published, variants):
    table = published / "shots/cells.csv"
    pd.read_csv(table).assign(micro_f1=None).to_csv(table, index=False)
    assert draw_curves("shots", spec(), variants, published) == []
    assert (published / "shots.md").read_text("utf-8") == HEAD + TABLE


def test_a_table_of_other_variants_is_named(published, variants):
    with pytest.raises(ValueError, match=r"cells\.csv has the variants a, b, but shots has a; run"):
        draw_curves("shots", spec(), {"a": variants["a"]}, published)


def test_what_was_not_published_is_named_with_the_way_out(published, variants):
    with pytest.raises(FileNotFoundError, match=r"amounts\.md.*results write amounts"):
        draw_curves("amounts", spec(), variants, published)
