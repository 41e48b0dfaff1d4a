from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import instance
from tkre.core.schema import RelationSchema
from tkre.corpora.formats import native_rows, semeval_rows
from tkre.corpora.sampling import (
    SamplingError,
    development_rows,
    require_unseen,
    sample_shots,
    unseen_test,
)

ROWS = [
    instance(f"<head>{r} {n}</head> x <tail>t</tail>", r, id=f"{r}-{n}")
    for n in range(20)
    for r in ("lives_in", "home_of", "knows", "none")
]


def sample(schema, shots=4, seed=13, rows=ROWS, dev=()):
    return sample_shots(rows, dev, schema, shots=shots, seed=seed)


def test_sampling_protocol(schema):
    shots = sample(schema)
    expected_support, expected_validation = [], []
    for i, relation in enumerate(["home_of", "knows", "lives_in", "none"]):
        ids = [f"{relation}-{n}" for n in range(20)]
        order = np.random.default_rng([13, i]).permutation(20)
        expected_support += [ids[n] for n in order[:4]]
        expected_validation += [ids[n] for n in order[4:8]]
    assert [r.id for r in shots.support] == expected_support
    assert [r.id for r in shots.validation] == expected_validation


def test_support_is_nested_in_k(schema):
    small, large = sample(schema, 2), sample(schema, 8)
    assert {r.id for r in small.support} < {r.id for r in large.support}


def test_samples_are_independent_of_earlier_ones(schema):
    alone = sample(schema, seed=42)
    for seed in (13, 21):
        sample(schema, seed=seed)
    assert sample(schema, seed=42) == alone
    assert sample(schema, seed=13) != alone


def test_a_dev_split_gives_the_validation_rows(schema):
    dev = [
        instance(f"<head>d{n}</head> x <tail>t</tail>", r, id=f"dev-{r}-{n}")
        for n in range(9)
        for r in schema.names
    ]
    shots = sample(schema, dev=dev)
    assert shots.support == sample(schema).support
    ids = [f"dev-home_of-{n}" for n in range(9)]
    order = np.random.default_rng([13, 0, 1]).permutation(9)
    assert [r.id for r in shots.validation][:4] == [ids[n] for n in order[:4]]


def test_short_relations_are_reported(schema):
    rows = [r for r in ROWS if r.relation != "knows" or r.id in {"knows-0", "knows-1"}]
    shots = sample(schema, shots=4, rows=rows)
    assert sum(r.relation == "knows" for r in shots.support) == 2
    assert shots.shortfalls == {"support": {"knows": 2}, "validation": {"knows": 4}}


def test_a_relation_without_rows_is_refused_by_name(schema):
    with pytest.raises(SamplingError, match="'knows' of corpus toy has no training row"):
        sample(schema, rows=[r for r in ROWS if r.relation != "knows"])


def test_zero_shots_are_no_rows(schema):
    assert sample(schema, shots=0).support == []


def test_development_rows_are_those_of_other_seeds(schema):
    own, others = sample(schema), [sample(schema, seed=21), sample(schema, seed=42)]
    rows = development_rows(own, others)
    ids = {r.id for r in rows}
    assert len(ids) == len(rows) > 0
    assert not ids & {r.id for r in (*own.support, *own.validation)}
    assert ids <= {r.id for o in others for r in (*o.support, *o.validation)}


def test_test_instances_in_the_support_are_refused(schema):
    shots = sample(schema)
    copy = instance(f"<head>{shots.support[0].head_text.upper()}</head>  x <tail>t</tail>", id="t1")
    with pytest.raises(SamplingError, match=rf"1 test .*support set.*{shots.support[0].id} = t1"):
        unseen_test(shots, [copy], "toy")


def test_test_instances_in_the_support_can_be_set_aside(schema):
    shots = sample(schema)
    test = [replace(shots.support[3], id="t1"), instance("<head>a</head> <tail>b</tail>", id="t2")]
    unseen, report = unseen_test(shots, test, "toy", "set_aside")
    assert [i.id for i in unseen] == ["t2"]
    assert report["set_aside"] == [[shots.support[3].id, "t1"]]


def test_sentences_of_the_natural_test_in_the_support_are_refused(schema):
    shots = sample(schema)
    require_unseen(shots, [replace(shots.validation[0], id="n0")], "toy")
    other_pair = replace(shots.support[0].inverted(), id="n1")
    with pytest.raises(SamplingError, match=rf"corpus toy: .*{shots.support[0].id} = n1"):
        require_unseen(shots, [other_pair], "toy")


