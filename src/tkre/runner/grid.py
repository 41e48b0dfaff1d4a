"""The runner of ``kedro run``: finishes cell after cell, skips up-to-date nodes.

Processes that share the work on one machine are forked before torch is loaded.
"""

from __future__ import annotations

import copy
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from multiprocessing.process import BaseProcess
from pathlib import Path

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, Task
from pluggy import PluginManager

from tkre.core import progress
from tkre.pipelines.namespaces import GPU, LANGUAGE_MODEL, LEDGER, dataset_namespace
from tkre.runner.run_state import NOT_THERE, Ledger

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
MOST_WORKERS = 4  # unless more are asked for: each loads torch and a model
SECONDS_BETWEEN_LOOKS = 0.5  # at nodes that another process works on
logger = logging.getLogger(__name__)


def depth_first(pipeline: Pipeline) -> Iterator[Node]:
    """The nodes so that each comes right after what it needs and does not have yet.

    Kedro's own order trains all encoders, then all classifiers, then scores them all: a run that
    is stopped half-way has no score at all. Here it has half of the scores.

    Language models are asked before all else, as in any order: one engine, started once, that has
    given the GPU back when training begins. Equal pipelines give equal orders; what no other node
    needs is wanted in the order of places (``newsroom.k8.s13.tkre``) and names.
    """
    parents = pipeline.node_dependencies
    needed = {parent for of_node in parents.values() for parent in of_node}
    asking = {node for node in parents if LANGUAGE_MODEL in node.tags}
    wanted = [*sorted(asking, key=_place), *sorted(set(parents) - needed, key=_place)]
    seen: set[Node] = set()
    # No recursion: a graph may be deeper than Python's stack is.
    stack = [(node, False) for node in reversed(wanted)]
    while stack:
        node, complete = stack.pop()
        if complete:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent in sorted(parents[node], key=_place, reverse=True)]


def _place(node: Node) -> tuple[str, str]:
    return dataset_namespace(node), node.name.rpartition(".")[2]


def default_workers(cells: int, *, cores: int | None = None, gpus: int | None = None) -> int:
    """How many processes share the work where nobody says.

    On a CPU two processes of one thread train more in a minute than one of two: small products and
    all that is between them do not fill several cores. On GPUs one, since a language model may
    want all of them.

    Args:
        cells: How many cells there are to share.
        cores: None for those that this process may use.
        gpus: None for those that are visible.
    """
    cores = usable_cores() if cores is None else cores
    gpus = len(visible_gpus()) if gpus is None else gpus
    return 1 if gpus else max(1, min(cores, cells, MOST_WORKERS))


