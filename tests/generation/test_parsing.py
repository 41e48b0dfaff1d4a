from __future__ import annotations

import json

import pytest

from tkre.generation.llm.parsing import BRACES, read_answer
from tkre.generation.llm.protocol import Request, Sampling

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 300},
        "words": {"type": "array", "items": {"type": "string"}},
        "more": {"type": "object"},
    },
    "required": ["text"],
    "additionalProperties": False,
}
REQUEST = Request("a", (), SCHEMA, Sampling(max_tokens=100))


def read(text, *, complete=True, **told):
    return read_answer(REQUEST, text, complete=complete, **told)


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "yes"}',
        '\n\n  {"text": "yes"}  \n',
        '```json\n{"text": "yes"}\n```',
        '```\n{\n  "text": "yes"\n}\n```\nI hope this helps!',
        'Sure! Here is the answer: {"text": "yes"}',
        '{"text": "yes"} {"text": "no"}',
        '<think>A {"text": "no"} would be {wrong}.\n</think>\n\n{"text": "yes"}',
        'I think of {"text": "no"}\n</think>{"text": "yes"}',  # the template wrote the beginning
        '[{"text": "yes"}]',
        "{\u201ctext\u201d: \u201cyes\u201d}",
        '{\u00a0"text":\u00a0"yes"}',
        '{"text": "yes",}',
    ],
)
def test_answer_is_found_in_surrounding_text(text):
    response = read(text)
    assert response.answer == {"text": "yes"}
    assert (response.reason, response.error, response.text) == (None, None, None)


def test_an_answer_may_speak_of_the_end_of_thoughts():
    assert read('{"text": "a </think> tag"}').answer == {"text": "a </think> tag"}
    # Thoughts that begin as an answer does, of a template that wrote their beginning.
    assert read('{"text": "no"}, or\n</think>{"text": "yes"}').answer == {"text": "yes"}


def test_braces_before_the_answer_are_skipped():
    assert read('Sure {smile}: {"text": "yes"}').answer == {"text": "yes"}


def test_every_brace_is_tried_up_to_a_limit():
    assert read('{{"text": "yes"}}').answer == {"text": "yes"}
    assert read("{ " * (BRACES - 1) + '{"text": "yes"}').answer == {"text": "yes"}
    assert read("{ " * BRACES + '{"text": "yes"}').reason == "not_json"
    assert BRACES == 32


def test_escapes_of_markdown_are_taken_away():
    assert read(r'{"text": "a\_name, b\*, it\'s"}').answer == {"text": "a_name, b*, it's"}


def test_only_texts_without_json_are_tidied():
    said = {"text": "\u201cyes\u201d, it\u00a0says, [\u201cno\u201d,] and so on"}
    assert read(json.dumps(said, ensure_ascii=False)).answer == said


def test_draft_in_truncated_reasoning_is_no_answer():
    text = '<think>Maybe {"text": "no"}, or'
    assert read(text, complete=False, completion_tokens=100).reason == "truncated"


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_deep_nesting_is_not_json(depth):
    text = '{"text": ' + "[" * depth
    assert read(text).reason == "not_json"
    assert read(text, complete=False, completion_tokens=100).reason == "truncated"


@pytest.mark.parametrize(
    ("text", "reason", "error"),
    [
        (None, "empty", "empty"),
        ("", "empty", "empty"),
        (" \n\t", "empty", "empty"),
        ("I would rather not.", "not_json", "no JSON object"),
        ("<think>What now?</think>", "not_json", "no JSON object"),
        ("{'text': 'yes'}", "not_json", "double quotes"),
        ('{"text": "yes"', "not_json", "delimiter"),
        ('{"text": NaN}', "not_json", "NaN is not JSON"),
        ('{"text": -Infinity}', "not_json", "-Infinity is not JSON"),
        ("[1, 2]", "not_json", "no JSON object"),
        ('"yes"', "not_json", "no JSON object"),
        ("{}", "wrong_schema", "$: 'text' is a required property"),
        ('{"text": 3}', "wrong_schema", "$.text: 3 is not of type 'string'"),
        ('{"text": "", "words": ["a", null]}', "wrong_schema", "$.words[1]: None is not of"),
        ('{"text": "", "other": 1}', "wrong_schema", "$: Additional properties"),
    ],
)
def test_failures_have_a_reason_and_the_text(text, reason, error):
    response = read(text)
    assert (response.answer, response.reason, response.text) == (None, reason, text or "")
    assert error in response.error and response.settled


def test_long_values_are_cut_in_errors():
    response = read(json.dumps({"text": "x" * 100_000}))
    assert response.reason == "wrong_schema" and len(response.error) < 300
    assert response.error.endswith("xx...")


def test_truncated_versus_context_full():
    text = '{"text": "and so on'
    truncated = read(text, complete=False, completion_tokens=100)
    assert (truncated.reason, truncated.error) == ("truncated", "cut off at 100 tokens")
    assert truncated.text == text
    assert read(text, complete=False).reason == "truncated"
    full = read(text, complete=False, completion_tokens=99)
    assert full.reason == "context_full" and "99 tokens" in full.error


def test_complete_answer_at_the_token_limit_is_valid():
    assert read('{"text": "yes"}\n\n\n', complete=False, completion_tokens=100).answer
    wrong = read('{"text": 3}', complete=False, completion_tokens=100)
    assert wrong.reason == "wrong_schema"


def test_answers_are_printable():
    text = (
        '{"text": "a\x1b[2Jb\x00\\u0007\\u009bc\r\\ud83d|\\ud83d\\ude00 é\n\t", "words": ["\x07"], '
    )
    response = read(text + '"more": {"in": ["\\udc00"]}}')
    assert response.answer == {
        "text": "a [2Jb   c \ufffd|\U0001f600 é\n\t", "words": [" "], "more": {"in": ["\ufffd"]},
    }  # fmt: skip
    assert json.dumps(response.to_dict(), ensure_ascii=False).encode("utf-8")


def test_failure_texts_are_printable():
    response = read("no\x1b[2J \ud83d way")
    assert response.text == "no [2J \ufffd way"
    response = read('{"text": "", "\\ud83d\x1b": 1}')
    assert response.reason == "wrong_schema"
    shown = json.dumps(response.to_dict(), ensure_ascii=False)
    assert shown.encode("utf-8") and "\x1b" not in response.error


@pytest.mark.parametrize("text", ['{"text": "yes"}', "no"])
def test_usage_is_reported_for_answers_and_failures(text):
    response = read(text, prompt_tokens=11, completion_tokens=7, seconds=1.23456)
    assert (response.request_id, response.seconds) == ("a", 1.235)
    assert (response.prompt_tokens, response.completion_tokens) == (11, 7)
    assert read(text).seconds is None


@pytest.mark.parametrize(
    ("text", "reasoned", "within"),
    [("<think>Hm", False, True), ("", True, True), (None, True, True), ("", False, False),
     ('{"text": "y', False, False), ('<think>Hm</think>{"text": "y', False, False)],
)  # fmt: skip
def test_answers_cut_off_inside_their_reasoning_say_so(text, reasoned, within):
    response = read(text, complete=False, reasoned=reasoned, completion_tokens=100)
    assert response.reason == "truncated"
    assert response.error.startswith("cut off inside its reasoning: ") == within
    assert within or response.error == "cut off at 100 tokens"
