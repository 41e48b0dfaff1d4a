"""What every command does with its terminal: characters that it lacks, and the next step."""

from __future__ import annotations

import codecs
import logging
import shutil
import sys
import textwrap
import unicodedata

import click

from tkre.core.progress import ConsoleHandler

# Signs of this project's messages, for an output that lacks them (cp1252, cp437, ASCII).
_PLAIN = {"→": "->", "←": "<-", "≥": ">=", "≤": "<=", "±": "+-", "…": "...", "–": "-"}  # noqa: RUF001


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """A plain form of what cannot be encoded; of other characters their code, so none is lost."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return (
        "".join(
            _PLAIN.get(char, char.encode("ascii", "backslashreplace").decode()) for char in wrong
        ),
        error.end,
    )


def set_up() -> None:
    """Prepare both output streams and the messages of a command.

    No character ends a command, whatever the encoding of the output is: on Windows that of a
    redirected one is cp1252. Messages are short lines, or go beside the panel of a run.
    """
    codecs.register_error("tkre.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook has replaced it
            stream.reconfigure(errors="tkre.plain")
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        if handler.name == "console":  # of conf/logging.yml
            root.removeHandler(handler)
            root.addHandler(ConsoleHandler())


_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # of text: bidirectional


def _drives(character: str) -> bool:
    """Whether a character moves the cursor, colours or turns what a terminal shows."""
    control = unicodedata.category(character) == "Cc" and character not in "\n\t"
    return control or unicodedata.bidirectional(character) in _TURNS


def say(line: str, *, indent: int = 0, err: bool = False) -> None:
    """Print words of a command; on a terminal no line ends within a word.

    Characters of names and texts of others that drive a terminal are shown by their codes.

    Args:
        line: One line or several.
        indent: Blanks before what does not fit on the first line; 0 for as many as that has.
        err: Print to the standard error stream.
    """
    if not line.isprintable():
        line = "".join(ascii(c)[1:-1] if _drives(c) else c for c in line)
    if (sys.stderr if err else sys.stdout).isatty():
        width = shutil.get_terminal_size().columns
        # A path that is too long for a line is left to the terminal, so that it can be copied.
        line = "\n".join(
            textwrap.fill(
                part, width, replace_whitespace=False, break_long_words=False,
                break_on_hyphens=False,
                subsequent_indent=" " * (indent or len(part) - len(part.lstrip())),
            )
            for part in line.split("\n")
        )  # fmt: skip
    click.echo(line, err=err)


def run_command(
    pipelines: str, env: str | None = None, params: str = "", conf_source: str | None = None
) -> str:
    """The command that runs pipelines, with the options of another one.

    Args:
        pipelines: Their names, with commas between them.
        env: Environment of the configuration.
        params: Text of ``--params``.
        conf_source: Folder of the configuration.
    """
    options = {"--env": env, "--conf-source": conf_source, "--pipelines": pipelines}
    words = [f"{name} {value}" for name, value in options.items() if value]
    return " ".join(["kedro run", *words, *([f'--params "{params}"'] if params else [])])


def say_next(command: str) -> None:
    """End a command that has succeeded with the one that comes next."""
    click.echo(f"Next: {command}")
