"""Registry of other packages: found by their metadata, loaded when wanted, never by chance."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tkre.core import params as registry
from tkre.core.params import PluginError, Registry, UnknownEntry, did_you_mean
from tkre.corpora.params import CorpusParams
from tkre.modeling.params import ContrastParams
from tkre.runner import code as digests
from tkre.training.params import FinetuningParams

GROUP = "tkre.formats"
RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package as pip leaves it: a module and its metadata on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, points: str, code: str = "") -> Path:
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(points)
        module = tmp_path / f"{package}.py"
        module.write_text(code)
        registry._installed.cache_clear()
        digests.forget()
        return module

    yield installed
    for name in ("acme", "other"):
        sys.modules.pop(name, None)
    registry._installed.cache_clear()
    digests.forget()


def test_an_entry_is_known_before_it_is_imported_and_loaded_once_it_is_wanted(install):
    install("acme", f"[{GROUP}]\ncsv = acme:rows", "rows = 'reader'")
    formats = Registry(GROUP, {"native": 1})
    assert list(formats) == ["native", "csv"]
    assert formats.check("csv") == "csv"
    assert "acme" not in sys.modules
    assert formats["csv"] == "reader" and formats["native"] == 1
    assert formats.get("csv") == "reader" and formats.get("native") == 1
    assert formats.get("xml") is None


def test_entry_points_of_importlib_metadata_are_loaded(install):
    """MLflow imports it; it then stands in for the standard library's finder."""
    pytest.importorskip("importlib_metadata")
    install("acme", f"[{GROUP}]\ncsv = acme:rows", "rows = 'reader'")
    assert Registry(GROUP, {})["csv"] == "reader"


def test_parameters_take_the_names_that_packages_add(install):
    with pytest.raises(ValidationError, match=r"there is no 'xlsx' in tkre.formats"):
        CorpusParams(format="xlsx", train="train.csv")
    install(
        "acme",
        f"[{GROUP}]\nxlsx = acme:rows\n[tkre.heads]\npair = acme:Pair\n"
        "[tkre.losses]\nmargin = acme:Margin",
        "raise AssertionError('imported')",
    )
    assert CorpusParams(format="xlsx", train="train.csv").format == "xlsx"
    head = FinetuningParams(head="pair", layers=(3,), options={"width": 8}, optimisation=RATES)
    assert head.model_dump()["options"] == {"width": 8}
    assert ContrastParams(loss="margin", options={"margin": 0.1}).loss == "margin"


def test_options_that_nothing_reads_are_refused():
    with pytest.raises(ValidationError, match="head 'markers' has no options"):
        FinetuningParams(options={"width": 8}, optimisation=RATES)
    with pytest.raises(ValidationError, match="loss 'spans' has no options"):
        ContrastParams(options={"margin": 1})


@pytest.mark.parametrize("name", ["native", "csv"])
def test_a_name_that_is_taken(install, name):
    install("acme", f"[{GROUP}]\n{name} = acme:rows")
    if name == "csv":
        install("other", f"[{GROUP}]\n{name} = other:rows")
    formats = Registry(GROUP, {"native": 1})
    for use in (list, len, lambda f: f.check(name), lambda f: f[name], lambda f: name in f):
        with pytest.raises(PluginError, match=f"both have a {name!r} in {GROUP}"):
            use(formats)


def test_a_name_of_the_project_is_refused_where_parameters_are_read(install):
    install("acme", f"[{GROUP}]\ncsv = acme:rows")
    with pytest.raises(PluginError, match=f"acme and tkre both have a 'csv' in {GROUP}"):
        CorpusParams(format="native", train="train.jsonl")


def test_a_group_that_does_not_exist(install):
    install("acme", "[tkre.fromats]\ncsv = acme:rows")
    said = r"acme adds parts to tkre.fromats, .* \(did you mean 'tkre.formats'\?\)"
    with pytest.raises(PluginError, match=said):
        CorpusParams(format="native", train="train.jsonl")


def test_a_name_that_nothing_has():
    with pytest.raises(UnknownEntry, match=r"no 'natiev' in .*did you mean 'native'"):
        Registry(GROUP, {"native": 1})["natiev"]


@pytest.mark.parametrize("value", ["acme:missing", "acme_missing:rows"])
def test_an_entry_that_cannot_be_loaded_names_its_package(install, value):
    install("acme", f"[{GROUP}]\ncsv = {value}")
    with pytest.raises(PluginError, match=f"acme names {value} as 'csv' in {GROUP}"):
        Registry(GROUP, {})["csv"]


def test_a_changed_entry_makes_stale_what_can_reach_it_and_nothing_else(install):
    from tkre.pipelines.data_generation.nodes import read_splits
    from tkre.pipelines.reporting.nodes import collect_cells

    module = install("acme", f"[{GROUP}]\ncsv = acme:rows", "rows = 1")
    reading, collecting = (digests.of_function(f) for f in (read_splits, collect_cells))
    module.write_text("rows = 1  # a comment")
    digests.forget()
    assert digests.of_function(read_splits) == reading
    module.write_text("rows = 2")
    digests.forget()
    assert digests.of_function(read_splits) != reading
    assert digests.of_function(collect_cells) == collecting


def test_an_entry_may_be_a_text_that_is_imported_on_use(install):
    install("acme", "", "rows = 'reader'")
    formats = Registry(GROUP, {"csv": "acme:rows"})
    assert "csv" in formats and formats.check("csv") == "csv" and "acme" not in sys.modules
    assert formats["csv"] == "reader"


def test_digests_cover_entries_that_are_imported_on_use():
    from tkre.pipelines.data_generation.nodes import read_splits
    from tkre.pipelines.reporting.nodes import collect_cells

    def reached(function):
        symbols, _ = digests.reach(function.__module__, function.__name__)
        return {symbol.module for symbol in symbols}

    assert "tkre.corpora.formats" in reached(read_splits)
    assert "tkre.corpora.formats" not in reached(collect_cells)


def test_every_group_names_a_module_that_exists():
    assert all(digests.parse(module) for module in registry.GROUPS.values())


def test_the_nearest_name():
    assert did_you_mean("borm_in", ["born_in", "died_in"]) == " (did you mean 'born_in'?)"


def test_all_names_where_none_is_near():
    assert did_you_mean("zzz", ["b", "a"]) == " (known: a, b)"
    assert did_you_mean("zzz", [str(n) for n in range(30)]).endswith(", ...)")
    assert did_you_mean("zzz", []) == ""
