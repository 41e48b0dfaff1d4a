"""Progress of long work: one live panel on a terminal, plain lines at intervals elsewhere.

The panel belongs to the first process of a run; processes that it has forked tell it through a
pipe what they do. Log lines go through ``ConsoleHandler``, which knows of the panel.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_T = TypeVar("_T")
INTERVAL = 15.0  # seconds between two lines of a log
_SHOWN = ("loss", "validation_f1")  # of the metrics, in the panel
_LONGEST = 3000  # characters of a line that is sent through a pipe, whose writes of 4 KB are whole

# With a panel on the terminal, lines are for log files only: conf/logging.yml sends this logger to
# the file alone.
_beside_bar = logging.getLogger("tkre.core.progress.beside_bar")
_logger = logging.getLogger("tkre.core.progress")

_panel: _Panel | None = None  # of this process
_pipe: tuple[int, int] | None = None  # from helpers to the process with the panel
_helper = False


class _Panel:
    """What every process of a run does now.

    Args:
        total: Steps of the run; None without steps.
        done: Those that are up to date.
        training: What each training is like, from the most like to the least.
    """

    def __init__(
        self, total: int | None, done: int, training: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.console = Console(file=sys.stderr)
        self._total, self._before = total, done
        self._done: set[str] = set()
        self._training = training
        self._steps: dict[int, tuple[str, float]] = {}  # of each process, and when it began
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._works: dict[int, dict[str, Any]] = {}
        self._begun = time.monotonic()

    def take(self, message: dict[str, Any]) -> None:
        """Take what a process says: a line, the step or work that it has begun, or its end."""
        process = message["process"]
        if "line" in message:
            self.console.print(Text(message["line"]))
        elif "ended" in message:
            self._done.add(message["ended"])
            self._works.pop(process, None)
            name, begun = self._steps.pop(process, ("", 0.0))
            for kind in self._training.get(name, ()):
                self._seconds[kind].append(time.monotonic() - begun)
        else:
            if "words" not in message:
                self._steps[process] = message["what"], time.monotonic()
            self._works[process] = message

    def _left(self) -> float | None:
        """Seconds of training that are left; None while one is like none that has ended.

        A training takes as long as those that it is most like did on average, or as it says itself.
        """
        now = time.monotonic()
        begun = {  # when, and what the training itself expects
            name: (since, self._works.get(process, {}).get("left", 0.0))
            for process, (name, since) in self._steps.items()
        }
        left = 0.0
        for name, kinds in self._training.items():
            if name not in self._done:
                like = next((self._seconds[k] for k in kinds if k in self._seconds), None)
                if like is None:
                    return None
                since, expected = begun.get(name, (now, 0.0))
                left += max(expected, sum(like) / len(like) - (now - since))
        return left / max(1, len(self._steps))

    def screen(self) -> RenderableType:
        """The panel: a bar of the steps, and two lines for each process."""
        rows: list[RenderableType] = []
        if self._total is not None:
            done = min(self._total, self._before + len(self._done))
            head = Table.grid(padding=(0, 1))
            spent = _clock(time.monotonic() - self._begun)
            left = self._left()
            about = f", about {_clock(left)} of training left" if left else ""
            head.add_row(
                ProgressBar(self._total, done, width=24),
                f"{done} of {self._total} steps",
                f"{spent}{about}",
            )
            rows.append(head)
        for work in list(self._works.values()):
            rows.append(_line_of(work["what"], "bold"))
            if "words" in work:
                rows.append(_line_of(f"  {work['words']}"))
        return Group(*rows)


class _Live(Live):
    """Reads what helpers have told before it draws: what they log is printed above the panel."""

    def refresh(self) -> None:
        """Draw the panel."""
        if (panel := _panel) is not None:
            for line in _read_pipe():
                with suppress(ValueError):  # a line that was cut
                    panel.take(json.loads(line))
        super().refresh()


def _line_of(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _read_pipe() -> list[str]:
    if _pipe is None or _helper:
        return []
    with suppress(BlockingIOError):
        return os.read(_pipe[0], 65536).decode("utf-8", "replace").splitlines()
    return []


def _tell(**message: Any) -> None:
    """Tell the panel, of this process or of the one that has forked it, if there is one."""
    message["process"] = os.getpid()
    if _panel is not None:
        _panel.take(message)
    elif _helper and _pipe is not None:
        with suppress(OSError):  # it is full, or nobody reads: news is lost, not work
            os.write(_pipe[1], json.dumps(message).encode() + b"\n")


def _has_panel() -> bool:
    """Whether there is a panel, of this process or of the one that has forked it."""
    return _panel is not None or (_helper and _pipe is not None)


def before_fork() -> None:
    """Make the pipe through which helpers tell the panel, if there is a terminal for one."""
    global _pipe  # noqa: PLW0603
    if sys.stderr.isatty():
        _pipe = os.pipe()
        for end in _pipe:
            os.set_blocking(end, False)


def in_helper() -> None:
    """Say that this process helps another one, and draws nothing itself."""
    global _helper  # noqa: PLW0603
    _helper = True


@contextmanager
def panel(
    total: int | None = None, done: int = 0, training: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[None]:
    """Show one panel while work is done, on a terminal; elsewhere do nothing.

    Args:
        total: Steps of the run; None without steps.
        done: Those that are up to date.
        training: Steps that train, by name: what each is like, from the most like to the least.
            Once each has one like it that has ended, the panel estimates the time left.
    """
    global _panel, _pipe  # noqa: PLW0603
    if _panel is not None or _helper or not sys.stderr.isatty():
        yield
        return
    _panel = _Panel(total, done, training or {})
    live = _Live(
        get_renderable=_panel.screen, console=_panel.console, transient=True,
        refresh_per_second=4, redirect_stdout=sys.stdout.isatty(),
    )  # fmt: skip
    try:
        with live:
            yield
    finally:
        _panel = None
        if _pipe is not None:
            for end in _pipe:
                os.close(end)
            _pipe = None


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a step of the run while it is done."""
    _tell(what=name)
    yield
    ended(name)


