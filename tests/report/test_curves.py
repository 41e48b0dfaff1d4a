from __future__ import annotations

import numpy as np
import pandas as pd

from tkre.report.figures import f1_along


def cells(**columns):
    base = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
            "llm": "default", "seed": 13, "variant": "v", "micro_f1": 50.0}  # fmt: skip
    length = max(len(v) for v in columns.values())
    return pd.DataFrame({name: columns.get(name, [value] * length) for name, value in base.items()})


def lines(figure):
    return {t.name: t for t in figure.data if t.showlegend is not False}


def test_mean_and_spread_over_seeds_and_a_dot_for_each():
    figure = f1_along(
        cells(shots=[8, 8, 16, 16], seed=[1, 2, 1, 2], micro_f1=[40, 50, 60, 80]), "shots", "K"
    )
    line = lines(figure)["v"]
    assert list(line.x) == [8, 16] and list(line.y) == [45, 70]
    assert list(line.error_y.array) == [5, 10]
    assert list(figure.data[1].y) == [40, 50, 60, 80]


def test_one_seed_has_no_whisker():
    figure = f1_along(cells(shots=[8, 16], micro_f1=[40, 60]), "shots", "K")
    assert all(np.isnan(length) for length in lines(figure)["v"].error_y.array)


def test_what_else_differs_has_a_line_of_its_own():
    figure = f1_along(
        cells(noise=[0, 20] * 2, filtered=[False] * 2 + [True] * 2, micro_f1=[9, 5, 9, 8]),
        "noise", "%",
    )  # fmt: skip
    assert set(lines(figure)) == {"v, not filtered", "v, filtered"}


def test_language_models_have_lines_and_what_needs_none_has_its_own():
    figure = f1_along(
        cells(variant=["v", "v", "base"] * 2, shots=[8] * 3 + [16] * 3,
              llm=["default", "qwen", "none"] * 2, micro_f1=range(6)),
        "shots", "K",
    )  # fmt: skip
    names = {"v, written by default", "v, written by qwen", "base, no language model"}
    assert set(lines(figure)) == names


def test_a_variant_without_synthetic_sentences_is_level():
    figure = f1_along(
        cells(variant=["base", "v", "v"], synthetic=[0, 1, 4], micro_f1=[30, 50, 60]),
        "synthetic", "x K",
    )  # fmt: skip
    level = lines(figure)["base"]
    assert list(level.x) == [0, 4] and list(level.y) == [30, 30]


def test_what_concerns_synthetic_sentences_is_not_said_of_those_that_use_none():
    figure = f1_along(
        cells(variant=["base", "v", "v"], synthetic=[0, 1, 1], noise=[0, 0, 20],
              filtered=[False, True, False]), "noise", "%",
    )  # fmt: skip
    assert set(lines(figure)) == {"base", "v, filtered", "v, not filtered"}


def test_names_are_escaped():
    [line, _] = f1_along(cells(variant=["<b>", "<b>"], shots=[1, 2]), "shots", "K").data
    assert line.name == "&lt;b&gt;"
