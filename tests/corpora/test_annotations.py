"""Files in the documented form of each annotation tool, with what is hard in them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import ClassVar

import pytest

from tkre.core.instance import Instance, to_tagged
from tkre.corpora.importing import import_files, left_out_lines
from tkre.corpora.params import FORMATS
from tkre.corpora.reading import CorpusError
from tkre.corpora.records import RowError


@pytest.fixture
def imported(tmp_path):
    """``imported(name, content)``: the import of a file, whose counts add up."""

    def run(name: str, content, **given):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path.write_bytes(text.encode())
        options = {"file_format": None, "negative": "no_relation", "ratio": 0.0, "seed": 13}
        found = import_files(path, **(options | given))
        left = sum(len(p) for (kind, _), p in found.tally.left_out.items() if kind == "relation")
        made = [row for row in found.rows if row.relation != "no_relation"]
        assert found.tally.read["relations"] == len(made) + left
        return found

    return run


def tagged(found) -> list[tuple[str, str | None]]:
    return [(to_tagged(row), row.relation) for row in found.rows]


def reasons(found) -> list[str]:
    return [f"{kind}: {reason}" for kind, reason in found.tally.left_out]


def lines(*records) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def region(key, start, end, text, label="Person"):
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"id": key, "type": "labels", "from_name": "label", "to_name": "text", "value": value}


def relation(one, other, direction="right", labels=("knows",)):
    return {"type": "relation", "from_id": one, "to_id": other, "direction": direction,
            "labels": list(labels)}  # fmt: skip


def task(text, *result, **annotation):
    return {"id": 7, "data": {"text": text}, "annotations": [{"result": list(result)} | annotation]}


ADA_KNOWS_BO = "<head>Ada</head> met <tail>Bo</tail>."
BO_KNOWS_ADA = "<tail>Ada</tail> met <head>Bo</head>."


class TestLabelStudio:
    ENDS = (region("a", 0, 3, "Ada"), region("b", 8, 10, "Bo"))

    @pytest.mark.parametrize(
        ("direction", "wanted"),
        [
            ("right", [ADA_KNOWS_BO]),
            ("left", [BO_KNOWS_ADA]),
            ("bi", [ADA_KNOWS_BO, BO_KNOWS_ADA]),
        ],
    )
    def test_directions(self, imported, direction, wanted):
        found = imported("x.json", [task("Ada met Bo.", *self.ENDS, relation("a", "b", direction))])
        assert tagged(found) == [(sentence, "knows") for sentence in wanted]
        assert {row.head_type for row in found.rows} == {"Person"}

    def test_what_is_left_out_is_counted(self, imported):
        good = task("Ada met Bo.", *self.ENDS, relation("a", "b"))
        cancelled = task("Ada met Bo!", *self.ENDS, relation("a", "b"), was_cancelled=True)
        other = {"id": "c", "type": "choices", "value": {"choices": ["x"]}}
        odd = task(
            "Ada met Bo?", *self.ENDS, other, relation("a", "b", labels=()), relation("a", "gone"),
            relation("b", "a", "up"), region("d", 0, 3, "Bo"),
        )  # fmt: skip
        found = imported("x.json", [good, cancelled, odd])
        assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
        assert set(reasons(found)) == {
            "mention: its annotation was cancelled", "relation: its annotation was cancelled",
            "result: results of the type 'choices' are not read",
            "relation: its direction is none of right, left and bi",
            "mention: its offsets do not fit the text", "relation: it has no label",
            "relation: a mention of it is not there, or is left out",
        }  # fmt: skip
        report = "\n".join(left_out_lines(found.tally, 9))
        assert "x.json, record 3: d [0, 3] 'Bo': the text has 'Ada' there" in report

    def test_several_annotations_of_a_task(self, imported):
        first = {"result": [*self.ENDS, relation("a", "b")]}
        second = {"result": [*self.ENDS, relation("a", "b"), relation("b", "a", labels=["helps"])]}
        both = {"id": 7, "data": {"text": "Ada met Bo."}, "annotations": [first, second]}
        found = imported("x.json", [both])
        assert tagged(found) == [(ADA_KNOWS_BO, "knows"), (BO_KNOWS_ADA, "helps")]
        assert reasons(found) == ["relation: it stands there twice"]

    @pytest.mark.parametrize("shift", [0, 1])  # code points; UTF-16 units, as older versions write
    def test_emoji_before_a_mention(self, imported, shift):
        ends = (region("a", 1 + shift, 4 + shift, "Ada"), region("b", 9 + shift, 11 + shift, "Bo"))
        found = imported("x.json", [task("\U0001f600Ada met Bo.", *ends, relation("a", "b"))])
        assert tagged(found) == [("\U0001f600" + ADA_KNOWS_BO, "knows")]
        assert bool(found.tally.notes) == bool(shift)

    def test_a_second_type_of_a_mention_is_counted(self, imported):
        ends = (region("a", 0, 3, "Ada"), region("b", 8, 10, "Bo"))
        ends[0]["value"]["labels"] = ["Person", "Poet", "Peer"]
        found = imported("x.json", [task("Ada met Bo.", *ends, relation("a", "b"))])
        assert [row.head_type for row in found.rows] == ["Person"]
        [((kind, reason), places)] = found.tally.left_out.items()
        assert (kind, len(places)) == ("label", 2) and "the first one is taken" in reason
        assert "record 1: a: 'Poet'" in places[0]

    def test_an_export_without_relations_says_so(self, imported):
        with pytest.raises(CorpusError, match="entities and no relation"):
            imported("x.json", [task("Ada met Bo.", *self.ENDS)])

    def test_bad_tasks_are_named(self, imported):
        good = task("Ada met Bo.", *self.ENDS, relation("a", "b"))
        found = imported("x.json", [{"data": {}, "annotations": [{}]}, 3, good])
        [places] = found.tally.left_out.values()
        assert "record 1: data has no key 'text'" in places[0] and "record 2: " in places[1]


class TestDoccano:
    RECORD: ClassVar[dict] = {
        "id": 1, "text": "Ada met Bo. Cy met Ada.",
        "entities": [{"id": n, "label": "PER", "start_offset": s, "end_offset": e}
                     for n, s, e in ((1, 0, 3), (2, 8, 10), (3, 12, 14), (4, 19, 22))],
        "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "knows"},
                      {"id": 2, "from_id": 2, "to_id": 3, "type": "knows"}],
    }  # fmt: skip

    @pytest.mark.parametrize("ends", ["\n", "\r\n"])
    def test_line_ends_and_a_mark(self, imported, ends):
        found = imported("x.jsonl", "\ufeff" + lines(self.RECORD).replace("\n", ends))
        assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
        assert reasons(found) == ["relation: its mentions lie in different sentences"]

    def test_an_id_of_two_mentions_names_none(self, imported):
        entities = [dict(e, id=1 if e["id"] == 4 else e["id"]) for e in self.RECORD["entities"]]
        reason = "1 relation left out: the id of a mention stands at several places"
        with pytest.raises(CorpusError, match=reason):
            imported("x.jsonl", lines(self.RECORD | {"entities": entities}))

    def test_pairs_without_a_relation(self, imported):
        found = imported("x.jsonl", lines(self.RECORD), ratio=1.0)
        [_, (sentence, label)] = tagged(found)
        assert label == "no_relation" and "Cy" in sentence and found.negative == "no_relation"
        again = imported("y.jsonl", lines(self.RECORD), ratio=1.0)
        assert tagged(again) == tagged(found)
        assert found.tally.read["pairs without a relation"] == 2

    def test_overlaps(self, imported):
        spans = ((1, 0, 7), (2, 4, 10), (3, 0, 3), (4, 0, 3))
        entities = [{"id": n, "label": "X", "start_offset": s, "end_offset": e}
                    for n, s, e in spans]  # fmt: skip
        relations = [{"id": n, "from_id": a, "to_id": b, "type": "of"}
                     for n, (a, b) in enumerate([(1, 2), (3, 4), (3, 1)])]  # fmt: skip
        record = {"id": 1, "text": "Ada met Bo.", "entities": entities, "relations": relations}
        found = imported("x.jsonl", lines(record))
        assert tagged(found) == [("<tail><head>Ada</head> met</tail> Bo.", "of")]
        assert reasons(found) == [
            "relation: its pair cannot be marked",
            "relation: its head and tail are the same mention",
        ]  # fmt: skip

    def test_offsets_in_utf_16_without_the_texts_of_mentions(self, imported):
        shifted = json.loads(json.dumps(self.RECORD))
        shifted["text"] = "\U0001f600 " + shifted["text"]
        for entity in shifted["entities"]:
            entity["start_offset"] += 3
            entity["end_offset"] += 3
        found = imported("x.jsonl", lines(shifted))
        assert tagged(found) == [("\U0001f600 " + ADA_KNOWS_BO, "knows")]
        assert found.tally.notes == {"documents whose offsets are UTF-16 units": 1}

    def test_broken_records_are_named(self, imported):
        entities = [{"id": 1, "start_offset": "0", "end_offset": 1},
                    {"id": 2, "start_offset": 2, "end_offset": 99}]  # fmt: skip
        bad = lines({"text": "x", "entities": 3}, {"text": "x y", "entities": entities})
        more = '{"text": "Ada"\n' + bad
        found = imported("x.jsonl", lines(self.RECORD) + more)
        report = "\n".join(left_out_lines(found.tally, 9))
        assert "line 2: not JSON" in report and "line 3: entities must be a list" in report
        assert "line 4: 1 ['0', 1]" in report and "2 [2, 99]: the text has nothing there" in report


class TestProdigy:
    SPANS: ClassVar[list] = [
        {"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"},
        {"start": 8, "end": 10, "token_start": 2, "token_end": 2, "label": "PER"},
    ]
    TOKENS: ClassVar[list] = [
        {"text": "Ada", "start": 0, "end": 3, "id": 0},
        {"text": "met", "start": 4, "end": 7, "id": 1},
        {"text": "Bo", "start": 8, "end": 10, "id": 2},
    ]
    RECORD: ClassVar[dict] = {
        "text": "Ada met Bo.", "tokens": TOKENS, "spans": SPANS, "answer": "accept",
        "relations": [{"head": 0, "child": 2, "head_span": SPANS[0], "child_span": SPANS[1],
                       "label": "knows"}], "_input_hash": 1,
    }  # fmt: skip

    def test_spans_or_tokens(self, imported):
        plain = self.RECORD | {"relations": [{"head": 2, "child": 0, "label": "knows"}]}
        single = plain | {"spans": [], "relations": [{"head": 2, "child": 1, "label": "of"}]}
        found = imported("x.jsonl", lines(self.RECORD, plain, single))
        assert tagged(found) == [
            (ADA_KNOWS_BO, "knows"), (BO_KNOWS_ADA, "knows"),
            ("Ada <tail>met</tail> <head>Bo</head>.", "of"),
        ]  # fmt: skip
        assert found.rows[0].head_type == "PER"

    @pytest.mark.parametrize("answer", ["reject", "ignore"])
    def test_answers(self, imported, answer):
        found = imported("x.jsonl", lines(self.RECORD, self.RECORD | {"answer": answer}))
        assert len(found.rows) == 1 and reasons(found) == [f"relation: its answer is {answer!r}"]


class TestBrat:
    TEXT = "Ada met Bo.\nCy, who\nmet Bo, left.\n"
    ANN = (
        "T1\tPER 0 3\tAda\nT2\tPER 8 10\tBo\nT3\tPER 12 14\tCy\nT4\tPER 24 26\tBo\n"
        "T5\tORG 0 3;8 10\tAda Bo\nR1\tknows Arg1:T1 Arg2:T2\t\nR2\tknows Arg2:T4 Arg1:T3\n"
        "R3\tof Arg1:T5 Arg2:T1\nR4\tknows Arg1:T1 Arg2:T3\n*\tEquiv T2 T4\n#1\tNote T1\tx\nTx\n"
    )

    @pytest.mark.parametrize(
        ("ends", "counted"), [("\n", "\n"), ("\r\n", "\r\n"), ("\r\n", "\n"), ("\r", "\n")]
    )
    def test_folder(self, imported, tmp_path, ends, counted):
        ann = self.ANN
        if counted == "\r\n":  # offsets of a file with two characters at each line end
            for place, shift in ((12, 13), (14, 15), (24, 26), (26, 28)):
                ann = ann.replace(f" {place} ", f" {shift}_ ").replace(
                    f" {place}\t", f" {shift}_\t"
                )
            ann = ann.replace("_", "")
        (tmp_path / "doc.txt").write_bytes(self.TEXT.replace("\n", ends).encode())
        found = imported("doc.ann", ann.replace("\n", ends))
        assert [(r.head_text, r.tail_text, r.relation) for r in found.rows] == [
            ("Ada", "Bo", "knows"), ("Cy", "Bo", "knows"),
        ]  # fmt: skip
        assert found.rows[1].text.split() == ["Cy,", "who", "met", "Bo,", "left."]
        assert set(reasons(found)) == {
            "mention: it is discontinuous", "relation: its mentions lie in different sentences",
            "relation: a mention of it is not there, or is left out",
            "result: annotations of the kind '*' are not read",
            "result: annotations of the kind '#' are not read", "mention: its line cannot be read",
        }  # fmt: skip

    def test_without_its_text(self, imported):
        with pytest.raises(CorpusError, match=r"there is no lone.txt beside it"):
            imported("lone.ann", self.ANN)


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize(
    ("before", "shift", "unit"),
    [
        ("\ufeff", 0, "characters from 1, as behind a byte-order mark"),
        ("One.\r\nTwo.\r\n", 2, "characters, line ends being one"),
        ("One.\nTwo.\n", -2, "characters, line ends being two"),
    ],
)
def test_offsets_of_a_program_that_counts_other_characters(imported, before, shift, unit, texts):
    """Without the texts of mentions, too, if the unit mends all of two or more."""
    names = ("Vera Holt", "Tarn Mills", "Ayr")
    text = before + "Vera Holt founded Tarn Mills in Ayr."
    entities = [
        {"id": n, "label": "X", "start_offset": (at := text.index(name) - shift),
         "end_offset": at + len(name)} | ({"text": name} if texts else {})
        for n, name in enumerate(names)
    ]  # fmt: skip
    record = {"text": text.removeprefix("\ufeff"), "entities": entities,
              "relations": [{"from_id": 0, "to_id": 1, "type": "r"}]}  # fmt: skip
    found = imported("a.jsonl", lines(record))
    assert tagged(found) == [
        ("<head>Vera Holt</head> founded <tail>Tarn Mills</tail> in Ayr.", "r")
    ]
    assert found.tally.notes == {f"documents whose offsets are {unit}": 1}


@pytest.mark.parametrize("names", [("a.ann", "a.txt"), ("A.ANN", "A.TXT"), ("a.ANN", "a.txt")])
def test_files_of_brat_with_suffixes_in_any_case(tmp_path, names):
    annotations = "T1\tP 0 3\tAda\nT2\tP 8 10\tBo\nR1\tknows Arg1:T1 Arg2:T2\n"
    for name, text in zip(names, (annotations, "Ada met Bo."), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = import_files(tmp_path, None, "no_relation", 0.0, 13)
    assert len(found.rows) == 1 and not found.tally.left_out


def test_a_label_within_a_word_is_kept_and_counted(imported):
    entities = [{"id": n, "start_offset": at, "end_offset": at + size, "label": "X"}
                for n, (at, size) in enumerate(((0, 6), (14, 2), (0, 5)))]  # fmt: skip
    record = {"text": "Berliner\nmet Bo.", "entities": entities,
              "relations": [{"from_id": 0, "to_id": 1, "type": "r"}]}  # fmt: skip
    found = imported("a.jsonl", lines({**record, "text": "Berliner met Bo in\u00a0Ayr."}))
    assert found.tally.notes == {"mentions that begin or end within a word": 3}
    ends = [{"id": 0, "start_offset": 0, "end_offset": 3},
            {"id": 1, "start_offset": 9, "end_offset": 11}]  # fmt: skip
    accent = imported("b.jsonl", lines({**record, "text": "Zoe\u0301 met Bo.", "entities": ends}))
    assert accent.tally.notes == {"mentions that begin or end within a word": 1}


def test_spert(imported):
    entities = [{"type": "Peop", "start": 0, "end": 1}, {"type": "Peop", "start": 2, "end": 3}]
    good = {"tokens": ["Ada", "met", "Bo", "."], "entities": entities,
            "relations": [{"type": "Knows", "head": 0, "tail": 1}], "orig_id": 5}  # fmt: skip
    off = good | {"entities": [entities[0], {"type": "Peop", "start": 2, "end": 9}], "orig_id": 6}
    free = good | {"tokens": ["Cy", "saw", "Di"], "relations": [], "orig_id": 8}
    found = imported("conll04_train.json", [good, off, free], ratio=1.0)
    assert tagged(found)[0] == ("<head>Ada</head> met <tail>Bo</tail> .", "Knows")
    assert [row.relation for row in found.rows] == ["Knows", "no_relation"]
    assert reasons(found) == ["mention: its tokens are not among those of the text",
                              "relation: a mention of it is not there, or is left out"]  # fmt: skip


def test_docred_takes_pairs_of_one_sentence(imported):
    def mention(name, first, end, sentence):
        return {"name": name, "pos": [first, end], "sent_id": sentence, "type": "PER"}

    record = {
        "title": "Ada", "sents": [["Ada", "met", "Bo", "."], ["She", "met", "Cy", "."]],
        "vertexSet": [[mention("Ada", 0, 1, 0), mention("She", 0, 1, 1)], [mention("Bo", 2, 3, 0)],
                      [mention("Cy", 2, 3, 1)]],
        "labels": [{"h": 0, "t": 1, "r": "P1", "evidence": [0]},
                   {"h": 0, "t": 2, "r": "P1", "evidence": []},
                   {"h": 1, "t": 2, "r": "P2", "evidence": [0, 1]},
                   {"h": 0, "t": 2, "r": "P3", "evidence": [0]}],
    }  # fmt: skip
    found = imported("train_annotated.json", [record])
    assert tagged(found) == [("<head>Ada</head> met <tail>Bo</tail> .", "P1"),
                             ("<head>She</head> met <tail>Cy</tail> .", "P1")]  # fmt: skip
    assert reasons(found) == [
        "relation: its mentions lie in different sentences",
        "relation: no sentence of its evidence has both mentions",
    ]


def test_glirel(imported):
    def end(text, *position):
        return {"mention": text, "position": list(position), "type": "PER"}

    record = {"tokenized_text": ["Ada", "B", "met", "Cy"], "ner": [[0, 1, "PER", "Ada B"]],
              "relations": [{"head": end("Ada B", 0, 1), "tail": end("Cy", 3, 3),
                             "relation_text": "knows"}]}  # fmt: skip
    wrong = record | {"relations": [{"head": end("Cy", 0, 1), "tail": end("Di", 3, 3),
                                     "relation_text": "knows"}]}  # fmt: skip
    found = imported("x.jsonl", lines(record, wrong))
    assert tagged(found) == [("<head>Ada B</head> met <tail>Cy</tail>", "knows")]
    assert "mention: its offsets do not fit the text" in reasons(found)


def test_rebel_finds_mentions_by_their_words(imported):
    text = "Ada met Bo. Bo met Cy."
    triplets = "<triplet> Ada <subj> Bo <obj> knows <triplet> Ada <subj> Ada B <obj> x"
    found = imported("x.jsonl", lines(
        {"text": "Ada met Bo.", "triplets": "<triplet> Ada <subj> Bo <obj> knows"},
        {"text": text, "triplets": triplets},
    ))  # fmt: skip
    assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
    assert "x.jsonl, line 2: knows: 'Bo' stands 2 times" in "\n".join(left_out_lines(found.tally))


@pytest.mark.parametrize(
    ("triplets", "relations", "kind", "torn"),
    [
        ("<s><triplet> Ada <subj> Bo <obj> knows</s><pad><pad>", ["knows"], None, 0),
        ("<triplet> Ada <subj> Bo <obj> knows <subj> Cy <obj> saw", ["knows", "saw"], None, 0),
        ("<triplet> Ada <subj> Bo <obj> a b<triplet> Ada <subj> Cy <obj> saw</s>", ["a b", "saw"],
         None, 0),
        ("tp_XX<triplet> Ada <per> Bo <org> knows</s>", ["knows"], "per", 0),
        ("en_XX<triplet> Ada <per> Bo <org> a <org> Cy <loc> saw", ["a", "saw"], "per", 0),
        ("<triplet> Ada <subj> Bo <obj> knows <triplet> Ada <subj> Cy", ["knows"], None, 1),
        ("<triplet> Ada <subj> Bo <obj> knows <subj> Cy <triplet></s>", ["knows"], None, 2),
    ],
)  # fmt: skip
def test_triplets_as_the_models_write_them(imported, triplets, relations, kind, torn):
    record = {"text": "Ada met Bo, and Cy.", "triplets": triplets}
    found = imported("x.jsonl", lines(record, record | {"triplets": "Ada knows Bo"}))
    assert [(row.relation, row.head_type) for row in found.rows] == [(r, kind) for r in relations]
    assert len(found.tally.left_out["relation", "its triplet is not whole"]) == torn
    assert "record: it cannot be read" in reasons(found)


@pytest.mark.parametrize("triplets", ["<triplet>", "<triplet> Ada", "<triplet> Ada <subj> Bo"])
def test_a_triplet_that_is_not_whole_is_counted(imported, triplets):
    with pytest.raises(CorpusError, match="1 relation left out: its triplet is not whole"):
        imported("x.jsonl", lines({"text": "Ada met Bo.", "triplets": triplets}))


class TestBioC:
    PASSAGES: ClassVar[list] = [
        {"offset": 0, "text": "Title.", "annotations": [], "relations": []},
        {"offset": 7, "text": "Ada met Bo.", "infons": {}, "annotations": [
            {"id": "1", "infons": {"type": "P", "identifier": "D1"}, "text": "Ada",
             "locations": [{"offset": 7, "length": 3}]},
            {"id": "2", "infons": {"type": "P", "identifier": "D2"}, "text": "Bo",
             "locations": [{"offset": 15, "length": 2}]},
            {"id": "3", "infons": {"type": "P", "identifier": "D3"}, "text": "Ada Bo",
             "locations": [{"offset": 7, "length": 3}, {"offset": 15, "length": 2}]}]},
    ]  # fmt: skip

    @pytest.mark.parametrize("named", [
        {"infons": {"type": "knows"}, "nodes": [{"refid": "1", "role": "a"}, {"refid": "2"}]},
        {"infons": {"type": "knows", "entity1": "D1", "entity2": "D2"}},
    ])  # fmt: skip
    def test_json(self, imported, named):
        three = {"id": "R2", "infons": {}, "nodes": [{"refid": str(n)} for n in (1, 2, 3)]}
        document = {"id": "9", "passages": self.PASSAGES, "relations": [named, three]}
        found = imported("x.json", {"source": "s", "documents": [document]})
        assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
        assert reasons(found) == [
            "mention: it is discontinuous",
            "relation: it has 3 nodes, not two",
        ]

    def test_xml(self, imported):
        found = imported("x.xml", """<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd">
            <collection><document><id>9</id><passage><offset>7</offset><text>Ada met Bo.</text>
            <annotation id="1"><infon key="type">P</infon><location offset="7" length="3"/>
            <text>Ada</text></annotation><annotation id="2"><infon key="type">P</infon>
            <location offset="15" length="2"/><text>Bo</text></annotation></passage>
            <relation id="R"><infon key="type">knows</infon><node refid="1" role="a"/>
            <node refid="2" role="b"/></relation></document></collection>""")  # fmt: skip
        assert tagged(found) == [(ADA_KNOWS_BO, "knows")] and found.rows[0].head_type == "P"

    def test_mentions_of_a_passage_stand_in_its_sentences(self, imported):
        annotations = [
            {"id": str(n), "infons": {"type": "P"}, "text": text,
             "locations": [{"offset": offset, "length": length}]}
            for n, (text, offset, length) in enumerate(
                [("Ada", 40, 3), ("Bo", 48, 2), ("Cy", 99, 2), ("Oslo", 32, 4)]
            )
        ]  # fmt: skip
        sentences = [{"offset": 30, "text": "O Oslo!", "annotations": []},
                     {"offset": 40, "text": "Ada met Bo."}]  # fmt: skip
        passage = {"offset": 30, "sentences": sentences, "annotations": annotations,
                   "relations": [{"infons": {"type": "knows"},
                                  "nodes": [{"refid": "0"}, {"refid": "1"}]}]}  # fmt: skip
        first = {"offset": 0, "text": "A title of its own, and longer"}
        document = {"id": "9", "passages": [first, passage]}
        found = imported("x.json", {"documents": [document]})
        assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
        assert found.tally.read["mentions"] == 4
        assert reasons(found) == ["mention: its offsets do not fit the text"]

    def test_declared_entities_are_refused(self, imported):
        with pytest.raises(CorpusError, match="declares entities"):
            imported("x.xml", '<!DOCTYPE c [<!ENTITY a "b">]><collection></collection>')


def test_docbin(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    if not Doc.has_extension("rel"):
        Doc.set_extension("rel", default={})
    doc = Doc(spacy.blank("en").vocab, ["Ada", "met", "Bo", "."], [True, True, False, False])
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER")]
    doc._.rel = {(0, 2): {"knows": 1.0, "hates": 0.0}, (2, 0): {"knows": 0.0}}
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "train.spacy")
    found = import_files(tmp_path / "train.spacy", None, "no_relation", 0, 13)
    assert tagged(found) == [(ADA_KNOWS_BO, "knows")] and found.rows[0].head_type == "PER"
    good, scores = doc._.rel[0, 2], {(0, 2): {"knows": 1.0}}
    for odd in ([(0, 2, "knows")], 3, {0: good}, {(0, 2, 1): good}, {(0, 2): "knows"},
                {(0, 2): ["knows"]}, {(0, 2): {"knows": None}}):  # fmt: skip
        doc._.rel = odd if not isinstance(odd, dict) else scores | odd
        DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "odd.spacy")
        with suppress(CorpusError):
            found = import_files(tmp_path / "odd.spacy", None, "no_relation", 0, 13)
            assert tagged(found) == [(ADA_KNOWS_BO, "knows")]
            assert reasons(found) == ["relation: doc._.rel is not {(token, token): {label: score}}"]
            continue
        with pytest.raises(CorpusError, match=r"doc\._\.rel is not"):
            import_files(tmp_path / "odd.spacy", None, "no_relation", 0, 13)
    (tmp_path / "broken.spacy").write_bytes(b"no")
    with pytest.raises(CorpusError, match="no DocBin of spaCy"):
        import_files(tmp_path / "broken.spacy", None, "no_relation", 0, 13)


ENTITY = {"type": "PER", "start": 0, "end": 1}
RECORDS = {
    "opennre": {"token": ["Ada", "met", "Bo"], "relation": "knows",
                "h": {"name": "Ada", "pos": [0, 1]}, "t": {"name": "Bo", "pos": [2, 3]}},
    "fewrel": {"P1": [{"tokens": ["Ada", "met", "Bo"], "h": ["ada", "Q1", [[0]]],
                       "t": ["bo", "Q2", [[1, 2]]]}]},
    "tacred": [{"id": "a", "token": ["Ada", "met", "Bo"], "subj_start": 0, "subj_end": 0,
                "obj_start": 2, "obj_end": 2, "subj_type": "P", "obj_type": "P",
                "relation": "knows"}],
    "doccano": {"id": 1, "text": "Ada met Bo", "relations": [
        {"from_id": 1, "to_id": 2, "type": "knows"}], "entities": [
        {"id": 1, "label": "P", "start_offset": 0, "end_offset": 3},
        {"id": 2, "label": "P", "start_offset": 8, "end_offset": 10}]},
    "label_studio": [task("Ada met Bo.", region("a", 0, 3, "Ada"), region("b", 8, 10, "Bo"),
                          relation("a", "b"))],
    "prodigy": TestProdigy.RECORD | {"relations": [
        *TestProdigy.RECORD["relations"], {"head": 2, "child": 0, "label": "knows"}]},
    "spert": {"tokens": ["Ada", "met", "Bo"], "entities": [ENTITY, ENTITY | {"start": 2, "end": 3}],
              "relations": [{"type": "knows", "head": 0, "tail": 1}], "orig_id": 5},
    "glirel": {"tokenized_text": ["Ada", "met", "Bo"], "ner": [[0, 0, "P", "Ada"], [2, 2, "P"]],
               "relations": [{"head": {"mention": "Ada", "position": [0, 0], "type": "P"},
                              "tail": {"position": [2, 2]}, "relation_text": "knows"}]},
    "docred": {"title": "Ada", "sents": [["Ada", "met", "Bo", "."]], "labels": [
        {"h": 0, "t": 1, "r": "P1", "evidence": [0]}], "vertexSet": [
        [{"name": "Ada", "pos": [0, 1], "sent_id": 0, "type": "P"}],
        [{"name": "Bo", "pos": [2, 3], "sent_id": 0, "type": "P"}]]},
    "rebel": {"text": "Ada met Bo.", "triplets": "<triplet> Ada <subj> Bo <obj> knows"},
    "native": {"id": "1", "text": "Ada met Bo", "head": [0, 3], "tail": [8, 10], "relation": "r",
               "head_type": "P", "implicit": False},
    "scibert": {"text": "[[ Ada ]] met << Bo >>", "label": "knows"},
}  # fmt: skip
ODD = (None, True, 4.0, -1, 10**9, 10**30, "", "x", [], [0], [[0]], [None], ["x"], {}, {"a": [1]})


def with_odd_values(value):
    """A value with each of its parts, and itself, in turn replaced by an odd value."""
    yield from ODD
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys if isinstance(value, dict | list) else ():
        for odd in with_odd_values(value[key]):
            copy = value.copy()
            copy[key] = odd
            yield copy


@pytest.mark.parametrize("name", RECORDS)
def test_an_odd_value_anywhere_is_a_bad_row(name):
    def rows(record):
        for place, parse in FORMATS[name](json.dumps(record), "train"):
            try:
                yield parse()
            except RowError as error:
                yield f"{place}: {error}"

    assert all(isinstance(row, Instance) for row in rows(RECORDS[name]))
    begun = time.process_time()
    found = [list(rows(record)) for record in with_odd_values(RECORDS[name])]
    assert len(found) > 2 * len(ODD) and time.process_time() - begun < 20
    assert any(isinstance(row, str) for some in found for row in some)


@pytest.mark.parametrize(
    "names", ['{"P1": []}', '{"P1": 3}', '{"P1": [""]}', '{"P1": {"name": "x"}}', "[1]", "{\n"]
)
def test_odd_names_of_relations_are_refused_with_their_file(imported, tmp_path, names):
    (tmp_path / "pid2name.json").write_text(names, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"pid2name\.json(:|, line 1:|, line 2:) "):
        imported("train.json", RECORDS["fewrel"])


def test_a_list_in_place_of_relations_is_refused_with_its_file(imported):
    with pytest.raises(CorpusError, match=r"x\.json, line 1: a JSON object was expected"):
        imported("x.json", [1], file_format="fewrel")


def test_files_of_a_folder_that_cannot_be_read_are_left_out(tmp_path):
    row = '{"id": "1", "sentence": "<head>Ada</head> met <tail>Bo</tail>.", "relation": "knows"}\n'
    (tmp_path / "train.jsonl").write_text(row, encoding="utf-8")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    (tmp_path / "notes.ann").write_text("T1\tPER 0 3\tAda\n", encoding="utf-8")
    (tmp_path / "old.spacy").write_bytes(b"no")
    (tmp_path / ".ipynb_checkpoints").mkdir()  # where an editor keeps copies
    (tmp_path / ".ipynb_checkpoints" / "train.jsonl").write_text(row, encoding="utf-8")
    (tmp_path / "test_guidelines.md").write_text("# How to label\n", encoding="utf-8")
    found = import_files(tmp_path, None, "no_relation", 1.0, 13)
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 1}
    places = found.tally.left_out["file", "it cannot be read"]
    assert [place.removeprefix(f"{tmp_path}/").split(" (")[0] for place in places][0:2] == [
        "logo.png, line 1: not UTF-8",
        "notes.ann: there is no notes.txt beside it, the text of brat",
    ]
    assert len(places) == 3 and "old.spacy: " in places[2]
    with pytest.raises(CorpusError, match=r"no row comes of it.*\n.*logo.png, line 1: not UTF-8"):
        import_files(tmp_path / "logo.png", None, "no_relation", 1.0, 13)
