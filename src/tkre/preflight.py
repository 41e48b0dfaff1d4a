"""What is checked before a run starts, so that bad input costs no training and writes no file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from tkre.generation.backends.params import ReplayParams
from tkre.generation.params import GenerationParams
from tkre.planning import LANGUAGE_MODEL, LANGUAGE_MODELS, inputs_of, plan, writer_of

logger = logging.getLogger(__name__)

# The nodes with this tag are cheap and pure: they are run once in memory, for what they refuse.
REHEARSED = "rehearsed"


class MissingInput(FileNotFoundError):
    """Datasets that a pipeline reads and nothing has made yet; the message says what makes them."""


def preflight(pipeline: Pipeline, catalog: CatalogProtocol, generation: GenerationParams) -> None:
    """Refuses a run that is bound to fail.

    Weights are compared with their digests; packages and inputs must exist; corpora are read,
    K-shot sets drawn, and prompts filled in, by the pipeline's own code, with what they make kept
    in memory. Where responses are replayed, the nodes that read them are rehearsed too: a missing
    recording is found before any training. The settings of live language models are looked at, and
    what will be asked of them is said.

    Args:
        pipeline: What is about to run.
        catalog: What it reads.
        generation: Which language models there are.

    Raises:
        ValueError, RuntimeError, LookupError, OSError: Whatever the checks and nodes refuse.
    """
    _check_inputs(pipeline, catalog)

    def replays(node: Node) -> bool:
        return LANGUAGE_MODEL in node.tags and isinstance(
            generation.of_writer(writer_of(node, catalog)), ReplayParams
        )

    # What asks live is not run for what it refuses; its prompts are filled in by the plan.
    live = Pipeline([n for n in pipeline.nodes if LANGUAGE_MODEL in n.tags and not replays(n)])
    known = rehearse(
        Pipeline([node for node in pipeline.nodes if REHEARSED in node.tags or replays(node)]),
        catalog,
    )
    for planned in plan(live, catalog, known, generation):
        if not isinstance(planned.params, ReplayParams):
            catalog.load(LANGUAGE_MODELS).live(planned.params).check()
        logger.info(
            "%s will be asked %d first questions; of %d, %d have been answered",
            planned.params.called,
            len(planned.missing),
            len(planned.requests),
            len(planned.requests) - len(planned.missing),
        )


def rehearse(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, Any]:
    """Runs nodes in memory.

    Returns:
        What they read and made, by dataset name; nothing is saved.
    """
    known: dict[str, Any] = {}
    for node in pipeline.nodes:
        known |= node.run(inputs_of(node, catalog, known))
    return known


def _check_inputs(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    missing = []
    for name in sorted(pipeline.inputs()):
        is_parameter = name.startswith("params:")
        source = catalog.load(name) if is_parameter else catalog.get(name)
        if hasattr(source, "check"):
            source.check()
        elif is_parameter:
            continue
        elif source is None or not (_is_optional(name) or source.exists()):
            missing.append(name)
    if missing:
        made_by = _makers(missing)
        lines = [f"{len(missing)} dataset(s) that this run reads are missing:"]
        lines += [f"  {name}{made_by.get(name) or _place(catalog, name)}" for name in missing]
        raise MissingInput("\n".join(lines))


def _is_optional(name: str) -> bool:
    """A response store that does not exist yet is empty, and a folder says itself what it lacks."""
    return name.endswith((".recordings", ".responses", ".folder"))


def _makers(names: list[str]) -> Mapping[str, str]:
    """Which pipeline makes a dataset, in words: a stage of the default one, or an experiment."""
    found: dict[str, str] = {}
    for called, pipeline in pipelines.items():
        if called == "__default__":
            continue
        for name in pipeline.all_outputs() & set(names):
            found.setdefault(name, f": made by the pipeline {called}; run that first")
    return found


def _place(catalog: CatalogProtocol, name: str) -> str:
    """Where a file should be that nothing makes; nothing for what is no file."""
    path = getattr(catalog.get(name), "_filepath", None)
    return "" if path is None else f": there is no {path}"
