"""Tables, OpenNRE and FewRel; recognition of formats; splitting of sentences."""

from __future__ import annotations

import json

import pytest

from tkre.core.instance import to_tagged
from tkre.corpora.annotations import doccano
from tkre.corpora.candidates import CandidateCounts
from tkre.corpora.documents import split_sentences
from tkre.corpora.exporting import native_record, table_of
from tkre.corpora.pairs import csv_rows, fewrel_rows, opennre_rows
from tkre.corpora.params import FORMATS
from tkre.corpora.recognition import recognised
from tkre.corpora.records import RowError, labelled_record
from tkre.corpora.row_files import read_rows
from tkre.corpora.tool_files import read_raw


def parse(rows):
    found = []
    for place, row in rows:
        try:
            found.append(to_tagged(row()))
        except RowError as error:
            found.append(f"{place}: {error}")
    return found


MET = "<head>Ada</head> met <tail>Bo</tail>"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("sentence,relation,head,head_offset,tail,tail_offset", "Ada met Bo,knows,Ada,0,Bo,8"),
        ("id;Text;Label;Head Start;Head End;Tail Start;Tail End", "7;Ada met Bo;knows;0;3;8;10"),
        ("text\trelation\thead\ttail\tnote", "Ada met Bo\tknows\tAda\tBo\tx"),
        ("sentence,relation", f"{MET},knows"),
        ("text,relation,subject,object", '"Ada met Bo",knows,Ada,Bo'),
    ],
)
def test_tables(header, row):
    for text in (f"{header}\n{row}\n", f"{header}\r\n{row}\r\n\r\n"):
        assert parse(csv_rows(text, "train")) == [MET]
        assert recognised(text) == "csv"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Ada met Bo,knows,Ada,1,Bo,8", "head [1, 4] 'Ada': the text has 'da' there"),
        ("Ada met Bo,knows,Ada,x,Bo,8", "must be a whole number, not 'x'"),
        ("Ada met Bo,knows,Ada,,Cy,", "the tail 'Cy' does not stand in the sentence"),
        (
            "Bo met Bo,knows,Bo,,met,",
            "more than once: give its first character",
        ),
        ("Ada met Bo,,Ada,0,Bo,8", "relation must be a text"),
        ("Ada met Bo,knows,Ada", "3 cells, the header has 6"),
        ("Ada met Bo,knows,,,Bo,8", "neither a text nor an offset of the head"),
    ],
)
def test_bad_rows_of_a_table(row, reason):
    header = "sentence,relation,head,head_offset,tail,tail_offset"
    [found] = parse(csv_rows(f"{header}\n{row}\n", "train"))
    assert found.startswith("line 2: ") and reason in found
    [headless] = parse(csv_rows("sentence,note\nx,y\n", "train"))
    assert headless == (
        "line 1: there is no column relation or label or rel in the header 'sentence, note': "
        "rename the column that holds it"
    )
    [twice] = parse(csv_rows(f"{header},tail\n{row},Bo\n", "train"))
    assert twice == "line 1: column 'tail' stands twice: rename one of them"


