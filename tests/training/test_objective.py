from __future__ import annotations

import pytest
import torch

from tests.conftest import instance
from tkre.modeling.losses import Alignment, attention_loss
from tkre.training.inference import without_names


def test_attention_is_pulled_to_the_triggers():
    scores = torch.tensor([[0.0, 2.0, 1.0, -torch.inf], [1.0, 1.0, 1.0, 1.0]], requires_grad=True)
    triggers = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0]])
    loss = attention_loss(scores, triggers)
    logs = scores[0].log_softmax(-1)
    assert loss.item() == pytest.approx(-(logs[1] + logs[2]).item() / 2)
    loss.backward()
    assert torch.isfinite(scores.grad).all() and scores.grad[1].abs().sum() == 0


def test_rows_without_triggers_are_no_loss():
    assert attention_loss(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_alignment_is_an_info_nce_with_several_positives():
    torch.manual_seed(0)
    texts, labels = torch.randn(5, 4), torch.tensor([0, 0, 1, 1, 2])
    alignment = Alignment(texts, labels, features=6, temperature=0.5)
    features = torch.randn(2, 6)
    projected = torch.nn.functional.normalize(alignment.project(features), dim=-1)
    scores = (projected @ torch.nn.functional.normalize(texts, dim=-1).T / 0.5).exp()
    expected = -torch.log(
        torch.stack([scores[0, :2].sum() / scores[0].sum(), scores[1, 4] / scores[1].sum()])
    ).mean()
    assert alignment(features, torch.tensor([0, 2])).item() == pytest.approx(expected.item())


def test_explanations_lose_the_names_of_their_mentions():
    row = instance(
        "<head>Ada</head> lives in <tail>Rome</tail>",
        explanation="ada is at home in Rome. Adam not.",
    )
    assert without_names(row) == "the first entity is at home in the second entity. Adam not."
