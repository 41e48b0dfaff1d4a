"""The language model beside classifiers that it taught: table, section, and what variants need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tkre.core.params import NO_LLM
from tkre.report.blocks import Block, Prose, Table
from tkre.report.content import ReportContent
from tkre.report.formatting import counted
from tkre.report.tables import AXES, TextTable, beside_shots, missing, number, table_of
from tkre.training.recipes import READ, TRUE_LABELS, Variant

_NOT_KNOWN = "not recorded"
_RECORDED = "Recorded answers hold no time: that of the language model is not known."


def teacher(content: ReportContent) -> list[Block]:
    """Scores and costs on the sentences that the language model labelled; nothing without any."""
    table = content.tables.get("teacher")
    if table is None or table.empty:
        return []
    names = table["teacher"].unique()
    found = [line for name in names for line in _findings(content, table[table["teacher"] == name])]
    replayed = any(content.backend.get(llm) == "replay" for llm in table["llm"])
    cautions = content.reporting.remarks_on(table, content.called)
    cautions += [_RECORDED] if replayed else []
    return [Prose([*found, *cautions]), *map(Table.titled, teacher_tables(table))]


def teacher_tables(table: pd.DataFrame) -> Iterator[TextTable]:
    """One table for each corpus and K, a row for each cell.

    Args:
        table: Table of an experiment (``evaluation.teacher.teacher_table``).
    """
    for (corpus, shots), group in table.groupby(["corpus", "shots"], sort=False):
        asked, answered = group.groupby("seed")[["asked", "rows"]].max().sum()
        estimated = (group["tokens"] == "estimated").any()
        yield table_of(
            [_shown(row) for row in group.to_dict("records")],
            f"beside the language model: {corpus}, K = {shots}",
            f"per cent, on the {answered:,} sentences that it labelled of {asked:,} that it was "
            "asked about; kept: share of its micro-F1, with a paired interval over them; "
            "beforehand: its answers that a classifier was made from; tokens, seconds and dollars "
            "of 1,000 sentences" + ("; tokens estimated from letters" if estimated else ""),
            {"variant": "variant", "needs": "language model gives"}
            | {axis: AXES[axis] for axis in ("annotated",) if group[axis].nunique() > 1}
            | ({"seed": "seed"} if group["seed"].nunique() > 1 else {}),
            {
                "micro_f1": "micro-F1", "kept": "kept, 95 %", "micro_precision": "P",
                "micro_recall": "R", "official_f1": "official F1", "answers": "beforehand",
                "prompt_tokens": "tokens in", "completion_tokens": "tokens out",
                "seconds": "seconds", "dollars": "dollars", "millions": "parameters, M",
            },
        )  # fmt: skip


def with_needs(summary: pd.DataFrame, recipes: Mapping[str, Variant]) -> pd.DataFrame:
    """A summary with what each setting needs of a language model, in words.

    Args:
        summary: Summary of an experiment.
        recipes: Its variants; where all need the same, the summary is returned as it is.
    """
    if len({recipe.needs for recipe in recipes.values()}) < 2:
        return summary
    rows = summary.to_dict("records")
    return summary.assign(needs=[needs_in_words(row, recipes[row["variant"]]) for row in rows])


def needs_in_words(row: Mapping[Any, Any], recipe: Variant) -> str:
    """Needs of a variant (``Variant.needs``) with the numbers of a setting, by its coordinates."""
    if row["llm"] == NO_LLM:
        return "nothing"
    encoder = recipe.pretrained_on
    written = int(row["shots"] * max(row["synthetic"], encoder.synthetic or 0))
    counts = {
        "written": f"{written} sentences a relation" if written else "sentences",
        READ: f"{row['annotated']:,} labels" if row["annotated"] else None,
        TRUE_LABELS: TRUE_LABELS if row["annotated"] else None,
    }
    parts = [counts.get(part, part) for part in recipe.needs.split(" and ")]
    parts += ["zero-shot sentences"] * bool(encoder.zero_shot)
    return " and ".join(part for part in parts if part) or "nothing"


def _shown(row: Mapping[Any, Any]) -> dict[Any, Any]:
    """A row with its texts."""
    kept = ""
    if not missing(row["share"]):
        kept = f"{row['share']:.1f} [{row['share_low']:.1f}, {row['share_high']:.1f}]"
    counts = {
        name: None if missing(row[name]) else f"{row[name]:,.0f}"
        for name in ("answers", "prompt_tokens", "completion_tokens")
    }
    seconds = _NOT_KNOWN if missing(row["seconds"]) else number(float(row["seconds"]))
    dollars = None if missing(row["dollars"]) else f"{row['dollars']:.2f}"
    millions = None if missing(row["parameters"]) else float(row["parameters"]) / 1e6
    return {
        **row,
        **counts,
        "kept": kept,
        "seconds": seconds,
        "dollars": dollars,
        "millions": millions,
    }


def _findings(content: ReportContent, table: pd.DataFrame) -> Iterator[str]:
    """A sentence on each language model, and one on its best student."""
    for (corpus, shots, seed), group in table.groupby(["corpus", "shots", "seed"], sort=False):
        itself = group[group["variant"] == group["teacher"]].iloc[0]
        students = group[group["variant"] != group["teacher"]]
        where = f"{corpus}, K = {shots}" + (f", seed {seed}" if content.several_seeds else "")
        asked = counted(int(itself["asked"]), "sentence")
        yield (
            f"{where}: the language model itself has a micro-F1 of {number(itself['micro_f1'])} on "
            f"{itself['rows']:,} of {asked} that it was asked about. It reads "
            f"{itself['prompt_tokens'] / 1000:,.0f} tokens for each."
        )
        if students["share"].notna().any():
            best = students.loc[students["share"].idxmax()]
            name = str(best["variant"] + beside_shots(students)[best.name])
            yield _kept(name, best, itself)


def _kept(name: str, best: pd.Series, itself: pd.Series) -> str:
    line = (
        f"{name} keeps {best['share']:.1f} % of that ({best['share_low']:.1f} to "
        f"{best['share_high']:.1f})"
    )
    if not missing(best["answers"]):
        line += (
            f", made from {counted(int(best['answers']), 'answer')} of the language model, which "
            "are needed once"
        )
    if not missing(best["seconds"]):
        line += f"; it labels 1,000 sentences in {number(float(best['seconds']))} s"
        if not missing(itself["seconds"]):
            line += f", the language model in {number(float(itself['seconds']))} s"
    if not missing(itself["dollars"]):
        line += f"; 1,000 answers cost {itself['dollars']:.2f} dollars"
    return f"{line}."
