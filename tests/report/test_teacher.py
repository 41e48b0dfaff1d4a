from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.report.contents import content
from tests.report.test_sections import of_kind, prose
from tkre.evaluation.teacher import TEACHER_COLUMNS
from tkre.generation.params import InContextParams
from tkre.report.blocks import Table
from tkre.report.sections import sections
from tkre.report.teacher import needs_in_words, teacher, teacher_tables, with_needs
from tkre.training.recipes import PretrainedOn, Variant

PLACE = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False, "annotated": 0,
         "llm": "default", "seed": 13, "teacher": "llm_in_context", "asked": 400,
         "rows": 390}  # fmt: skip
SCORES = {"micro_precision": 80.0, "micro_recall": 90.0, "official_f1": 84.0}
FREE = {"prompt_tokens": 0.0, "completion_tokens": 0.0}
TABLE = pd.DataFrame(
    [
        PLACE | SCORES | {"variant": "llm_in_context", "needs": "an answer for each sentence",
                          "micro_f1": 88.7, "answers": 0, "prompt_tokens": 6_700_000.0,
                          "completion_tokens": 13_000.0, "tokens": "estimated"},
        PLACE | SCORES | FREE | {"variant": "tkre", "needs": "written", "micro_f1": 76.2,
                                 "share": 85.91, "share_low": 80.0, "share_high": 91.0,
                                 "answers": 164, "seconds": 12.34, "parameters": 22_700_000},
        PLACE | SCORES | FREE | {"variant": "setfit", "needs": "nothing", "micro_f1": 50.0,
                                 "share": 56.4, "share_low": 50.0, "share_high": 61.0,
                                 "answers": 0},
    ],
    columns=TEACHER_COLUMNS,
)  # fmt: skip
FOUND = content()


def taught(table, **backend):
    remarked = FOUND.reporting.model_copy(
        update={"remarks": {"claude": {"toy": "It knew this text."}}}
    )
    return replace(FOUND, tables={**FOUND.tables, "teacher": table}, backend=backend,
                   called={"default": "claude"}, reporting=remarked)  # fmt: skip


def test_rows_of_the_table():
    [table] = teacher_tables(TABLE)
    assert "390 sentences that it labelled of 400" in table.note
    assert "estimated from letters" in table.note
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["tkre"]["kept, 95 %"] == "85.9 [80.0, 91.0]"
    assert (rows["tkre"]["seconds"], rows["tkre"]["parameters, M"]) == ("12.3", "22.7")
    itself = rows["llm_in_context"]
    # What nobody has measured is not 0.
    assert (itself["seconds"], itself["kept, 95 %"]) == ("not recorded", "")
    assert itself["tokens in"] == "6,700,000" and rows["tkre"]["tokens in"] == "0"
    assert "dollars" not in table.columns


def test_the_section_names_the_share_kept_and_where_the_answers_come_from():
    said = prose(teacher(taught(TABLE, default="replay")))
    assert "tkre keeps 85.9 % of that (80.0 to 91.0)" in said and "164 answers" in said
    assert "1,000 sentences in 12.3 s" in said and "6,700 tokens" in said
    assert "hold no time" in said and "It knew this text." in said
    assert "dollars" not in said


def test_a_live_model_has_time_and_price_and_no_caution():
    measured = TABLE.assign(
        tokens="recorded", seconds=TABLE["seconds"].fillna(500.0), dollars=[21.0, None, None]
    )
    section = teacher(taught(measured, default="openai"))
    said = prose(section)
    assert "the language model in 500.0 s" in said and "21.00 dollars" in said
    assert "hold no time" not in said
    assert "estimated" not in of_kind(section, Table)[0].table.note


@pytest.mark.parametrize("table", [None, TABLE.iloc[:0]])
def test_without_a_teacher_there_is_no_section(table):
    found = FOUND if table is None else taught(table)
    assert teacher(found) == [] and "teacher" not in {s.name for s in sections(found)}


def test_a_language_model_is_not_the_best_variant_of_the_summary():
    asked = {"recipe": Variant(in_context=InContextParams()).settings}
    cells = [
        replace(c, metrics={**c.metrics, **(asked if c.metrics["variant"] == "tkre" else {})})
        for c in FOUND.cells
    ]
    [(_, rows)] = replace(FOUND, cells=cells).groups()
    assert set(rows["variant"]) == {"typ_marker"}


def test_needs_are_of_a_setting():
    plain, tkre = FOUND.variants["typ_marker"], FOUND.variants["tkre"]

    def taught_with(**more):
        return tkre.model_copy(update={"finetuning": tkre.finetuning.model_copy(update=more)})

    recipes = {"plain": plain, "read": taught_with(annotated=True),
               "bound": taught_with(annotated=True, true_labels=True)}  # fmt: skip
    place = {"shots": 8, "synthetic": 1, "llm": "default"}
    settings = [place | {"variant": v, "annotated": n} for v in recipes for n in (0, 1200)]
    settings[:2] = [settings[0] | {"llm": "none"}] * 2
    assert with_needs(pd.DataFrame(settings), recipes)["needs"].tolist() == [
        "nothing", "nothing",
        "8 sentences a relation", "8 sentences a relation and 1,200 labels",
        "8 sentences a relation", "8 sentences a relation and labels of the corpus",
    ]  # fmt: skip


def test_needs_count_the_sentences_of_the_encoder():
    pairs = FOUND.variants["tkre"].model_copy(
        update={"pretrained_on": PretrainedOn(synthetic=4, zero_shot=4)}
    )
    place = {"shots": 8, "synthetic": 1, "annotated": 0, "llm": "default"}
    assert needs_in_words(place, pairs) == "32 sentences a relation and zero-shot sentences"
