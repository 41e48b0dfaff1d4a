"""The runner of ``kedro run``: one cell after the other, and nothing twice."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import chain

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, Task
from pluggy import PluginManager

from tkre.runners.ledger import NOT_THERE, Ledger
from tkre.runners.order import depth_first

LEDGER = "ledger"  # the catalog entry
logger = logging.getLogger(__name__)


class GridRunner(SequentialRunner):
    """Finishes one cell of a grid before it begins the next, and skips what is up to date.

    Without a ``ledger`` in the catalog everything is run.

    Args:
        is_async: Kedro's.
        again: Run every node, up to date or not.
    """

    def __init__(self, is_async: bool = False, again: bool = False) -> None:
        super().__init__(is_async=is_async)
        self._again = again

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        ledger: Ledger | None = catalog[LEDGER].load() if LEDGER in catalog else None
        hooks = hook_manager or _NullPluginManager()
        load_counts = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))
        order = list(depth_first(pipeline))
        skipped = 0
        for number, node in enumerate(order, start=1):
            reason = self._reason(node, ledger, catalog)
            if reason is None:
                skipped += 1
            else:
                why = "" if reason.endswith(NOT_THERE) else f" ({reason})"
                logger.info("%d of %d: %s%s", number, len(order), node.name, why)
                Task(node, catalog, self._is_async, hook_manager=hooks, run_id=run_id).execute()
                if ledger is not None:
                    ledger.record(node, catalog)
            self._release_datasets(node, catalog, load_counts, pipeline)
        if skipped:
            logger.info("%d of %d nodes were up to date and have not been run", skipped, len(order))

    def _reason(self, node: Node, ledger: Ledger | None, catalog: CatalogProtocol) -> str | None:
        if ledger is None:
            return "nothing is recorded"
        reason = ledger.reason_to_run(node, catalog)
        return "wanted again" if reason is None and self._again else reason
