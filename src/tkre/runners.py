"""Runners: in which order, and where, the nodes of a grid are run."""

from __future__ import annotations

from collections.abc import Iterator

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pluggy import PluginManager

from tkre.planning import LANGUAGE_MODEL


class DepthFirstRunner(SequentialRunner):
    """Finishes one cell of the grid before it begins the next.

    Kedro's own order trains all encoders, then all classifiers, then scores them all. A run that
    is stopped half-way has then no score at all; here it has half of the scores.

    ``kedro run --runner tkre.runners.DepthFirstRunner``
    """

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        ordered = _Ordered(pipeline.nodes, list(depth_first(pipeline)))
        super()._run(ordered, catalog, hook_manager or _NullPluginManager(), run_id)


def depth_first(pipeline: Pipeline) -> Iterator[Node]:
    """The nodes so that each comes right after what it needs and does not have yet.

    Language models are asked before all else, as in any order: one engine, started once, that has
    given the GPU back when training begins. Equal pipelines give equal orders; what no other node
    needs is wanted in the order of names.
    """
    parents = pipeline.node_dependencies
    needed = {parent for of_node in parents.values() for parent in of_node}
    asking = {node for node in parents if LANGUAGE_MODEL in node.tags}
    wanted = [*sorted(asking), *sorted(set(parents) - needed)]
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
            stack += [(parent, False) for parent in sorted(parents[node], reverse=True)]


class _Ordered(Pipeline):
    """A pipeline whose nodes are run in a given order."""

    def __init__(self, nodes: list[Node], order: list[Node]) -> None:
        self._order = order  # first: Pipeline asks for its nodes while it is made
        super().__init__(nodes)

    @property
    def nodes(self) -> list[Node]:
        return list(self._order)
