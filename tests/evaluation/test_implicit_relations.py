from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.conftest import instance
from tkre.core.instance import from_frame, to_frame
from tkre.corpora.formats import native_rows
from tkre.evaluation.implicit_relations import (
    IMPLICIT_COLUMNS,
    implicit_table,
    split_by_explicitness,
    stating_words,
)
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.results import IncompleteExperiment

PARAMS = ReportingParams(resamples=500)


@pytest.fixture(scope="module")
def test_rows(newsroom):
    text = (newsroom / "test.jsonl").read_text(encoding="utf-8")
    return [parse() for _, parse in native_rows(text, "test")]


@pytest.fixture(scope="module")
def explained(newsroom):
    """The recorded explanations, on the rows they explain."""
    recorded = {}
    for line in (newsroom / "recordings.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        recorded[record["request_id"]] = record["response"]
    rows = []
    for _, parse in native_rows((newsroom / "train.jsonl").read_text(encoding="utf-8"), "train"):
        row = parse()
        if answer := recorded.get(f"explanation/newsroom/{row.id}"):
            rows.append(replace(row, triggers=tuple(answer["triggers"])))
    assert len(rows) == 88
    return rows


def test_the_corpus_s_own_flag_counts(test_rows, explained, newsroom_schema):
    marks = split_by_explicitness(test_rows, explained, newsroom_schema)
    assert marks["id"].tolist() == [row.id for row in test_rows]
    assert marks["decided_by"].value_counts().to_dict() == {"flag": 300, "negative": 30}
    flags = {row.id: row.implicit for row in test_rows if row.relation != "no_relation"}
    decided = marks[marks["decided_by"] == "flag"]
    assert dict(zip(decided["id"], decided["implicit"], strict=True)) == flags
    assert sum(flags.values()) == 40
    assert marks.loc[marks["decided_by"] == "negative", "implicit"].isna().all()
    # Nothing was explained: the flag is there all the same.
    assert split_by_explicitness(test_rows, [], newsroom_schema).equals(marks)


def test_without_a_flag_triggers_of_the_support_decide(test_rows, explained, newsroom_schema):
    blind = [replace(row, implicit=None) for row in test_rows]
    marks = split_by_explicitness(blind, explained, newsroom_schema)
    assert marks["decided_by"].value_counts().to_dict() == {"triggers": 300, "negative": 30}
    flagged = {row.id for row in test_rows if row.implicit and row.relation != "no_relation"}
    told = set(marks.loc[marks["implicit"].eq(True), "id"])
    # What eight sentences per relation did not show is more than what no word states: of the
    # flagged rows most are found, of the rows found few are flagged.
    assert len(flagged & told) == 30 and len(told) == 144


def test_nobody_explained_the_support(test_rows, newsroom_schema):
    blind = [replace(row, implicit=None) for row in test_rows]
    marks = split_by_explicitness(blind, [], newsroom_schema)
    assert marks["decided_by"].value_counts().to_dict() == {"undecided": 300, "negative": 30}
    assert marks["implicit"].isna().all()


SHOWN = [
    instance("<head>Ada</head> lived in <tail>Rome</tail>", "lives_in", triggers=("Ada lived in",)),
    instance("<head>Bo</head> met <tail>Cy</tail>", "knows", triggers=("met",)),
    instance("<head>Rome</head> of <tail>Ada</tail>", "home_of", triggers=("of",)),
]


@pytest.mark.parametrize(
    ("sentence", "relation", "implicit"),
    [
        ("<head>Bo</head> lives near <tail>Oslo</tail>", "lives_in", False),  # another form
        ("<head>Bo</head> in <tail>Oslo</tail>", "lives_in", True),  # a function word
        ("<head>Lived Wire</head> of <tail>Oslo</tail>", "lives_in", True),  # in a mention
        ("<head>Bo</head> and Ada, of <tail>Oslo</tail>", "lives_in", True),  # a mention's name
        ("<head>Bo</head> met <tail>Oslo</tail>", "lives_in", True),  # of another relation
        ("<head>Bo</head> of <tail>Cy</tail>", "home_of", None),  # no content word to look for
        ("<head>Bo</head> lived <tail>Cy</tail>", "none", None),  # nothing to state
    ],
)
def test_what_states_a_relation(schema, sentence, relation, implicit):
    [mark] = split_by_explicitness([instance(sentence, relation)], SHOWN, schema)["implicit"]
    assert mark is implicit


def test_stating_words_are_those_of_the_sentence():
    row = instance("<head>Works</head> was founded, its founder said, by <tail>Bo</tail>")
    assert stating_words(row, ["the founder of", "works"]) == {"founded", "founder"}


def test_marks_survive_a_file(test_rows, newsroom_schema, tmp_path):
    for given in (test_rows, [replace(row, implicit=None) for row in test_rows]):
        rows = from_frame(to_frame(given))
        marks = split_by_explicitness(rows, [], newsroom_schema)
        marks.to_parquet(tmp_path / "marks.parquet")
        loaded = pd.read_parquet(tmp_path / "marks.parquet")
        frame = pd.DataFrame({"id": marks["id"], "gold": [row.relation for row in rows]})
        tables = [
            implicit_table([cell()], [frame.assign(predicted="born_in")], [m], PARAMS)
            for m in (marks, loaded)
        ]
        assert tables[0].equals(tables[1])


GOLD = ["a", "a", "b", "b", "b", "no", "a"]
MARKS = pd.DataFrame(
    {
        "id": range(7),
        "implicit": [False, False, True, True, False, None, None],
        "decided_by": ["triggers"] * 5 + ["negative", "undecided"],
    }
)


def cell(seed=13, variant="tkre", negative="no"):
    return {"corpus": "toy", "shots": 8, "seed": seed, "variant": variant, "synthetic": 1,
            "noise": 0, "filtered": False, "annotated": 0, "chosen": "in_order", "llm": "default",
            "negative": negative}  # fmt: skip


def guesses(predicted, ids=range(7)):
    return pd.DataFrame({"id": ids, "gold": GOLD, "predicted": predicted})


def test_explicit_against_implicit():
    predictions = [
        guesses(["a", "a", "b", "no", "a", "a", "a"]),  # explicit 2 of 3; implicit 1 of 1 guess
        guesses(["a", "a", "no", "no", "b", "no", "b"]),  # all; none
    ]
    [row] = implicit_table([cell(13), cell(21)], predictions, [MARKS, MARKS], PARAMS).to_dict(
        "records"
    )
    assert (row["corpus"], row["shots"], row["variant"], row["seeds"]) == ("toy", 8, "tkre", 2)
    assert (row["explicit_rows"], row["implicit_rows"]) == (3, 2)
    assert (row["undecided_rows"], row["negative_rows"], row["decided_by"]) == (1, 1, "triggers")
    # What was found in the negative row (seed 13) is held against neither kind.
    assert row["explicit_f1"] == pytest.approx((200 / 3 + 100) / 2)
    assert row["implicit_f1"] == pytest.approx((200 / 3 + 0) / 2)
    assert row["implicit_recall"] == 25 and row["implicit_recall_std"] == pytest.approx(1250**0.5)
    assert row["explicit_f1_std"] == pytest.approx(100 / 6 * 2**0.5)
    assert row["difference"] == pytest.approx(50)
    assert row["difference_low"] < 50 < row["difference_high"]


def test_one_seed_has_no_spread():
    [row] = implicit_table([cell(13)], [guesses(GOLD)], [MARKS], PARAMS).to_dict("records")
    assert row["implicit_f1"] == 100
    assert all(pd.isna(row[f"{name}_std"]) for name in ("implicit_f1", "explicit_recall"))


def test_a_kind_without_rows_has_no_score():
    undecided = MARKS.assign(implicit=None, decided_by="undecided")
    table = implicit_table([cell()], [guesses(GOLD)], [undecided], PARAMS)
    assert list(table) == IMPLICIT_COLUMNS
    [row] = table.to_dict("records")
    assert (row["undecided_rows"], row["decided_by"], row["explicit_rows"]) == (7, "nothing", 0)
    for name in ("explicit_f1", "implicit_f1", "difference", "difference_low"):
        assert pd.isna(row[name])


def test_seeds_that_scored_other_rows_have_an_interval_too():
    other = range(10, 17)
    marks = [MARKS, MARKS.assign(id=other)]
    predictions = [guesses(GOLD), guesses(GOLD, other)]
    [row] = implicit_table([cell(13), cell(21)], predictions, marks, PARAMS).to_dict("records")
    assert row["difference"] == 0
    assert row["difference_low"] < 0 < row["difference_high"]


def test_rows_that_are_not_marked_are_an_error():
    with pytest.raises(IncompleteExperiment, match=r"tkre scored rows .* \(6, 1 in all\)"):
        implicit_table([cell()], [guesses(GOLD)], [MARKS.iloc[:6]], PARAMS)