def usable_cores() -> int:
    """How many cores this process may use; all of them on macOS and Windows, which do not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that a process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() not in ("", "-1")]
    return [str(n) for n in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def can_fork() -> bool:
    """Whether more processes can be made of this one.

    Not where torch is loaded, as in a notebook: its threads do not survive a fork. Not on macOS,
    whose own libraries do not either, nor on Windows, which has no fork.
    """
    return "torch" not in sys.modules and sys.platform == "linux" and hasattr(os, "fork")


@contextmanager
def helping(work: Callable[[], None], workers: int) -> Iterator[None]:
    """Lets other processes do the same work while this one does.

    Cores are divided among the processes, GPUs given out in turn. A helper that fails leaves its
    node to the others, which will say what is wrong; at the end helpers are waited for, and after
    an error in this process they are ended.

    Args:
        work: Done by each helper; what is done by others it has to see itself.
        workers: How many processes there are, this one among them.
    """
    shares = list(_shares(workers))
    if workers > 1:
        progress.before_fork()
    helpers = [_helper(work, share) for share in shares[1:]]
    before = {name: os.environ.get(name) for name in shares[0]}
    os.environ.update(shares[0])
    try:
        yield
        for helper in helpers:
            helper.join()
    finally:
        for helper in helpers:
            helper.terminate()
            helper.join()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _shares(workers: int) -> Iterator[dict[str, str]]:
    """The environment of each process: its threads, unless they are given, and its GPU."""
    gpus = visible_gpus()
    threads = max(1, usable_cores() // workers)
    for number in range(workers):
        share = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
        if gpus and workers > 1:
            share["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        yield share


def _helper(work: Callable[[], None], share: dict[str, str]) -> BaseProcess:
    helper = multiprocessing.get_context("fork").Process(
        target=_help, args=(work, share), daemon=True
    )
    helper.start()
    return helper


def _help(work: Callable[[], None], share: dict[str, str]) -> None:
    if sys.platform == "linux":  # a run that is killed must not go on without its terminal
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.update(share)
    progress.in_helper()
    try:
        work()
    except KeyboardInterrupt:
        return
    except Exception as error:
        # The process that was started by the user comes to the same node, and fails aloud.
        logger.warning("a helping process has ended: %s", error)
        sys.exit(1)


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
        run = _Run(self, pipeline, catalog, hook_manager or _NullPluginManager(), run_id)
        ledger: Ledger | None = catalog[LEDGER].load() if LEDGER in catalog else None
        if ledger is None:
            with progress.panel(run.size, training=run.training()):
                for node in tuple(run.waiting):
                    run.execute(node)
            return
        ledger.note_code(run.waiting)
        if not self._again:
            run.skip_up_to_date(ledger)
        work = partial(self._complete, run.of_helper(), ledger)
        # The panel has a thread of its own: helpers are forked before it is there.
        panel = progress.panel(run.size, run.skipped, run.training())
        with helping(work, self._how_many(run.waiting)), panel:
            self._complete(run, ledger)
        run.tell_skipped()

    def _how_many(self, waiting: list[Node]) -> int:
        if self._again or not waiting or not can_fork():
            return 1
        trained = {dataset_namespace(node) for node in waiting if GPU in node.tags}
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
        self._asks = True
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
            and not (engine_may_run and GPU in node.tags and node not in self._to_answers)
        )

    def of_helper(self) -> _Run:
        """Where a helping process starts: it asks no language model and calls no hooks."""
        helper = copy.copy(self)  # a fork separates what both refer to
        helper._hooks, helper._asks = _NullPluginManager(), False
        return helper

    def training(self) -> dict[str, tuple[str, ...]]:
        """The nodes that wait and train, by what they write, with what each is like.

        Most like is the same stage of the same variant and corpus, then the same stage.
        """
        stages: dict[str, tuple[str, ...]] = {}
        for node in self.waiting:
            if any(name.endswith(("_losses", ".lineage")) for name in node.outputs):
                corpus, *_, variant = dataset_namespace(node).split(".")
                stage = node.name.rpartition(".")[2]
                stages[node.name] = f"{stage} {corpus} {variant}", stage
        return stages

    def may_run(self, node: Node) -> bool:
        """Whether a node is for this process at all."""
        return self._asks or LANGUAGE_MODEL not in node.tags

    def execute(self, node: Node, reason: str = NOT_THERE) -> None:
        """Runs a node, and says why if it has been run before."""
        why = "" if reason.endswith(NOT_THERE) else f" ({reason})"
        # A helper does not see all that is done: its count would be another one.
        number = f"{self.size - len(self.waiting) + 1} of {self.size}" if self._asks else "beside"
        logger.info("%s: %s%s", number, node.name, why)
        with progress.step(node.name):
            Task(
                node, self.catalog, self._runner._is_async,
                hook_manager=self._hooks, run_id=self._run_id,
            ).execute()  # fmt: skip
        self._end(node)

    def skip_up_to_date(self, ledger: Ledger) -> None:
        """Leaves what is up to date as it is, before any process is started."""
        for node in tuple(self.waiting):
            if self._parents[node] <= self._done and not ledger.reason_to_run(node, self.catalog):
                self.skip(node, ledger)

    def skip(self, node: Node, ledger: Ledger) -> None:
        """Leaves a node as it is."""
        self.skipped += 1
        self._by_others += ledger.written_since(node, self._begun)
        progress.ended(node.name)
        self._end(node)

    def tell_skipped(self) -> None:
        """Says how many nodes were up to date; what helpers have run is no news."""
        if before := self.skipped - self._by_others:
            logger.info("%d of %d nodes were up to date and have not been run", before, self.size)

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
