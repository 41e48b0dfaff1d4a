"""What is refused in words: the base of the project's errors, and lists in their messages."""

from __future__ import annotations

from collections.abc import Sequence

MAX_LISTED = 20  # lines of a list in a message; the others are counted


class UserError(Exception):
    """Something that is refused: the message says what, where, and the way out.

    Every error class of the project has this base, beside the one of Python that callers of the
    package expect. A command shows the message alone; any other error is a defect and keeps its
    traceback.
    """


def listed(lines: Sequence[str], limit: int = MAX_LISTED, number: int | None = None) -> list[str]:
    """The first lines of a list, and a line with the number of the others.

    Args:
        lines: The lines, or the first of them.
        limit: How many are shown.
        number: How many there are; None for the length of ``lines``.
    """
    others = (len(lines) if number is None else number) - len(lines[:limit])
    return [*lines[:limit], *([f"  ... {_others(others)}"] if others > 0 else [])]


def enumerated(items: Sequence[str], limit: int = 8, separator: str = ", ") -> str:
    """The first items of a list in one line, and the number of the others."""
    others = len(items) - limit
    return separator.join(items[:limit]) + (f" {_others(others)}" if others > 0 else "")


def _others(number: int) -> str:
    return f"and {number:,} more"
