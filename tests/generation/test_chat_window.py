from __future__ import annotations

import json
import re
from dataclasses import replace

from tkre.generation.llm.chat_window import LONGEST_ANSWERS, LONGEST_MESSAGE, chat_messages
from tkre.generation.llm.protocol import Request, Sampling

SCHEMA = {
    "type": "object",
    "properties": {
        "relation": {"type": "string", "enum": ["a", "b"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        "triggers": {"type": "array", "items": {"type": "string"}},
    },
}


def questions(n: int, kind: str = "annotation", tokens: int = 200) -> list[Request]:
    return [
        Request(
            f"{kind}/toy/{number}",
            ({"role": "system", "content": f"You do {kind}."},
             {"role": "user", "content": f"Define this.\n\nChoices: a\nSentence {number}."}),
            SCHEMA,
            Sampling(max_tokens=tokens),
        )
        for number in range(n)
    ]  # fmt: skip


def test_a_message_has_its_questions_once_with_their_ids():
    [message] = chat_messages(questions(3))
    assert re.findall(r"^request_id: (.*)$", message, re.MULTILINE) == [
        "annotation/toy/0", "annotation/toy/1", "annotation/toy/2",
    ]  # fmt: skip
    assert all(message.count(f"Sentence {n}.") == 1 for n in range(3))
    assert message.count("You do annotation.\n\nDefine this.") == 1 == message.count("Choices: a")
    assert "Number of questions below: 3." in message
    [form] = [line for line in message.split("\n") if line.startswith("{")]
    assert form.startswith('{"request_id": "annotation/toy/0", "response": {"relation": "<text>"')
    assert '"confidence": <number from 0 to 100>, "triggers": ["<text>", ...]}}' in form


def test_messages_and_the_answers_to_them_are_bounded():
    many = questions(100)
    for longest in (600, LONGEST_MESSAGE):
        messages = list(chat_messages(many, longest))
        ids = re.findall(r"^request_id: (.*)$", "\n".join(messages), re.MULTILINE)
        assert ids == [request.id for request in many]
        assert max(map(len, messages)) < longest + 1_000  # the introduction comes on top
        assert max(m.count("request_id: ") for m in messages) <= LONGEST_ANSWERS // 200
    assert len(list(chat_messages(many, 600))) > len(list(chat_messages(many)))


def test_a_question_that_is_too_long_is_a_message():
    [long] = questions(1)
    long = replace(long, messages=({"role": "user", "content": "word " * 10_000},))
    assert len(list(chat_messages([long, *questions(2)]))) == 2


def test_kinds_do_not_mix():
    messages = list(chat_messages([*questions(1), *questions(2, "explanation"), *questions(1)]))
    assert len(messages) == 2
    assert "You do annotation." in messages[0] and "explanation" not in messages[0]


def test_the_form_states_how_many_items_are_wanted():
    array = {"type": "array", "items": SCHEMA, "minItems": 8, "maxItems": 8}
    [request] = questions(1)
    [message] = chat_messages([replace(request, schema={"type": "object", "properties":
                                                        {"samples": array}})])  # fmt: skip
    assert '{"samples": [{"relation": "<text>"' in message and "... 8 in all]" in message
    json.dumps(message)
