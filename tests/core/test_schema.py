from __future__ import annotations

import re

import pytest
import yaml

from tkre.core.schema import RelationSchema, SchemaError


def relation(**fields):
    return {"definition": "d", "phrase": "p", **fields}


def parse(relations, **fields):
    return RelationSchema.parse(
        {"corpus": "c", "relations": relations, **fields}, "c/relations.yml"
    )


def test_names_are_sorted_and_the_negative_is_found_by_name():
    schema = parse({"b": relation(), "Other": relation(negative=True), "a": relation()})
    assert schema.names == ["Other", "a", "b"]
    assert schema.negative == "Other"
    assert parse({"a": relation(), "b": relation()}).negative is None


def test_inverses():
    schema = parse(
        {"a": relation(inverse="b"), "b": relation(inverse="a"), "s": relation(inverse="s"),
         "n": relation(negative=True), "x": relation()}
    )  # fmt: skip
    assert [schema.inverse_of(n) for n in "absnx"] == ["b", "a", "s", None, None]
    relations = {name: r for name, r in schema.relations.items() if name != "x"}
    named = schema.model_copy(update={"relations": relations})
    assert [named.inverse_of(n) for n in "absn"] == ["b", "a", "s", "n"]


@pytest.mark.parametrize(
    ("relations", "fields", "problem"),
    [
        ({"a": relation()}, {}, "at least two"),
        ({"a": relation(negative=True), "b": relation(negative=True)}, {}, "only one"),
        ({"a": relation(inverse="bb"), "b": relation()}, {}, "inverse 'bb'.*did you mean 'b'"),
        ({"a": relation(inverse="b"), "b": relation()}, {}, "each must name the other"),
        ({"a": relation(head_types=["persn"]), "b": relation()},
         {"entity_types": ["person"]}, "persn.*did you mean 'person'"),
        ({"a": relation(colour="red"), "b": relation()}, {}, "relations.a.colour"),
        ({"a": {"phrase": "p"}, "b": relation()}, {}, "relations.a.definition"),
    ],
)  # fmt: skip
def test_inconsistent_schemas_name_the_entry(relations, fields, problem):
    with pytest.raises(SchemaError, match=f"c/relations.yml(.|\n)*{problem}"):
        parse(relations, **fields)


def test_allows(schema):
    assert schema.allows("lives_in", "person", "place")
    assert schema.allows("lives_in", None, None)
    assert not schema.allows("lives_in", "place", "person")
    assert schema.allows("none", "place", "place")


@pytest.mark.parametrize(
    ("corpus", "count", "negative"),
    [
        ("newsroom", 11, "no_relation"),
        ("semeval2010_task8", 19, "Other"),
        ("scierc", 7, None),
        ("tacred", 42, "no_relation"),
        ("retacred", 40, "no_relation"),
        ("chemprot", 13, None),
    ],
)
def test_shipped_schemas(root, corpus, count, negative):
    path = root / "data" / "01_raw" / corpus / "relations.yml"
    schema = RelationSchema.parse(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    assert len(schema.relations) == count
    assert schema.negative == negative
    assert schema.corpus == corpus
    phrases = [r.phrase for r in schema.relations.values()]
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_retacred_schema_has_the_labels_of_its_maps(root, shared, split):
    import json

    raw = yaml.safe_load((root / "data/01_raw/retacred/relations.yml").read_text(encoding="utf-8"))
    labels = set(json.loads((shared / f"retacred/{split}_id2label.json").read_text()).values())
    assert labels <= set(raw["relations"])


def test_tacred_schema_has_the_labels_of_the_patch(root, shared):
    import json

    raw = yaml.safe_load((root / "data/01_raw/tacred/relations.yml").read_text(encoding="utf-8"))
    for split in ("dev", "test"):
        patch = json.loads((shared / f"tacrev/{split}_patch.json").read_text())
        assert {row["relation"] for row in patch} <= set(raw["relations"])


def test_all_errors_are_reported_at_once():
    relations = {"a": relation(inverse="x"), "b": relation(head_types=["y"]), "c": relation()}
    with pytest.raises(SchemaError) as refused:
        parse(relations)
    told = str(refused.value).splitlines()
    assert len(told) == 3 and "a: its inverse 'x'" in told[1] and "b: type 'y'" in told[2]


@pytest.mark.parametrize("name", ["lives in", "owns", "gehört"])
def test_a_plain_word_is_not_taken_for_a_label(name):
    schema = parse({name: relation(), "x_y": relation(), "no_relation": relation(negative=True)})
    assert not schema.spelled_out(name, f"Ada {name} Rome")
    assert schema.spelled_out("x_y", "Ada x_y Rome") and not schema.spelled_out("x_y", "x y")
    assert not schema.spelled_out("no_relation", "It is no_relation.")


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("{head} left.", "a sentence with {head} once and {tail} once is wanted"),
        ("{head} met {tail}, and {tail} left.", "once and {tail} once"),
        ("{head} met {tail!r}.", "once and {tail} once"),
        ("{head.__class__} met {tail}.", "once and {tail} once"),
        ("{head} met {tail} {", "a brace of the text is written twice"),
    ],
)
def test_forms_name_head_and_tail(form, problem):
    assert parse({"a": relation(forms=["{tail} met {head}."]), "b": relation()})
    with pytest.raises(SchemaError, match=re.escape(problem)):
        parse({"a": relation(forms=["{tail} met {head}.", form]), "b": relation()})


@pytest.mark.parametrize(
    ("language", "hint"),
    [("german", "did you mean 'de'"), ("Chinese", "did you mean 'zh'"), ("d", "such as zh")],
)
def test_a_language_is_a_code(schema, language, hint):
    raw = schema.model_dump(exclude_defaults=True)
    assert RelationSchema.parse(raw | {"language": "gsw"}, "r").language == "gsw"
    with pytest.raises(SchemaError, match=hint):
        RelationSchema.parse(raw | {"language": language}, "r")
