from __future__ import annotations

from threading import Thread

import pytest
from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, KShotSample
from tkre.pipelines.data_generation.pipeline import KNOWLEDGE
from tkre.pipelines.namespaces import (
    LazyPipeline,
    Step,
    Template,
    at_cell,
    at_sample,
    dataset_namespace,
    node_namespace,
)

SAMPLE = KShotSample("newsroom", 8, 13)
CELL = Cell(SAMPLE, "tkre")


def test_template_at_a_sample():
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
    # Output of one node of a template, input of another
    assert explain.outputs[0] in nodes["keep_explanations"].inputs


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("newsroom", "stage.newsroom"),
        ("newsroom.k8.s13", "stage.newsroom-k8-s13"),
        ("newsroom.k8.s13.tkre", "stage.tkre-newsroom-k8-s13"),
    ],
)
def test_node_namespaces_begin_with_the_stage(place, expected):
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
def test_forms_of_dataset_names(inputs, outputs):
    [node] = at_cell("finetuning", Template(Step(compare, inputs, outputs)), CELL)
    cell = "newsroom.k8.s13.tkre"
    assert node.name == "finetuning.tkre-newsroom-k8-s13.compare"
    assert node.inputs == ["newsroom.schema", f"{cell}.predictions", "params:variants.tkre"]
    assert node.outputs == [f"{cell}.metrics"]


def test_users_of_a_shared_encoder_are_its_tags():
    encoder, user = Cell(SAMPLE, "encoder_12345678"), Cell(SAMPLE, "tkre")
    template = Template(Step(len, "params:encoder", "mslm_encoder", "pretrain"))
    [node] = at_cell("knowledge_pretraining", template, encoder, used_by=(user,))
    assert node.inputs == ["params:encoders.encoder_12345678"]
    assert {encoder.name, user.name} <= node.tags


def double(number):
    return 2 * number


PARTS = [
    Pipeline([Node(double, "once", "twice", name="first")]),
    Pipeline([Node(double, "twice", "four_times", name="second")]),
]


class Counted:
    """Parts of a lazy pipeline that count their calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> list[Pipeline]:
        self.calls += 1
        return PARTS


def test_lazy_pipeline_equals_the_sum_of_its_parts():
    lazy, made = LazyPipeline(lambda: PARTS), Pipeline(PARTS)
    assert isinstance(lazy, Pipeline)
    assert lazy.nodes == made.nodes
    assert lazy.inputs() == {"once"}
    assert lazy.to_json() == made.to_json()
    assert lazy.node_dependencies == made.node_dependencies
    assert lazy.filter(to_outputs=["twice"]).nodes == PARTS[0].nodes


@pytest.mark.parametrize(
    "used",
    [lambda p: Pipeline([]) + p, lambda p: Pipeline([p]), lambda p: sum([p], Pipeline([])),
     lambda p: LazyPipeline(lambda: [p])],
)  # fmt: skip
def test_kedro_adds_lazy_pipelines_to_others(used):
    assert used(LazyPipeline(lambda: PARTS)).nodes == Pipeline(PARTS).nodes


def test_listing_a_registry_makes_no_pipeline():
    parts = Counted()
    registry = {"lazy": LazyPipeline(parts)}
    assert list(dict(registry)) == ["lazy"]
    assert all(dict(registry).values())
    assert parts.calls == 0


def test_failing_parts_are_tried_again():
    def refuse() -> list[Pipeline]:
        raise ValueError("there is no such corpus")

    lazy = LazyPipeline(refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such corpus"):
            _ = lazy.nodes


def test_unknown_attribute_of_a_lazy_pipeline():
    with pytest.raises(AttributeError, match="colour"):
        _ = LazyPipeline(lambda: PARTS).colour


def test_parts_are_made_once_by_several_threads():
    parts = Counted()
    lazy, sizes = LazyPipeline(parts), []
    threads = [Thread(target=lambda: sizes.append(len(lazy.all_inputs()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lazy.nodes and lazy.datasets() and lazy.describe()
    assert sizes == [2] * 8
    assert parts.calls == 1
