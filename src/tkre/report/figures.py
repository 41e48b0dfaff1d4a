"""The figures of an experiment: each reads one table or list of records and draws its panels.

``FIGURES`` is the one list: the pipeline saves its entries, and the report, the published results
and notebooks show them. A figure is a function that makes its rows and an entry, here or in the
entry-point group ``tkre.figures`` of another package.

Functions that make rows take the source of their figure and the name of the baseline. A row has
``panel``, the columns that the panel draws, and those of the table behind the figure. Cells without
a scored sentence have no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tkre.core.params import NO_LLM, Registry
from tkre.evaluation.calibration_report import COVERAGES
from tkre.evaluation.results import (
    FINETUNING,
    GROUP_KEYS,
    GROUP_KEYS_WITH_VARIANT,
    std_over_seeds,
    varies,
)
from tkre.report.drawing import BARS, DOTS, MATRIX, Panel, draw, lines
from tkre.report.tables import best_setting, placed
from tkre.training.recipes import Variant, varied
from tkre.training.stages import STAGES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class FigureKind:
    """One figure.

    Attributes:
        title: Title in the report and in docs.
        section: Section of the report that shows it.
        reads: Source: a table of the experiment (``cells``, ``summary``, ``training_curves``) or
            the records of its cells (``metrics``, ``calibration_scores``, and
            ``natural_calibration_scores`` of natural text).
        frame: Makes the rows, from the source and the name of the baseline.
        panel: Kind of its panels.
        labels: Columns of words of the table behind it, with their headings.
        figures: Columns of numbers of that table, with their headings.
        caption: How it is read.
        over_seeds: First sentence of the caption where scores are means over seeds.
        axis: Axis of the grid that it needs; None for any experiment.
        behind: Rows that the table behind the figure shows.
    """

    title: str
    section: str
    reads: str
    frame: Callable[[Any, str], pd.DataFrame]
    panel: Panel
    labels: Mapping[str, str]
    figures: Mapping[str, str]
    caption: str = ""
    over_seeds: str = ""
    axis: str | None = None
    behind: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows

    def rows(self, source: Any, baseline: str = "") -> pd.DataFrame:
        """The rows that are drawn; the order in which series first occur chooses their colours.

        Args:
            source: The table or the records that ``reads`` names.
            baseline: Variant that others are compared with.
        """
        rows = self.frame(source, baseline)
        if "series" not in rows or isinstance(rows["series"].dtype, pd.CategoricalDtype):
            return rows
        return rows.assign(series=pd.Categorical(rows["series"], rows["series"].unique()))

    def titled(self, rows: pd.DataFrame) -> str:
        """The title; that of a curve along a parameter names the parameter."""
        return f"{self.title} {rows['path'].iloc[0]}" if "path" in rows else self.title

    def note(self, rows: pd.DataFrame, *, several_seeds: bool) -> str:
        """How the figure is read, as far as its rows need it."""
        level = "level" in rows and rows["level"].any()
        parts = [
            self.over_seeds if several_seeds else "",
            self.caption,
            "A dotted line has no value of its own along the axis." if level else "",
        ]
        return " ".join(part for part in parts if part)

    def draw(self, source: Any, baseline: str = "") -> Figure:
        """The whole figure, all panels and the legend; arguments as for ``rows``."""
        return draw(self.rows(source, baseline), self.panel)


def by_variant(cells: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Mean, deviation and single seeds of each setting."""
    rows = []
    for (place, setting), group in _scored(cells).groupby(["place", "setting"], sort=False):
        scores = group["micro_f1"]
        rows.append(
            {"panel": place, "label": setting, "value": scores.mean(),
             "std": std_over_seeds(scores), "seeds": len(group),
             "each": scores.tolist() if len(group) > 1 else []}
        )  # fmt: skip
    columns = ["panel", "label", "value", "std", "seeds", "each"]
    return _numbered(pd.DataFrame(rows, columns=columns))


