from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    RobertaConfig,
    RobertaForMaskedLM,
)

from tests.conftest import instance
from tkre.core.errors import UserError
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.modeling.prompt_heads import visible
from tkre.modeling.prompts import phrase_ids, phrase_lengths
from tkre.modeling.runtime import to_tensors
from tkre.training.batching import collate

ROWS = [
    instance("<head>anna</head> lives in old <tail>oslo</tail> .", head_type="person"),
    instance("<tail>rome</tail><head>bert</head>"),
]
# Two phrases of equal length, and one that begins like another.
PHRASES = ["lives in", "home of", "lives", "is the home of"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "max_position_embeddings": 128, "pad_token_id": 0}  # fmt: skip


def classifier(masked_lm, tokenizer, head="prompt"):
    model = RelationClassifier(
        RelationClassifierConfig(
            encoder=masked_lm.config.to_dict(),
            head=head,
            phrases={f"r{n}": phrase_ids(phrase, tokenizer) for n, phrase in enumerate(PHRASES)},
            id2label={n: f"r{n}" for n in range(len(PHRASES))},
        )
    )
    model.load_encoder(masked_lm)
    return model.eval()


@pytest.fixture(params=["bert", "roberta"])
def masked_lm(request, backbone):
    torch.manual_seed(0)
    size = len(backbone.tokenizer)
    if request.param == "bert":
        return BertForMaskedLM(BertConfig(vocab_size=size, **SMALL)).eval()
    return RobertaForMaskedLM(RobertaConfig(vocab_size=size, **SMALL)).eval()


@pytest.fixture
def model(masked_lm, backbone):
    return classifier(masked_lm, backbone.tokenizer)


def batch(model, backbone, rows=ROWS):
    return to_tensors(
        collate(model.encode(rows, backbone.tokenizer), backbone.tokenizer.pad_token_id)
    )


@torch.no_grad()
def read_alone(masked_lm, encoded, number):
    """Log-probabilities at the masks of one prompt, read by itself behind its sentence.

    The sentence may not look at the prompt, as a mask of T x T says; places are the model's own.
    """
    kept = torch.tensor((encoded.prompts == 0) | (encoded.prompts == number))
    ids = torch.tensor(encoded.input_ids)[kept][None]
    prompt = torch.tensor(encoded.prompts)[kept] == number
    seen = prompt[:, None] | ~prompt[None, :]
    scores = torch.zeros(1, 1, *seen.shape).masked_fill(~seen, -1e9)
    logits = masked_lm(input_ids=ids, attention_mask=scores).logits[0]
    masks = torch.zeros(len(encoded), dtype=torch.bool)
    masks[encoded.masks] = True
    return logits[masks[kept]].log_softmax(dim=-1)


def test_packed_prompts_are_read_as_if_alone(masked_lm, model, backbone):
    logits = model(**batch(model, backbone)).logits
    for row, encoded in enumerate(model.encode(ROWS, backbone.tokenizer)):
        for relation, phrase in enumerate(PHRASES):
            ids = phrase_ids(phrase, backbone.tokenizer)
            logs = read_alone(
                masked_lm, encoded, 1 + phrase_lengths(model.head.phrases).index(len(ids))
            )
            expected = logs[torch.arange(len(ids)), ids].mean()
            assert logits[row, relation].item() == pytest.approx(expected.item(), abs=1e-5)


def test_padding_changes_nothing(model, backbone):
    alone = model(**batch(model, backbone, ROWS[1:])).logits
    assert torch.allclose(model(**batch(model, backbone)).logits[1], alone[0], atol=1e-5)


def test_attention_in_every_implementation_is_the_same(masked_lm, model, backbone):
    fused = model(**batch(model, backbone)).logits
    model.encoder.set_attn_implementation("eager")
    assert torch.allclose(model(**batch(model, backbone)).logits, fused, atol=1e-5)


def test_bf16_is_near(model, backbone):
    exact = model(**batch(model, backbone)).logits
    with torch.autocast("cpu", torch.bfloat16):
        near = model(**batch(model, backbone)).logits
    assert not torch.equal(near, exact) and torch.allclose(near, exact, atol=0.05)


