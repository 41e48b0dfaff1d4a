"""Words of commands: on a terminal no line ends within a word."""

from __future__ import annotations

import pytest

from tkre.core.terminal import say

LINE = "ok       weights: all-MiniLM-L6-v2 from a/very/long/path/of/a/package, as expected"


@pytest.mark.parametrize(
    ("line", "indent", "shown"),
    [
        (LINE, 9, ["ok       weights:", " " * 9 + "all-MiniLM-L6-v2",
                   " " * 9 + "from", " " * 9 + "a/very/long/path/of/a/package,",
                   " " * 9 + "as expected"]),  # a path is not cut
        ("1 bad row:\n  file, line 3: it has no relation", 0,
         ["1 bad row:", "  file, line 3: it has no", "  relation"]),
        ("short", 0, ["short"]),
        ("", 0, [""]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("err", [False, True])
def test_lines_are_broken_between_words_on_a_terminal_alone(
    line, indent, shown, err, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "26")
    say(line, indent=indent, err=err)
    assert capsys.readouterr()[err] == line + "\n"
    monkeypatch.setattr(f"sys.{'stderr' if err else 'stdout'}.isatty", lambda: True)
    say(line, indent=indent, err=err)
    assert capsys.readouterr()[err].splitlines() == shown


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\r", "\x00", "\x9b", "\u202e", "\u2066"])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("err", [False, True])
def test_a_text_of_others_does_not_drive_the_terminal(
    character, terminal, err, monkeypatch, capsys
):
    monkeypatch.setattr(f"sys.{'stderr' if err else 'stdout'}.isatty", lambda: terminal)
    say(f"name {character}[31m in\n\tZo\u00eb \u4e2d\u3000\u05d0\u200f", err=err)
    shown = capsys.readouterr()[err]
    assert character not in shown and ascii(character)[1:-1] in shown
    assert "in\n" in shown and "Zo\u00eb \u4e2d\u3000\u05d0\u200f" in shown
