"""The way out in an error message: the nearest of the names that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, or the known names where none is near, or nothing."""
    names = [str(name) for name in known]
    near = get_close_matches(wrong, names, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    shown = ", ".join(sorted(names)[:20]) + (", ..." if len(names) > 20 else "")
    return f" (known: {shown})" if names else ""
