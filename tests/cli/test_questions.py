"""``kedro corpus questions`` and ``answers``: questions answered by hand, answers replayed."""

from __future__ import annotations

import json

import pytest

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
    assert {*questions[0]} == {"request_id", "messages", "schema", "subject"}
    # All are answered as the message says: nothing is left.
    with path.open("a", encoding="utf-8") as file:
        for question in questions:
            answer = json.loads(taken[question["request_id"]])
            file.write(json.dumps({"request_id": question["request_id"],
                                   "response": answer["response"]}) + "\n")  # fmt: skip
    (project.folder / "questions.jsonl").unlink()
    assert "nothing is left to ask" in kedro(*ASK)
    assert not (project.folder / "questions.jsonl").exists()


def test_messages_for_a_chat_window_and_their_pasted_answers(project, kedro):
    path = project.folder / RECORDINGS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    taken = {r["request_id"]: r["response"] for r in (records[3], records[0], records[100])}
    kept = [line for line, r in zip(lines, records, strict=True) if r["request_id"] not in taken]
    path.write_text("".join(kept), encoding="utf-8")
    ask = ("corpus", "questions", "newsroom", "a chat")
    output = kedro(*ask)
    questions = (project.folder / "a chat/questions.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(question)["request_id"] for question in questions]
    messages = [m.read_text("utf-8") for m in sorted((project.folder / "a chat").glob("message-*"))]
    assert len(asked) > 1 and [a for a in asked if f"request_id: {a}" in "".join(messages)] == asked
    assert f"{len(asked)} questions in {len(messages)} message" in output
    assert "kedro corpus answers newsroom 'a chat'\n" in output

    first, *others = [{"request_id": name, "response": taken[name]} for name in asked]
    reply = [first | {"response": {}}, first, {"request_id": "explanation/newsroom/x", "a": 1}]
    text = "\n".join(map(json.dumps, reply))
    # A reply may be named after its message.
    pasted = project.folder / "a chat/message-01-reply.txt"
    pasted.write_text(f"Sure!\n```json\n{text}\n```\n", "utf-8")
    answers = ("corpus", "answers", "newsroom", "a chat")
    output = kedro(*answers)
    assert f"1 of {len(asked)} questions answered" in output and "1 answers added to" in output
    assert f"without an answer: {len(others)}\n  {others[0]['request_id']}" in output
    assert "ids that no question has: 1\n  explanation/newsroom/x" in output
    assert "message-01-reply.txt, line 3: " in output and "is a required property" in output
    assert "lines of other text: 1" in output
    assert "the others: kedro corpus questions newsroom <another folder>" in output
    # The rest comes from a batch service, in a file of its own.
    batch = [{"custom_id": r["request_id"].replace("/", "_"), "response": {"body": {"choices": [
        {"message": {"role": "assistant", "content": json.dumps(r["response"])}}]}}}
        for r in others]  # fmt: skip
    (project.folder / "batch.jsonl").write_text("\n".join(map(json.dumps, batch)), "utf-8")
    assert f"{len(others)} answers added" in kedro(*answers, "batch.jsonl")
    assert "0 answers added" in kedro(*answers, "batch.jsonl")
    stored = path.read_text("utf-8").splitlines()
    assert len(stored) == len(kept) + len(asked)
    [kept] = [r for r in map(json.loads, stored) if r["request_id"] == others[0]["request_id"]]
    assert kept["response"] == others[0]["response"] and len(kept["subject"]) == 25
    assert "nothing is left to ask" in kedro("corpus", "questions", "newsroom", "more")


@pytest.mark.parametrize("sign", ["\u2028", "\x85"])
def test_a_sentence_with_a_line_end_of_unicode_is_asked_and_answered(project, kedro, sign):
    path = project.folder / "data/01_raw/newsroom/train.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [row | {"sentence": row["sentence"] + sign + "So they said."}
            for row in map(json.loads, lines)]  # fmt: skip
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    kedro(*ASK)
    written = (project.folder / "questions.jsonl").read_text(encoding="utf-8")
    assert sign in written
    asked = json.loads(written.partition("\n")[0])["request_id"]
    (project.folder / "a.txt").write_text(json.dumps({"request_id": asked, "response": {}}))
    shown = kedro("corpus", "answers", "newsroom", "questions.jsonl", "a.txt", code=1)
    assert "no question as" not in shown and "no answer is usable" in shown


