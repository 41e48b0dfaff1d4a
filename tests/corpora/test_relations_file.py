from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tkre.corpora.schema_validation import Level, read_relations

THEATRE = (ROOT / "docs/examples/theatre/relations.yml").read_text(encoding="utf-8")


def read(text: str):
    return read_relations(text, "theatre/relations.yml", "theatre")


def changed(*edits: tuple[str, str]) -> str:
    text = THEATRE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_file_in_order():
    relations = read(THEATRE)
    assert relations.findings == []
    assert relations.schema is not None and relations.schema.negative == "none"
    assert relations.place("directed_play") == "theatre/relations.yml, line 9"


@pytest.mark.parametrize(
    ("edit", "line", "message"),
    [
        (("    phrase: wrote", "\tphrase: wrote"), 6, "indent with blanks, not with tabs"),
        (("head is a person who wrote", "head: a person who wrote"), 5, "must stand in quotes"),
        (("    phrase: wrote", "   phrase: wrote"), 6, "indented more or less"),
        (("[person, play, theatre]", "[person, play"), 3, "a list is not closed"),
        (("  directed_play:", "  wrote_play:"), 9, "stands here and on line 4"),
        (("    phrase: directed", "    definition: x"), 11, "'definition' stands here and on"),
        (("  none:", "  no:"), 30, "YAML does not read no as a name; put it in quotes: 'no'"),
        (("  none:", "  1:"), 30, "put it in quotes: '1'"),
        (("head_types: [person]", "head_types: person"), 7, "a list is wanted: [person]"),
        (("phrase: was staged at", "phrase: yes"), 16, "put it in quotes (it is True)"),
        (("negative: true", "negative: maybe"), 33, "true or false is wanted (it is 'maybe')"),
        (("    phrase: wrote\n", ""), 4, "relations.wrote_play.phrase: it is missing"),
        (("phrase: wrote", "phrasee: wrote"), 6, "no such entry (did you mean 'phrase'?)"),
        (("entity_types", "entity_typs"), 2, "no such entry (did you mean 'entity_types'?)"),
        (("inverse: acted_with", "inverse: acted_wiht"), 29, "did you mean 'acted_with'?"),
        (("head_types: [play]", "head_types: [plai]"), 17, "type 'plai' is not one of"),
        (("phrase: wrote", "phrase: wrote\n    inverse: acted_with"), 7,
         "each must name the other"),
        (("phrase: wrote", "phrase: TODO"), 4, "wrote_play is still to be written: phrase"),
        (("[person, play, theatre]", "TODO"), 2, "entity_types is still to be written"),
    ],
)  # fmt: skip
def test_errors_name_their_lines(edit, line, message):
    errors = [f for f in read(changed(edit)).findings if f.level == Level.ERROR]
    assert any(
        f.place == f"theatre/relations.yml, line {line}" and message in f.message for f in errors
    ), [str(f) for f in errors]


def test_all_that_does_not_fit_is_told_at_once():
    edits = (("head_types: [play]", "head_types: [plai]"), ("inverse: acted_with", "inverse: x"),
             ("phrase: directed", "phrase: directed\n    inverse: wrote_play"))  # fmt: skip
    assert len(read(changed(*edits)).findings) == 3


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "theatre\n"])
def test_files_of_another_kind(text):
    relations = read(text)
    assert relations.schema is None
    [finding] = relations.findings
    assert "it does not hold `corpus: <name>`" in finding.message


def test_characters_that_yaml_has_no_place_for():
    [finding] = read("corpus: a\x00b\n").findings
    assert finding.level == Level.ERROR and "not YAML" in finding.message


def test_placeholders_do_not_keep_rows_from_being_checked():
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
        (("  acted_with:", "  NA:"), Level.WARNING, "missing value"),
    ],
)
def test_what_is_seldom_meant(edit, level, message):
    edits = [edit]
    if "NA" in edit[1]:
        edits.append(("inverse: acted_with", "inverse: NA"))
    findings = read(changed(*edits)).findings
    assert [f.level for f in findings if message in f.message] == [level]
    assert not [f for f in findings if f.level == Level.ERROR]
