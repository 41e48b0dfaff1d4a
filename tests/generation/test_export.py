from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted, by_id, cut_off, unreachable
from tkre.generation.explanations import explain
from tkre.generation.llm.cache import CachedModel
from tkre.generation.llm.protocol import Response, Sampling
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore, export_responses
from tkre.generation.params import ExplanationParams, RetryParams, SynthesisParams
from tkre.generation.synthesis import SynthesisTask, write_sentences

RETRY = RetryParams(attempts=3)
SUPPORT = [
    instance("<head>Ada</head> lives in <tail>Rome</tail>.", "lives_in", id="a"),
    instance("<head>Bo</head> has a home in <tail>Oslo</tail>.", "lives_in", id="b"),
    instance("<head>Cy</head> saw <tail>Bo</tail>.", "none", id="c"),
]


def response(name: str, **fields) -> Response:
    told = {"digest": f"digest of {name}", "model": "m", "source": "vllm 1",
            "finished": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    return Response(name, **(told | fields))


GOOD = response("a", answer={"text": "yes"})
NEWER = replace(GOOD, answer={"text": "newer"})
CUT = response("a", reason="truncated", error="cut off")
AWAY = response("a", reason="unreachable", error="refused")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "recordings.jsonl"


def store(*responses: Response) -> ResponseStore:
    kept = ResponseStore()
    for one in responses:
        kept.append(one)
    return kept


@pytest.mark.parametrize(
    ("attempts", "exported"),
    [
        ([GOOD, NEWER], [NEWER]),
        ([CUT, GOOD], [GOOD]),
        ([GOOD, CUT], [GOOD]),
        ([CUT, replace(CUT, reason="not_json")], [replace(CUT, reason="not_json")]),
        ([AWAY, CUT, AWAY], [CUT]),
        ([GOOD, replace(GOOD, digest="other")], [GOOD, replace(GOOD, digest="other")]),
        ([AWAY], []),
        ([replace(GOOD, digest=None)], []),
    ],
)  # fmt: skip
def test_of_every_question_the_newest_answer_or_failing_that_failure(target, attempts, exported):
    export_responses(store(*attempts), target)
    assert ResponseStore(target).all() == exported


def test_only_what_one_model_said_if_wanted(target):
    kept = store(GOOD, response("b", answer={}, model="n", digest="other"))
    export_responses(kept, target, model="n")
    assert [r.request_id for r in ResponseStore(target).all()] == ["b"]


def test_exporting_again_adds_nothing_but_what_is_new(target):
    kept = store(GOOD)
    export_responses(kept, target)
    before = target.read_bytes()
    told = export_responses(kept, target)
    assert told[0] == f"{target}: 0 responses added, 1 were there"
    assert target.read_bytes() == before
    kept.append(response("b", answer={}))
    told = export_responses(kept, target)
    assert told[0] == f"{target}: 1 responses added, 1 were there"
    assert target.read_bytes().startswith(before)
    assert len(ResponseStore(target)) == 2


def test_what_the_target_holds_stays_as_it_is(tmp_path):
    target = tmp_path / "recordings.jsonl"
    line = '{"request_id": "a", "comment": "by hand", "response": {"text": "old"}}\n'
    target.write_text(line)
    export_responses(store(GOOD), target)
    assert target.read_text().startswith(line)
    assert [r.answer for r in ResponseStore(target).attempts("a")] == [
        {"text": "old"}, {"text": "yes"},
    ]  # fmt: skip


@pytest.mark.parametrize("held", [CUT, AWAY], ids=["truncated", "unreachable"])
def test_an_answer_is_added_though_the_target_holds_the_failure_before_it(tmp_path, held):
    target = ResponseStore(tmp_path / "recordings.jsonl")
    target.append(held)
    export_responses(store(held, GOOD), target.path)
    assert ResponseStore(target.path).all() == [held, GOOD]


def test_where_it_came_from_is_told_a_line_per_origin(target):
    told = export_responses(
        store(
            GOOD,
            response("b", answer={}, finished="2026-01-03T00:00:00+00:00"),
            response("c", answer={}, finished="2026-01-02T00:00:00+00:00"),
            response("d", answer={}, model="n", source="openai host", finished=None),
        ),
        target,
    )
    assert told == [
        f"{target}: 4 responses added, 0 were there",
        "  3 of m by vllm 1, 2026-01-01T00:00:00+00:00 to 2026-01-03T00:00:00+00:00",
        "  1 of n by openai host",
    ]


def test_nothing_to_export_is_nothing_said_and_nothing_written(target):
    assert export_responses(store(GOOD), target, model="another") == []
    assert export_responses(store(), target) == []
    assert export_responses(store(AWAY), target) == []
    assert not target.exists()


def good_answer(request):
    if request.id.startswith("explanation"):
        return {"explanation": "Ada and Bo and Cy, Rome and Oslo.", "triggers": []}
    _, _, relation, _, number = request.id.split("/")
    types = {"lives_in": ("person", "place"), "home_of": ("place", "person"),
             "knows": ("person", "person"), "none": ("person", "place")}  # fmt: skip
    words = [" ".join(f"{relation}{number}{k}{n}" for n in range(6)) for k in "xy"]
    return {"samples": [
        {"sentence": f"<head>H</head> {w} <tail>T</tail>", "head_type": types[relation][0],
         "tail_type": types[relation][1], "triggers": []} for w in words
    ]}  # fmt: skip


def sometimes_bad(request):
    """Failures of all kinds, at first attempts, and one question that is never answered well."""
    if request.id.endswith("/knows/seed-13/round-0"):
        return cut_off(request)
    if request.attempt:
        return good_answer(request)
    failures = {
        "explanation/toy/a": lambda r: "I would rather not.",
        "explanation/toy/b": lambda r: {"explanation": "Nobody is mentioned.", "triggers": []},
        "synthesis/toy/none/seed-13/round-0": cut_off,
        "synthesis/toy/home_of/seed-13/round-0": lambda r: '{"samples": []}',
    }
    return failures.get(request.id, good_answer)(request)


def test_what_a_live_run_left_is_replayed_elsewhere_attempt_by_attempt(
    root, schema, tmp_path, target
):
    task = SynthesisTask(
        schema=schema, seed=13, wanted=2, support=SUPPORT, forbidden={}, head_first=False
    )
    prompts = root / "conf/base/prompts"
    sampling = Sampling()

    def run(model):
        explained = explain(
            model, SUPPORT, schema, (prompts / "explanation.txt").read_text(),
            ExplanationParams(sampling=sampling), RETRY,
        )  # fmt: skip
        written = write_sentences(
            model, task, (prompts / "synthesis.txt").read_text(),
            SynthesisParams(sampling=sampling, per_request=2), RETRY,
        )  # fmt: skip
        return by_id([*explained, *written])

    path = tmp_path / "responses.jsonl"
    first = Scripted(lambda r: unreachable(r) if r.attempt else sometimes_bad(r))
    run(CachedModel(first, ResponseStore(path)))  # a run whose server goes away
    live = run(CachedModel(Scripted(sometimes_bad), ResponseStore(path)))
    assert [r.reason for r in live["synthesis/toy/knows/seed-13/round-0"]] == ["truncated"] * 3
    assert [r.answer is not None for r in live["explanation/toy/b"]] == [True, True]
    assert "synthesis/toy/knows/seed-13/round-1" in live

    export_responses(ResponseStore(path), target)
    replayed = run(Replay([ResponseStore(target)], "scripted", strict=True))
    assert replayed == live
    other = replace(task, seed=14)
    with pytest.raises(MissingResponse, match="seed-14"):
        write_sentences(
            Replay([ResponseStore(target)], "scripted", strict=True), other,
            (prompts / "synthesis.txt").read_text(),
            SynthesisParams(sampling=sampling, per_request=2), RETRY,
        )  # fmt: skip
