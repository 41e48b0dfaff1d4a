from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.training.test_finetuning import SPANS, run
from tkre.extractor import RelationExtractor, newest_version
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
