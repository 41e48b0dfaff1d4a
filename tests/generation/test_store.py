from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted, cut_off, unreachable
from tests.generation.test_protocol import REQUEST
from tkre.generation.explanations import explain
from tkre.generation.llm.pasted import read_pasted
from tkre.generation.llm.protocol import Response, Sampling, attempts_by_request
from tkre.generation.llm.registry import CachedModel
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore, export_responses
from tkre.generation.params import ExplanationParams, RetryParams, SynthesisParams
from tkre.generation.synthesis import SynthesisTask, write_sentences


def answer(n: int) -> Response:
    return Response(f"r{n}", answer={"text": f"Ærø {n} " * 50}, digest="d", model="m")


def test_store_round_trip(tmp_path):
    path = tmp_path / "new" / "responses.jsonl"
    store = ResponseStore(path)
    for n in range(3):
        store.append(answer(n))
    again = ResponseStore(path)
    assert len(again) == 3
    assert again.attempts("r1") == [answer(1)]
    assert again.attempts("nothing") == []


def test_every_append_is_on_disk_when_it_returns(tmp_path):
    path = tmp_path / "responses.jsonl"
    store = ResponseStore(path)
    for n in range(3):
        store.append(answer(n))
        assert len(path.read_text(encoding="utf-8").splitlines()) == n + 1


def test_find_needs_the_same_digest(tmp_path):
    store = ResponseStore()
    store.append(Response(REQUEST.id, answer={"old": 1}, digest=REQUEST.digest("m")))
    store.append(Response(REQUEST.id, reason="truncated", error="x", digest=REQUEST.digest("m")))
    found = store.find(REQUEST, "m")
    assert found is not None and found.answer == {"old": 1}
    assert store.find(REQUEST, "other model") is None
    store.append(Response(REQUEST.id, answer={"new": 1}, digest=REQUEST.digest("m")))
    assert store.find(REQUEST, "m").answer == {"new": 1}  # type: ignore[union-attr]


def found(*responses: Response) -> Response | None:
    store = ResponseStore()
    for response in responses:
        store.append(response)
    return store.find(REQUEST, "m")


def test_an_answer_is_found_after_its_sentence_got_another_id():
    asked = replace(REQUEST, id="annotation/toy/line-1/1", subject="ab-cd")
    digest = asked.digest("m")
    store = ResponseStore()
    store.append(Response(asked.id, answer={"relation": "x"}, digest=digest))
    moved = replace(asked, id="annotation/toy/line-2/1")
    found = store.find(moved, "m")
    assert found is not None
    assert (found.request_id, found.answer) == (moved.id, {"relation": "x"})
    # Another vote, a round of sentences about a relation, another sentence: other answers.
    assert store.find(replace(moved, id=f"{moved.id}/vote-2"), "m") is None
    assert store.find(replace(moved, subject="-cd"), "m") is None
    assert store.find(replace(moved, messages=({"role": "user", "content": "?"},)), "m") is None
    # Its own failure is older than what was paid for elsewhere; its own answer comes first.
    store.append(Response(moved.id, reason="truncated", error="x", digest=digest))
    assert store.find(moved, "m").answer == {"relation": "x"}  # type: ignore[union-attr]
    store.append(Response(moved.id, answer={"relation": "y"}, digest=digest))
    assert store.find(moved, "m").answer == {"relation": "y"}  # type: ignore[union-attr]


def test_find_prefers_answers_to_failures():
    digest = REQUEST.digest("m")
    good = Response(REQUEST.id, answer={}, digest=digest)
    cut = Response(REQUEST.id, reason="truncated", digest=digest)
    text = Response(REQUEST.id, reason="not_json", digest=digest)
    away = Response(REQUEST.id, reason="unreachable", digest=digest)
    assert found(cut, good, text, away) == good
    assert found(cut, text, away) == text
    assert found(text, cut) == cut
    assert found(away) is None
    assert found(Response(REQUEST.id, answer={})) is None  # of whom, to what?


def test_two_stores_share_a_file(tmp_path):
    path = tmp_path / "responses.jsonl"
    one, other = ResponseStore(path), ResponseStore(path)
    one.append(answer(0))
    assert len(other) == 0
    other.refresh()
    assert other.all() == [answer(0)]
    other.append(answer(1))
    one.append(answer(2))  # looks before it writes
    assert one.all() == [answer(0), answer(1), answer(2)]
    other.refresh()
    other.refresh()
    assert other.all() == one.all() == ResponseStore(path).all()


