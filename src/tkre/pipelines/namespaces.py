"""Pipelines that are put together when something asks what is in them.

Kedro registers all pipelines of a project in every command, of which most need their names and
one or none of their graphs.

Which dataset lives at which level of the grid, and how a template is put at its place.

A stage's ``pipeline.py`` holds templates with plain names (``support``, ``encoder``). Placed at a
sample or a cell, what a template makes gets its namespace as a prefix, and what it reads from a
wider level gets that level's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from threading import RLock
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample

LANGUAGE_MODEL = "language_model"  # tag of nodes that ask a language model
LANGUAGE_MODELS = "language_models"  # dataset that they ask it through
PREFLIGHT = "preflight"  # tag of cheap nodes that are run in memory before a run
GPU = "gpu"  # tag of nodes that load a model

# One lock for all lazy pipelines: one is often made of others.
_making = RLock()


class LazyPipeline(Pipeline):
    """A pipeline whose parts are asked for when it is first used; from then on as any other.

    The values of Kedro's registry have to be deferred one by one: it copies the registry into a
    plain dictionary whenever its names are listed.

    Args:
        parts: Gives the pipelines that it is made of. If it fails, it is asked again next time.
    """

    def __init__(self, parts: Callable[[], Iterable[Pipeline]]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        """Python calls this for attributes that are not there: all that ``Pipeline`` sets."""
        with _making:
            if name not in vars(self) and (parts := vars(self).get("_parts")):
                super().__init__(list(parts()))
                del self._parts
        return object.__getattribute__(self, name)


Names = str | list[str] | dict[str, str] | None  # what a node reads or makes

OF_PROJECT = {
    "explanation_prompt",
    "synthesis_prompt",
    "language_models",
    "scored_on_test",
    "scored_on_development",
}
OF_CORPUS = {
    "folder",
    "schema",
    "train",
    "dev",
    "test",
    "reading_report",
    "recordings",
    "responses",
}
OF_SAMPLE = {
    "support",
    "validation",
    "development",
    "unseen_test",
    "shots",
    "explained",
    "rejects",
    "yield",
}
# What a cell is scored on; its predictions and metrics are named by the key.
SCORED = {"test": "unseen_test", "development": "development"}
# What noise and filter change.
OF_CHANGED_SAMPLE = {"sample", "synthetic", "knowledge"}
PROJECT_PARAMETERS = {
    "params:generation",
    "params:development_seeds",
    "params:reporting",
    "params:calibration",
    "params:publishing",
}


def at_corpus(template: Pipeline, corpus: str) -> tuple[Node, ...]:
    """A template that reads a corpus."""
    return _placed(template, corpus, {name: corpus for name in OF_CORPUS}, corpus)


def at_sample(
    template: Pipeline, sample: KShotSample, backbone: str | None = None
) -> tuple[Node, ...]:
    """A template that works on the K-shot sets of a sample.

    Args:
        template: ``unchanged_synthetic`` and ``planted`` are those of the sample it changes.
        sample: Where it is put.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads ``backbone``.
    """
    renamed = {
        "unchanged_synthetic": f"{sample.parent.name}.synthetic",
        "planted": f"{sample.parent.name}.planted",
        "backbone": f"backbones.{backbone}",
    }
    return _placed(template, sample.name, _homes_of_sample(sample), sample.corpus, renamed=renamed)


def at_cell(
    template: Pipeline,
    cell: Cell,
    backbone: str | None = None,
    chain: EncoderChain | None = None,
    stage: str | None = None,
) -> tuple[Node, ...]:
    """A template that trains or scores a variant.

    Args:
        template: Names the parameters of its variant ``params:variant.<...>``.
        cell: Where it is put.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads ``backbone``.
        chain: The stages of its encoder, for ``encoder`` and what those stages read
            (``zero_shot_...`` is of its sample without examples).
        stage: Which of them the template is, for ``start``; None if it comes after them.
    """
    renamed = {"backbone": f"backbones.{backbone}"} if backbone else {}
    homes = _homes_of_sample(cell.sample)
    if chain is not None:
        homes |= chain.homes
        renamed["encoder"] = chain.encoder
        if chain.zero_shot is not None:
            for name in ("knowledge", "synthetic"):
                renamed[f"zero_shot_{name}"] = f"{chain.zero_shot.name}.{name}"
        renamed["start"] = (stage and chain.start(stage)) or renamed["backbone"]
    return _placed(template, cell.name, homes, cell.sample.corpus, cell.variant, renamed)


def _homes_of_sample(sample: KShotSample) -> dict[str, str]:
    """Noise and filter change the synthetic sentences; all else is that of the plain sample."""
    return (
        {name: sample.corpus for name in OF_CORPUS}
        | {name: sample.plain.name for name in OF_SAMPLE}
        | {name: sample.name for name in OF_CHANGED_SAMPLE}
    )


def _placed(
    template: Pipeline,
    namespace: str,
    homes: Mapping[str, str],
    corpus: str,
    variant: str | None = None,
    renamed: Mapping[str, str] | None = None,
) -> tuple[Node, ...]:
    given: dict[str, str] = {}
    for name in template.inputs():
        if name.startswith("params:"):
            given[name] = _parameter(name, corpus, variant)
        elif renamed and name in renamed:
            given[name] = renamed[name]
        elif name in OF_PROJECT:
            given[name] = name
        elif name in homes:
            given[name] = f"{homes[name]}.{name}"
    return _instance(template, namespace, frozenset(given.items()))


@cache
def _instance(
    template: Pipeline, namespace: str, given: frozenset[tuple[str, str]]
) -> tuple[Node, ...]:
    """The nodes of ``Pipeline(template, namespace=...)`` with the given names for what it reads.

    Kedro sorts two graphs for each, which is a quarter of the time that the graphs of all
    experiments take. Experiments share most of their cells, so that these are kept.
    """
    names = dict(given)

    def placed(name: str) -> str:
        return names.get(name) or f"{namespace}.{name}"

    return tuple(
        node._copy(
            inputs=_each(placed, node._inputs),
            outputs=_each(placed, node._outputs),
            namespace=namespace,
        )
        for node in template.nodes
    )


def _each(rename: Callable[[str], str], names: Names) -> Names:
    if isinstance(names, dict):
        return {argument: rename(name) for argument, name in names.items()}
    if isinstance(names, list):
        return [rename(name) for name in names]
    return names and rename(names)


def _parameter(name: str, corpus: str, variant: str | None) -> str:
    """``params:corpus``, ``params:variant`` and its groups are those of the place."""
    if name == "params:corpus":
        return f"params:corpora.{corpus}"
    if name == "params:variant" or name.startswith("params:variant."):
        return name.replace("params:variant", f"params:variants.{variant}", 1)
    if name in PROJECT_PARAMETERS:
        return name
    raise ValueError(f"{name} is at no level: add it to tkre.pipelines.namespaces")