def test_pasted_answers_that_do_not_belong_here(project, kedro):
    questions = project.folder / "questions.jsonl"
    questions.write_text('{"request_id": "a", "messages": [], "schema": {}}\n{"x": 1}\n', "utf-8")
    answers = ("corpus", "answers", "newsroom", "questions.jsonl")
    assert "questions.jsonl, line 2: no question" in kedro(*answers, "questions.jsonl", code=1)
    questions.write_text('{"request_id": "a", "messages": [], "schema": {}}\n', "utf-8")
    assert "name the files with answers" in kedro(*answers, code=1)
    pasted = project.folder / "pasted.txt"
    pasted.write_text('{"request_id": "b", "response": {}}', "utf-8")
    message = kedro(*answers, "pasted.txt", code=1)
    assert "no answer to these questions" in message and "pasted.txt: 1 answers" in message
    assert "unknown: b" in message
    # Recorded here, answers about another corpus would be missing there.
    questions.write_text('{"request_id": "explanation/news/a", "messages": [], "schema": {}}\n')
    pasted.write_text('{"request_id": "explanation/news/a", "response": {}}', "utf-8")
    before = (project.folder / RECORDINGS).read_bytes()
    refused = kedro(*answers, "pasted.txt", code=1)
    assert "'explanation/news/a', no question about newsroom" in refused
    assert (project.folder / RECORDINGS).read_bytes() == before


def test_questions_about_unlabelled_text(project, kedro):
    (project.folder / "data/01_raw/newsroom/annotations.jsonl").unlink()
    output = kedro(*ASK, "--variant", "tkre_plus_annotated", "--annotated", "3")
    assert "3 questions in questions.jsonl" in output
    lines = (project.folder / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    # One of a random sentence, which is kept out of training; the others in order.
    ids = [q["request_id"] for q in questions]
    assert ids[1:] == ["annotation/newsroom/line-1/1", "annotation/newsroom/line-1/2"]
    assert ids[0].startswith("annotation/newsroom/line-") and ids[0] not in ids[1:]
    answer = {"relation": "no_relation", "confidence": 90, "triggers": []}
    with (project.folder / RECORDINGS).open("a", encoding="utf-8") as file:
        for question in questions:
            record = {"request_id": question["request_id"], "response": answer}
            file.write(json.dumps(record) + "\n")
    (project.folder / "questions.jsonl").unlink()
    again = kedro(*ASK, "--variant", "tkre_plus_annotated", "--annotated", "3")
    assert "nothing is left to ask" in again


def test_questions_about_test_rows(project, kedro):
    path = project.folder / "data/01_raw/newsroom/classifications.jsonl"
    ask = (*ASK, "--variant", "llm_in_context")
    assert "329 questions" in kedro(*ask)  # 330 rows; one pair has types that none joins
    questions = [json.loads(line) for line in
                 (project.folder / "questions.jsonl").read_text("utf-8").splitlines()]  # fmt: skip
    assert all(q["request_id"].startswith("classification/newsroom/seed-13/") for q in questions)
    answer = {"relation": "no_relation", "confidence": 90}
    records = ({"request_id": q["request_id"], "response": answer} for q in questions[:300])
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    (project.folder / "questions.jsonl").unlink()
    assert "29 questions" in kedro(*ask)


def test_variant_without_llm_has_no_questions(project, kedro):
    (project.folder / RECORDINGS).unlink()
    assert "nothing is left to ask" in kedro(*ASK, "--variant", "spans_golden")