def test_test_instances_are_not_validation_rows(schema):
    shots = sample(schema)
    copies = [replace(shots.validation[1], id="t1"), replace(shots.validation[2], id="t2")]
    without = sample_shots(ROWS, (), schema, shots=4, seed=13, test=copies)
    wider = sample(schema, shots=8).support  # the same permutation, further on
    relation = shots.validation[0].relation
    order = [r.id for r in wider if r.relation == relation]
    assert [r.id for r in without.validation if r.relation == relation][:2] == [order[4], order[7]]
    assert without.passed_over == [(shots.validation[n].id, f"t{n}") for n in (1, 2)]
    assert without.support == shots.support
    assert not without.shortfalls["validation"]
    # A row that is too far on to be wanted is not passed over.
    assert not sample(schema).passed_over


def test_zero_shots_pass_over_nothing(schema):
    assert sample_shots(ROWS, (), schema, shots=0, seed=13, test=ROWS).passed_over == []


def test_dev_rows_in_test_are_passed_over(schema):
    dev = [instance("<head>d</head> x <tail>t</tail>", "knows", id="dev-1")]
    shots = sample_shots(ROWS, dev, schema, shots=1, seed=13, test=[replace(dev[0], id="t")])
    assert shots.passed_over == [("dev-1", "t")]
    assert shots.shortfalls["validation"]["knows"] == 1


def test_shared_sentence_with_other_mentions_is_reported(schema):
    shots = sample(schema)
    text = shots.support[0].text
    other = instance(f"{text.split()[0]} <head>{text.split()[1]}</head> <tail>x</tail> t", id="t1")
    unseen, report = unseen_test(shots, [other], "toy")
    assert unseen == [other]
    assert report["sentences_shared_with_test"]["support"] == [[shots.support[0].id, "t1"]]


def test_demo_recordings_belong_to_the_sample(newsroom, newsroom_schema):
    import json

    read = {
        split: [r() for _, r in native_rows((newsroom / f"{split}.jsonl").read_text(), split)]
        for split in ("train", "dev")
    }
    shots = sample_shots(read["train"], read["dev"], newsroom_schema, shots=8, seed=13)
    recorded = {
        json.loads(line)["request_id"]
        for line in (newsroom / "recordings.jsonl").read_text(encoding="utf-8").splitlines()
    }
    assert {f"explanation/newsroom/{r.id}" for r in shots.support} <= recorded


@pytest.mark.parametrize("seed", [13, 21, 42])
def test_semeval_samples(root, shared, seed):
    import yaml

    raw = yaml.safe_load((root / "data/01_raw/semeval2010_task8/relations.yml").read_text())
    schema = RelationSchema.parse(raw, "relations.yml")
    text = (shared / "semeval2010_task8/TRAIN_FILE.TXT").read_text(encoding="utf-8")
    train = [row() for _, row in semeval_rows(text, "train")]
    shots = sample_shots(train, [], schema, shots=8, seed=seed)
    assert (len(shots.support), len(shots.validation)) == (145, 144)
    assert shots.shortfalls["support"] == {"Entity-Destination(e2,e1)": 7}


def test_ids_of_a_sample_name_its_rows_and_what_is_missing(schema):
    rows = [r for r in ROWS if r.relation != "knows" or r.id in {"knows-0", "knows-1"}]
    test = [replace(sample(schema).validation[0], id="t")]
    shots = sample_shots(rows, (), schema, shots=4, seed=13, test=test)
    assert shots.passed_over
    assert shots.ids() == {
        "support": [row.id for row in shots.support],
        "validation": [row.id for row in shots.validation],
        "shortfalls": {"support": {"knows": 2}, "validation": {"knows": 4}},
        "passed_over": [list(pair) for pair in shots.passed_over],
    }


def test_a_validation_row_stays_where_a_test_sentence_marks_another_pair(schema):
    shots = sample(schema)
    test = [replace(row.inverted(), id=f"t{n}") for n, row in enumerate(shots.validation)]
    assert sample_shots(ROWS, (), schema, shots=4, seed=13, test=test) == shots
    _, report = unseen_test(shots, test, "toy")
    shared = [[row.id, f"t{n}"] for n, row in enumerate(shots.validation)]
    assert report["sentences_shared_with_test"] == {"support": [], "validation": shared}


def test_ten_leaks_are_listed_and_all_are_counted(schema):
    shots = sample(schema)
    copies = [replace(row, id=f"t{n}") for n, row in enumerate(shots.support[:12])]
    listed = ", ".join(f"{row.id} = t{n}" for n, row in enumerate(shots.support[:10]))
    for refused in (
        lambda: unseen_test(shots, copies, "toy"),
        lambda: require_unseen(shots, copies, "toy"),
    ):
        with pytest.raises(SamplingError, match=rf"(?s): {listed} and 2 more\. Take them out"):
            refused()
    with pytest.raises(SamplingError, match="toy: 12 test instance"):
        unseen_test(shots, copies, "toy")