def test_a_table_counts_lines_of_cells_with_breaks_and_units_of_emoji():
    text = (
        'text,relation,head,head_start,tail,tail_start\n"Ada\nmet Bo",r,Ada,0,Bo,8\n'
        "\U0001f600 Ada met Bo,r,Ada,3,Bo,11\nAda met Bo,r,Ada,0,Bo,7\n"
    )
    first, second, bad = parse(csv_rows(text, "train"))
    assert first == "<head>Ada</head>\nmet <tail>Bo</tail>"
    assert second == f"\U0001f600 {MET}" and bad.startswith("line 5: tail [7, 9]")


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(
    ("unit", "first"),
    [(str, 0), (str, 1), (str.encode, 0), (str.encode, 3), (lambda s: s.encode("utf-16-le"), 0)],
    ids=["characters", "from 1", "bytes", "bytes behind a mark", "UTF-16"],
)
def test_offsets_of_a_table_in_any_unit_with_and_without_ends(unit, first, ends):
    """Where a byte-order mark is counted, characters are counted from 1."""
    parts = ("\U0001f600 Vor ", "Zo\u00e9", " traf er ", "Bj\u00f6rn Aas", ".")
    size = len(unit("xx")) // 2
    at = [first + len(unit("".join(parts[:n]))) // size for n in range(5)]
    header = "text,relation,head,head_start,tail,tail_start" + ",head_end,tail_end" * ends
    row = f"{''.join(parts)},r,{parts[1]},{at[1]},{parts[3]},{at[3]}" + f",{at[2]},{at[4]}" * ends
    tagged = "{}<head>{}</head>{}<tail>{}</tail>{}".format(*parts)
    assert parse(csv_rows(f"{header}\n{row}\n", "train")) == [tagged]


@pytest.mark.parametrize(
    "given", ["Jose\u0301 O'Brien", "Jos\u00e9 O\u2019Brien", "JOS\u00c9 O'BRIEN"]
)
@pytest.mark.parametrize(
    "there", ["Jose\u0301 O\u2019Brien", "Jos\u00e9  O'Brien", "Jos\u00e9\u00a0O'Brien"]
)
def test_a_mention_may_be_written_in_another_form_than_the_sentence(given, there):
    for start in ("", "10"):
        row = f"text,relation,head,head_start,tail\nYesterday {there} met Bo,r,{given},{start},Bo\n"
        expected = f"Yesterday <head>{there}</head> met <tail>Bo</tail>"
        assert parse(csv_rows(row, "train")) == [expected]


def test_a_name_within_another_word_is_none():
    header = "text,relation,head,tail\n"
    assert parse(csv_rows(f"{header}Adam and Ada met Bo,r,Ada,Bo\n", "train")) == [
        "Adam and <head>Ada</head> met <tail>Bo</tail>"
    ]
    [within] = parse(csv_rows(f"{header}Berliner meet Bo,r,Berlin,Bo\n", "train"))
    assert within == "<head>Berlin</head>er meet <tail>Bo</tail>"
    [twice] = parse(csv_rows(f"{header}Berliner and Berlins met Bo,r,Berlin,Bo\n", "train"))
    assert "more than once" in twice


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_what_spreadsheets_add_to_a_table_is_passed_over(sign, tmp_path):
    """A line that names the sign, columns without a name, rows of empty cells."""
    cells = [["sep="], ["text", "relation", "head", "tail", "", ""], [""] * 6,
             ["Ada met Bo, once", "r", "Ada", "Bo", "", ""], ["x", "r", "Ada", "Bo", "", "y"],
             [" ", "", "", ""], ["", "", "", ""], []]  # fmt: skip
    text = "\n".join(sign.join(f'"{c}"' if "," in c else c for c in row) for row in cells)
    text = text.replace("sep=", f"sep={sign}", 1)
    expected = [f"{MET}, once", "line 5: 6 cells, the header has 4: a text with a comma or a quote "
                "stands in quotes"]  # fmt: skip
    assert parse(csv_rows(text, "train")) == expected
    assert recognised(text) == "csv"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert [place for place, _ in read_rows(tmp_path / "a.csv")] == ["line 4", "line 5"]
    counts = CandidateCounts()
    assert list(read_raw(tmp_path / "a.csv", counts)) == [("line-4", "Ada met Bo, once")]
    assert len(counts.bad) == 1


TOKENS = ["Ada", "met", "Bo"]


def test_opennre():
    def end(*pos, name="x"):
        return {"name": name, "id": "Q1", "pos": list(pos)}

    good = {"token": TOKENS, "h": end(0, 1), "t": end(2, 3), "relation": "knows"}
    text = {"text": "Ada met Bo", "h": end(0, 3, name="Ada"), "t": end(8, 10, name="Bo"),
            "relation": "/people/person/knows"}  # fmt: skip
    bad = [
        good | {"h": end(0, 9)},
        good | {"t": {"name": "Bo"}},
        text | {"h": end(1, 4, name="Ada")},
    ]
    lines = "\n".join(map(json.dumps, [good, text, *bad]))
    one, two, *refused = parse(opennre_rows(lines, "train"))
    assert one == two == MET and recognised(lines) == "opennre"
    assert "line 3: the head tokens 0-9 (half-open)" in refused[0]
    assert (
        "line 4: t.pos must be [start, end]" in refused[1] and "line 5: head [1, 4]" in refused[2]
    )
    assert parse(opennre_rows(json.dumps([good, 3]), "train"))[0] == MET


def test_fewrel():
    row = {"tokens": TOKENS, "h": ["ada", "Q1", [[0]]], "t": ["bo", "Q2", [[2]]]}
    bad = [row | {"h": ["ada", "Q1", []]}, row | {"t": ["bo", "Q2", [[0, 2]]]}]
    text = json.dumps({"P1": [row, *bad]}, indent=1)
    good, *refused = parse(fewrel_rows(text, "train"))
    assert good == MET and recognised(text) == recognised(json.dumps({"P1": [row]})) == "fewrel"
    assert 'P1, row 2: h must be like ["name"' in refused[0] and "not next to each" in refused[1]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[\n {"data": {"text": "x"}, "annotations": []}\n]', "label_studio"),
        ('{"text": "x", "entities": [], "relations": [], "Comments": []}', "doccano"),
        ('{"text": "x", "tokens": [], "spans": [], "relations": []}', "prodigy"),
        ('[{"tokens": [], "entities": [], "relations": []}]', "spert"),
        ('[{"title": "x", "vertexSet": [], "sents": []}]', "docred"),
        ('{"id": 1, "sentence": "<head>a</head>"}', "native"),
        ('1\t"<e1>a</e1> in <e2>b</e2>"\nX(e1,e2)', "semeval"),
        ('{"text": "[[ a ]] << b >>", "label": "X"}', "scibert"),
        ("Vera Holt founded Tarn Mills, in text, of a relation.\nNo table.", None),
        ('"quoted', None), ("", None), ("[", None), ("{}", None), ("[1, 2]", None),
    ],
)  # fmt: skip
def test_recognition(text, name):
    assert recognised(text) == recognised("\ufeff" + text) == name


