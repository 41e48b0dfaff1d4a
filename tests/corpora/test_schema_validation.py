from __future__ import annotations

import pytest
import yaml

from tests.conftest import ROOT
from tkre.core.schema import RelationSchema, SchemaError
from tkre.corpora.scaffold import check_label
from tkre.corpora.schema_validation import (
    Finding,
    Level,
    count_levels,
    definition_findings,
    finding_lines,
    read_relations,
)


# findings
def test_errors_first_and_kinds_cut():
    bad = [Finding(Level.ERROR, f"f, line {n}", "bad", "bad rows") for n in range(25)]
    lines = list(finding_lines([Finding(Level.NOTE, "", "a note"), *bad]))
    assert lines[0] == "error    f, line 0: bad"
    assert lines[20] == "error    ... and 5 more: bad rows"
    assert lines[21:] == ["note     a note"]


def test_findings_without_kind_are_not_cut():
    findings = [Finding(Level.WARNING, "", str(n)) for n in range(30)]
    assert len(list(finding_lines(findings))) == 30


def test_counts():
    findings = [Finding(Level.ERROR, "", "x"), Finding(Level.NOTE, "", "y")]
    assert count_levels(findings) == {Level.ERROR: 1, Level.WARNING: 0, Level.NOTE: 1}


# definitions
def findings_of(**relations) -> list[str]:
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


def test_distinct_definitions():
    assert findings_of(owns_it=OWNS, runs_it=RUNS) == []


def test_definitions_of_the_same_words():
    same = ("The tail is the firm that the head owns, a head.", "is owned by", {})
    same = (same[0].replace(", a head", ""), *same[1:])
    [line] = findings_of(owns_it=OWNS, owned_by=same)
    assert "at owned_by: the definitions of owns_it and owned_by are made of the same words" in line


def test_inverses_may_share_words():
    one = (OWNS[0], "has bought", {"inverse": "owned_by"})
    other = ("The tail is a firm that owns the head.", "belongs to", {"inverse": "owns_it"})
    assert findings_of(owns_it=one, owned_by=other) == []


def test_repeated_phrase():
    [line] = findings_of(owns_it=OWNS, runs_it=(RUNS[0], "Has  bought", {}))
    assert "owns_it and runs_it have the same phrase, 'has bought'" in line


def test_definition_without_head_and_tail():
    [line] = findings_of(owns_it=("One firm owns the other.", "has bought", {}), runs_it=RUNS)
    assert "does not speak of both the head and the tail" in line


@pytest.mark.parametrize(
    "definition",
    [
        "头实体（人）出生于尾实体（地方）。",
        "Der Kopf ist eine Person, die im Schwanz geboren wurde.",
        "La testa è una persona nata a Roma o in un altro luogo.",
    ],
)
def test_definitions_in_other_languages_are_not_judged(definition):
    assert findings_of(owns_it=(definition, "出生于", {}), runs_it=RUNS) == []


def test_name_in_its_own_definition():
    definition = "The head owns the tail, as in Cause-Owns."
    [line] = findings_of(**{"Cause-Owns": (definition, "has bought", {})}, runs_it=RUNS)
    assert "at Cause-Owns: Cause-Owns stands in its own definition or phrase" in line
    # A plain word is no label to a reader, and an explanation may hold it.
    assert findings_of(owns=OWNS, runs_it=RUNS) == []


def test_inverse_types_must_overlap():
    one = (OWNS[0], "has bought", {"inverse": "owned_by", "head_types": ["firm"]})
    other = ("The tail is a firm that has the head.", "belongs to",
             {"inverse": "owns_it", "tail_types": ["person"]})  # fmt: skip
    [line] = findings_of(owns_it=one, owned_by=other)
    assert "at owns_it: owns_it has head_types [firm], its inverse owned_by tail_types" in line
    other[2]["tail_types"].append("firm")
    assert findings_of(owns_it=one, owned_by=other) == []


def test_negative_relation_and_placeholders_are_not_checked():
    none = ("Nothing of this holds; none.", "none", {"negative": True})
    assert (
        findings_of(none=none, runs_it=RUNS, mine=("TODO: The head ... the tail", "TODO", {})) == []
    )


