"""The sections of a page, one by one: what stands in them is what was found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.report.contents import ENVIRONMENT, content
from tests.report.html_page import Page
from tkre.core.cells import Experiment
from tkre.report.blocks import Block, Chart, Facts, Folded, Part, Prose, Quotes, Section, Table
from tkre.report.confidence import confidence
from tkre.report.content import best_setting
from tkre.report.failures import failures
from tkre.report.fitting import fitting
from tkre.report.glossary import glossary
from tkre.report.origins import origins
from tkre.report.overview import in_short, what_was_run
from tkre.report.params import PageParams
from tkre.report.quoting import spread
from tkre.report.scores import scores
from tkre.report.writing import writing

FOUND = content()


def all_blocks(section: Section) -> Iterator[Block]:
    waiting = list(section.blocks)
    while waiting:
        block = waiting.pop(0)
        yield block
        if isinstance(block, Folded | Part):
            waiting = [*block.blocks, *waiting]


def of_kind(section: Section, kind: type) -> list:
    return [block for block in all_blocks(section) if isinstance(block, kind)]


def prose(section: Section) -> str:
    return " ".join(p for block in of_kind(section, Prose) for p in block.paragraphs)


def facts(section: Section) -> dict[str, str]:
    return {term: said for block in of_kind(section, Facts) for term, said in block.facts}


def summary(variant: str, column: str) -> float:
    table = FOUND.tables["summary"]
    return table[(table["variant"] == variant) & (table["metric"] == "micro_f1")][column].iloc[0]


def test_in_short_the_best_variant_and_how_sure_that_is():
    said = prose(in_short(FOUND))
    mean, std, difference = (summary("tkre", c) for c in ("mean", "std", "difference"))
    assert (
        f"tkre does best, with a micro-F1 of {mean:.1f} ± {std:.1f} over 2 seeds on 24 sentences"
        in said
    )
    assert "Fewer than 100 sentences were scored" in said
    assert f"that is {difference:+.1f} against typ_marker (95 % interval" in said
    assert "It does worst on" in said and "none (F1" not in said
    assert "One seed" not in said


def test_without_validation_rows_nothing_is_said_to_be_validated_or_calibrated():
    samples = [replace(d, shots={**d.shots, "validation": []}) for d in FOUND.samples]
    bare = replace(FOUND, samples=samples)
    assert "its probabilities are not calibrated" in prose(in_short(bare))
    notes = [q.note for q in of_kind(failures(bare), Quotes)]
    assert any("no validation row to calibrate with" in note for note in notes)
    [curves] = of_kind(fitting(bare), Chart)
    assert "The last epoch is kept" in curves.note
    unseen = replace(bare, tables={n: t for n, t in bare.tables.items() if n != "learning"})
    assert "finetuning_losses.csv" in prose(fitting(unseen))
    # And with them, it is.
    assert "not calibrated" not in prose(in_short(FOUND))
    assert any("probabilities are calibrated" in q.note for q in of_kind(failures(FOUND), Quotes))


def test_nothing_is_found_worst_where_nothing_is_wrong():
    cells = [
        replace(c, metrics=c.metrics | {
            "by_relation": [row | {"f1": 100.0} for row in c.metrics["by_relation"]]
        })
        for c in FOUND.cells
    ]  # fmt: skip
    said = prose(in_short(replace(FOUND, cells=cells)))
    assert "It makes no error on a relation." in said and "does worst" not in said


def test_in_short_how_often_a_relation_is_invented():
    [one] = [c for c in content(seeds=(13,)).cells if c.metrics["variant"] == "tkre"]
    labels, counts = one.metrics["confusion"].values()
    negative = counts[labels.index("none")]
    invented = sum(negative) - negative[labels.index("none")]
    assert sum(negative) == 8 and invented > 1
    said = prose(in_short(content(seeds=(13,))))
    assert f"Of 8 sentences without a relation {invented} were given one." in said
    assert "Of 16 sentences without a relation, summed over seeds, " in prose(in_short(FOUND))


@pytest.mark.parametrize(
    ("row", "said"), [([0, 0, 0], ""), ([0, 0, 8], "8 sentences without a relation none was given"),
                      ([0, 1, 0], "1 sentence without a relation 1 was given one.")],
)  # fmt: skip
def test_few_or_no_invented_relations(row, said):
    one = content(seeds=(13,))
    cells = [
        replace(c, metrics=c.metrics | {"confusion": {"labels": ["likes", "owns", "none"],
                                                      "counts": [[8, 0, 0], [0, 8, 0], row]}})
        for c in one.cells
    ]  # fmt: skip
    told = prose(in_short(replace(one, cells=cells)))
    assert said in told and ("without a relation" in told) == bool(said)


def test_an_interval_that_holds_zero_is_said_to():
    table = FOUND.tables["summary"].assign(difference_low=-1.0)
    said = prose(in_short(replace(FOUND, tables=FOUND.tables | {"summary": table})))
    assert "which may be none at all" in said
    assert "which may be none at all" not in prose(in_short(FOUND))


def test_development_scores_are_said_to_flatter():
    spec = Experiment(corpora=("toy",), variants=("tkre",), seeds=(13, 21), score_on="development")
    assert "the scores flatter" in prose(in_short(replace(FOUND, spec=spec)))


def test_what_was_run_is_the_grid_the_corpora_and_the_recipes():
    section = what_was_run(FOUND)
    said = facts(section)
    assert said["Command"] == "kedro run --pipelines trial"
    assert (said["Seeds"], said["Reported"]) == ("13 and 21", "25 November 2026")
    assert (
        "A sentence whose relation has an inverse is also shown with head and tail exchanged."
        in said["tkre"]
    )
    [table] = of_kind(section, Table)
    assert table.table.rows == [["toy", "none", "3", "90", "0", "24", "24", "0"]]


def test_scores_are_those_of_the_summary():
    section = scores(FOUND)
    [table], [chart] = of_kind(section, Table), of_kind(section, Chart)
    mean, std = summary("tkre", "mean"), summary("tkre", "std")
    assert table.table.rows[1][:2] == ["tkre", f"{mean:.1f} ± {std:.1f}"]
    assert [panel.title for panel in chart.panels] == ["micro-F1, %", "Difference to typ_marker"]
    assert chart.table.rows[1][1:4] == [f"{mean:.1f}", f"{std:.1f}", "2"]
    figures = [e.text for e in Page(chart.panels[0].drawing).all("text")]
    assert f"{mean:.1f}" in figures


def test_of_one_seed_neither_a_mean_nor_a_spread_is_told():
    one = content(seeds=(13,), shots=(4, 8))
    told = []
    for section in (scores(one), failures(one), fitting(one)):
        told.append(prose(section))
        for chart in of_kind(section, Chart):
            told += [chart.note, chart.table.note, *chart.table.columns]
            assert not [e for panel in chart.panels[:1] for e in Page(panel.drawing).elements
                        if "whisker" in e.attributes.get("class", "")]  # fmt: skip
        told += [text for t in of_kind(section, Table) for text in (t.table.note, *t.table.columns)]
    said = " ".join(told)
    assert "over seeds, of which one seed says nothing" in said
    assert "Dots are the scores of seed 13" in said
    assert not re.search("[Mm]eans? over seeds|summed over|deviation over|standard dev|beside each",
                         said)  # fmt: skip


def test_an_axis_of_the_grid_has_a_curve():
    section = scores(content(shots=(4, 8, 16)))
    curve = of_kind(section, Chart)[-1]
    assert curve.title == "Micro-F1 along K, labelled sentences per relation"
    assert [name for name, _ in curve.legend] == ["typ_marker", "tkre"]
    assert [row[1] for row in curve.table.rows] == ["4", "8", "16"] * 2


def test_variants_that_differ_in_one_number_have_a_curve_along_it():
    cells = [
        replace(
            cell,
            metrics=cell.metrics
            | {"recipe": cell.metrics["recipe"] | {"finetuning": {
                **FOUND.cells[0].metrics["recipe"]["finetuning"],
                "samples_per_relation": 160 if cell.metrics["variant"] == "tkre" else 320}}},
        )
        for cell in FOUND.cells
    ]  # fmt: skip
    curve = of_kind(scores(replace(FOUND, cells=cells)), Chart)[-1]
    assert curve.title == "Micro-F1 along finetuning.samples_per_relation"
    assert [row[1] for row in curve.table.rows] == ["160", "320"]


def test_failures_are_of_the_best_setting_with_the_baseline_beside_it():
    section = failures(FOUND)
    by_relation, confusion = of_kind(section, Chart)
    assert by_relation.title == "F1 by relation, tkre, toy, K = 8"
    assert "F1 of typ_marker" in by_relation.table.columns
    assert sum(int(c.replace(",", "")) for row in confusion.table.rows for c in row[1:]) == 48
    names = [table.table.title for table in of_kind(section, Table)]
    assert "tkre, toy, K = 8" in names and "Signs of collapse, cell by cell" in names
    assert any(name.startswith("Explicit and implicit relations") for name in names)


def test_the_worst_errors_are_the_most_confident_ones():
    cells = [cell for cell in FOUND.cells if cell.metrics["variant"] == "tkre"]
    surest = max(cell.errors["probability"].max() for cell in cells)
    last = of_kind(failures(FOUND), Quotes)[-1]
    labels = dict(last.quotes[0].labels)
    assert labels["predicted"].endswith(f"({surest:.2f})")
    assert len(last.quotes) <= FOUND.page.errors
    few = of_kind(failures(content(page=PageParams(errors=1))), Quotes)[-1]
    assert len(few.quotes) == 1 and "1 most confident" in few.note


def test_calibration_and_coverage():
    section = confidence(FOUND)
    [chart] = of_kind(section, Chart)
    assert len(chart.panels) == 3 and [n for n, _ in chart.legend] == ["typ_marker", "tkre"]
    of_tkre = [cell.calibrator for cell in FOUND.cells if cell.metrics["variant"] == "tkre"]
    row = next(row for row in chart.table.rows if row[0] == "tkre")
    assert row[2] == f"{np.mean([t['ece_before'] for t in of_tkre]):.1f}"
    assert row[-1] == f"{np.mean([t['risks'][-1] for t in of_tkre]):.1f}"


def test_knowledge_its_yield_and_examples():
    section = writing(FOUND)
    [chart] = of_kind(section, Chart)
    assert ["explanations", "likes", "16", "18", "18", "14", "2", "2", "2"] in chart.table.rows
    explained, synthetic, refused = of_kind(section, Quotes)
    assert len(explained.quotes) == len(synthetic.quotes) == FOUND.page.examples
    assert explained.quotes[0].body and ("reason", "near_copy") in refused.quotes[0].labels
    assert ["synthetic sentences", "near_copy", "2"] in of_kind(section, Table)[0].table.rows


def test_examples_are_spread_over_all_rows():
    rows = list(FOUND.samples[0].knowledge.explained)
    assert [row.id for row in spread(rows, 4)] == [rows[n].id for n in (3, 9, 15, 21)]
    assert spread(rows[:2], 4) == rows[:2] and spread([], 4) == []


def test_training_is_followed_stage_by_stage():
    [chart] = of_kind(fitting(FOUND), Chart)
    assert len(chart.panels) == 2
    assert ["tkre", "mslm", "1", "2.50"] in chart.table.rows


def test_lineage_names_data_models_machines_and_weights():
    section = origins(FOUND)
    said = facts(section)
    assert said["toy/train.jsonl"] == f"sha256 {'e' * 64}"
    assert said["support"].startswith("row-0, row-1")
    assert said["Revision"] == "0123456789abcdef, with changes of its own"
    assert said["Device"] == "cpu, 1 thread, fp32"
    model = said["a model"]
    assert model.startswith("2 answers through replay") and "24 November 2026" in model
    assert "12 tokens" in model  # samples share their questions
    assert "1 of them recorded without the digest" in model
    steps = of_kind(section, Table)[-1].table
    assert "threads" in steps.columns and len(steps.rows) == len(FOUND.cells)


def test_a_revision_of_no_repository_is_said():
    nowhere = ENVIRONMENT.model_copy(update={"revision": None})
    assert facts(origins(replace(FOUND, environment=nowhere, cells=[])))["Revision"] == (
        "of no repository"
    )


def test_the_terms_are_explained():
    assert {"seed", "paired bootstrap"} <= set(facts(glossary()))


@pytest.mark.parametrize("scored", [0, 24])
def test_the_best_setting_is_that_of_the_highest_mean(scored):
    [(_, group)] = content(scored=scored).groups()
    assert best_setting(group) == ("tkre" if scored else None)
