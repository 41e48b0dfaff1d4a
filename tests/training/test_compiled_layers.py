from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

from tkre.modeling.runtime import device
from tkre.training.trainer import compiled_layers

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_compiled_layers_compute_the_same_at_every_length_and_are_given_back():
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48,
    )  # fmt: skip
    model = BertForMaskedLM(config).eval().to(device())
    batches = []
    for length in (9, 17, 30):
        mask = (torch.arange(length) < torch.tensor([[length], [length - 2], [4]]))[:, None, None]
        ids = torch.randint(5, 50, (3, length))
        batches.append({"input_ids": ids.to(device()), "attention_mask": mask.to(device())})
    plain = [model(**batch).logits for batch in batches]
    graphs = torch._dynamo.utils.counters["stats"]
    graphs.clear()
    with compiled_layers(nn.ModuleList([model])):
        for batch, expected in zip(batches, plain, strict=True):
            torch.testing.assert_close(model(**batch).logits, expected, rtol=1e-4, atol=1e-5)
    # One graph for both layers and all lengths.
    assert graphs["unique_graphs"] == 1
    graphs.clear()
    model(**batches[0])
    assert not graphs
