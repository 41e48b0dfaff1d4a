"""Content of the notebooks."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from tests.conftest import instance
from tests.evaluation import test_calibrator
from tests.report.html_page import Page
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibrator import Threshold
from tkre.evaluation.error_analysis import errors_table
from tkre.generation import texts as knowledge
from tkre.modeling.params import MaskingParams
from tkre.report import notebooks
from tkre.report.notebooks import (
    Html,
    by_relation,
    confident_mistakes,
    gained,
    label_frame,
    nearest_copies,
    outcomes,
    promised,
    tables,
)
from tkre.report.tables import TextTable
from tkre.serving.extractor import Prediction

ROWS = [
    instance(f"<head>A{n}</head> met <tail>B{n}</tail>", r, id=f"t{n}")
    for n, r in enumerate("rrss")
]


def predictions(said: list[str], probability: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"t{n}" for n in range(4)], "gold": ["r", "r", "s", "s"],
                         "predicted": said, "probability": probability or [0.5] * 4})  # fmt: skip


ONE, OTHER = predictions(["r", "s", "r", "s"]), predictions(["r", "r", "s", "r"])


def test_the_surest_mistakes_come_first_with_their_sentences():
    said = predictions(["s", "r", "r", "r"], [0.6, 0.99, 0.9, 0.7])
    scores = said["probability"].to_numpy()
    for label in "rs":
        said[f"p.{label}"] = np.where(said["predicted"] == label, scores, 1 - scores)
    fitted = test_calibrator.fit(test_calibrator.predictions(50))
    calibrator = fitted.model_copy(update={"temperature": 2.0})
    errors = errors_table(ROWS, said, calibrator)
    table = confident_mistakes(errors, 2)
    assert table["id"].tolist() == ["t2", "t3"]
    assert table["sentence"].tolist()[0] == "<head>A2</head> met <tail>B2</tail>"
    assert table["probability"].tolist() == errors["probability"].tolist()[:2]
    assert table["probability"][0] < 0.9  # calibrated, as in the report


def test_outcomes_are_counted_over_the_same_rows():
    table = outcomes(ONE, OTHER, ("one", "other"))
    assert table.loc["right", "right"] == 1 and table.loc["right", "wrong"] == 1
    assert table.loc["wrong", "right"] == 2 and table.loc["wrong", "wrong"] == 0
    assert (table.index.name, table.columns.name) == ("one", "other")


def test_rows_are_gained_one_way_and_lost_the_other():
    table = gained(ONE, OTHER, ROWS)
    assert table["id"].tolist() == ["t1", "t2"] and table["one"].tolist() == ["s", "r"]
    assert gained(OTHER, ONE, ROWS)["id"].tolist() == ["t3"]


def test_other_rows_are_not_compared():
    with pytest.raises(ValueError, match="one corpus, K and seed"):
        outcomes(ONE, OTHER.head(2), ("one", "other"))


def test_relations_that_differ_most_come_first():
    def cell(variant, *f1):
        scores = [{"relation": r, "f1": x} for r, x in zip("ab", f1, strict=True)]
        return {"variant": variant, "seed": 13, "by_relation": scores}

    table = by_relation([cell("v", 50.0, 10.0), cell("w", 55.0, 90.0)])
    assert table.index.tolist() == ["b", "a"]
    assert list(table) == ["v, seed 13", "w, seed 13"]


EVIL = "<script>alert(1)</script> & <b>bold</b>"


def spans(markup: str, kind: str) -> list[str]:
    """Texts of marks of a kind, without the names of mentions."""
    marks = [e for e in Page(markup).all("mark") if kind in e.attributes["class"].split()]
    return [re.sub(" (head|tail)", "", mark.text) for mark in marks]


def test_mentions_and_triggers_are_coloured_and_the_rest_is_not():
    row = instance("<head>Ada</head> was born in <tail>London</tail>.", "born_in", id="a",
                   triggers=("born in",), explanation="It says where.")  # fmt: skip
    markup = notebooks.instances([row]).markup
    assert spans(markup, "head") == ["Ada"] and spans(markup, "tail") == ["London"]
    assert spans(markup, "trigger") == ["born in"]
    assert "born_in · a" in markup and "<i>It says where.</i>" in markup


def test_text_of_others_is_never_markup():
    row = instance(f"<head>A{EVIL}</head> met <tail>B</tail>", EVIL, id=EVIL, explanation=EVIL,
                   triggers=("met",))  # fmt: skip
    texts = [knowledge.from_sentence(row, "synthetic")]
    for markup in (notebooks.instances([row]).markup, notebooks.knowledge(texts).markup):
        assert "<script" not in markup and "<b>" not in markup
        assert "&lt;script&gt;" in markup


def test_a_mention_inside_the_other_one_keeps_both_colours():
    row = instance("the <head>mayor of <tail>Rome</tail></head> spoke", "lives_in")
    markup = notebooks.instances([row]).markup
    assert "".join(spans(markup, "head")) == "mayor of Rome"
    assert spans(markup, "tail") == ["Rome"]


def test_roles_of_knowledge_are_those_that_the_encoder_learns_from(schema: RelationSchema):
    row = instance("<head>anna</head> lives in <tail>rome</tail> , and anna likes rome .",
                   "lives_in", triggers=("lives",))  # fmt: skip
    markup = notebooks.knowledge([knowledge.from_sentence(row, "support")]).markup
    assert spans(markup, "head") == ["anna", "anna"] and spans(markup, "tail") == ["rome", "rome"]
    assert spans(markup, "trigger") == ["lives"]


def test_masked_inputs_are_shown_for_each_seed(backbone):
    row = instance("<head>anna</head> lives in <tail>rome</tail> .", "lives_in",
                   triggers=("lives",))  # fmt: skip
    text = knowledge.from_sentence(row, "support")
    always = MaskingParams(relation=1, entity=0, other=0, to_mask=1, to_random=0)
    markup = notebooks.masked(text, backbone.tokenizer, always, seeds=(0, 1)).markup
    assert spans(markup, "trigger") == ["lives"]
    assert spans(markup, "hidden") == ["[MASK]", "[MASK]"]  # one in each draw
    assert "seed 1" in markup and "[CLS]" in markup


def row(sentence: str, name: str):
    first, rest = sentence.split(maxsplit=1)
    return instance(f"<head>{first}</head> {rest} <tail>end</tail>", "r", id=name)


SYNTHETIC = [
    row("nothing here is shared with anybody", "own"),
    row("one two three four five", "copy"),
    row("red green blue black white", "twin"),
    row("red green blue black grey", "sister"),
]


def test_the_nearest_sentence_is_found_with_the_share_of_its_runs():
    table = nearest_copies(SYNTHETIC, {"test": ["zero one two three four five six"]}, run=2)
    found = table.set_index("id")
    # "one two three four five end": four of its five pairs of words.
    assert found.loc["copy", "shared"] == 4 / 5 and found.loc["copy", "source"] == "test"
    assert found.loc["copy", "nearest"].startswith("zero one")
    assert found.loc["twin", "source"] == "synthetic" and found.loc["twin", "shared"] == 3 / 5
    assert found.loc["own", "shared"] == 0 and pd.isna(found.loc["own", "source"])
    assert table["shared"].is_monotonic_decreasing


def test_a_sentence_is_not_its_own_copy_but_its_double_is():
    twice = nearest_copies([SYNTHETIC[1], row("one two three four five", "again")], {}, run=2)
    assert twice["shared"].tolist() == [1, 1]
    assert nearest_copies(SYNTHETIC[:1], {}, run=2)["shared"].tolist() == [0]


def test_no_sentences_give_an_empty_table():
    table = nearest_copies([], {"test": ["a b"]}, run=2)
    assert list(table) == ["id", "relation", "shared", "source", "sentence", "nearest"]
    assert table.empty


FRAME = pd.DataFrame(
    {"text": ["<head>a</head> met <tail>b</tail>", "<head>c</head> left <tail>d</tail>"],
     "head_type": ["person", None], "weight": [1, 2]}, index=[7, 8],
)  # fmt: skip


class Extractor:
    """Sure of the first sentence, and of no other."""

    def __init__(self):
        self.asked = []

    def __call__(self, records):
        self.asked = list(records)
        return [Prediction("knows" if n == 0 else None, 0.9 - n / 2, {}, "knows")
                for n in range(len(records))]  # fmt: skip


def test_label_frame_keeps_rows_and_adds_predictions():
    extractor = Extractor()
    table = label_frame(FRAME, extractor, column="text")
    assert table.index.tolist() == [7, 8] and table["weight"].tolist() == [1, 2]
    assert table["answer"].tolist() == ["knows", None]
    assert table["predicted"].tolist() == ["knows", "knows"]
    assert table["probability"].tolist() == pytest.approx([0.9, 0.4])
    assert "answer" not in FRAME
    # Types that are missing in a row are not given.
    assert extractor.asked == [{"sentence": FRAME["text"][7], "head_type": "person"},
                               {"sentence": FRAME["text"][8]}]  # fmt: skip


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="no column 'sentence'; there are text, head_type, weight"):
        label_frame(FRAME, Extractor())


def test_only_precisions_that_can_be_promised_are_offered():
    class Record:
        thresholds = (
            Threshold(precision=0.8, confidence=0.7, validation_coverage=0.6,
                      validation_precision=0.85),
            Threshold(precision=0.95, confidence=None, validation_coverage=0,
                      validation_precision=None),
        )  # fmt: skip

    table = promised(Record())
    assert table["wanted_precision"].tolist() == [0.8]
    assert table["confidence"].tolist() == [0.7]


def test_tables_are_escaped_and_numbers_stand_to_the_right():
    table = TextTable("<t>", "a & b", ["variant", "F1"], 1, [["<b>", "50.0"]])
    page = Page(tables([table, table]).markup)
    assert len(page.all("table")) == 2 and not page.all("b")
    assert page.all("td")[0].attributes["class"] == "number"
    assert page.all("caption")[0].text.split() == ["<t>", "a", "&", "b"]


def test_a_notebook_shows_the_markup_and_a_terminal_does_not():
    assert "<p>x</p>" in Html("<p>x</p>")._repr_html_()
    assert "<p>" not in repr(Html("<p>x</p>"))
