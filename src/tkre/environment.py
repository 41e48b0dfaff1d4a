"""Where and when something was made: revision, machine, versions. Imports none of the libraries."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tkre.params import Params

LIBRARIES = (
    "tkre", "kedro", "kedro-datasets", "numpy", "pandas", "scikit-learn", "torch", "transformers",
    "accelerate", "setfit", "vllm", "openai", "ray",
)  # fmt: skip
_PATIENCE = 10.0  # seconds for git; a report does not wait for a sick disk


class Environment(Params):
    """What a result may depend on beside code, parameters and data.

    Attributes:
        finished: When, in UTC, as ISO 8601.
        revision: Of the repository that the code lies in; None where it lies in none.
        modified: Whether the code there differed from that revision; None likewise.
        python: Version.
        platform: System and architecture.
        processor: In words.
        cores: How many the machine has.
        libraries: Versions of those that are installed.
        device: What it was computed on, in words; None where nothing was trained.
        threads: Of the processor, likewise.
        precision: Of the matrix products, likewise.
    """

    finished: str
    revision: str | None
    modified: bool | None
    python: str
    platform: str
    processor: str
    cores: int | None
    libraries: dict[str, str]
    device: str | None = None
    threads: int | None = None
    precision: str | None = None


def environment(
    device: str | None = None, threads: int | None = None, precision: str | None = None
) -> Environment:
    """The environment of this process, now.

    Args:
        device: Where it computes, if it trains.
        threads: Likewise.
        precision: Likewise.
    """
    revision, modified = _revision(Path(__file__).parent)
    return Environment(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=revision,
        modified=modified,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()}, {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count(),
        libraries=versions(LIBRARIES),
        device=device,
        threads=threads,
        precision=precision,
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor in words."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@cache  # what runs is what was there when the process first asked
def _revision(folder: Path) -> tuple[str | None, bool | None]:
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None, None
    changes = _git(folder, "status", "--porcelain")
    return head, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None without git or a repository."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()
