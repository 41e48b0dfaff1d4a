"""Digests of datasets: what a node read and made (``runner.code`` has those of code)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol, MemoryDataset
from pydantic import BaseModel

from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder
from tkre.datasets import load_path
from tkre.datasets.corpus import CorpusFolderDataset
from tkre.modeling.weights import file_digest


def of_dataset(catalog: CatalogProtocol, name: str) -> str | None:
    """The digest of a dataset's content as it is now.

    A dataset that is no file may say by a method ``digest(of_path)`` what stands for it.

    Returns:
        None for what has no content to compare: it does not exist, or is no file.
    """
    dataset = catalog.get(name)
    if dataset is not None and name.startswith("params:"):
        return of_value(dataset.load())
    if isinstance(dataset, CorpusFolderDataset):
        return _of_corpus(dataset.load(), catalog)
    if hasattr(dataset, "digest"):
        return str(dataset.digest(of_path))
    if dataset is None or isinstance(dataset, MemoryDataset):
        return None
    path = load_path(dataset)
    return None if path is None else of_path(path)


def of_path(path: Path) -> str | None:
    """The digest of a file, or of all files of a folder with their names; None for nothing."""
    if path.is_file():
        return file_digest(path)
    if not path.is_dir():
        return None
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return of_value({str(file.relative_to(path)): file_digest(file) for file in files})


def _of_corpus(folder: CorpusFolder, catalog: CatalogProtocol) -> str:
    """Of the files that its parameters name: they may be another corpus's."""
    params = CorpusParams.model_validate(catalog[f"params:corpora.{folder.name}"].load())
    files = (RELATIONS_FILE, *params.read_files(), params.reviewed)
    found = {file: folder.find(file) for file in files}
    return of_value({file: path and of_path(path) for file, path in found.items()})


def of_value(value: Any) -> str:
    """The digest of parameters, or of anything made of JSON's types and of models.

    Equal for equal settings: in whatever order, 1 or 1.0, as a model or as what it was made from.
    """
    text = json.dumps(_plain(value), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):  # defaults are code, which has a digest of its own
        return _plain(value.model_dump(mode="json", exclude_unset=True))
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | bool):
        return value
    return float(value) if isinstance(value, int | float) else str(value)
