"""Progress of long work: a bar on a terminal, plain lines at intervals in a log.

A bar is rewritten in place and useless in a file; a line per step would drown a log. Lines
always go to the logger, so that a log file has them even if the terminal shows a bar.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

_T = TypeVar("_T")
# Bars of several processes would write over one another: then there are lines, whoever watches.
several_processes = False
INTERVAL = 15.0  # seconds between two lines of a log

# Beside a bar on the terminal, lines are for log files only: conf/logging.yml sends this logger
# to the file alone.
_beside_bar = logging.getLogger("tkre.core.progress.beside_bar")
_logger = logging.getLogger("tkre.core.progress")


class Progress:
    """Shows how far a piece of work is; a context manager.

    Args:
        description: What is done, e.g. ``mslm newsroom.k8.s13.tkre``.
        total: Number of steps; None if it is not known.
        terminal: Whether a person watches; None asks the standard error stream.
        interval: Seconds between two lines of a log.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        *,
        terminal: bool | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._description = description
        self._total = total
        self._interval = interval
        self._done = 0
        self._figures: dict[str, float] = {}
        watched = terminal
        if watched is None:
            watched = sys.stderr.isatty() and not several_processes
        self._log = _beside_bar if watched else _logger
        self._bar = _bar() if watched else None
        self._started = self._last_line = 0.0

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._description, total=self._total, figures="")
        return self

    def advance(self, steps: int = 1, **figures: float) -> None:
        """So many steps more are done.

        Args:
            steps: How many.
            figures: What to show beside, e.g. ``loss=3.2``.
        """
        self._done += steps
        self._figures |= figures
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, figures=self._shown())
        if time.monotonic() - self._last_line >= self._interval:
            self._line()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._line(ended=True)

    def _line(self, *, ended: bool = False) -> None:
        self._last_line = time.monotonic()
        elapsed = self._last_line - self._started
        of = f"/{self._total}" if self._total else ""
        left = ""
        if self._total and self._done and not ended:
            left = f", {_clock(elapsed * (self._total - self._done) / self._done)} left"
        self._log.info(
            "%s: %d%s in %s%s%s",
            self._description,
            self._done,
            of,
            _clock(elapsed),
            left,
            f", {self._shown()}" if self._figures else "",
        )

    def _shown(self) -> str:
        return " ".join(f"{name} {value:.4g}" for name, value in self._figures.items())


def track(items: Iterable[_T], description: str, total: int | None) -> Iterator[_T]:
    """The items as they come, with their progress shown."""
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()


def _bar() -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=Console(stderr=True),
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
