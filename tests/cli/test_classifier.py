from __future__ import annotations

import json

import pytest
from kedro.io import DataCatalog

from tkre.cli.classifier import find_trained, serve_command
from tkre.project.config_loader import ConfigLoader, remember
from tkre.serving.api.__main__ import main
from tkre.serving.api.limits import ServiceParams
from tkre.settings import CONFIG_LOADER_ARGS

CELL = "newsroom.k8.s13.tkre"


@pytest.fixture
def catalog(root, tmp_path, monkeypatch):
    """Catalog of the project in another folder."""
    loader = ConfigLoader(str(root / "conf"), env="base", **CONFIG_LOADER_ARGS)
    remember(loader)
    monkeypatch.chdir(tmp_path)
    return DataCatalog.from_config(loader["catalog"], credentials=loader["credentials"])


@pytest.fixture
def trained(tmp_path, schema):
    """Outputs of a cell: two versions of its classifier and calibrator record, and the schema."""

    def write(file: str, content: object):
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        model = f"06_models/newsroom/k8/s13/tkre/classifier/{version}/classifier/config.json"
        config = write(model, {"id2label": dict(enumerate(schema.names))})
        calibrator = write(
            f"07_model_output/newsroom/k8/s13/tkre/trust.json/{version}/trust.json", {}
        )
    write("02_intermediate/newsroom/schema.json", schema.model_dump(mode="json"))
    return config.parent, calibrator


def test_find_trained_takes_the_newest_version(catalog, trained, schema):
    found = find_trained(catalog, CELL)
    assert (found.classifier.resolve(), found.calibrator.resolve()) == trained
    assert found.schema == schema


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("tkre", "^'tkre' is neither a folder nor the name of a cell such as newsroom.k8.s13.tkre"),
        ("newsroom.k8.tkre", "^'newsroom.k8.tkre' is neither a folder nor the name of a cell"),
        (
            "data",
            "^'data' is a folder; .* newsroom.k8.s13.tkre_plus; `python -m tkre.serving.api d",
        ),
        ("newsroom.k8.s13.tkre_pluss", "no variant 'tkre_pluss' .did you mean 'tkre_plus'"),
        ("newsrom.k8.s13.tkre", "no corpus 'newsrom' .did you mean 'newsroom'"),
        ("newsroom.k8.s13.setfit", "setfit is scored and not saved"),
        ("newsroom.k8.s21.tkre", "no classifier yet: kedro run --to-outputs newsroom.k8.s21.tkre."),
    ],
)
def test_missing_classifier_is_refused_with_a_remedy(catalog, trained, cell, reason):
    with pytest.raises((LookupError, ValueError, FileNotFoundError), match=reason):
        find_trained(catalog, cell)


def test_classifier_without_calibrator_is_missing(catalog, trained):
    for version in trained[1].parents[1].iterdir():
        (version / "trust.json").unlink()
        version.rmdir()
    with pytest.raises(FileNotFoundError, match=f"--to-outputs {CELL}.calibrator"):
        find_trained(catalog, CELL)


def test_schema_with_other_relations_is_refused(catalog, trained, schema):
    (trained[0] / "config.json").write_text('{"id2label": {"0": "lives_in", "1": "works_for"}}')
    with pytest.raises(ValueError, match=r"other relations .*works_for.*--to-outputs"):
        find_trained(catalog, CELL)


@pytest.mark.parametrize("command", [serve_command, main])
def test_both_commands_that_serve_have_the_options_of_its_limits(command):
    given = {option.name: option.default for option in command.params}
    inside = {"max_waiting", "batch_sentences", "shutdown_seconds"}
    limits = ServiceParams().model_dump(exclude=inside | {"allowed_hosts"})
    assert limits.items() <= given.items() and "allowed_hosts" in given
