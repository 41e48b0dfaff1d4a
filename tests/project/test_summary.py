from __future__ import annotations

from io import StringIO

from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from rich.console import Console

from tests.conftest import ROOT
from tkre.project.config_loader import ConfigLoader
from tkre.project.summary import show_results
from tkre.settings import CONFIG_LOADER_ARGS


def test_a_run_says_where_its_model_cards_lie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loader = ConfigLoader(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)
    catalog = DataCatalog.from_config(loader["catalog"], credentials=loader["credentials"],
                                      save_version="2026-11-28T00.00.00.000Z")  # fmt: skip
    names = [f"newsroom.k8.s13.{variant}.test_model_card" for variant in ("tkre", "typ_marker")]
    pipeline = Pipeline([Node(lambda: "# card", None, name, name=name) for name in names])
    for name in names:
        catalog.save(name, "# card")
    said = StringIO()
    show_results(pipeline, catalog, Console(file=said, soft_wrap=True))
    [label, path] = said.getvalue().splitlines()  # one line is too short for both
    assert label == "model cards:"
    [*found] = tmp_path.glob(path.strip())
    assert len(found) == 2 and {card.read_text() for card in found} == {"# card"}


def test_a_run_without_a_card_says_nothing_of_one():
    said = StringIO()
    show_results(Pipeline([]), DataCatalog(), Console(file=said))
    assert not said.getvalue()
