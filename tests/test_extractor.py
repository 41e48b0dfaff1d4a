from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.conftest import instance
from tests.training.test_finetuning import SPANS, run
from tkre.evaluation.params import TrustParams
from tkre.evaluation.predictions import prediction_frame
from tkre.evaluation.trust import TrustError, fit_trust
from tkre.extractor import RelationExtractor, newest_version
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.classifier import RelationClassifier
from tkre.tagged import TagError, to_tagged


@pytest.fixture(scope="module")
def folder(backbone, toy_rows, schema, tmp_path_factory):
    classifier, _ = run(backbone, toy_rows, schema, SPANS)
    path = tmp_path_factory.mktemp("classifier")
    for version in ("2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"):
        classifier.save(path / version / "classifier")
    return path


def test_three_lines(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    predictions = extractor([to_tagged(row) for row in toy_rows])
    assert [p.relation for p in predictions] == [row.relation for row in toy_rows]
    first = predictions[0]
    assert first.probability == max(first.probabilities.values())
    assert sum(first.probabilities.values()) == pytest.approx(1)
    assert list(first.probabilities) == extractor.relations


def test_what_a_sentence_can_be(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    row = toy_rows[0]
    record = {"sentence": to_tagged(row), "head_type": "person", "tail_type": "place"}
    by_record, by_instance = extractor([record, row])
    assert by_record == by_instance
    assert extractor([]) == []
    with pytest.raises(TagError, match="<tail> is missing"):
        extractor(["<head>anna</head> lives here"])


def test_with_a_trust_record_it_is_calibrated_and_abstains(folder, toy_rows, schema, tmp_path):
    plain = RelationExtractor.from_pretrained(folder)
    raw = plain(toy_rows)
    # As if two of the validation rows had been labelled otherwise: the model is too sure.
    gold = [row.relation for row in toy_rows]
    gold[:2] = ["none", "none"]
    frame = prediction_frame(
        [row.id for row in toy_rows],
        gold,
        [p.relation for p in raw],
        plain.relations,
        np.array([list(p.probabilities.values()) for p in raw]),
    )
    params = TrustParams(precisions=(0.5, 0.99))
    digest = weights_digest(RelationClassifier.from_pretrained(newest_version(folder)))
    trust = fit_trust(frame, schema.negative, params, cell="toy.k5.s0.v", classifier=digest)
    file = tmp_path / "trust.json"
    file.write_text(trust.model_dump_json())
    calibrated = RelationExtractor.from_pretrained(folder, trust=file)(toy_rows)
    beside = newest_version(folder) / "trust.json"
    beside.write_text(trust.model_dump_json())
    assert RelationExtractor.from_pretrained(folder)(toy_rows) == calibrated
    assert RelationExtractor.from_pretrained(folder, wanted_precision=0.5)
    beside.unlink()
    assert [p.relation for p in calibrated] == [p.relation for p in raw]
    assert all(sum(p.probabilities.values()) == pytest.approx(1) for p in calibrated)
    assert np.mean([p.probability for p in calibrated]) < np.mean([p.probability for p in raw])
    careful = RelationExtractor.from_pretrained(folder, trust=trust, wanted_precision=0.5)
    doubtful = instance("<head>anna</head> and <tail>oslo</tail> .")
    for p in careful([*toy_rows, doubtful]):
        least = trust.confidence_for(0.5)
        assert p.abstained == (p.guess != "none" and p.probability < least) == (p.relation is None)
    with pytest.raises(TrustError, match=r"precision of 0.99"):
        RelationExtractor.from_pretrained(folder, trust=trust, wanted_precision=0.99)
    with pytest.raises(TrustError, match="classifier with the digest"):
        other = trust.model_copy(update={"classifier": "0" * 64})
        RelationExtractor.from_pretrained(folder, trust=other)
    with pytest.raises(ValueError, match="needs the classifier's trust record"):
        RelationExtractor.from_pretrained(folder, wanted_precision=0.5)


def test_the_newest_version_is_taken(folder, tmp_path):
    assert newest_version(folder).parent.name == "2026-02-01T00.00.00.000Z"
    assert newest_version(folder / "2026-01-01T00.00.00.000Z" / "classifier").name == "classifier"
    with pytest.raises(FileNotFoundError, match=r"no classifier in .*06_models"):
        newest_version(tmp_path)


def test_it_needs_no_kedro(folder):
    code = textwrap.dedent(
        """
        import sys
        from tkre.extractor import RelationExtractor
        extractor = RelationExtractor.from_pretrained(sys.argv[1])
        print(extractor(["<head>anna</head> lives in the old <tail>oslo</tail> ."])[0].relation)
        assert not [m for m in sys.modules if m.split(".")[0] == "kedro"]
        """
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "lives_in"
