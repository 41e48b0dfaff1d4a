from __future__ import annotations

import torch

from tkre.training.inference import embed


def test_means_over_the_tokens_in_the_order_of_the_texts(backbone):
    encoder, tokenizer = backbone.model.base_model, backbone.tokenizer
    texts = ["anna lives in the old town of oslo", "bert", "carla knows dora"]
    vectors = embed(encoder, tokenizer, texts)
    for text, vector in zip(texts, vectors, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            expected = encoder(**inputs).last_hidden_state.mean(dim=1)[0]
        assert torch.allclose(vector, expected, atol=1e-5)


def test_the_mode_of_the_encoder_is_restored(backbone):
    encoder = backbone.model.base_model
    encoder.train()
    embed(encoder, backbone.tokenizer, ["anna"])
    assert encoder.training
    encoder.eval()


def test_a_text_that_is_cut_is_counted(backbone, caplog):
    encoder, tokenizer = backbone.model.base_model, backbone.tokenizer
    texts = ["anna lives in the old town of oslo", "bert"]
    with caplog.at_level("INFO"):
        embed(encoder, tokenizer, texts, "definitions")
        assert not caplog.messages
        embed(encoder, tokenizer, texts, "definitions", max_length=5)
    [message] = caplog.messages
    assert "definitions: 1 of 2" in message
