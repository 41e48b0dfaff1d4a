"""Ctrl-C while answers are under way that are being paid for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(stop: threading.Event, say: Callable[[str], None]) -> Iterator[threading.Event]:
    """Ctrl-C only sets two events; a second one interrupts as ever.

    An exception could come at any line, also where an answer that has been paid for is on its way
    to the store.

    Args:
        stop: Set at an interruption.
        say: Told about it.

    Returns:
        The other event.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        interrupted.set()
        stop.set()
        say("interrupted (again to wait for nothing)")

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
