"""Progress of long work: a bar on a terminal, plain lines at intervals in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from rich import progress as rich
from rich.console import Console

_T = TypeVar("_T")
# Bars of several processes would overwrite one another: with several there are only lines.
several_processes = False
INTERVAL = 15.0  # seconds between two lines of a log

# With a bar on the terminal, lines are for log files only: conf/logging.yml sends this logger to
# the file alone.
_beside_bar = logging.getLogger("tkre.core.progress.beside_bar")
_logger = logging.getLogger("tkre.core.progress")


class Progress:
    """Context manager that shows the progress of some work.

    Args:
        description: Name of the work, e.g. ``mslm newsroom.k8.s13.tkre``.
        total: Number of steps; None if unknown.
        terminal: Whether to draw a bar; None draws one if the standard error stream is a terminal.
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
        bar = sys.stderr.isatty() and not several_processes if terminal is None else terminal
        columns = (
            "{task.description}", rich.BarColumn(bar_width=24), rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(), "left", rich.TimeRemainingColumn(), "{task.fields[metrics]}",
        )  # fmt: skip
        self._bar = rich.Progress(*columns, console=Console(stderr=True), disable=not bar)
        self._task = self._bar.add_task(description, start=False, total=total, metrics="")
        self._log = _beside_bar if bar else _logger
        self._interval = interval
        self._metrics: dict[str, float] = {}
        self._last_line = 0.0

    def __enter__(self) -> Self:
        self._last_line = time.monotonic()
        self._bar.start()
        self._bar.start_task(self._task)
        return self

    def advance(self, steps: int = 1, **metrics: float) -> None:
        """Adds finished steps, and metrics to show with them, e.g. ``loss=3.2``."""
        self._metrics |= metrics
        words = " ".join(f"{name} {value:.4g}" for name, value in self._metrics.items())
        self._bar.update(self._task, advance=steps, metrics=words)
        if time.monotonic() - self._last_line >= self._interval:
            self._line()

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()
        self._line(ended=True)

    def _line(self, *, ended: bool = False) -> None:
        self._last_line = time.monotonic()
        task = self._bar.tasks[0]
        elapsed, done = task.elapsed or 0.0, int(task.completed)
        line = f"{task.description}: {done}{f'/{task.total:.0f}' if task.total else ''} "
        line += f"in {_clock(elapsed)}"
        if task.total and done and not ended:
            line += f", {_clock(elapsed * (task.total - done) / done)} left"
        self._log.info("%s%s", line, f", {metrics}" if (metrics := task.fields["metrics"]) else "")


def track(items: Iterable[_T], description: str, total: int | None) -> Iterator[_T]:
    """Yields the items and shows their progress."""
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
