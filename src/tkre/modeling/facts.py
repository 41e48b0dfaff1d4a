"""What the files of a saved model say of it, read without loading its weights. Imports no torch."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tkre.modeling.lineage import Lineage

SHOWN = 12  # characters of a digest: enough to compare two by eye


def model_facts(folder: Path) -> dict[str, Any]:
    """Architecture and size of a model, its labels, and what it was made from.

    Args:
        folder: Of Hugging Face files; a lineage beside them is told if there is one.

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
    lineage = folder / "lineage.json"
    if lineage.is_file():
        facts |= lineage_facts(Lineage.model_validate_json(lineage.read_text(encoding="utf-8")))
    return facts


def lineage_facts(lineage: Lineage) -> dict[str, Any]:
    """The steps from a backbone to a model: digests to compare, seconds, settings."""
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
    """Counted from the header of the file; tensors that are tied stand in it once."""
    with safe_open(weights, framework="np") as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 (no mapping)
        return {
            "parameters": sum(prod(tensor.get_shape()) for tensor in tensors),
            "types": sorted({tensor.get_dtype() for tensor in tensors}),
            "megabytes": round(weights.stat().st_size / 1e6, 1),
        }
