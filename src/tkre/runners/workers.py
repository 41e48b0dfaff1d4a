"""Processes that share the work of a run on one machine, made by forking before torch is loaded."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path

from tkre import progress

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
MOST_WORKERS = 4  # unless more are asked for: each loads torch and a model
logger = logging.getLogger(__name__)


def default_workers(cells: int, *, cores: int | None = None, gpus: int | None = None) -> int:
    """How many processes share the work where nobody says.

    On a CPU two processes of one thread train more in a minute than one of two: small products and
    all that is between them do not fill several cores. On GPUs one, since a language model may
    want all of them.

    Args:
        cells: How many cells there are to share.
        cores: None for those that this process may use.
        gpus: None for those that are visible.
    """
    cores = len(os.sched_getaffinity(0)) if cores is None else cores
    gpus = len(visible_gpus()) if gpus is None else gpus
    return 1 if gpus else max(1, min(cores, cells, MOST_WORKERS))


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that a process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() not in ("", "-1")]
    return [str(n) for n in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def can_fork() -> bool:
    """Whether more processes can be made of this one.

    Not where torch is loaded, as in a notebook: its threads do not survive a fork.
    """
    return "torch" not in sys.modules and "fork" in multiprocessing.get_all_start_methods()


@contextmanager
def helping(work: Callable[[], None], workers: int) -> Iterator[None]:
    """Lets other processes do the same work while this one does.

    Cores are divided among the processes, GPUs given out in turn. A helper that fails leaves its
    node to the others, which will say what is wrong; at the end helpers are waited for, and after
    an error in this process they are ended.

    Args:
        work: Done by each helper; what is done by others it has to see itself.
        workers: How many processes there are, this one among them.
    """
    shares = list(_shares(workers))
    helpers = [_helper(work, share) for share in shares[1:]]
    before = {name: os.environ.get(name) for name in shares[0]}
    os.environ.update(shares[0])
    progress.several_processes = len(helpers) > 0
    try:
        yield
        for helper in helpers:
            helper.join()
    finally:
        for helper in helpers:
            helper.terminate()
            helper.join()
        progress.several_processes = False
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _shares(workers: int) -> Iterator[dict[str, str]]:
    """The environment of each process: its threads, unless they are given, and its GPU."""
    gpus = visible_gpus()
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    for number in range(workers):
        share = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
        if gpus and workers > 1:
            share["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        yield share


def _helper(work: Callable[[], None], share: dict[str, str]) -> ForkProcess:
    helper = multiprocessing.get_context("fork").Process(
        target=_help, args=(work, share), daemon=True
    )
    helper.start()
    return helper


def _help(work: Callable[[], None], share: dict[str, str]) -> None:
    if sys.platform == "linux":  # a run that is killed must not go on without its terminal
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.update(share)
    progress.several_processes = True
    try:
        work()
    except KeyboardInterrupt:
        return
    except Exception as error:
        # The process that was started by the user comes to the same node, and fails aloud.
        logger.warning("a helping process has ended: %s", error)
        sys.exit(1)