@pytest.mark.parametrize("corpus", ["newsroom", "semeval2010_task8", "scierc", "tacred"])
def test_schemas_of_the_project_have_no_findings(root, corpus):
    path = root / "data/01_raw" / corpus / "relations.yml"
    schema = RelationSchema.parse(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    assert list(definition_findings(schema, str)) == []


# relations_file
THEATRE = (ROOT / "docs/examples/theatre/relations.yml").read_text(encoding="utf-8")


def read(text: str):
    return read_relations(text, "theatre/relations.yml", "theatre")


def changed(*edits: tuple[str, str]) -> str:
    text = THEATRE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_valid_relations_file():
    relations = read(THEATRE)
    assert relations.findings == []
    assert relations.schema is not None and relations.schema.negative == "none"
    assert relations.relation_place("directed_play") == "theatre/relations.yml, line 9"


@pytest.mark.parametrize(
    ("edit", "line", "message"),
    [
        (("    phrase: wrote", "\tphrase: wrote"), 6, "indent with blanks, not with tabs"),
        (("head is a person who wrote", "head: a person who wrote"), 5, "must stand in quotes"),
        (("    phrase: wrote", "   phrase: wrote"), 6, "indented more or less"),
        (("[person, play, theatre]", "[person, play"), 3, "a list is not closed"),
        (("  directed_play:", "  wrote_play:"), 9, "stands here and on line 4"),
        (("    phrase: directed", "    definition: x"), 11, "'definition' stands here and on"),
        (("head_types: [person]", "head_types: person"), 7, "a list is wanted: [person]"),
        (("negative: true", "negative: maybe"), 33, "true or false is wanted (it is 'maybe')"),
        (("    phrase: wrote\n", ""), 4, "relations.wrote_play.phrase: it is missing"),
        (("phrase: wrote", "phrasee: wrote"), 6, "no such entry (did you mean 'phrase'?)"),
        (("entity_types", "entity_typs"), 2, "no such entry (did you mean 'entity_types'?)"),
        (("inverse: acted_with", "inverse: acted_wiht"), 29, "did you mean 'acted_with'?"),
        (("head_types: [play]", "head_types: [plai]"), 17, "type 'plai' is not one of"),
        (("phrase: wrote", "phrase: wrote\n    inverse: acted_with"), 7,
         "each must name the other"),
        (("phrase: wrote", "phrase: wrote\n    forms:\n    - '{head}, {tail}'\n    - '{head}!'"),
         9, "forms.1: a sentence with {head} once and {tail} once is wanted (it is '{head}!')"),
        (("phrase: wrote", "phrase: TODO"), 4, "wrote_play is still to be written: phrase"),
        (("[person, play, theatre]", "TODO"), 2, "entity_types is still to be written"),
    ],
)  # fmt: skip
def test_errors_name_their_lines(edit, line, message):
    errors = [f for f in read(changed(edit)).findings if f.level == Level.ERROR]
    assert any(
        f.place == f"theatre/relations.yml, line {line}" and message in f.message for f in errors
    ), [str(f) for f in errors]


def test_all_schema_errors_at_once():
    edits = (("head_types: [play]", "head_types: [plai]"), ("inverse: acted_with", "inverse: x"),
             ("phrase: directed", "phrase: directed\n    inverse: wrote_play"))  # fmt: skip
    assert len(read(changed(*edits)).findings) == 3


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "theatre\n"])
def test_files_of_another_kind(text):
    relations = read(text)
    assert relations.schema is None
    [finding] = relations.findings
    assert "it does not hold `corpus: <name>`" in finding.message


def test_invalid_yaml_characters():
    [finding] = read("corpus: a\x00b\n").findings
    assert finding.level == Level.ERROR and "not YAML" in finding.message


def test_schema_without_placeholders_is_usable():
    edits = ("inverse: acted_with", "inverse: TODO"), ("[play]", "[TODO]")
    relations = read(changed(*edits))
    assert relations.schema is not None
    assert relations.schema.relations["acted_with"].inverse is None
    assert all(f.kind == "placeholders" for f in relations.findings)


@pytest.mark.parametrize(
    ("edit", "level", "message"),
    [
        (("corpus: theatre", "corpus: theater"), Level.WARNING, "run as 'theatre'"),
        (("    negative: true\n", ""), Level.NOTE, "no relation is negative"),
        (("play, theatre]", "play, theatre, film]"), Level.NOTE, "entity type film"),
    ],
)
def test_unusual_schemas(edit, level, message):
    findings = read(changed(edit)).findings
    assert [f.level for f in findings if message in f.message] == [level]
    assert not [f for f in findings if f.level == Level.ERROR]


NAMES = ["NA", "no", "null", "~", "1", "2024-01-01", "1.10", "true", "part of / whole", "is: a"]


@pytest.mark.parametrize(
    "name", ["", " ", "a ", "a\\nb", "a\\u2028b", "a\\e[31mb", "a\\u0085b", "\\0"]
)
@pytest.mark.parametrize("old", ["  acted_with:", "entity_types: ["])
def test_what_is_no_name_is_refused(name, old):
    """It would drive terminals, or look like another one, in every message and table."""
    new = f'  "{name}":' if old.endswith(":") else f'{old}"{name}", '
    text = changed((old, new)).replace("inverse: acted_with", "")
    problems = [str(f) for f in read(text).findings if f.level == Level.ERROR]
    assert len(problems) == 1 and "a name is not empty" in problems[0] and "\x1b" not in problems[0]
    assert "relations.yml" in problems[0]
    with pytest.raises(SchemaError, match="a name is not empty"):
        RelationSchema.read(text, "relations.yml")


@pytest.mark.parametrize(
    ("one", "other"), [("caf\u00e9", "cafe\u0301"), ("owner's", "owner\u2019s"), ("ab", "a\u200bb")]
)
def test_names_in_two_unicode_forms_are_refused(one, other):
    entry = "{{definition: The head is {0} of the tail., phrase: is {0}}}"
    relations = "".join(f'  "{n}": {entry.format(k)}\n' for k, n in ((1, one), (2, other)))
    [problem] = read(
        f"corpus: c\nrelations:\n{relations}",
    ).findings
    assert "in another Unicode form" in problem.message and problem.message.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_any_text_is_a_name(name):
    """As it is written, without quotes where YAML would take it for another kind of value."""
    written = f"'{name}'" if ": " in name else name
    edits = (("  acted_with:", f"  {written}:"), ("inverse: acted_with", f"inverse: '{name}'"))
    found = read(changed(*edits))
    assert not [f for f in found.findings if f.level == Level.ERROR]
    assert found.schema.relations[name].inverse == name
    schema = RelationSchema.read(changed(*edits), "relations.yml")
    assert schema == found.schema
    check_label("relation", name)
