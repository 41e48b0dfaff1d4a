from __future__ import annotations

import logging
import re

import pytest

from tkre.core.progress import Progress, track


def test_a_log_gets_lines_at_intervals_and_one_at_the_end(caplog):
    with caplog.at_level(logging.INFO), Progress("work", 4, terminal=False, interval=0) as progress:
        for n in range(4):
            progress.advance(loss=1.0 / (n + 1))
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 5
    assert re.fullmatch(r"work: 1/4 in 0:00, 0:00 left, loss 1", lines[0])
    assert re.fullmatch(r"work: 4/4 in 0:00, loss 0.25", lines[-1])


def test_long_intervals_give_the_last_line_only(caplog):
    with caplog.at_level(logging.INFO):
        assert list(track("abc", "letters", total=None)) == ["a", "b", "c"]
    assert [r.getMessage() for r in caplog.records] == ["letters: 3 in 0:00"]


def test_a_terminal_gets_a_bar_and_the_log_file_its_lines(capsys, caplog):
    with caplog.at_level(logging.INFO), Progress("work", 2, terminal=True, interval=0) as progress:
        progress.advance(2, loss=0.5)
    shown = capsys.readouterr().err
    assert "work" in shown and "2/2" in shown and "loss 0.5" in shown
    assert {r.name for r in caplog.records} == {"tkre.core.progress.beside_bar"}


def test_an_error_ends_the_bar_and_is_not_swallowed():
    with pytest.raises(ZeroDivisionError), Progress("work", 2, terminal=True):
        1 / 0  # noqa: B018
