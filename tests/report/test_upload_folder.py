from __future__ import annotations

import json

import pytest

from tests.evaluation.test_trust import fit, predictions
from tests.modeling.test_lineage import CHAIN
from tkre.evaluation.trust import TrustError
from tkre.report.upload_folder import PublishingError, assemble


@pytest.fixture
def parts(tmp_path):
    """A classifier, its trust record and its card, as runs leave them."""
    weights = tmp_path / "classifier"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    (weights / "lineage.json").write_text(CHAIN.model_dump_json())
    return weights, record(tmp_path, CHAIN.weights), f"card of {CHAIN.weights}"


def record(folder, weights: str):
    trust = fit(predictions(50)).model_copy(update={"classifier": weights})
    path = folder / f"{weights}.json"
    path.write_text(json.dumps(trust.model_dump(mode="json")))
    return path


def test_all_parts_lie_in_one_folder(parts, tmp_path):
    target = tmp_path / "a" / "b"
    files = assemble(*parts, target)
    assert files == ["README.md", "config.json", "lineage.json", "trust.json"]
    assert (target / "README.md").read_text() == parts[2]
    assert (target / "trust.json").read_text() == parts[1].read_text()


def test_a_folder_that_holds_something_is_left_alone(parts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    with pytest.raises(PublishingError, match="mine is not empty: name another folder"):
        assemble(*parts, tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["file"]


def test_parts_of_other_weights_are_refused(parts, tmp_path):
    weights, trust, card = parts
    with pytest.raises(PublishingError, match="--tags reporting writes it again"):
        assemble(weights, trust, "card of others", tmp_path / "new")
    with pytest.raises(TrustError, match="of a classifier with the digest"):
        assemble(weights, record(tmp_path, "other"), card, tmp_path / "new")
    assert not (tmp_path / "new").exists()
