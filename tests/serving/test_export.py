from __future__ import annotations

import json

import pytest

from tests.core.test_provenance import CHAIN
from tests.evaluation.test_calibrator import fit, predictions
from tkre.core.schema import Relation
from tkre.evaluation.calibrator import Calibrator, CalibratorError
from tkre.serving.export import PublishingError, assemble
from tkre.serving.extractor import find_calibrator, find_schema


@pytest.fixture
def parts(tmp_path, schema):
    """A classifier, its calibrator record, its relations and its card, as runs leave them."""
    weights = tmp_path / "classifier"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    (weights / "config.json").chmod(0o600)  # as weights of earlier versions
    (weights / "lineage.json").write_text(CHAIN.model_dump_json())
    return weights, record(tmp_path, CHAIN.weights), schema, f"card of {CHAIN.weights}"


def record(folder, weights: str):
    calibrator = fit(predictions(50)).model_copy(update={"classifier": weights})
    path = folder / f"{weights}.json"
    path.write_text(json.dumps(calibrator.model_dump(mode="json")))
    return path


def test_assembled_folder_is_complete(parts, tmp_path):
    target = tmp_path / "a" / "b"
    files = assemble(*parts, target)
    assert files == ["README.md", "config.json", "lineage.json", "relations.yml", "trust.json"]
    assert (target / "README.md").read_text() == parts[3]
    assert (target / "config.json").stat().st_mode == (target / "README.md").stat().st_mode
    assert find_calibrator(target, None) == Calibrator.read(parts[1])
    assert find_schema(target, None) == parts[2]


def test_relations_round_trip(parts, tmp_path, newsroom_schema):
    """Names that YAML takes for something else, and letters beyond ASCII."""
    odd = Relation(definition="Der Kopf: 'ja' - \"nein\"", phrase="#1")
    relations = newsroom_schema.relations | {"no": odd, "1": odd, "été": odd}
    schema = newsroom_schema.model_copy(update={"relations": relations})
    assemble(*parts[:2], schema, parts[3], tmp_path / "new")
    found = find_schema(tmp_path / "new", None)
    assert found == schema and list(found.relations) == list(relations)


def test_folder_that_is_not_empty_is_refused(parts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    with pytest.raises(PublishingError, match="mine is not empty: name another folder"):
        assemble(*parts, tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["file"]


def test_parts_of_other_weights_are_refused(parts, tmp_path):
    weights, calibrator, schema, card = parts
    with pytest.raises(PublishingError, match="--tags reporting writes it again"):
        assemble(weights, calibrator, schema, "card of others", tmp_path / "new")
    with pytest.raises(CalibratorError, match="of a classifier with the digest"):
        assemble(weights, record(tmp_path, "other"), schema, card, tmp_path / "new")
    assert not (tmp_path / "new").exists()
