"""Precision and recall at a wanted precision, by how doubtful a single answer may be.

The held-out annotated rows of cells, half of their sentences at a time: one half fits the
calibrator and its thresholds, the other one is measured. ``evaluation.selective.DOUBT`` was chosen
so; no test row is read, nothing is written.

    kedro run
    python tests/benchmarks/thresholds.py newsroom.k8a1012.s13.tkre_plus_annotated
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import load, tell
from tkre.core.cells import parse_cell
from tkre.evaluation import selective
from tkre.evaluation.calibration_report import answers, fit_calibrator
from tkre.evaluation.calibrator import calibrate
from tkre.evaluation.params import CalibrationParams

PRECISIONS = (0.8, 0.9, 0.95)
DOUBTS = (1.0, 1.5, 2.0, 3.0, np.inf)
HALVES = 40  # of each cell
SHORT = 0.05  # a half whose precision is so much below the wanted one fell short


def main() -> None:
    """Prints a line for each wanted precision and doubt, over all halves of all cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", help="of recipes with annotated rows")
    cells = parser.parse_args().cells
    corpora = [parse_cell(cell).sample.corpus for cell in cells]
    predictions = load(*(f"{cell}.annotated_validation_predictions" for cell in cells))
    schemas = load(*(f"{corpus}.schema" for corpus in corpora))
    pairs = [(frame, s.negative) for frame, s in zip(predictions, schemas, strict=True)]
    tell(f"{len(cells)} cells, {HALVES} halves of each; per cent")
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
    params = CalibrationParams(precisions=(wanted,))
    # annotation/<corpus>/<sentence>/<pair>, or without pairs: all pairs of a sentence in one half.
    sentences = predictions["id"].str.extract("^annotation/[^/]+/([^/]+)")[0]
    kept = []
    for seed in range(HALVES):
        half = np.random.default_rng(seed).permutation(sentences.unique())[::2]
        fits = sentences.isin(half)
        fitted = fit_calibrator(
            predictions[fits].reset_index(drop=True), negative, params,
            cell="a half", classifier="", fitted_on="natural",
        )  # fmt: skip
        others = predictions[~fits].reset_index(drop=True)
        confidence, right = answers(calibrate(others, fitted, None), negative)
        least = fitted.thresholds[0].confidence
        given = confidence >= (np.inf if least is None else least)
        kept.append((given.sum(), right[given].sum(), (others["gold"] != negative).sum()))
    return kept


if __name__ == "__main__":
    main()
