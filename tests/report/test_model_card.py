from __future__ import annotations

import re
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from tests.report.contents import HOSTILE, content, predictions, rows
from tkre.core.cells import parse_cell
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.natural_text import natural_scores
from tkre.evaluation.params import CalibrationParams
from tkre.report.model_card import CardContent, metadata, model_card
from tkre.report.params import CardParams


def card_content(hostile: str = "", **changes: object) -> CardContent:
    found = content(seeds=(13,), hostile=hostile)
    cell, parsed = found.cells[-1], found.corpora[0].schema
    calibrator = fit_calibrator(
        predictions(parsed, rows(parsed, hostile, 90), 7, 0.1), "none",
        CalibrationParams(precisions=(0.5, 0.999)), cell="toy.k8.s13.tkre",
        classifier=cell.lineage.weights,
    )  # fmt: skip
    made = CardContent(
        cell=parse_cell("toy.k8.s13.tkre"), metrics=cell.metrics, interval=(70.0, 90.0),
        calibrator=calibrator, measured=cell.calibration_scores, lineage=cell.lineage,
        schema=parsed,
        shots=found.samples[0].shots, training_rows=40, annotated=0, reviewed=0, rows="test",
        called=found.called,
        reporting=found.reporting,
        card=CardParams(base_models={"tiny": "someone/tiny"}, datasets={"toy": "someone/toy"}),
    )  # fmt: skip
    return replace(made, **changes)


def test_the_hub_s_own_library_reads_its_metadata():
    given = card_content()
    data = ModelCard(model_card(given)).data
    assert (data.base_model, data.datasets, data.language) == (
        "someone/tiny", ["someone/toy"], ["en"],
    )  # fmt: skip
    assert (data.library_name, data.license) == ("tkre", None)
    assert "relation-extraction" in data.tags
    assert data.model_name == "toy.k8.s13.tkre"
    by_name = {r.metric_name: r for r in data.eval_results}
    f1 = by_name["micro-F1, %"]
    assert f1.metric_value == round(given.metrics["micro_f1"], 2)
    assert (f1.dataset_name, f1.dataset_split, f1.metric_type) == ("toy", "test", "f1")


def test_a_licence_is_there_if_one_was_given():
    assert "license" not in metadata(card_content())
    given = card_content(card=CardParams(license="mit"))
    assert "license: mit" in metadata(given)
    assert "base_model: tiny" in metadata(given)  # its own name, where the Hub's is not known


def test_annotated_and_reviewed_rows_are_not_synthetic():
    support = len(card_content().shots["support"])
    card = model_card(card_content(training_rows=support + 9, annotated=4, reviewed=3))
    assert "**Synthetic sentences**: 2" in card
    assert "**Annotated sentences**: 4 " in card and "**Reviewed sentences**: 3 " in card


def test_without_a_score_there_is_a_card_without_results():
    nothing = dict.fromkeys(("micro_f1", "micro_precision", "micro_recall", "official_f1"))
    found = card_content()
    card = model_card(card_content(metrics=dict(found.metrics) | nothing | {"rows": 0},
                                   interval=None))  # fmt: skip
    assert "model-index" not in card and "On 0 test sentences" in card


def test_a_card_says_what_recorded_answers_are_worth():
    found = card_content()
    remarks = {"a model": {"toy": "It may have met the *labels*."}}
    reporting = found.reporting.model_copy(update={"remarks": remarks})
    said = model_card(card_content(reporting=reporting))
    assert r"may have met the \*labels\*" in said and "may have met" not in model_card(found)
    without = dict(found.metrics) | {"llm": "none"}
    assert "may have met" not in model_card(card_content(reporting=reporting, metrics=without))


def test_content_of_a_card():
    card = model_card(card_content())
    for said in (
        "trained from 8 labelled sentences per relation",
        "24 of toy (K = 8, seed 13)",
        "16, written by a model",
        "| micro-F1 |", "| 70.0 to 90.0 |",
        "| likes | Head likes tail. |",
        "It finds no mentions",
        "at most 128 tokens of each",
        f"**Weights**: `{card_content().lineage.weights}`",
        "0123456789abcdef, with uncommitted changes",
        "torch 2.13.0",
    ):  # fmt: skip
        assert said in card, said
    assert "Anna" not in card  # no sentence of a corpus


