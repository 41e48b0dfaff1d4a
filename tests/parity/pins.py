"""The pinned values: a JSON file that is compared with, or written under ``TKRE_RECORD_PINS``."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

FILE = Path(__file__).with_name("pins.json")
RECORD = "TKRE_RECORD_PINS"


def check(name: str, actual: Any, *, rel: float = 0.0) -> None:
    """Compares with what is pinned under a name, floats to ``rel``; or writes it down."""
    actual = json.loads(json.dumps(plain(actual)))
    pinned = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    if os.environ.get(RECORD):
        pinned[name] = actual
        lines = (f"{json.dumps(key)}: {json.dumps(pinned[key])}" for key in sorted(pinned))
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return
    found = list(differences(pinned[name], actual, rel, name))
    assert not found, "\n".join([f"{len(found)} values differ", *found[:20]])


def needs(name: str) -> None:
    """Leaves a test out where nothing is pinned under the name: another kind of machine."""
    if not os.environ.get(RECORD) and name not in json.loads(FILE.read_text(encoding="utf-8")):
        pytest.skip(
            f"{name} is not recorded: python -m tests.parity.record, on a known good commit"
        )


def differences(pinned: Any, actual: Any, rel: float, at: str) -> Iterator[str]:
    """Where two values of JSON's types differ."""
    if isinstance(pinned, dict) and isinstance(actual, dict):
        for key in sorted(pinned.keys() | actual.keys()):
            if key in pinned and key in actual:
                yield from differences(pinned[key], actual[key], rel, f"{at}/{key}")
            else:
                yield f"{at}/{key}: {'gone' if key in pinned else 'new'}"
    elif isinstance(pinned, list) and isinstance(actual, list) and len(pinned) == len(actual):
        for n, (one, other) in enumerate(zip(pinned, actual, strict=True)):
            yield from differences(one, other, rel, f"{at}/{n}")
    elif isinstance(pinned, float) and isinstance(actual, float):
        if not math.isclose(pinned, actual, rel_tol=rel, abs_tol=rel / 10):
            yield f"{at}: {pinned} -> {actual}"
    elif pinned != actual or type(pinned) is not type(actual):
        yield f"{at}: {pinned} -> {actual}"


def plain(value: Any) -> Any:
    """Frames, arrays and the like as JSON's types; what is missing is null."""
    if isinstance(value, pd.DataFrame):
        return {str(name): plain(value[name].tolist()) for name in value}
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic | pd.Series):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def digest(value: Any) -> str:
    """A short digest of exact values: integers, flags, texts."""
    text = json.dumps(plain(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
