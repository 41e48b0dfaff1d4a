"""``kedro corpus questions``: questions are answered by hand, and the answers replayed."""

from __future__ import annotations

import json

RECORDINGS = "data/01_raw/newsroom/recordings.jsonl"
ASK = ("corpus", "questions", "newsroom", "questions.jsonl")


def test_only_unanswered_questions_are_written(project, kedro):
    path = project.folder / RECORDINGS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    taken = {json.loads(line)["request_id"]: line for line in (lines[3], lines[-1], lines[100])}
    path.write_text("".join(line for line in lines if line not in taken.values()), "utf-8")
    output = kedro(*ASK)
    questions = [json.loads(line) for line in
                 (project.folder / "questions.jsonl").read_text("utf-8").splitlines()]  # fmt: skip
    # A round or a sample that no run with K = 8 needs is not asked for.
    assert questions and {q["request_id"] for q in questions} <= set(taken)
    assert f"{len(questions)} questions in questions.jsonl" in output and RECORDINGS in output
    assert {*questions[0]} == {"request_id", "messages", "schema"}
    # All are answered as the message says: nothing is left.
    with path.open("a", encoding="utf-8") as file:
        for question in questions:
            answer = json.loads(taken[question["request_id"]])
            file.write(json.dumps({"request_id": question["request_id"],
                                   "response": answer["response"]}) + "\n")  # fmt: skip
    (project.folder / "questions.jsonl").unlink()
    assert "nothing is left to ask" in kedro(*ASK)
    assert not (project.folder / "questions.jsonl").exists()


def test_questions_about_unlabelled_text(project, kedro):
    (project.folder / "data/01_raw/newsroom/annotations.jsonl").unlink()
    output = kedro(*ASK, "--variant", "tkre_plus_annotated", "--annotated", "3")
    assert "3 questions in questions.jsonl" in output
    lines = (project.folder / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    assert [q["request_id"] for q in questions] == [
        f"annotation/newsroom/line-1/{number}" for number in (1, 2, 3)
    ]
    answer = {"relation": "no_relation", "confidence": 90, "triggers": []}
    with (project.folder / RECORDINGS).open("a", encoding="utf-8") as file:
        for question in questions:
            record = {"request_id": question["request_id"], "response": answer}
            file.write(json.dumps(record) + "\n")
    (project.folder / "questions.jsonl").unlink()
    again = kedro(*ASK, "--variant", "tkre_plus_annotated", "--annotated", "3")
    assert "nothing is left to ask" in again


def test_variant_without_llm_has_no_questions(project, kedro):
    (project.folder / RECORDINGS).unlink()
    assert "nothing is left to ask" in kedro(*ASK, "--variant", "spans_golden")
