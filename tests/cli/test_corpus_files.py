"""``kedro corpus import`` and ``export``; files of other tools where another one is expected."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import ROOT
from tkre.cli import cli
from tkre.project.config_loader import ConfigLoader

FILES = ROOT / "tests/corpora/files"
RAW = "data/01_raw"


@pytest.fixture
def import_of(project, kedro):
    """``import_of(file, corpus)``: output, and rows of the training split."""

    def run(file: str, corpus: str, *options: str) -> tuple[str, list[dict]]:
        shutil.copytree(FILES, project.folder / "files", dirs_exist_ok=True)
        output = kedro("corpus", "import", f"files/{file}", corpus, *options)
        lines = (project.folder / RAW / corpus / "train.jsonl").read_text(encoding="utf-8")
        return output, [json.loads(line) for line in lines.splitlines()]

    return run


def test_an_import_is_a_corpus_that_the_next_command_accepts(project, kedro, import_of):
    output, rows = import_of("doccano.jsonl", "mills")
    assert "read files/doccano.jsonl: doccano's JSON Lines" in output
    assert "2 documents" in output and "Next: kedro corpus validate mills" in output
    assert "1 relation left out: its mentions lie in different sentences" in output
    assert "files/doccano.jsonl, line 1: sold (1, 4)" in output
    assert {row["relation"] for row in rows} == {"founded", "no_relation"}
    relations = (project.folder / RAW / "mills/relations.yml").read_text(encoding="utf-8")
    assert (
        "head_types: [PER]" in relations and "# 2 rows, e.g. 'Vera Holt', 'Tarn Mills'" in relations
    )
    checked = kedro("corpus", "validate", "mills")
    assert "0 errors" in checked and "only repeats its name" in checked


@pytest.mark.parametrize("command", [("new", "mills"), ("validate", "newsroom")])
def test_a_command_in_a_folder_of_the_project_names_the_folder_of_the_project(project, command):
    """Paths of a corpus would lie in that folder: it was not found, or made where nothing reads."""
    with project.entered(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigLoader, "of_session", None)
        patch.chdir("conf")
        refused = CliRunner().invoke(cli, ["corpus", *command], catch_exceptions=False)
        assert not list(Path().rglob("mills*"))
    assert refused.exit_code == 1 and f"the project: cd {project.folder}" in refused.output


def test_a_file_of_another_format_names_the_command(project, kedro):
    """Where a run, ``validate``, ``new`` and ``candidates`` expect another one."""
    folder = project.folder / RAW / "mills"
    folder.mkdir()
    shutil.copy(FILES / "doccano.jsonl", folder / "train.jsonl")
    command = "kedro corpus import data/01_raw/mills/train.jsonl mills"
    assert command in kedro("corpus", "new", "mills", code=1)
    (project.folder / "conf/base/parameters_corpora_mills.yml").write_text(
        "corpora:\n  mills: {format: native, train: train.jsonl}\n", encoding="utf-8"
    )
    missing = kedro("corpus", "validate", "mills", code=1)
    assert "'relations.yml' is missing" in missing and "mills` writes one with" in missing
    relations = (project.folder / RAW / "newsroom/relations.yml").read_text(encoding="utf-8")
    relations = relations.replace("corpus: newsroom", "corpus: mills")
    (folder / "relations.yml").write_text(relations, encoding="utf-8")
    assert command in kedro("corpus", "validate", "mills", code=1)
    (folder / "relations.yml").unlink()
    output = kedro(*command.split()[1:])
    assert "train.jsonl is now data/01_raw/mills/train.source.jsonl" in output
    assert "0 errors" in kedro("corpus", "validate", "mills")
    assert "there already, and nothing is written over" in kedro(
        "corpus", "import", "data/01_raw/mills/train.source.jsonl", "mills", code=1
    )


def test_labels_of_a_corpus_that_is_in_conf(project, kedro):
    folder = project.folder / RAW / "odd"
    folder.mkdir()
    shutil.copy(FILES / "tacred.json", folder / "train.json")
    (project.folder / "conf/base/parameters_corpora_odd.yml").write_text(
        "corpora:\n  odd: {format: tacred, train: train.json}\n", encoding="utf-8"
    )
    command = "kedro corpus import data/01_raw/odd/train.json odd"
    assert command in kedro("corpus", "validate", "odd", code=1)
    assert command in kedro("corpus", "new", "odd", code=1)
    output = kedro(*command.split()[1:])
    assert "1 relation left out: its row is bad" in output and "the same mention" in output
    assert [path.name for path in folder.iterdir() if path.suffix == ".jsonl"] == []
    assert "per:title" in (folder / "relations.yml").read_text(encoding="utf-8")
    assert "record 2: head and tail are the same" in kedro("corpus", "validate", "odd", code=1)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".json"])
def test_an_export_is_imported_again(project, kedro, suffix):
    output = kedro("corpus", "export", "newsroom", f"out/rows{suffix}", "--split", "train")
    assert f"rows in out/rows{suffix}" in output
    kedro("corpus", "import", f"out/rows{suffix}", "again")
    assert "0 errors" in kedro("corpus", "validate", "again")
    made = (project.folder / RAW / "again/train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = (project.folder / RAW / "newsroom/train.jsonl").read_text(encoding="utf-8").splitlines()

    def labelled(lines):
        keys = ("sentence", "relation", "head_type", "tail_type")
        return sorted(str([json.loads(line).get(key) for key in keys]) for line in lines)

    assert labelled(made) == labelled(rows)


def test_entities_of_no_type_of_the_corpus_are_named_and_may_be_mapped(project, kedro):
    ends = [{"start": 0, "end": 3, "label": "Person"}, {"start": 8, "end": 12, "label": "GPE"}]
    row = json.dumps({"text": "Ada met Oslo.", "entities": ends})
    (project.folder / "own.jsonl").write_text(f"{row}\n", encoding="utf-8")
    command = ("corpus", "candidates", "own.jsonl", "p.jsonl", "--corpus", "newsroom")
    refused = kedro(*command, code=1)
    assert "of no type of the corpus (--as LABEL=TYPE): GPE 1, Person 1" in refused
    assert "there is no entity type 'persn'" in kedro(*command, "--as", "Person=persn", code=1)
    output = kedro(*command, "--as", "Person=person", "--as", "GPE=place")
    assert "2 mentions (person 1, place 1)" in output and "left out, of no type" not in output


def test_candidates_of_known_entities_and_of_tables(project, kedro):
    shutil.copytree(FILES, project.folder / "files")
    output = kedro("corpus", "candidates", "files/entities.jsonl", "pairs.jsonl")
    assert "2 pairs in pairs.jsonl" in output and "(org 1, person 2)" in output
    assert "line 2: 1 [0, 99]: the text has nothing there" in output
    named = ("--mentions", "files/names.tsv")
    assert "2 pairs in p.jsonl" in kedro("corpus", "candidates", "files/raw.csv", "p.jsonl", *named)
    refused = kedro("corpus", "candidates", "files/names.tsv", "q.jsonl", *named, code=1)
    assert "there is no column text or sentence in the header" in refused
    assert "is TACRED's JSON: `kedro corpus import" in kedro(
        "corpus", "candidates", "files/tacred.json", "q.jsonl", *named, code=1
    )
    assert "give --mentions" in kedro("corpus", "candidates", "files/raw.csv", "q.jsonl", code=1)


def fewrel(*relations: tuple[str, int]) -> str:
    """A file in FewRel's form with a number of rows of each relation, two of each sentence."""
    ends = [{"h": ["x", "Q1", [[n]]], "t": ["y", "Q2", [[2]]]} for n in range(2)]
    return json.dumps(
        {
            pid: [{"tokens": ["Ada", f"met{n // 2}{pid}", "Bo"]} | ends[n % 2] for n in range(rows)]
            for pid, rows in relations
        }
    )


