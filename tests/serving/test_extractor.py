from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import yaml

from tests.conftest import instance
from tkre.core.instance import to_tagged
from tkre.corpora.unlabelled import SentenceError
from tkre.evaluation.calibrator import CalibratorError
from tkre.serving.extractor import (
    DOUBTFUL,
    HOLDS,
    NO_RELATION,
    RelationExtractor,
    newest_version,
)


@pytest.fixture(scope="module")
def folder(classifier_folder, tmp_path_factory):
    """Of versions."""
    path = tmp_path_factory.mktemp("classifier")
    for version in ("2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"):
        shutil.copytree(classifier_folder, path / version / "classifier")
    return path


def test_from_pretrained_labels_sentences(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    predictions = extractor([to_tagged(row) for row in toy_rows])
    assert [p.relation for p in predictions] == [row.relation for row in toy_rows]
    first = predictions[0]
    assert first.probability == max(first.probabilities.values())
    assert sum(first.probabilities.values()) == pytest.approx(1)
    assert list(first.probabilities) == extractor.relations


def test_an_answer_says_whether_no_relation_holds_or_none_is_probable(
    folder, toy_rows, monkeypatch
):
    extractor = RelationExtractor.from_pretrained(folder)
    sure = extractor(toy_rows)
    assert {p.relation: p.verdict for p in sure} == {
        name: NO_RELATION if name == "none" else HOLDS for name in {r.relation for r in toy_rows}
    }
    monkeypatch.setattr(extractor.config, "least_probability", 1.1)
    for before, now in zip(sure, extractor(toy_rows), strict=True):
        assert now.relation == "none" and not now.abstained
        assert now.verdict == (NO_RELATION if before.relation == "none" else DOUBTFUL)


def test_sentences_without_types_are_labelled_and_marked(folder, toy_rows, schema):
    typed = replace(toy_rows[0], head_type="person", tail_type="place")
    half = replace(typed, tail_type=None)
    extractor = RelationExtractor.from_pretrained(folder, schema=schema)
    assert [p.untyped for p in extractor([typed, half])] == [False, True]
    plain = schema.model_copy(update={"entity_types": ()})
    without = RelationExtractor.from_pretrained(folder, schema=plain)
    assert not without([to_tagged(typed)])[0].untyped


def test_forms_of_a_sentence(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    row = toy_rows[0]
    record = {"sentence": to_tagged(row), "head_type": "person", "tail_type": "place"}
    by_record, by_instance = extractor([record, row])
    assert by_record == by_instance
    spans = {"text": row.text, "head": [0, 4], "tail": (22, 26)}
    assert row.head_text == "anna" and spans["text"][22:26] == row.tail_text
    by_spans, by_tags = extractor([spans | {"head_type": "person", "tail_type": "place"}, record])
    assert by_spans == by_tags == by_instance
    assert extractor([]) == []
    assert extractor(iter([record]))[0].relation == by_tags.relation


@pytest.mark.parametrize(
    "one", ["a", b"a", {"sentence": "a"}, instance("<head>a</head> <tail>b</tail>")]
)
def test_one_sentence_is_refused_as_a_batch(folder, one):
    extractor = RelationExtractor.from_pretrained(folder)
    for call in (extractor, lambda given: next(extractor.stream(given))):
        with pytest.raises(TypeError, match=r"extractor\(\[sentence\]\)\[0\]"):
            call(one)


def test_bad_sentences_are_named_by_position(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    bad = {"sentence": to_tagged(toy_rows[0]), "head_type": "persn"}
    batch = [toy_rows[0], "<head>anna</head> lives here", toy_rows[1], bad]
    with pytest.raises(SentenceError, match="sentence 1: tag <tail> is missing") as raised:
        extractor(batch)
    assert list(raised.value.problems) == [1, 3]
    assert raised.value.problems[3] == (
        "head_type 'persn' is not one of the entity types (did you mean 'person'?)"
    )


def test_stream_reads_a_batch_at_a_time(folder, toy_rows):
    extractor = RelationExtractor.from_pretrained(folder)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield toy_rows[len(taken) % len(toy_rows)]

    first = next(extractor.stream(endless(), rows=4))
    assert len(taken) == 4 and first.relation == toy_rows[1].relation
    streamed, batch = list(extractor.stream(toy_rows, rows=3)), extractor(toy_rows)
    assert [p.relation for p in streamed] == [p.relation for p in batch]
    assert [p.probability for p in streamed] == pytest.approx([p.probability for p in batch])
    with pytest.raises(SentenceError, match="sentence 5: "):
        list(extractor.stream([*toy_rows[:5], "no tags"], rows=2))


def test_calibrator_calibrates_and_withholds(folder, toy_rows, calibrator_of, tmp_path):
    raw = RelationExtractor.from_pretrained(folder)(toy_rows)
    calibrator = calibrator_of(folder, toy_rows)
    file = tmp_path / "trust.json"
    file.write_text(calibrator.model_dump_json())
    calibrated = RelationExtractor.from_pretrained(folder, calibrator=file)(toy_rows)
    beside = newest_version(folder) / "trust.json"
    beside.write_text(calibrator.model_dump_json())
    assert RelationExtractor.from_pretrained(folder)(toy_rows) == calibrated
    assert RelationExtractor.from_pretrained(folder, wanted_precision=0.5)
    beside.unlink()
    assert [p.relation for p in calibrated] == [p.relation for p in raw]
    assert all(sum(p.probabilities.values()) == pytest.approx(1) for p in calibrated)
    assert np.mean([p.probability for p in calibrated]) < np.mean([p.probability for p in raw])
    careful = RelationExtractor.from_pretrained(folder, calibrator=calibrator, wanted_precision=0.5)
    doubtful = instance("<head>anna</head> and <tail>oslo</tail> .")
    for p in careful([*toy_rows, doubtful]):
        least = calibrator.confidence_for(0.5)
        assert p.abstained == (p.guess != "none" and p.probability < least) == (p.relation is None)
    with pytest.raises(CalibratorError, match=r"precision of 0.99"):
        RelationExtractor.from_pretrained(folder, calibrator=calibrator, wanted_precision=0.99)
    with pytest.raises(CalibratorError, match="classifier with the digest"):
        other = calibrator.model_copy(update={"classifier": "0" * 64})
        RelationExtractor.from_pretrained(folder, calibrator=other)
    with pytest.raises(ValueError, match="needs the calibrator record"):
        RelationExtractor.from_pretrained(folder, wanted_precision=0.5)


def test_batch_is_tokenised_once_per_direction(folder, toy_rows, monkeypatch):
    extractor = RelationExtractor.from_pretrained(folder)
    encode, calls = extractor._model.encode, []
    monkeypatch.setattr(
        extractor._model, "encode", lambda *given: calls.append(len(given[0])) or encode(*given)
    )
    extractor(toy_rows)
    assert calls == [len(toy_rows)] * (2 if extractor.config.both_directions else 1)


def test_truncated_sentences_are_marked(folder):
    """Of two sentences that differ in words that are not read, the answers are the same."""
    extractor = RelationExtractor.from_pretrained(folder)
    short = "<head>anna</head> lives in the old <tail>oslo</tail> ."
    long = [short + " then" * 200 + f" {last}" for last in ("home", "work")]
    apart = f"<head>anna</head>{' then' * 200} <tail>oslo</tail>"
    whole, one, other, torn = extractor([short, *long, apart])
    assert [p.truncated for p in (whole, one, other, torn)] == [False, True, True, True]
    assert one == other
    assert [p.truncated for p in extractor.stream([long[0], short], rows=1)] == [True, False]


@pytest.mark.parametrize("wanted", [1.5, 8, -1, 0, 1, float("nan")])
def test_wanted_precision_is_between_0_and_1(folder, toy_rows, calibrator_of, tmp_path, wanted):
    """Checked before a classifier is loaded, and by the class itself."""
    reason = f"wanted_precision must be between 0 and 1, not {wanted:g}"
    with pytest.raises(ValueError, match=reason):
        RelationExtractor.from_pretrained(tmp_path, wanted_precision=wanted)
    loaded = RelationExtractor.from_pretrained(folder)
    with pytest.raises(ValueError, match=reason):
        RelationExtractor(
            loaded._model,
            loaded._tokenizer,
            calibrator_of(folder, toy_rows),
            wanted_precision=wanted,
        )


def test_newest_version(folder, tmp_path):
    assert newest_version(folder).parent.name == "2026-02-01T00.00.00.000Z"
    assert newest_version(folder / "2026-01-01T00.00.00.000Z" / "classifier").name == "classifier"
    with pytest.raises(FileNotFoundError, match=r"no classifier in .*06_models"):
        newest_version(tmp_path)
    # What a kill has left of a save, as earlier versions wrote it and as this one does.
    for left in ("classifier/2027/.classifier.unfinished", "classifier/.2027/classifier"):
        (tmp_path / left).mkdir(parents=True)
        (tmp_path / left / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no classifier in"):
        newest_version(tmp_path / "classifier")


def test_calibrator_and_schema_beside_the_weights_are_used(
    folder, toy_rows, schema, calibrator_of, tmp_path
):
    shutil.copytree(newest_version(folder), tmp_path, dirs_exist_ok=True)
    calibrator = calibrator_of(tmp_path, toy_rows)
    (tmp_path / "trust.json").write_text(calibrator.model_dump_json())
    raw = schema.model_dump() | {"entity_types": ["person", "place", "date"]}
    (tmp_path / "relations.yml").write_text(yaml.safe_dump(json.loads(json.dumps(raw))))
    beside = RelationExtractor.from_pretrained(tmp_path, wanted_precision=0.5)
    without = RelationExtractor.from_pretrained(tmp_path, calibrator=False)
    assert beside.calibrator == calibrator and without.calibrator is None
    assert beside(toy_rows[:1])[0].probability < without(toy_rows[:1])[0].probability
    assert beside.schema.relations == schema.relations
    assert beside.entity_types == {"person", "place", "date"}
    assert without([{"sentence": to_tagged(toy_rows[0]), "head_type": "date"}])


def test_entity_types_of_older_configs(folder):
    """Configs of older versions: the types that their relations name."""
    extractor = RelationExtractor.from_pretrained(folder)
    assert extractor.entity_types == {"person", "place"}
    config = extractor._model.config
    config.entity_types, config.allowed_types = None, {"lives_in": [["person"], []]}
    del extractor.entity_types
    assert extractor.entity_types == {"person"}
    config.allowed_types = {}
    del extractor.entity_types
    assert extractor.entity_types is None
    config.entity_types = []
    del extractor.entity_types
    with pytest.raises(SentenceError, match="no entity types are declared, leave it out"):
        extractor([{"sentence": "<head>a</head> <tail>b</tail>", "tail_type": "x"}])


def test_loading_imports_no_more_than_it_needs(folder):
    """Imports of a start; training/test_onnx.py has those of an exported classifier."""
    code = textwrap.dedent(
        """
        import sys
        from tkre.serving.extractor import RelationExtractor
        found = {"torch", "transformers", "sklearn", "kedro", "pandas"} & set(sys.modules)
        assert not found, found
        extractor = RelationExtractor.from_pretrained(sys.argv[1])
        print(extractor(["<head>anna</head> lives in the old <tail>oslo</tail> ."])[0].relation)
        found = {"sklearn", "pandas", "kedro"} & set(sys.modules)
        assert not found, found
        """
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "lives_in"


# natural text
@pytest.fixture
def with_prior(folder, toy_rows, tmp_path):
    """A classifier that knows that most natural text holds no relation, without a record."""
    shutil.copytree(newest_version(folder), tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    names = config["id2label"].values()
    prior = {name: 0.9 if name == "none" else 0.1 / (len(names) - 1) for name in names}
    (tmp_path / "config.json").write_text(json.dumps(config | {"natural_prior": prior}))
    return tmp_path


def test_sentences_of_users_are_natural_text(with_prior, toy_rows):
    balanced = RelationExtractor.from_pretrained(with_prior, natural=False)(toy_rows)
    natural = RelationExtractor.from_pretrained(with_prior)(toy_rows)
    assert RelationExtractor.from_pretrained(with_prior, natural=True)(toy_rows) == natural
    assert [p.relation for p in balanced] == [row.relation for row in toy_rows]
    for a, b in zip(balanced, natural, strict=True):
        assert b.probabilities["none"] >= a.probabilities["none"]
        # The prior is that of one row, applied once: the relations keep their proportions.
        odds = [p.probabilities["none"] / p.probabilities["lives_in"] for p in (a, b)]
        assert odds[1] / odds[0] == pytest.approx(9 * (len(a.probabilities) - 1))


def test_a_classifier_without_a_prior_labels_either_text_alike(folder, toy_rows):
    labelled = [
        RelationExtractor.from_pretrained(folder, natural=natural)(toy_rows)
        for natural in (None, True, False)
    ]
    assert labelled[0] == labelled[1] == labelled[2]


def test_the_calibrator_says_how_text_is_labelled(with_prior, toy_rows, calibrator_of):
    balanced = calibrator_of(with_prior, toy_rows)
    natural = balanced.model_copy(update={"fitted_on": "natural"})

    def load(record, **options):
        return RelationExtractor.from_pretrained(with_prior, calibrator=record, **options)

    assert load(balanced).natural is False and load(natural).natural is True
    assert load(natural, natural=True)(toy_rows) == load(natural)(toy_rows)
    assert load(balanced)(toy_rows)[0].probability != load(natural)(toy_rows)[0].probability
    for record, wanted, other in ((balanced, True, "trust.json"), (natural, False, "balanced_tr")):
        with pytest.raises(CalibratorError, match=rf"natural={wanted} .*give {other}"):
            load(record, natural=wanted)


def test_a_share_that_is_corrected_for_is_that_of_the_record(with_prior, toy_rows, calibrator_of):
    """The prior is applied before the temperature, the share after it from that of the record."""
    record = calibrator_of(with_prior, toy_rows).model_copy(
        update={"fitted_on": "natural", "temperature": 1.0, "validation_negative": 0.8}
    )
    same = record.settings.model_copy(update={"negative_share": 0.8})
    given = record.model_copy(update={"settings": same})
    plain, corrected = (
        RelationExtractor.from_pretrained(with_prior, calibrator=r)(toy_rows)
        for r in (record, given)
    )
    for a, b in zip(plain, corrected, strict=True):
        assert b.probabilities == pytest.approx(a.probabilities)
