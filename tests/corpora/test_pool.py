from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from tests.conftest import instance
from tkre.core.cells import KShotSample
from tkre.core.instance import Instance, Span
from tkre.core.text import NearDuplicateParams
from tkre.corpora.formats import semeval_rows
from tkre.corpora.params import CorpusParams, PoolParams
from tkre.corpora.pool import (
    guard_pool,
    kept_out_first,
    read_pool,
    read_unannotated,
    take_unlabelled,
)
from tkre.corpora.reading import CorpusError, CorpusFolder, read_corpus
from tkre.corpora.sampling import development_rows, sample_shots

NEAR = NearDuplicateParams()
TYPED = {"head_type": "person", "tail_type": "place"}
ADA = {"id": "a", "sentence": "<head>Ada</head> lives in <tail>Rome</tail>.", **TYPED}
BO = {"id": "b", "sentence": "<head>Bo</head> left <tail>Oslo</tail>.", **TYPED}


def params(**unlabelled: object) -> CorpusParams:
    return CorpusParams(format="native", train="train.jsonl", unlabelled=unlabelled)


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def pool_of(schema, files: dict[str, str], **unlabelled: str):
    return read_pool(files.__getitem__, schema, params(**unlabelled))


def test_pool_from_a_file_of_unlabelled_rows(schema):
    pool = pool_of(schema, {"u.jsonl": lines(ADA, BO)}, file="u.jsonl")
    assert [row.id for row in pool] == ["a", "b"]
    assert (pool[0].head_type, pool[0].tail_text) == ("person", "Rome")


def test_labels_in_an_unlabelled_file_are_dropped(schema):
    labelled = lines({**ADA, "relation": "lives_in", "implicit": True})
    assert pool_of(schema, {"u": labelled}, file="u") == pool_of(
        schema, {"u": lines(ADA)}, file="u"
    )


def test_pool_from_a_labelled_file_of_any_format(schema):
    def rows(label: str) -> str:
        return lines({"text": "[[ Ada ]] left << Rome >>", "label": label})

    pools = [
        pool_of(schema, {"u": rows(label)}, file="u", format="scibert")
        for label in ("lives_in", "not a relation")
    ]
    assert pools[0] == pools[1]
    [row] = pools[0]
    assert (row.id, row.head_text, row.relation) == ("unlabelled-0", "Ada", None)


def test_pool_from_ids_of_training_rows_in_their_order(schema):
    rows = [{**row, "relation": "knows"} for row in (ADA, BO)]
    files = {"train.jsonl": lines(*rows), "ids.txt": "b\r\n\na\n"}
    assert [row.id for row in pool_of(schema, files, train_ids="ids.txt")] == ["b", "a"]


def test_no_label_of_a_training_row_reaches_the_pool(schema):
    """Pools of a training file with other labels are equal in every field."""
    pools = []
    for label, implicit in (("lives_in", True), ("none", False), ("not a relation", None)):
        row = {**ADA, "relation": label, "implicit": implicit}
        files = {"train.jsonl": lines(row), "ids.txt": "a\n"}
        pools.append(pool_of(schema, files, train_ids="ids.txt"))
    assert pools[0] == pools[1] == pools[2]
    [row] = pools[0]
    assert (row.relation, row.triggers, row.explanation, row.implicit) == (None, (), None, None)


def test_what_no_language_model_reads_is_left_to_a_teacher(schema):
    """Rows of the pool and other training rows, without labels and without annotated sentences."""
    other = {**ADA, "id": "c", "sentence": f"Later {ADA['sentence']}"}
    same = {"id": "d", "text": "Ada left.", "head": [0, 3], "tail": [0, 3]}  # a bad row
    train = [{**row, "relation": "knows"} for row in (ADA, BO, other, same)]
    files = {"train.jsonl": lines(*train), "ids.txt": "b\na\n"}

    def unannotated(annotated: list[str], **unlabelled: object) -> list[tuple[str, object]]:
        corpus = params(train_ids="ids.txt", **unlabelled)
        pool = read_pool(files.__getitem__, schema, corpus)
        rows = [row for row in pool if row.id in annotated]
        found = read_unannotated(files.__getitem__, corpus, pool, rows)
        return [(row.id, row.relation) for row in found]

    assert unannotated([]) == [("b", None), ("a", None)]
    assert unannotated(["a"]) == [("b", None)]
    assert unannotated(["a"], other_train=True) == [("b", None), ("c", None)]
    with pytest.raises(ValidationError, match="only with train_ids"):
        PoolParams(file="u", other_train=True)


