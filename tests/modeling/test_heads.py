from __future__ import annotations

import pytest
import torch

from tests.conftest import instance
from tests.modeling.test_classifier import config
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.entity_markers import (
    BETWEEN,
    HEAD,
    HEAD_MARKER,
    ROWS,
    TAIL,
    TAIL_MARKER,
    mask_entities,
)
from tkre.modeling.heads import MarkerHead, SpanHead, definition_text
from tkre.modeling.runtime import to_tensors
from tkre.training.batching import collate
from tkre.training.finetuning import build_classifier, head_start
from tkre.training.inference import embed
from tkre.training.params import FinetuningParams

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


def test_what_is_between_has_other_features_where_the_tail_comes_first(backbone):
    hidden = states()
    head = SpanHead(config(backbone, "spans", by_order=True))
    plain = SpanHead(config(backbone, "spans"))
    swapped = spans()
    swapped[:, [HEAD, TAIL]] = spans()[:, [TAIL, HEAD]]
    of_layer = 6 * H

    def parts(head, flags):
        features, _ = head.features(hidden, torch.ones(B, T), flags)
        assert features.shape[1] == head.size
        return features[0, :of_layer].reshape(-1, H)

    forward, inverted = parts(head, spans()), parts(head, swapped)
    between = plain.features(hidden, torch.ones(B, T), spans())[0][0, 2 * H : 4 * H].reshape(2, H)
    assert torch.equal(forward[:2], inverted[:2].flip(0))
    assert torch.equal(forward[2:4], between) and not forward[4:].any()
    assert torch.equal(inverted[4:], between) and not inverted[2:4].any()


def test_two_tokens_before_each_opening_marker_have_features(backbone):
    head, hidden = SpanHead(config(backbone, "spans", before_mentions=True)), states()
    features, _ = head.features(hidden, torch.ones(B, T), spans())
    assert features.shape == (B, head.size)
    parts, layer = features[:, : 6 * H].reshape(B, 6, H), hidden[1]
    # Before the first marker is one token only.
    assert torch.allclose(parts[:, 2], layer[:, 0])
    assert torch.allclose(parts[:, 3], layer[:, 3:5].mean(1))


@pytest.mark.parametrize("options", [{}, {"before_mentions": True, "by_order": True}])
def test_parts_are_dropped_in_training_one_at_a_time(backbone, options):
    head = SpanHead(config(backbone, "spans", part_dropout=0.5, **options))
    whole = head.eval().features(states(), torch.ones(B, T), spans())[0]
    mentions, of_layer = head.vectors[0] * H, sum(head.vectors) * H
    head.train()
    hidden, rest, seen = states(), len(head.layers) * of_layer, set()
    for _ in range(40):
        row = head.features(hidden, torch.ones(B, T), spans())[0][0]
        layers = [row[n * of_layer : (n + 1) * of_layer] for n in range(len(head.layers))]
        kept = {(bool(x[:mentions].any()), bool(x[mentions:].any())) for x in layers}
        assert len(kept) == 1  # of all layers alike
        seen |= kept
        assert torch.equal(row[row != 0], whole[0][row != 0])
        assert torch.equal(row[rest:], whole[0][rest:])
    assert seen == {(True, True), (True, False), (False, True)}


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
    # A feature that no training sentence has is no larger than it is elsewhere.
    assert (head.scale == 1).all()


PARAMS = FinetuningParams(
    head="prototypes", samples_per_relation=0, min_epochs=0, temperature=0.1,
    optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3},
)  # fmt: skip


@pytest.fixture
def model(backbone, schema):
    model = build_classifier(backbone, schema, PARAMS)
    model.head.initialise(head_start(model, backbone, schema, [], PARAMS))
    return model.eval()


def test_logits_are_cosines_of_embeddings(model, backbone, schema, toy_rows):
    encoder, tokenizer = backbone.model.base_model, backbone.tokenizer
    batch = to_tensors(collate(model.encode(toy_rows, tokenizer), tokenizer.pad_token_id))
    sentences = embed(encoder, tokenizer, [mask_entities(row, typed=True)[0] for row in toy_rows])
    meanings = embed(
        encoder, tokenizer, [definition_text(schema.relations[name]) for name in schema.names]
    )
    expected = torch.cosine_similarity(sentences[:, None], meanings[None], dim=-1) / 0.1
    assert torch.allclose(model(**batch).logits, expected, atol=1e-4)


def test_prototypes_are_saved(model, backbone, toy_rows, tmp_path):
    model.save_pretrained(tmp_path)
    again = RelationClassifier.from_pretrained(tmp_path).eval()
    batch = to_tensors(
        collate(model.encode(toy_rows, backbone.tokenizer), backbone.tokenizer.pad_token_id)
    )
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert again.head.prototypes.abs().sum() > 0


def test_a_long_sentence_is_cut_around_its_mentions(model, backbone):
    row = instance("town " * 200 + "<head>anna</head> met <tail>bert</tail>" + " city" * 200)
    [encoded] = model.encode([row], backbone.tokenizer)
    assert encoded.truncated and len(encoded) == 128
    tokens = backbone.tokenizer.convert_ids_to_tokens(encoded.input_ids)
    assert {"head", "tail"} <= set(tokens)
