"""Parts of other packages: found by their metadata, loaded when wanted, never by chance."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tkre.core import params as extensions
from tkre.core.params import ExtensionError, Parts, UnknownPart
from tkre.corpora.params import CorpusParams
from tkre.modeling.params import ContrastParams
from tkre.runner import fingerprints as digests
from tkre.training.params import FinetuningParams

GROUP = "tkre.corpora.formats"
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
        extensions._installed.cache_clear()
        digests._of_module.cache_clear()
        return module

    yield installed
    for name in ("acme", "other"):
        sys.modules.pop(name, None)
    extensions._installed.cache_clear()
    digests._of_module.cache_clear()


def test_a_part_is_known_before_it_is_imported_and_loaded_once_it_is_wanted(install):
    install("acme", f"[{GROUP}]\ncsv = acme:rows", "rows = 'reader'")
    parts = Parts(GROUP, {"native": "ours"})
    assert list(parts) == ["native", "csv"]
    assert parts.known("csv") == "csv"
    assert "acme" not in sys.modules
    assert parts["csv"] == "reader" and parts["native"] == "ours"
    assert parts.get("csv") == "reader" and parts.get("native") == "ours"
    assert parts.get("xml") is None


def test_parameters_take_the_names_that_packages_add(install):
    with pytest.raises(ValidationError, match=r"there is no 'csv' in tkre.corpora.formats"):
        CorpusParams(format="csv", train="train.csv")
    install(
        "acme",
        f"[{GROUP}]\ncsv = acme:rows\n[tkre.modeling.classifier]\npair = acme:Pair\n"
        "[tkre.modeling.losses]\nmargin = acme:Margin",
        "raise AssertionError('imported')",
    )
    assert CorpusParams(format="csv", train="train.csv").format == "csv"
    head = FinetuningParams(head="pair", layers=(3,), options={"width": 8}, optimisation=RATES)
    assert head.model_dump()["options"] == {"width": 8}
    assert ContrastParams(loss="margin", options={"margin": 0.1}).loss == "margin"


def test_options_that_nothing_reads_are_refused():
    with pytest.raises(ValidationError, match="head 'markers' has no options"):
        FinetuningParams(options={"width": 8}, optimisation=RATES)
    with pytest.raises(ValidationError, match="loss 'spans' has no options"):
        ContrastParams(options={"margin": 1})


def test_records_from_before_there_was_a_choice_are_as_they_were():
    assert not {"loss", "options"} & set(ContrastParams().model_dump())
    assert "options" not in FinetuningParams(optimisation=RATES).model_dump()


@pytest.mark.parametrize("name", ["native", "csv"])
def test_a_name_that_is_taken(install, name):
    install("acme", f"[{GROUP}]\n{name} = acme:rows")
    if name == "csv":
        install("other", f"[{GROUP}]\n{name} = other:rows")
    with pytest.raises(ExtensionError, match=f"both have a {name!r} in {GROUP}"):
        list(Parts(GROUP, {"native": 1}))


def test_a_name_that_nothing_has():
    with pytest.raises(UnknownPart, match=r"no 'natiev' in .*did you mean 'native'"):
        Parts(GROUP, {"native": 1})["natiev"]


@pytest.mark.parametrize("value", ["acme:missing", "acme_missing:rows"])
def test_a_part_that_cannot_be_loaded_names_its_package(install, value):
    install("acme", f"[{GROUP}]\ncsv = {value}")
    with pytest.raises(ExtensionError, match=f"acme names {value} as 'csv' in {GROUP}"):
        Parts(GROUP, {})["csv"]


def test_a_changed_part_makes_stale_what_can_reach_it_and_nothing_else(install):
    from tkre.pipelines.data_generation.nodes import read_splits
    from tkre.pipelines.reporting.nodes import collect_cells

    module = install("acme", f"[{GROUP}]\ncsv = acme:rows", "rows = 1")
    reading, collecting = (digests.of_function(f) for f in (read_splits, collect_cells))
    module.write_text("rows = 1  # a comment")
    digests._of_module.cache_clear()
    assert digests.of_function(read_splits) == reading
    module.write_text("rows = 2")
    digests._of_module.cache_clear()
    assert digests.of_function(read_splits) != reading
    assert digests.of_function(collect_cells) == collecting
