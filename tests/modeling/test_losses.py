from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tkre.modeling.losses import Alignment, SpanContrast, attention_loss, pool
from tkre.modeling.params import ContrastParams

B, T, H, R = 4, 9, 6, 3


@pytest.fixture
def batch():
    torch.manual_seed(0)
    spans = torch.zeros(B, 3, T, dtype=torch.bool)
    spans[:, 0, 1] = spans[:, 1, 7] = spans[:, 2, 3:5] = True
    others = torch.zeros(B, 2, T, dtype=torch.bool)
    others[:, 0, 5] = others[:, 1, 6] = True
    return {
        "hidden_BTH": torch.randn(B, T, H, requires_grad=True),
        "spans_B3T": spans,
        "others_BST": others,
        "labels_B": torch.tensor([0, 0, 1, 2]),
    }


def contrast(symmetric=(False, False, False), **params) -> SpanContrast:
    torch.manual_seed(1)
    return SpanContrast(torch.randn(R, H), torch.tensor(symmetric), ContrastParams(**params))


def by_hand(module: SpanContrast, batch) -> torch.Tensor:
    """The equation of the docstring, text by text."""
    tau, losses = module.params.temperature, []
    anchors = F.normalize(module.project_anchor(module.anchors), dim=-1)

    def triple(n, a, b, c):
        parts = [batch["hidden_BTH"][n][flags].mean(0) for flags in (a, b, c)]
        return F.normalize(module.project_triple(torch.cat(parts)), dim=-1)

    spans, others, relations = batch["spans_B3T"], batch["others_BST"], batch["labels_B"]
    complete = [n for n in range(B) if spans[n].any(-1).all()]
    for n in complete:
        anchor, (h, t, r) = anchors[relations[n]], spans[n]
        positive = (anchor @ triple(n, h, t, r) / tau).exp()
        negative = torch.tensor(0.0)
        for m in complete:
            if relations[m] != relations[n]:
                negative = negative + (anchor @ triple(m, *spans[m]) / tau).exp()
        if module.params.inverted_negatives and not module.symmetric[relations[n]]:
            negative = negative + (anchor @ triple(n, t, h, r) / tau).exp()
        for other in others[n]:
            if other.any():
                negative = negative + (anchor @ triple(n, h, t, other) / tau).exp()
        losses.append(-(positive / (positive + negative)).log())
    return torch.stack(losses).mean()


@pytest.mark.parametrize("symmetric", [(False, False, False), (True, False, True)])
@pytest.mark.parametrize("reverse", [True, False])
def test_the_loss_is_the_equation(batch, symmetric, reverse):
    module = contrast(symmetric, inverted_negatives=reverse, temperature=0.3)
    assert module(**batch).item() == pytest.approx(by_hand(module, batch).item(), rel=1e-5)


def test_incomplete_rows_are_left_out_everywhere(batch):
    batch["spans_B3T"][3, 2] = False  # no relation span
    module = contrast()
    loss = module(**batch)
    assert loss.item() == pytest.approx(by_hand(module, batch).item(), rel=1e-5)
    loss.backward()
    assert batch["hidden_BTH"].grad[3].abs().sum() == 0
    assert batch["hidden_BTH"].grad[0].abs().sum() > 0


def test_no_complete_row_is_no_loss_and_no_nan(batch):
    batch["spans_B3T"][:] = False
    loss = contrast()(**batch)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(batch["hidden_BTH"].grad).all()


def test_no_other_spans_and_one_relation(batch):
    batch["others_BST"] = batch["others_BST"][:, :0]
    batch["labels_B"][:] = 1
    loss = contrast(inverted_negatives=False)(**batch)
    assert loss.item() == pytest.approx(0, abs=1e-6)  # a positive without any negative


def test_relations_have_anchors_of_their_own_from_their_definitions():
    module = contrast()
    torch.manual_seed(1)
    assert torch.equal(module.anchors, torch.randn(R, H))


def test_training_separates_relations(batch):
    module = contrast(temperature=0.1)
    hidden = batch["hidden_BTH"].detach()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    first = module(**batch | {"hidden_BTH": hidden}).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss = module(**batch | {"hidden_BTH": hidden})
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1 * first


def test_pool_is_the_mean_over_the_flags():
    hidden = torch.arange(12.0).reshape(1, 4, 3)
    flags = torch.tensor([[[1, 0, 1, 0], [0, 0, 0, 0]]], dtype=torch.bool)
    assert pool(hidden, flags)[0].tolist() == [[3.0, 4.0, 5.0], [0.0, 0.0, 0.0]]


def test_attention_is_pulled_to_the_triggers():
    scores = torch.tensor([[0.0, 2.0, 1.0, -torch.inf], [1.0, 1.0, 1.0, 1.0]], requires_grad=True)
    triggers = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0]])
    loss = attention_loss(scores, triggers)
    logs = scores[0].log_softmax(-1)
    assert loss.item() == pytest.approx(-(logs[1] + logs[2]).item() / 2)
    loss.backward()
    assert torch.isfinite(scores.grad).all() and scores.grad[1].abs().sum() == 0
    halved = attention_loss(scores, triggers, torch.tensor([0.5, 1.0]))
    assert halved.item() == pytest.approx(loss.item() / 2)


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
    labels = torch.tensor([0, 2])
    assert alignment(features, labels).item() == pytest.approx(expected.item())
    # A row of weight 0 pulls nothing.
    first = alignment(features[:1], labels[:1]).item() / 2
    weighted = alignment(features, labels, torch.tensor([1.0, 0.0]))
    assert weighted.item() == pytest.approx(first)
