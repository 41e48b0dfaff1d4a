from __future__ import annotations

import json

import pytest

from tests.conftest import instance
from tkre.corpora.reading import LabelFileError, parse_labels, relabel

ROWS = [instance("<head>a</head> <tail>b</tail>", "old", id=i) for i in ("1", "2", "3")]


@pytest.mark.parametrize(
    "text", ['{"1": "x", "3": "y"}', '[{"id": "1", "relation": "x"}, {"id": "3", "relation": "y"}]']
)
def test_both_published_forms(text):
    assert parse_labels(text, "f") == {"1": "x", "3": "y"}


@pytest.mark.parametrize(
    "text", ["{", "3", '[{"id": "1"}]', '["a"]', '{"1": 4}', '[{"id": "1", "relation": null}]']
)
def test_other_files_are_refused_by_name(text):
    with pytest.raises(LabelFileError, match=r"tacrev/dev_patch\.json"):
        parse_labels(text, "tacrev/dev_patch.json")


def test_tacrev_keeps_what_it_does_not_name_and_retacred_drops_it():
    labels = {"1": "x", "3": "y"}
    kept = relabel(ROWS, labels, drop_unlisted=False)
    assert [(r.id, r.relation) for r in kept] == [("1", "x"), ("2", "old"), ("3", "y")]
    dropped = relabel(ROWS, labels, drop_unlisted=True)
    assert [(r.id, r.relation) for r in dropped] == [("1", "x"), ("3", "y")]


def test_the_real_files(shared):
    patch = parse_labels((shared / "tacrev/dev_patch.json").read_text(), "dev_patch.json")
    assert len(patch) == 1590
    labels = parse_labels((shared / "retacred/test_id2label.json").read_text(), "test_id2label")
    assert len(labels) == 13418 and json.dumps(labels)
