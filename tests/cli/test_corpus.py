"""``kedro corpus new``, ``validate`` and ``candidates``."""

from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tkre.cli.corpus import finder
from tkre.corpora.unlabelled import read_unlabelled
from tkre.serving.batch import partitions

EXAMPLE = ROOT / "docs/examples/theatre"
NEW = ("corpus", "new", "theatre", "--relations", "wrote_play,staged_at",
       "--types", "person,play,theatre", "--negative", "none")  # fmt: skip
TRAIN = "data/01_raw/newsroom/train.jsonl"


def test_new_corpus_is_a_pipeline_and_is_not_overwritten(project, kedro):
    output = kedro(*NEW)
    for file in ("data/01_raw/theatre/relations.yml", "data/01_raw/theatre/train.jsonl",
                 "conf/base/parameters_corpora_theatre.yml",
                 "conf/base/experiments_theatre.yml"):  # fmt: skip
        assert f"made {file}" in output and (project.folder / file).is_file()
    assert "kedro corpus validate theatre" in output
    refused = kedro(*NEW, code=1)
    assert "there is a corpus theatre already" in refused
    assert "delete data/01_raw/theatre, conf/base/parameters_corpora_theatre.yml" in refused
    message = project.refusal("theatre")
    assert "type 'TODO' is not one of the entity_types" in message
    assert "kedro corpus validate names the lines" in message


def test_existing_rows_are_kept_and_name_the_relations(project, kedro):
    folder = project.folder / "data/01_raw/theatre"
    folder.mkdir()
    shutil.copy(EXAMPLE / "train.jsonl", folder)
    kedro("corpus", "new", "theatre", "--negative", "none")
    assert (folder / "train.jsonl").read_bytes() == (EXAMPLE / "train.jsonl").read_bytes()
    relations = (folder / "relations.yml").read_text(encoding="utf-8")
    assert "  understudy_of:\n" in relations
    assert "entity_types: [person, play, theatre]" in relations
    assert relations.count("none:") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("new", "inference"), "there is a corpus or a pipeline 'inference'"),
        (("new", "newsroom"), "the name 'newsroom' is taken"),
        (("validate", "newsrom"), "no corpus 'newsrom' (did you mean 'newsroom'?)"),
        (("doctor", "newsroom", "-v", "tkre_pus"), "did you mean 'tkre_plus'?"),
        (("candidates", "raw.txt", "p.csv", "--mentions", "raw.txt"), "ends with .jsonl or .par"),
    ],
)
def test_refusals(project, kedro, arguments, message):
    shutil.copy(EXAMPLE / "raw.txt", project.folder)
    assert message in kedro("corpus", *arguments, code=1)


def test_folder_without_an_entry_in_conf(project, kedro):
    (project.folder / "data/01_raw/loose").mkdir()
    output = kedro("corpus", "validate", "loose", code=1)
    assert "conf/base/parameters_corpora_loose.yml" in output


def test_invalid_yaml_names_its_line(project, kedro):
    kedro(*NEW)
    file = "conf/base/parameters_corpora_theatre.yml"
    project.edit(file, "    # test:", "   test:")
    assert f"{file}, line 8: not YAML" in kedro("corpus", "validate", "theatre", code=1)


def test_the_demo_corpus_is_valid(project, kedro):
    output = kedro("corpus", "validate", "newsroom")
    rows = [line.replace("\u2502", " ").split() for line in output.splitlines()]
    counts = {r[0]: r[1:5] for r in rows if len(r) > 4}
    assert counts["born_in"] == ["16", "8", "30", "6"]
    [line] = [line for line in output.splitlines() if "born_in" in line]
    assert "8 - 24 - 29" in line and "person \u2192 place (60)" in line
    assert counts["all"] == ["176", "88", "330", "479"]
    assert "newsroom: 0 errors, 0 warnings, 1 note" in output
    assert "fewer than 32 rows in train" in kedro("corpus", "validate", "newsroom", "-k", "32")
    assert project.outputs() == set()


def test_corpus_errors_exit_with_1(project, kedro):
    project.edit(TRAIN, "</tail>", "")
    output = kedro("corpus", "validate", "newsroom", code=1)
    assert "error    newsroom/train.jsonl, line 1: tag </tail> is missing" in output
    assert "newsroom: 1 error, " in output and "Next:" not in output


def make(project, kedro, target: str, *arguments: str, code: int = 0) -> str:
    for file in ("raw.txt", "mentions.tsv"):
        shutil.copy(EXAMPLE / file, project.folder)
    return kedro("corpus", "candidates", "raw.txt", target, *arguments, code=code)


def test_candidates_for_inference_and_for_labelling(project, kedro):
    output = make(project, kedro, "pairs.jsonl", "--mentions", "mentions.tsv")
    assert "6 sentences with 11 mentions (person 7, play 3, theatre 1)" in output
    assert "sentences without a mention: 1" in output and "14 pairs in pairs.jsonl" in output
    text = (project.folder / "pairs.jsonl").read_text(encoding="utf-8")
    assert len(read_unlabelled(text, "pairs.jsonl", lambda _: None)) == 14
    target = "new/pairs.parquet"
    make(project, kedro, target, "--mentions", "mentions.tsv", "--pairs", "text-order")
    [(file, _)] = partitions(project.folder / "new", project.folder)
    table = pq.read_table(file)
    assert table.num_rows == 7
    assert table.column_names == ["id", "sentence", "head_type", "tail_type"]


