from __future__ import annotations

import hashlib

import pytest

from tkre.corpora.reading import CorpusFileError, CorpusFolder


@pytest.fixture
def folder(tmp_path):
    for name in ("given", "shipped", "other"):
        (tmp_path / name).mkdir()
    return CorpusFolder("mine", [tmp_path / "given", tmp_path / "shipped"])


def test_a_file_is_taken_from_the_first_folder_that_has_it(folder, tmp_path):
    (tmp_path / "shipped/relations.yml").write_text("from the project")
    assert folder.read("relations.yml") == "from the project"
    (tmp_path / "given/relations.yml").write_text("from the user")
    assert folder.read("relations.yml") == "from the user"


def test_another_corpus_is_reached(folder, tmp_path):
    (tmp_path / "other/train.json").write_text("[]")
    assert folder.read("../other/train.json") == "[]"


def test_a_missing_file_names_all_places_and_the_way_out(folder, tmp_path):
    with pytest.raises(CorpusFileError, match=r"(?s)mine.*given/test.txt nor .*shipped.*TKRE_DATA"):
        folder.read("test.txt")


def test_bad_bytes_name_the_line(folder, tmp_path):
    (tmp_path / "given/train.txt").write_bytes(b"fine\nalso\n\xff\n")
    with pytest.raises(CorpusFileError, match=r"train.txt, line 3: not UTF-8"):
        folder.read("train.txt")


@pytest.mark.parametrize("text", ["a: [", "corpus: mine\nrelations: 3"])
def test_a_schema_that_is_none(folder, tmp_path, text):
    (tmp_path / "given/relations.yml").write_text(text)
    with pytest.raises(ValueError, match=r"given/relations\.yml"):
        folder.schema()


def test_digests_are_those_of_the_files_as_they_are(folder, tmp_path):
    (tmp_path / "given/relations.yml").write_bytes(b"a: 1\r\n")
    (tmp_path / "shipped/train.jsonl").write_bytes(b"")
    assert folder.digests(["train.jsonl", "missing.jsonl"]) == {
        "relations.yml": hashlib.sha256(b"a: 1\r\n").hexdigest(),
        "train.jsonl": hashlib.sha256(b"").hexdigest(),
    }
