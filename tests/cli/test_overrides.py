"""``--params`` as it is typed."""

from __future__ import annotations

import click
import pytest

from tkre.cli.overrides import split_params


def given(value: str):
    option = click.Option(["--params"])
    return split_params(click.Context(click.Command("run")), option, value)


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ("a.b=1, c=[2,3]", {"a": {"b": 1}, "c": [2, 3]}),
        ("a=it's,b=2", {"a": "it's", "b": 2}),
        ("a='it''s, so',b=2", {"a": "it's, so", "b": 2}),
        (r'a= "x\",y",b=2', {"a": 'x",y', "b": 2}),
        ("a=[don't, 'c,d', \"]\"],b=2", {"a": ["don't", "c,d", "]"], "b": 2}),
        ("a={k: 'x}', 'l,': [1, {m: 2}]},b=", {"a": {"k": "x}", "l,": [1, {"m": 2}]}, "b": None}),
        ("a=x[1,2],b=${c},", {"a": "x[1,2]", "b": "${c}"}),
    ],
)
def test_values_with_commas_and_quotes(value, params):
    assert given(value) == params


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("b=2,a='x,c=1", "\"a='x,c=1\" has a quote ' that is not closed"),
        ("a=[1", "'a=[1' lacks a ]"),
        ("b=2,a={k: [1}", "'a={k: [1}' has a } that nothing opens"),
        ("a=x],b=2", "'a=x]' has a ] that nothing opens; a text with it stands in quotes"),
        ("a=[1,,2]", "'a=[1,,2]' has no value of YAML (expected the node content"),
        ("a=%", "'a=%' has no value of YAML ("),
        ("a=${b c}", "'a=${b c}' has no value of YAML (token recognition error"),
        ("a=b,=2", "'=2' is not key=value, as in a.b=1,c=[2,3]"),
    ],
)
def test_what_is_no_value_is_refused_with_its_item(value, message):
    with pytest.raises(click.UsageError) as refused:
        given(value)
    assert message in refused.value.message
