from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tkre.evaluation import metrics
from tkre.evaluation.metrics import (
    Score,
    ScoredRows,
    by_relation,
    confusion,
    counts,
    f1_first,
    micro_scores,
    official_f1,
    undirected,
)

RELATIONS = ["Cause-Effect", "Component-Whole", "Content-Container", "Entity-Destination",
             "Entity-Origin", "Instrument-Agency", "Member-Collection", "Message-Topic",
             "Product-Producer"]  # fmt: skip
LABELS = [f"{r}({d})" for r in RELATIONS for d in ("e1,e2", "e2,e1")] + ["Other"]


def semeval_scorer(gold: list[str], guessed: list[str]) -> float:
    """The official scorer's definition, written out from its documentation.

    For each relation, over its two directions: correct is right relation and right direction;
    precision divides by all guesses of the relation, recall by all its gold rows, so a wrong
    direction counts against both. Macro-F1 is the mean over the nine relations.
    """
    total = 0.0
    for relation in RELATIONS:
        correct = wrong_way = missed = spurious = 0
        for g, p in zip(gold, guessed, strict=True):
            in_gold, in_guess = g.startswith(relation + "("), p.startswith(relation + "(")
            if in_gold and in_guess:
                correct += g == p
                wrong_way += g != p
            elif in_gold:
                missed += 1
            elif in_guess:
                spurious += 1
        guesses, golds = correct + wrong_way + spurious, correct + wrong_way + missed
        precision = correct / guesses if guesses else 0.0
        recall = correct / golds if golds else 0.0
        total += 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return 100 * total / len(RELATIONS)


def corrupted(rng: np.random.Generator, flips: float, wrong: float, to_other: float,
              other_wrong: float) -> tuple[list[str], list[str]]:  # fmt: skip
    gold = list(rng.choice(LABELS, size=2717))
    guessed = []
    for label in gold:
        draw = rng.random()
        if label == "Other":
            guessed.append(rng.choice(LABELS[:-1]) if draw < other_wrong else label)
        elif draw < flips:
            guessed.append(
                label.replace("e1,e2", "x").replace("e2,e1", "e1,e2").replace("x", "e2,e1")
            )
        elif draw < flips + wrong:
            guessed.append(rng.choice(LABELS))
        else:
            guessed.append("Other" if draw < flips + wrong + to_other else label)
    return gold, guessed


@pytest.mark.parametrize(
    "errors", [(0, 0, 0, 0), (0.1, 0, 0, 0), (0.05, 0.1, 0.1, 0.3), (0.1, 0.2, 0.05, 0.7),
               (0, 0, 0, 1), (0, 0, 1, 0), (1, 0, 0, 0)],
)  # fmt: skip
def test_the_official_score_of_semeval(errors):
    gold, guessed = corrupted(np.random.default_rng(1), *errors)
    expected = semeval_scorer(gold, guessed)
    assert official_f1(gold, guessed, "Other", "semeval") == pytest.approx(expected, abs=1e-9)


def test_the_scores_of_a_cell_and_how_they_are_shown():
    rows = ScoredRows(["a", "b", "b"], ["a", "a", "no"], "no", "macro")
    shown = {
        name: (score.title, score.heading, score.kind, score.resampled, score.function(rows))
        for name, score in ((name, metrics.METRICS[name]) for name in metrics.METRICS)
    }
    assert shown == {
        "micro_precision": ("precision", "P", "precision", None, pytest.approx(50)),
        "micro_recall": ("recall", "R", "recall", None, pytest.approx(100 / 3)),
        "micro_f1": ("micro-F1", "", "f1", "micro", pytest.approx(40)),
        "official_f1": ("official F1", "", "f1", "official", pytest.approx(100 / 3)),
    }
    assert metrics.METRICS.group == "tkre.metrics"
    assert f1_first() == ["micro_f1", "official_f1", "micro_precision", "micro_recall"]
    assert ScoredRows([], [], None).official == "micro"
    assert Score(len, "rows") == Score(len, "rows", heading="", kind=None, resampled=None)


def test_macro_f1_is_the_mean_over_the_labels_that_occur():
    gold, guessed = corrupted(np.random.default_rng(0), 0.1, 0.2, 0.05, 0.7)
    gold, guessed = gold[:40], guessed[:40]
    occurring = sorted({*gold} - {"Other"})
    assert len(occurring) < len(LABELS) - 1
    expected = 100 * f1_score(gold, guessed, labels=occurring, average="macro")
    assert official_f1(gold, guessed, "Other", "macro") == pytest.approx(expected, abs=1e-9)


def test_a_worked_example_of_direction():
    gold = ["Cause-Effect(e1,e2)", "Cause-Effect(e1,e2)", "Other"]
    guessed = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Cause-Effect(e1,e2)"]
    # one correct of three guesses and two gold rows: P = 1/3, R = 1/2, F1 = 0.4
    assert official_f1(gold, guessed, "Other", "semeval") == pytest.approx(40.0)
    assert undirected("Cause-Effect(e2,e1)") == "Cause-Effect" and undirected("Other") == "Other"


