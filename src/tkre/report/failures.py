"""Where the variants fail: relations, confusions, implicit sentences, the worst errors."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from tkre.report.blocks import (
    Block,
    Chart,
    Folded,
    Panel,
    Part,
    Prose,
    Section,
    Table,
    table_of,
    titled,
    varying,
)
from tkre.report.content import ReportContent, ReportedCell, best_setting
from tkre.report.dots import DotRow, dot_panel
from tkre.report.figures import beside_shots, confusions, places_of
from tkre.report.matrix import matrix_panel
from tkre.report.quoting import worst_errors
from tkre.report.tables import detail_tables

_PAIRS = 10  # confused pairs of a setting that are listed


def failures(content: ReportContent) -> Section:
    """What goes wrong, and where to look."""
    blocks: list[Block] = []
    for name, group in content.groups():
        best = best_setting(group)
        if best is None:
            blocks.append(Prose([f"{name}: there is no sentence to score on."]))
            continue
        cells = content.cells_of(group[group["setting"] == best])
        place = f"{best}, {name}"
        blocks += [_by_relation(content, place, group, cells), _confusion(content, place, cells)]
    blocks += _confused_pairs(content)
    if (implicit := content.tables.get("implicit")) is not None:
        blocks += [titled(table) for table in detail_tables("implicit", implicit)]
    blocks += _collapse(content)
    blocks.append(worst_errors(content))
    return Section("failures", "Where it fails", blocks)


def _by_relation(
    content: ReportContent, name: str, group: pd.DataFrame, cells: list[ReportedCell]
) -> Chart:
    """F1 of every relation, with that of the baseline beside it."""
    means = _means_by_relation(cells).sort_values("f1", ascending=False, kind="stable")
    baseline = group[group["variant"] == content.baseline]
    compared = baseline[baseline["setting"] == baseline["setting"].iloc[0]] if len(baseline) else []
    if len(compared):
        theirs = _means_by_relation(content.cells_of(compared)).set_index("relation")["f1"]
        means = means.assign(baseline=means["relation"].map(theirs))
    rows = [
        DotRow(
            str(row["relation"]),
            row["f1"],
            each=[(row["baseline"], f"{content.baseline}: {row['baseline']:.1f}")]
            if "baseline" in row
            else [],
        )
        for row in means.to_dict("records")
    ]
    title = f"F1 by relation, {name}"
    table = table_of(
        means,
        f"By relation: {name}",
        "per cent"
        + content.over_seeds(", means over seeds; numbers of sentences are those of a seed"),
        {"relation": "relation"},
        {"f1": "F1", "baseline": f"F1 of {content.baseline}", "precision": "precision",
         "recall": "recall", "gold": "sentences", "guessed": "predicted"},
    )  # fmt: skip
    note = f"Large dots are {name}; small ones are {content.baseline}."
    note += content.over_seeds(" Means over seeds.")
    return Chart(title, note, [Panel("", dot_panel(rows, title, "F1, %"))], table)


def _means_by_relation(cells: list[ReportedCell]) -> pd.DataFrame:
    frames = [pd.DataFrame(cell.metrics["by_relation"]) for cell in cells]
    means = pd.concat(frames).groupby("relation", sort=False).mean().reset_index()
    return means.astype({"gold": int}).assign(guessed=means["guessed"].round().astype(int))


def _confusion(content: ReportContent, name: str, cells: list[ReportedCell]) -> Chart:
    [confusion] = confusions([cell.metrics for cell in cells]).values()
    rows = [
        {"gold": gold, **{f"p{n}": int(c) for n, c in enumerate(counts)}}
        for gold, counts in zip(confusion.labels, confusion.counts, strict=True)
    ]
    table = table_of(
        rows,
        f"Confusion: {name}",
        f"sentences{content.over_seeds(', summed over seeds')}; rows are gold relations, columns "
        "predicted ones",
        {"gold": "gold"},
        {f"p{n}": label for n, label in enumerate(confusion.labels)},
    )
    note = (
        "Rows are gold relations, columns predicted ones; the stronger the colour, the larger the "
        "share of the row. Right ones are on the diagonal."
        + content.over_seeds(" Summed over seeds.")
    )
    panel = Panel("", matrix_panel(confusion, f"Confusion, {name}"))
    return Chart(f"Confusion, {name}", note, [panel], table, wide=True)


def _confused_pairs(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("diagnosis")
    if table is None or table.empty:
        return
    placed = table.assign(setting=table["variant"] + ", " + places_of(table))
    groups = placed.groupby("setting", sort=False)
    parts = [_pairs(content, str(name), rows) for name, rows in groups]
    note = (
        "Ordered pairs of relations that are taken for one another. Similarities are cosines of "
        "deviations from the mean over relations: of the centres of validation rows to the "
        "classifier, and of the definitions to the stock encoder."
    )
    *others, last = parts
    folds = [Folded(p.table.title, [p]) for p in others]
    yield Part(
        "Confused pairs", [Prose([note]), *folds, Folded(last.table.title, [last], open=True)]
    )


def _pairs(content: ReportContent, title: str, rows: pd.DataFrame) -> Table:
    return Table(
        table_of(
            rows.head(_PAIRS),
            title,
            f"sentences{content.over_seeds(' (mean over seeds)')}, per cent of the gold relation's "
            "sentences and of all errors",
            {"gold": "gold", "predicted": "predicted", "diagnosis": "what is known of the pair"},
            {"count": "sentences", "share_of_gold": "of gold", "share_of_errors": "of errors",
             "centre_similarity": "centres", "definition_similarity": "definitions"},
        )
    )  # fmt: skip


def _collapse(content: ReportContent) -> Iterator[Block]:
    table = content.tables.get("collapse")
    if table is None or table.empty:
        return
    placed = table.assign(variant=table["variant"] + beside_shots(table))
    where = ["variant", *varying(table, ("corpus", "shots")), "seed"]
    shown = table_of(
        placed,
        "Signs of collapse, cell by cell",
        "direction: per cent of the sentences whose relation has an inverse that were given just "
        "that; entropies of gold and predicted labels in bits; distance of each relation's centre "
        "to the nearest other one; alignment and uniformity after Wang and Isola (2020)",
        {name: {"shots": "K"}.get(name, name) for name in where}
        | {"never_predicted": "never predicted", "closest_centres": "closest centres"},
        {"direction_flips": "direction", "gold_entropy": "gold", "predicted_entropy": "predicted",
         "nearest_centre_mean": "distance, mean", "nearest_centre_min": "least",
         "alignment": "alignment", "uniformity": "uniformity"},
        decimals=2,
    )  # fmt: skip
    yield Folded("Signs of collapse", [Table(shown)])
