"""Every command that the documentation names exists, with its options, pipelines and parameters."""

from __future__ import annotations

import re
import shlex
import tomllib
import warnings
from functools import cache

import click
import pytest
from kedro.framework.cli.cli import KedroCLI

from tests.conftest import ROOT
from tests.docs.configuration import book, is_parameter
from tests.docs.markdown import PAGES, blocks
from tkre.cli import cli

# Names of what a reader makes by following the page, and runs then.
MADE_BY_READERS = re.compile(r"my_\w+|theatre|llms")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def commands() -> list[tuple[str, str]]:
    """The ``kedro`` commands of all pages: a page, and a command as it stands there."""
    found = []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        text = page.read_text(encoding="utf-8")
        lines = [re.sub(r"\s+", " ", code) for code in re.findall(r"`(kedro [^`]+)`", text)]
        for block in blocks(page):
            if block.language == "bash":
                lines += [p.strip() for line in block.code.splitlines() for p in line.split("&&")]
        found += [(name, line) for line in lines if line.startswith("kedro ")]
    return list(dict.fromkeys(found))


@cache
def kedro() -> KedroCLI:
    with warnings.catch_warnings():  # a plugin that warns would be left out, and its commands
        warnings.simplefilter("ignore")
        command = KedroCLI(project_path=ROOT)
        assert command.get_command(click.Context(command), "viz") is not None
    return command


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words lead to, and those that are left for it."""
    command: click.Command = kedro()
    while isinstance(command, click.Group) and words:
        context = click.Context(command)
        inner = command.get_command(context, words[0])
        assert inner is not None, f"{command.name} has no {words[0]!r}"
        command, words = inner, words[1:]
    assert not isinstance(command, click.Group), f"{command.name} wants a command"
    return command, words


def test_there_are_commands():
    assert len(commands()) > 20


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_exists_with_its_options(page, line):
    command, rest = resolved(shlex.split(line, comments=True)[1:])
    options = {name: o for o in command.params if isinstance(o, click.Option) for name in o.opts}
    values: dict[str, str] = {}
    arguments: list[str] = []
    words = iter(rest)
    for word in words:
        if word.startswith("-"):
            name, _, value = word.partition("=")
            assert name in options, f"kedro {command.name} has no option {name}"
            flag = options[name].is_flag
            values[options[name].name] = value or ("" if flag else next(words))
        else:
            arguments.append(word)
    wanted = [a for a in command.params if isinstance(a, click.Argument)]
    if arguments:  # a command may be spoken of without them
        assert wanted and len(arguments) >= sum(a.required for a in wanted), arguments
    check_values(values)


def check_values(values: dict[str, str]) -> None:
    """Pipelines and parameters that are named are there."""
    env = values.get("env")
    own = book(None if env and "<" in env else env)
    stages = {"data_generation", "knowledge_pretraining", "finetuning", "reporting", "inference"}
    for name in filter(None, values.get("pipelines", values.get("names", "")).split(",")):
        known = name in own.experiments or name in stages or MADE_BY_READERS.fullmatch(name)
        assert known or "<" in name, f"there is no pipeline {name}"
    for setting in filter(None, values.get("params", "").split(",")):
        assert is_parameter(setting.partition("=")[0]), f"there is no parameter {setting}"


def test_every_command_of_the_project_is_documented():
    named = {tuple(line.split()[1:]) for _, line in commands()}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) else [""]
        for wanted in [(name, part) if part else (name,) for part in inner]:
            assert any(words[: len(wanted)] == wanted for words in named), wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_extras_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"extras? `(\w+)`", text))
    named |= {name for group in re.findall(r"\.\[([\w,]+)\]", text) for name in group.split(",")}
    assert named <= set(EXTRAS), named - set(EXTRAS)
