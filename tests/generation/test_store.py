from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from tests.generation.test_protocol import REQUEST
from tkre.generation.protocol import Response
from tkre.generation.store import ResponseStore


def answer(n: int) -> Response:
    return Response(f"r{n}", answer={"text": f"Ærø {n} " * 50}, digest="d", model="m")


def test_what_was_appended_is_there_again(tmp_path):
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


def test_find_wants_the_same_question(tmp_path):
    store = ResponseStore()
    store.append(Response(REQUEST.id, answer={"old": 1}, digest=REQUEST.digest("m")))
    store.append(Response(REQUEST.id, error="cut off", digest=REQUEST.digest("m")))
    found = store.find(REQUEST, "m")
    assert found is not None and found.answer == {"old": 1}
    assert store.find(REQUEST, "other model") is None
    store.append(Response(REQUEST.id, answer={"new": 1}, digest=REQUEST.digest("m")))
    assert store.find(REQUEST, "m").answer == {"new": 1}  # type: ignore[union-attr]


def test_a_torn_line_is_passed_over_said_and_does_not_spoil_the_next(tmp_path, caplog):
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


def _append_many(path: Path, start: int) -> None:
    store = ResponseStore(path)
    for n in range(start, start + 40):
        store.append(answer(n))


def test_two_processes_do_not_mix_their_lines(tmp_path):
    path = tmp_path / "responses.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(path, s)) for s in (0, 1000)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(ResponseStore(path)) == 80
    assert len(path.read_text(encoding="utf-8").splitlines()) == 80


def test_a_killed_writer_loses_nothing_it_was_told(tmp_path):
    path = tmp_path / "responses.jsonl"
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tkre.generation.protocol import Response
        from tkre.generation.store import ResponseStore
        store = ResponseStore(Path(sys.argv[1]))
        for n in range(100_000):
            store.append(Response(f"r{n}", answer={"text": "x" * 500}))
            print(n, flush=True)
        """
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        deadline, told = time.monotonic() + 60, -1
        while told < 25 and time.monotonic() < deadline:
            told = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout.read().splitlines())])
    store = ResponseStore(path)
    assert all(store.attempts(f"r{n}") for n in range(told + 1))
