"""Rows, labels, definitions and ids that are changed after they were answered."""

from __future__ import annotations

import json

import pytest

from tkre.cli import doctor

RAW = "data/01_raw/newsroom/"


@pytest.fixture
def explained(project) -> dict[str, dict]:
    """Training rows with a recorded explanation, by id."""
    lines = (project.folder / f"{RAW}recordings.jsonl").read_text("utf-8").splitlines()
    known = {json.loads(line)["request_id"].rsplit("/", 1)[-1] for line in lines}
    rows = map(json.loads, (project.folder / f"{RAW}train.jsonl").read_text("utf-8").splitlines())
    return {row["id"]: row for row in rows if row["id"] in known}


def change(project, file: str, **changes: dict) -> None:
    """Changes rows of a file by id."""
    path = project.folder / RAW / file
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = [row | changes.get(row["id"], {}) for row in rows]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")


def test_an_edited_row(project, kedro, explained, monkeypatch):
    first = next(iter(explained.values()))
    edited = first["sentence"].replace("</head>", "</head>, it is said,")
    change(project, "train.jsonl", **{first["id"]: {"sentence": edited}})
    name = f"explanation/newsroom/{first['id']}"
    why = "is stale: the sentence or its mentions changed since it was answered"
    shown = kedro("corpus", "validate", "newsroom")
    assert (
        f"{name} {why}" in shown and "1,143 of 1,144 answer the corpus as it is, 1 stale" in shown
    )
    assert f"{name} {why}" in kedro("generation", "plan")
    monkeypatch.setattr(doctor, "_try_training", lambda *arguments: None)
    assert f"{name} {why}" in kedro("corpus", "doctor", "newsroom", code=1)
    message = project.refusal()
    assert f"stale: {name} (the sentence or its mentions changed)" in message
    assert "stale: use" in message and "corpus questions" in message
    # Told to use them, a plan lacks nothing; asked again, the answer is current.
    use = "generation.language_model.stale=use"
    assert "a missing response" not in kedro("generation", "plan", "--params", use)
    kedro("corpus", "questions", "newsroom", "q.jsonl")
    [question] = [json.loads(line) for line in
                  (project.folder / "q.jsonl").read_text("utf-8").splitlines()]  # fmt: skip
    assert question["request_id"] == name
    head, tail = (edited.split(f"<{t}>")[1].split(f"</{t}>")[0] for t in ("head", "tail"))
    answer = {"explanation": f"It says so of {head} and {tail}.", "triggers": []}
    reply = project.folder / "reply.jsonl"
    reply.write_text(json.dumps({"request_id": name, "response": answer}) + "\n", "utf-8")
    assert "1 answers added" in kedro("corpus", "answers", "newsroom", "q.jsonl", "reply.jsonl")
    assert "stale" not in kedro("corpus", "validate", "newsroom")


def test_a_definition_that_is_rewritten(project, kedro):
    project.edit(f"{RAW}relations.yml", "definition: The head", "definition: Truly, the head")
    shown = kedro("corpus", "validate", "newsroom")
    assert "is stale: the relation or its definition changed" in shown
    assert "more: stale answers" in shown
    message = project.refusal()
    assert "stale: explanation/newsroom/" in message


def test_unlabelled_rows_and_misspelt_ids(project, kedro):
    path = project.folder / RAW / "unlabelled.jsonl"
    row = json.loads(path.read_text("utf-8").splitlines()[0])
    change(project, "unlabelled.jsonl", **{row["id"]: {"sentence": row["sentence"] + " So."}})
    project.edit(
        f"{RAW}recordings.jsonl", '"explanation/newsroom/train-0', '"explanation/newsroom/trian-0'
    )
    shown = kedro("corpus", "validate", "newsroom")
    assert f"annotation/newsroom/{row['id']} is stale" in shown
    assert "explanation/newsroom/trian-0" in shown and "(did you mean 'train-0" in shown
    assert "1,142 of 1,144 answer the corpus as it is, 1 stale, 1 orphans" in shown
