from __future__ import annotations

from itertools import chain

import pytest
from kedro.pipeline import Node, Pipeline

from tkre.runner.grid import depth_first


def step(name: str, reads: list[str], writes: str, *tags: str) -> Node:
    return Node(lambda *given: [*chain(*given), name], reads, writes, name=name, tags=tags)


GRID = Pipeline(
    [
        step("ask_b", ["raw"], "b.text", "language_model"),
        step("ask_a", ["raw"], "a.text", "language_model"),
        *(
            part
            for cell in "ab"
            for part in (
                step(f"{cell}_train", [f"{cell}.text"], f"{cell}.model"),
                step(f"{cell}_score", [f"{cell}.model"], f"{cell}.score"),
            )
        ),
        step("table", ["a.score", "b.score"], "table"),
    ]
)


def test_cells_run_one_by_one_after_requests_to_llms():
    assert [n.name for n in depth_first(GRID)] == [
        "ask_a", "ask_b", "a_train", "a_score", "b_train", "b_score", "table",
    ]  # fmt: skip


@pytest.mark.parametrize("depth", [2000])
def test_a_deep_graph_is_no_trouble(depth):
    steps = Pipeline([step(f"{n:04}", [f"d{n}"], f"d{n + 1}") for n in range(depth)])
    assert [n.name for n in depth_first(steps)] == [f"{n:04}" for n in range(depth)]
