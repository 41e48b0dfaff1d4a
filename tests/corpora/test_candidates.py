from __future__ import annotations

import json
import sys
import time
import unicodedata

import pytest

from tkre.core.instance import Span
from tkre.corpora.candidates import (
    CandidateCounts,
    Mention,
    Pairs,
    SpacyError,
    SpacyMentions,
    candidates,
    read_sentences,
)
from tkre.corpora.mention_list import MentionList, read_mentions
from tkre.corpora.reading import CorpusError
from tkre.corpora.records import instance_problem
from tkre.corpora.unlabelled import read_unlabelled

# candidates
MENTIONS = MentionList(
    [("Ada", "person"), ("Bert", "person"), ("Oslo", "place"), ("Rome", "place")],
    ignore_case=False,
)


def made(lines, pairs=None, *, as_json=False):
    counts = CandidateCounts()
    sentences = read_sentences(lines, json=as_json, counts=counts)
    find = lambda texts: map(MENTIONS.find, texts)  # noqa: E731
    return list(candidates(sentences, find, pairs or Pairs(), counts)), counts


def test_all_ordered_pairs():
    records, counts = made(["Ada left Bert in Oslo.\n"])
    assert len(records) == 6 and counts.pairs == 6
    text = "".join(json.dumps(r) + "\n" for r in records)
    read = read_unlabelled(text, "out.jsonl", lambda _: None)
    assert {(i.head_text, i.tail_text) for i in read} == {
        (a, b) for a in ("Ada", "Bert", "Oslo") for b in ("Ada", "Bert", "Oslo") if a != b
    }
    assert all(i.text == "Ada left Bert in Oslo." for i in read)
    assert {(i.head_text, i.head_type) for i in read} == {
        ("Ada", "person"), ("Bert", "person"), ("Oslo", "place"),
    }  # fmt: skip
    assert [r["id"] for r in records] == [f"line-1/{n}" for n in range(1, 7)]


def test_pairs_in_text_order():
    records, _ = made(["Oslo and Ada"], Pairs(both_ways=False))
    assert [r["sentence"] for r in records] == ["<head>Oslo</head> and <tail>Ada</tail>"]


def test_closest_pairs_are_kept():
    records, counts = made(["Ada Bert went from Oslo to Rome"], Pairs(both_ways=False, most=2))
    assert [r["sentence"].count("Ada</head> <tail>Bert") for r in records] == [1, 0]
    assert "<head>Oslo</head> to <tail>Rome</tail>" in records[1]["sentence"]
    assert counts.beyond == 4 and counts.pairs == 2


def test_pairs_with_impossible_types_are_dropped(schema):
    # lives_in: person, place; home_of: place, person; knows: person, person. "none" joins any.
    records, counts = made(["Ada in Oslo or Rome"], Pairs(schema=schema))
    kinds = {(r["head_type"], r["tail_type"]) for r in records}
    assert kinds == {("person", "place"), ("place", "person")}
    assert (counts.pairs, counts.ruled_out) == (4, 2)


def test_an_id_that_stands_twice_gets_a_number():
    lines = [json.dumps({"id": i, "sentence": "Ada met Bert."}) for i in ("d", "d", "d-2", "e")]
    records, _ = made(lines, Pairs(both_ways=False), as_json=True)
    assert [r["id"] for r in records] == ["d/1", "d-2/1", "d-2-2/1", "e/1"]
    text = "".join(json.dumps(r) + "\n" for r in records)
    assert len(read_unlabelled(text, "out.jsonl", lambda _: None)) == 4


def test_sentences_without_a_pair_are_counted():
    _, counts = made(["Nobody here", "Ada alone", "Ada and Bert", "", "  \n"])
    assert (counts.sentences, counts.no_mention, counts.one_mention) == (3, 1, 1)
    assert counts.mentions == 3 and counts.kinds == {"person": 3}


def test_json_lines_keep_their_ids():
    lines = [json.dumps({"id": given, "sentence": "Ada and Bert", "source": "x"})
             for given in (7, 0, "a", "", None)]  # fmt: skip
    records, _ = made(lines, Pairs(both_ways=False), as_json=True)
    assert [r["id"] for r in records] == ["7/1", "0/1", "a/1", "line-4/1", "line-5/1"]


@pytest.mark.parametrize(
    ("line", "as_json", "problem"),
    [
        ("{not json", True, "line 2: not JSON"),
        ('{"words": "Ada"}', True, "line 2: key 'sentence' is missing"),
        ("A <head> in a sentence", False, "line 2: it has a tag of ours"),
        ("<head>Ada</head> <tail>Bert</tail>", False, "line 2: its pair is marked already"),
    ],
)
def test_bad_lines_are_skipped(line, as_json, problem):
    good = '{"sentence": "Ada and Bert"}' if as_json else "Ada and Bert"
    records, counts = made([good, line, good], as_json=as_json)
    assert len(records) == 4 and counts.sentences == 2
    [bad] = counts.bad
    assert bad.startswith(problem)


