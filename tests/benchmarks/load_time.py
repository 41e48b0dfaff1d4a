"""Seconds from the start of a process to its first answer, with torch and with ONNX Runtime.

Each in processes of its own, one after the other, the best of some: importing the extractor,
loading a classifier, labelling one sentence, the process as a whole, and its time of the processor,
which tells more where the machine has other work to do. Both read the same classifier, one of the
demo (it is trained first if it is not there).

    python tests/benchmarks/load_time.py [--variant tkre_plus] [--repeats 5] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tkre.core.provenance import processor
from tkre.training.onnx_export import export_onnx

PARTS = ("import", "load", "answer", "process", "CPU")
SENTENCE = "<head>Ada Lovelace</head> was born in <tail>London</tail>."
PROGRAM = """
import json, sys, time
clock = [time.perf_counter()]
from tkre.serving.extractor import RelationExtractor
clock.append(time.perf_counter())
extractor = RelationExtractor.from_pretrained(sys.argv[1])
clock.append(time.perf_counter())
[prediction] = extractor([sys.argv[2]])
clock.append(time.perf_counter())
took = [after - before for before, after in zip(clock, clock[1:])]
libraries = [name for name in ("torch", "transformers", "pandas") if name in sys.modules]
print(json.dumps([took, prediction.guess, libraries]))
"""


def measured(folder: Path, threads: int, repeats: int) -> tuple[list[float], str, list[str]]:
    """The quickest process: its parts, the whole and the CPU's; its answer, what it imported."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder), SENTENCE]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    runs = []
    for _ in range(repeats):
        begun, used = time.perf_counter(), _used_by_children()
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        whole = time.perf_counter() - begun
        took, guess, libraries = json.loads(done.stdout)
        runs.append(([*took, whole, _used_by_children() - used], guess, libraries))
    return min(runs, key=lambda run: run[0][PARTS.index("process")])


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measures both and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="tkre_plus")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    [classifier] = load(f"{DRAW}.{options.variant}.classifier")
    tell(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor()}, {os.cpu_count()} cores, load "
        f"average before {os.getloadavg()[0]:.1f}; {options.variant} of newsroom, "
        f"{options.threads} threads, the best of {options.repeats} processes, seconds"
    )
    tell(f"{'':<14}" + "".join(f"{part:>9}" for part in PARTS) + "  answer, imported")
    with tempfile.TemporaryDirectory() as folder:
        saved, exported = Path(folder) / "saved", Path(folder) / "exported"
        classifier.save(saved)
        export_onnx(classifier, exported)
        for name, path in (("torch", saved), ("ONNX Runtime", exported)):
            seconds, guess, libraries = measured(path, options.threads, options.repeats)
            row = "".join(f"{part:>9.2f}" for part in seconds)
            tell(f"{name:<14}{row}  {guess}, {' '.join(libraries) or 'none of them'}")


if __name__ == "__main__":
    main()