def test_broken_lines_are_skipped_and_numbered(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    good = [json.dumps(answer(n).to_dict()) for n in range(3)]
    broken = ["{oops", "[]", '{"response": {}}', '{"request_id": "x", "response": 3}']
    path.write_text("\n".join([good[0], broken[0], good[1], "", *broken[1:], good[2]]) + "\n")
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
    assert store.all() == [answer(n) for n in range(3)]
    assert "passed over 4 line(s)" in caplog.text
    assert re.findall(r"line (\d+) \(", caplog.text) == ["2", "5", "6", "7"]


PASTED = Path(__file__).parents[2] / "docs/examples/theatre/answer-01.txt"


def test_pasted_answers_are_read_from_a_store(tmp_path, caplog):
    path = tmp_path / "recordings.jsonl"
    records = [r.to_dict() for r in read_pasted(PASTED.read_text("utf-8")).responses]
    assert len(records) == 54
    fenced = f"```json\n{json.dumps(records[1:4], indent=1, ensure_ascii=False)}\n```"
    text = "\n".join(["\ufeff" + json.dumps(records[0]), fenced, json.dumps(records[4:])])
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8", newline="")
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
    assert [r.to_dict() for r in store.all()] == records
    assert caplog.text == ""
    assert [r.line for r in store.all()[:2]] == [1, 3]
    # It may be appended to, and ends with a line that is read once.
    store.append(answer(1))
    store.refresh()
    assert len(store) == len(ResponseStore(path)) == len(records) + 1


def test_fence_at_the_end_is_no_torn_line(tmp_path, caplog):
    path = tmp_path / "recordings.jsonl"
    path.write_text(f"```\n{json.dumps(answer(1).to_dict())}\n```", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert len(ResponseStore(path)) == 1
    assert caplog.text == ""


def test_other_encodings_are_refused_or_reported(tmp_path, caplog):
    path = tmp_path / "recordings.jsonl"
    line = json.dumps(answer(1).to_dict(), ensure_ascii=False)
    path.write_text(line, encoding="utf-16")
    with pytest.raises(ValueError, match=r"recordings.jsonl is UTF-16; save it as UTF-8"):
        ResponseStore(path)
    path.write_text(line + "\n", encoding="cp1252")
    with caplog.at_level(logging.WARNING):
        assert len(ResponseStore(path)) == 0
    assert "line 1 (not UTF-8" in caplog.text


def test_many_broken_lines_are_counted(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    path.write_text("{oops\n" * 30)
    with caplog.at_level(logging.WARNING):
        ResponseStore(path)
    assert "passed over 30 line(s)" in caplog.text and "and 25 more" in caplog.text


def test_torn_line_is_skipped_and_reported(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    whole = json.dumps(answer(0).to_dict()) + "\n"
    torn = json.dumps(answer(1).to_dict(), ensure_ascii=False).encode()[:31]  # mid-character
    path.write_bytes(whole.encode() + torn)
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
    assert len(store) == 1
    assert "passed over 1 line" in caplog.text and "line 2" in caplog.text
    store.append(answer(2))
    again = ResponseStore(path)
    assert [len(again.attempts(f"r{n}")) for n in range(3)] == [1, 0, 1]


def torn(n: int) -> bytes:
    return json.dumps(answer(n).to_dict(), ensure_ascii=False).encode()[:31]


def test_tail_torn_by_another_process(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    store = ResponseStore(path)
    store.append(answer(0))
    with path.open("ab") as file:
        file.write(torn(1))
    with caplog.at_level(logging.WARNING):
        store.append(answer(2))
        store.append(answer(3))
    assert caplog.text.count("passed over 1 line(s)") == 1 and "line 2 (" in caplog.text
    assert store.all() == [answer(0), answer(2), answer(3)]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = ResponseStore(path)
    assert again.all() == store.all()
    assert "passed over 1 line(s)" in caplog.text and "line 2 (" in caplog.text


def test_torn_tail_is_reported_once_and_read_when_finished(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    line = json.dumps(answer(0).to_dict(), ensure_ascii=False).encode() + b"\n"
    path.write_bytes(line[:31])
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
        for _ in range(3):
            store.refresh()
    assert caplog.text.count("passed over") == 1
    with path.open("ab") as file:
        file.write(line[31:])
    store.refresh()
    assert store.all() == [answer(0)]


def test_last_line_without_newline_is_read(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(answer(0).to_dict()), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
        store.append(answer(1))
        store.refresh()
    assert caplog.text == ""
    assert store.all() == ResponseStore(path).all() == [answer(0), answer(1)]


def test_line_numbers_after_an_unfinished_line(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(answer(0).to_dict()), encoding="utf-8")
    store = ResponseStore(path)
    store.append(answer(1))
    with path.open("ab") as file:
        file.write(b"{oops\n")
    with caplog.at_level(logging.WARNING):
        store.refresh()
    assert "line 3 (" in caplog.text


def _append_many(path: Path, start: int) -> None:
    store = ResponseStore(path)
    for n in range(start, start + 40):
        store.append(answer(n))


def test_two_processes_append_whole_lines(tmp_path):
    path = tmp_path / "responses.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(path, s)) for s in (0, 1000)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(ResponseStore(path)) == 80
    assert len(path.read_text(encoding="utf-8").splitlines()) == 80


def test_killed_process_loses_no_appended_line(tmp_path):
    path = tmp_path / "responses.jsonl"
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tkre.generation.llm.protocol import Response, attempts_by_request
        from tkre.generation.llm.store import ResponseStore
        store = ResponseStore(Path(sys.argv[1]))
        for n in range(100_000):
            store.append(Response(f"r{n}", answer={"text": "x" * 500}))
            print(n, flush=True)
        """
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as llm:
        assert llm.stdout is not None
        deadline, told = time.monotonic() + 300, -1
        while told < 25 and time.monotonic() < deadline:
            told = int(llm.stdout.readline())
        os.kill(llm.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in llm.stdout.read().splitlines())])
    store = ResponseStore(path)
    assert all(store.attempts(f"r{n}") for n in range(told + 1))


def test_last_line_without_a_response_is_reported(tmp_path, caplog):
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(answer(0).to_dict()) + "\n[1]", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        store = ResponseStore(path)
    assert len(store) == 1
    assert "passed over 1 line" in caplog.text and "line 2" in caplog.text


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
def test_export_has_the_newest_settled_response(target, attempts, exported):
    export_responses(store(*attempts), target)
    assert ResponseStore(target).all() == exported


def test_export_of_one_model(target):
    kept = store(GOOD, response("b", answer={}, model="n", digest="other"))
    export_responses(kept, target, model="n")
    assert [r.request_id for r in ResponseStore(target).all()] == ["b"]


def test_export_is_incremental(target):
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


def test_export_keeps_existing_lines(tmp_path):
    target = tmp_path / "recordings.jsonl"
    line = '{"request_id": "a", "comment": "by hand", "response": {"text": "old"}}\n'
    target.write_text(line)
    export_responses(store(GOOD), target)
    assert target.read_text().startswith(line)
    assert [r.answer for r in ResponseStore(target).attempts("a")] == [
        {"text": "old"}, {"text": "yes"},
    ]  # fmt: skip


@pytest.mark.parametrize("held", [CUT, AWAY], ids=["truncated", "unreachable"])
def test_export_adds_an_answer_after_a_failure(tmp_path, held):
    target = ResponseStore(tmp_path / "recordings.jsonl")
    target.append(held)
    export_responses(store(held, GOOD), target.path)
    assert ResponseStore(target.path).all() == [held, GOOD]


def test_export_describes_origins(target):
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


def test_empty_export_writes_nothing(target):
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


def test_exported_run_is_replayed_attempt_by_attempt(root, schema, tmp_path, target):
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
        return attempts_by_request([*explained, *written])

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


@pytest.mark.parametrize(
    "line",
    [
        '{"request_id": "a", "response": {}, "reason": [0], "digest": "d"}',
        '{"request_id": ["a"], "response": {}}',
        '{"request_id": "a", "response": {"x": ' + "[" * 3000 + "]" * 3000 + "}}",
        '{"request_id": "a", "response": {"x": ' + "9" * 5000 + "}}",
        '{"request_id": "a", "response": {"x": 1, "x": 2}}',
        '{"request_id": "a", "response": {}, "model": 3}',
        '{"request_id": "a", "response": {}, "seconds": "1"}',
        '{"request_id": "a", "response": {}, "tries": true}',
        '{"request_id": "a", "response": {}, "error": {"x": 1}, "reason": "r"}',
        '{"request_id": "a", "response": NaN}',
    ],
)
def test_a_line_of_the_wrong_shape_is_passed_over_and_said(tmp_path, caplog, line):
    path = tmp_path / "s.jsonl"
    good = json.dumps(answer(1).to_dict())
    path.write_text(f"{good}\n{line}\n{good}\n", encoding="utf-8")
    store = ResponseStore(path)
    assert len(store) == 2
    assert "passed over 1 line(s)" in caplog.text and "line 2" in caplog.text
    list(Replay([store], "m", strict=False)._explain([REQUEST]))  # looks at every attempt


def test_halves_of_surrogate_pairs_do_not_stop_a_run(tmp_path):
    store = ResponseStore(tmp_path / "s.jsonl")
    store.append(Response("a", answer={"x": "ok"}, error="\ud83d"))
    (tmp_path / "t.jsonl").write_text('{"request_id": "a", "response": {"x": "\\ud83d"}}')
    [read] = ResponseStore(tmp_path / "t.jsonl").all()
    assert read.answer == {"x": "\ufffd"}


def test_a_full_disk_names_the_store(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*s\.jsonl"):
        ResponseStore(tmp_path / "s.jsonl").append(answer(1))
