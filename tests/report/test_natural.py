"""The section of natural text: its figures are those of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.contents import content
from tests.report.test_sections import of_kind, prose
from tkre.evaluation.natural_text import LANGUAGE_MODEL
from tkre.report.blocks import Chart, Table
from tkre.report.natural import natural, natural_finding, natural_tables

pytestmark = pytest.mark.usefixtures("undrawn")
FOUND = content()
TABLE = FOUND.tables["natural"]


def test_section_has_scores_and_what_is_kept():
    section = natural(FOUND)
    scores, kept = (block.table for block in of_kind(section, Table))
    row = TABLE[TABLE["variant"] == "tkre"].iloc[0]
    [shown] = [r for r in scores.rows if r[0] == "tkre"]
    assert f"{row['f1']:.1f} ± {row['f1_std']:.1f} [{row['f1_low']:.1f}" in shown[4]
    assert shown[5].startswith(f"{row['precision']:.1f} [")
    assert [r[2] for r in kept.rows if r[0] == "tkre"] == ["80", "90", "95"]
    assert "labelled by the corpus" in scores.note and "means over seeds" in kept.note
    assert "intervals over seeds and sentences" in scores.note
    older = natural_tables(TABLE.drop(columns="intervals_over"))
    assert "sentences alone, of an earlier kind" in next(older).note
    assert [chart.title for chart in of_kind(section, Chart)] == [
        "Risk and coverage on natural text"
    ]
    assert "does not hold on natural text" in prose(section)


def test_labels_of_a_language_model_are_called_so():
    table = TABLE.assign(labelled_by=LANGUAGE_MODEL)
    found = replace(FOUND, tables=FOUND.tables | {"natural": table})
    assert "against the language model's labels" in prose(natural(found))
    assert "labelled by the corpus" not in prose(natural(found))
    assert "against the language model's labels" in str(
        natural_finding(found, table.iloc[0].to_dict())
    )


def test_nothing_without_natural_text():
    bare = content(bare=True)
    assert natural(bare) == [] and natural_finding(bare, TABLE.iloc[0].to_dict()) is None


def test_a_setting_without_a_score_or_threshold_has_empty_cells():
    frame = TABLE.assign(kept_at_90=0.0, precision_at_90=float("nan"), recall_at_90=0.0)
    _, kept = natural_tables(frame)
    assert [row[4:] for row in kept.rows if row[2] == "90"] == [["0.0", "", "0.0"]] * 2
