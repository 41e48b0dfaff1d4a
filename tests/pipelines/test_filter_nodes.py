from __future__ import annotations

import pytest

from tkre.core.cells import KShotSample
from tkre.core.instance import from_frame, to_frame
from tkre.generation.params import CrossFitParams, FilterParams, GenerationParams
from tkre.pipelines.data_generation import gpu_nodes
from tkre.pipelines.data_generation import nodes as filter_nodes
from tkre.pipelines.finetuning.gpu_nodes import score_support
from tkre.pipelines.finetuning.nodes import find_label_errors

DRAW = KShotSample("toy", 2, 13, noise=20)
CROSSFIT = CrossFitParams(layers=(1, 2), inverse_regularisation=0.1, max_overlap=0.9)
SAMPLING = {"temperature": 0.0, "max_tokens": 8}
PARAMS = GenerationParams.model_validate(
    {
        "language_model": {"backend": "replay", "model": "claude"},
        "retry": {},
        "explanations": {"sampling": SAMPLING},
        "synthesis": {"sampling": SAMPLING},
        "filtering": FilterParams(backbone="tiny", crossfit=CROSSFIT),
    }
)


@pytest.fixture
def frames(toy_rows):
    return to_frame(toy_rows[:8]), to_frame(toy_rows[8:])


def test_planted_labels_go_through_scoring_and_filter_into_scores(backbone, frames, schema):
    explained, synthetic = frames
    raw = schema.model_dump(mode="json")
    noisy, planted = filter_nodes.plant_noise(synthetic, raw, DRAW)
    scores = gpu_nodes.score_synthetic(backbone, explained, noisy, raw, PARAMS, DRAW)
    kept, verdicts, summary = filter_nodes.filter_synthetic(explained, noisy, scores, raw, PARAMS)
    assert len(kept) == verdicts["reason"].isna().sum() == summary["kept"].sum()
    assert list(kept) == list(synthetic)
    record = filter_nodes.score_filter(verdicts, DRAW, planted)
    assert (record["sample"], record["rows"], record["planted"]) == (DRAW.name, 12, 2)
    assert record["rejected"] == 12 - len(kept)
    clean = filter_nodes.score_filter(verdicts, DRAW)  # without planted labels all were right
    assert (clean["planted"], clean["found"]) == (0, 0)
    assert clean["lost"] == pytest.approx(100 * (12 - len(kept)) / 12)


def test_scores_of_other_labels_are_refused(backbone, frames, schema):
    explained, synthetic = frames
    raw = schema.model_dump(mode="json")
    scores = gpu_nodes.score_synthetic(backbone, explained, synthetic, raw, PARAMS, DRAW)
    noisy, _ = filter_nodes.plant_noise(synthetic, raw, DRAW)
    with pytest.raises(ValueError, match="score the rows again"):
        filter_nodes.filter_synthetic(explained, noisy, scores, raw, PARAMS)


def test_every_support_row_has_its_place_among_the_doubts(backbone, frames, schema):
    explained, synthetic = frames
    raw = schema.model_dump(mode="json")
    scores = score_support(backbone, explained, synthetic, raw, PARAMS, DRAW)
    doubted = find_label_errors(explained, scores, raw)
    assert sorted(doubted["id"]) == sorted(row.id for row in from_frame(explained))
    assert doubted["doubt"].is_monotonic_decreasing
