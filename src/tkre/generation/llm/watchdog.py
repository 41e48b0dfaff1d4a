"""A process watchdog that ends the children of a killed run; graceful handling of SIGINT.

vLLM's engine runs in child processes, which do not notice that their parent was killed with
SIGKILL: they would keep the GPU's memory from the next run. The watchdog is a separate process:

    python -m tkre.generation.llm.watchdog PID
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

INTERVAL = 0.5  # seconds between two checks
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
# Python's tracker of shared memory ends after the other children and cleans up after them.
SPARED = "resource_tracker"


def start_watchdog(pid: int) -> subprocess.Popen[bytes]:
    """Starts the watchdog of a process; the caller terminates it when the engine is closed."""
    command = [sys.executable, "-m", __name__, str(pid)]
    # A new session: Ctrl-C in the terminal is for the run, which closes its engine itself.
    return subprocess.Popen(command, start_new_session=True)


def guard(parent: psutil.Process) -> None:
    """Waits until a process ends, then ends all its children."""
    since = psutil.Process().create_time()
    started: set[psutil.Process] = set()
    # The parent may end between any two lines.
    with suppress(psutil.NoSuchProcess):
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            children = parent.children(recursive=True)
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


@contextmanager
def graceful_sigint(stop: threading.Event, log: Callable[[str], None]) -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into two events; the second Ctrl-C raises KeyboardInterrupt.

    An exception at any line could lose an answer that has been paid for and is not stored yet.

    Args:
        stop: Set by the first Ctrl-C.
        log: Called with a message at the first Ctrl-C.

    Yields:
        An event that the first Ctrl-C sets too, and nothing else.
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
        log("interrupted (press Ctrl-C again to stop at once)")

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    guard(psutil.Process(int(sys.argv[1])))