def ended(name: str) -> None:
    """Say that a step is done, here or by another process."""
    _tell(ended=name)


class ConsoleHandler(logging.Handler):
    """Messages for a person: short plain lines on the standard error stream, each message once.

    While a panel is shown, what is no warning goes to the log file alone.
    """

    def __init__(self) -> None:
        super().__init__()
        logging.captureWarnings(True)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        try:
            line = self._line(record)
            if line in self._told:
                return
            self._told.add(line)
            if _has_panel():
                if record.levelno >= logging.WARNING:
                    _tell(line=line[:_LONGEST])
            elif sys.stderr.isatty():
                Console(file=sys.stderr).print(Text(line))
            else:
                sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
                sys.stderr.flush()
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        text = self.format(record)
        if record.name == "py.warnings":  # its second line is the code that warns
            text = text.splitlines()[0].partition(": ")[2]
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return level + text


class Progress:
    """Context manager that shows the progress of some work.

    Args:
        description: Name of the work, e.g. ``mslm newsroom.k8.s13.tkre``.
        total: Number of steps; None if unknown.
        interval: Seconds between two lines of a log.
    """

    def __init__(self, description: str, total: int | None, *, interval: float = INTERVAL) -> None:
        self._description, self._total = description, total
        self._interval = interval
        self._done = 0
        self._metrics: dict[str, float] = {}
        self._own = panel()

    def __enter__(self) -> Self:
        self._begun = self._last_line = time.monotonic()
        self._own.__enter__()
        self._tell()
        return self

    def advance(self, steps: int = 1, **metrics: float) -> None:
        """Adds finished steps, and metrics to show with them, e.g. ``loss=3.2``."""
        self._metrics |= metrics
        self._done += steps
        self._tell()
        if time.monotonic() - self._last_line >= self._interval:
            self._line()

    def __exit__(self, *error: Any) -> None:
        self._line(ended=True)
        self._own.__exit__(*error)

    def _tell(self) -> None:
        shown = {name: value for name, value in self._metrics.items() if name in _SHOWN}
        words = [self._count(), *self._left(), *_named(shown)]
        _tell(what=self._description, words=", ".join(words), left=self._seconds_left() or 0.0)

    def _line(self, *, ended: bool = False) -> None:
        self._last_line = time.monotonic()
        left = [] if ended else self._left()
        metrics = " ".join(_named(self._metrics))
        elapsed = _clock(time.monotonic() - self._begun)
        words = [f"{self._count()} in {elapsed}", *left, *([metrics] if metrics else [])]
        log = _beside_bar if _has_panel() else _logger
        log.info("%s: %s", self._description, ", ".join(words))

    def _count(self) -> str:
        return f"{self._done}{f'/{self._total}' if self._total else ''}"

    def _seconds_left(self) -> float | None:
        if not (self._total and self._done):
            return None
        elapsed = time.monotonic() - self._begun
        return elapsed * (self._total - self._done) / self._done

    def _left(self) -> list[str]:
        seconds = self._seconds_left()
        return [] if seconds is None else [f"{_clock(seconds)} left"]


def _named(metrics: dict[str, float]) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in metrics.items()]


def track(items: Iterable[_T], description: str, total: int | None) -> Iterator[_T]:
    """Yields the items and shows their progress."""
    with Progress(description, total) as progress:
        for item in items:
            yield item
            progress.advance()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
