from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.test_calibrator import fit, predictions
from tests.evaluation.test_calibration_report import metrics
from tkre.evaluation.calibration_report import score_calibration
from tkre.report.figures import calibration_by_variant


def scores(rows: int = 300, **place: object):
    calibrator = fit(predictions(200))
    return [
        score_calibration(predictions(rows, seed=seed), calibrator, metrics(seed, variant, **place))
        for variant in ("one", "other")
        for seed in (13, 21)
    ]


def test_bins_are_summed_and_risks_averaged_over_seeds():
    cells = scores()
    traces = [t for t in calibration_by_variant(cells).data if t.name == "one"]
    assert len(traces) == 3
    before, _, risks = traces
    assert sum(before.customdata) == 600
    right = sum(np.array(before.y) * np.array(before.customdata)) / 600
    expected = np.mean([b["accuracy"] * b["rows"] for s in cells[:2]
                        for b in s["reliability_before"]]) * 30 / 600  # fmt: skip
    assert right == pytest.approx(100 * expected)
    assert risks.y[-1] == pytest.approx(np.mean([s["risks"][-1] for s in cells[:2]]))


def test_a_menu_chooses_the_place():
    figure = calibration_by_variant([*scores(), *scores(shots=16)])
    [menu] = figure.layout.updatemenus
    assert [b.label for b in menu.buttons] == ["toy, K = 8", "toy, K = 16"]
    for number, button in enumerate(menu.buttons):
        shown = button.args[0]["visible"]
        assert len(shown) == len(figure.data) and sum(shown) == 2 + 2 * 3
        assert (shown == [t.visible is not False for t in figure.data]) == (number == 0)
    assert not calibration_by_variant(scores()).layout.updatemenus


def test_cells_without_rows_leave_their_panels_empty():
    figure = calibration_by_variant(scores(rows=0))
    assert all(len(t.x) == 0 for t in figure.data[2:])
    assert len(calibration_by_variant([]).data) == 2


def test_names_from_files_are_escaped():
    cells = [s | {"variant": "<script>alert(1)</script>", "corpus": "<b>x</b>"} for s in scores()]
    figure = calibration_by_variant(cells)
    assert figure.data[2].name.startswith("&lt;script&gt;")
    assert "<b>" not in figure.layout.title.text
