"""The beginning of a page: what was found, in short, and what was run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from tkre.core.params import DEFAULT_LLM
from tkre.core.provenance import seconds_of
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.report.blocks import (
    Block,
    Facts,
    Folded,
    Part,
    Prose,
    Section,
    Table,
    Tiles,
    missing,
    table_of,
)
from tkre.report.content import ReportContent, ReportedCell, best_setting
from tkre.report.figures import confusions
from tkre.report.formatting import counted, day, duration, listed, llm_in_words, recipe_in_words
from tkre.report.tables import TextTable

_MOST_VARIANTS = 6  # that are described without a fold
_WEAKEST = 3  # relations that are named
_FEW = 100  # sentences, of which one is a point
_COVERAGE, _PRECISION = "coverage_at_90", "precision_at_90"


def in_short(content: ReportContent) -> Section:
    """The findings, a sentence or two for each corpus and K."""
    found = [said for name, group in content.groups() for said in _findings(content, name, group)]
    cautions = [] if content.several_seeds else [
        "One seed says nothing about the spread between seeds: take small differences for none."
    ]  # fmt: skip
    if 0 < content.placed["rows"].max() < _FEW:
        cautions.append(
            f"Fewer than {_FEW} sentences were scored: a single one moves a score by a point or "
            "more."
        )
    if content.spec.score_on == "development":
        cautions.append(
            "Scored on development rows, which recipes are chosen on: the scores flatter."
        )
    return Section("in-short", "In short", [Tiles(_tiles(content)), Prose([*found, *cautions])])


def what_was_run(content: ReportContent) -> Section:
    """The grid, the corpora and the variants."""
    return Section(
        "what-was-run",
        "What was run",
        [Facts(list(_grid(content))), Table(_corpora(content)), _variants(content)],
    )


def _findings(content: ReportContent, name: str, group: pd.DataFrame) -> Iterator[str]:
    best = best_setting(group)
    if best is None:
        yield (
            f"{name}: there is no sentence to score on; a file of them is named in conf/, as test "
            "of the corpus."
        )
        return
    cells = group[group["setting"] == best]
    yield _score(content, name, best, cells)
    yield _weakest(content.cells_of(cells))
    if invented := _invented(content, content.cells_of(cells)):
        yield invented
    if answered := _answered(content, cells):
        yield answered


def _score(content: ReportContent, name: str, best: str, cells: pd.DataFrame) -> str:
    row = content.summary_of(cells)
    spread = f" ± {row['std']:.1f} over {row['seeds']} seeds" if row["seeds"] > 1 else ""
    scored = counted(int(cells["rows"].max()), "sentence")
    said = f"{name}: {best} does best, with a micro-F1 of {row['mean']:.1f}{spread} on {scored}"
    if missing(row["difference"]):
        return f"{said}."
    low, high = row["difference_low"], row["difference_high"]
    verdict = "" if low > 0 or high < 0 else ", which may be none at all"
    return (
        f"{said}; that is {row['difference']:+.1f} against {content.baseline} "
        f"({100 * content.reporting.confidence:g} % interval {low:+.1f} to {high:+.1f}{verdict})."
    )


def _weakest(cells: Sequence[ReportedCell]) -> str:
    """The relations that are found worst, but for the negative one."""
    frames = [pd.DataFrame(cell.metrics["by_relation"]) for cell in cells]
    means = pd.concat(frames).groupby("relation", sort=False)[["f1", "gold"]].mean()
    there = means[(means["gold"] > 0) & (means.index != cells[0].metrics["negative"])]
    if there.empty:
        return "No relation has a sentence."
    worst = there[there["f1"] < 100].sort_values("f1", kind="stable").head(_WEAKEST)
    named = [f"{relation} (F1 {f1:.1f})" for relation, f1 in worst["f1"].items()]
    return f"It does worst on {listed(named)}." if named else "It makes no error on a relation."


def _invented(content: ReportContent, cells: Sequence[ReportedCell]) -> str | None:
    """How often a relation is claimed where there is none, which no F1 of a relation shows."""
    [confusion] = confusions([cell.metrics for cell in cells]).values()
    negative = cells[0].metrics["negative"]
    if negative not in confusion.labels:
        return None
    at = confusion.labels.index(negative)
    without, right = int(confusion.counts[at].sum()), int(confusion.counts[at, at])
    if not without:
        return None
    invented = without - right
    said = {0: "none was", 1: "1 was"}.get(invented, f"{invented:,} were")
    where = content.over_seeds(", summed over seeds,")
    return f"Of {counted(without, 'sentence')} without a relation{where} {said} given one."


def _answered(content: ReportContent, cells: pd.DataFrame) -> str | None:
    """What of its answers can be had with a wanted precision."""
    table = content.tables.get("calibration")
    if table is None or _COVERAGE not in table:
        return None
    same = (table[GROUP_KEYS_WITH_VARIANT] == cells.iloc[0][GROUP_KEYS_WITH_VARIANT]).all(axis=1)
    row = table[same].iloc[0]
    if not content.validated:
        return (
            "There was no validation sentence: its probabilities are not calibrated, and no "
            "precision can be promised."
        )
    if missing(row[_PRECISION]):
        return "Its validation sentences support no threshold for a precision of 90 %."
    return (
        f"Where a precision of 90 % is wanted, it gives {row[_COVERAGE]:.0f} % of its answers, and "
        f"{row[_PRECISION]:.1f} % of these are right."
    )


def _tiles(content: ReportContent) -> list[tuple[str, str, str]]:
    tiles = []
    for name, group in content.groups()[:2]:
        if (best := best_setting(group)) is not None:
            row = content.summary_of(group[group["setting"] == best])
            tiles.append((f"best micro-F1, {name}", f"{row['mean']:.1f}", best))
            if not missing(row["difference"]):
                tiles.append((f"against {content.baseline}", f"{row['difference']:+.1f}", "points"))
    tiles.append(("cells", str(len(content.cells)), "corpus x K x seed x variant"))
    tiles.append(
        ("training", duration(seconds_of(cell.lineage for cell in content.cells)), "of all stages")
    )
    return tiles


def _grid(content: ReportContent) -> Iterator[tuple[str, str]]:
    spec = content.spec
    yield "Experiment", content.experiment
    yield "Command", f"kedro run --pipelines {content.experiment}"
    yield "Reported", day(content.environment.finished)
    yield "K, labelled sentences per relation", listed([str(k) for k in spec.shots])
    yield "Seeds", listed([str(seed) for seed in spec.seeds])
    if len(spec.synthetic) > 1 or spec.synthetic != (1,):
        yield "Synthetic sentences, x K", listed([str(n) for n in spec.synthetic])
    if spec.noise != (0,):
        yield "Planted noise, %", listed([str(n) for n in spec.noise])
    if spec.filtered != (False,):
        yield "Synthetic sentences filtered", listed(["yes" if f else "no" for f in spec.filtered])
    if spec.llms != (DEFAULT_LLM,):
        models = [llm_in_words(w, content.called.get(w)) for w in spec.llms]
        yield "Language models", listed(models)
    yield "Variants", listed(list(content.variants))
    if content.baseline in content.variants:
        yield "Compared with", content.baseline
    rows = {"test": "the test split, once", "development": "K-shot sets of the other seeds"}
    scored = content.placed["rows"].sum() > 0
    yield (
        "Scored on",
        rows[spec.score_on] if scored else "nothing: there is no sentence to score on",
    )


def _corpora(content: ReportContent) -> TextTable:
    rows = []
    for corpus in content.corpora:
        reading, schema = corpus.reading, corpus.schema
        scored = {c.metrics["rows"] for c in content.cells if c.metrics["corpus"] == schema.corpus}
        rows.append(
            {
                "corpus": schema.corpus,
                "relations": len(schema.names),
                "negative": schema.negative or "none",
                **reading["rows"],
                "scored": " or ".join(f"{n:,}" for n in sorted(scored)) or "none",
                "bad": len(reading["bad_rows"]),
            }
        )
    return table_of(
        rows,
        "Corpora",
        "Sentences of each split. The negative relation says that none of the others holds; it "
        "counts in no score over all relations.",
        {"corpus": "corpus", "negative": "negative relation"},
        {"relations": "relations", "train": "train", "dev": "dev", "test": "test",
         "scored": "scored", "bad": "bad rows left out"},
    )  # fmt: skip


def _variants(content: ReportContent) -> Block:
    recipes = content.variants
    facts = Facts([(name, recipe_in_words(recipe)) for name, recipe in recipes.items()])
    if len(recipes) <= _MOST_VARIANTS:
        return Part("Variants", [facts])
    return Part("Variants", [Folded(f"What {counted(len(recipes), 'variant')} do", [facts])])
