"""``kedro run`` of the project: its runner, and lists in ``--params``."""

from __future__ import annotations

import click
import pytest

from tkre.cli import RUNNER, run


def params(text: str) -> object:
    return run.make_context("run", ["--params", text]).params["params"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a.b=1,c=two", {"a": {"b": 1}, "c": "two"}),
        ("e.seeds=[13, 21],e.shots=8", {"e": {"seeds": [13, 21], "shots": 8}}),
        ("v={x: [1,2], y: {z: 3}}", {"v": {"x": [1, 2], "y": {"z": 3}}}),
        ("name='a,b',c=1", {"name": "a,b", "c": 1}),
        ("text=a=b,", {"text": "a=b"}),
        ("", {}),
    ],
)
def test_commas_of_a_value_belong_to_it(text, read):
    assert params(text) == read


@pytest.mark.parametrize("text", ["seeds", "=1", "a=1,b"])
def test_an_item_without_key_or_value_is_named(text):
    with pytest.raises(click.UsageError, match=r"is not key=value, as in a\.b=1"):
        params(text)


def test_the_runner_of_the_project_is_the_default():
    assert run.make_context("run", []).params["runner"] == RUNNER