def test_finder_may_read_ahead():
    def in_one_batch(texts):
        texts = list(texts)  # as spaCy reads a batch before it gives the first document
        return [MENTIONS.find(text) for text in texts]

    counts = CandidateCounts()
    sentences = [("a", "Ada and Bert"), ("b", "Rome"), ("c", "Oslo and Rome")]
    records = list(candidates(iter(sentences), in_one_batch, Pairs(both_ways=False), counts))
    assert [(r["id"], r["head_type"]) for r in records] == [("a/1", "person"), ("c/1", "place")]


@pytest.mark.parametrize(
    ("text", "spans", "kept"),
    [
        ("Ada met Bert", [(0, 3, "person"), (0, 3, "poet"), (8, 12, "person")], 4),
        ("Ada met Bert", [(0, 3, "person"), (0, 3, "person")], 0),
        ("Ada Holt Bert", [(0, 8, "person"), (4, 13, "person")], 0),
        ("Ada Holt Bert", [(0, 8, "person"), (4, 8, "person")], 2),  # one may hold the other
        ("Ada \u200b\u200b Bert", [(0, 3, "person"), (4, 6, None)], 0),
        ("Ada met </head> Bert", [(0, 3, "person"), (16, 20, "person")], 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("most", [1, 30])
def test_pairs_that_other_commands_refuse_are_counted(text, spans, kept, most):
    mentions = [Mention(Span(start, end), kind) for start, end, kind in spans]
    counts = CandidateCounts()
    find = lambda texts: (mentions for _ in texts)  # noqa: E731
    records = list(candidates([("a", text)], find, Pairs(most=most), counts))
    written = "".join(json.dumps(r) + "\n" for r in records)
    read = read_unlabelled(written, "out.jsonl", lambda _: None) if records else []
    assert len(read) == len(records) == min(kept, most) == counts.pairs
    assert not [row for row in read if instance_problem(row, None)]
    assert counts.refused == len(spans) * (len(spans) - 1) - kept
    assert counts.beyond == kept - counts.pairs


def test_a_chapter_on_a_line_is_paired_in_seconds():
    """Its 360,000 pairs were all written and read again to be counted."""
    text = " ".join(["Ada met Bo", *["in the town"] * 20] * 300)
    finder = MentionList([("Ada", "person"), ("Bo", "person")], ignore_case=False)
    started = time.process_time()
    kept, left = Pairs(most=30).of(text, finder.find(text))
    assert time.process_time() - started < 20
    assert len(kept) == 30 and left == {"ruled_out": 0, "refused": 0, "beyond": 600 * 599 - 30}


# mentions
def found(names, text, *, ignore_case=False):
    mentions = MentionList(names, ignore_case=ignore_case).find(text)
    return [(m.span.of(text), m.kind) for m in mentions]


NAMES = [("New York", "place"), ("New York Times", "paper"), ("Ada", "person"), ("O'Neil", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada reads the New York Times in New York.",
         [("Ada", "person"), ("New York Times", "paper"), ("New York", "place")]),
        ("Adam and Canada are no mentions; Ada's book is one.", [("Ada", "person")]),
        ("NEW YORK, ada", []),
        ("O'Neil met Ada,Ada.", [("O'Neil", None), ("Ada", "person"), ("Ada", "person")]),
        ("New\u00a0York or New  York", [("New\u00a0York", "place"), ("New  York", "place")]),
        ("", []),
    ],
)  # fmt: skip
def test_longest_match_of_whole_words(text, expected):
    assert found(NAMES, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "김민수는 남서울에서 서울대학교로 갔다. 서울은",
            ["김민수", "서울"],
        ),
        ("周明远在12月2日去了林晓燕家", ["周明远", "2日", "林晓燕"]),  # not "2月" in "12月"
        ("สมชายเกิดที่กรุงเทพฯ แก้วอยู่เกาะ", ["สมชาย", "กรุงเทพ", "แก้ว"]),  # not within ko
        ("ホンダのアンはアンドレ", ["ホンダ", "アン"]),
    ],
)
def test_names_of_scripts_without_blanks_or_with_particles(text, expected):
    names = "김민 김민수 서울 周明远 林晓燕 2月 2日 สมชาย กรุงเทพ แก แก้ว กา ホンダ アン".split()
    assert [name for name, _ in found([(name, None) for name in names], text)] == expected


