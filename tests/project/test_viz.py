"""The first view of kedro-viz, by the code that answers its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.conftest import ROOT
from tkre.pipelines.namespaces import dataset_place, node_namespace

# In a process of its own: kedro-viz keeps the graphs that it serves for the whole process.
FIRST_VIEW = """
import json, sys
from pathlib import Path
import kedro_viz.server as server
from kedro_viz.api.rest.responses.pipelines import get_pipeline_response
from kedro_viz.data_access import data_access_manager
from kedro_viz.integrations.kedro.data_loader import load_data

catalog, graphs, extras = load_data(Path.cwd())
server.populate_data(data_access_manager, catalog, {"__default__": graphs["__default__"]}, extras)
graph = get_pipeline_response()
names = {node.id: node.name for node in graph.nodes}
tree = graph.modular_pipelines
# The page draws the children of the root, and the inputs and outputs of the folded boxes.
root = [child.id for child in tree["__root__"].children if child.type != "parameters"]
ends = [end for box in root if box in tree for end in [*tree[box].inputs, *tree[box].outputs]]
drawn = {*root, *ends}
kinds = {node.id: node.type for node in graph.nodes}
print(json.dumps({
    "drawn": {i: names[i] for i in drawn if kinds[i] != "parameters"},
    "edges": [[edge.source, edge.target] for edge in graph.edges],
    "variants": [names[c.id] for c in tree["finetuning"].children if c.id in tree],
}))
"""


@pytest.fixture(scope="module")
def view():
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIRST_VIEW], cwd=ROOT, text=True, check=True,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}"},
    )  # fmt: skip
    return json.loads(process.stdout.splitlines()[-1])


def test_it_has_few_items_under_short_names(view):
    assert len(view["drawn"]) <= 30
    assert not [name for name in view["drawn"].values() if name.startswith("newsroom.")]
    assert {"knowledge", "tkre.scl_encoder", "typ_marker.test_predictions"} <= set(
        view["drawn"].values()
    )


def test_the_stages_follow_one_another(view):
    stages = ["data_generation", "knowledge_pretraining", "finetuning", "reporting"]
    assert {item for item in view["drawn"] if item in stages} == set(stages)
    steps = {(a, b) for a, b in view["edges"] if {a, b} <= set(view["drawn"])}
    for first, second in pairwise(stages):
        between = {b for a, b in steps if a == first} & {a for a, b in steps if b == second}
        assert between, f"nothing leads from {first} to {second}"


def test_a_stage_unfolds_into_variants(view):
    assert {"typ_marker", "tkre", "tkre_plus"} <= set(view["variants"])


@pytest.mark.parametrize(
    "place", ["newsroom", "newsroom.k8x4n20f.s13", "newsroom.k8_qwen.s13.tkre"]
)
def test_the_place_of_a_namespace(place):
    assert dataset_place(node_namespace("finetuning", place)) == place
