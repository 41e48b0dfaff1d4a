from __future__ import annotations

import pytest
import torch

from tests.conftest import instance
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.entity_markers import mask_entities
from tkre.modeling.heads import definition_text
from tkre.modeling.runtime import to_tensors
from tkre.training.batching import collate
from tkre.training.finetuning import build_classifier, head_start
from tkre.training.inference import embed
from tkre.training.params import FinetuningParams

PARAMS = FinetuningParams(
    head="prototypes", samples_per_relation=0, min_epochs=0, temperature=0.1,
    optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3},
)  # fmt: skip


@pytest.fixture
def model(backbone, schema):
    model = build_classifier(backbone, schema, PARAMS)
    model.head.initialise(head_start(model, backbone, schema, [], [], PARAMS))
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
