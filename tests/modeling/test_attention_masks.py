from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from tkre.modeling.runtime import mask_for

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def encoder(**options) -> BertModel:
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=20,
        intermediate_size=8,
    )  # fmt: skip
    return BertModel._from_config(config, **options).eval()


def test_a_cpu_s_mask_stays_as_it_is():
    assert mask_for(encoder(), MASK) is MASK


def test_flags_of_four_dimensions_mean_the_same():
    """What a GPU is given, given to a CPU."""
    model, ids = encoder(), torch.tensor([[3, 4, 5, 6], [3, 4, 0, 0]])
    flags = MASK[:, None, None, :].bool()
    with torch.no_grad():
        given, plain = (model(ids, attention_mask=m)[0] for m in (flags, MASK))
    torch.testing.assert_close(given[MASK.bool()], plain[MASK.bool()])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a GPU")
def test_a_gpu_s_mask_is_not_looked_into():
    model, mask = encoder().cuda(), MASK.cuda()
    ids = torch.full_like(mask, 3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        model(ids, attention_mask=mask_for(model, mask))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    eager = encoder(attn_implementation="eager").cuda()
    assert mask_for(eager, mask) is mask
