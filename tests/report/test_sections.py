"""The sections of a report: their facts are those of the content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.report.contents import ENVIRONMENT, content
from tkre.core.cells import Experiment
from tkre.generation.rejections import Tally, yield_frame
from tkre.report import sections
from tkre.report.blocks import Block, Chart, Facts, Folded, Part, Prose, Quotes, Table
from tkre.report.content import ReportedAnnotations
from tkre.report.evidence import error_analysis, evenly_spaced, knowledge
from tkre.report.params import PageParams
from tkre.report.provenance import provenance
from tkre.report.sections import calibration, glossary, scores, setup, training_curves
from tkre.report.tables import best_setting

pytestmark = pytest.mark.usefixtures("undrawn")
FOUND = content()


def all_blocks(section: Sequence[Block]) -> Iterator[Block]:
    waiting = list(section)
    while waiting:
        block = waiting.pop(0)
        yield block
        if isinstance(block, Folded | Part):
            waiting = [*block.blocks, *waiting]


def of_kind(section: Sequence[Block], kind: type) -> list:
    return [block for block in all_blocks(section) if isinstance(block, kind)]


def prose(section: Sequence[Block]) -> str:
    return " ".join(p for block in of_kind(section, Prose) for p in block.paragraphs)


def test_annotated_rows_of_every_sample_are_counted():
    tally = Tally(wanted=294, requested=300, answered=299, kept=290)
    yields = yield_frame("annotation", {"(all)": tally})
    counts = {"sample": "toy.k8a300.s13", "wanted": 300, "taken": 294, "kept_out": 60,
              "chosen": "in_order", "reasons": {"support": 1, "test": 5}}  # fmt: skip
    chosen = counts | {"sample": "toy.k8a300b.s13", "chosen": "uncertain_and_diverse",
                       "rounds": [100, 100, 34], "not_recorded": 7}  # fmt: skip
    both = [ReportedAnnotations(counts, yields), ReportedAnnotations(chosen, yields)]
    tables = [table.table for table in of_kind(knowledge(replace(FOUND, annotations=both)), Table)]
    [table] = [t for t in tables if t.title == "Annotated sentences of each sample"]
    first, second = [[str(cell) for cell in row] for row in table.rows]
    assert first[:4] == ["toy.k8a300.s13", "in order", "all at once", "support 1, test 5"]
    assert second[1:3] == ["uncertain and diverse", "100 + 100 + 34"]
    assert second[4:8] == ["300", "60", "234", "7"] and first[8:10] == ["300", "290"]


@pytest.mark.parametrize("known", [True, False])  # with a language model's knowledge or without
def test_sentences_that_a_teacher_labels_are_counted(known):
    counts = {"sample": "toy.k8.s13", "taken": 1405, "rows": 1408, "refused": 3,
              "reasons": {"test": 2, "validation": 1}}  # fmt: skip
    content = replace(FOUND, taught=[counts], **({} if known else {"samples": []}))
    tables = [table.table for table in of_kind(knowledge(content), Table)]
    [table] = [t for t in tables if t.title == "Sentences that a teacher labels"]
    assert [str(cell) for cell in table.rows[0]] == ["toy.k8.s13", "test 2, validation 1", "1,405"]


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"accepted": 7, "corrected": 2, "added": 1, "rows": 10, "refused": 1,
          "reasons": {"test": 1}},
         "7 accepted, 2 corrected and 1 added; refused as copies: test 1"),
        ({"accepted": 0, "corrected": 0, "added": 0, "rows": 0, "refused": 0, "reasons": {}},
         "none"),
    ],
)  # fmt: skip
def test_rows_that_a_person_has_reviewed_are_counted(counts, line):
    first, *others = FOUND.samples
    found = replace(FOUND, samples=[replace(first, reviews=counts), *others])
    values = [value for facts in of_kind(provenance(found), Facts) for value in facts.facts]
    assert [value for name, value in values if name == "rows reviewed by a person"] == [line]


def test_remarks_on_recorded_answers_stand_beside_the_scores():
    corpus = FOUND.cells[0].metrics["corpus"]
    remarks = {"a model": {corpus: "It wrote the text.", "other": "Not here."}}
    reporting = FOUND.reporting.model_copy(update={"remarks": remarks})
    said = prose(scores(replace(FOUND, reporting=reporting)))
    assert said.count("It wrote the text.") == 1 and "Not here" not in said
    # Of another language model nothing is known.
    other = replace(FOUND, reporting=reporting, called={"default": "another model"})
    assert "It wrote" not in prose(scores(other)) and "It wrote" not in prose(scores(FOUND))


def test_variants_are_told_apart_by_what_a_language_model_gave():
    [table, *_] = of_kind(scores(FOUND), Table)
    column = table.table.columns.index("language model gives")
    given = {row[0]: row[column] for row in table.table.rows}
    assert set(given.values()) == {"nothing", "8 sentences a relation"}


def facts(section: Sequence[Block]) -> dict[str, str]:
    return {term: said for block in of_kind(section, Facts) for term, said in block.facts}


def summary(variant: str, column: str) -> float:
    table = FOUND.tables["summary"]
    return table[(table["variant"] == variant) & (table["metric"] == "micro_f1")][column].iloc[0]


def test_in_short_the_best_variant_and_how_sure_that_is():
    said = prose(sections.summary(FOUND))
    mean, std, difference = (summary("tkre", c) for c in ("mean", "std", "difference"))
    assert (
        f"tkre is best, with a micro-F1 of {mean:.1f} ± {std:.1f} over 2 seeds on 24 sentences"
        in said
    )
    assert "Fewer than 100 sentences were scored" in said
    assert f"{difference:+.1f} against typ_marker (95 % interval" in said
    assert "weakest relations" in said and "none (F1" not in said
    assert "One seed" not in said


def test_without_validation_rows_nothing_is_called_validated_or_calibrated():
    samples = [replace(d, shots={**d.shots, "validation": []}) for d in FOUND.samples]
    bare = replace(FOUND, samples=samples)
    assert "its probabilities are not calibrated" in prose(sections.summary(bare))
    notes = [q.note for q in of_kind(error_analysis(bare), Quotes)]
    assert any("not calibrated" in note for note in notes)
    assert "The last epoch is kept" in prose(training_curves(bare))
    unseen = replace(bare, tables={n: t for n, t in bare.tables.items() if n != "training_curves"})
    assert "finetuning_losses.csv" in prose(training_curves(unseen))
    # And with them, it is.
    assert "not calibrated" not in prose(sections.summary(FOUND))
    assert any(
        "probabilities are calibrated" in q.note for q in of_kind(error_analysis(FOUND), Quotes)
    )


def test_nothing_is_found_worst_where_nothing_is_wrong():
    cells = [
        replace(c, metrics=c.metrics | {
            "by_relation": [row | {"f1": 100.0} for row in c.metrics["by_relation"]]
        })
        for c in FOUND.cells
    ]  # fmt: skip
    said = prose(sections.summary(replace(FOUND, cells=cells)))
    assert "no error on a relation" in said and "weakest" not in said


def test_in_short_how_often_a_relation_is_invented():
    [one] = [c for c in content(seeds=(13,)).cells if c.metrics["variant"] == "tkre"]
    labels, counts = one.metrics["confusion"].values()
    negative = counts[labels.index("none")]
    invented = sum(negative) - negative[labels.index("none")]
    assert sum(negative) == 8 and invented > 1
    said = prose(sections.summary(content(seeds=(13,))))
    assert f"a relation for {invented} of 8 sentences without one." in said
    assert "16 sentences without one, summed over seeds" in prose(sections.summary(FOUND))
    tiles = {name: value for name, value, _ in sections.summary(content(seeds=(13,)))[0].tiles}
    assert tiles["given a false relation"] == str(invented)


@pytest.mark.parametrize(
    ("row", "said"), [([0, 0, 0], ""), ([0, 0, 8], "for 0 of 8 sentences without one"),
                      ([0, 1, 0], "for 1 of 1 sentence without one")],
)  # fmt: skip
def test_few_or_no_invented_relations(row, said):
    one = content(seeds=(13,))
    cells = [
        replace(c, metrics=c.metrics | {"confusion": {"labels": ["likes", "owns", "none"],
                                                      "counts": [[8, 0, 0], [0, 8, 0], row]}})
        for c in one.cells
    ]  # fmt: skip
    told = prose(sections.summary(replace(one, cells=cells)))
    assert said in told and ("without one" in told) == bool(said)


def test_an_interval_that_includes_zero_is_marked():
    for low, includes in ((-1.0, True), (1.0, False)):
        table = FOUND.tables["summary"].assign(difference_low=low)
        said = prose(sections.summary(replace(FOUND, tables=FOUND.tables | {"summary": table})))
        assert ("which includes no difference" in said) == includes


def test_development_scores_are_called_optimistic():
    spec = Experiment(corpora=("toy",), variants=("tkre",), seeds=(13, 21), score_on="development")
    assert "scores are optimistic" in prose(sections.summary(replace(FOUND, spec=spec)))


def test_what_was_run_is_the_grid_the_corpora_and_the_recipes():
    section = setup(FOUND)
    said = facts(section)
    further = FOUND.spec.model_copy(update={"golden_seeds": (7, 99)})
    told = facts(setup(replace(FOUND, spec=further)))["Further seeds"]
    assert told == "7 and 99; without a cell there: tkre"
    assert said["Command"] == "kedro run --pipelines trial"
    assert (said["Seeds"], said["Reported"]) == ("13 and 21", "25 November 2026")
    assert (
        "Sentences whose relation has an inverse are also used with head and tail exchanged."
        in said["tkre"]
    )
    [table] = of_kind(section, Table)
    assert table.table.rows == [["toy", "none", "3", "90", "0", "24", "24", "0"]]


def test_scores_are_those_of_the_summary():
    section = scores(FOUND)
    [table], [bars, differences] = of_kind(section, Table), of_kind(section, Chart)
    mean, std = summary("tkre", "mean"), summary("tkre", "std")
    needs, score = "8 sentences a relation", f"{mean:.1f} ± {std:.1f}"
    assert table.table.rows[1][:4] == ["tkre", needs, "2", score]
    assert bars.table.rows[1] == ["tkre", f"{mean:.1f}", f"{std:.1f}", "2"]
    [[name, drawing]] = bars.panels
    assert name == "toy, K = 8" and drawing == "drawn"
    low = summary("tkre", "difference_low")
    assert differences.table.rows[0][2] == f"{low:.1f}"


def test_one_seed_has_neither_a_mean_nor_a_deviation():
    one = content(seeds=(13,), shots=(4, 8))
    told = []
    for section in (scores(one), error_analysis(one), training_curves(one)):
        told.append(prose(section))
        for chart in of_kind(section, Chart):
            told += [chart.note, chart.table.note, *chart.table.columns]
        told += [text for t in of_kind(section, Table) for text in (t.table.note, *t.table.columns)]
    said = " ".join(told)
    assert "which one seed cannot show" in said
    assert not re.search("[Mm]eans? over seeds|[Ss]ummed over|standard deviation", said)


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
    section = error_analysis(FOUND)
    by_relation, confusion = of_kind(section, Chart)
    assert by_relation.panels[0][0] == "tkre, toy, K = 8"
    assert "F1 of the baseline" in by_relation.table.columns
    assert sum(int(row[2]) for row in confusion.table.rows) == 48
    names = [table.table.title for table in of_kind(section, Table)]
    assert "tkre, toy, K = 8" in names and "Signs of collapse, cell by cell" in names
    assert any(name.startswith("Explicit and implicit relations") for name in names)


def test_the_worst_errors_are_the_most_confident_ones():
    cells = [cell for cell in FOUND.cells if cell.metrics["variant"] == "tkre"]
    surest = max(cell.errors["probability"].max() for cell in cells)
    last = of_kind(error_analysis(FOUND), Quotes)[-1]
    labels = dict(last.quotes[0].labels)
    assert labels["predicted"].endswith(f"({surest:.2f})")
    assert len(last.quotes) <= FOUND.page.errors
    few = of_kind(error_analysis(content(page=PageParams(errors=1))), Quotes)[-1]
    assert len(few.quotes) == 1 and "1 most confident" in few.note


def test_calibration_and_coverage():
    reliability, risk = of_kind(calibration(FOUND), Chart)
    assert len(reliability.panels) == 2 and [n for n, _ in risk.legend] == ["typ_marker", "tkre"]
    [table] = of_kind(calibration(FOUND), Table)
    of_tkre = [cell.calibration_scores for cell in FOUND.cells if cell.metrics["variant"] == "tkre"]
    row = dict(zip(table.table.columns, table.table.rows[1], strict=True))
    assert row["ECE before"] == f"{sum(t['ece_before'] for t in of_tkre) / len(of_tkre):.1f}"


def test_knowledge_its_yield_and_examples():
    section = knowledge(FOUND)
    yields, rejected = (block.table for block in of_kind(section, Table)[:2])
    assert ["explanations", "likes", "16", "18", "18", "14", "2", "2", "2"] in yields.rows
    explained, synthetic, refused = of_kind(section, Quotes)
    assert len(explained.quotes) == len(synthetic.quotes) == FOUND.page.examples
    assert explained.quotes[0].body and ("reason", "near_duplicate") in refused.quotes[0].labels
    assert ["synthetic sentences", "near_duplicate", "2"] in rejected.rows


def test_relations_of_the_same_yield_share_a_row():
    samples = [
        replace(s, knowledge=replace(s.knowledge, yields=s.knowledge.yields.assign(
            **dict.fromkeys(["wanted", "requested", "answered", "kept"], 8),
            **dict.fromkeys(["surplus", "rejected", "short"], 0))))
        for s in FOUND.samples
    ]  # fmt: skip
    table = of_kind(knowledge(replace(FOUND, samples=samples)), Table)[0].table
    assert [row[1] for row in table.rows] == ["all 2 relations"] * 2


def test_examples_are_spread_over_all_rows():
    rows = list(FOUND.samples[0].knowledge.explained)
    assert [row.id for row in evenly_spaced(rows, 4)] == [rows[n].id for n in (3, 9, 15, 21)]
    assert evenly_spaced(rows[:2], 4) == rows[:2] and evenly_spaced([], 4) == []


def test_training_is_followed_stage_by_stage():
    [chart] = of_kind(training_curves(FOUND), Chart)
    assert len(chart.panels) == 2
    assert ["MSLM loss, toy, K = 8", "tkre", "mslm", "1", "2.5"] in chart.table.rows


def test_lineage_names_data_models_machines_and_weights():
    section = provenance(FOUND)
    said = facts(section)
    assert said["toy/train.jsonl"] == f"sha256 {'e' * 64}"
    assert said["support"].startswith("row-0, row-1")
    assert said["Revision"] == "0123456789abcdef, with uncommitted changes"
    assert said["Device"] == "cpu, 1 thread, fp32"
    model = said["a model"]
    assert model.startswith("2 responses (replay)") and "24 November 2026" in model
    assert "12 completion tokens" in model  # samples share their questions
    assert "1 of them recorded without the digest" in model
    steps = of_kind(section, Table)[-1].table
    assert "threads" in steps.columns and len(steps.rows) == len(FOUND.cells)


def test_a_revision_outside_a_repository():
    nowhere = ENVIRONMENT.model_copy(update={"revision": None})
    assert facts(provenance(replace(FOUND, environment=nowhere, cells=[])))["Revision"] == (
        "no repository"
    )


def test_the_terms_are_explained():
    assert {"seed", "interval"} <= set(facts(glossary(FOUND)))


@pytest.mark.parametrize("scored", [0, 24])
def test_the_best_setting_is_that_of_the_highest_mean(scored):
    [(_, group)] = content(scored=scored).groups()
    assert best_setting(group) == ("tkre" if scored else None)
