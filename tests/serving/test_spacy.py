from __future__ import annotations

import logging
import shutil
import tomllib
from importlib import import_module

import pytest

from tests.conftest import ROOT
from tkre.serving.extractor import DOUBTFUL, HOLDS, NO_RELATION, WITHHELD, RelationExtractor

spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")

from spacy.tokens import DocBin  # noqa: E402

from tkre.serving.spacy import Relation, make_relations  # noqa: E402

TYPES = {"PERSON": "person", "GPE": "place"}


def made(classifier_folder, sentences=True, **config):
    nlp = spacy.blank("en")
    if sentences:
        nlp.add_pipe("sentencizer")
    patterns = {"PERSON": ("anna", "bert"), "GPE": ("oslo", "rome"), "DATE": ("years",)}
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": label, "pattern": word} for label, words in patterns.items() for word in words]
    )
    nlp.add_pipe(
        "tkre_relations", config={"classifier": str(classifier_folder), "types": TYPES, **config}
    )
    return nlp


def relations_of(doc):
    return [(r.head.text, r.label, r.tail.text) for r in doc._.relations]


@pytest.fixture(scope="module")
def nlp(classifier_folder):
    return made(classifier_folder)


def test_entities_of_a_sentence_are_paired(nlp, classifier_folder):
    doc = nlp("anna lives in the old oslo for years . bert never saw rome .")
    assert relations_of(doc) == [("anna", "lives_in", "oslo"), ("oslo", "home_of", "anna")]
    first = doc._.relations[0]
    assert isinstance(first, Relation)
    assert (first.head.label_, first.head.start, first.tail.label_) == ("PERSON", 0, "GPE")
    [expected] = RelationExtractor.from_pretrained(classifier_folder)(
        [{"text": "anna lives in the old oslo for years .", "head": [0, 4], "tail": [22, 26],
          "head_type": "person", "tail_type": "place"}]
    )  # fmt: skip
    assert first.probability == pytest.approx(expected.probability)
    assert (first.guess, first.abstained, first.verdict) == ("lives_in", False, HOLDS)


def test_truncated_sentences_are_marked(nlp):
    for text, cut in (("", False), (" then" * 200, True)):
        relations = nlp(f"anna lives in the old oslo{text}")._.relations
        assert relations and all(relation.truncated is cut for relation in relations)


def test_mentions_are_found_in_any_sentence_of_a_document(nlp):
    doc = nlp("rome is an old town . the oslo of bert is home of anna .")
    assert ("oslo", "home_of", "anna") in relations_of(doc)
    assert not any("rome" in pair for pair in relations_of(doc))


def test_batches_equal_single_documents(nlp):
    texts = ["anna lives in the old oslo .", "bert .", "", "anna met and knows bert ."] * 3
    piped = list(nlp.pipe(texts, batch_size=5))
    assert [relations_of(doc) for doc in piped] == [relations_of(nlp(text)) for text in texts]
    assert relations_of(piped[3]) == [("anna", "knows", "bert"), ("bert", "knows", "anna")]
    assert relations_of(piped[2]) == []


def test_keep_negative(classifier_folder):
    doc = made(classifier_folder, keep_negative=True)("anna never saw oslo .")
    assert ("anna", "none", "oslo") in relations_of(doc) and len(relations_of(doc)) == 2
    texts = [{"text": doc.text, "head": [0, 4], "tail": [16, 20]},
             {"text": doc.text, "head": [16, 20], "tail": [0, 4]}]  # fmt: skip
    expected = RelationExtractor.from_pretrained(classifier_folder)(texts)
    untyped = made(classifier_folder, types=None, keep_negative=True)(doc.text)
    assert [(r.verdict, r.untyped) for r in untyped._.relations] == [
        (e.verdict, True) for e in expected
    ]
    assert not any(r.untyped for r in doc._.relations)
    assert {r.verdict for r in doc._.relations} <= {NO_RELATION, DOUBTFUL}