def test_formats_of_documents_are_formats_of_a_corpus():
    ends = [{"id": n, "label": "P", "start_offset": s, "end_offset": e}
            for n, s, e in ((1, 0, 3), (2, 8, 10))]  # fmt: skip
    pairs = [{"from_id": 1, "to_id": other, "type": "knows"} for other in (2, 3)]
    text = json.dumps({"id": 1, "text": "Ada met Bo", "entities": ends, "relations": pairs})
    assert len(list(doccano(text))) == 1
    good, bad = parse(FORMATS["doccano"](text, "train"))
    assert good == MET and "a relation cannot be taken: a mention of it is not there" in bad


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. J. Holt of St. Ives left.", "He came back on 3. May."],
        ["It cost 3.5 pounds!", '"Why?"', "No one knows."],
        ["\u9752\u5c9b\u7ad9\u5f88\u5927\u3002", "\u4ed6\u6765\u4e86\u3002"],
        ["A title", "An abstract begins e.g. here."],
    ],
)
def test_sentences(sentences):
    text = "\n".join(sentences) if sentences[0] == "A title" else " ".join(sentences)
    assert [span.of(text) for span in split_sentences(text)] == sentences


def test_exports_are_read_as_they_were():
    rows = [
        labelled_record({"id": "=1", "text": '<head> of Bo, "x"', "head": [0, 6],
                         "tail": [10, 12], "relation": "-r", "head_type": "T"}),
        labelled_record({"id": "2", "sentence": MET, "relation": "r", "implicit": True}),
    ]  # fmt: skip
    assert [labelled_record(native_record(row)) for row in rows] == rows
    for delimiter in ",\t":
        assert "'=1" in table_of(rows, delimiter)
    assert [row() for _, row in csv_rows(table_of(rows[:1]), "train")] == rows[:1]


@pytest.mark.parametrize("mark", ["''", "'=", "'-", "'@", "'\t", "'\uff1d"])
def test_apostrophes_are_text_but_in_tables_of_our_own(mark, tmp_path):
    text = f"{mark} Ada met Bo"
    row = labelled_record({"id": "1", "text": text, "head": [3, 6], "tail": [11, 13],
                           "relation": "r"})  # fmt: skip
    assert [given() for _, given in csv_rows(table_of([row]), "train")] == [row]
    noted = table_of([row]).replace("\r\n", ",note\r\n", 1).replace("13,\r\n", "13,,x\r\n")
    assert [given() for _, given in csv_rows(noted, "train")] == [row]
    theirs = f'text,relation,head_start,head_end,tail_start,tail_end\n"{text}",r,3,6,11,13\n'
    assert [given().text for _, given in csv_rows(theirs, "train")] == [text]
    file, counts = tmp_path / "theirs.csv", CandidateCounts()
    file.write_text(theirs, encoding="utf-8")
    assert [sentence for _, sentence in read_raw(file, counts)] == [text]
    assert [fields["text"] for _, fields in read_rows(file)] == [text]