def test_ignore_case():
    text = "NEW YORK, ada, Stra\u00dfe and STRASSE"
    names = [*NAMES, ("Stra\u00dfe", "place")]
    assert [m for m, _ in found(names, text, ignore_case=True)] == [
        "NEW YORK", "ada", "Stra\u00dfe", "STRASSE",
    ]  # fmt: skip


def test_composed_and_decomposed_accents():
    name = unicodedata.normalize("NFD", "\u00c5lesund")
    assert found([(name, "place")], "in \u00c5lesund") == [("\u00c5lesund", "place")]
    assert found([("\u00c5lesund", "place")], f"in {name}") == [(name, "place")]


def test_names_in_other_quotes_and_blanks_are_found_where_they_stand():
    text = "\u200bthe Harvester\u2019s\xa0Lunch of\u2009Ada"
    assert found([("Harvester's Lunch", "object"), ("Ada", None)], text) == [
        ("Harvester\u2019s\xa0Lunch", "object"), ("Ada", None),
    ]  # fmt: skip
    [record], _ = made(["Ada\u0301 and Ada met Be\u0301la in Oslo"], Pairs(both_ways=False))
    assert record["sentence"] == (  # as the user wrote it; "Ada" with an accent is another name
        "Ada\u0301 and <head>Ada</head> met Be\u0301la in <tail>Oslo</tail>"
    )


def test_one_name_in_two_forms_has_one_type():
    lines = "O'Neil\tperson\nO\u2019Neil\tplace\n"
    with pytest.raises(CorpusError, match="is a place here and a person on line 1"):
        read_mentions(lines, "names.tsv", ignore_case=False)


def test_empty_mention_list():
    assert found([], "Ada") == []


def test_mention_files_tab_separated_or_json():
    text = 'Ada\tperson\n\nOslo\r\n{"mention": "New York", "type": "place"}\nAda\tperson\n'
    read = read_mentions(text, "names.tsv", ignore_case=False)
    assert len(read) == 3 and read.types == {"person", "place"}
    assert [m.kind for m in read.find("Ada, Oslo, New York")] == ["person", None, "place"]


@pytest.mark.parametrize("cell", ['"Holt, Vera"', ' "Holt, Vera" ', "Holt, Vera"])
def test_names_in_the_quotes_of_a_spreadsheet(cell):
    read = read_mentions(f'{cell}\t"person"\n', "names.tsv", ignore_case=False)
    assert [m.kind for m in read.find("Dear Holt, Vera!")] == ["person"]


def test_types_in_quotes_are_known_behind_other_signs():
    with pytest.raises(CorpusError, match="line 2: a tab stands between a name and its type"):
        read_mentions('Ada\t"person"\nBo,person\n', "names.tsv", ignore_case=False)


def test_quotes_within_a_name_stay():
    read = read_mentions('"The ""Big"" Inn"\tplace\n"A" and "B"\tplace\n', "n", ignore_case=False)
    found = ['The "Big" Inn', '"A" and "B"']
    assert [m.span.of(text) for text in found for m in read.find(text)] == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Ada\tperson\nAda\tplace\n", "names.tsv, line 2: 'Ada' is a place here and a person on "
                                      "line 1"),
        ("Ada\tperson\tx\n", "line 1: 2 tabs"),
        ("\tperson\n", "line 1: no name before the type"),
        ("...\tperson\n", "line 1: no name"),
        ('{"mentoin": "Ada"}\n', "unknown key 'mentoin' .did you mean 'mention'"),
        ('{"mention": 3}\n', "mention must be a text"),
        ("", "no name in it"),
    ],
)  # fmt: skip
def test_bad_mention_lines(text, problem):
    with pytest.raises(CorpusError, match=problem):
        read_mentions(text, "names.tsv", ignore_case=False)


def test_one_type_per_name_with_ignored_case():
    with pytest.raises(CorpusError, match="'ADA' is a place here"):
        read_mentions("Ada\tperson\nADA\tplace\n", "names", ignore_case=True)


