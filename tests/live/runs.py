"""Runs of data generation with a live model: started, watched, killed, and what they left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.smoke_project import Project

# What vLLM needs on a machine without a GPU; read by the runs that the tests start.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
PATIENCE = 900.0  # seconds, after which something hangs; a busy machine may need minutes
STORE = "data/02_intermediate/newsroom/responses.jsonl"
KNOWLEDGE = (
    "explained.parquet",
    "synthetic.parquet",
    "knowledge.jsonl",
    "rejects.csv",
    "yield.csv",
)
# Short answers: random weights never come to an end by themselves, only at the bounds.
SMALL: dict[str, Any] = {
    "retry": {"attempts": 2},
    "explanations": {"sampling": {"max_tokens": 240}, "max_words": 15},
    "synthesis": {"sampling": {"max_tokens": 500}, "per_request": 4, "max_words": 10,
                  "extra_rounds": 1},
}  # fmt: skip
# Where nothing keeps random weights to a schema, no length makes an answer of what they write.
TINY = SMALL | {"explanations": {"sampling": {"max_tokens": 24}, "max_words": 15},
                "synthesis": SMALL["synthesis"] | {"sampling": {"max_tokens": 24}}}  # fmt: skip


# Questions of explanations and synthesis alone; those of annotations are in test_annotation.py.
EXPERIMENT: dict[str, Any] = {
    "corpora": ["newsroom"], "shots": 8, "variants": ["typ_marker", "tkre", "tkre_plus"],
}  # fmt: skip


@contextmanager
def serving(command: Sequence[str], log: Path) -> Iterator[str]:
    """Runs a server, with a port of its own behind its command; yields its ``base_url``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=file, stderr=file
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
        else:
            return
    pytest.fail("the server did not come up: " + log.read_text()[-3000:])


def project_with(
    folder: Path,
    backbone: Path,
    language_model: dict[str, Any],
    answers: dict[str, Any] = SMALL,
) -> Project:
    """A project whose language model is the given one, with short answers."""
    folder.mkdir(exist_ok=True)
    project = Project(folder, backbone)
    project.write("conf/smoke/experiments.yml", {"demo": EXPERIMENT})
    choose(project, language_model, answers)
    return project


def choose(
    project: Project, language_model: dict[str, Any], answers: dict[str, Any] = SMALL
) -> None:
    """The one entry of the configuration by which a user says which language model answers."""
    generation = answers | {"language_model": language_model}
    project.write("conf/smoke/parameters_live.yml", {"generation": generation})


def stored(project: Project) -> list[dict[str, Any]]:
    """The lines of the store; each must be whole."""
    path = project.folder / STORE
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def whole(project: Project) -> list[dict[str, Any]]:
    """The lines of the store that are whole: a kill may tear the last one."""
    return [json.loads(line) for line in _ended(project) if line.strip()]


def whole_lines(project: Project, kind: str = "") -> int:
    """Whole lines of the store, or those of one kind of request."""
    return sum(f'"request_id": "{kind}'.encode() in line for line in _ended(project))


def _ended(project: Project) -> list[bytes]:
    path = project.folder / STORE
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def answered_twice(project: Project) -> list[Any]:
    """Questions for which more than one answer was paid."""
    settled = {"rate_limited", "unreachable", "timed_out", "server_error"}
    lines = [line for line in stored(project) if line.get("reason") not in settled]
    counts = Counter((line["request_id"], line["digest"]) for line in lines)
    return [question for question, n in counts.items() if n > 1]


def knowledge(project: Project) -> dict[str, str]:
    """What a run made of the answers, in comparable form."""
    found = {}
    for name in KNOWLEDGE:
        path = max((project.folder / f"data/04_feature/newsroom/k8/s13/{name}").glob(f"*/{name}"))
        if name.endswith(".parquet"):
            found[name] = pd.read_parquet(path).to_json(orient="records")
        else:
            found[name] = path.read_text(encoding="utf-8")
    return found


def start(project: Project) -> subprocess.Popen[str]:
    """``kedro run --pipelines data_generation``, under way."""
    environment = os.environ | {
        "KEDRO_ENV": "smoke", "COLUMNS": "200", "OMP_NUM_THREADS": "1", "TKRE_DATA": "data/01_raw",
    }  # fmt: skip
    with (project.folder / "killed.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", "--pipelines", "data_generation"],
            cwd=project.folder, env=environment, text=True, stdout=log, stderr=log,
        )  # fmt: skip


def kill_at(project: Project, lines: int, kind: str = "") -> int:
    """Runs until the store has so many lines, or so many of a kind, and kills with SIGKILL.

    Returns:
        How many lines the store had when the run was killed.
    """
    process = start(project)
    deadline = time.monotonic() + PATIENCE
    try:
        while whole_lines(project, kind) < lines and process.poll() is None:
            assert time.monotonic() < deadline, (project.folder / "killed.log").read_text()[-2000:]
            time.sleep(0.002)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.kill()
        process.wait()
    return whole_lines(project, kind)


def killed(project: Project, moments: Sequence[int], kind: str = "") -> None:
    """Kills at a store of so many lines of a kind, and a run to the end.

    No line that a kill has left whole is lost, and nothing is asked twice.
    """
    for moment in moments:
        before = {json.dumps(line, sort_keys=True) for line in whole(project)}
        at = kill_at(project, moment, kind)
        after = {json.dumps(line, sort_keys=True) for line in whole(project)}
        print(f"killed at {at} lines of {kind or 'all kinds'}, {len(after)} in all")  # noqa: T201
        assert at >= moment and before <= after, "a stored line was lost"
        wait_until_gone(project.folder)
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout[-6000:]
    assert answered_twice(project) == []


def processes_in(folder: Path) -> list[int]:
    """Processes that work in a folder: what a run has left behind, if anything."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").resolve() == folder.resolve() and (
                    entry / "cmdline"
                ).read_bytes():
                    found.append(int(entry.name))
            except (OSError, PermissionError):
                continue
    return found


def wait_until_gone(folder: Path) -> None:
    """What a run has started must end soon after it."""
    deadline = time.monotonic() + 30
    while processes_in(folder):
        assert time.monotonic() < deadline, f"still running: {processes_in(folder)}"
        time.sleep(0.1)
