"""Progress: a panel on a terminal, lines at intervals elsewhere, messages once."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import textwrap
from contextlib import suppress
from types import SimpleNamespace

import pytest

from tkre.core import progress
from tkre.core.progress import ConsoleHandler, Progress, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """The standard error stream is a terminal of 80 columns."""
    stream = Terminal()
    # Not sys itself: the capture of pytest sets its streams anew before a test.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream, stdout=io.StringIO()))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


def test_a_log_gets_lines_at_intervals_and_one_at_the_end(caplog):
    with caplog.at_level(logging.INFO), Progress("work", 4, interval=0) as work:
        for n in range(4):
            work.advance(loss=1.0 / (n + 1))
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 5
    assert re.fullmatch(r"work: 1/4 in 0:00, 0:00 left, loss 1", lines[0])
    assert re.fullmatch(r"work: 4/4 in 0:00, loss 0.25", lines[-1])


def test_long_intervals_give_the_last_line_only(caplog):
    with caplog.at_level(logging.INFO):
        assert list(track("abc", "letters", total=None)) == ["a", "b", "c"]
    assert [r.getMessage() for r in caplog.records] == ["letters: 3 in 0:00"]


def test_a_terminal_gets_a_panel_and_the_log_file_its_lines(terminal, caplog):
    with caplog.at_level(logging.INFO), Progress("work", 2, interval=0) as work:
        work.advance(1, loss=0.5, other=3.0)
        assert progress._panel is not None
        [name, words] = plain(progress._panel.screen()).splitlines()
    assert name.strip() == "work" and words.strip() == "1/2, 0:00 left, loss 0.5"
    assert {r.name for r in caplog.records} == {"tkre.core.progress.beside_bar"}
    assert "work" in terminal.getvalue() and progress._panel is None


def plain(screen) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=80)
    console.print(screen)
    return console.file.getvalue()


def test_the_panel_counts_steps_and_shows_what_runs(terminal):
    name = "knowledge_pretraining.newsroom-k8-s13-tkre_plus_annotated.pretrain_" + "x" * 40
    with progress.panel(10, done=4):
        with progress.step("first"):
            pass
        with progress.step(name), Progress("mslm", 5) as work:
            work.advance(1, loss=2.5)
            shown = plain(progress._panel.screen()).splitlines()
        with progress.step(name):
            long = plain(progress._panel.screen()).splitlines()
    assert "5 of 10 steps" in shown[0]
    assert [line.strip() for line in shown[1:]] == ["mslm", "1/5, 0:00 left, loss 2.5"]
    assert len(long) == 2 and len(long[1].rstrip()) == 80 and long[1].rstrip().endswith("…")


def test_the_panel_estimates_what_is_like_something_measured(terminal, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    training = {
        "a.s1": ("finetune a", "finetune"), "b.s1": ("finetune b", "finetune"),
        "a.s2": ("finetune a", "finetune"), "encoder": ("mslm",),
    }  # fmt: skip

    def left():
        return plain(progress._panel.screen()).splitlines()[0].partition(", ")[2].strip()

    with progress.panel(9, training=training):
        with progress.step("metrics"):
            now[0] += 50
        assert left() == ""  # no training has ended
        with progress.step("a.s1"), Progress("finetuning", 5) as work:
            work.advance(1)
            now[0] += 100
        assert left() == ""  # nothing like the encoder has ended
        progress.ended("encoder")  # by another command: how long it took is not known
        assert left() == "about 3:20 of training left"  # b is like a, for want of better
        with progress.step("b.s1"):
            now[0] += 30
            assert left() == "about 2:50 of training left"
            now[0] += 3870
        assert left() == "about 1:40 of training left"  # a took 100 s before
        with progress.step("a.s2"):
            now[0] += 200
            assert left() == ""  # no figure for what takes longer than expected
            with Progress("finetuning", 5) as work:
                now[0] += 30
                work.advance(1)
                assert left() == "about 2:00 of training left"  # it knows better
    assert "of training left" not in plain(progress._Panel(3, 0, {}).screen())


def test_an_error_ends_the_panel_and_is_not_swallowed(terminal):
    with pytest.raises(ZeroDivisionError), Progress("work", 2):
        1 / 0  # noqa: B018
    assert progress._panel is None


@pytest.fixture
def logger():
    handler = ConsoleHandler()
    logger = logging.getLogger("tests.console")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_lines_are_short_and_each_is_said_once(logger, capsys):
    for _ in range(2):
        logger.info("88 of 88 answers are old")
    logger.warning("the disk is nearly full")
    logger.warning("x" * 300)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "88 of 88 answers are old", "warning: the disk is nearly full", f"warning: {'x' * 300}",
    ]  # fmt: skip


def test_with_a_panel_only_warnings_are_shown(logger, terminal):
    with progress.panel(3):
        logger.info("3 of 60")
        logger.warning("one [bold] sentence of a corpus was cut")
    assert "3 of 60" not in terminal.getvalue()
    assert "warning: one [bold] sentence of a corpus was cut" in terminal.getvalue()


RUN = """
    import logging, os, time
    from functools import partial
    from tkre.core import progress
    from tkre.core.terminal import set_up
    from tkre.runner.grid import helping

    set_up()
    def work(name):
        with progress.step(name), progress.Progress(f"training {name}", 30) as training:
            for n in range(30):
                time.sleep(0.1)
                training.advance(1, loss=1 / (n + 1))
        logging.warning("%s is done", name)

    with helping(partial(work, "beside"), 2), progress.panel(2):
        work("here")
        time.sleep(1)
"""


def test_processes_share_one_panel():
    import pty

    shown = pty_output(pty, RUN)
    frames = re.findall(r"training (here|beside)", shown)
    assert {*frames} == {"here", "beside"}
    assert "2 of 2 steps" in shown
    assert len(re.findall("beside is done", shown)) == 1


def pty_output(pty, code: str) -> str:
    main, terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        stdout=terminal, stderr=terminal, env=environment,
    )  # fmt: skip
    os.close(terminal)
    parts = []
    with suppress(OSError):  # the other end is closed
        while part := os.read(main, 65536):
            parts.append(part)
    os.close(main)
    assert process.wait() == 0
    return b"".join(parts).decode("utf-8", "replace")
