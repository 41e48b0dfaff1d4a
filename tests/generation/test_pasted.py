from __future__ import annotations

import json

import pytest

from tkre.generation.llm.pasted import read_pasted, responses_in
from tkre.generation.llm.protocol import Response

ANSWER = {"explanation": 'She "wrote" it.', "triggers": ["wrote"]}
TEXT = json.dumps(ANSWER)
ID = "explanation/toy/a"
RECORD = {"request_id": ID, "response": ANSWER}
LINE = json.dumps(RECORD)


def of_chat(content: object) -> dict:
    return {"choices": [{"message": {"role": "assistant", "content": content}}]}


BATCH_LINES = {
    "openai": {"custom_id": ID, "id": "b1", "error": None, "response":
               {"status_code": 200, "request_id": "r", "body": of_chat(TEXT)}},
    "openai responses": {"custom_id": ID, "response": {"status_code": 200, "body": {"output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": TEXT}]}]}}},
    "openai tool": {"custom_id": ID, "response": {"body": {"choices": [{"message": {
        "content": None, "tool_calls": [{"function": {"name": "f", "arguments": TEXT}}]}}]}}},
    "anthropic": {"custom_id": ID, "result": {"type": "succeeded", "message": {
        "role": "assistant", "type": "message", "content": [
            {"type": "thinking", "thinking": "{"}, {"type": "text", "text": TEXT}]}}},
    "anthropic tool": {"custom_id": ID, "result": {"type": "succeeded", "message": {
        "content": [{"type": "text", "text": "Well"}, {"type": "tool_use", "input": ANSWER}]}}},
    "gemini": {"key": ID, "response": {"candidates": [
        {"content": {"role": "model", "parts": [{"text": TEXT[:9]}, {"text": TEXT[9:]}]}}]}},
    "gemini that thinks": {"key": ID, "response": {"candidates": [{"content": {"parts": [
        {"thought": True, "text": '{"x": "a draft"}'}, {"text": TEXT}]}}]}},
    "reasoning as text": {"custom_id": ID, "response": {"body": {"output": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": '{"x": "a draft"}'}]},
        {"type": "message", "content": [{"type": "output_text", "text": TEXT}]}]}}},
    "converse": {"recordId": ID, "modelOutput": {"output": {"message": {"content": [
        {"text": TEXT}]}}}},
    "bedrock": {"recordId": ID, "modelOutput": {"content": [{"type": "text", "text": TEXT}]}},
    "own": RECORD,
    "own text": {"request_id": ID, "response": f"```json\n{TEXT}\n```"},
    "a list of one": {"request_id": ID, "response": [ANSWER]},
    "under answer": {"id": ID, "answer": ANSWER},
    "not nested": {"request_id": ID, **ANSWER},
    "by id": {ID: ANSWER},
    "around a list": {"answers": [RECORD]},
    "around a list with more": {"model": "m", "count": 1, "answers": [RECORD]},
}  # fmt: skip


@pytest.mark.parametrize("line", BATCH_LINES.values(), ids=BATCH_LINES)
def test_records_of_people_and_batch_services(line):
    [response] = responses_in(json.loads(json.dumps(line)))
    assert isinstance(response, Response) and response.request_id == ID and response.settled
    assert (response.answer or json.loads(response.text.strip("`json\n"))) == ANSWER
    assert response.unparsed == (response.answer is None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"custom_id": ID, "response": None, "error": {"message": "too long"}}, "too long"),
        ({"custom_id": ID, "response": {"status_code": 429, "body": {"error": "slow"}}}, "slow"),
        ({"custom_id": ID, "result": {"type": "errored", "error": {"type": "api"}}}, "api"),
        ({"custom_id": ID, "result": {"type": "expired"}}, "expired"),
        ({"request_id": ID, "response": 3}, "not '3'"),
        ({"request_id": ID, "response": []}, "must be a JSON object"),
    ],
)
def test_records_without_an_answer_are_named(line, problem):
    [message] = responses_in(line)
    assert message.startswith(f"{ID}: ") and problem in message