def test_a_saved_model_is_the_same_and_its_decoder_is_tied(model, backbone, tmp_path):
    model.save_pretrained(tmp_path)
    again = RelationClassifier.from_pretrained(tmp_path).eval()
    inputs = batch(model, backbone)
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)
    assert again.encoder.get_output_embeddings().weight is (
        again.encoder.get_input_embeddings().weight
    )
    names = {name for name, _ in again.named_parameters() if not name.startswith("encoder.")}
    assert names == {"head.scale", "head.bias"}


def test_the_masked_lm_head_is_taken_and_trained(masked_lm, model, backbone):
    for name, weight in masked_lm.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], weight)
    inputs = batch(model, backbone)
    model(**inputs, labels=torch.tensor([0, 3])).loss.backward()
    own = {name: p for name, p in model.named_parameters() if ("cls." in name or "lm_head" in name)}
    assert own and all(p.grad.abs().sum() > 0 for p in own.values())


def test_a_bare_encoder_is_refused(masked_lm, model):
    with pytest.raises(UserError, match="the encoder lacks"):
        model.load_encoder(masked_lm.base_model)


def test_what_it_cannot_do_is_refused():
    labels = {"id2label": {0: "a", 1: "b"}}
    small = DistilBertConfig(vocab_size=50, dim=32, hidden_dim=32, n_layers=1, n_heads=2)
    config = RelationClassifierConfig(
        encoder=small.to_dict(), head="prompt", phrases={"a": [1], "b": [2]}, **labels
    )
    with pytest.raises(UserError, match="not distilbert"):
        RelationClassifier(config)
    config = RelationClassifierConfig(
        encoder=BertConfig(vocab_size=50, **SMALL).to_dict(),
        head="prompt",
        phrases={"a": [1]},
        **labels,
    )
    with pytest.raises(UserError, match="a phrase of at least one token for every label"):
        RelationClassifier(config)


@pytest.fixture
def knowprompt(masked_lm, backbone):
    model = classifier(masked_lm, backbone.tokenizer, "virtual_words")
    start = SimpleNamespace(word_embeddings=masked_lm.get_input_embeddings())
    model.head.initialise(start)
    return model


@torch.no_grad()
def test_words_of_relations_start_as_the_mean_of_their_phrases(masked_lm, knowprompt, backbone):
    logits = knowprompt(**batch(knowprompt, backbone)).logits
    bias = masked_lm.get_output_embeddings().bias
    for row, encoded in enumerate(knowprompt.encode(ROWS, backbone.tokenizer)):
        [mask] = encoded.masks
        assert encoded.input_ids[mask] == backbone.tokenizer.mask_token_id
        seen = torch.tensor((encoded.prompts[:, None] == 1) | (encoded.prompts[None, :] == 0))
        scores = torch.zeros(1, 1, *seen.shape).masked_fill(~seen, -1e9)
        of_words = masked_lm(
            input_ids=torch.tensor(encoded.input_ids)[None], attention_mask=scores
        ).logits[0, mask]
        for relation, phrase in enumerate(PHRASES):
            ids = phrase_ids(phrase, backbone.tokenizer)
            expected = (of_words - bias)[ids].mean()
            assert logits[row, relation].item() == pytest.approx(expected.item(), abs=1e-4)


def test_words_of_relations_are_saved_and_trained(knowprompt, backbone, tmp_path):
    inputs = batch(knowprompt, backbone)
    knowprompt(**inputs, labels=torch.tensor([0, 3])).loss.backward()
    assert knowprompt.head.virtual_words.grad.abs().sum() > 0
    knowprompt.save_pretrained(tmp_path)
    again = RelationClassifier.from_pretrained(tmp_path).eval()
    assert torch.equal(again(**inputs).logits, knowprompt(**inputs).logits)


def test_who_sees_whom():
    prompts = torch.tensor([[0, 0, 1, 2, 2, 0]])
    attention = torch.tensor([[1, 1, 1, 1, 1, 0]])  # the last one is padding
    seen = visible(attention, prompts, torch.float32)
    assert seen.shape == (1, 1, 6, 6)
    expected = [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 1, 0],
        [1, 1, 0, 1, 1, 0],
    ]
    assert (seen[0, 0, :5] == 0).int().tolist() == expected
    assert seen.min() == torch.finfo(torch.float32).min
