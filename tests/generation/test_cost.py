from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.generation.scripted import Scripted
from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.cost import Estimate, cost, estimate
from tkre.generation.llm.protocol import Response, Sampling


def requests(kind: str, n: int, words: str = "four letters", limit: int = 100):
    message = {"role": "user", "content": words}
    first = replace(REQUEST, messages=(message,), sampling=Sampling(max_tokens=limit))
    return [replace(first, id=f"{kind}/c/{i}") for i in range(n)]


def nothing(requests):
    return None


def test_estimate_by_kind_excludes_stored_requests():
    explanations, sentences = requests("explanation", 5), requests("synthesis", 4)
    first, second = estimate(
        [*sentences, *explanations], [*explanations[2:], *sentences], [], nothing
    )
    assert (first.kind, first.requests, first.stored, first.asked) == ("explanation", 5, 2, 3)
    assert (second.kind, second.requests, second.stored, second.asked) == ("synthesis", 4, 0, 4)
    assert (first.limit, second.limit) == (300, 400)


def test_prompt_tokens_by_tokenizer_or_by_characters():
    asked = requests("synthesis", 3, "one two three four five")
    [counted] = estimate(asked, asked, [], Scripted(lambda r: {}).count_tokens)
    assert (counted.prompt_tokens, counted.counted) == (15, True)
    [guessed] = estimate(asked, asked, [], nothing)
    assert (guessed.prompt_tokens, guessed.counted) == (3 * 23 // 4, False)


def test_answer_length_from_stored_token_counts():
    asked = requests("synthesis", 10)
    known = [
        Response("synthesis/c/x", answer={}, completion_tokens=20),
        Response("synthesis/c/y", reason="truncated", completion_tokens=41),
        Response("synthesis/c/z", answer={"long": "x" * 4000}),
        Response("explanation/c/z", answer={}, completion_tokens=90),
    ]
    [expected] = estimate(asked, asked, known, nothing)
    assert expected.completion_tokens == 305
    assert expected.basis == "mean of 2 stored answers"


def test_answer_length_from_characters_of_recordings():
    asked = requests("explanation", 10)
    answers = [{"explanation": "x" * 100}, {"explanation": "é" * 60}]
    known = [Response(f"explanation/c/{n}", answer=a) for n, a in enumerate(answers)]
    known.append(Response("explanation/c/9", reason="unreachable"))
    [expected] = estimate(asked, asked, known, nothing)
    letters = sum(len(json.dumps(a, ensure_ascii=False)) for a in answers)
    assert expected.completion_tokens == round(letters / 2 / 4 * 10)
    assert expected.basis == "letters of 2 recorded answers"


def test_answer_length_without_known_answers_is_the_limit():
    asked = requests("explanation", 10)
    [expected] = estimate(asked, asked, [Response("synthesis/c/0", answer={})], nothing)
    assert expected.completion_tokens == expected.limit == 1000
    assert "none is known" in expected.basis


def test_reasoning_is_a_part_of_an_answer_and_its_cost():
    asked = requests("explanation", 10)
    known = [Response("explanation/c/x", answer={}, completion_tokens=2500)]
    [expected] = estimate(asked, asked, known, nothing, reasoning=4000)
    assert (expected.completion_tokens, expected.limit) == (25_000, 41_000)


@pytest.mark.parametrize(
    "known", [{"completion_tokens": 500}, {"answer": {"explanation": "x" * 5000}}]
)
def test_answer_length_is_bounded_by_the_limit(known):
    asked = requests("explanation", 10)
    [expected] = estimate(asked, asked, [Response("explanation/c/x", **known)], nothing)
    assert expected.completion_tokens == expected.limit == 1000


def test_stored_requests_cost_nothing():
    asked = requests("explanation", 10)
    estimates = estimate(asked, [], [], nothing)
    assert (estimates[0].stored, estimates[0].asked, estimates[0].limit) == (10, 0, 0)
    assert (estimates[0].prompt_tokens, estimates[0].completion_tokens) == (0, 0)
    assert cost(estimates, {"prompt": 1.0, "completion": 1.0}) == 0
    assert estimate([], [], [], nothing) == []


def test_cost_per_million_tokens():
    def of(prompt, completion):
        return Estimate("k", 1, 0, 1, prompt, True, completion, "", 10**9)

    both = [of(1_000_000, 100_000), of(500_000, 400_000)]
    assert cost(both, {"prompt": 2.0, "completion": 10.0}) == pytest.approx(8.0)
    assert cost(both, {"completion": 10.0}) == pytest.approx(5.0)