def test_entities_without_a_type_are_paired_if_named(classifier_folder):
    with_dates = made(classifier_folder, types={**TYPES, "DATE": None}, keep_negative=True)
    doc = with_dates("anna lives in the old oslo for years .")
    assert {word for r in doc._.relations for word in (r.head.text, r.tail.text)} == {
        "anna", "oslo", "years",
    }  # fmt: skip
    assert len(made(classifier_folder, types=None, keep_negative=True)(doc.text)._.relations) == 6


def test_unknown_entity_type(classifier_folder):
    with pytest.raises(ValueError, match=r"types.PERSON 'persn' is not.*did you mean 'person'"):
        made(classifier_folder, types={"PERSON": "persn"})
    with pytest.raises(ValueError, match="calibrator is a file"):
        made(classifier_folder, calibrator=True)


def test_missing_sentence_boundaries_warn_once(classifier_folder, caplog):
    nlp = made(classifier_folder, sentences=False, keep_negative=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            doc = nlp("anna is here . rome is old .")
    assert len(doc._.relations) == 2
    assert len([r for r in caplog.records if "sentence boundaries" in r.message]) == 1


def test_relations_are_stored_in_a_docbin(nlp):
    doc = nlp("anna lives in the old oslo .")
    content = DocBin(docs=[doc], store_user_data=True).to_bytes()
    [again] = DocBin().from_bytes(content).get_docs(nlp.vocab)
    assert relations_of(again) == relations_of(doc) and again._.relations[0].head.label_ == "PERSON"
    assert again._.relations[0].verdict == HOLDS


def test_documents_of_an_older_version_are_read(nlp):
    doc = nlp("anna lives in the old oslo .")
    doc.user_data["tkre_relations"][0][6:] = []
    [first, _] = doc._.relations
    assert (first.guess, first.truncated, first.verdict) == ("lives_in", False, "")


def test_withheld_relations(classifier_folder, toy_rows, calibrator_of, tmp_path):
    record = calibrator_of(classifier_folder, toy_rows)
    (tmp_path / "record.json").write_text(record.model_dump_json())
    config = {"calibrator": str(tmp_path / "record.json"), "wanted_precision": 0.5, "types": None}
    relations = made(classifier_folder, **config)("anna and oslo .")._.relations
    assert WITHHELD in {relation.verdict for relation in relations}
    for relation in relations:
        assert (relation.verdict == WITHHELD) is relation.abstained is (relation.label is None)


def test_saved_pipeline_holds_its_classifier(classifier_folder, toy_rows, calibrator_of, tmp_path):
    folder = tmp_path / "classifier"
    shutil.copytree(classifier_folder, folder)
    (tmp_path / "record.json").write_text(
        calibrator_of(classifier_folder, toy_rows).model_dump_json()
    )
    nlp = made(folder, calibrator=str(tmp_path / "record.json"), wanted_precision=0.5)
    before = nlp("anna lives in the old oslo .")
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(folder)
    (tmp_path / "record.json").unlink()
    (tmp_path / "saved").rename(tmp_path / "moved")
    again = spacy.load(tmp_path / "moved")
    after = again("anna lives in the old oslo .")
    assert relations_of(after) == relations_of(before)
    assert after._.relations[0].probability == pytest.approx(before._.relations[0].probability)
    again.to_disk(tmp_path / "moved")  # onto itself


def test_missing_classifier_fails_on_first_use(tmp_path):
    nlp = made(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no classifier in"):
        nlp("anna lives in oslo .")


def test_error_handler(classifier_folder, monkeypatch):
    nlp = made(classifier_folder)
    seen = []
    nlp.set_error_handler(lambda name, component, docs, error: seen.append((name, len(docs))))
    monkeypatch.setattr(
        nlp.get_pipe("tkre_relations").extractor, "stream", lambda _: (1 / 0 for _ in "a")
    )
    assert list(nlp.pipe(["anna lives in oslo ."])) == []
    assert seen == [("tkre_relations", 1)]


def test_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = project["entry-points"]["spacy_factories"]["tkre_relations"]
    module, _, name = target.partition(":")
    assert getattr(import_module(module), name) is make_relations
