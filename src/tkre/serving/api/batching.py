"""Batches of the sentences of concurrent requests, labelled by one thread.

Requests queue up while the classifier is at work; all that wait, up to a limit, are its next batch.
A single request is labelled at once, without a delay for others. One thread, since a pass uses all
cores.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tkre.core.errors import UserError
from tkre.core.instance import Instance
from tkre.serving.extractor import Prediction, RelationExtractor


class BusyError(UserError, RuntimeError):
    """Too many sentences wait already."""


@dataclass(frozen=True)
class _Request:
    instances: Sequence[Instance]
    answer: asyncio.Future[list[Prediction]]


class Batcher:
    """Labels the sentences of requests, several requests at a time.

    Args:
        extractor: The classifier.
        rows: Most sentences of a batch; a request with more is a batch of its own.
        max_waiting: Most sentences that wait.

    Attributes:
        waiting: Number of sentences that wait.
    """

    def __init__(self, extractor: RelationExtractor, rows: int, max_waiting: int) -> None:
        self._extractor = extractor
        # Where a batch estimates the share of the negative relation, requests are not mixed: an
        # answer must not depend on the sentences of other clients.
        self._rows = rows if extractor.rows_are_independent else 0
        self._max_waiting = max_waiting
        self._queue: deque[_Request] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0

    async def label(self, instances: Sequence[Instance]) -> list[Prediction]:
        """A prediction for each sentence of a request.

        Raises:
            BusyError: Too many sentences wait.
        """
        if self.waiting and self.waiting + len(instances) > self._max_waiting:
            raise BusyError(f"{self.waiting} sentences wait already")
        request = _Request(instances, asyncio.get_running_loop().create_future())
        self._queue.append(request)
        self.waiting += len(instances)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await request.answer

    async def close(self) -> None:
        """Answer the requests that wait, and accept no more."""
        if self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown()

    async def _work(self) -> None:
        while batch := self._next():
            if await self._answer(batch) or len(batch) == 1:
                continue
            for request in batch:  # so that only the requests that cannot be labelled fail
                await self._answer([request])

    def _next(self) -> list[_Request]:
        """The requests of the next batch, without those whose time is over."""
        batch: list[_Request] = []
        rows = 0
        while self._queue and (not batch or rows + len(self._queue[0].instances) <= self._rows):
            request = self._queue.popleft()
            self.waiting -= len(request.instances)
            if not request.answer.done():
                batch.append(request)
                rows += len(request.instances)
        return batch

    async def _answer(self, batch: Sequence[_Request]) -> bool:
        """Label a batch; False if that failed. A failed batch of one request gets the error."""
        rows = [instance for request in batch for instance in request.instances]
        loop = asyncio.get_running_loop()
        try:
            predictions = iter(await loop.run_in_executor(self._thread, self._extractor, rows))
        except Exception as error:
            if len(batch) == 1 and not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return False
        for request in batch:
            answer = [next(predictions) for _ in request.instances]
            if not request.answer.done():  # its time may be over meanwhile
                request.answer.set_result(answer)
        return True
