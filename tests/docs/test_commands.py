"""Commands in the docs exist, with their options, pipelines and parameters."""

from __future__ import annotations

import re
import shlex
import tomllib
import warnings
from functools import cache

import click
from kedro.framework.cli.cli import KedroCLI

from tests.conftest import ROOT
from tests.docs.configuration import config, is_parameter
from tests.docs.markdown import PAGES, blocks
from tkre.cli import cli

# Names that a reader makes by following the page.
MADE_BY_READERS = re.compile(r"my_\w+|theatre|fewrel|llms")
STAGES = {"data_generation", "knowledge_pretraining", "finetuning", "reporting", "inference"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def commands() -> list[tuple[str, str]]:
    """The ``kedro`` commands of all pages: page and command."""
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
    with warnings.catch_warnings():  # Kedro leaves out the commands of a plugin that warns
        warnings.simplefilter("ignore")
        command = KedroCLI(project_path=ROOT)
        assert command.get_command(click.Context(command), "viz") is not None
    return command


def problems(line: str) -> list[str]:
    """Errors of one command: unknown subcommand, option, pipeline or parameter."""
    command: click.Command = kedro()
    words = shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group) and words:
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            return [f"{command.name} has no {words[0]!r}"]
        command, words = inner, words[1:]
    if isinstance(command, click.Group):
        return [f"{command.name} needs a command"]
    options = {name: o for o in command.params if isinstance(o, click.Option) for name in o.opts}
    values: dict[str, str] = {}
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            arguments.append(word)
            continue
        name, _, value = word.partition("=")
        if name not in options:
            return [f"no option {name}"]
        key = "cells" if name == "--cell" else str(options[name].name)
        values[key] = value or ("" if options[name].is_flag else next(rest))
    wanted = [a for a in command.params if isinstance(a, click.Argument)]
    # Prose may name a command without its arguments.
    if arguments and not (wanted and len(arguments) >= sum(a.required for a in wanted)):
        return [f"arguments {arguments}"]
    return unknown_names(values)


def unknown_names(values: dict[str, str]) -> list[str]:
    """Pipelines and parameters that do not exist."""
    env = values.get("env")
    experiments = config(None if env and "<" in env else env).experiments
    pipelines = filter(None, values.get("pipelines", values.get("names", "")).split(","))
    settings = filter(None, re.split(r",(?![^\[]*\])", values.get("params", "")))  # not in a list
    cells = filter(None, values.get("cells", "").split(","))
    unknown = [
        f"no pipeline {name}"
        for name in pipelines
        if not (name in experiments or name in STAGES or MADE_BY_READERS.fullmatch(name))
        and "<" not in name
    ]
    unknown += [
        f"no cell {name}"
        for name in cells
        if not MADE_BY_READERS.match(name)
        and not any(cell.name == name for e in experiments for cell in config(env).cells(e))
    ]
    names = [setting.partition("=")[0] for setting in settings]
    return unknown + [f"no parameter {name}" for name in names if not is_parameter(name)]


def test_commands_exist_with_their_options():
    found = commands()
    assert len(found) > 20
    assert [f"{page}: {line}: {p}" for page, line in found for p in problems(line)] == []


def test_wrong_commands_are_found():
    for line in (
        "kedro nothing", "kedro corpus", "kedro run --nothing", "kedro run --pipelines x",
        "kedro run --params generation.nothing=1",
    ):  # fmt: skip
        assert problems(line), line


def test_every_command_of_the_project_is_documented():
    named = [tuple(line.split()[1:]) for _, line in commands()]
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) else [""]
        for wanted in [(name, part) if part else (name,) for part in inner]:
            assert any(words[: len(wanted)] == wanted for words in named), wanted


def test_extras_exist():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"extras? `(\w+)`", text))
        for group in re.findall(r"\.\[([\w,]+)\]", text):
            named |= set(group.split(","))
        assert named <= set(EXTRAS), (page, named - set(EXTRAS))
