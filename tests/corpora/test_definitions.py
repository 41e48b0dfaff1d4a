from __future__ import annotations

import pytest
import yaml

from tkre.core.schema import RelationSchema
from tkre.corpora.schema_validation import definition_findings


def told(**relations) -> list[str]:
    entries = {
        name: {"definition": definition, "phrase": phrase} | more
        for name, (definition, phrase, more) in relations.items()
    }
    schema = RelationSchema.parse(
        {"corpus": "c", "entity_types": ["firm", "person"], "relations": entries}, "relations.yml"
    )
    return [str(f) for f in definition_findings(schema, lambda name: f"at {name}")]


OWNS = ("The head is a firm that owns the tail.", "has bought", {})
RUNS = ("The head is a firm that runs the tail.", "operates", {})


def test_definitions_that_say_different_things():
    assert told(owns_it=OWNS, runs_it=RUNS) == []


def test_definitions_of_the_same_words():
    same = ("The tail is the firm that the head owns, a head.", "is owned by", {})
    same = (same[0].replace(", a head", ""), *same[1:])
    [line] = told(owns_it=OWNS, owned_by=same)
    assert "at owned_by: the definitions of owns_it and owned_by are made of the same words" in line


def test_inverses_may_be_of_the_same_words():
    one = (OWNS[0], "has bought", {"inverse": "owned_by"})
    other = ("The tail is a firm that owns the head.", "belongs to", {"inverse": "owns_it"})
    assert told(owns_it=one, owned_by=other) == []


def test_a_phrase_that_stands_twice():
    [line] = told(owns_it=OWNS, runs_it=(RUNS[0], "Has  bought", {}))
    assert "owns_it and runs_it have the same phrase, 'has bought'" in line


def test_a_definition_that_does_not_say_which_is_which():
    [line] = told(owns_it=("One firm owns the other.", "has bought", {}), runs_it=RUNS)
    assert "does not speak of both the head and the tail" in line


def test_a_name_that_explanations_will_hold():
    definition = "The head owns the tail, as in Cause-Owns."
    [line] = told(**{"Cause-Owns": (definition, "has bought", {})}, runs_it=RUNS)
    assert "at Cause-Owns: Cause-Owns stands in its own definition or phrase" in line
    # A plain word is no label to a reader, and an explanation may hold it.
    assert told(owns=OWNS, runs_it=RUNS) == []


def test_inverses_join_the_same_mentions():
    one = (OWNS[0], "has bought", {"inverse": "owned_by", "head_types": ["firm"]})
    other = ("The tail is a firm that has the head.", "belongs to",
             {"inverse": "owns_it", "tail_types": ["person"]})  # fmt: skip
    [line] = told(owns_it=one, owned_by=other)
    assert "at owns_it: owns_it has head_types [firm], its inverse owned_by tail_types" in line
    other[2]["tail_types"].append("firm")
    assert told(owns_it=one, owned_by=other) == []


def test_the_negative_relation_and_placeholders_are_let_be():
    none = ("Nothing of this holds; none.", "none", {"negative": True})
    assert told(none=none, runs_it=RUNS, mine=("TODO: The head ... the tail", "TODO", {})) == []


@pytest.mark.parametrize("corpus", ["newsroom", "semeval2010_task8", "scierc", "tacred"])
def test_the_schemas_of_the_project_are_beyond_reproach(root, corpus):
    path = root / "data/01_raw" / corpus / "relations.yml"
    schema = RelationSchema.parse(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    assert list(definition_findings(schema, str)) == []
