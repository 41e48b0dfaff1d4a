"""Which dataset lives at which level of the grid, and how a template is put at its place.

A stage's ``pipeline.py`` holds templates with plain names (``support``, ``encoder``). Placed at a
draw or a cell, what a template makes gets its namespace as a prefix, and what it reads from a
wider level gets that level's.
"""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Pipeline

from tkre.grid import Cell, Draw

OF_PROJECT = {"explanation_prompt", "synthesis_prompt", "language_models"}
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
OF_DRAW = {
    "draw",
    "support",
    "validation",
    "development",
    "shots",
    "explained",
    "synthetic",
    "knowledge",
    "rejects",
    "yield",
}
PROJECT_PARAMETERS = {"params:generation", "params:development_seeds", "params:reporting"}


def at_corpus(template: Pipeline, corpus: str) -> Pipeline:
    """A template that reads a corpus."""
    return _placed(template, corpus, {name: corpus for name in OF_CORPUS}, corpus)


def at_draw(template: Pipeline, draw: Draw) -> Pipeline:
    """A template that works on the K-shot sets of a draw."""
    homes = {name: draw.corpus for name in OF_CORPUS} | {name: draw.name for name in OF_DRAW}
    return _placed(template, draw.name, homes, draw.corpus)


def at_cell(template: Pipeline, cell: Cell, backbone: str | None = None) -> Pipeline:
    """A template that trains or scores a variant.

    Args:
        template: Names the parameters of its variant ``params:variant.<...>``.
        cell: Where it is put.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads one.
    """
    homes = {name: cell.draw.corpus for name in OF_CORPUS} | {
        name: cell.draw.name for name in OF_DRAW
    }
    renamed = {"backbone": f"backbones.{backbone}"} if backbone else {}
    return _placed(template, cell.name, homes, cell.draw.corpus, cell.variant, renamed)


def _placed(
    template: Pipeline,
    namespace: str,
    homes: Mapping[str, str],
    corpus: str,
    variant: str | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Pipeline:
    inputs: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for name in template.inputs():
        if name.startswith("params:"):
            parameters[name] = _parameter(name, corpus, variant)
        elif renamed and name in renamed:
            inputs[name] = renamed[name]
        elif name in OF_PROJECT:
            inputs[name] = name
        elif name in homes:
            inputs[name] = f"{homes[name]}.{name}"
    return Pipeline(template, namespace=namespace, inputs=inputs, parameters=parameters)


def _parameter(name: str, corpus: str, variant: str | None) -> str:
    """``params:corpus`` and ``params:variant.<group>`` are those of the place."""
    if name == "params:corpus":
        return f"params:corpora.{corpus}"
    if name.startswith("params:variant."):
        return name.replace("params:variant.", f"params:variants.{variant}.")
    if name in PROJECT_PARAMETERS:
        return name
    raise ValueError(f"{name} is at no level: add it to tkre.pipelines.scoping")
