"""Mutation testing: is every fault that is planted in a module found by the module's own tests?

``python -m tests.mutants [name ...]`` changes one place of a module at a time (a comparison, an
operator, a number, a condition, a statement left out) and runs the module's tests on it; a mutant
that no test fails on *survives*. The score of a module is the share that is killed. Survivors that
cannot be told from the original by what they do are listed with a reason in ``equivalent.toml``.

A mutant costs a tenth of a second: tests are collected and their fixtures made once, and each
mutant is tested in a fork, whose functions get the code of the mutant. Texts for people (those with
blanks, f-strings), annotations and docstrings are not changed.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.changes import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # of processor time that a mutant may take: one that runs for ever is killed
TARGETS = {
    "sampler": ("tkre.corpora.sampling", "tests/corpora/test_sampling.py"),
    "masking": ("tkre.modeling.span_masking", "tests/modeling/test_span_masking.py"),
    "parser": ("tkre.generation.llm.parsing", "tests/generation/test_parsing.py"),
    "tags": ("tkre.core.instance", "tests/core/test_instance.py"),
    "metrics": ("tkre.evaluation.metrics", "tests/evaluation/test_metrics.py"),
}


@dataclass
class Trial:
    """Plug-in of pytest that tests mutants once the tests have passed without one.

    Attributes:
        module: Name of the module that is changed.
        equivalent: Reasons of the mutants that behave as the original, by change.
        killed: Number of mutants that a test fails on.
        survivors: The others.
    """

    module: str
    equivalent: dict[str, str]
    killed: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs the tests as they are, then on each mutant."""
        seconds: dict[pytest.Item, float] = {}
        assert passes(session.items, seconds), "the tests fail on the module as it is"
        tests = sorted(session.items, key=seconds.__getitem__)  # most mutants fail on a quick one
        path = ROOT / "src" / Path(*self.module.split(".")).with_suffix(".py")
        for mutant in mutants(path.read_text("utf-8")):
            if str(mutant) in self.equivalent:
                self.listed.add(str(mutant))
            elif self.survives(mutant, path, tests):
                self.survivors.append(mutant)
                say(f"  survived: line {mutant.line}, {mutant}")
            else:
                self.killed += 1
        return True

    def survives(self, mutant: Mutant, path: Path, items: list[pytest.Item]) -> bool:
        """Whether the tests pass on a mutant, in a fork."""
        if pid := os.fork():
            return os.waitpid(pid, 0)[1] == 0
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            signal.signal(signal.SIGXCPU, signal.SIG_DFL)
            mutant.plant(sys.modules[self.module], path)
            os._exit(0 if passes(items) else 1)
        finally:
            os._exit(1)


def passes(items: list[pytest.Item], seconds: dict[pytest.Item, float] | None = None) -> bool:
    """Runs tests, until one fails. Fixtures of their modules and of the session stay.

    Args:
        items: The tests.
        seconds: The time of each is put there.
    """
    for item, following in zip(items, [*items[1:], items[0]], strict=True):
        if hasattr(item, "_initrequest"):
            item._initrequest()
        reports = runtestprotocol(item, nextitem=following, log=False)
        if seconds is not None:
            seconds[item] = sum(report.duration for report in reports)
        if any(report.failed for report in reports):
            return False
    return True


def score(name: str) -> str:
    """Tests the mutants of a module.

    Args:
        name: Key of ``TARGETS``.

    Returns:
        A line that has its score.
    """
    module, tests = TARGETS[name]
    reasons = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text("utf-8"))
    trial = Trial(module, reasons.get(name, {}))
    began = time.monotonic()
    # Without what explains a failure, which takes longer than a test of thousands of rows.
    arguments = ["-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", "--no-summary",
                 "--tb=no", "--assert=plain"]  # fmt: skip
    status = pytest.main([*arguments, str(ROOT / tests)], plugins=[trial])
    assert status == pytest.ExitCode.OK, status
    for stale in sorted(reasons.get(name, {}).keys() - trial.listed):
        say(f"  equivalent.toml names no mutant: {stale}")
    total = trial.killed + len(trial.survivors)
    return (
        f"{name}: {trial.killed} of {total} mutants killed ({100 * trial.killed / total:.1f} %), "
        f"{len(trial.listed)} equivalent, {time.monotonic() - began:.0f} s"
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(TARGETS))
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in TARGETS]:
        parser.error(f"{unknown[0]} is none of {', '.join(TARGETS)}")
    os.environ["OMP_NUM_THREADS"] = "1"
    lines = [score(name) for name in given.names or TARGETS]
    say("\n".join(lines))


if __name__ == "__main__":
    main()
