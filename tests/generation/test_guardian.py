"""Real processes: a parent that is killed, and the children that it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

PARENT = textwrap.dedent(
    """
    import os, subprocess, sys, time
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    before = subprocess.Popen(sleeper)
    from tkre.generation.backends.guardian import start_guardian
    guardian = start_guardian(os.getpid())
    time.sleep(0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {deaf!r}])"
    children = [subprocess.Popen(sleeper), subprocess.Popen([sys.executable, "-c", nested])]
    time.sleep(2)
    print(before.pid, guardian.pid, *(c.pid for c in children), flush=True)
    if sys.argv[1] == "stay":
        time.sleep(600)
    guardian.terminate()
    """
)


def run(
    how: str,
) -> tuple[subprocess.Popen[str], psutil.Process, psutil.Process, list[psutil.Process]]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    before, guardian, *children = (psutil.Process(int(p)) for p in parent.stdout.readline().split())
    parent.stdout.close()
    return parent, before, guardian, [*children, *children[1].children()]


@pytest.mark.slow
def test_what_a_killed_parent_started_is_ended_and_nothing_else():
    parent, before, guardian, children = run("stay")
    assert len(children) == 3 and all(child.is_running() for child in children)
    try:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs([*children, guardian], timeout=15)
        assert not alive
        assert before.is_running(), "what was there before is not the guardian's"
    finally:
        before.kill()


@pytest.mark.slow
def test_a_dismissed_guardian_ends_nothing():
    parent, before, guardian, children = run("leave")
    try:
        parent.wait()
        psutil.wait_procs([guardian], timeout=5)
        time.sleep(1)
        assert all(child.is_running() for child in [before, *children])
    finally:
        for process in [before, *children]:
            process.kill()
