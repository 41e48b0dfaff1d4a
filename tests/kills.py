"""Kills runs at random moments, and compares what they make in the end with an undisturbed run.

``python -m tests.kills [kills] [seed]`` kills a tiny grid of two recipes, 40 times by default, at
moments of all stages; every other kill waits for a save. ``--server`` kills data generation under a
live server instead, 12 times, and counts the questions that are asked twice.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from tests.conftest import ROOT, tiny_bert
from tests.smoke_project import Project

STEP = re.compile(r"^(\S+ \S+) INFO tkre.runner.grid: (?:\d+ of \d+|beside): (\S+)", re.MULTILINE)
GRID = {"corpora": ["newsroom"], "variants": ["typ_marker", "tkre"]}
RUN = ["run", "--pipelines", "killed", "--runner-params", "workers=1"]
# Time, and what is made of it.
OF_TIME = {"seconds", "environment", "finished", "reported", "trained"}
PATIENCE = 600.0
LONGEST, FOR_A_SAVE = 5.0, 10.0  # seconds that a kill waits within a node, and for a save at most


@dataclass
class Moment:
    """When a run is killed: some seconds into a node, or at the first save from then on."""

    node: str
    delay: float
    at_save: bool


def prepared(folder: Path, backbone: Path) -> Project:
    """A project with a grid of two recipes."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder, backbone)
    project.write("conf/smoke/experiments.yml", {"killed": GRID})
    return project


def preload() -> None:
    """Imports what runs need, so that forks of this process start at once."""
    import transformers  # noqa: F401

    import tkre.modeling.classifier
    import tkre.training.finetuning  # noqa: F401


def forked(project: Project, arguments: list[str] = RUN) -> int:
    """``kedro run`` in a process forked from this one."""
    if pid := os.fork():
        return pid
    try:
        os.chdir(project.folder)
        os.environ |= {"KEDRO_ENV": "smoke", "COLUMNS": "200", "TKRE_DATA": "data/01_raw"}
        with (project.folder / "printed.txt").open("a") as printed:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
        sys.argv = ["kedro", *arguments]
        from kedro.framework import project as kedro_project
        from kedro.framework.cli.cli import main

        type(kedro_project.LOGGING)()  # by the logging.yml of this folder, into it

        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        os._exit(code)
    finally:
        os._exit(70)


def run_to_end(project: Project, arguments: list[str] = RUN) -> None:
    _, status = os.waitpid(forked(project, arguments), 0)
    assert status == 0, (project.folder / "printed.txt").read_text()[-3000:]


def steps(project: Project) -> list[tuple[float, str]]:
    """The nodes that the log of a project says have begun, with their times."""
    log = project.folder / "data/08_reporting/tkre.log"
    text = log.read_text(encoding="utf-8") if log.is_file() else ""
    return [(pd.Timestamp(time.replace(",", ".")).timestamp(), n) for time, n in STEP.findall(text)]


def moments(project: Project, kills: int, chance: random.Random) -> list[Moment]:
    """Random moments of an undisturbed run, in its order."""
    begun = [*steps(project), (time.time(), "")]
    lasted = [(name, min(after - start, LONGEST)) for (start, name), (after, _) in pairwise(begun)]
    chosen = sorted(chance.randrange(len(lasted)) for _ in range(kills))
    return [
        Moment(lasted[n][0], chance.uniform(0, 1.1 * lasted[n][1]), at_save=bool(k % 2))
        for k, n in enumerate(chosen)
    ]


def kill(project: Project, moment: Moment) -> str:
    """Starts a run and kills it at a moment.

    Returns:
        The node that it was at, ``(start)`` before the first; empty if it ended before.
    """
    before = len(steps(project))
    order = [name for _, name in steps(project)]
    pid = forked(project)
    deadline = time.monotonic() + PATIENCE
    reached: float | None = None
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return ""
        if reached is None:
            now = [name for _, name in steps(project)[before:]]
            # What is done already is not reached again: any node that begins after it counts.
            if moment.node in now or (now and moment.node in order):
                reached = time.monotonic()
        elif (moment.at_save and is_saving(project)) or (
            time.monotonic() > reached + moment.delay + (FOR_A_SAVE if moment.at_save else 0)
        ):
            break
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    after = steps(project)[before:]
    return after[-1][1] if after else "(start)"


def is_saving(project: Project) -> bool:
    return next(unfinished(project), None) is not None


def unfinished(project: Project) -> Any:
    """What has not been moved into place."""
    folders = (project.folder / "data").glob("0[2-8]*")
    return (path for folder in folders for path in folder.rglob(".*.unfinished"))


def content(project: Project) -> dict[str, str]:
    """The newest of everything that a run makes, without times, by its place."""
    data = project.folder / "data"
    newest: dict[str, Path] = {}
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        place = path.relative_to(data)
        if place.parts[0] == "01_raw" or "ledger" in place.parts:
            continue
        newest[re.sub(r"/2\d{3}-\d\d-\d\dT[^/]+", "", str(place))] = path
    return {name: text for name, path in newest.items() if (text := _without_times(path))}


def _without_times(path: Path) -> str:
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        return str(frame.drop(columns=list(OF_TIME), errors="ignore").to_json(orient="records"))
    if path.suffix == ".csv":
        return str(pd.read_csv(path).drop(columns=list(OF_TIME), errors="ignore").to_csv())
    if path.suffix == ".json":
        return json.dumps(_stripped(json.loads(path.read_text("utf-8"))), sort_keys=True)
    if path.suffix in (".jsonl", ".safetensors", ".txt"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""  # pages, cards and pictures show times


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _stripped(v) for k, v in value.items() if k not in OF_TIME}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


def kill_a_grid(folder: Path, backbone: Path, kills: int, seed: int) -> dict[str, int]:
    """Kills runs of a grid, ends it, and compares.

    Returns:
        How often it was killed, by stage.
    """
    preload()
    undisturbed = prepared(folder / "undisturbed", backbone)
    run_to_end(undisturbed)
    expected = content(undisturbed)
    project = prepared(folder / "killed", backbone)
    counts: dict[str, int] = {}
    for moment in moments(undisturbed, kills, random.Random(seed)):
        saving = is_saving(project)
        at = kill(project, moment)
        in_save = "in a save" if is_saving(project) and not saving else ""
        say(f"killed at {at or '(ended before)'} {in_save}".rstrip())
        stage = at.partition(".")[0] or "ended before"
        counts[stage] = counts.get(stage, 0) + 1
        counts["in a save"] = counts.get("in a save", 0) + bool(in_save)
    run_to_end(project)
    found = content(project)
    differing = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
    assert not differing, differing
    assert not [*unfinished(project)]
    done = len(steps(project))
    run_to_end(project)
    assert len(steps(project)) == done, "what was done is done again"
    weights = sum(name.endswith(".safetensors") for name in found)
    say(f"{kills} kills {counts}: {len(found)} outputs are equal, {weights} weights among them")
    return counts


def printed_by(*arguments: str) -> str:
    """What the command prints, run by a process that has trained nothing: it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, nargs="?")
    parser.add_argument("seed", type=int, nargs="?", default=7)
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        backbone = tiny_bert(Path(folder) / "backbone")
        if given.server:
            from tests.live.test_kills import kill_under_a_server

            kill_under_a_server(Path(folder), backbone, given.kills or 12, given.seed)
        else:
            kill_a_grid(Path(folder), backbone, given.kills or 40, given.seed)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
