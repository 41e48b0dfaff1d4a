"""What Kedro, and the project's own way of using it, take beside the work itself.

Whole processes, the best of five: importing the package, listing the pipelines here and in an
empty Kedro project in turns, listing the nodes of one experiment and of all; and with --demo a run
of the demo from nothing, and one in which everything is up to date.

    python tests/benchmarks/kedro_overhead.py [--demo]      # --demo runs it anew, from nothing
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import ROOT, tell

REPEATS = 5
KEDRO = [sys.executable, "-m", "kedro"]
LIST = [*KEDRO, "registry", "list"]
ALL_GRAPHS = (
    "from kedro.framework.startup import bootstrap_project as b; from pathlib import Path; "
    "b(Path.cwd()); from kedro.framework.project import pipelines; "
    "print(sum(len(pipeline.nodes) for pipeline in pipelines.values()))"
)
QUIET = os.environ | {"KEDRO_DISABLE_TELEMETRY": "1"}


def seconds(command: list[str], *folders: Path) -> list[float]:
    """The best of some runs of a process that has to succeed, in each folder, taken in turns."""
    best = dict.fromkeys(folders, float("inf"))
    for _ in range(REPEATS):
        for folder in folders:
            begun = time.perf_counter()
            subprocess.run(command, cwd=folder, env=QUIET, check=True, capture_output=True)
            best[folder] = min(best[folder], time.perf_counter() - begun)
    return list(best.values())


def empty_project(folder: Path) -> Path:
    """A Kedro project with one pipeline that has no node."""
    for file, text in {
        "pyproject.toml": (
            '[tool.kedro]\npackage_name = "nothing"\nproject_name = "nothing"\n'
            'kedro_init_version = "1.7.0"\nsource_dir = "src"\n'
        ),
        "src/nothing/__init__.py": "",
        "src/nothing/settings.py": "",
        "src/nothing/pipeline_registry.py": (
            "from kedro.pipeline import Pipeline\n\n\n"
            "def register_pipelines():\n    return {'__default__': Pipeline([])}\n"
        ),
        "conf/base/.gitkeep": "",
        "conf/local/.gitkeep": "",
    }.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def demo() -> None:
    """`kedro run` in a copy of the project in which nothing has been run."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        ignored = shutil.ignore_patterns(".git", "0[2-8]_*", "site", ".mypy_cache", ".viz")
        shutil.copytree(ROOT, copy, ignore=ignored)
        begun = time.perf_counter()
        # A path, as `-m kedro` would put the source of this project before the copy's.
        subprocess.run([*KEDRO, "run"], cwd=copy, env=QUIET, check=True, capture_output=True)
        whole = time.perf_counter() - begun
        [up_to_date] = seconds([*KEDRO, "run"], copy)
    tell(f"kedro run, the demo from nothing: {whole:.0f} s")
    tell(f"the same again, all up to date: {up_to_date:.1f} s: what is not the work of nodes")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="run the demo from nothing")
    options = parser.parse_args()
    python = [sys.executable, "-W", "ignore", "-c"]
    for what, command in {
        "python alone": [*python, "pass"],
        "import tkre": [*python, "import tkre"],
        "kedro registry describe demo, one graph": [*KEDRO, "registry", "describe", "demo"],
        "the graphs of all experiments": [*python, ALL_GRAPHS],
    }.items():
        [taken] = seconds(command, ROOT)
        tell(f"{what}: {taken:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        here, empty = seconds(LIST, ROOT, empty_project(Path(folder)))
    tell(f"kedro registry list here: {here:.2f} s")
    tell(f"kedro registry list in an empty project: {empty:.2f} s, {here - empty:.2f} s less")
    if options.demo:
        demo()


if __name__ == "__main__":
    main()
