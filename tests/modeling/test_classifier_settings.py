from __future__ import annotations

import json
from dataclasses import fields

import pytest

from tests.modeling.test_classifier import LABELS, config
from tkre.modeling import params
from tkre.modeling.classifier import RelationClassifierConfig
from tkre.modeling.settings import ClassifierSettings

OTHER = {
    "max_length": 96, "typed_markers": False, "both_directions": True, "negative": "c",
    "least_probability": 0.4, "inverses": {"a": "b", "b": "a"}, "entity_types": ["person"],
    "allowed_types": {"a": [["person"], []]}, "phrases": {"a": [3, 4], "b": [5], "c": [6]},
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, OTHER], ids=["defaults", "others"])
@pytest.mark.parametrize("head", params.HEADS)
def test_what_is_read_is_what_transformers_reads(backbone, head, options, tmp_path):
    config(backbone, head, **options).save_pretrained(tmp_path)
    ours = ClassifierSettings.read(tmp_path)
    theirs = RelationClassifierConfig.from_pretrained(tmp_path)
    for field in fields(ClassifierSettings):
        assert getattr(ours, field.name) == getattr(theirs, field.name), field.name
    assert (ours.label2id, ours.num_labels) == (theirs.label2id, theirs.num_labels)
    assert ours.id2label == LABELS and list(ours.id2label) == [0, 1, 2]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match=r"config.json names no labels"):
        ClassifierSettings.read(tmp_path)
