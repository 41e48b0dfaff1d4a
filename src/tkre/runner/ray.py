"""A grid on the workers of a Ray cluster: ``--runner tkre.runner.RayRunner`` (extra ``scale``)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline
from kedro.runner import AbstractRunner, Task
from pluggy import PluginManager

from tkre.core.errors import UserError
from tkre.datasets.versions import Catalog, ChangedInput, pin
from tkre.pipelines.namespaces import GPU, LANGUAGE_MODELS, LEDGER
from tkre.runner.grid import depth_first
from tkre.runner.run_state import NOT_THERE, Kept, Ledger

logger = logging.getLogger(__name__)


class RayRunner(AbstractRunner):
    """Nodes as Ray tasks, one cell after the other, as many at a time as there are places.

    A task is a node with the catalog entries that it names: what it reads and writes must lie where
    all workers reach it. A node tagged ``gpu`` asks for a GPU if the cluster has any, every other
    for a CPU. A task whose worker is lost is tried again on another one; up-to-date nodes are
    skipped by the same ledger as in ``GridRunner``. Ray gives a task of one CPU one thread, so the
    numbers are those of ``OMP_NUM_THREADS=1 kedro run``.

    Args:
        is_async: Of no effect here.
        address: Of the cluster (``auto``, ``ray://host:10001``); None starts one on this machine.
        workers: How many CPUs a cluster that is started here offers; None for all of them.
        retries: How often a task is tried again whose worker was lost.
        again: Run every node, up to date or not.
    """

    def __init__(
        self,
        is_async: bool = False,
        address: str | None = None,
        workers: int | None = None,
        retries: int = 3,
        again: bool = False,
    ) -> None:
        super().__init__(is_async=False)
        self._address = address
        self._workers = workers
        self._retries = retries
        self._again = again

    def _get_executor(self, max_workers: int) -> None:
        return None  # Ray is one

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        try:
            import ray
        except ImportError:
            raise UserError("RayRunner needs Ray: pip install 'tkre[scale]'") from None
        begun_here = not ray.is_initialized()
        if begun_here:
            ray.init(address=self._address, num_cpus=self._workers, include_dashboard=False)
        try:
            _Submission(self, pipeline, catalog, ray).complete()
        finally:
            if begun_here:
                ray.shutdown()


class _Submission:
    """Where the tasks of a run stand."""

    def __init__(
        self, runner: RayRunner, pipeline: Pipeline, catalog: CatalogProtocol, ray: Any
    ) -> None:
        self._ray = ray
        self._runner = runner
        self._catalog = catalog
        self._waiting = list(depth_first(pipeline))
        self._size = len(self._waiting)
        self._parents = pipeline.node_dependencies
        self._done: set[Node] = set()
        self._running: dict[Any, Node] = {}
        self._kept: dict[str, Kept] = {}
        offered = ray.cluster_resources()
        self._gpus = int(offered.get("GPU", 0))
        # More at a time would only lie in Ray's queue, in the order in which they became ready.
        self._places = max(1, int(offered.get("CPU", 1)))

    def complete(self) -> None:
        """Submits nodes as their parents end, until all are done."""
        counts: Counter[str] = Counter()
        while self._waiting or self._running:
            for node in list(islice(self._ready(), self._places - len(self._running))):
                self._waiting.remove(node)
                self._running[self._submit(node)] = node
            [ended], _ = self._ray.wait(list(self._running), num_returns=1)
            node = self._running.pop(ended)
            reason, kept = self._ray.get(ended)  # what the node has raised is raised here
            self._keep(node, kept)
            self._done.add(node)
            counts["run" if reason else "up to date"] += 1
            if reason:
                why = "" if reason.endswith(NOT_THERE) else f" ({reason})"
                logger.info("%d of %d: %s%s", len(self._done), self._size, node.name, why)
        logger.info("%d nodes run, %d were up to date", counts["run"], counts["up to date"])

    def _ready(self) -> Iterator[Node]:
        return (node for node in self._waiting if self._parents[node] <= self._done)

    def _keep(self, node: Node, kept: dict[str, Kept]) -> None:
        """Remembers what a worker has read or made.

        Raises:
            ChangedInput: Two workers have read the same dataset, and found different contents.
        """
        for name in set(node.inputs) & kept.keys():
            if self._kept.get(name, kept[name]).digest != kept[name].digest:
                raise ChangedInput(name, self._catalog.get(name))
        self._kept |= kept
        for name, (version, _) in kept.items():
            pin(self._catalog.get(name), version)

    def _submit(self, node: Node) -> Any:
        wanted = {"num_gpus": 1} if GPU in node.tags and self._gpus else {}
        task = self._ray.remote(run_node).options(
            name=node.name, num_cpus=1, max_retries=self._runner._retries, **wanted
        )
        names = chain(node.inputs, node.outputs, [LEDGER] if LEDGER in self._catalog else [])
        entries = {name: self._catalog.get(name) for name in names}
        kept = {name: self._kept[name] for name in node.inputs if name in self._kept}
        return task.remote(node, entries, self._runner._again, kept)


def run_node(
    node: Node, entries: dict[str, Any], again: bool, kept: dict[str, Kept]
) -> tuple[str | None, dict[str, Kept]]:
    """What a worker does: runs a node unless it is up to date.

    Args:
        node: Which.
        entries: The catalog entries that it names, and the ledger if there is one.
        again: Run it in any case.
        kept: What the run has read or made that the node reads.

    Returns:
        Why it was run, None if it was up to date; what the run has read or made now.
    """
    catalog = Catalog(entries)

    def run(reason: str) -> str:
        try:
            Task(node, catalog, is_async=False, hook_manager=_NullPluginManager()).execute()
        finally:
            if LANGUAGE_MODELS in entries:  # the worker outlives the task
                catalog.release(LANGUAGE_MODELS)
        return reason

    if LEDGER not in entries:
        return run(NOT_THERE), {}
    ledger: Ledger = entries[LEDGER].load()
    ledger.kept |= kept
    return ledger.bring_up_to_date(node, catalog, run, again=again), ledger.kept
