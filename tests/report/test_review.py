"""The review of annotated rows: which rows, in which order, and the page as its parser sees it."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import pytest

from tests.conftest import instance
from tests.corpora.test_reviewed import HOSTILE
from tests.report.html_page import Page
from tkre.core.instance import to_tagged
from tkre.generation.annotation import Annotation
from tkre.report.review import first_rows, review_page, review_rows

PLACE = {"head_type": "person", "tail_type": "place"}


def annotated(number, relation="lives_in", confidence=0.9, sentence=None, **types):
    text = sentence or f"<head>Ada {number}</head> lives in <tail>Oslo</tail>."
    row = instance(text, relation, id=f"annotation/toy/line-{number}", **types)
    return Annotation(row, confidence)


def probabilities(schema, *rows):
    """Rows of probabilities by relation; what is missing is shared by the others."""
    of = {name: n for n, name in enumerate(schema.names)}
    found = np.zeros((len(rows), len(of)))
    for n, given in enumerate(rows):
        found[n] = (1 - sum(given.values())) / (len(of) - len(given))
        for name, value in given.items():
            found[n, of[name]] = value
    return found


def test_rows_carry_both_opinions(schema):
    rows = review_rows(
        [annotated(1, **PLACE), annotated(2, **PLACE), annotated(3)],
        schema,
        np.vstack([
            # Types do not allow it: the others share its probability.
            probabilities(schema, {"knows": 0.5, "none": 0.3, "lives_in": 0.1}),
            probabilities(schema, {"lives_in": 0.8}),
            np.full((1, 4), np.nan),
        ]),
    )  # fmt: skip
    assert [row.row.id for row in rows] == ["line-1", "line-2", "line-3"]
    assert [row.classifier for row in rows] == ["none", "lives_in", None]
    assert rows[0].choices == ("lives_in", "none")
    assert rows[0].probability == pytest.approx(0.75)
    assert rows[0].suspicion == pytest.approx(0.75) and rows[1].suspicion < 0.2
    assert rows[0].record == {
        "id": "line-1", "sentence": "<head>Ada 1</head> lives in <tail>Oslo</tail>.",
        "head_type": "person", "tail_type": "place", "llm_relation": "lives_in",
        "llm_confidence": 90, "classifier_relation": "none", "classifier_confidence": 75,
    }  # fmt: skip
    assert rows[2].record["classifier_confidence"] is None


def test_the_most_suspected_rows_come_first(schema):
    given = [annotated(1, confidence=0.2), annotated(2), annotated(3, confidence=0.6)]
    lives, none = {"lives_in": 0.7}, {"none": 0.9}
    rows = review_rows(given, schema, probabilities(schema, lives, none, {"none": 0.6}))

    def order(name, most=3):
        return [row.row.id[-1] for row in first_rows(rows, name, most)]

    assert order("disagreement") == ["2", "3", "1"]
    assert order("doubt") == ["1", "3", "2"]
    assert order("both", 2) == ["3", "2"]


def test_no_row_is_no_error(schema):
    assert review_rows([], schema, np.zeros((0, 4))) == []


@pytest.fixture(scope="module")
def page(schema):
    given = [annotated(n, "none", sentence=text) for n, text in enumerate(HOSTILE)]
    rows = review_rows(given, schema, probabilities(schema, *[{"lives_in": 0.9}] * len(given)))
    return review_page(rows, schema, "<b>judge</b>")


def test_hostile_text_is_text(page, schema):
    read = Page(page)
    assert len(read.all("article")) == len(HOSTILE)
    assert len(read.all("script")) == 2 and not read.all("b") and not read.all("img")
    sentences = [e.text for e in read.all("p") if e.attributes.get("class") == "sentence"]
    assert "alert(1)" in sentences[4]
    data = json.loads(read.all("script")[0].text)
    sentences = [to_tagged(instance(text)) for text in HOSTILE]
    assert [record["sentence"] for record in data["records"]] == sentences


def test_only_its_own_script_may_run(page):
    read = Page(page)
    [policy] = [e.attributes["content"] for e in read.all("meta")
                if e.attributes.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    digest = hashlib.sha256(read.all("script")[1].text.encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    handlers = [e for e in read.elements if any(name.startswith("on") for name in e.attributes)]
    assert not handlers


def test_a_relation_has_the_same_number_in_every_row(page, schema):
    buttons = [e.attributes for e in Page(page).all("button") if "data-relation" in e.attributes]
    numbers = {(b["data-relation"], b["data-number"]) for b in buttons}
    assert numbers == {("home_of", "1"), ("knows", "2"), ("lives_in", "3"), ("none", "0")}