def test_semeval_pool_is_independent_of_labels(shared):
    folder = CorpusFolder("semeval2010_task8", [shared / "semeval2010_task8"])
    corpus = CorpusParams(
        format="semeval", train="TRAIN_FILE.TXT", unlabelled={"train_ids": "unlabelled_ids.txt"}
    )
    schema = folder.schema()
    pool = read_pool(folder.read, schema, corpus)
    assert len(pool) == 2400 and {row.relation for row in pool} == {None}
    assert pool[0].id == "train-2345"
    labels = {parse().relation for _, parse in semeval_rows(folder.read("TRAIN_FILE.TXT"), "train")}

    def with_one_label(file: str) -> str:
        text = folder.read(file)
        if file == "TRAIN_FILE.TXT":
            text = "\n".join(
                "Other\r" if line.strip() in labels else line for line in text.split("\n")
            )
        return text

    assert read_pool(with_one_label, schema, corpus) == pool


@pytest.mark.parametrize(
    ("files", "unlabelled", "message"),
    [
        ({"u": lines(ADA, ADA)}, {"file": "u"}, "toy/u, line 2: id 'a' is taken by line 1"),
        ({"u": lines({**ADA, "triggers": []})}, {"file": "u"}, "unknown key 'triggers'"),
        ({"u": lines({**ADA, "head_type": "pearson"})}, {"file": "u"}, "did you mean 'person'"),
        ({"u": lines(BO, {**ADA, "head_type": "pearson"})}, {"file": "u"},
         "toy/u, line 2: head_type 'pearson' is not one of the entity types"),
        ({"u": "{}\n"}, {"file": "u", "format": "scibert"}, "toy/u: line 1: key 'text' is missing"),
        ({"u": "{}\n"}, {"file": "u"}, "toy/u, line 1: key 'sentence' is missing"),
        ({"train.jsonl": "", "i": "a\n"}, {"train_ids": "i"},
         "toy/i: no row 'a' in train.jsonl (line 1)"),
        ({"train.jsonl": lines({**ADA, "relation": "knows"}), "i": "a\na"}, {"train_ids": "i"},
         "toy/i: id 'a' stands 2 times: line 1, line 2"),
    ],
)  # fmt: skip
def test_bad_pools_are_listed(schema, files, unlabelled, message):
    with pytest.raises(CorpusError, match="1 bad") as error:
        pool_of(schema, files, **unlabelled)
    assert message in str(error.value)


@pytest.mark.parametrize("unlabelled", [{"file": "u"}, {"file": "u", "format": "native"}])
def test_a_tail_before_its_head_is_bad_where_the_head_comes_first(schema, unlabelled):
    inverted = {**BO, "sentence": "<tail>Bo</tail> left <head>Oslo</head>."}
    relation = {"relation": "knows"} if "format" in unlabelled else {}
    files = {"u": lines(ADA | relation, inverted | relation)}
    assert len(pool_of(schema, files, **unlabelled)) == 2
    ordered = params(**unlabelled).model_copy(update={"head_first": True})
    with pytest.raises(CorpusError, match=r"line 2: the tail .*toy.head_first.*text-order"):
        read_pool(files.__getitem__, schema, ordered)


def test_a_pool_is_a_file_or_ids(schema):
    for unlabelled in ({}, {"file": "u", "train_ids": "i"}):
        with pytest.raises(ValidationError, match="give one of them"):
            params(**unlabelled)
    none = CorpusParams(format="native", train="train.jsonl")
    assert read_pool({}.__getitem__, schema, none) == []


SENTENCE = "<head>Ada</head> lives in the old town of <tail>Rome</tail> with her friend."


