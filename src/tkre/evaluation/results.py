"""Tables of an experiment: scores of cells, summary over seeds, samples, training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tkre.core.cells import IN_ORDER, Cell, parse_sample
from tkre.core.errors import UserError
from tkre.core.params import DEFAULT_LLM, NO_LLM
from tkre.evaluation.bootstrap import Resampled, Resamples, interval
from tkre.evaluation.metrics import (
    METRICS,
    Metric,
    ScoredRows,
    by_relation,
    confusion,
    counts,
)
from tkre.evaluation.pairing import paired_cells
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import sentences_of

# Coordinates of a cell without its seed and its variant: columns of every table of cells.
GROUP_KEYS = ["corpus", "shots", "synthetic", "noise", "filtered", "annotated", "chosen", "llm"]
GROUP_KEYS_WITH_VARIANT = [*GROUP_KEYS, "variant"]  # means over seeds are taken within these
SUMMARY_COLUMNS = [
    *GROUP_KEYS_WITH_VARIANT, "metric", "mean", "std", "low", "high", "seeds",
    "difference", "difference_low", "difference_high", "difference_seeds",
]  # fmt: skip
FINETUNING = "fine-tuning"  # stage of validation F1 in the training curves


# Scores on natural text, where a corpus has any, by the score that they are of; also columns.
NATURAL = {
    "natural_precision": "micro_precision",
    "natural_recall": "micro_recall",
    "natural_f1": "micro_f1",
    "natural_rows": "rows",
}


def cell_columns() -> list[str]:
    """Columns of the table of cells."""
    return [*GROUP_KEYS, "seed", "variant", *METRICS, "seconds", "rows"]


class IncompleteExperiment(UserError, ValueError):
    """Cells that cannot be compared; the message says which and why."""


def score_cell(
    predictions: pd.DataFrame,
    cell: Cell,
    labels: list[str],
    negative: str | None,
    metric: Metric,
    seconds: float,
    synthetic: int,
    llm: str,
    stale: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores of one cell.

    Args:
        predictions: Frame with ``gold`` and ``predicted``, one row per scored instance.
        cell: The cell.
        labels: Labels of the schema.
        negative: Negative label, which has no score.
        metric: Official metric of the corpus.
        seconds: Seconds of its training.
        synthetic: Synthetic sentences per relation that it used, as a multiple of K.
        llm: Language model whose knowledge it used.
        stale: Differences between the recipe of the predictions and the current one.

    Returns:
        The cell's coordinates, scores in per cent (None without a row to score), scores by
        relation, the confusion matrix.
    """
    gold, guessed = predictions["gold"].tolist(), predictions["predicted"].tolist()
    rows = ScoredRows(gold, guessed, negative, metric)
    scores = {name: float(METRICS[name].function(rows)) if gold else None for name in METRICS}
    return {
        "corpus": cell.sample.corpus,
        "shots": cell.sample.shots,
        "seed": cell.sample.seed,
        "variant": cell.variant,
        "synthetic": synthetic,
        "noise": cell.sample.noise,
        "filtered": cell.sample.filtered,
        "annotated": cell.sample.annotated,
        "chosen": cell.sample.chosen,
        "llm": llm,
        **scores,
        "seconds": seconds,
        "rows": len(gold),
        "stale": list(stale),
        "negative": negative,
        "official_metric": metric,
        "by_relation": by_relation(gold, guessed, labels).to_dict("records"),
        "confusion": {
            "labels": labels,
            "counts": confusion(gold, guessed, labels).to_numpy().tolist(),
        },
    }


def with_natural(metrics: Mapping[str, Any], natural: Mapping[str, Any] | None) -> dict[str, Any]:
    """Scores of a cell with those on natural text (``NATURAL``), if there are any."""
    scores = {name: natural[own] for name, own in NATURAL.items()} if natural else {}
    return dict(metrics) | scores


