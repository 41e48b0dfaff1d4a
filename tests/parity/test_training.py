"""Some steps of every training with the tiny backbone, in fp32: losses and probabilities."""

from __future__ import annotations

import pytest

from tests.parity.pins import check, digest
from tkre.generation.texts import knowledge_texts
from tkre.training.finetuning import finetune
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams
from tkre.training.pretraining import pretrain
from tkre.training.stages import PretrainingParams

NEAR = 1e-4  # another processor sums in another order
RATES = {"learning_rate": 1e-3, "head_learning_rate": 5e-3, "batch_size": 8, "precision": "fp32"}
PRETRAINING = PretrainingParams(
    sources=["explanation", "support"],
    mslm={"epochs": 3, "optimisation": RATES},
    scl={"epochs": 3, "mslm_weight": 0.7, "scl_weight": 0.5, "optimisation": RATES},
    pairs={"epochs": 2, "layers": [1, 2], "optimisation": RATES},
)
BOTH = {"add_inverted": True, "both_directions": True, "type_guided": True}
FINETUNING = {
    "markers": {},
    "spans": {"layers": (1, 2), "alignment": {"weight": 0.5}, "trigger_weight": 0.2,
              "probe_start": 0.1, "average": 0.3, "keep_epoch": "one_standard_error", **BOTH},
    "prompt": BOTH,
    "virtual_words": {"alignment": {"weight": 0.2}, **BOTH},
    "prototypes": {"least_probability": 0.3, "encoder_dropout": 0.2},
}  # fmt: skip


def test_pretraining(backbone, toy_rows, schema):
    texts = knowledge_texts(toy_rows, [], schema, PRETRAINING.sources)
    common = {"data": "d", "seed": 3, "description": "toy"}
    first, mslm = pretrain(backbone, texts, schema, PRETRAINING, "mslm", **common)
    second, scl = pretrain(first, texts, schema, PRETRAINING, "scl", **common)
    third, pairs = pretrain(second, toy_rows, schema, PRETRAINING, "pairs", **common)
    check("pretraining", {"mslm": mslm, "scl": scl, "pairs": pairs}, rel=NEAR)
    weights = [p.abs().mean().item() for p in third.model.parameters()]
    check("pretrained", weights, rel=NEAR)


@pytest.mark.parametrize("head", FINETUNING)
def test_finetuning(backbone, toy_rows, schema, head):
    params = FinetuningParams(
        head=head, samples_per_relation=20, min_epochs=2, optimisation=RATES, **FINETUNING[head]
    )
    classifier, losses = finetune(
        backbone, toy_rows, toy_rows[:12], schema, params, data="d", seed=3, description="toy"
    )
    check(f"losses of {head}", losses, rel=NEAR)
    inverted = [row.inverted() for row in toy_rows]
    probabilities = {
        name: predict(classifier.model, classifier.tokenizer, rows, precision="fp32")
        for name, rows in (("forward", toy_rows), ("inverted", inverted))
    }
    check(f"probabilities of {head}", probabilities, rel=NEAR)


@pytest.mark.parametrize("head", FINETUNING)
def test_what_a_head_reads(backbone, toy_rows, schema, knowledge, head):
    params = FinetuningParams(
        head=head, max_length=48, samples_per_relation=1, min_epochs=1, optimisation=RATES,
        layers=(1, 2) if head == "spans" else (),
    )  # fmt: skip
    classifier, _ = finetune(
        backbone, toy_rows, [], schema, params, data="d", seed=3, description="toy"
    )
    rows = [*knowledge.splits["test"][:40], *toy_rows]
    encoded = classifier.model.encode(rows, classifier.tokenizer)
    arrays = [row.arrays() for row in encoded]
    check(f"encodings of {head}", {
        "first": arrays[-1], "all": digest(arrays), "truncated": [e.truncated for e in encoded],
    })  # fmt: skip
