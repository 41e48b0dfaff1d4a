from __future__ import annotations

import asyncio
import threading

import pytest

from tests.conftest import instance
from tkre.serving.api.batching import Batcher, BusyError

ROWS = [instance(f"<head>a{n}</head> <tail>b</tail>", id=str(n)) for n in range(9)]


class Echo:
    """Gives back the ids; its first batch waits until it is let go."""

    rows_are_independent = True

    def __init__(self, bad=()):
        self.batches, self.bad = [], set(bad)
        self.started, self.go_on = threading.Event(), threading.Event()

    def __call__(self, rows):
        self.batches.append([row.id for row in rows])
        self.started.set()
        assert self.go_on.wait(30)
        if self.bad & {row.id for row in rows}:
            raise ValueError("bad row")
        return [row.id for row in rows]


async def asked(batcher, extractor, *requests):
    """The first request is at work when the others come."""
    first = asyncio.create_task(batcher.label(requests[0]))
    while not extractor.started.is_set():
        await asyncio.sleep(0)
    rest = [asyncio.create_task(batcher.label(rows)) for rows in requests[1:]]
    await asyncio.sleep(0.01)
    extractor.go_on.set()
    return await asyncio.gather(first, *rest, return_exceptions=True)


def run(extractor, *requests, rows=5, max_waiting=100):
    async def whole():
        batcher = Batcher(extractor, rows, max_waiting)
        try:
            return await asked(batcher, extractor, *requests)
        finally:
            await batcher.close()
            assert batcher.waiting == 0

    return asyncio.run(whole())


def test_waiting_requests_are_one_batch():
    extractor = Echo()
    answers = run(extractor, ROWS[:1], ROWS[1:3], ROWS[3:4], ROWS[4:7])
    assert answers == [["0"], ["1", "2"], ["3"], ["4", "5", "6"]]
    assert extractor.batches == [["0"], ["1", "2", "3"], ["4", "5", "6"]]  # at most five rows


def test_large_request_is_a_batch():
    extractor = Echo()
    answers = run(extractor, ROWS[:1], ROWS, rows=2)
    assert [len(a) for a in answers] == [1, 9]


def test_failing_request_fails_alone():
    extractor = Echo(bad={"2"})
    answers = run(extractor, ROWS[:1], ROWS[1:2], ROWS[2:3], ROWS[3:4])
    assert answers[0] == ["0"] and answers[1] == ["1"] and answers[3] == ["3"]
    assert isinstance(answers[2], ValueError)


def test_full_queue_refuses_requests():
    extractor = Echo()
    answers = run(extractor, ROWS[:1], ROWS[1:3], ROWS[3:4], max_waiting=2)
    assert answers[:2] == [["0"], ["1", "2"]]
    assert isinstance(answers[2], BusyError)


def test_idle_service_accepts_a_request_larger_than_its_queue():
    assert len(run(Echo(), ROWS, max_waiting=2)[0]) == 9


def test_dependent_rows_are_not_mixed():
    extractor = Echo()
    extractor.rows_are_independent = False
    run(extractor, ROWS[:1], ROWS[1:2], ROWS[2:4])
    assert extractor.batches == [["0"], ["1"], ["2", "3"]]


def test_requests_of_gone_clients_are_skipped():
    extractor = Echo()

    async def whole():
        batcher = Batcher(extractor, 5, 100)
        first = asyncio.create_task(batcher.label(ROWS[:1]))
        while not extractor.started.is_set():
            await asyncio.sleep(0)
        gone, stays = (asyncio.create_task(batcher.label([row])) for row in ROWS[1:3])
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        extractor.go_on.set()
        assert await first == ["0"] and await stays == ["2"]
        with pytest.raises(asyncio.CancelledError):
            await gone
        await batcher.close()

    asyncio.run(whole())
    assert extractor.batches == [["0"], ["2"]]
