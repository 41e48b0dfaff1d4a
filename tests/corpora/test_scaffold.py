from __future__ import annotations

import json

import pytest
import yaml

from tkre.core.schema import RelationSchema, SchemaError
from tkre.corpora.params import CorpusParams
from tkre.corpora.scaffold import (
    Scaffold,
    ScaffoldError,
    check_label,
    check_name,
    is_placeholder,
    names_in,
)
from tkre.corpora.schema_validation import read_relations

TYPED = Scaffold("mine", ("owns", "lives_in"), ("person", "place"), "none")


def test_every_relation_has_an_entry_and_a_row_with_its_name():
    files = TYPED.files()
    relations = yaml.safe_load(files["relations.yml"])
    rows = [json.loads(line) for line in files["train.jsonl"].splitlines()]
    assert list(relations["relations"]) == ["owns", "lives_in", "none"]
    assert [row["relation"] for row in rows] == ["owns", "lives_in", "none"]
    assert relations["relations"]["none"]["negative"] is True
    assert relations["entity_types"] == ["person", "place"]
    assert {*rows[0]} == {"id", "sentence", "head_type", "tail_type", "relation"}


def test_placeholders_prevent_a_run():
    with pytest.raises(SchemaError, match="TODO"):
        RelationSchema.parse(yaml.safe_load(TYPED.files()["relations.yml"]), "relations.yml")
    untyped = Scaffold("mine", ("a", "b")).files()
    with pytest.raises(SchemaError, match="TODO"):
        RelationSchema.parse(yaml.safe_load(untyped["relations.yml"]), "relations.yml")
    assert "head_type" not in untyped["train.jsonl"]


def test_all_placeholders_are_found():
    read = read_relations(TYPED.files()["relations.yml"], "relations.yml", "mine")
    messages = [f.message for f in read.findings if f.kind == "placeholders"]
    assert [line.split()[0] for line in messages] == ["relations.owns", "relations.lives_in"]
    assert all("definition, phrase, head_types, tail_types, inverse" in line for line in messages)


def test_configuration_files():
    configuration = TYPED.configuration()
    corpus = yaml.safe_load(configuration["parameters_corpora_mine.yml"])["corpora"]["mine"]
    assert CorpusParams.model_validate(corpus).files() == {"train": "train.jsonl"}
    there = TYPED.configuration({"test.jsonl"})["parameters_corpora_mine.yml"]
    files = CorpusParams.model_validate(yaml.safe_load(there)["corpora"]["mine"]).files()
    assert files == {"train": "train.jsonl", "test": "test.jsonl"}
    experiment = yaml.safe_load(configuration["experiments_mine.yml"])["mine"]
    assert experiment["corpora"] == ["mine"]
    assert experiment["variants"] == ["typ_marker", "spans_golden"]


def test_ambiguous_yaml_names_are_quoted():
    text = Scaffold("mine", ("no", "1", "a: b")).files()["relations.yml"]
    assert list(yaml.safe_load(text)["relations"]) == ["no", "1", "a: b"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("my.corpus", "'my_corpus' would do"),
        ("11 relations", "'corpus_11_relations' would do"),
        ("\u00e9t\u00e9", "'t' would do"),
        ("-", "'my_relations' would do"),
        ("a/b", "'a_b' would do"),
    ],
)
def test_invalid_corpus_names(name, problem):
    with pytest.raises(ScaffoldError, match=problem):
        check_name(name)


def test_taken_names_in_any_case():
    with pytest.raises(ScaffoldError, match="there is a corpus or a pipeline 'Demo'"):
        check_name("demo", ["x", "Demo"])
    check_name("demo2", ["demo"])


@pytest.mark.parametrize(
    ("relations", "negative", "problem"),
    [
        (("a", "a"), None, "relation a stands more than once"),
        (("a",), None, "at least two relations"),
        (("a", "b\nc"), None, "a name is not empty"),
    ],
)
def test_invalid_relations(relations, negative, problem):
    with pytest.raises(ScaffoldError, match=problem):
        Scaffold("mine", relations, (), negative)


def test_placeholder_is_not_a_name():
    with pytest.raises(ScaffoldError):
        check_label("relation", "TODO")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("TODO", True), (" TODO: x", True), ("A TODO list", False), ("TODOs", False), (None, False)],
)
def test_placeholders(text, is_one):
    assert is_placeholder(text) == is_one


def test_names_in_existing_rows():
    rows = [
        {"relation": "owns", "head_type": "person", "tail_type": "car"},
        {"relation": "sells", "head_type": "car", "tail_type": 3},
        {"relation": "owns"},
    ]
    text = "\n".join([*map(json.dumps, rows), "{not json", "[]"])
    assert names_in(text, "train.jsonl") == (("owns", "sells"), ("person", "car"))
    assert names_in("\n", "train.jsonl") == ((), ())


@pytest.mark.parametrize("text", ["{not json\n", "\n[]\n{}x\n", '[\n{"relation": "a"},\n]\n'])
def test_rows_of_which_none_can_be_read_are_refused_with_their_line(text):
    with pytest.raises(ScaffoldError, match=r"train\.jsonl, line [12]: .*no line of it"):
        names_in(text.replace("},", "},,"), "train.jsonl")
