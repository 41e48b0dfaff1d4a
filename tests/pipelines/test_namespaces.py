from __future__ import annotations

import pytest
from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, KShotSample
from tkre.pipelines.data_generation.pipeline import KNOWLEDGE
from tkre.pipelines.namespaces import at_cell, at_sample

DRAW = KShotSample("newsroom", 8, 13)
CELL = Cell(DRAW, "tkre")


def all_of(node):
    """All that a node is; Kedro compares names, inputs and outputs."""
    return (node.name, node.func, node._inputs, node._outputs, node.namespace, node.tags)


def test_templates_are_placed_as_kedro_places_them():
    corpus = ("schema", "test", "responses", "recordings")
    names = {"explanation_prompt", "synthesis_prompt", "language_models"}
    by_kedro = Pipeline(
        KNOWLEDGE,
        namespace="newsroom.k8.s13",
        inputs={name: name for name in names} | {name: f"newsroom.{name}" for name in corpus},
        parameters={
            "params:generation": "params:generation",
            "params:corpus": "params:corpora.newsroom",
        },
    )
    placed = Pipeline(at_sample(KNOWLEDGE, DRAW))
    assert [all_of(node) for node in placed.nodes] == [all_of(node) for node in by_kedro.nodes]


def compare(truth, guess, variant):
    return truth, guess, variant


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["schema", "predictions", "params:variant"], "metrics"),
        ({"truth": "schema", "guess": "predictions", "variant": "params:variant"}, ["metrics"]),
        (["schema", "predictions", "params:variant"], {"whole": "metrics"}),
    ],
)
def test_every_form_of_names(inputs, outputs):
    [node] = at_cell(Pipeline([Node(compare, inputs, outputs, name="compare")]), CELL)
    assert node.name == "newsroom.k8.s13.tkre.compare"
    cell = "newsroom.k8.s13.tkre"
    assert node.inputs == ["newsroom.schema", f"{cell}.predictions", "params:variants.tkre"]
    assert node.outputs == [f"{cell}.metrics"]
    assert type(node._inputs) is type(inputs) and type(node._outputs) is type(outputs)


def test_a_parameter_of_no_level():
    stray = Pipeline([Node(len, "params:stray", "length", name="measure")])
    with pytest.raises(ValueError, match="params:stray is at no level"):
        at_sample(stray, DRAW)
