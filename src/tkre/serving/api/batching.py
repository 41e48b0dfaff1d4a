"""Sentences of concurrent requests, read together by one thread.

The classifier is at work or idle; while it is at work, requests queue up, and all that wait (up
to a bound) are its next batch. So a lone request is read at once, without a delay for company,
and many share what a pass over the weights costs. One thread, since a pass uses all cores by
itself and two of them would only contend for these.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tkre.core.instance import Instance
from tkre.serving.extractor import Prediction, RelationExtractor


class BusyError(RuntimeError):
    """Too much waits already."""


@dataclass(frozen=True)
class _Asked:
    instances: Sequence[Instance]
    answer: asyncio.Future[list[Prediction]]


class Batcher:
    """Labels the sentences of requests, several requests at a time.

    Args:
        extractor: The classifier.
        rows: Sentences of a batch, at most; a request with more is a batch of its own.
        max_waiting: Sentences that may wait.

    Attributes:
        waiting: Sentences that wait.
    """

    def __init__(self, extractor: RelationExtractor, rows: int, max_waiting: int) -> None:
        self._extractor = extractor
        # Where the share of the negative relation is estimated from a batch, what one client is
        # told must not depend on what another one asks.
        self._rows = rows if extractor.rows_are_independent else 0
        self._max_waiting = max_waiting
        self._queue: deque[_Asked] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0

    async def label(self, instances: Sequence[Instance]) -> list[Prediction]:
        """A prediction for each sentence of a request.

        Args:
            instances: Such as the extractor takes.

        Raises:
            BusyError: Too many sentences wait.
        """
        if self.waiting and self.waiting + len(instances) > self._max_waiting:
            raise BusyError(f"{self.waiting} sentences wait already")
        asked = _Asked(instances, asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        self.waiting += len(instances)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await asked.answer

    async def close(self) -> None:
        """Waits for what is under way, and takes nothing more."""
        if self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown()

    async def _work(self) -> None:
        while batch := self._next():
            if await self._answer(batch) or len(batch) == 1:
                continue
            for asked in batch:  # so that only what cannot be read fails
                await self._answer([asked])

    def _next(self) -> list[_Asked]:
        """The requests of the next batch, without those whose client has gone."""
        batch: list[_Asked] = []
        rows = 0
        while self._queue and (not batch or rows + len(self._queue[0].instances) <= self._rows):
            asked = self._queue.popleft()
            self.waiting -= len(asked.instances)
            if not asked.answer.done():
                batch.append(asked)
                rows += len(asked.instances)
        return batch

    async def _answer(self, batch: Sequence[_Asked]) -> bool:
        """Reads a batch; False if that failed, which a request that is alone is told."""
        rows = [instance for asked in batch for instance in asked.instances]
        loop = asyncio.get_running_loop()
        try:
            predictions = iter(await loop.run_in_executor(self._thread, self._extractor, rows))
        except Exception as error:
            if len(batch) == 1 and not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return False
        for asked in batch:
            own = [next(predictions) for _ in asked.instances]
            if not asked.answer.done():  # its client may have gone meanwhile
                asked.answer.set_result(own)
        return True
