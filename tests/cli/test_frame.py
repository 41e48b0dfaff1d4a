"""What every command shares: suggestions, interruptions, summaries, the next step, any encoding."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tests.conftest import ROOT
from tkre.cli import cli
from tkre.cli.frame import FramedCommand, FramedGroup


def commands(group: click.Group = cli, path: tuple[str, ...] = ()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_command_has_the_frame():
    for path, command in commands():
        parents = FramedGroup if isinstance(command, click.Group) else FramedCommand
        assert isinstance(command, parents) or len(path) > 1, path


def test_no_summary_is_cut_at_80_columns():
    for path, command in commands():
        if isinstance(command, click.Group):
            shown = CliRunner(env={"COLUMNS": "80"}).invoke(command, ["--help"]).output
            assert "..." not in shown.partition("Commands:")[2], path


def test_an_interruption_says_how_to_go_on(monkeypatch):
    @click.group(cls=FramedGroup)
    def group() -> None: ...

    @group.command()
    def work() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params", "a=b c"])
    ended = CliRunner().invoke(group, ["work"])
    assert ended.exit_code == 130
    assert ended.stderr.splitlines()[-1] == "Next: kedro run --params 'a=b c'"
    assert "Aborted" not in ended.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pipelines", "dmo"], "--pipelines: there is no pipeline 'dmo' (did you mean 'demo'?)"),
        (["--tags", "data_generaton"], "has no 'data_generaton' (did you mean 'data_generation'?)"),
        (["--tags", "finetuning,data_generaton"], "did you mean 'data_generation'?"),
        (["--namespaces", "newsrom"], "--namespaces: the default pipeline has no 'newsrom'"),
        (["--to-outputs", "newsroom.k8.s13.tkre_pls.calibrator"], "(did you mean 'newsroom.k8"),
        (["--from-inputs", "newsroom.foldr"], "(did you mean 'newsroom.folder'?)"),
        (["--nodes", "read_splts"], "--nodes: the default pipeline has no 'read_splts'"),
        (["--env", "smok"], "there is no environment 'smok' in conf/ (did you mean 'smoke'?)"),
        (["--params", "default_experimnt=demo"], "(did you mean 'default_experiment'?)"),
    ],
)
def test_a_typing_error_of_a_run_gets_a_suggestion(kedro, arguments, expected):
    said = kedro("run", *arguments, code=1)
    assert expected in said and "Traceback" not in said and len(said.splitlines()) <= 3


def test_an_unknown_environment_of_another_command_gets_one_too(kedro):
    assert "did you mean 'smoke'?" in kedro(
        "corpus", "validate", "newsroom", "--env", "smok", code=1
    )


BROKEN = {
    "misspelt": "corpora: {mine: {formt: native}}\n",
    "no entry": "corpora: {mine: 3}\n",
    "not YAML": "corpora:\n  mine: [\n",
    "not UTF-8": "corpora:\n  mine: {train: caf\xe9.jsonl}\n",
}
UNREAD = {
    "a key twice": ("x: 1\nx: 2\n", "line 2: 'x' stands here and on line 1"),
    "a list": ("- corpora\n", "line 1: the file has entries by their names, not ['corpora']"),
    "UTF-16": ("corpora: {}\n".encode("utf-16").decode("latin-1"), "line 1: not UTF-8 ("),
    "a sign of YAML": ("x: =\n", "line 1: "),
    "digits": (f"x: {'9' * 5000}\n", "line 1: "),
    "depth": (f"x: {'[' * 3000}{']' * 3000}\n", "line 1: nested more than 64 levels deep"),
    "no time": ("x: !!timestamp x\n", "line 1: 'x' cannot be read as timestamp"),
    "itself": ("&a {a: *a}\n", "line 1: "),
    "a list of corpora": ("corpora: [a]\n", "line 1: corpora has entries by their names"),
}


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        *((kind, "parameters_corpora_mine.yml") for kind in UNREAD),
        ("depth", "experiments_mine.yml"),
    ],
)
def test_a_file_of_a_corpus_that_cannot_be_read_leaves_the_others(
    kedro, project, kind, file, caplog
):
    content, reason = UNREAD[kind]
    path = project.folder / "conf/base" / file
    path.write_bytes(content.encode("latin-1"))
    assert "newsroom: 0 errors" in kedro("corpus", "validate", "newsroom")
    assert f"the corpus mine is left out: {path}, {reason}" in caplog.text
    path.rename(path.with_name("parameters_of_all.yml"))
    said = kedro("corpus", "validate", "newsroom", code=1)
    assert f"conf/base/parameters_of_all.yml, {reason}" in said and "Traceback" not in said


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_corpus_leaves_the_others(kedro, project, kind, caplog):
    file = "conf/base/parameters_corpora_mine.yml"
    (project.folder / file).write_bytes(BROKEN[kind].encode("latin-1"))
    assert "newsroom: 0 errors" in kedro("corpus", "validate", "newsroom")
    assert "the corpus mine is left out" in caplog.text
    for command in (["corpus", "validate", "mine"], ["run", "--pipelines", "mine"]):
        said = kedro(*command, code=1)
        assert "mine" in said and "there is no" not in said.partition("formt")[0], said
        assert kind != "not UTF-8" or f"{file}, line 2: not UTF-8 (" in said
    assert "there is no pipeline 'dmo'" in kedro("run", "--pipelines", "dmo", code=1)


def test_a_file_of_all_that_is_not_utf8_is_named(kedro, project):
    file = project.folder / "conf/base/parameters_corpora.yml"
    file.write_bytes(b"# caf\xe9\n" + file.read_bytes())
    said = kedro("corpus", "validate", "newsroom", code=1)
    assert "parameters_corpora.yml, line 1: not UTF-8 (" in said and "save it as UTF-8" in said


def test_the_default_corpus_may_be_the_broken_one(kedro, project):
    project.edit("conf/base/parameters_corpora.yml", "newsroom:", "newsroom: &n")
    project.write("conf/smoke/parameters_corpora.yml", {"corpora": {"newsroom": {"formt": 1}}})
    assert "formt" in kedro("run", code=1)
    assert "formt" in kedro("run", "--pipelines", "inference", code=1)


PRINTED = """
import rich.console, rich.table
from tkre.core.terminal import set_up
set_up()
table = rich.table.Table("→ x")
table.add_row("≥ 5 ± 1")
print("a → b, 北京, \\ud800")
rich.console.Console(width=40).print(table)
"""


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
def test_no_character_ends_a_command(encoding):
    done = subprocess.run(
        [sys.executable, "-c", PRINTED], capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert ("a → b" if encoding == "utf-8" else "a -> b") in shown
    assert "北京" in shown or "\\u5317\\u4eac" in shown


def test_the_next_step_of_a_command_is_a_command():
    """Of each ``say_next``: what follows ``kedro`` is a command that exists."""
    import re

    known = {" ".join(path) for path, _ in commands()}
    found = []
    for file in (ROOT / "src/tkre").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        found += re.findall(r"(?:say_next\(f?\"|Next: )kedro ([a-z]+(?: [a-z]+)?)", text)
    assert len(found) > 8
    for command in found:
        assert command in known or command.split()[0] in known, command


def test_a_reader_that_leaves_ends_a_command_in_silence(project):
    typed = f"{shlex.quote(sys.executable)} -m kedro corpus doctor newsroom | true"
    done = subprocess.run(
        ["bash", "-c", typed], cwd=project.folder, text=True, capture_output=True, check=False,
        env=os.environ | {"KEDRO_ENV": "smoke", "TKRE_DATA": "data/01_raw"},
    )  # fmt: skip
    assert done.stderr == ""