def test_candidates_from_spacy_with_the_types_of_a_corpus(project, kedro):
    spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": "PER", "pattern": "Orla Finnegan"}, {"label": "PER", "pattern": "Jasper Thorne"},
         {"label": "PER", "pattern": "Colm Brady"}, {"label": "HOUSE", "pattern": "Tollhouse"},
         {"label": "DATE", "pattern": "October"}]
    )  # fmt: skip
    nlp.to_disk(project.folder / "pipeline")
    output = make(project, kedro, "p.jsonl", "--spacy", "pipeline", "--corpus", "newsroom",
                  "--as", "PER=person", "--as", "HOUSE=place")  # fmt: skip
    # person, place: one direction has relations; person, person: both.
    assert "pairs left out: no relation joins their types: 1" in output
    assert "entities left out, of no type of the corpus (--as LABEL=TYPE): DATE 1" in output
    assert "3 pairs in p.jsonl" in output


NAMES = EXAMPLE / "mentions.tsv"


@pytest.mark.parametrize(
    ("mentions", "pipeline", "types", "message"),
    [
        (None, None, (), "give either --mentions, a file of names, or --spacy, a pipeline"),
        (NAMES, "x", (), "give either --mentions"),
        (NAMES, None, (), "the type 'play' is not among"),
        (NAMES, None, ("A=b",), "--as is for labels of spaCy"),
        (None, "x", ("PERSON",), "write LABEL=TYPE"),
        (None, "x", ("P=persn",), "there is no entity type 'persn' .did you mean 'person'"),
    ],
)
def test_contradictory_options(newsroom_schema, mentions, pipeline, types, message):
    with pytest.raises(ValueError, match=message):
        finder(mentions, pipeline, types, newsroom_schema, ignore_case=False)


def test_no_file_without_candidates(project, kedro):
    (project.folder / "others.tsv").write_text("Nobody\tperson\n", encoding="utf-8")
    output = make(project, kedro, "p.jsonl", "--mentions", "others.tsv", code=1)
    assert "no pair, so p.jsonl is not written" in output
    assert not list(project.folder.glob("*p.jsonl*"))
    output = make(project, kedro, "p.jsonl", "--mentions", "mentions.tsv")
    assert "14 pairs in p.jsonl" in output


def test_candidates_become_the_unlabelled_text_of_a_corpus(project, kedro):
    names = ("raw.txt", "--mentions", "mentions.tsv")
    for file in ("raw.txt", "mentions.tsv"):
        shutil.copy(EXAMPLE / file, project.folder)
    assert "name OUTPUT, or the --corpus" in kedro("corpus", "candidates", *names, code=1)
    kedro(*NEW)
    folder = project.folder / "data/01_raw/theatre"
    for file in ("relations.yml", "train.jsonl"):
        shutil.copy(EXAMPLE / file, folder)
    assert "0 errors" in kedro("corpus", "validate", "theatre")  # there is no such text yet
    ask = ("corpus", "questions", "theatre", "q.jsonl", "-v", "tkre_annotated", "--annotated", "3")
    assert "there is no unlabelled.jsonl, its unlabelled text" in kedro(*ask, code=1)
    candidates = ("corpus", "candidates", *names, "--corpus", "theatre")
    assert "8 pairs in data/01_raw/theatre/unlabelled.jsonl" in kedro(*candidates)
    assert "exists and is not overwritten" in kedro(*candidates, code=1)
    assert "3 of 8 unlabelled" in kedro(*ask)
    theatre = "conf/base/parameters_corpora_theatre.yml"
    pairs = folder / "unlabelled.jsonl"
    first = {row["id"] for row in map(json.loads, pairs.read_text("utf-8").splitlines())
             if row["sentence"].index("<head>") < row["sentence"].index("<tail>")}  # fmt: skip
    assert 0 < len(first) < 8
    pairs.unlink()
    project.edit(theatre, "    format: native", "    format: native\n    head_first: true")
    refused = kedro(*candidates, "--pairs", "both-ways", code=1)
    assert "corpora.theatre.head_first is true" in refused and not pairs.exists()
    assert f"{len(first)} pairs in data/01_raw/theatre/unlabelled.jsonl" in kedro(*candidates)
    project.edit(theatre, "{file: unlabelled.jsonl}", "{train_ids: ids.txt}")
    assert "corpora.theatre names no file of pairs" in kedro(*candidates, code=1)


def test_source_that_is_not_utf_8(project, kedro):
    (project.folder / "latin.txt").write_bytes("Orla in \u00c5lesund".encode("latin-1"))
    (project.folder / "names.tsv").write_text("Orla\tperson\n")
    arguments = ("latin.txt", "p.jsonl", "--mentions", "names.tsv")
    assert "latin.txt, line 1: not UTF-8" in kedro("corpus", "candidates", *arguments, code=1)