def test_micro_agrees_with_sklearn_over_positive_labels():
    gold, guessed = corrupted(np.random.default_rng(3), 0.1, 0.2, 0.05, 0.7)
    expected = 100 * f1_score(gold, guessed, labels=LABELS[:-1], average="micro")
    assert micro_scores(gold, guessed, "Other")["micro_f1"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gold", "guessed", "scores"),
    [
        # TACRED's scorer: P is 1 without a guess, R is 0 without a positive gold row, F1 is 0
        (["no", "no"], ["no", "no"], (100, 0, 0)),
        (["a", "no"], ["no", "no"], (100, 0, 0)),
        (["no", "no"], ["a", "no"], (0, 0, 0)),
        (["a", "b", "no"], ["a", "a", "b"], (100 / 3, 50, 40)),
        ([], [], (100, 0, 0)),
    ],
)
def test_tacred_s_edge_cases(gold, guessed, scores):
    assert tuple(micro_scores(gold, guessed, "no").values()) == pytest.approx(scores)


def test_without_a_negative_relation_every_row_counts():
    assert micro_scores(["a", "b"], ["a", "a"], None)["micro_f1"] == 50


def test_relations_without_gold_rows_are_no_zeros_in_the_macro():
    gold, guessed = ["Cause-Effect(e1,e2)"], ["Cause-Effect(e1,e2)"]
    assert official_f1(gold, guessed, "Other", "semeval") == 100


def test_rows_without_a_positive_label_have_one_group_without_members():
    found = counts(["no", "no"], ["no", "no"], "no", "macro")
    assert found.gold.shape == found.correct.shape == found.guessed.shape == (2, 1)
    assert found.f1().tolist() == [0] == [official_f1(["no"], ["no"], "no", "semeval")]


def test_without_weights_there_is_one_score():
    assert counts(["a"], ["a"], "no", "micro").f1().tolist() == [100]


def test_a_label_whose_rows_weigh_nothing_does_not_occur():
    found = counts(["a", "b"], ["a", "b"], None, "macro").f1(np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert found.tolist() == [100, 0]


def test_weights_count_rows_more_than_once():
    gold, guessed = ["a", "b", "no"], ["a", "no", "b"]
    doubled = counts(gold, guessed, "no", "micro").f1(np.array([[2.0, 0.0, 1.0]]))
    again = micro_scores(["a", "a", "no"], ["a", "a", "b"], "no")["micro_f1"]
    assert doubled[0] == pytest.approx(again)


def test_tables():
    gold, guessed, labels = ["a", "a", "b"], ["a", "b", "b"], ["a", "b", "c"]
    a, b, c = by_relation(gold, guessed, labels).to_dict("records")
    assert (a["precision"], a["recall"], a["gold"], a["guessed"]) == (100, 50, 2, 1)
    assert b["f1"] == pytest.approx(200 / 3)
    assert c["f1"] == 0
    assert confusion(gold, guessed, labels).to_numpy().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_scores_equal_their_definitions_on_random_rows():
    """The definitions, counted by hand: 1e-9 is the parity that the pins ask for."""
    rng = np.random.default_rng(5)
    labels = ["a", "b", "c", "no"]
    for _ in range(20):
        gold = rng.choice(labels, size=40, p=[0.2, 0.3, 0.1, 0.4]).tolist()
        guessed = rng.choice(labels[1:], size=40).tolist()
        table = by_relation(gold, guessed, labels).set_index("relation")
        for label in labels:
            right = sum(g == p == label for g, p in zip(gold, guessed, strict=True))
            total = gold.count(label) + guessed.count(label)
            assert table.loc[label, "f1"] == pytest.approx(200 * right / total, abs=1e-9)
            assert table.loc[label, "guessed"] == guessed.count(label)
        micro = counts(gold, guessed, "no", "micro").f1()[0]
        assert micro_scores(gold, guessed, "no")["micro_f1"] == pytest.approx(micro, abs=1e-9)


def test_a_thousand_random_sets_score_as_the_definitions_say():
    """Sets of 1 to 60 rows with few or all labels, each metric counted by hand, to 1e-9."""
    rng = np.random.default_rng(19)
    for _ in range(1000):
        labels = rng.choice(LABELS, size=rng.integers(1, len(LABELS)), replace=False)
        gold = rng.choice(labels, size=rng.integers(1, 60)).tolist()
        keeps = rng.random()
        guessed = [g if rng.random() < keeps else str(rng.choice(LABELS)) for g in gold]
        pairs = list(zip(gold, guessed, strict=True))

        right = sum(g == p != "Other" for g, p in pairs)
        asserted, held = (sum(label != "Other" for label in side) for side in (guessed, gold))
        wanted = {
            "micro_precision": 100 * right / asserted if asserted else 100,
            "micro_recall": 100 * right / held if held else 0,
            "micro_f1": 200 * right / (asserted + held) if asserted + held else 0,
        }
        assert micro_scores(gold, guessed, "Other") == pytest.approx(wanted, abs=1e-9)

        present = {undirected(g) for g in gold} - {"Other"}
        whole = semeval_scorer(gold, guessed) * len(RELATIONS)  # absent relations add nothing
        found = official_f1(gold, guessed, "Other", "semeval")
        assert found == pytest.approx(whole / len(present) if present else 0, abs=1e-9)

        of_label = {
            label: 200 * sum(g == p == label for g, p in pairs)
            / (gold.count(label) + guessed.count(label))
            for label in {*gold} - {"Other"}
        }  # fmt: skip
        found = official_f1(gold, guessed, "Other", "macro")
        mean = sum(of_label.values()) / len(of_label) if of_label else 0
        assert found == pytest.approx(mean, abs=1e-9)


def test_tables_of_no_rows_are_zeros():
    assert by_relation([], [], ["a", "b"])[["f1", "gold", "guessed"]].to_numpy().sum() == 0
    assert confusion([], [], ["a", "b"]).to_numpy().tolist() == [[0, 0], [0, 0]]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 gold labels, but 1 predictions"):
        counts(["a", "b"], ["a"], None, "micro")
