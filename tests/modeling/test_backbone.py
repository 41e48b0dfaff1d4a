from __future__ import annotations

import pytest
import torch
from transformers import RobertaConfig, RobertaForMaskedLM

from tkre.core.errors import UserError
from tkre.modeling.backbone import load_backbone, masked_lm_head


def test_a_model_with_a_head_is_taken_as_it_is(tiny_backbone):
    from transformers import BertForMaskedLM

    loaded = load_backbone("tiny", str(tiny_backbone), None)
    published = BertForMaskedLM.from_pretrained(tiny_backbone)
    for name, tensor in published.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])
    assert loaded.lineage.backbone == "tiny" and loaded.lineage.steps == ()


def headless(tiny_backbone, tmp_path):
    from transformers import AutoTokenizer, BertModel

    BertModel.from_pretrained(tiny_backbone, add_pooling_layer=False).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_backbone).save_pretrained(tmp_path)
    return str(tmp_path)


def test_a_head_is_tied_to_the_embeddings_the_same_way_every_time(tiny_backbone, tmp_path):
    folder = headless(tiny_backbone, tmp_path)
    torch.manual_seed(1)
    first = load_backbone("t", folder, None)
    torch.manual_seed(2)
    second = load_backbone("t", folder, None)
    assert first.lineage.origin == second.lineage.origin
    head = first.model.cls.predictions
    assert head.decoder.weight.data_ptr() == first.model.get_input_embeddings().weight.data_ptr()
    assert torch.equal(head.transform.dense.weight, torch.eye(32))


def test_an_encoder_with_parts_missing_is_refused(tiny_backbone, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = headless(tiny_backbone, tmp_path)
    weights = load_file(f"{folder}/model.safetensors")
    dropped = next(name for name in weights if "encoder.layer.1" in name)
    del weights[dropped]
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="lack parts of the encoder"):
        load_backbone("t", folder, None)


def test_heads_by_the_names_of_architectures(backbone):
    roberta = RobertaForMaskedLM(
        RobertaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    assert masked_lm_head(roberta)(torch.randn(3, 16)).shape == (3, 40)
    assert masked_lm_head(backbone.model)(torch.randn(3, 32)).shape[0] == 3
    with pytest.raises(UserError, match="no masked-LM head"):
        masked_lm_head(backbone.model.base_model)
