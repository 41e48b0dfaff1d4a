from __future__ import annotations

import torch

from tests.modeling.test_classifier import config
from tkre.modeling.entity_markers import BETWEEN, HEAD, HEAD_MARKER, ROWS, TAIL, TAIL_MARKER
from tkre.modeling.heads import MarkerHead, SpanHead

B, T, H = 2, 8, 32


def states(layers=3):
    torch.manual_seed(0)
    return tuple(torch.randn(B, T, H) for _ in range(layers))


def spans():
    flags = torch.zeros(B, ROWS, T, dtype=torch.bool)
    flags[:, HEAD_MARKER, 1] = flags[:, HEAD, 2] = True
    flags[:, TAIL_MARKER, 5] = flags[:, TAIL, 6] = True
    flags[0, BETWEEN, 3:5] = True  # nothing between in the second row
    return flags


def test_the_marker_head_reads_the_two_opening_markers_of_the_last_layer(backbone):
    head, hidden = MarkerHead(config(backbone, "markers")), states()
    features, attention = head.features(hidden, torch.ones(B, T), spans())
    assert torch.equal(features, torch.cat([hidden[-1][:, 1], hidden[-1][:, 5]], dim=1))
    assert attention is None
    assert features.shape[1] == head.size


def test_the_span_head_pools_mentions_and_what_is_between(backbone):
    head, hidden = SpanHead(config(backbone, "spans")), states()
    features, attention = head.features(hidden, torch.ones(B, T), spans())
    assert features.shape == (B, head.size)
    first = features[:, : 4 * H].reshape(B, 4, H)
    layer = hidden[1]
    assert torch.allclose(first[:, 0], layer[:, 2]) and torch.allclose(first[:, 1], layer[:, 6])
    assert torch.allclose(first[0, 2], layer[0, 3:5].mean(0))
    assert torch.allclose(first[0, 3], layer[0, 3:5].amax(0))
    assert first[1, 2:].abs().sum() == 0
    assert attention.shape == (B, T)


def test_attention_does_not_see_padding(backbone):
    head = SpanHead(config(backbone, "spans"))
    mask = torch.ones(B, T)
    mask[:, 6:] = 0
    _, attention = head.features(states(), mask, spans())
    assert attention.softmax(-1)[:, 6:].sum() == 0


def test_standardised_features_have_mean_0_and_scale_1(backbone):
    head = SpanHead(config(backbone, "spans"))
    raw = torch.randn(50, head.size) * 3 + 7
    standard = head.standardise(raw)
    assert torch.allclose(standard.mean(0), torch.zeros(head.size), atol=1e-5)
    assert torch.allclose(standard.std(0), torch.ones(head.size), atol=1e-5)
    again = head.standardise(standard)
    assert torch.allclose(again, standard, atol=1e-4)
    constant = head.standardise(torch.ones(5, head.size))
    assert torch.isfinite(constant).all()
