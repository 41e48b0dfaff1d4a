"""``kedro corpus candidates``, as it is typed, and what reads its files."""

from __future__ import annotations

import shutil

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project
from tkre.cli.corpus import finder
from tkre.corpora.unlabelled import read_unlabelled
from tkre.serving.batch import partitions

EXAMPLE = ROOT / "docs/examples/theatre"


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    project = Project(tmp_path, tiny_backbone)
    for file in ("raw.txt", "mentions.tsv"):
        shutil.copy(EXAMPLE / file, project.folder)
    return project


def make(project: Project, target: str, *arguments: str, code: int = 0) -> str:
    result = project.kedro("corpus", "candidates", "raw.txt", target, *arguments)
    assert result.returncode == code, result.stdout
    assert "Traceback" not in result.stdout
    return " ".join(result.stdout.split())


def test_from_a_list_of_names_for_inference_and_for_labelling(project):
    said = make(project, "pairs.jsonl", "--mentions", "mentions.tsv")
    assert "6 sentences with 11 mentions (person 7, play 3, theatre 1)" in said
    assert "sentences without a mention: 1" in said and "14 pairs in pairs.jsonl" in said
    text = (project.folder / "pairs.jsonl").read_text(encoding="utf-8")
    assert len(read_unlabelled(text, "pairs.jsonl")) == 14
    make(project, "new/pairs.parquet", "--mentions", "mentions.tsv", "--pairs", "text-order")
    [(file, _)] = partitions(project.folder / "new", project.folder)
    table = pq.read_table(file)
    assert table.num_rows == 7
    assert table.column_names == ["id", "sentence", "head_type", "tail_type"]


def test_from_a_spacy_pipeline_with_the_types_of_a_corpus(project):
    spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": "PER", "pattern": "Orla Finnegan"}, {"label": "PER", "pattern": "Jasper Thorne"},
         {"label": "PER", "pattern": "Colm Brady"}, {"label": "HOUSE", "pattern": "Tollhouse"},
         {"label": "DATE", "pattern": "October"}]
    )  # fmt: skip
    nlp.to_disk(project.folder / "pipeline")
    said = make(project, "p.jsonl", "--spacy", "pipeline", "--corpus", "newsroom",
                "--as", "PER=person", "--as", "HOUSE=place")  # fmt: skip
    # Of person and place only one direction may be related, of two persons both.
    assert "pairs left out: no relation joins their types: 1" in said
    assert "entities left out, of no type of the corpus (--as LABEL=TYPE): DATE 1" in said
    assert "3 pairs in p.jsonl" in said


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
def test_what_cannot_be_done(newsroom_schema, mentions, pipeline, types, message):
    with pytest.raises(ValueError, match=message):
        finder(mentions, pipeline, types, newsroom_schema, ignore_case=False)


def test_files_that_cannot_be_read_or_written(project):
    names = ("--mentions", "mentions.tsv")
    assert "OUTPUT ends with .jsonl or .parquet" in make(project, "p.csv", *names, code=1)
    (project.folder / "raw.txt").write_bytes("Orla in \u00c5lesund".encode("latin-1"))
    assert "raw.txt is not UTF-8" in make(project, "p.jsonl", *names, code=1)


def test_without_a_pair_no_file_is_in_the_way_of_the_next_try(project):
    (project.folder / "others.tsv").write_text("Nobody\tperson\n", encoding="utf-8")
    assert "no pair, so p.jsonl is not written" in make(project, "p.jsonl", "--mentions",
                                                        "others.tsv")  # fmt: skip
    assert not list(project.folder.glob("*p.jsonl*"))
    assert "14 pairs in p.jsonl" in make(project, "p.jsonl", "--mentions", "mentions.tsv")
