"""Processes that share a run: real forks, of this process where torch is not loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tkre.runner import GridRunner
from tkre.runner.grid import can_fork, default_workers, visible_gpus


@pytest.mark.parametrize(
    ("cells", "cores", "gpus", "expected"),
    [(3, 2, 0, 2), (1, 8, 0, 1), (0, 8, 0, 1), (40, 8, 0, 4), (40, 1, 0, 1), (40, 16, 4, 1)],
)
def test_how_many_suit_a_machine(cells, cores, gpus, expected):
    assert default_workers(cells, cores=cores, gpus=gpus) == expected


def test_gpus_are_those_that_are_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_no_worker_is_refused():
    with pytest.raises(ValueError, match="workers=0"):
        GridRunner(workers=0)


GRID = """
    import json, logging, os, pathlib, sys, time
    from kedro.io import DataCatalog
    from kedro.pipeline import Node, Pipeline
    from kedro_datasets.json import JSONDataset
    from tkre.pipelines.namespaces import LANGUAGE_MODEL
    from tkre.runner import GridRunner
    from tkre.runner.run_state import LedgerDataset

    logging.basicConfig(level="INFO", format="%(message)s")
    folder, broken = pathlib.Path(sys.argv[1]), sys.argv[2:]

    def step(name, reads, tags=()):
        def run(*given):
            begun = time.monotonic()
            time.sleep(0.3)
            if name in broken:
                raise RuntimeError(f"{name} is broken")
            return {"process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS"),
                    "begun": begun, "ended": time.monotonic()}
        return Node(run, reads, name, name=f"make_{name}", tags=["gpu", *tags])

    names = ["asked", "golden", *"abcdef"]
    pipeline = Pipeline([
        step("asked", "rows", [LANGUAGE_MODEL]),
        step("golden", "rows"),
        *(step(name, "asked") for name in "abcdef"),
    ])
    files = {n: JSONDataset(filepath=str(folder / f"{n}.json")) for n in ["rows", *names]}
    files["rows"].save([1])
    catalog = DataCatalog(files | {"ledger": LedgerDataset(filepath=str(folder / "ledger"))})
    GridRunner(workers=2).run(pipeline, catalog)
    made = {n: files[n].load() for n in names}
    threads = os.environ.get("OMP_NUM_THREADS")
    print(json.dumps({"self": os.getpid(), "made": made, "threads": threads}))
"""


def run(folder, *broken, gpus="", before="") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"COLUMNS": "200", "CUDA_VISIBLE_DEVICES": gpus}
    path = os.pathsep.join(filter(None, [str(before), *sys.path]))
    environment |= {"PYTHONPATH": path} if before else {}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(GRID), str(folder), *broken],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=600,
        env=environment,
    )  # fmt: skip


def printed(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(finished.stdout.splitlines()[-1])


def test_two_processes_share_the_nodes_and_one_asks(tmp_path):
    first = run(tmp_path)
    assert first.returncode == 0, first.stdout
    found = printed(first)
    workers = {made["process"] for made in found["made"].values()}
    assert len(workers) == 2 and found["self"] in workers
    assert found["made"]["asked"]["process"] == found["self"]
    # The cores are divided, and afterwards this process has its environment back.
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert {made["threads"] for made in found["made"].values()} == {share}
    assert found["threads"] is None
    assert "up to date" not in first.stdout  # what the other one has run is not meant
    again = run(tmp_path)
    assert "8 of 8 nodes were up to date" in again.stdout
    assert printed(again)["made"] == found["made"]


def test_on_gpus_nobody_trains_while_an_engine_may_have_them(tmp_path):
    made = printed(run(tmp_path, gpus="0"))["made"]
    assert made["golden"]["begun"] >= made["asked"]["ended"]
    assert len({node["process"] for node in made.values()}) == 2


def test_what_breaks_anywhere_ends_the_run_aloud(tmp_path):
    failed = run(tmp_path, "b", "c")
    assert failed.returncode != 0
    assert "is broken" in failed.stdout.splitlines()[-1]


# What CPython lacks there, taken away before anything is imported. macOS has a fork that its own
# libraries do not survive, so that it is not used.
LACKING = {
    "macOS": """
        import os
        for name in ("sched_getaffinity", "sched_setaffinity", "fork"):
            delattr(os, name)
    """,
    "Windows": """
        import multiprocessing.context as context, os
        for name in ("sched_getaffinity", "sched_setaffinity", "fork", "geteuid"):
            delattr(os, name)
        for name in ("ForkProcess", "ForkContext"):
            delattr(context, name)
    """,
}


@pytest.mark.parametrize("system", LACKING)
def test_one_process_does_the_work_on_systems_without_fork_and_affinity(tmp_path, system):
    before = tmp_path / "before"
    before.mkdir()
    (before / "sitecustomize.py").write_text(textwrap.dedent(LACKING[system]), encoding="utf-8")
    first = run(tmp_path, before=before)
    assert first.returncode == 0, first.stdout
    assert {made["process"] for made in printed(first)["made"].values()} == {printed(first)["self"]}


def test_macos_does_not_fork(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not can_fork()
