"""Real processes: a parent that is killed, and the children that it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import psutil
import pytest

from tkre.generation.llm.watchdog import guard

PARENT = textwrap.dedent(
    """
    import os, subprocess, sys, time
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    before = subprocess.Popen(sleeper)
    from tkre.generation.llm.watchdog import start_watchdog
    watchdog = start_watchdog(os.getpid())
    time.sleep(0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {deaf!r}])"
    children = [subprocess.Popen(sleeper), subprocess.Popen([sys.executable, "-c", nested])]
    time.sleep(2)
    print(before.pid, watchdog.pid, *(c.pid for c in children), flush=True)
    sys.stdin.readline()
    watchdog.terminate()
    """
)


@pytest.fixture
def family():
    """A parent that has a watchdog, a child from before, the watchdog, and three children."""
    with subprocess.Popen([sys.executable, "-c", PARENT], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:  # fmt: skip
        assert parent.stdout is not None
        pids = parent.stdout.readline().split()
        before, watchdog, *children = (psutil.Process(int(pid)) for pid in pids)
        children += children[1].children()
        assert len(children) == 3 and all(child.is_running() for child in children)
        yield parent, before, watchdog, children
        for process in [before, *children]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_parent_that_ends_between_two_looks_ends_the_watch():
    class Ending(psutil.Process):
        def is_running(self) -> bool:
            return True  # a moment ago

    parent = subprocess.Popen([sys.executable, "-c", ""])
    ended = Ending(parent.pid)
    parent.wait()
    guard(ended)


@pytest.mark.slow
def test_watchdog_ends_the_children_of_a_killed_parent(family):
    parent, before, watchdog, children = family
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs([*children, watchdog], timeout=15)
    assert not alive
    assert before.is_running(), "what was there before is not the watchdog's"


@pytest.mark.slow
def test_dismissed_watchdog_ends_nothing(family):
    parent, before, watchdog, children = family
    # Not communicate(): it waits for the children too, which have inherited the pipes.
    parent.stdin.write("dismiss it\n")
    parent.stdin.flush()
    parent.wait(15)
    _, alive = psutil.wait_procs([watchdog], timeout=15)
    assert not alive
    time.sleep(1)
    assert all(child.is_running() for child in [before, *children])
