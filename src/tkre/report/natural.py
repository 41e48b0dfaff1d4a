"""Natural text beside the scored rows: tables, section, and a sentence for the summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tkre.evaluation.natural_text import CORPUS, LANGUAGE_MODEL, SCORES
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.report.blocks import Block, Prose, Table, charts
from tkre.report.content import ReportContent
from tkre.report.evidence import worst_errors
from tkre.report.tables import AXES, TextTable, missing, number, table_of, varies

_KEPT = "kept_at_"
_NOTES = {
    CORPUS: "All pairs of mentions of raw sentences, labelled by the corpus: the natural test. "
    "Nothing was trained or tuned on it.",
    LANGUAGE_MODEL: "Where a corpus has no natural test, annotated sentences that were held out of "
    "training stand in its place, against the language model's labels. The calibrator was fitted "
    "on them, so what is kept at a wanted precision is optimistic there.",
}
_FITTED = (
    "A classifier that learnt from annotated sentences has a prior of natural text, which is used "
    "here, and its calibrator was fitted on annotated sentences that were held out. Others were "
    "calibrated on validation sentences, whose labels were chosen: the precision that they promise "
    "does not hold on natural text."
)


def natural(content: ReportContent) -> list[Block]:
    """Scores, what is kept at wanted precisions, risk against coverage, worst errors."""
    table = content.tables.get("natural")
    if table is None or table.empty:
        return []
    notes = [note for by, note in _NOTES.items() if (table["labelled_by"] == by).any()]
    return [
        Prose([*notes, _FITTED]),
        *map(Table.titled, natural_tables(table)),
        *charts(content, "natural"),
        worst_errors(content, "natural_errors"),
    ]


def natural_tables(table: pd.DataFrame) -> Iterator[TextTable]:
    """Two tables for each corpus and K: scores, and answers kept at wanted precisions.

    Args:
        table: Table of an experiment (``evaluation.natural_text.natural_table``).
    """
    for (corpus, shots), group in table.groupby(["corpus", "shots"], sort=False):
        place = f"{corpus}, K = {shots}"
        labels = {"variant": "variant"} | {a: h for a, h in AXES.items() if varies(group, a)}
        by = {"labelled_by": "labelled by"} if group["labelled_by"].nunique() > 1 else {}
        several = group["seeds"].max() > 1
        means = "; means over seeds" if several else ""
        over = next(iter(group.get("intervals_over", ())), None)  # published before: no column
        over = over or ("sentences alone, of an earlier kind" if several else "sentences")
        who = "" if by else f"; labelled by {group['labelled_by'].iloc[0]}"
        yield table_of(
            [_scored(row) for row in group.to_dict("records")],
            f"natural text: {place}",
            f"per cent with intervals over {over}; pairs without a relation; predicted "
            "relations, and the false ones: of pairs without a relation, of pairs whose inverted "
            f"pair holds it, others{who}{means}",
            labels | by,
            {"seeds": "seeds"}
            | {"rows": "pairs", "negative_share": "without, %", "f1": "F1", "precision": "P",
             "recall": "R", "asserted": "predicted", "false_no_relation": "false: no relation",
             "false_inverted": "inverted", "false_other": "other"},
        )  # fmt: skip
        if kept := [row for each in group.to_dict("records") for row in _kept(each)]:
            yield table_of(
                kept,
                f"natural text at a wanted precision: {place}",
                "per cent: answers that are kept, right ones among them, and share of all "
                f"relations that these are{who}{means}",
                labels | {"fitted_on": "calibrated on", "wanted": "wanted precision"},
                {"seeds": "seeds", "kept": "kept", "precision": "P", "recall": "R"},
            )


def natural_finding(content: ReportContent, cell: Mapping[str, Any]) -> str | None:
    """What the setting of a cell does on natural text, in a sentence; None without any."""
    table = content.tables.get("natural")
    if table is None or "f1" not in table:
        return None
    keys = GROUP_KEYS_WITH_VARIANT
    same = (table[keys] == pd.Series({key: cell[key] for key in keys})).all(axis=1)
    if not same.any() or missing(table[same].iloc[0]["f1"]):
        return None
    row = table[same].iloc[0]
    by = "" if row["labelled_by"] == CORPUS else ", against the language model's labels"
    return (
        f"On natural text, where {row['negative_share']:.0f} % of the pairs hold no relation, its "
        f"precision is {row['precision']:.1f} and its recall {row['recall']:.1f} (F1 "
        f"{row['f1']:.1f}){by}."
    )


def _scored(row: Mapping[Any, Any]) -> dict[Any, Any]:
    shown = {name: _interval(row, name) for name in SCORES if not missing(row.get(name))}
    if "f1" in shown and not missing(row["f1_std"]):
        shown["f1"] = f"{row['f1']:.1f} ± {row['f1_std']:.1f} {shown['f1'].partition(' ')[2]}"
    counts = ("rows", "asserted", "false_no_relation", "false_inverted", "false_other")
    return {**row, **shown, "negative_share": float(row["negative_share"])} | {
        name: int(row[name]) if row[name] % 1 == 0 else float(row[name]) for name in counts
    }


def _interval(row: Mapping[Any, Any], name: str) -> str:
    return f"{row[name]:.1f} [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}]"


def _kept(row: Mapping[Any, Any]) -> Iterator[dict[Any, Any]]:
    """A row for each wanted precision; without a threshold nothing is kept."""
    for column in row:
        if str(column).startswith(_KEPT):
            at = str(column).removeprefix(_KEPT)
            scores = {name: row[f"{name}_at_{at}"] for name in ("kept", "precision", "recall")}
            yield {**row, "wanted": at} | {k: number(float(v)) for k, v in scores.items()}
