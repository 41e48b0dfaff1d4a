"""One cell of a grid after the other."""

from __future__ import annotations

from collections.abc import Iterator

from kedro.pipeline import Node, Pipeline

from tkre.planning import LANGUAGE_MODEL


def depth_first(pipeline: Pipeline) -> Iterator[Node]:
    """The nodes so that each comes right after what it needs and does not have yet.

    Kedro's own order trains all encoders, then all classifiers, then scores them all: a run that
    is stopped half-way has no score at all. Here it has half of the scores.

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