def test_the_example_of_a_card_runs_in_its_folder():
    """Among the scores, and beside the weights once it is published."""
    card = model_card(card_content())
    assert "(`kedro classifier publish toy.k8.s13.tkre FOLDER`" in card
    assert "`trust.json` beside the weights" not in card
    # The negative relation has its row in the second table of scores, and no part in the first.
    assert "none counts in none of the scores over all relations; the table by relation" in card
    assert "| none | " in card


def test_calibration_is_promised_only_where_there_were_validation_rows():
    given = card_content()
    assert "Probabilities are calibrated by `trust.json`" in model_card(given)
    bare = model_card(
        card_content(calibrator=given.calibrator.model_copy(update={"validation_rows": 0}))
    )
    assert "Probabilities are not calibrated: there was no validation row." in bare
    assert "are calibrated by" not in bare


def test_a_phrase_cannot_end_the_code():
    parsed = card_content().schema
    likes = parsed.relations["likes"].model_copy(update={"phrase": "likes ```\n<b>"})
    relations = {**parsed.relations, "likes": likes}
    card = model_card(card_content(schema=parsed.model_copy(update={"relations": relations})))
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert "found.relation" in code and compile(code, "card", "exec")


def test_the_precision_that_is_promised_has_a_threshold():
    card = model_card(card_content())
    assert 'from_pretrained(".", wanted_precision=0.5)' in card
    assert re.search(r"\| 0\.999 \| none \| 0\.0 \|", card)
    no_threshold = card_content().calibrator.model_copy(update={"thresholds": ()})
    card = model_card(card_content(calibrator=no_threshold))
    assert "There is no threshold for a wanted precision" in card
    assert "wanted_precision=" not in card


def test_development_scores_are_called_optimistic():
    card = model_card(card_content(rows="development"))
    assert "on which recipes are chosen" in card and "split: validation" in card


def test_definitions_are_text():
    card = model_card(card_content(hostile=HOSTILE + " | x [a](b) `c` *d*"))
    body = card.split("---\n", 2)[2]
    assert "<script>" not in body.replace(r"\<script>", "")
    tables = [line for line in body.splitlines() if line.startswith("| likes")]
    assert tables and all(r"\| x \[a\](b) \`c\` \*d\*" in line for line in tables)


@pytest.mark.parametrize("typed", [True, False])
def test_the_example_is_valid_python_and_quotes_no_corpus(typed):
    relation = {"definition": "d", "phrase": 'was "born" in', "head_types": ["person"]}
    raw = {"corpus": "toy", "entity_types": ["person"],
           "relations": {"a": relation if typed else relation | {"head_types": []},
                         "none": {"definition": "n", "phrase": "n", "negative": True}}}  # fmt: skip
    card = model_card(card_content(schema=RelationSchema.parse(raw, "t")))
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    compile(code, "card", "exec")
    assert ('"head_type": "person"' in code) == typed


def test_scores_on_natural_text_and_the_text_that_calibrated_it():
    found = card_content()
    assert "## Natural text" not in model_card(found)
    frame = predictions(found.schema, rows(found.schema), 13, 0.15)
    metrics = dict(found.metrics) | natural_scores(frame, rows(found.schema), "none")
    given = {"natural_metrics": metrics, "natural_measured": found.measured}
    card = model_card(replace(found, **given))
    assert "labelled by the corpus" in card and "| F1 |" in card
    assert "its probabilities and thresholds do not hold on natural text" in card
    natural = found.calibrator.model_copy(update={"fitted_on": "natural", "negative_bias": 0.5})
    card = model_card(replace(found, **given, calibrator=natural))
    assert "do not hold on natural text" not in card
    assert "bias of the negative relation +0.50" in card and "held out of training" in card
