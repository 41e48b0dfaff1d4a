from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from transformers import AutoModel, AutoModelForSequenceClassification, pipeline

import tkre.serving.transformers as integration
from tkre.core.instance import to_tagged
from tkre.corpora.unlabelled import SentenceError
from tkre.modeling.classifier import RelationClassifier
from tkre.serving.extractor import RelationExtractor

SENTENCE = "<head>anna</head> lives in the old <tail>oslo</tail> ."
DOUBTFUL = "<head>anna</head> and <tail>oslo</tail> ."


@pytest.fixture(scope="module")
def classify(classifier_folder):
    return pipeline("relation-classification", model=str(classifier_folder), device="cpu")


def test_outputs_equal_those_of_the_extractor(classify, classifier_folder, toy_rows):
    expected = RelationExtractor.from_pretrained(classifier_folder)(toy_rows)
    tagged = [to_tagged(row) for row in toy_rows]
    records = [
        {"text": row.text, "head": [row.head.start, row.head.end],
         "tail": [row.tail.start, row.tail.end], "head_type": row.head_type,
         "tail_type": row.tail_type}
        for row in toy_rows
    ]  # fmt: skip
    for given in (toy_rows, records):
        for size in (1, 7, None):
            answers = classify(given, **({} if size is None else {"batch_size": size}))
            assert [a["label"] for a in answers] == [p.relation for p in expected]
            assert [a["score"] for a in answers] == pytest.approx(
                [p.probability for p in expected], abs=1e-4
            )
            assert not any(a["abstained"] for a in answers)
    assert [a["label"] for a in classify(tagged)] == [row.relation for row in toy_rows]


def test_forms_of_input(classify):
    assert classify(SENTENCE)["label"] == "lives_in"
    assert classify([]) == []
    assert [a["label"] for a in classify((SENTENCE,))] == ["lives_in"]
    asked = []

    def sentences():
        while True:
            asked.append(1)
            yield SENTENCE

    answers = classify(sentences(), batch_size=2)
    assert next(answers)["label"] == "lives_in"
    assert len(asked) == 2


def test_truncated_sentences_are_marked(classify):
    short, long = classify([SENTENCE, SENTENCE + " then" * 200])
    assert (short["truncated"], long["truncated"]) == (False, True)
    assert all(answer["truncated"] for answer in classify(SENTENCE + " then" * 200, top_k=None))


def test_top_k(classify, schema):
    [best, second] = classify(SENTENCE, top_k=2)
    assert best["label"] == "lives_in" and best["score"] > second["score"]
    [every] = classify([SENTENCE], top_k=None)
    assert sorted(a["label"] for a in every) == schema.names
    assert sum(a["score"] for a in every) == pytest.approx(1)
    with pytest.raises(ValueError, match="top_k must be 1 or more"):
        classify(SENTENCE, top_k=0)
    with pytest.raises(TypeError, match="no parameter function_to_apply"):
        classify(SENTENCE, function_to_apply="sigmoid")


def test_bad_sentence_is_named_by_position(classify):
    with pytest.raises(SentenceError, match="sentence 1: tag <head> is missing"):
        classify([SENTENCE, "no tags"])


def test_abstains_with_the_calibrator_beside_the_weights(
    classifier_folder, toy_rows, calibrator_of, tmp_path
):
    import shutil

    shutil.copytree(classifier_folder, tmp_path, dirs_exist_ok=True)
    calibrator = calibrator_of(classifier_folder, toy_rows)
    (tmp_path / "trust.json").write_text(calibrator.model_dump_json())
    least = calibrator.confidence_for(0.5)
    careful = pipeline(
        "relation-classification", model=str(tmp_path), device="cpu", wanted_precision=0.5
    )
    for answer in careful([SENTENCE, DOUBTFUL]):
        withheld = answer["label"] is None
        assert answer["abstained"] == withheld
        assert withheld or answer["label"] == "none" or answer["score"] >= least
    [answer], ranked = careful([DOUBTFUL]), careful(DOUBTFUL, top_k=2)
    guess = careful._extractor([DOUBTFUL])[0].guess
    assert answer["label"] is None and answer["abstained"] and answer["verdict"] == "withheld"
    assert [a["abstained"] for a in ranked] == [True, True]
    assert ranked[0]["label"] == guess and ranked[0]["score"] == answer["score"]
    assert None not in [a["label"] for a in ranked]
    plain = pipeline("relation-classification", model=str(tmp_path), device="cpu", calibrator=False)
    assert plain(SENTENCE)["score"] > careful(SENTENCE)["score"]


def test_auto_classes_load_without_remote_code(classify, classifier_folder, tmp_path):
    classify.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.py"))
    assert "custom_pipelines" not in (tmp_path / "config.json").read_text()
    for auto in (AutoModel, AutoModelForSequenceClassification):
        assert type(auto.from_pretrained(tmp_path)) is RelationClassifier
    again = pipeline("relation-classification", model=str(tmp_path), device="cpu")
    assert again(SENTENCE) == classify(SENTENCE)


@pytest.mark.slow
def test_import_registers_the_task(classifier_folder):
    code = textwrap.dedent(
        """
        import sys
        from transformers import pipeline
        try:
            pipeline("relation-classification", model=sys.argv[1])
        except ValueError as error:
            assert "does not recognize this architecture" in str(error)
        else:
            raise AssertionError("known before")
        import tkre.serving.transformers
        classify = pipeline("relation-classification", model=sys.argv[1], device="cpu")
        print(classify(sys.argv[2])["label"])
        assert "kedro" not in sys.modules
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(classifier_folder), SENTENCE], check=False, text=True,
        capture_output=True, env=os.environ,
    )  # fmt: skip
    assert done.stdout.strip() == "lives_in", done.stderr[-2000:]


def test_register_twice(recwarn):
    integration.register()
    assert not recwarn.list
