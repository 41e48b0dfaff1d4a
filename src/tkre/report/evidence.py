"""Sections of the report that quote sentences: error analysis, and knowledge of language models."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from tkre.core.instance import Instance
from tkre.evaluation.error_analysis import sentences_of
from tkre.evaluation.llm_comparison import Knowledge
from tkre.generation.rejections import ANNOTATION, EXPLANATION, SYNTHESIS
from tkre.report.blocks import Block, Folded, Part, Prose, Quote, Quotes, Table, charts
from tkre.report.content import ReportContent, ReportedAnnotations
from tkre.report.formatting import counted, highlighted, listed, llm_in_words
from tkre.report.tables import (
    TextTable,
    detail_tables,
    llm_tables,
    number,
    placed,
    table_of,
    varying,
)

_PAIRS = 10  # confused pairs of a setting that are listed
_LONGEST = 300  # characters of a rejected text that are quoted
_KINDS = {
    EXPLANATION: "explanations",
    SYNTHESIS: "synthetic sentences",
    ANNOTATION: "annotated sentences",
}


def error_analysis(content: ReportContent) -> list[Block]:
    """Errors by relation and pair, implicit sentences, signs of collapse, worst errors."""
    blocks: list[Block] = [
        Prose([f"{name}: there is no sentence to score on."])
        for name, group in content.groups()
        if not group["micro_f1"].notna().any()
    ]
    blocks += charts(content, "error-analysis")
    blocks += _confused_pairs(content)
    if (implicit := content.tables.get("implicit")) is not None:
        blocks += map(Table.titled, detail_tables("implicit", implicit))
    return [*blocks, *_collapse(content), worst_errors(content)]


def _confused_pairs(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("diagnosis")
    if table is None or table.empty:
        return
    frame = placed(table)
    frame = frame.assign(name=frame["setting"] + ", " + frame["place"])
    parts = [_pairs(content, str(name), rows) for name, rows in frame.groupby("name", sort=False)]
    note = (
        "Ordered pairs of relations that are confused. Similarities are cosines of deviations from "
        "the mean over relations: centroids of validation rows (classifier) and definitions (stock "
        "encoder)."
    )
    folds = [Folded(p.table.title, [p], open=p is parts[-1]) for p in parts]
    yield Part("Confused pairs", [Prose([note]), *folds])


def _pairs(content: ReportContent, title: str, rows: pd.DataFrame) -> Table:
    similarities = {"centroid_similarity": "centroids", "definition_similarity": "definitions"}
    known = [c for c in similarities if rows[c].notna().any()]
    exact = {c: rows[c].map(lambda value: number(value, 2)) for c in known}
    if (rows["count"] % 1 == 0).all():
        exact["count"] = rows["count"].astype(int)
    mean = " (mean over seeds)" if content.several_seeds else ""
    return Table(
        table_of(
            rows.assign(**exact).head(_PAIRS),
            title,
            f"sentences{mean}, per cent of the sentences of the gold relation and of all errors",
            {"gold": "gold", "predicted": "predicted", "diagnosis": "diagnosis"},
            {"count": "sentences", "share_of_gold": "% of gold", "share_of_errors": "% of errors"}
            | {column: similarities[column] for column in known},
        )
    )


def _collapse(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("collapse")
    if table is None or table.empty:
        return
    where = ["setting", *varying(table, ("corpus", "shots")), "seed"]
    shown = table_of(
        placed(table),
        "Signs of collapse, cell by cell",
        "direction: per cent of the sentences whose relation has an inverse that were predicted as "
        "the inverse; entropies of gold and predicted labels in bits; distance of the centroid of "
        "each relation to the nearest other one; alignment and uniformity after Wang and Isola "
        "(2020)",
        {name: {"shots": "K", "setting": "variant"}.get(name, name) for name in where}
        | {"never_predicted": "never predicted", "closest_centroids": "closest centroids"},
        {"direction_flips": "direction", "gold_entropy": "gold", "predicted_entropy": "predicted",
         "nearest_centroid_mean": "distance, mean", "nearest_centroid_min": "least",
         "alignment": "alignment", "uniformity": "uniformity"},
        decimals=2,
    )  # fmt: skip
    yield Folded("Signs of collapse", [Table(shown)])


def worst_errors(content: ReportContent, kind: str = "errors") -> Block:
    """The most confident errors of every setting: ``errors`` of its cells or ``natural_errors``."""
    title = "Worst errors"
    if not content.page.errors:
        return Part(title, [Prose(["No sentence is quoted here (publishing.page.errors is 0)."])])
    calibrated = (
        "calibrated" if content.validated
        else "not calibrated, since there was no validation row"
    )  # fmt: skip
    found: list[tuple[str, Quotes]] = []
    for setting, cells in content.placed.groupby("setting", sort=False):
        errors_of = [getattr(cell, kind) for cell in content.cells_of(cells)]
        known = [errors for errors in errors_of if errors is not None]
        if not known or not sum(map(len, known)):
            continue
        errors = pd.concat(known).sort_values("probability", ascending=False, kind="stable")
        worst = errors.drop_duplicates(["id", "predicted"]).head(content.page.errors)
        quotes = [*map(_error, sentences_of(worst), worst.to_dict("records"))]
        note = (
            f"The {len(quotes)} most confident of {counted(len(errors), 'error')}; probabilities "
            f"are {calibrated}. Some may be errors of the corpus."
        )
        found.append((str(setting), Quotes("", note, quotes)))
    if not found:
        return Part(title, [Prose(["No error is known."])])
    return Part(title, [Folded(name, [q], open=q is found[-1][1]) for name, q in found])


def _error(instance: Instance, row: Mapping[Hashable, Any]) -> Quote:
    return Quote(
        highlighted(instance),
        [
            ("gold", f"{row['gold']} ({row['gold_probability']:.2f})"),
            ("predicted", f"{row['predicted']} ({row['probability']:.2f})"),
            ("sentence", instance.id),
        ],
    )


def knowledge(content: ReportContent) -> list[Block]:
    """Yield, examples and rejections of the knowledge, corpus by corpus."""
    blocks: list[Block] = []
    if not content.knowing:
        blocks.append(Prose(["No variant uses knowledge of a language model."]))
    for corpus, known in _by_corpus(content).items():
        blocks += [Table(_yields(corpus, known)), _rejections(corpus, known)]
        blocks += _examples(content, corpus, known)
    if content.annotations:
        blocks.append(Table(_annotated(content.annotations)))
    if content.taught:
        blocks.append(Table(_taught(content.taught)))
    if (table := content.tables.get("llms")) is not None:
        blocks += map(Table.titled, llm_tables(table))
    if (table := content.tables.get("filter")) is not None and len(table):
        blocks += map(Table.titled, detail_tables("filter", table))
    return [*blocks, *_label_errors(content)]


def _by_corpus(content: ReportContent) -> dict[str, list[Knowledge]]:
    """Knowledge of all samples of a corpus and a language model."""
    found: dict[str, list[Knowledge]] = {}
    several = len({known.sample.llm for known in content.knowing}) > 1
    for reported in content.knowing:
        sample = reported.sample
        name = sample.corpus
        if several:
            name += f", written by {llm_in_words(sample.llm, content.called.get(sample.llm))}"
        if reported.knowledge is not None:
            found.setdefault(name, []).append(reported.knowledge)
    return found


def _yields(corpus: str, known: Sequence[Knowledge]) -> TextTable:
    """Counts by relation; relations with the same counts share a row."""
    counts = ["wanted", "requested", "answered", "kept", "surplus", "rejected", "short"]
    table = pd.concat([k.yields for k in known])
    sums = table.groupby(["kind", "relation"], sort=False)[counts].sum().reset_index()
    totals = sums.groupby("kind")["relation"].nunique()
    rows = []
    for key, of in sums.groupby(["kind", *counts], sort=False):
        names, kind = of["relation"].astype(str).tolist(), str(key[0])
        every = len(names) == totals[kind] > 1
        relations = f"all {len(names)} relations" if every else listed(names)
        rows.append(dict(zip(counts, key[1:], strict=True))
                    | {"kind": _KINDS[kind], "relation": relations})  # fmt: skip
    return table_of(
        rows,
        f"Yield by relation: {corpus}",
        f"numbers for each relation, summed over {counted(len(known), 'sample')}",
        {"kind": "kind", "relation": "relation"},
        {column: column for column in counts},
    )


def _annotated(annotations: Sequence[ReportedAnnotations]) -> TextTable:
    """Annotated rows of every sample: how they were chosen, and what came of the questions."""
    rows = []
    for each in annotations:
        report = each.unlabelled_report
        rows.append(
            each.annotation_yield.iloc[0].to_dict()
            | {**report, "chosen": report["chosen"].replace("_", " ")}
            | {
                "others": report["taken"] - report["kept_out"],
                "rounds": " + ".join(map(str, report.get("rounds", []))) or "all at once",
                "copies": _copies(report),
                "not_recorded": report.get("not_recorded", 0),
            }
        )
    return table_of(
        rows,
        "Annotated sentences of each sample",
        "rows that are kept out of training are a random sample of the text; the others are chosen "
        "among those that copy no other set and that can be answered",
        {"sample": "sample", "chosen": "chosen", "rounds": "rounds", "copies": "refused as copies"},
        {"wanted": "wanted", "kept_out": "kept out", "others": "chosen rows",
         "not_recorded": "not answerable", "requested": "requested", "kept": "kept",
         "rejected": "rejected"},
    )  # fmt: skip


def _taught(reports: Sequence[Mapping[str, Any]]) -> TextTable:
    """Unlabelled rows of every sample that no language model labels, but a classifier."""
    return table_of(
        [{**report, "copies": _copies(report)} for report in reports],
        "Sentences that a teacher labels",
        "unlabelled sentences of each sample, without those that copy another set",
        {"sample": "sample", "copies": "refused as copies"},
        {"taken": "labelled by the teacher"},
    )


def _copies(report: Mapping[str, Any]) -> str:
    """Rows that were refused as copies, by the set that has them."""
    return ", ".join(f"{where} {number}" for where, number in report["reasons"].items()) or "none"


def _rejections(corpus: str, known: Sequence[Knowledge]) -> Block:
    rejects = pd.concat([k.rejects for k in known])
    if rejects.empty:
        return Prose([f"{corpus}: nothing was rejected."])
    counts = rejects.groupby(["kind", "reason"]).size().rename("count").reset_index()
    counts = counts.assign(kind=counts["kind"].map(_KINDS).fillna(counts["kind"]))
    return Table(
        table_of(
            counts.sort_values("count", ascending=False, kind="stable"),
            f"Rejected texts by reason: {corpus}",
            "every text of a language model is checked",
            {"kind": "kind", "reason": "reason"},
            {"count": "number"},
        )
    )


def _examples(content: ReportContent, corpus: str, known: Sequence[Knowledge]) -> Iterator[Block]:
    """Texts of a language model for a corpus, kept and rejected (``publishing.page.examples``)."""
    most = content.page.examples
    if not most:
        yield Prose([f"{corpus}: no sentence is quoted here (publishing.page.examples is 0)."])
        return
    explained = [row for row in known[0].explained if row.explanation]
    quotes = [
        Quotes(
            "Labelled sentences with explanations",
            "Trigger words that the explanation quotes are underlined.",
            [_quoted(row, row.explanation or "") for row in evenly_spaced(explained, most)],
        ),
        Quotes(
            "Synthetic sentences",
            "Written under the schema, with the mentions that the language model marked.",
            [_quoted(row) for row in evenly_spaced(known[0].synthetic, most)],
        ),
        Quotes(
            "Rejected",
            "One of each reason first.",
            _rejected(pd.concat([k.rejects for k in known]), most),
        ),
    ]
    if some := [q for q in quotes if q.quotes]:
        yield Part(f"Examples, {corpus}", some)


def evenly_spaced(rows: Sequence[Instance], most: int) -> list[Instance]:
    """At most a number of rows, evenly over all of them: they are sorted by relation."""
    taken = min(most, len(rows))
    return [rows[(2 * n + 1) * len(rows) // (2 * taken)] for n in range(taken)]


def _quoted(row: Instance, body: str = "") -> Quote:
    return Quote(highlighted(row), [("relation", str(row.relation)), ("sentence", row.id)], body)


def _rejected(rejects: pd.DataFrame, most: int) -> list[Quote]:
    turn = rejects.groupby("reason").cumcount()
    taken = rejects.assign(turn=turn).sort_values("turn", kind="stable").head(most)
    return [
        Quote(
            Markup("<q>{}</q>").format(_cut(str(row["text"]))) if row["text"] else escape(""),
            [("reason", str(row["reason"])), ("relation", str(row["relation"]))],
            str(row["detail"]),
        )
        for row in taken.fillna("").to_dict("records")
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _label_errors(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("label_errors")
    if table is None or table.empty:
        return
    where = varying(table, ("corpus", "shots", "synthetic", "llm", "seed"))
    explained = (k.knowledge.explained for k in content.knowing if k.knowledge)
    texts = {row.id: row.text for row in chain.from_iterable(explained)}
    shown = table.assign(sentence=table["id"].map(texts)) if content.page.examples else table
    columns = {"id": "id", "relation": "labelled", "likeliest": "rather", "sentence": "sentence"}
    title = "Suspected label errors"
    listing = table_of(
        shown,
        title,
        "probabilities of the label and of the likeliest other relation",
        {name: {"shots": "K"}.get(name, name) for name in where} | columns,
        {"probability": "label", "likeliest_probability": "other", "error_score": "score"},
        decimals=2,
    )
    note = (
        "Judged by a classifier that was not trained on the sentence. With few sentences per "
        "relation one wrong label weighs much: check these first."
    )
    yield Folded(title, [Prose([note]), Table(listing)])
