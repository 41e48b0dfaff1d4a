"""``kedro corpus new``, and what commands on a corpus have in common, as they are typed."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project

NEW = ("corpus", "new", "theatre", "--relations", "wrote_play,staged_at",
       "--types", "person,play,theatre", "--negative", "none")  # fmt: skip


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    return Project(tmp_path, tiny_backbone)


def said(project: Project, *arguments: str, code: int) -> str:
    result = project.kedro(*arguments)
    assert result.returncode == code, result.stdout
    assert "Traceback" not in result.stdout
    return " ".join(result.stdout.split())


def test_a_new_corpus_is_a_pipeline_and_is_not_written_over(project):
    message = said(project, *NEW, code=0)
    for file in ("data/01_raw/theatre/relations.yml", "data/01_raw/theatre/train.jsonl",
                 "conf/base/parameters_corpora_theatre.yml",
                 "conf/base/experiments_theatre.yml"):  # fmt: skip
        assert f"made {file}" in message and (project.folder / file).is_file()
    assert "kedro corpus validate theatre" in message and "git add -f" in message
    assert "- theatre" in said(project, "registry", "list", code=0)
    refused = said(project, *NEW, code=1)
    assert "there is a corpus theatre already" in refused
    assert "delete data/01_raw/theatre, conf/base/parameters_corpora_theatre.yml" in refused
    message = said(project, "run", "--pipelines", "theatre", code=1)
    assert "type 'TODO' is not one of the entity_types" in message
    assert "kedro corpus validate names the lines" in message
    assert project.outputs() == set()


def test_rows_that_are_there_are_kept_and_name_the_relations(project):
    folder = project.folder / "data/01_raw/theatre"
    folder.mkdir()
    rows = folder / "train.jsonl"
    shutil.copy(ROOT / "docs/examples/theatre/train.jsonl", rows)
    before = rows.read_text(encoding="utf-8")
    said(project, "corpus", "new", "theatre", "--negative", "none", code=0)
    assert rows.read_text(encoding="utf-8") == before
    relations = (folder / "relations.yml").read_text(encoding="utf-8")
    assert "  understudy_of:\n" in relations
    assert "entity_types: [person, play, theatre]" in relations
    assert relations.count("none:") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("corpus", "new", "inference"), "there is a corpus or a pipeline 'inference'"),
        (("corpus", "new", "newsroom"), "the name 'newsroom' is taken"),
        (("corpus", "validate", "newsrom"), "no corpus 'newsrom' (did you mean 'newsroom'?)"),
        (("corpus", "doctor", "newsroom", "-v", "tkre_pus"), "did you mean 'tkre_plus'?"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(project, arguments, message):
    assert message in said(project, *arguments, code=1)


def test_a_folder_without_an_entry_says_which_entry(project):
    (project.folder / "data/01_raw/loose").mkdir()
    assert "conf/base/parameters_corpora_loose.yml" in said(
        project, "corpus", "validate", "loose", code=1
    )


def test_a_slip_in_the_configuration_names_its_line(project):
    said(project, *NEW, code=0)
    file = "conf/base/parameters_corpora_theatre.yml"
    project.edit(file, "    # test:", "   test:")
    message = said(project, "corpus", "validate", "theatre", code=1)
    assert f"{file}, line 8: not YAML" in message.replace("/ ", "/")