def differences(summary: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Differences to the baseline with their intervals; settings without one are left out."""
    rows = placed(summary[summary["metric"] == "micro_f1"])
    rows = _numbered(rows.assign(panel=rows["place"], label=rows["setting"]))
    names = {"difference": "value", "difference_low": "low", "difference_high": "high"}
    own = ["mean", "low", "high"]  # of the score itself
    return rows[rows["difference"].notna()].drop(columns=own).rename(columns=names)


def along(axis: str, cells: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """A row for each setting and value of an axis of the grid: mean and deviation over seeds.

    A variant that uses no synthetic sentence has one score: a level across the whole axis.
    """
    cells = cells[cells["micro_f1"].notna()]
    others = [column for column in GROUP_KEYS if column != axis and varies(cells, column)]
    values = sorted(cells[axis].unique())
    rows: list[dict[str, Any]] = []
    for key, group in cells.groupby(["variant", *others], sort=False):
        place = dict(zip(others, key[1:], strict=True))
        if (group["synthetic"] == 0).all() and axis != "synthetic":
            place = {name: v for name, v in place.items() if name in ("corpus", "shots")}
        name = ", ".join([str(key[0]), *(_in_words(c, v) for c, v in place.items())])
        scores = group.groupby(axis)["micro_f1"]
        level = scores.ngroups == 1 and len(values) > 1
        for x, of in scores:
            ends = (values[0], values[-1]) if level else (x,)
            mean, std = of.mean(), std_over_seeds(of)
            rows += [
                {"series": name, "x": end, "value": mean, "std": std, "level": level}
                for end in ends
            ]
    frame = pd.DataFrame(rows, columns=["series", "x", "value", "std", "level"])
    return frame.assign(panel="micro-F1, %")


def along_parameter(metrics: Records, baseline: str) -> pd.DataFrame:
    """The same along the one number that the variants differ in (``recipes.varied``)."""
    difference = varied({m["variant"]: Variant.model_validate(m["recipe"]) for m in metrics})
    cells = pd.DataFrame([dict(m) for m in metrics])
    if difference is None:
        raise ValueError("the variants differ in more than one number")
    path, values = difference
    cells = cells.assign(value=cells["variant"].map(values), variant=path)
    return along("value", cells, baseline).assign(path=path)


def by_relation(metrics: Records, baseline: str) -> pd.DataFrame:
    """F1 of each relation, best first, with that of the baseline beside it."""
    frames = []
    for name, best, group in _best(metrics):
        frame = _relation_means(metrics, best).sort_values("f1", ascending=False, kind="stable")
        theirs = group[group["variant"] == baseline]
        if len(theirs) and baseline != best["variant"].iloc[0]:
            compared = theirs[theirs["setting"] == theirs["setting"].iloc[0]]
            means = _relation_means(metrics, compared).set_index("relation")["f1"]
            frame = frame.assign(mark=frame["relation"].map(means))
        frames.append(frame.assign(panel=name, label=frame["relation"], series_number=0))
    if not frames:
        return pd.DataFrame(columns=["panel", "label", "value"])
    whole = pd.concat(frames)
    return whole.assign(value=whole["f1"].where(whole["gold"] > 0))


def _relation_means(metrics: Records, cells: pd.DataFrame) -> pd.DataFrame:
    frames = [pd.DataFrame(metrics[n]["by_relation"]) for n in cells["number"]]
    means = pd.concat(frames).groupby("relation", sort=False).mean().reset_index()
    return means.astype({"gold": int}).assign(guessed=means["guessed"].round().astype(int))


def confusion(metrics: Records, baseline: str) -> pd.DataFrame:
    """How often each gold relation was predicted as each other one, summed over seeds.

    Returns:
        ``panel`` (the best setting of each corpus and K), ``gold`` and ``predicted`` relation,
        ``count``, and ``share``, per cent of the gold relation. Pairs that do not occur are left
        out, but for the diagonal.
    """
    rows: list[dict[str, Any]] = []
    for name, best, _ in _best(metrics):
        matrices = [metrics[n]["confusion"] for n in best["number"]]
        labels = matrices[0]["labels"]
        counts = np.sum([matrix["counts"] for matrix in matrices], axis=0)
        shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        rows += [
            {"panel": name, "gold": gold, "predicted": predicted, "count": int(counts[i, j]),
             "share": shares[i, j]}
            for i, gold in enumerate(labels) for j, predicted in enumerate(labels)
            if counts[i, j] or i == j
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["panel", "gold", "predicted", "count", "share"])


def reliability(scores: Records, baseline: str) -> pd.DataFrame:
    """Claimed and true shares of right labels by bins of confidence, seeds pooled."""
    rows: list[dict[str, Any]] = []
    whens = {"before": "before temperature scaling", "after": "after temperature scaling"}
    for when, title in whens.items():
        for place, setting, of_seeds in _settings(scores):
            bins = pd.concat([pd.DataFrame(s[f"reliability_{when}"]) for s in of_seeds])
            for _, same in bins[bins["rows"] > 0].groupby("from"):
                at, right = (np.average(same[c], weights=same["rows"])
                             for c in ("confidence", "accuracy"))  # fmt: skip
                rows.append({"panel": f"{title}, {place}", "series": setting, "x": 100 * at,
                             "value": 100 * right, "rows": int(same["rows"].sum())})  # fmt: skip
    return pd.DataFrame(rows, columns=["panel", "series", "x", "value", "rows"])


def risk(scores: Records, baseline: str) -> pd.DataFrame:
    """Per cent wrong among the surest answers, mean over seeds."""
    rows: list[dict[str, Any]] = []
    for place, setting, of_seeds in _settings(scores):
        if risks := [s["risks"] for s in of_seeds if s["risks"]]:
            means = zip(100 * COVERAGES, np.mean(risks, axis=0), strict=True)
            rows += [{"panel": place, "series": setting, "x": x, "value": y} for x, y in means]
    return pd.DataFrame(rows, columns=["panel", "series", "x", "value"])


def training(curves: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Losses and validation scores by epoch, mean over seeds; fine-tuning is the last panel."""
    rows = placed(curves).assign(last=curves["stage"] == FINETUNING)
    series = pd.Categorical(rows["setting"], rows["setting"].unique())
    rows = rows.assign(series=series, x=rows["epoch"])
    keys = ["place", "last", "stage", "series", "x"]
    means = rows.groupby(keys, sort=False, observed=True)["value"].mean().reset_index()
    means = means.sort_values(["place", "last"], kind="stable")
    titles = means["stage"].map(
        {n: STAGES[n].loss for n in STAGES} | {FINETUNING: "validation F1, %"}
    )
    return means.assign(panel=titles + ", " + means["place"])


def _scored(cells: pd.DataFrame) -> pd.DataFrame:
    rows = placed(cells)
    return rows[rows["micro_f1"].notna()]


def _best(metrics: Records) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Name, cells of the best setting, and all cells, of each corpus and K that has a score."""
    if not metrics:
        return
    columns = [*GROUP_KEYS_WITH_VARIANT, "micro_f1"]
    cells = placed(pd.DataFrame([{name: m[name] for name in columns} for m in metrics]))
    cells = cells.assign(number=range(len(cells)))
    for place, group in cells.groupby("place", sort=False):
        if (best := best_setting(group)) is not None:
            yield f"{best}, {place}", group[group["setting"] == best], group


def _settings(scores: Records) -> Iterator[tuple[str, str, list[Mapping[str, Any]]]]:
    keys = GROUP_KEYS_WITH_VARIANT
    frame = placed(pd.DataFrame([{k: s[k] for k in keys} for s in scores], columns=keys))
    known = frame[np.array([bool(s["rows"]) for s in scores], dtype=bool)]
    for (place, setting), rows in known.groupby(["place", "setting"], sort=False):
        yield place, setting, [scores[n] for n in rows.index]


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """With the number of each label, which chooses its colour."""
    return rows.assign(series_number=pd.factorize(rows["label"])[0])


def _in_words(column: str, value: object) -> str:
    if column == "filtered":
        return "filtered" if value else "not filtered"
    if column == "llm":
        return "no language model" if value == NO_LLM else f"written by {value}"
    if column == "chosen":
        return f"chosen {value}".replace("_", " ")
    words = {"shots": "K = {}", "synthetic": "{} x K synthetic", "noise": "{} % noise",
             "annotated": "{} annotated"}  # fmt: skip
    return words.get(column, "{}").format(value)


_SCORE = {"value": "micro-F1", "std": "sample standard deviation"}


def _f1_along(axis: str, title: str) -> FigureKind:
    return FigureKind(
        f"Micro-F1 along {title}".strip(),
        "scores",
        "metrics" if axis == "parameter" else "cells",
        along_parameter if axis == "parameter" else partial(along, axis),
        lines(title, "micro-F1, %", ticks=True),
        labels={"series": "variant", "x": title or "value"},
        figures=_SCORE,
        over_seeds="Means over seeds; whiskers are one sample standard deviation.",
        axis=axis,
    )


_RISK_COVERAGE = FigureKind(
    "Risk and coverage", "calibration", "calibration_scores", risk,
    lines("answers given, surest first, %", "wrong among them, %"),
    labels={"series": "variant"},
    figures={"x": "answers given", "value": "wrong among them"},
    caption="Share of wrong answers if only the surest are given. Negative predictions are no "
    "answers.",
    over_seeds="Means over seeds.",
    behind=lambda rows: rows[rows["x"].round().isin([10, 25, 50, 75, 90, 100])],
)  # fmt: skip

FIGURES: Registry[FigureKind] = Registry(
    "tkre.figures",
    {
        "f1_by_variant": FigureKind(
            "Micro-F1 by variant", "scores", "cells", by_variant, BARS,
            labels={"label": "variant"},
            figures=_SCORE | {"seeds": "seeds"},
            caption="Per cent.",
            over_seeds="Bars are means over seeds, circles single seeds, whiskers one sample "
            "standard deviation.",
        ),
        "differences": FigureKind(
            "Difference to the baseline", "scores", "summary", differences, DOTS,
            labels={"label": "variant"},
            figures={"value": "difference", "low": "from", "high": "to"},
            caption="Points of micro-F1 with paired intervals; the stroke is zero.",
        ),
        "f1_by_shots": _f1_along("shots", "K, labelled sentences per relation"),
        "f1_by_synthetic": _f1_along("synthetic", "synthetic sentences per relation, x K"),
        "f1_by_noise": _f1_along("noise", "% of synthetic sentences under a wrong label"),
        "f1_by_annotated": _f1_along("annotated", "sentences annotated by a language model"),
        "f1_by_parameter": _f1_along("parameter", ""),
        "f1_by_relation": FigureKind(
            "F1 by relation", "error-analysis", "metrics", by_relation, BARS,
            labels={"relation": "relation"},
            figures={"f1": "F1", "mark": "F1 of the baseline", "precision": "precision",
                     "recall": "recall", "gold": "sentences", "guessed": "predicted"},
            caption="Bars are the best variant; a stroke marks the baseline.",
            over_seeds="Means over seeds; numbers of sentences are those of one seed.",
        ),
        "confusion": FigureKind(
            "Confusion", "error-analysis", "metrics", confusion, MATRIX,
            labels={"gold": "gold", "predicted": "predicted"},
            figures={"count": "sentences", "share": "% of gold"},
            caption="Numbers of sentences: rows are gold relations, columns predicted ones. The "
            "stronger a field, the larger its share of the row; right ones are on the diagonal.",
            over_seeds="Summed over seeds.",
            behind=lambda rows: rows[rows["count"] > 0],
        ),
        "reliability": FigureKind(
            "Reliability", "calibration", "calibration_scores", reliability,
            lines("confidence, %", "right, %", square=True),
            labels={"series": "variant"},
            figures={"x": "confidence", "value": "right", "rows": "sentences"},
            caption="Share of right labels among those predicted with a confidence. On the dashed "
            "line both are equal, below it the classifier is overconfident. Larger marks are more "
            "sentences.",
        ),
        "risk_coverage": _RISK_COVERAGE,
        "natural_risk_coverage": replace(
            _RISK_COVERAGE, title="Risk and coverage on natural text", section="natural",
            reads="natural_calibration_scores",
        ),
        "training_curves": FigureKind(
            "Training curves", "training", "training_curves", training, lines("epoch", whole=True),
            labels={"series": "variant", "stage": "stage", "x": "epoch"},
            figures={"value": "value"},
            caption="Losses of variants that mask different shares of words are not comparable; "
            "how fast they fall is.",
            over_seeds="Means over seeds.",
        ),
    },
)  # fmt: skip


def drawable(axes: Collection[str]) -> list[str]:
    """Names of the figures of an experiment with several values along these axes."""
    return [name for name in FIGURES if FIGURES[name].axis in (None, *axes)]