@pytest.mark.parametrize("header", ["name\ttype", "Mention\tLabel", "text\ttype"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_header_of_a_list_is_no_name(header, end):
    names = f"Ada\tperson{end}Bo\tperson{end}"
    assert len(read_mentions(names, "f", ignore_case=False)) == 2
    with pytest.raises(CorpusError, match=r"f, line 1: a header"):
        read_mentions(f"{header}{end}{names}", "f", ignore_case=False)


@pytest.mark.parametrize("line", ["Ada Byron,person", "Ada; person", "Ada, Countess,person "])
def test_comma_instead_of_tab(line):
    with pytest.raises(CorpusError, match=r"m\.tsv, line 1: a tab stands between a name and its"):
        read_mentions(line, "m.tsv", ignore_case=False, types=("person", "place"))
    with pytest.raises(CorpusError, match=r"line 1: a tab stands .* not blanks"):
        read_mentions("Ada Byron    person", "m.tsv", ignore_case=False)
    # As JSON it is what it says.
    whole = '{"mention": "Ada, person"}'
    assert read_mentions(whole, "m.tsv", ignore_case=False, types=("person",))
    assert read_mentions("Baker, Sons, Ltd", "m.tsv", ignore_case=False, types=("person",))


@pytest.mark.parametrize("sign", [" ", "  ", "|", " | ", ",", "; ", ",  "])
@pytest.mark.parametrize("kind", ["person", "work of art"])
@pytest.mark.parametrize("known", [True, False])
def test_any_other_sign_than_a_tab_is_refused_by_the_types_that_are_known(sign, kind, known):
    torn = f"Selma Okafor{sign}{kind}"
    text = torn if known else f"Theo Marchetti\t{kind}\n{torn}"
    with pytest.raises(CorpusError, match=r"m\.tsv, line [12]: a tab stands .*write {\"mention\""):
        read_mentions(text, "m.tsv", ignore_case=False, types=(kind,) if known else ())
    as_a_whole = json.dumps({"mention": torn})
    assert read_mentions(as_a_whole, "m.tsv", ignore_case=False, types=(kind,))
    assert read_mentions(f"{kind}\nGlobe Person", "m.tsv", ignore_case=False, types=(kind,))


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_table_of_names_without_a_tab_is_refused(sign):
    text = "".join(f"{name}{sign}person\n" for name in ("Ada", "Bo, Jr", "Cy"))
    with pytest.raises(CorpusError, match=r"3 bad line.*\n  m\.csv, line 1: a tab stands"):
        read_mentions(text, "m.csv", ignore_case=False)
    assert (
        len(read_mentions(f"Baker{sign} Sons\nHolt{sign} Bros\nAda\n", "m", ignore_case=False)) == 3
    )


@pytest.mark.parametrize(
    "text",
    ['["Ada", "Bo"]', '\n[{"mention": "Ada", "type": "person"},\n {"mention": "Bo"}]\n',
     '["Ada", "person"]\n["Bo", "person"]\n'],
)  # fmt: skip
def test_a_json_list_is_no_name(text):
    with pytest.raises(CorpusError, match=r"names\.json, line [12]: a JSON list; write a line"):
        read_mentions(text, "names.json", ignore_case=False)
    assert len(read_mentions("[Anonymous]\n[a, b\n", "names", ignore_case=False)) == 2


# spacy_mentions
@pytest.fixture(scope="module")
def spacy():
    return pytest.importorskip("spacy", reason="needs the extra `spacy`")


TEXTS = ["Ada met Bert in Oslo.", "Nothing.", "Acme is in Oslo."]


@pytest.fixture(scope="module")
def pipeline(spacy, tmp_path_factory) -> str:
    """A blank pipeline that knows three names, as a folder."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Ada"},
            {"label": "PERSON", "pattern": "Bert"},
            {"label": "GPE", "pattern": "Oslo"},
            {"label": "ORG", "pattern": "Acme"},
        ]
    )
    folder = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(folder)
    return str(folder)


def test_entities_with_their_labels(pipeline):
    found = list(SpacyMentions(pipeline, {}, None).find(TEXTS))
    assert [[(m.span.of(text), m.kind) for m in mentions]
            for text, mentions in zip(TEXTS, found, strict=True)] == [
        [("Ada", "PERSON"), ("Bert", "PERSON"), ("Oslo", "GPE")], [],
        [("Acme", "ORG"), ("Oslo", "GPE")],
    ]  # fmt: skip


def test_spacy_labels_are_mapped_and_unknown_ones_dropped(pipeline):
    mentions = SpacyMentions(pipeline, {"PERSON": "person", "GPE": "place"}, ["person", "place"])
    kinds = [[m.kind for m in found] for found in mentions.find(TEXTS)]
    assert kinds == [["person", "person", "place"], [], ["place"]]
    assert mentions.dropped == {"ORG": 1}


def test_missing_spacy_pipeline(spacy):
    with pytest.raises(SpacyError, match="python -m spacy download en_core_nothing"):
        SpacyMentions("en_core_nothing", {}, None)


def test_spacy_pipeline_without_entities(spacy, tmp_path):
    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(SpacyError, match=r"no component that finds entities.*components: none"):
        SpacyMentions(str(tmp_path), {}, None)


def test_without_spacy(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(SpacyError, match=r"pip install -e '.\[spacy\]'"):
        SpacyMentions("en_core_web_sm", {}, None)
