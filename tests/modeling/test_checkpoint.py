from __future__ import annotations

import shutil

import pytest
from transformers import AutoModelForMaskedLM, BertForMaskedLM

from tkre.core.errors import UserError
from tkre.core.provenance import LineageError
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.tokenization import FileTokenizer
from tkre.modeling.weights import torn_files_named
from tkre.serving.extractor import RelationExtractor


def test_a_folder_of_hugging_face_files(backbone, tmp_path):
    backbone.save(tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "lineage.json"} <= names
    # The umask decides, for the weights too: another user may have to read them.
    assert len({p.stat().st_mode for p in tmp_path.iterdir()}) == 1
    again = Checkpoint.load(tmp_path, AutoModelForMaskedLM)
    assert again.lineage == backbone.lineage
    assert weights_digest(again.model) == backbone.lineage.origin
    assert isinstance(AutoModelForMaskedLM.from_pretrained(tmp_path), BertForMaskedLM)


def test_replaced_weights_are_refused(backbone, tmp_path):
    import torch

    backbone.save(tmp_path)
    other = BertForMaskedLM.from_pretrained(tmp_path)
    with torch.no_grad():
        other.bert.encoder.layer[0].output.dense.bias += 1
    other.save_pretrained(tmp_path)
    with pytest.raises(LineageError, match="changed after they were written"):
        Checkpoint.load(tmp_path, AutoModelForMaskedLM)


@pytest.mark.parametrize("how", ["cut", "[1]", ""])
@pytest.mark.parametrize(
    "name",
    ["config.json", "lineage.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
)
def test_a_torn_file_is_named_whoever_loads_it(classifier_folder, tmp_path, name, how):
    shutil.copytree(classifier_folder, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] if how == "cut" else how.encode())
    readers = [
        lambda: Checkpoint.load(tmp_path, RelationClassifier),
        lambda: RelationExtractor.from_pretrained(tmp_path, calibrator=False),
    ]
    if name == "tokenizer.json":
        readers.append(lambda: FileTokenizer.load(tmp_path))
    for read in readers:
        with pytest.raises(UserError, match=f"{tmp_path}/{name}(, line [0-9]+)?: "):
            read()


def test_what_is_no_torn_file_keeps_its_error(classifier_folder):
    with pytest.raises(ZeroDivisionError), torn_files_named(classifier_folder):
        raise ZeroDivisionError
