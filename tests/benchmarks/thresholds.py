"""Precision and recall at a wanted precision, by how doubtful a single answer may be.

The held-out annotated rows of cells, half of their sentences at a time: one half fits the
calibrator and its thresholds, the other one is measured. ``evaluation.selective.DOUBT`` was chosen
so, and that labels are decided before calibration; no test row is read, nothing is written.

    kedro run
    python tests/benchmarks/thresholds.py newsroom.k8a1012.s13.tkre_plus_annotated
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import load, tell
from tkre.core.cells import parse_cell
from tkre.evaluation import selective
from tkre.evaluation.calibration_report import answers, fit_calibrator
from tkre.evaluation.calibrator import Calibrator, calibrate, scaled
from tkre.evaluation.metrics import micro_scores
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import labels_of, probabilities_of

PRECISIONS = (0.8, 0.9, 0.95)
DOUBTS = (1.0, 1.5, 2.0, 3.0, np.inf)
HALVES = 40  # of each cell
SHORT = 0.05  # a half whose precision is so much below the wanted one fell short


def main() -> None:
    """Prints a line for each cell, then one for each wanted precision and doubt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", help="of recipes with annotated rows")
    cells = parser.parse_args().cells
    corpora = [parse_cell(cell).sample.corpus for cell in cells]
    predictions = load(*(f"{cell}.annotated_validation_predictions" for cell in cells))
    schemas = load(*(f"{corpus}.schema" for corpus in corpora))
    pairs = [(frame, s.negative) for frame, s in zip(predictions, schemas, strict=True)]
    tell(f"{len(cells)} cells, {HALVES} halves of each; per cent")
    for cell, pair in zip(cells, pairs, strict=True):
        before, after = np.mean([*labelled(*pair)], axis=0)
        tell(f"{cell}: F1 of its labels {before:.1f}, by calibrated probabilities {after:.1f}")
    tell("wanted  doubt  precision  recall  halves that fell short")
    for wanted in PRECISIONS:
        for selective.DOUBT in DOUBTS:
            found = np.array([kept for pair in pairs for kept in halves(*pair, wanted)])
            given, right, relations = found.sum(axis=0)
            own = found[found[:, 0] > 0]
            short = (own[:, 1] / own[:, 0] < wanted - SHORT).mean()
            tell(
                f"{100 * wanted:6.0f}  {selective.DOUBT:5.1f}  {100 * right / given:9.1f}  "
                f"{100 * right / relations:6.1f}  {100 * short:5.1f}"
            )


def halves(predictions: pd.DataFrame, negative: str, wanted: float) -> list[Sequence[int]]:
    """Answers, right ones and relations in the other half, for each of the halves."""
    kept = []
    for fitted, others in fits(predictions, negative, CalibrationParams(precisions=(wanted,))):
        confidence, right = answers(calibrate(others, fitted, None), negative)
        least = fitted.thresholds[0].confidence
        given = confidence >= (np.inf if least is None else least)
        kept.append((given.sum(), right[given].sum(), (others["gold"] != negative).sum()))
    return kept


def labelled(predictions: pd.DataFrame, negative: str) -> Iterator[tuple[float, float]]:
    """F1 in the other half of the labels before calibration, and by calibrated probabilities."""
    for fitted, others in fits(predictions, negative, CalibrationParams()):
        names = labels_of(others)
        likeliest = [names[n] for n in scaled(probabilities_of(others), names, fitted).argmax(1)]
        gold = others["gold"].tolist()
        before, after = (
            micro_scores(gold, guessed, negative)["micro_f1"]
            for guessed in (others["predicted"].tolist(), likeliest)
        )
        yield before, after


def fits(
    predictions: pd.DataFrame, negative: str, params: CalibrationParams
) -> Iterator[tuple[Calibrator, pd.DataFrame]]:
    """A calibrator of one half of the sentences, and the rows of the other, for each half."""
    # annotation/<corpus>/<sentence>/<pair>, or without pairs: all pairs of a sentence in one half.
    sentences = predictions["id"].str.extract("^annotation/[^/]+/([^/]+)")[0]
    for seed in range(HALVES):
        half = np.random.default_rng(seed).permutation(sentences.unique())[::2]
        mine = sentences.isin(half)
        fitted = fit_calibrator(
            predictions[mine].reset_index(drop=True), negative, params,
            cell="a half", classifier="", fitted_on="natural",
        )  # fmt: skip
        yield fitted, predictions[~mine].reset_index(drop=True)


if __name__ == "__main__":
    main()
