"""What options of ``kedro run`` select: a name that selects nothing gets a suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from tkre.core.params import did_you_mean
from tkre.project.config_loader import read_config


def _namespaces(pipeline: Pipeline) -> Iterable[str]:
    for node in pipeline.nodes:
        parts = (node.namespace or "").split(".")
        for end in range(1, len(parts) + 1):
            yield ".".join(parts[:end])


# Names that an option may hold, by the keys of both Kedro's command line and its hooks.
_KNOWN: dict[str, Callable[[Pipeline], Iterable[str]]] = {
    "tags": lambda pipeline: (tag for node in pipeline.nodes for tag in node.tags),
    "namespaces": _namespaces,
    "node_names": lambda pipeline: (node.name for node in pipeline.nodes),
    "from_nodes": lambda pipeline: (node.name for node in pipeline.nodes),
    "to_nodes": lambda pipeline: (node.name for node in pipeline.nodes),
    "from_inputs": lambda pipeline: pipeline.datasets(),
    "to_outputs": lambda pipeline: pipeline.datasets(),
}
_OPTIONS = {"node_names": "nodes"}


def misspelt(given: Mapping[str, Any]) -> str | None:
    """What is wrong with the names that a run was given; None if all are known.

    Args:
        given: Values by option, as Kedro's command line or its hooks have them.
    """
    names = given.get("pipelines") or given.get("pipeline_names") or ()
    for name in names:
        if name in (broken := read_config().broken):
            return broken[name]
        if name not in pipelines:
            return f"--pipelines: there is no pipeline {name!r}{did_you_mean(name, pipelines)}"
    whole = sum((pipelines[name] for name in names or ["__default__"]), Pipeline([]))
    for option, known in _KNOWN.items():
        wanted = given.get(option) or ()
        names_known = set(known(whole)) if wanted else set()
        for name in wanted:
            if name not in names_known:
                called = _OPTIONS.get(option, option).replace("_", "-")
                return (
                    f"--{called}: {', '.join(names) or 'the default pipeline'} has no {name!r}"
                    f"{did_you_mean(name, sorted(names_known))}"
                )
    return None
