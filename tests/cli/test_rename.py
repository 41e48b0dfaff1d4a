"""A relation is renamed with its rows and answers; no answer becomes stale by it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tkre.core.schema import RelationSchema
from tkre.generation.llm.lock import LOCK_FILE, AnswerLock
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.store import ResponseStore
from tkre.project import rename

RAW = "data/01_raw/newsroom"
NEW = "spouse of / no: 'NA'"  # between the same names when they are sorted


def contents(folder: Path) -> dict[str, str]:
    files = [p for p in folder.iterdir() if p.is_file() and p.suffix != ".lock"]
    return {p.name: p.read_text("utf-8") for p in files}


def test_rows_and_answers_go_along(project, kedro):
    folder = project.folder / RAW
    store = project.folder / "data/02_intermediate/newsroom/responses.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    live = {"request_id": "synthesis/newsroom/spouse_of/seed-13/round-1", "model": "m",
            "digest": "d", "response": {"samples": []}}  # fmt: skip
    store.write_text(json.dumps(live) + "\n")
    kedro("corpus", "validate", "newsroom")
    before = contents(folder)
    shown = kedro("corpus", "rename", "newsroom", "spouse_of", NEW, "--dry-run")
    assert "relations.yml: 2 places" in shown and "nothing was written" in shown
    assert "1 answers of live models" in shown
    assert contents(folder) == before
    shown = kedro("corpus", "rename", "newsroom", "spouse_of", NEW)
    assert "Next: kedro corpus validate newsroom" in shown
    after = contents(folder)
    schema = RelationSchema.read(after["relations.yml"], "relations.yml")
    assert NEW in schema.relations and schema.relations[NEW].inverse == NEW
    assert after["relations.yml"].count("#") == before["relations.yml"].count("#")
    assert {*before} == {*after}
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "natural_test.jsonl"):
        rows = [[json.loads(line) for line in text[name].splitlines()] for text in (before, after)]
        assert [r["relation"] == "spouse_of" for r in rows[0]] == [
            r["relation"] == NEW for r in rows[1]
        ]
    moved = json.loads(store.read_text())
    assert moved["request_id"] == f"synthesis/newsroom/{NEW}/seed-13/round-1"
    assert "digest" not in moved and moved["subject"]
    checked = kedro("corpus", "validate", "newsroom")
    assert "stale" not in checked and "orphan" not in checked and "spouse_of" not in checked
    # There and back again: but for layout, nothing else has changed.
    kedro("corpus", "rename", "newsroom", NEW, "spouse_of")
    again = contents(folder)
    assert again["relations.yml"] == before["relations.yml"]
    assert json.loads(again["answers.lock.json"]) == json.loads(before["answers.lock.json"])
    assert again["train.jsonl"] == before["train.jsonl"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_with_any_line_ends_go_along(project, kedro, end):
    train = project.folder / RAW / "train.jsonl"
    content = train.read_bytes().replace(b"\n", end.encode())
    train.write_bytes(content)
    kedro("corpus", "rename", "newsroom", "spouse_of", "wed")
    assert train.read_bytes() == content.replace(b'"spouse_of"', b'"wed"')
    assert "0 errors" in kedro("corpus", "validate", "newsroom")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("spouse_of", "born_in", "has a relation 'born_in' already: choose another name"),
        ("spouse", "wed", "has no relation 'spouse' (did you mean 'spouse_of'?)"),
        ("spouse_of", " ", "a name is not empty, has no blanks around it"),
    ],
)
def test_names_that_cannot_be(project, kedro, old, new, message):
    before = contents(project.folder / RAW)
    assert message in kedro("corpus", "rename", "newsroom", old, new, code=1)
    assert contents(project.folder / RAW) == before


def test_a_full_disk_changes_nothing_and_a_killed_command_is_finished(project, kedro, monkeypatch):
    folder = project.folder / RAW
    before = contents(folder)
    write_text = Path.write_text

    def full(path, *given, **options):
        if path.name == ".test.jsonl.renamed":
            raise OSError(28, "No space left on device")
        return write_text(path, *given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        kedro("corpus", "rename", "newsroom", "spouse_of", "wed", code=1)
    assert contents(folder) == before
    with monkeypatch.context() as patch:
        patch.setattr(rename, "finish", lambda folder: False)  # as if it had been killed there
        kedro("corpus", "rename", "newsroom", "spouse_of", "wed")
    assert contents(folder)["train.jsonl"] == before["train.jsonl"]
    # Whatever a run would store now, the next renaming would overwrite.
    refused = kedro("corpus", "validate", "newsroom", code=1)
    assert "`kedro corpus rename newsroom OLD NEW`, as it was typed, finishes it" in refused
    assert "interrupted" in kedro(
        "corpus", "rename", "newsroom", "spouse_of", "wed", "--dry-run", code=1
    )
    finished = kedro("corpus", "rename", "newsroom", "spouse_of", "wed")
    assert "an interrupted renaming was finished first" in finished
    assert "Next: kedro corpus validate newsroom" in finished
    assert "spouse_of" not in contents(folder)["train.jsonl"]
    kedro("corpus", "rename", "newsroom", "wed", "spouse_of")
    assert contents(folder)["train.jsonl"] == before["train.jsonl"]


@pytest.mark.parametrize("file", ["recordings.jsonl", "responses.jsonl", LOCK_FILE])
def test_answers_that_arrive_meanwhile_are_kept(project, kedro, monkeypatch, file):
    folder = project.folder / RAW
    if file == "responses.jsonl":
        folder = project.folder / "data/02_intermediate/newsroom"
        ResponseStore(folder / file).append(Response("synthesis/newsroom/spouse_of/seed-13/round-1",
                                                     answer={"samples": []}))  # fmt: skip
    else:
        kedro("corpus", "validate", "newsroom")
    given = Response("r1", answer={"text": "Oslo"})

    def arrive():
        if file == LOCK_FILE:
            AnswerLock(folder / file).bind([(given, "of today")], "corpus")
        else:
            ResponseStore(folder / file).append(given)

    arriving = threading.Thread(target=arrive)
    plan = rename.plan_rename

    def plan_and_meet(*arguments):
        planned = plan(*arguments)
        arriving.start()
        arriving.join(timeout=0.5)  # it waits, or has written to a file that is replaced now
        return planned

    monkeypatch.setattr(rename, "plan_rename", plan_and_meet)
    kedro("corpus", "rename", "newsroom", "spouse_of", "wed")
    arriving.join()
    if file == LOCK_FILE:
        assert AnswerLock(folder / file).subject(given) == "of today"
    else:
        assert ResponseStore(folder / file).attempts("r1")
    text = (folder / file).read_text(encoding="utf-8")
    assert "/wed/" in text and "/spouse_of/" not in text