def cells_table(metrics: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per cell, in the order of the grid; with columns of natural text where a cell has it.

    Raises:
        IncompleteExperiment: Cells are stale: an average over them would mix two recipes.
    """
    stale = [f"  {_named(m)}: {'; '.join(m['stale'])}" for m in metrics if m["stale"]]
    if stale:
        raise IncompleteExperiment(
            f"{len(stale)} of {len(metrics)} cells are stale; run them again:\n" + "\n".join(stale)
        )
    columns = [*cell_columns(), *(name for name in NATURAL if any(name in m for m in metrics))]
    return pd.DataFrame([{c: m.get(c) for c in columns} for m in metrics], columns=columns)


def summary_table(
    metrics: Sequence[Mapping[str, Any]],
    predictions: Sequence[pd.DataFrame],
    baseline: str,
    params: ReportingParams,
) -> pd.DataFrame:
    """One row per place of the grid (corpus, shots, ...), variant and metric.

    Args:
        metrics: Scores of every cell.
        predictions: Predictions of every cell, in the same order.
        baseline: Variant that differences are taken to, at the same place; one without synthetic
            sentences or annotated rows is compared at any number of them, however these are
            chosen, one without a language model at any.
        params: Parameters of the bootstrap.

    Returns:
        Mean and standard deviation (``std_over_seeds``), also of scores on natural text where the
        cells have them; for F1 scores the ends of the interval (``bootstrap.interval``), the
        difference to the baseline over the seeds that both have, their number, and the ends of its
        paired interval. There is no difference for the baseline itself, where the baseline is not
        part of the experiment, and where the two have no seed in common.

    Raises:
        IncompleteExperiment: Cells to be compared scored different rows.
    """
    cells = pd.DataFrame([dict(m) | {"number": n} for n, m in enumerate(metrics)])
    of_baseline = cells[cells["variant"] == baseline]
    scored = _Scored(metrics, predictions, params)
    rows = []
    for (*place, variant), group in cells.groupby(GROUP_KEYS_WITH_VARIANT, sort=False):
        compared_with = paired_cells(of_baseline, dict(zip(GROUP_KEYS, place, strict=True)))
        # A language model labels some of the rows alone: evaluation.teacher compares it.
        asked = metrics[group["number"].iloc[0]].get("recipe", {}).get("in_context") is not None
        compared = variant != baseline and len(compared_with) and not asked
        natural = [name for name in NATURAL if name in group and group[name].notna().any()]
        for metric in (*METRICS, *(name for name in natural if name != "natural_rows")):
            values = group[metric].astype(float)
            row = {
                **dict(zip(GROUP_KEYS, place, strict=True)),
                "variant": variant,
                "metric": metric,
                "mean": values.mean(),
                "std": std_over_seeds(values),
                "seeds": len(group),
            }
            resampled = metric in METRICS and METRICS[metric].resampled is not None
            if resampled and group["rows"].all():
                row |= _named_ends("", scored.interval(group["number"].tolist(), metric))
                row |= _difference(group, compared_with, scored, metric) if compared else {}
            rows.append(row)
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def varies(cells: pd.DataFrame, axis: str) -> bool:
    """Whether a part of the place differs between cells, or rows of a summary.

    A variant without synthetic sentences has 0 of them, one without a language model no llm, and
    without annotated rows none are chosen: that alone is no other setting. A table need not have
    all axes.
    """
    if axis not in cells:
        return False
    nothing: dict[str, Any] = {"synthetic": 0, "llm": NO_LLM}
    read = cells["annotated"] > 0 if axis == "chosen" and "annotated" in cells else slice(None)
    values = cells.loc[read, axis]
    return bool(
        values[values != nothing[axis]].nunique() > 1 if axis in nothing else values.nunique() > 1
    )


def _named(metrics: Mapping[str, Any]) -> str:
    usual = {0, DEFAULT_LLM, NO_LLM, IN_ORDER}
    names = [name for name in (*GROUP_KEYS[1:], "seed") if metrics[name] not in usual]
    place = ", ".join(f"{name} {metrics[name]}" for name in names)
    return f"{metrics['corpus']}, {place}, {metrics['variant']}"


class _Scored:
    """Scores of all cells on resamples of their rows, each computed once."""

    def __init__(
        self,
        metrics: Sequence[Mapping[str, Any]],
        predictions: Sequence[pd.DataFrame],
        params: ReportingParams,
    ) -> None:
        self.metrics, self.predictions, self.params = metrics, predictions, params
        self.ids = [frame["id"].tolist() for frame in predictions]
        self._sentences = [sentences_of(frame) for frame in predictions]
        of_corpora: dict[str, list[list[str]]] = {}
        for cell, sentences in zip(metrics, self._sentences, strict=True):
            of_corpora.setdefault(cell["corpus"], []).append(sentences)
        self._resamples = {name: Resamples(each, params) for name, each in of_corpora.items()}
        self._f1: dict[tuple[int, Metric], Resampled] = {}

    def interval(
        self, cells: Sequence[int], metric: str, baseline: Sequence[int] = ()
    ) -> tuple[float, float]:
        ours, theirs = ([self._of(n, metric) for n in numbers] for numbers in (cells, baseline))
        return interval(ours, self.params, theirs)

    def _of(self, number: int, metric: str) -> Resampled:
        cell, frame = self.metrics[number], self.predictions[number]
        micro = METRICS[metric].resampled == "micro"
        kind: Metric = "micro" if micro else cell["official_metric"]
        if (number, kind) not in self._f1:
            gold, predicted = frame["gold"].tolist(), frame["predicted"].tolist()
            counted = counts(gold, predicted, cell["negative"], kind)
            resamples = self._resamples[cell["corpus"]]
            self._f1[number, kind] = resamples.f1(counted, self._sentences[number])
        return self._f1[number, kind]


def _difference(
    group: pd.DataFrame, baseline: pd.DataFrame, scored: _Scored, metric: str
) -> dict[str, float]:
    """Difference over the seeds that both have; nothing without one."""
    pairs = group.merge(baseline, on="seed", suffixes=("", "_baseline"), validate="one_to_one")
    ours, theirs = pairs["number"].tolist(), pairs["number_baseline"].tolist()
    for a, b in zip(ours, theirs, strict=True):
        if scored.ids[a] != scored.ids[b]:
            one, other = scored.metrics[a], scored.metrics[b]
            raise IncompleteExperiment(
                f"{one['corpus']}, K = {one['shots']}, seed {one['seed']}: {one['variant']} "
                f"and {other['variant']} scored different rows, so one of them is older "
                "than the corpus; run both again"
            )
    if not ours:
        return {}
    difference = (pairs[metric] - pairs[f"{metric}_baseline"]).astype(float).mean()
    return {
        "difference": difference,
        "difference_seeds": len(pairs),
        **_named_ends("difference_", scored.interval(ours, metric, theirs)),
    }


def _named_ends(prefix: str, ends: tuple[float, float]) -> dict[str, float]:
    return {f"{prefix}low": ends[0], f"{prefix}high": ends[1]}


def by_setting(metrics: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, Any], list[int]]]:
    """The settings of cells, each with the numbers of its cells, in the order of the cells."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cell in enumerate(metrics):
        groups.setdefault(tuple(cell[name] for name in GROUP_KEYS_WITH_VARIANT), []).append(number)
    return [
        (dict(zip(GROUP_KEYS_WITH_VARIANT, setting, strict=True)), cells)
        for setting, cells in groups.items()
    ]


def std_over_seeds(values: pd.Series) -> float:
    """Sample standard deviation over seeds; missing for a single seed."""
    return float(values.std(ddof=1))


def samples_table(
    readings: Sequence[Mapping[str, Any]],
    shots: Sequence[Mapping[str, Any]],
    yields: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    """One row per sample.

    Args:
        readings: Reading report of each corpus.
        shots: Ids of each sample, with its shortfalls.
        yields: Yield of generation, for the samples with knowledge.

    Returns:
        Rows of the support and validation sets and what relations lack there; bad rows left out
        when the corpus was read; sentences shared with the test split; explanations and synthetic
        sentences that were kept, rejected, and are short.
    """
    of_corpus = {reading["corpus"]: reading for reading in readings}
    of_sample = {frame["sample"].iloc[0]: frame for frame in yields}
    return pd.DataFrame(_rows_of(s, of_corpus) | _kept(of_sample.get(s["sample"])) for s in shots)


def _rows_of(shots: Mapping[str, Any], readings: Mapping[str, Any]) -> dict[str, Any]:
    sample = parse_sample(shots["sample"])
    reading = readings[sample.corpus]
    lacking, shared = shots["shortfalls"], shots["sentences_shared_with_test"]
    return {
        "corpus": sample.corpus,
        "shots": sample.shots,
        "seed": sample.seed,
        "synthetic": sample.synthetic,
        "llm": sample.llm,
        "support": len(shots["support"]),
        "validation": len(shots["validation"]),
        "short_in_support": _listed(lacking["support"]),
        "short_in_validation": _listed(lacking["validation"]),
        "bad_rows_left_out": len(reading["bad_rows"]),
        "types_against_schema": len(reading["type_mismatches"]),
        "shared_with_test": len(shared["support"]) + len(shared["validation"]),
        "passed_over": len(shots["passed_over"]),
        "set_aside": len(shots["set_aside"]),
    }


def _kept(yields: pd.DataFrame | None) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for kind, group in yields.groupby("kind") if yields is not None else ():
        short = group[group["short"] > 0].set_index("relation")["short"]
        row |= {
            f"{kind}_kept": int(group["kept"].sum()),
            f"{kind}_rejected": int(group["rejected"].sum()),
            f"{kind}_short": _listed(short),
        }
    return row


def _listed(counts: Mapping[str, int] | pd.Series) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def training_curves(
    metrics: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, pd.DataFrame]]
) -> pd.DataFrame:
    """One row per cell, stage and epoch.

    Args:
        metrics: Scores of every cell, with its coordinates.
        records: Training records of every cell by stage, one row per step. The losses of a
            pre-training stage are in the column of its name, the scores of ``FINETUNING`` in
            ``validation_f1``, at the end of each epoch.

    Returns:
        ``GROUP_KEYS``, ``seed``, ``variant``, ``stage``, ``epoch`` and ``value``: mean loss over
        the steps of the epoch, or validation micro-F1 in per cent after it. Losses of variants
        that mask different shares of words are not comparable.
    """
    where, rows = [*GROUP_KEYS, "seed", "variant"], []
    for cell, stages in zip(metrics, records, strict=True):
        place = {name: cell[name] for name in where}
        for stage, steps in stages.items():
            column = "validation_f1" if stage == FINETUNING else stage
            if column in steps:
                means = steps.dropna(subset=[column]).groupby("epoch")[column].mean()
                rows += [place | {"stage": stage, "epoch": e, "value": v} for e, v in means.items()]
    return pd.DataFrame(rows, columns=[*where, "stage", "epoch", "value"])
