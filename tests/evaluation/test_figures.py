from __future__ import annotations

import numpy as np

from tests.evaluation.test_tables import experiment, metrics
from tkre.evaluation.figures import confusion_by_variant, f1_by_variant
from tkre.evaluation.tables import cells_table


def test_f1_by_variant_shows_mean_spread_and_seeds():
    cells = cells_table(experiment()[0])
    bars = [t for t in f1_by_variant(cells).data if t.type == "bar"]
    dots = [t for t in f1_by_variant(cells).data if t.type == "scatter"]
    assert [b.name for b in bars] == ["typ_marker", "tkre"]
    of_tkre = cells[cells["variant"] == "tkre"]["micro_f1"]
    assert bars[1].y[0] == of_tkre.mean()
    assert bars[1].error_y.array[0] == of_tkre.std(ddof=0)
    assert list(dots[1].y) == of_tkre.tolist()


def test_one_seed_has_no_whisker_and_no_word_of_one():
    figure = f1_by_variant(cells_table(experiment(seeds=(13,))[0]))
    assert all(np.isnan(bar.error_y.array[0]) for bar in figure.data if bar.type == "bar")
    assert figure.layout.title.text == "Micro-F1 by variant"


def test_confusion_sums_over_seeds_and_shows_shares_of_rows():
    figure = confusion_by_variant(experiment()[0])
    assert [t.visible for t in figure.data] == [False, True]
    shown = figure.data[1]
    assert shown.customdata.tolist() == [[4, 0, 0], [0, 4, 0], [1, 0, 3]]
    assert shown.z[2].tolist() == [25, 0, 75]
    assert list(shown.text[2]) == ["1", "", "3"]
    assert len(figure.layout.updatemenus[0].buttons) == 2


def test_confusions_of_different_places_are_not_summed():
    frame = experiment(seeds=(13,))[1][0]
    ms = [metrics(f"toy.{k}.s13.v", frame) for k in ("k8", "k8f", "k8_qwen")]
    menu = confusion_by_variant(ms).layout.updatemenus[0]
    assert [button.label for button in menu.buttons] == [
        "v: toy, K = 8, written by default",
        "v: toy, K = 8, filtered, written by default",
        "v: toy, K = 8, written by qwen",
    ]


def test_names_from_files_are_escaped():
    ms, _ = experiment(seeds=(13,))
    for m in ms:
        m["variant"] = "<script>alert(1)</script>"
        m["confusion"]["labels"] = ["<b>a</b>", "b", "no"]
    heatmap, bars = confusion_by_variant(ms).data[0], f1_by_variant(cells_table(ms)).data
    assert heatmap.x[0] == "&lt;b&gt;a&lt;/b&gt;"
    assert bars[0].name.startswith("&lt;script&gt;")