def unlabelled(sentence: str, number: str):
    return replace(instance(sentence, "none", id=number), relation=None)


def test_sentences_of_other_sets_are_refused_with_the_name_of_the_set():
    pool = [
        unlabelled(SENTENCE, "other mentions").inverted(),
        unlabelled(SENTENCE.replace("friend", "sister").upper().replace("HEAD>", "head>")
                   .replace("TAIL>", "tail>"), "near"),
        unlabelled("<head>Bo</head> saw an old town and <tail>Rome</tail>", "free"),
        unlabelled("<head>Cy</head> met <tail>Di</tail> here", "tested"),
    ]  # fmt: skip
    test = [instance("Cy met <tail>Di</tail> <head>here</head>", "none")]
    guarded = guard_pool(pool, {"support": [instance(SENTENCE, "lives_in")], "test": test}, NEAR)
    assert [row.id for row in guarded.rows] == ["free"]
    assert [(r.id, r.reason) for r in guarded.refused] == [
        ("other mentions", "support"), ("near", "support"), ("tested", "test"),
    ]  # fmt: skip
    assert [r.share for r in guarded.refused][::2] == [1.0, 1.0]
    assert 0.5 < guarded.refused[1].share < 1
    assert guarded.report() == {
        "rows": 1, "sentences": 1, "refused": 3, "reasons": {"support": 2, "test": 1},
    }  # fmt: skip
    strict = guard_pool(pool, {"test": test}, NearDuplicateParams(overlap_words=4, max_overlap=1))
    assert len(strict.rows) == 4  # a share is never above 1


def test_pairs_of_a_sentence_stay_and_equal_pairs_are_refused():
    pair = unlabelled(SENTENCE, "1")
    other_form = replace(pair, id="2", text=pair.text.replace(" ", "\u2009"))
    longer = replace(pair, id="3", head=Span(pair.head.start, pair.head.end + 1))
    assert len(guard_pool([pair, longer], {}, NEAR).rows) == 1  # a blank more
    guarded = guard_pool([pair, pair.inverted(), other_form], {}, NEAR)
    assert len(guarded.rows) == 2
    assert guarded.report() == {
        "rows": 2, "sentences": 1, "refused": 1, "reasons": {"duplicate": 1},
    }  # fmt: skip


def test_pool_of_the_demo_corpus(newsroom):
    folder = CorpusFolder("newsroom", [newsroom])
    schema = folder.schema()
    corpus = CorpusParams(format="native", train="train.jsonl", dev="dev.jsonl", test="test.jsonl",
                          natural_test={"file": "natural_test.jsonl"},
                          unlabelled={"file": "unlabelled.jsonl"})  # fmt: skip
    pool = read_pool(folder.read, schema, corpus)
    splits = read_corpus(folder.read, schema, corpus).splits
    assert len(splits["natural_test"]) == 479
    assert (len(pool), len({row.text for row in pool})) == (1012, 240)
    guarded = guard_pool(pool, splits, NEAR)
    assert guarded.rows == pool and guarded.report()["refused"] == 0


def test_semeval_pool_holds_no_sentence_of_a_sample(shared):
    """The ids were chosen beside the K = 16 samples; the near-duplicate rule finds a few more."""
    folder = CorpusFolder("semeval2010_task8", [shared / "semeval2010_task8"])
    schema = folder.schema()
    corpus = CorpusParams(
        format="semeval", train="TRAIN_FILE.TXT", test="TEST_FILE_FULL.TXT", on_bad_row="skip",
        unlabelled={"train_ids": "unlabelled_ids.txt"},
    )  # fmt: skip
    splits = read_corpus(folder.read, schema, corpus).splits
    shots = {
        seed: sample_shots(splits["train"], [], schema, shots=8, seed=seed, test=splits["test"])
        for seed in (13, 21, 42)
    }
    sample = shots[13]
    forbidden = {
        "support": sample.support,
        "validation": sample.validation,
        "development": development_rows(sample, list(shots.values())),
        "test": splits["test"],
    }
    pool = read_pool(folder.read, schema, corpus)
    guarded = guard_pool(pool, forbidden, NEAR)
    assert len(guarded.rows) + len(guarded.refused) == 2400
    assert Counter(r.reason for r in guarded.refused) == guarded.report()["reasons"]
    texts = {row.text for rows in forbidden.values() for row in rows}
    assert not texts & {row.text for row in guarded.rows}
    assert len(guarded.rows) > 2300