def test_failures_of_a_store_stay_failures():
    line = {"request_id": ID, "reason": "not_json", "error": "x", "text": "no", "digest": "d"}
    [response] = responses_in(line)
    assert (response.reason, response.digest, response.unparsed) == ("not_json", "d", False)


def records(*names: str) -> list[dict]:
    return [{"request_id": f"explanation/toy/{name}", "response": ANSWER} for name in names]


LINES = "\n".join(json.dumps(record) for record in records("a", "b"))
PASTES = {
    "lines": LINES,
    "windows": "\ufeff" + LINES.replace("\n", "\r\n") + "\r\n",
    "fenced": f"Sure! {{smile}}\n\n```json\n{LINES}\n```\nI hope this helps.",
    "list": json.dumps(records("a", "b")),
    "list over lines": f"```\n{json.dumps(records('a', 'b'), indent=2)}\n```",
    "list without its end": json.dumps(records("a", "b"), indent=2)[:-1] + "{",
    "a fence each": "\n".join(f"```\n{json.dumps(r, indent=1)}\n```" for r in records("a", "b")),
    "by id": json.dumps({r["request_id"]: r["response"] for r in records("a", "b")}, indent=1),
    "ids before": "\n\n".join(f"**{r['request_id']}**:\n{TEXT}" for r in records("a", "b")),
    "ids in headings": "\n".join(f"## {r['request_id']}.\n```\n{TEXT}\n```\n"
                                 for r in records("a", "b")),
    "on one line": LINES.replace("\n", " "),
    "curly quotes": LINES.replace('{"request_id": "', "{\u201crequest_id\u201d: \u201c")
    .replace('", "response": {"', "\u201d, \u201cresponse\u201d: {\u201c"),
    "blanks that do not break": LINES.replace(": ", ":\u00a0"),
    "last commas": LINES.replace("]}", "],}"),
    "markdown": LINES.replace("request_id", r"request\_id"),
}  # fmt: skip


@pytest.mark.parametrize("text", PASTES.values(), ids=PASTES)
def test_answers_are_found_in_pasted_text(text):
    pasted = read_pasted(text)
    assert [(r.request_id, r.answer) for r in pasted.responses] == [
        ("explanation/toy/a", ANSWER), ("explanation/toy/b", ANSWER),
    ]  # fmt: skip
    # Lines of prose.
    assert {text.split("\n")[n - 1][:1] for n in pasted.problems} <= {"S", "I", "*", "#"}


def test_answers_and_problems_have_their_lines():
    broken = (
        '{"request_id": "explanation/toy/b", "response": {"explanation": "says "so"", "t": []}}'
    )
    text = f'Sure!\n\n```json\n{LINE}\n{broken}\n{LINE}\n```\n{{"explanation": "x"}}\n'
    pasted = read_pasted(text, first_line=11)
    assert [r.line for r in pasted.responses] == [14, 16]
    assert set(pasted.problems) == {11, 15, 18} and pasted.prose == {11}
    assert "toy/b" in pasted.problems[15] and "','" in pasted.problems[15]
    assert "no answer with a request_id" in pasted.problems[18]


def test_an_object_is_attributed_to_one_id_only():
    two = f"explanation/toy/a or explanation/toy/b? {TEXT}"
    assert read_pasted(two).responses == []
    broken = '{"request_id": "synthesis/toy/a", "response": {"samples": [{"sentence": "x"}, {}}'
    assert read_pasted(broken).responses == []


def test_a_broken_object_over_lines_is_one_problem():
    text = json.dumps(RECORD, indent=1).replace('"triggers":', '"triggers"') + f"\n{LINE}"
    pasted = read_pasted(text)
    assert len(pasted.responses) == 1 and set(pasted.problems) == {1}


@pytest.mark.parametrize("text", ["", "\n \n", "I would rather not.", "{" * 20_000, "[" * 20_000,
                                  '{"id": ' * 10_000])  # fmt: skip
def test_text_without_answers(text):
    assert read_pasted(text).responses == []
