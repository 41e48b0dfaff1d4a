"""A small process that outlives a killed run, and ends what the run has left behind.

vLLM's engine works in processes of its own. When their parent is killed with SIGKILL, nothing tells
them: they would go on, and hold the GPU's memory against the run that is started next.

    python -m tkre.generation.llm.watchdog PID

Ctrl-C while answers are under way that are being paid for.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

INTERVAL = 0.5  # seconds between two looks
PATIENCE = 5.0  # seconds that a process has to end by itself
# Python's own watch over shared memory: it ends when the others have, and tidies up after them.
SPARED = "resource_tracker"


def start_watchdog(pid: int) -> subprocess.Popen[bytes]:
    """Starts watching a process; terminate what is returned when there is nothing to guard."""
    command = [sys.executable, "-m", __name__, str(pid)]
    # A session of its own: Ctrl-C in the terminal is for the run, which closes its engine itself.
    return subprocess.Popen(command, start_new_session=True)


def guard(parent: psutil.Process) -> None:
    """Waits for a process to end, and ends what it has started meanwhile."""
    since = psutil.Process().create_time()
    started: set[psutil.Process] = set()
    while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
        try:
            children = parent.children(recursive=True)
        except psutil.NoSuchProcess:
            break
        started |= {child for child in children if child.create_time() >= since}
        time.sleep(INTERVAL)
    left = [process for process in started if process.is_running() and not _is_spared(process)]
    for process in left:
        _send(process, "terminate")
    _, stubborn = psutil.wait_procs(left, timeout=PATIENCE)
    for process in stubborn:
        _send(process, "kill")


def _is_spared(process: psutil.Process) -> bool:
    try:
        return process.pid == psutil.Process().pid or SPARED in " ".join(process.cmdline())
    except psutil.Error:
        return True


def _send(process: psutil.Process, signal: str) -> None:
    try:
        getattr(process, signal)()
    except psutil.NoSuchProcess:
        return


if __name__ == "__main__":
    guard(psutil.Process(int(sys.argv[1])))


@contextmanager
def graceful_sigint(stop: threading.Event, say: Callable[[str], None]) -> Iterator[threading.Event]:
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
