"""The runner of ``kedro run``: one cell after the other, and nothing twice, by one or many."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, Task
from pluggy import PluginManager

from tkre.planning import LANGUAGE_MODEL
from tkre.runners.ledger import LEDGER, NOT_THERE, Ledger
from tkre.runners.order import depth_first
from tkre.runners.workers import can_fork, default_workers, helping, visible_gpus

SECONDS_BETWEEN_LOOKS = 0.5  # at nodes that another process works on
logger = logging.getLogger(__name__)


class GridRunner(SequentialRunner):
    """Finishes one cell of a grid before it begins the next, and skips what is up to date.

    Several processes share the work: a node that one of them works on is left to it, and its
    result is used. They are made here (``workers``), or are commands that a user has typed side by
    side over the same data. Language models are asked by the first process alone, so that one
    engine is started; where there are GPUs, none of the processes trains before that engine has
    given them back. Hooks of nodes are called in the first process only.

    Args:
        is_async: Kedro's.
        again: Run every node, up to date or not; by one process.
        workers: How many processes; None for as many as suit the machine
            (``workers.default_workers``).
    """

    def __init__(
        self, is_async: bool = False, again: bool = False, workers: int | None = None
    ) -> None:
        super().__init__(is_async=is_async)
        self._again = again
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers}: at least one process does the work")
        self._workers = workers

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        nobody = _NullPluginManager()
        run = _Run(self, pipeline, catalog, hook_manager or nobody, run_id)
        ledger: Ledger | None = catalog[LEDGER].load() if LEDGER in catalog else None
        if ledger is None:
            for node in tuple(run.waiting):
                run.execute(node)
            return
        workers = self._how_many(pipeline)
        helper = _Run(self, pipeline, catalog, nobody, run_id, asks=False)
        with helping(partial(self._complete, helper, ledger), workers):
            self._complete(run, ledger)
        run.tell_skipped()

    def _how_many(self, pipeline: Pipeline) -> int:
        if self._again or not can_fork():
            return 1
        trained = {node.namespace for node in pipeline.nodes if "gpu" in node.tags}
        return self._workers or default_workers(len(trained))

    def _complete(self, run: _Run, ledger: Ledger) -> None:
        while run.waiting:
            self._next(run, ledger)

    def _next(self, run: _Run, ledger: Ledger) -> None:
        """Does the first node that can be done and that nobody else works on."""
        for node in run.ready():
            if not run.may_run(node):
                if ledger.reason_to_run(node, run.catalog) is None:
                    run.skip(node, ledger)
                    return
                continue
            with ledger.claim(node) as mine:
                if not mine:
                    continue
                execute = partial(run.execute, node)
                if not ledger.bring_up_to_date(node, run.catalog, execute, again=self._again):
                    run.skip(node, ledger)
                return
        run.rest()


class _Run:
    """Where a run stands.

    Attributes:
        catalog: What nodes read and write.
        waiting: The nodes that are not done, in the order they are wanted in.
        skipped: How many were up to date.
        size: How many nodes there are.
    """

    def __init__(
        self,
        runner: GridRunner,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hooks: PluginManager,
        run_id: str | None,
        *,
        asks: bool = True,
    ) -> None:
        self.catalog = catalog
        self.waiting = list(depth_first(pipeline))
        # The order begins with what asks language models and all that is needed to ask.
        asking = [n for n, node in enumerate(self.waiting) if LANGUAGE_MODEL in node.tags]
        self._to_answers = set(self.waiting[: max(asking, default=-1) + 1])
        self._has_gpus = len(visible_gpus()) > 0
        self.skipped = 0
        self._by_others = 0
        self._begun = time.time()
        self.size = len(self.waiting)
        self._runner = runner
        self._pipeline = pipeline
        self._parents = pipeline.node_dependencies
        self._hooks = hooks
        self._run_id = run_id
        self._done: set[Node] = set()
        self._resting = False
        self._asks = asks
        self._load_counts = Counter(chain.from_iterable(n.inputs for n in self.waiting))

    def ready(self) -> Iterator[Node]:
        """The nodes whose parents are done; the first one that waits always is among them.

        On a machine with GPUs none that wants one, while a language model may still have it.
        """
        engine_may_run = self._has_gpus and not self._to_answers <= self._done
        return (
            node
            for node in self.waiting
            if self._parents[node] <= self._done
            and not (engine_may_run and "gpu" in node.tags and node not in self._to_answers)
        )

    def may_run(self, node: Node) -> bool:
        """Whether a node is for this process at all."""
        return self._asks or LANGUAGE_MODEL not in node.tags

    def execute(self, node: Node, reason: str = NOT_THERE) -> None:
        """Runs a node, and says why if it has been run before."""
        why = "" if reason.endswith(NOT_THERE) else f" ({reason})"
        number = self.size - len(self.waiting) + 1
        logger.info("%d of %d: %s%s", number, self.size, node.name, why)
        Task(
            node, self.catalog, self._runner._is_async,
            hook_manager=self._hooks, run_id=self._run_id,
        ).execute()  # fmt: skip
        self._end(node)

    def skip(self, node: Node, ledger: Ledger) -> None:
        """Leaves a node as it is."""
        self.skipped += 1
        self._by_others += ledger.written_since(node, self._begun)
        self._end(node)

    def tell_skipped(self) -> None:
        """Says how many nodes this process has not run, and why."""
        if before := self.skipped - self._by_others:
            logger.info("%d of %d nodes were up to date and have not been run", before, self.size)
        if self._by_others:
            logger.info("%d of %d nodes were run by other processes", self._by_others, self.size)

    def rest(self) -> None:
        """Waits for other processes: all that could be done is being done."""
        if not self._resting:
            logger.info("waiting for what other processes work on")
        self._resting = True
        time.sleep(SECONDS_BETWEEN_LOOKS)

    def _end(self, node: Node) -> None:
        self._resting = False
        self.waiting.remove(node)
        self._done.add(node)
        self._runner._release_datasets(node, self.catalog, self._load_counts, self._pipeline)
