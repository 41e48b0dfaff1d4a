"""A classifier learns from the probabilities of another one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import instance
from tkre.core.cells import parse_cell
from tkre.core.instance import DISTILLED_ID
from tkre.core.provenance import frame_digest
from tkre.corpora.params import CorpusParams
from tkre.evaluation.predictions import prediction_frame
from tkre.generation.params import SynthesisParams
from tkre.pipelines.finetuning import nodes
from tkre.pipelines.finetuning.gpu_nodes import finetune_classifier
from tkre.training.batching import collate_shares, labelled_rows
from tkre.training.distillation import Distilled
from tkre.training.finetuning import ClassifierObjective, build_classifier, finetune
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams

OPTIMISATION = {"learning_rate": 2e-3, "head_learning_rate": 1e-2, "batch_size": 8}
MARKERS = FinetuningParams(optimisation=OPTIMISATION, samples_per_relation=100)


def taught(rows, names, shares_NR):
    rows = [replace(row, id=f"{DISTILLED_ID}toy/{row.id}", relation=None) for row in rows]
    predicted = [names[n] for n in shares_NR.argmax(axis=1)]
    ids = [row.id for row in rows]
    frame = prediction_frame(ids, [None] * len(rows), predicted, names, shares_NR)
    return rows, frame


def test_rows_of_a_teacher_have_its_probabilities_in_the_order_of_the_schema(toy_rows, schema):
    names = schema.names
    shares_NR = np.random.default_rng(0).dirichlet(np.ones(len(names)), size=3)
    rows, frame = taught(toy_rows[:3], list(reversed(names)), shares_NR[:, ::-1])
    distilled = Distilled.by(frame, rows, names)
    assert all(row.natural for row in distilled.rows)
    for row, shares_R in zip(distilled.rows, shares_NR, strict=True):
        assert row.relation == names[shares_R.argmax()]
        np.testing.assert_allclose(distilled.shares[row.id], shares_R, rtol=1e-6)
    with pytest.raises(ValueError, match="other rows"):
        Distilled.by(frame, rows[:2], names)


def test_targets_of_batches_and_inverted_rows(toy_rows, schema, backbone):
    model = build_classifier(backbone, schema, MARKERS).eval()
    names = schema.names
    relation = next(n for n in names if schema.inverse_of(n) not in (None, n))
    inverse = str(schema.inverse_of(relation))
    shares_NR = np.full((1, len(names)), 0.3 / (len(names) - 1))
    shares_NR[0, names.index(relation)] = 0.7
    rows, frame = taught(toy_rows[:1], names, shares_NR)
    distilled = Distilled.by(frame, rows, names)
    labelled = labelled_rows(
        model, backbone.tokenizer, [toy_rows[1], *distilled.rows], schema,
        add_inverted=True, shares=distilled.shares,
    )  # fmt: skip
    assert labelled[0].shares is None
    shares_R = labelled[-1].shares  # of the inverted row, which is the last one
    assert shares_R is not None and labelled[-1].label == names.index(inverse)
    assert shares_R[names.index(inverse)] == pytest.approx(0.7)
    assert shares_R.sum() == pytest.approx(1)

    batch = collate_shares(labelled, 0, len(names))
    assert batch["shares"][0].tolist() == np.eye(len(names))[labelled[0].label].tolist()
    given = {n: torch.as_tensor(a) for n, a in batch.items()}
    with torch.no_grad():
        loss, _ = ClassifierObjective(model, None, MARKERS)(**given)
        inputs = {
            n: a for n, a in given.items() if n not in ("labels", "weights", "natural", "shares")
        }
        logs = torch.log_softmax(model(**inputs).logits.double(), dim=1).numpy()
    wanted = -(batch["shares"] * logs).sum(axis=1).mean()
    assert float(loss) == pytest.approx(wanted, rel=1e-4)


def test_a_student_takes_over_what_only_its_teacher_knows(toy_rows, schema, backbone):
    """Rows that share nothing with the labelled ones get a relation that these do not have."""
    names = schema.names
    missing = "lives_in"
    known = [row for row in toy_rows if row.relation not in (missing, schema.inverse_of(missing))]
    new = [row for row in toy_rows if row.relation == missing]
    shares_NR = np.full((len(new), len(names)), 0.2 / (len(names) - 1))
    shares_NR[:, names.index(missing)] = 0.8
    rows, frame = taught(new, names, shares_NR)
    found = {}
    for name, distilled in (("alone", None), ("taught", Distilled.by(frame, rows, names))):
        student, _ = finetune(
            backbone, known, [], schema, MARKERS, data="x", seed=1, description=name,
            distilled=distilled,
        )  # fmt: skip
        probabilities_NR = predict(student.model, student.tokenizer, rows)
        found[name] = probabilities_NR[:, names.index(missing)].mean()
    assert found["alone"] < 0.4 < found["taught"]


def test_the_lineage_of_a_student_has_the_digest_of_what_its_teacher_said(
    toy_rows, schema, backbone
):
    names = schema.names
    rows, frame = taught(toy_rows[:3], names, np.full((3, len(names)), 1 / len(names)))
    params = MARKERS.model_copy(update={"samples_per_relation": 1, "annotated": True})
    cell = parse_cell("toy.k5a3.s0.student")

    def lineage(**teacher):
        return finetune_classifier(
            backbone, toy_rows, toy_rows[:4], schema, params, cell, **teacher
        )[0].lineage  # fmt: skip

    found = lineage(unannotated=rows, teacher_predictions=frame).steps[-1]
    assert found.teacher == frame_digest(frame)
    assert lineage().steps[-1].teacher is None


def test_a_teacher_needs_rows_that_are_not_annotated():
    row = instance("<head>Ada</head> lives in <tail>Rome</tail> .", id="u1")
    arguments = {
        "folder": type("Folder", (), {"name": "toy", "read": lambda _, name: ""})(),
        "corpus": CorpusParams(format="native", train="t", test="t", unlabelled={"file": "u"}),
        "support": [], "validation": [], "development": [], "test": [], "natural_test": [],
        "params": SynthesisParams(sampling={"temperature": 0.0, "max_tokens": 9}),
        "sample": type("Sample", (), {"name": "toy.k8a1.s1", "corpus": "toy"})(),
    }  # fmt: skip
    other = instance("<head>Eve</head> sold a boat to <tail>Bob</tail> .", id="u2")
    [found], report = nodes.select_unannotated(
        pool=[row, other], annotated=[], **arguments | {"test": [other]}
    )
    assert found.id == f"{DISTILLED_ID}toy/u1" and found.natural
    assert (report["sample"], report["taken"], report["refused"]) == ("toy.k8a1.s1", 1, 1)
    [unread, _], _ = nodes.select_unannotated(pool=[row, other], **arguments)  # none annotated
    assert unread == found
    with pytest.raises(ValueError, match="has none to label: add unlabelled text"):
        nodes.select_unannotated(pool=[row], annotated=[row], **arguments)
    with pytest.raises(ValueError, match="has none to label"):  # a copy of a test sentence
        nodes.select_unannotated(pool=[row], annotated=[], **arguments | {"test": [row]})
