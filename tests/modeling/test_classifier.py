from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch
from transformers import AutoConfig, RobertaConfig, RobertaModel

from tests.conftest import instance
from tkre.core.errors import UserError
from tkre.modeling import params
from tkre.modeling.classifier import RelationClassifier, RelationClassifierConfig
from tkre.modeling.entity_markers import encode_instances
from tkre.modeling.heads import Head
from tkre.modeling.runtime import to_tensors
from tkre.modeling.settings import ClassifierSettings
from tkre.training.batching import collate

ROWS = [
    instance("<head>anna</head> lives in old <tail>oslo</tail> .", triggers=("lives",)),
    instance("<tail>rome</tail><head>bert</head>"),
]
LABELS = {0: "a", 1: "b", 2: "c"}


def config(backbone, head, **options):
    return RelationClassifierConfig(
        encoder=backbone.model.config.to_dict(), head=head, id2label=LABELS,
        label2id={v: k for k, v in LABELS.items()},
        **({"layers": (1, 2), "trigger_attention": True} if head == "spans" else {}), **options,
    )  # fmt: skip


def batch(backbone):
    encoded = encode_instances(ROWS, backbone.tokenizer, max_length=32, typed=True)
    return to_tensors(collate(encoded, backbone.tokenizer.pad_token_id))


@pytest.fixture(params=["markers", "spans"])
def model(request, backbone):
    torch.manual_seed(0)
    model = RelationClassifier(config(backbone, request.param))
    model.load_encoder(backbone.model.base_model)
    return model.eval()


def test_logits_and_loss(model, backbone):
    inputs = batch(backbone)
    output = model(**inputs, labels=torch.tensor([0, 2]))
    assert output.logits.shape == (2, 3)
    assert torch.isfinite(output.logits).all()  # also where nothing stands between
    expected = torch.nn.functional.cross_entropy(output.logits, torch.tensor([0, 2]))
    assert output.loss == expected


def test_padding_changes_nothing(model, backbone):
    inputs = batch(backbone)
    [alone] = encode_instances(ROWS[1:], backbone.tokenizer, max_length=32, typed=True)
    single = model(**to_tensors(collate([alone], backbone.tokenizer.pad_token_id))).logits
    assert torch.allclose(model(**inputs).logits[1], single[0], atol=1e-5)


def test_a_saved_model_is_the_same_and_has_its_labels(model, backbone, tmp_path):
    model.save_pretrained(tmp_path)
    again = RelationClassifier.from_pretrained(tmp_path).eval()
    inputs = batch(backbone)
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)
    assert again.config.id2label == LABELS and again.config.head == model.config.head
    assert isinstance(AutoConfig.from_pretrained(tmp_path), RelationClassifierConfig)
    assert (tmp_path / "model.safetensors").is_file()


def test_the_encoder_s_weights_are_taken(model, backbone):
    ours, theirs = model.encoder.state_dict(), backbone.model.base_model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_deeper_layers_are_cut_off(backbone):
    model = RelationClassifier(config(backbone, "spans", ).__class__(
        encoder=backbone.model.config.to_dict(), head="spans", layers=(1,), id2label=LABELS,
    ))  # fmt: skip
    model.load_encoder(backbone.model.base_model)
    assert len(model.encoder.encoder.layer) == 1


def test_another_architecture_is_refused(backbone):
    model = RelationClassifier(config(backbone, "markers"))
    other = RobertaModel(
        RobertaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    )
    with pytest.raises((ValueError, RuntimeError)):
        model.load_encoder(other)


def test_a_roberta_encoder(tmp_path):
    encoder = RobertaModel(
        RobertaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                      intermediate_size=32), add_pooling_layer=False,
    )  # fmt: skip
    model = RelationClassifier(
        RelationClassifierConfig(encoder=encoder.config.to_dict(), id2label=LABELS)
    )
    model.load_encoder(encoder)
    model.save_pretrained(tmp_path)
    assert RelationClassifier.from_pretrained(tmp_path).config.num_labels == 3


def test_every_registered_head_and_loss_can_be_loaded():
    assert all(issubclass(params.HEADS[name].head_class, Head) for name in params.HEADS)
    assert all(callable(params.LOSSES[name]) for name in params.LOSSES)


OTHER = {
    "max_length": 96, "typed_markers": False, "both_directions": True, "negative": "c",
    "least_probability": 0.4, "inverses": {"a": "b", "b": "a"}, "entity_types": ["person"],
    "allowed_types": {"a": [["person"], []]}, "phrases": {"a": [3, 4], "b": [5], "c": [6]},
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, OTHER], ids=["defaults", "others"])
@pytest.mark.parametrize("head", params.HEADS)
def test_settings_are_read_like_transformers_reads_them(backbone, head, options, tmp_path):
    config(backbone, head, **options).save_pretrained(tmp_path)
    ours = ClassifierSettings.read(tmp_path)
    theirs = RelationClassifierConfig.from_pretrained(tmp_path)
    for field in fields(ClassifierSettings):
        assert getattr(ours, field.name) == getattr(theirs, field.name), field.name
    assert (ours.label2id, ours.num_labels) == (theirs.label2id, theirs.num_labels)
    assert ours.id2label == LABELS and list(ours.id2label) == [0, 1, 2]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UserError, match=r"config.json names no labels"):
        ClassifierSettings.read(tmp_path)
