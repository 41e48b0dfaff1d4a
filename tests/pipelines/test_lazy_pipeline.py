from __future__ import annotations

from threading import Thread

import pytest
from kedro.pipeline import Node, Pipeline

from tkre.pipelines.namespaces import LazyPipeline


def double(number):
    return 2 * number


PARTS = [
    Pipeline([Node(double, "once", "twice", name="first")]),
    Pipeline([Node(double, "twice", "four_times", name="second")]),
]


class Counted:
    """Parts that count how often they are asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> list[Pipeline]:
        self.asked += 1
        return PARTS


def test_it_is_what_its_parts_are_together():
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
def test_kedro_puts_it_with_others(used):
    assert used(LazyPipeline(lambda: PARTS)).nodes == Pipeline(PARTS).nodes


def test_listing_a_registry_makes_nothing():
    parts = Counted()
    registry = {"lazy": LazyPipeline(parts)}
    assert list(dict(registry)) == ["lazy"]
    assert all(dict(registry).values())
    assert parts.asked == 0


def test_its_parts_are_asked_for_once():
    parts = Counted()
    lazy = LazyPipeline(parts)
    assert lazy.nodes and lazy.datasets() and lazy.describe()
    assert parts.asked == 1


def test_what_its_parts_refuse_is_told_each_time():
    def refuse() -> list[Pipeline]:
        raise ValueError("there is no such corpus")

    lazy = LazyPipeline(refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such corpus"):
            _ = lazy.nodes


def test_an_attribute_that_no_pipeline_has():
    with pytest.raises(AttributeError, match="colour"):
        _ = LazyPipeline(lambda: PARTS).colour


def test_threads_may_use_it_at_once():
    parts = Counted()
    lazy, seen = LazyPipeline(parts), []
    threads = [Thread(target=lambda: seen.append(len(lazy.all_inputs()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2] * 8
    assert parts.asked == 1
