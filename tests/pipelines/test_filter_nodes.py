from __future__ import annotations

import pytest

from tkre.core.cells import KShotSample
from tkre.generation.params import CrossFitParams, FilterParams
from tkre.pipelines.data_generation import nodes
from tkre.pipelines.data_generation.gpu_nodes import scoring_of
from tkre.pipelines.finetuning.nodes import find_label_errors

SAMPLE = KShotSample("toy", 2, 13, noise=20)
CROSSFIT = CrossFitParams(layers=(1, 2), inverse_regularisation=0.1, max_overlap=0.9)
PARAMS = FilterParams(backbone="tiny", crossfit=CROSSFIT)


@pytest.fixture
def rows(toy_rows):
    return toy_rows[:8], toy_rows[8:]


def test_filter_of_planted_labels_is_scored(backbone, rows, schema):
    explained, synthetic = rows
    noisy, planted = nodes.plant_noise(synthetic, schema, SAMPLE)
    scores = scoring_of("synthetic")(backbone, explained, noisy, schema, PARAMS, SAMPLE)
    kept, verdicts, summary = nodes.filter_synthetic(explained, noisy, scores, schema, PARAMS)
    assert len(kept) == verdicts["reason"].isna().sum() == summary["kept"].sum()
    assert {row.id for row in kept} <= {row.id for row in synthetic}
    record = nodes.score_filter(verdicts, SAMPLE, planted)
    assert (record["sample"], record["rows"], record["planted"]) == (SAMPLE.name, 12, 2)
    assert record["rejected"] == 12 - len(kept)
    clean = nodes.score_filter(verdicts, SAMPLE)  # without planted labels all were right
    assert (clean["planted"], clean["found"]) == (0, 0)
    assert clean["lost"] == pytest.approx(100 * (12 - len(kept)) / 12)


def test_probabilities_of_other_labels_are_refused(backbone, rows, schema):
    explained, synthetic = rows
    scores = scoring_of("synthetic")(backbone, explained, synthetic, schema, PARAMS, SAMPLE)
    noisy, _ = nodes.plant_noise(synthetic, schema, SAMPLE)
    with pytest.raises(ValueError, match="score the rows again"):
        nodes.filter_synthetic(explained, noisy, scores, schema, PARAMS)


def test_every_support_row_is_ranked_by_its_error_score(backbone, rows, schema):
    explained, synthetic = rows
    scores = scoring_of("support")(backbone, explained, synthetic, schema, PARAMS, SAMPLE)
    doubted = find_label_errors(explained, scores, schema)
    assert sorted(doubted["id"]) == sorted(row.id for row in explained)
    assert doubted["error_score"].is_monotonic_decreasing
