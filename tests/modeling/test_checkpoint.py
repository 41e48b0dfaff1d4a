from __future__ import annotations

import pytest
from transformers import AutoModelForMaskedLM, BertForMaskedLM

from tkre.core.provenance import LineageError
from tkre.modeling.checkpoint import Checkpoint, weights_digest


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