POOL = [instance(f"<head>Ada</head> {verb} <tail>Bo</tail>.", id=verb) for verb in "abcd"]


def test_the_first_rows_of_the_guarded_pool_are_taken(caplog):
    sets = {"test": [instance("<head>Ada</head> a <tail>Bo</tail>.")], "support": []}
    sample = KShotSample("toy", 8, 13, annotated=2)
    rows, report = take_unlabelled(POOL, sets, NEAR, sample, 0)
    assert [row.id for row in rows] == ["b", "c"]
    assert report == {
        "sample": "toy.k8a2.s13", "wanted": 2, "taken": 2, "kept_out": 0, "chosen": "in_order",
        "rows": 3, "sentences": 3, "refused": 1, "reasons": {"test": 1},
    }  # fmt: skip
    rows, report = take_unlabelled(POOL, sets, NEAR, replace(sample, annotated=9), 0)
    assert [row.id for row in rows] == ["b", "c", "d"] and report["taken"] == 3
    assert "3 of 4 unlabelled rows taken, 9 wanted, 0 kept out; refused" in caplog.text
    diverse = replace(sample, chosen="diverse")
    rows, report = take_unlabelled(POOL, sets, NEAR, diverse, 0)
    assert [row.id for row in rows] == ["b", "c", "d"]
    assert (report["chosen"], report["taken"]) == ("diverse", 2)


def many(sentences: int, pairs: int = 1) -> list[Instance]:
    rows = [
        instance(f"<head>Ada</head> met <tail>Bo</tail> on day {n}.", id=f"{n}-{pair}")
        for n in range(sentences)
        for pair in range(pairs)
    ]
    return rows


def test_rows_that_are_kept_out_are_a_random_sample_of_the_sentences():
    pool = many(500, pairs=2)
    kept, others = kept_out_first(pool, 400, 0.2, 13)
    assert len(kept) == 80 and 750 < len(others) < 850
    kept_texts = {row.text for row in kept}
    assert len(kept_texts) == 40 and kept_texts.isdisjoint(row.text for row in others)
    assert [row for row in pool if row in others] == others
    numbers = [int(row.id.partition("-")[0]) for row in kept]
    assert numbers != sorted(numbers) and 150 < np.mean(numbers) < 350
    assert {row.text for row in kept_out_first(pool, 400, 0.2, 21)[0]} != kept_texts


def test_what_is_kept_out_depends_on_neither_the_number_of_rows_nor_the_others():
    pool = many(300)
    kept, others = kept_out_first(pool, 50, 0.2, 13)
    more, same = kept_out_first(pool, 100, 0.2, 13)
    assert more[: len(kept)] == kept and len(more) == 20 and same == others
    first, rest = kept_out_first(pool[:150], 1000, 0.2, 13)
    assert {row.id for row in first} <= {row.id for row in kept_out_first(pool, 999, 0.2, 13)[0]}
    assert len(first) + len(rest) == 150
    assert kept_out_first(pool, 50, 0.0, 13) == ([], pool)


def test_where_few_sentences_may_train_more_are_kept_out():
    pool = many(30)
    kept, others = kept_out_first(pool, 30, 0.5, 13)
    assert len(kept) + len(others) == 30


def test_fewer_annotated_rows_are_among_more():
    pool = many(200)
    sample = KShotSample("toy", 8, 13, annotated=50)
    few, _ = take_unlabelled(pool, {}, NEAR, sample, 0.2)
    more, report = take_unlabelled(pool, {}, NEAR, replace(sample, annotated=100), 0.2)
    assert {row.id for row in few} < {row.id for row in more}
    assert (len(few), len(more), report["kept_out"]) == (50, 100, 20)
