from __future__ import annotations

from tests.conftest import instance
from tkre.corpora.schema_validation import Level
from tkre.corpora.validation import Likeness, Rows, row_findings, shortfalls

ALIKE = Likeness(run=4, limit=0.5)


def rows_of(schema, **splits) -> Rows:
    full = {split: splits.get(split, []) for split in ("train", "dev", "test")}
    places = {row.id: f"{split}, line {n}" for split, of in full.items()
              for n, row in enumerate(of, start=1)}  # fmt: skip
    return Rows(full, places, schema)


def found(rows: Rows, kind: str, *, stops: bool = True):
    return [f for f in row_findings(rows, ALIKE, leakage_stops=stops) if f.kind == kind]


def row(sentence: str, relation: str, number: str, **types):
    return instance(sentence, relation, id=number, **types)


LIVES = "<head>Anna Berg</head> lives in the old town of <tail>Oslo</tail> with her friend."
EXCHANGED = "<tail>Anna Berg</tail> lives in the old town of <head>Oslo</head> with her friend."


def test_rows_in_order(schema, toy_rows):
    rows = rows_of(schema, train=toy_rows)
    assert [f for f in row_findings(rows, Likeness(4, 0.9), leakage_stops=True)
            if f.level == Level.ERROR] == []  # fmt: skip


def test_the_example_row(schema):
    rows = rows_of(schema, train=[row("TODO: <head>a</head> <tail>b</tail>", "knows", "1")])
    [finding] = found(rows, "placeholder")
    assert finding.level == Level.ERROR and finding.place == "train, line 1"


def test_a_row_that_stands_twice_and_one_that_is_labelled_twice(schema):
    same = LIVES.replace("lives in", "LIVES  in")
    rows = rows_of(
        schema, train=[row(LIVES, "lives_in", "1"), row(same, "lives_in", "2"),
                       row(LIVES, "none", "3")],
    )  # fmt: skip
    [twice] = found(rows, "rows that stand twice")
    assert (twice.place, twice.level) == ("train, line 2", Level.WARNING)
    [contradiction] = found(rows, "contradictions")
    assert contradiction.place == "train, line 3"
    assert "labelled none, but lives_in in train, line 1" in contradiction.message


def test_a_name_that_stands_twice_in_a_sentence_is_two_mentions(schema):
    one = "<head>Anna</head> and Anna met <tail>Bert</tail>"
    other = "Anna and <head>Anna</head> met <tail>Bert</tail>"
    rows = rows_of(schema, train=[row(one, "knows", "1"), row(other, "none", "2")])
    assert not found(rows, "contradictions")


def test_a_pair_marked_both_ways_must_fit_the_inverses(schema):
    for relation, fits in (("home_of", True), ("lives_in", False), ("none", False)):
        rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(EXCHANGED, relation, "2")])
        findings = found(rows, "directions that do not fit")
        assert [f.level for f in findings] == ([] if fits else [Level.WARNING]), relation


def test_test_rows_in_train_stop_a_run_unless_they_are_set_aside(schema):
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1")], test=[row(LIVES, "none", "t")])
    [finding] = found(rows, "test rows in train")
    assert finding.level == Level.ERROR and finding.place == "test, line 1"
    [finding] = found(rows, "test rows in train", stops=False)
    assert finding.level == Level.WARNING


def test_dev_rows_elsewhere_are_worth_a_warning(schema):
    same = [row(LIVES, "lives_in", n) for n in "abc"]
    rows = rows_of(schema, train=same[:1], dev=same[1:2], test=same[2:])
    assert found(rows, "dev rows in train")[0].level == Level.WARNING
    assert found(rows, "test rows in dev")[0].level == Level.WARNING


def test_near_copies(schema):
    near = LIVES.replace("friend", "sister")
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(near, "lives_in", "2")],
                   test=[row(LIVES.replace("old", "new"), "lives_in", "3")])  # fmt: skip
    [finding] = found(rows, "near-copies in train")
    assert finding.place == "train, line 2" and "of train, line 1" in finding.message
    assert found(rows_of(schema, train=[row(LIVES, "lives_in", "1")], test=[
        row(near, "lives_in", "2")]), "near-copies in test")[0].place == "test, line 1"  # fmt: skip


def test_several_pairs_of_one_sentence_are_no_copies(schema):
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(EXCHANGED, "home_of", "2")])
    assert not found(rows, "near-copies in train") and not found(rows, "rows that stand twice")


def test_a_mention_that_is_of_another_type_once(schema):
    kinds = {"head_type": "person", "tail_type": "place"}
    sentences = [f"<head>Anna</head> saw <tail>Oslo</tail> {word}" for word in ("a", "b", "c")]
    train = [row(s, "none", s[-1], **kinds) for s in sentences[:2]]
    swapped = sentences[2].replace("head>", "x>").replace("tail>", "head>").replace("x>", "tail>")
    train.append(row(swapped, "none", "c", **kinds))
    findings = found(rows_of(schema, train=train), "mentions of two types")
    assert {f.place for f in findings} == {"train, line 3"}
    message = "'oslo' is a person here and a place in 2 other rows"
    assert len([f for f in findings if f.message.startswith(message)]) == 1


def test_shortfalls(schema, toy_rows):
    def told(shots, **splits):
        return [str(f) for f in shortfalls(rows_of(schema, **splits), shots)]

    assert any("no row is left to validate on" in line for line in told(5, train=toy_rows))
    [first, *_] = told(6, train=toy_rows)
    assert "fewer than 6 rows in train" in first and "knows (5)" in first
    without = [r for r in toy_rows if r.relation != "knows"]
    assert any(line.startswith("error") and "'knows' has no row" in line
               for line in told(5, train=without))  # fmt: skip
    lines = told(3, train=toy_rows)
    assert any("fewer than 3 rows to validate on in train beyond the 3" in x for x in lines)
    assert any("there is no test split" in line for line in lines)
    lines = told(5, train=toy_rows, dev=without, test=without)
    assert any("fewer than 5 rows to validate on in dev: knows (0)" in x for x in lines)
    assert any("no row in test, so no score: knows" in line for line in lines)
    assert told(2, train=toy_rows, test=toy_rows) == []