def test_the_rows_of_an_only_file_train_and_may_be_held_out(project, kedro):
    folder, corpora = project.folder / "data", project.folder / RAW
    folder.joinpath("val_wiki.json").write_text(fewrel(("P1", 20), ("P2", 10)), encoding="utf-8")
    output = kedro("corpus", "import", "data/val_wiki.json", "plain")
    assert "training rows of a file that is dev by its name: 30" in output
    assert "pid2name.json beside the file names them: 2" in output and "--test 0.2" in output
    assert sorted(path.name for path in (corpora / "plain").iterdir()) == [
        "relations.yml", "train.jsonl",
    ]  # fmt: skip

    names = {"P1": ["met", "No description defined"], "P2": ["met", "saw once."], "P3": 3}
    folder.joinpath("pid2name.json").write_text(json.dumps(names), encoding="utf-8")
    output = kedro("corpus", "import", "data/val_wiki.json", "scored", "--test", "0.2")
    assert "train: 24 rows: met 16, met (P2) 8" in output
    assert "test: 6 rows: met 4, met (P2) 2" in output and "--test 0.2" not in output
    train, test = (
        {re.sub("<.*?>", "", json.loads(line)["sentence"]) for line in lines.splitlines()}
        for lines in (
            (corpora / f"scored/{split}.jsonl").read_text("utf-8") for split in ("train", "test")
        )
    )
    assert len(train) == 12 and len(test) == 3 and train.isdisjoint(test)
    relations = (corpora / "scored/relations.yml").read_text(encoding="utf-8")
    assert 'The tail is the "met (P2)" of the head: saw once.' in relations
    assert "only repeats its name" in kedro("corpus", "validate", "scored")
    entry = (project.folder / "conf/base/parameters_corpora_scored.yml").read_text("utf-8")
    assert "    test: test.jsonl" in entry and "    # dev: dev.jsonl" in entry


def test_splits_without_training_rows_are_refused(project, kedro):
    folder = project.folder / "files"
    folder.mkdir()
    for split in ("dev", "test"):
        (folder / f"{split}.json").write_text(fewrel(("P1", 2)), encoding="utf-8")
    refused = kedro("corpus", "import", "files", "mine", code=1)
    assert "no training rows, only dev and test by the names of the files" in refused
    (folder / "dev.json").rename(folder / "train.json")
    for share, what in (("0.01", "test on"), ("0.99", "train on")):
        none = kedro("corpus", "import", "files/train.json", "mine", "--test", share, code=1)
        assert f"--test {share} of 1 sentences leaves none to {what}" in none
    twice = kedro("corpus", "import", "files", "mine", "--test", "0.5", code=1)
    assert "the files have test and train by their names: leave it out" in " ".join(twice.split())
    assert not (project.folder / RAW / "mine").exists()
