"""The HTTP service under load: requests a second and latency, and what it says to bad requests.

A real process on a free port, for torch and for the same classifier exported to ONNX Runtime, one
after the other; 1, 8 and 32 clients, each of which sends its next request when the last one is
answered; one sentence a request, and 32. The number of requests and the time are bounded, and any
answer but 200 counts as an error and fails the run.

    python tests/benchmarks/service_load.py [--variant tkre_plus] [--requests 400] [--seconds 20]

The classifier is one of the demo; it is trained first if it is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tests.serving.process import Service
from tkre.core.instance import to_tagged
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.onnx_export import export_onnx

CLIENTS = (1, 8, 32)
SIZES = (1, 32)
GOOD = "<head>Ada</head> was born in <tail>London</tail>."
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Load:
    """What came of one load.

    Attributes:
        seconds: That it took.
        latencies: Of the requests, in seconds.
        errors: Requests that were not answered with 200.
    """

    seconds: float
    latencies: tuple[float, ...]
    errors: int


async def loaded(
    url: str, requests: Sequence[Sequence[str]], clients: int, most: int, seconds: float
) -> Load:
    """Lets clients ask until there were so many requests, or the time is up."""
    latencies: list[float] = []
    errors, number, begun = 0, count(), time.perf_counter()

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal errors
        while (n := next(number)) < most and time.perf_counter() - begun < seconds:
            sent = time.perf_counter()
            body = {"sentences": requests[n % len(requests)]}
            try:
                answer = await client.post(f"{url}/predict", json=body)
                errors += answer.status_code != 200
            except httpx.HTTPError:
                errors += 1
            latencies.append(time.perf_counter() - sent)

    async with httpx.AsyncClient(timeout=120) as client:
        await asyncio.gather(*(ask(client) for _ in range(clients)))
    return Load(time.perf_counter() - begun, tuple(latencies), errors)


def measure(url: str, sentences: Sequence[str], most: int, seconds: float) -> int:
    """Prints a line for every load; how many errors there were."""
    errors = 0
    for size in SIZES:
        requests = [sentences[n : n + size] for n in range(0, len(sentences) - size + 1, size)]
        asyncio.run(loaded(url, requests, 2, 8, seconds))  # what is allocated once
        for clients in CLIENTS:
            load = asyncio.run(loaded(url, requests, clients, most // size + clients, seconds))
            rate = len(load.latencies) / load.seconds
            p50, p95, p99 = np.percentile(load.latencies, (50, 95, 99)) * 1000
            tell(
                f"{size:>9} {clients:>8} {len(load.latencies):>9} {rate:>11.1f} "
                f"{rate * size:>12.1f} {p50:>8.0f} {p95:>8.0f} {p99:>8.0f} {load.errors:>7}"
            )
            errors += load.errors
    return errors


def bad_requests(url: str, limits: dict[str, Any]) -> None:
    """Prints what the service says to requests that it cannot answer."""
    too_many = {"sentences": [GOOD] * (limits["max_sentences"] + 1)}
    asked: dict[str, dict[str, Any]] = {
        "no tags": {"json": {"sentences": [GOOD, "Ada was born in London."]}},
        "a body of 10 MB": {"content": b"a" * 10_000_000, "headers": JSON},
        "not JSON": {"content": b'{"sentences": [', "headers": JSON},
        "not announced as JSON": {"content": b"hello"},
        "an unknown entity type": {"json": {"sentences": [{"sentence": GOOD, "head_type": "god"}]}},
        "a span outside the text": {
            "json": {"sentences": [{"text": "Ada left.", "head": [0, 3], "tail": [4, 99]}]}
        },
        "a misspelt key": {"json": {"sentences": [{"sentence": GOOD, "head_typ": "person"}]}},
        "too many sentences": {"json": too_many},
        "too long a sentence": {"json": {"sentences": ["a" * (limits["max_characters"] + 1)]}},
        "no sentence": {"json": {"sentences": []}},
        "an empty body": {"content": b"", "headers": JSON},
        "an item that is null": {"json": {"sentences": [None]}},
        "one mention twice": {
            "json": {"sentences": [{"text": "Ada left.", "head": [0, 3], "tail": [0, 3]}]}
        },
        "not UTF-8": {"content": b'{"sentences": ["\xe9"]}', "headers": JSON},
        "a compressed body": {"content": b"", "headers": JSON | {"Content-Encoding": "gzip"}},
        "a number of 5,000 digits": {"content": b"1" * 5000, "headers": JSON},
        "20,000 brackets": {"content": b"[" * 20000, "headers": JSON},
    }
    for name, request in asked.items():
        _tell_refusal(name, httpx.post(f"{url}/predict", timeout=60, **request))
    _tell_refusal("GET instead of POST", httpx.get(f"{url}/predict"))
    _tell_refusal("a path that is not there", httpx.get(f"{url}/labels"))


def _tell_refusal(name: str, answer: httpx.Response) -> None:
    told = answer.json()
    detail = told["detail"]
    reason = detail if isinstance(detail, str) else f"{detail[0]['loc']}: {detail[0]['msg']}"
    tell(f"{name:<26} {answer.status_code}  {reason}")


def processor() -> str:
    """Its name, where the system tells."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measures both backends and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="tkre_plus")
    parser.add_argument("--requests", type=int, default=400, help="of one sentence, for each load")
    parser.add_argument("--seconds", type=float, default=20, help="for each load, at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the service")
    options = parser.parse_args()
    test, classifier = load("newsroom.test", f"{DRAW}.{options.variant}.classifier")
    sentences = [to_tagged(instance) for instance in test]
    tell(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor()}, {os.cpu_count()} cores, load "
        f"average before {os.getloadavg()[0]:.1f}; service and clients on the same machine; "
        f"{options.variant} of newsroom, {options.threads} threads"
    )
    errors = 0
    with tempfile.TemporaryDirectory() as folder:
        for backend in ("torch", "onnx"):
            errors += _backend(backend, classifier, Path(folder) / backend, sentences, options)
    if errors:
        raise SystemExit(f"{errors} requests were not answered with 200")


def _backend(
    backend: str,
    classifier: Checkpoint,
    folder: Path,
    sentences: Sequence[str],
    options: argparse.Namespace,
) -> int:
    if backend == "torch":
        classifier.save(folder)
    else:
        export_onnx(classifier, folder)
    begun = time.perf_counter()
    with Service.start(folder, "--threads", str(options.threads)) as service:
        ready = time.perf_counter() - begun
        health = httpx.get(f"{service.url}/health").json()
        tell(f"\n{health['backend']}, ready after {ready:.1f} s; latencies in ms")
        tell(
            f"{'sentences':>9} {'clients':>8} {'requests':>9} {'requests/s':>11} "
            f"{'sentences/s':>12} {'p50':>8} {'p95':>8} {'p99':>8} {'errors':>7}"
        )
        errors = measure(service.url, sentences, options.requests, options.seconds)
        if backend == "torch":
            tell("\nrequests that it refuses")
            bad_requests(service.url, health["limits"])
        if service.stop() != 0:
            raise SystemExit("the service did not stop in order")
    return errors


if __name__ == "__main__":
    main()
