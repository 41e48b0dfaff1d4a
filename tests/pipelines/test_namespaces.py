from __future__ import annotations

import pytest

from tkre.core.cells import Cell, KShotSample
from tkre.pipelines.data_generation.pipeline import KNOWLEDGE
from tkre.pipelines.namespaces import (
    Step,
    Template,
    at_cell,
    at_sample,
    dataset_namespace,
    node_namespace,
)

SAMPLE = KShotSample("newsroom", 8, 13)
CELL = Cell(SAMPLE, "tkre")


def test_a_template_at_a_sample():
    nodes = {node.func.__name__: node for node in at_sample("data_generation", KNOWLEDGE, SAMPLE)}
    explain = nodes["explain"]
    assert explain.name == "data_generation.newsroom-k8-s13.explain"
    assert dataset_namespace(explain) == "newsroom.k8.s13"
    assert explain.outputs == ["newsroom.k8.s13.explanation_responses"]
    assert {
        "newsroom.k8.s13.support", "newsroom.schema", "newsroom.recordings", "explanation_prompt",
        "language_models", "params:generation.language_model", "params:generation.explanations",
    } <= set(explain.inputs)  # fmt: skip
    assert explain.tags >= {"data_generation", "newsroom", "newsroom.k8.s13", "gpu"}
    # What one node of a template makes, another one reads.
    assert explain.outputs[0] in nodes["keep_explanations"].inputs


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("newsroom", "stage.newsroom"),
        ("newsroom.k8.s13", "stage.newsroom-k8-s13"),
        ("newsroom.k8.s13.tkre", "stage.tkre-newsroom-k8-s13"),
    ],
)
def test_namespaces_of_nodes_begin_with_the_stage(place, expected):
    assert node_namespace("stage", place) == expected


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
    [node] = at_cell("finetuning", Template(Step(compare, inputs, outputs, "compare")), CELL)
    cell = "newsroom.k8.s13.tkre"
    assert node.inputs == ["newsroom.schema", f"{cell}.predictions", "params:variants.tkre"]
    assert node.outputs == [f"{cell}.metrics"]


def test_cells_that_share_an_encoder_are_tags_of_it():
    encoder, user = Cell(SAMPLE, "encoder_12345678"), Cell(SAMPLE, "tkre")
    template = Template(Step(len, "params:encoder", "mslm_encoder", "pretrain"))
    [node] = at_cell("knowledge_pretraining", template, encoder, used_by=[user])
    assert node.inputs == ["params:encoders.encoder_12345678"]
    assert {encoder.name, user.name} <= node.tags


def test_a_parameter_of_no_level():
    stray = Template(Step(len, "params:stray", "length", "measure"))
    with pytest.raises(ValueError, match="params:stray is at no level"):
        at_sample("data_generation", stray, SAMPLE)
