"""Every way in takes the same records and refuses the same ones with the same words."""

from __future__ import annotations

import json
import logging
import re

import pytest

from tkre.core.instance import Instance, Span
from tkre.core.text import NearDuplicateParams
from tkre.corpora.params import CorpusParams, PoolParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import CorpusError, CorpusFolder, read_corpus
from tkre.corpora.row_files import TableError, read_rows
from tkre.corpora.validation import check_corpus
from tkre.serving.batch import partitions
from tkre.serving.extractor import RelationExtractor
from tkre.serving.labelling import Counts, label_rows

TAGGED = "<head>anna</head> lives in <tail>oslo</tail> ."
TEXT = "anna lives in oslo ."
TYPED = {"sentence": TAGGED, "head_type": "person", "tail_type": "place"}
SPANS = {"text": TEXT, "head": [0, 4], "tail": [14, 18]}
PARAMS = CorpusParams(format="native", train="train.jsonl")
POOL = PARAMS.model_copy(update={"unlabelled": PoolParams(file="train.jsonl")})


def lines(records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def labelled(records) -> str:
    """With what a labelled row must have."""
    rows = enumerate(records)
    return lines({"id": f"row-{n}", "relation": "lives_in", **record} for n, record in rows)


class Doors:
    """Each is a function from records to the words with which it refuses one of them, or None."""

    def __init__(self, schema, classifier_folder, folder) -> None:
        self.schema, self.folder = schema, folder
        self.extractor = RelationExtractor.from_pretrained(classifier_folder, schema=schema)

    def training(self, records):
        text = labelled(records)
        return refused(lambda: read_corpus(lambda _: text, self.schema, PARAMS))

    def pool(self, records):
        text = lines(records)
        return refused(lambda: read_pool(lambda _: text, self.schema, POOL))

    def validate(self, records):
        import yaml

        content = self.schema.model_dump(mode="json", exclude_defaults=True)
        (self.folder / "relations.yml").write_text(yaml.safe_dump(content))
        (self.folder / "train.jsonl").write_text(labelled(records))
        found = check_corpus(CorpusFolder("toy", [self.folder]), PARAMS, NearDuplicateParams(), 1)
        bad = [f for f in found.findings if f.kind == "bad rows"]
        return f"{bad[0].place}: {bad[0].message}" if bad else None

    def label(self, records):
        rows = [(f"line {n}", record) for n, record in enumerate(records, start=1)]
        labelled = label_rows(rows, self.extractor, Counts())
        return next((row["problem"] for row in labelled if row["problem"]), None)

    def extract(self, records):
        return refused(lambda: self.extractor(records))

    def stream(self, records):
        return refused(lambda: list(self.extractor.stream(records, rows=1)))

    def service(self, records):
        pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")
        from starlette.testclient import TestClient

        from tkre.serving.api.app import create_app
        from tkre.serving.api.limits import ServiceParams

        app = create_app(self.extractor, ServiceParams(max_sentences=10))
        with TestClient(app, base_url="http://localhost") as client:
            answer = client.post("/predict", json={"sentences": records})
        if answer.status_code == 200:
            assert len(answer.json()["predictions"]) == len(records)
            return None
        assert answer.status_code == 422
        return answer.json()["detail"][0]["msg"]


DOORS = [name for name in vars(Doors) if not name.startswith("_")]


def refused(call) -> str | None:
    try:
        call()
    except ValueError as error:
        return str(error)
    return None


def words(refusal: str | None) -> str | None:
    """A refusal without the place of the row, and places of other rows in one form."""
    if refusal is None:
        return None
    [line] = [line for line in refusal.split("\n") if "bad" not in line and "Correct" not in line]
    line = re.sub(r"^\s*(toy/train\.jsonl, line \d+|new\.jsonl, line \d+|sentence \d+): ", "", line)
    return re.sub(r"is taken by .*", "is taken", line)


@pytest.fixture(scope="module")
def doors(schema, classifier_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors") / "toy"
    folder.mkdir()
    return Doors(schema, classifier_folder, folder)


GOOD = {
    "tagged": TYPED,
    "spans": SPANS,
    "spans and types": {**SPANS, "head_type": "person", "tail_type": "place"},
    "no types": {"sentence": TAGGED},
    "empty and missing type": {"sentence": TAGGED, "head_type": "", "tail_type": None},
    "whole number as id": {"id": 7, **TYPED},
    "id 0": {"id": 0, **TYPED},
    "labelled": {**TYPED, "relation": "lives_in", "implicit": True},
    "one mention in the other": {"text": TEXT, "head": [0, 18], "tail": [14, 18]},
    "mentions that touch": {"text": TEXT, "head": [0, 4], "tail": [4, 10]},
    "byte-order mark in a text": {"sentence": f"\ufeff{TAGGED}"},
    "invisible character in a mention": {"sentence": TAGGED.replace("anna", "an\u200bna")},
    "decomposed letters": {"sentence": TAGGED.replace("anna", "a\u0301nna")},
}
BAD = {
    "misspelt type": ({**TYPED, "head_type": "persn"},
                      "head_type 'persn' is not one of the entity types (did you mean 'person'?)"),
    "type in capitals": ({**TYPED, "tail_type": "PLACE"},
                         "tail_type 'PLACE' is not one of the entity types (known: person, place)"),
    "type with a blank": ({**TYPED, "tail_type": "place "}, "did you mean 'place'"),
    "type of another kind": ({**TYPED, "head_type": 5}, "head_type must be a text or left"),
    "one mention twice, tags": ({"sentence": "<head><tail>anna</tail></head> lives"},
                                "head and tail are the same mention, [0, 4]"),
    "one mention twice, spans": ({**SPANS, "tail": [0, 4]}, "head and tail are the same mention"),
    "crossing tags": ({"sentence": "<head>anna <tail>lives</head> in</tail>"}, "cross each other"),
    "crossing spans": ({**SPANS, "tail": [2, 8]}, "the mentions [0, 4] and [2, 8] cross"),
    "zero-width space": ({"sentence": TAGGED.replace("anna", "\u200b")},
                         "head [0, 1] holds nothing but white space or invisible characters"),
    "joiner and blank": ({"sentence": TAGGED.replace("oslo", "\u2060 \u200d")}, "tail [14, 17]"),
    "Hangul filler": ({"sentence": TAGGED.replace("anna", "\u3164")}, "head [0, 1] holds nothing"),
    "empty Braille": ({"sentence": TAGGED.replace("anna", "\u2800")}, "head [0, 1] holds nothing"),
    "variation selector": ({"sentence": TAGGED.replace("anna", "\ufe0f")}, "head [0, 1] holds"),
    "control character": ({"sentence": TAGGED.replace("anna", "\x07")}, "head [0, 1] holds"),
    "blank span": ({**SPANS, "head": [4, 5]}, "head [4, 5] holds nothing"),
    "empty tag": ({"sentence": TAGGED.replace("anna", "")}, "nothing stands between <head>"),
    "empty span": ({**SPANS, "head": [4, 4]}, "head [4, 4] is empty or outside the 20 characters"),
    "span outside": ({**SPANS, "tail": [14, 99]}, "tail [14, 99] is empty or outside"),
    "span of true": ({**SPANS, "head": [True, 4]}, "head must be [start, end] in characters, not"),
    "span of a text": ({**SPANS, "head": "anna"}, "head must be [start, end] in characters, not"),
    "one span": ({"text": TEXT, "head": [0, 4]}, "key 'tail' is missing: a text needs the spans"),
    "spans and tags": ({"sentence": TAGGED, "head": [0, 4]}, "'head' is a span in a 'text'"),
    "text and sentence": ({"sentence": TAGGED, **SPANS}, "it has both a 'sentence' (tagged) and"),
    "no sentence": ({"head_type": "person"}, "key 'sentence' is missing"),
    "blank sentence": ({"sentence": " "}, "sentence must be a text, not ' '"),
    "number as sentence": ({"sentence": 5}, "sentence must be a text, not 5"),
    "missing tag": ({"sentence": "<head>anna</head> lives"}, "tag <tail> is missing"),
    "misspelt key": ({**TYPED, "head_typ": "person"},
                     "unknown key 'head_typ' (did you mean 'head_type'?)"),
    "id of a fraction": ({"id": 7.5, **TYPED}, "id must be a text or a whole number, not 7.5"),
    "id of true": ({"id": True, **TYPED}, "id must be a text or a whole number, not True"),
    "blank id": ({"id": " ", **TYPED}, "id must be a text or a whole number, not ' '"),
    "invisible id": ({"id": "\u200b", **TYPED}, "id must be a text or a whole number, not"),
    "id that stands twice": ({"id": "first", **TYPED}, "id 'first' is taken"),
}  # fmt: skip


@pytest.mark.parametrize("record", GOOD.values(), ids=GOOD.keys())
def test_good_records_pass_all_doors(doors, record):
    records = [{"id": "first", **TYPED}, record]
    assert {door: getattr(doors, door)(records) for door in DOORS} == dict.fromkeys(DOORS)


@pytest.mark.parametrize(("record", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_records_are_refused_at_all_doors_with_the_same_words(doors, record, reason):
    records = [{"id": "first", **TYPED}, record]
    found = {door: words(getattr(doors, door)(records)) for door in DOORS}
    assert len(set(found.values())) == 1, found
    assert reason in str(found["training"])


def test_half_surrogates_are_refused_where_python_gives_them(doors):
    for door in ("extract", "stream"):
        refusal = getattr(doors, door)([{"sentence": f"{TAGGED}\ud800"}])
        assert "half of a surrogate pair stands at character 20" in refusal


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_byte_order_marks_before_lines(doors, mark, tmp_path):
    """Before a file, and where files were joined."""
    text = f"{mark}{lines([TYPED])}{mark}{lines([{'id': 'b', **SPANS}])}"
    assert len(read_pool(lambda _: text, doors.schema, POOL)) == 2
    (tmp_path / "a.jsonl").write_text(text)
    rows = [row for _, row in read_rows(tmp_path / "a.jsonl")]
    assert rows == [TYPED, {"id": "b", **SPANS}]
    text = f"{mark}{labelled([TYPED])}"
    assert len(read_corpus(lambda _: text, doors.schema, PARAMS).rows) == 1


def test_columns_that_are_no_keys_are_kept_by_labelling_alone(doors, tmp_path):
    record = {**TYPED, "source": "news"}
    assert doors.label([record]) is None
    others = [door for door in DOORS if door != "label"]
    assert all("unknown key 'source'" in getattr(doors, door)([record]) for door in others)
    pd = pytest.importorskip("pandas")
    pd.DataFrame([{**SPANS, "head_typ": "x"}]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a.parquet: unknown key 'head_typ' \(did you mean"):
        partitions(tmp_path, tmp_path / "out")


def test_rows_of_other_formats_are_checked(doors):
    """Two public formats can mark one mention twice, or mentions that cross."""
    params = CorpusParams(format="tacred", train="train.json")
    row = {"id": "a", "token": ["anna", "lives"], "relation": "knows", "subj_type": "person",
           "obj_type": "person", "subj_start": 0, "subj_end": 0, "obj_start": 0,
           "obj_end": 0}  # fmt: skip
    with pytest.raises(CorpusError, match=r"record 1: head and tail are the same mention"):
        read_corpus(lambda _: json.dumps([row]), doors.schema, params)


def test_types_are_refused_where_there_are_none(doors, schema):
    relations = {
        name: relation.model_copy(update={"head_types": (), "tail_types": ()})
        for name, relation in schema.relations.items()
    }
    untyped = schema.model_copy(update={"entity_types": (), "relations": relations})
    reason = "head_type 'person': no entity types are declared, leave it out"
    text = labelled([TYPED])
    assert reason in refused(lambda: read_corpus(lambda _: text, untyped, PARAMS))
    doors.extractor.schema = untyped
    vars(doors.extractor).pop("entity_types", None)
    try:
        assert reason in doors.extract([TYPED])
    finally:
        doors.extractor.schema = schema
        vars(doors.extractor).pop("entity_types", None)


def test_spacy_leaves_out_pairs_that_are_refused(classifier_folder, caplog):
    spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")
    nlp = spacy.blank("en")
    nlp.add_pipe("tkre_relations", config={"classifier": str(classifier_folder)})
    doc = nlp.make_doc("anna lives in \u3164 oslo")
    doc.ents = [spacy.tokens.Span(doc, n, n + 1, label="X") for n in (0, 3, 4)]
    with caplog.at_level(logging.WARNING, "tkre.serving.spacy"):
        [done] = nlp.pipe([doc])
    assert all("\u3164" not in r.head.text + r.tail.text for r in done._.relations)
    assert "left out: head [14, 15] holds nothing but white space or invisible" in caplog.text
    instance = Instance("", TEXT, Span(0, 4), Span(0, 4))
    assert "same mention" in refused(
        lambda: RelationExtractor.from_pretrained(classifier_folder)([instance])
    )
