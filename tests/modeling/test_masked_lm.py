from __future__ import annotations

import pytest
import torch
from transformers import RobertaConfig, RobertaForMaskedLM

from tkre.modeling.backbone import masked_lm_head


def test_heads_by_the_names_of_architectures(backbone):
    roberta = RobertaForMaskedLM(
        RobertaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    assert masked_lm_head(roberta)(torch.randn(3, 16)).shape == (3, 40)
    assert masked_lm_head(backbone.model)(torch.randn(3, 32)).shape[0] == 3
    with pytest.raises(ValueError, match="no masked-LM head"):
        masked_lm_head(backbone.model.base_model)
