"""``kedro label`` with a folder of a classifier; ``tests/e2e/test_inference.py`` has whole runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tkre.serving.extractor import RelationExtractor

SENTENCE = "<head>anna</head> lives in <tail>oslo</tail> ."


@pytest.fixture
def source(project) -> Path:
    """A folder with a file to label, and one that holds no sentences."""
    folder = project.folder / "to_label"
    folder.mkdir()
    (folder / "a.TXT").write_text(SENTENCE, encoding="utf-8")
    (folder / "notes.md").write_text("mine", encoding="utf-8")
    return folder


def test_the_classifier_is_loaded_once(project, kedro, source, classifier_folder, monkeypatch):
    loaded = []
    load = RelationExtractor.from_pretrained

    def counted(*arguments, **given):
        loaded.append(arguments)
        return load(*arguments, **given)

    monkeypatch.setattr(RelationExtractor, "from_pretrained", counted)
    command = ("label", "to_label", "to_label/labels", "--classifier", str(classifier_folder))
    shown = kedro(*command)
    assert "left out, by their endings: notes.md" in shown and "a.TXT: 1 rows, 1 ans" in shown
    assert len(loaded) == 1
    [row] = map(json.loads, (source / "labels/a.jsonl").read_text("utf-8").splitlines())
    assert row["sentence"] == SENTENCE and row["answer"]
    assert "done before" in kedro(*command)


def test_a_folder_has_one_record(
    project, kedro, source, classifier_folder, calibrator_of, toy_rows, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("natural")
    shutil.copytree(classifier_folder, folder, dirs_exist_ok=True)
    record = calibrator_of(folder, toy_rows)
    (folder / "trust.json").write_text(record.model_dump_json(), encoding="utf-8")
    command = ("label", "to_label", "labels", "--classifier", str(folder))
    assert "1 rows" in kedro(*command, "--balanced")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    prior = {name: 0.25 for name in config["label2id"]}
    (folder / "config.json").write_text(json.dumps(config | {"natural_prior": prior}), "utf-8")
    natural = record.model_copy(update={"fitted_on": "natural"})
    (folder / "trust.json").write_text(natural.model_dump_json(), encoding="utf-8")
    said = kedro(*command, "--balanced", code=1)
    assert "trust.json was fitted on natural text" in said and "calibrator=False" not in said
    assert "give --classifier the name of its cell, or leave --balanced out" in said
