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
