"""Frames that figures draw and that stand behind them as tables; one function for each figure.

Every function takes the source of its figure and the name of the baseline. A row has ``panel``, the
columns that the panel needs, and those of the table behind it. Cells without a scored sentence have
no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tkre.core.params import NO_LLM
from tkre.evaluation.calibration_report import COVERAGES
from tkre.evaluation.results import GROUP_KEYS, std_over_seeds, varies
from tkre.evaluation.training_curves import FINETUNING
from tkre.report.tables import best_setting, placed
from tkre.training.recipes import Variant, varied
from tkre.training.stages import STAGES

Records = Sequence[Mapping[str, Any]]
F1 = "micro-F1, %"


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
    return rows[rows["difference"].notna()].drop(columns="mean").rename(columns=names)


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
    return _categorical(frame.assign(panel=F1))


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
    return _categorical(pd.DataFrame(rows, columns=["panel", "series", "x", "value", "rows"]))


def risk(scores: Records, baseline: str) -> pd.DataFrame:
    """Per cent wrong among the surest answers, mean over seeds."""
    rows: list[dict[str, Any]] = []
    for place, setting, of_seeds in _settings(scores):
        if risks := [s["risks"] for s in of_seeds if s["risks"]]:
            means = zip(100 * COVERAGES, np.mean(risks, axis=0), strict=True)
            rows += [{"panel": place, "series": setting, "x": x, "value": y} for x, y in means]
    return _categorical(pd.DataFrame(rows, columns=["panel", "series", "x", "value"]))


def training(curves: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Losses and validation scores by epoch, mean over seeds; fine-tuning is the last panel."""
    rows = placed(curves).assign(last=curves["stage"] == FINETUNING)
    rows = _categorical(rows.assign(series=rows["setting"], x=rows["epoch"]))
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
    columns = [*GROUP_KEYS, "variant", "micro_f1"]
    cells = placed(pd.DataFrame([{name: m[name] for name in columns} for m in metrics]))
    cells = cells.assign(number=range(len(cells)))
    for place, group in cells.groupby("place", sort=False):
        if (best := best_setting(group)) is not None:
            yield f"{best}, {place}", group[group["setting"] == best], group


def _settings(scores: Records) -> Iterator[tuple[str, str, list[Mapping[str, Any]]]]:
    keys = [*GROUP_KEYS, "variant"]
    frame = placed(pd.DataFrame([{k: s[k] for k in keys} for s in scores], columns=keys))
    known = frame[np.array([bool(s["rows"]) for s in scores], dtype=bool)]
    for (place, setting), rows in known.groupby(["place", "setting"], sort=False):
        yield place, setting, [scores[n] for n in rows.index]


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """With the number of each label, which chooses its colour."""
    order = {label: n for n, label in enumerate(dict.fromkeys(rows["label"]))}
    return rows.assign(series_number=rows["label"].map(order))


def _categorical(rows: pd.DataFrame) -> pd.DataFrame:
    names = list(dict.fromkeys(rows["series"]))
    return rows.assign(series=pd.Categorical(rows["series"], categories=names))


def _in_words(column: str, value: object) -> str:
    if column == "filtered":
        return "filtered" if value else "not filtered"
    if column == "llm":
        return "no language model" if value == NO_LLM else f"written by {value}"
    words = {"shots": "K = {}", "synthetic": "{} x K synthetic", "noise": "{} % noise"}
    return words.get(column, "{}").format(value)
