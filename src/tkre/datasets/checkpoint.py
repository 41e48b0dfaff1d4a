"""Encoders, classifiers and backbones: folders of Hugging Face files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import JSONPreview

from tkre.core.documents import read_json
from tkre.datasets import ReadOnlyDataset
from tkre.modeling.settings import most_tokens
from tkre.modeling.weights import installed, locate, model_facts, verify

if TYPE_CHECKING:
    from tkre.modeling.checkpoint import Checkpoint


class CheckpointDataset(AbstractVersionedDataset["Checkpoint", "Checkpoint"]):
    """A model, its tokenizer and its lineage in a folder that ``from_pretrained`` reads.

    Args:
        filepath: The folder; with versions, the folder of versions.
        model: Kind of the model.
        version: Kedro's version.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        model: Literal["masked_lm", "classifier"],
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._model = model
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(filepath),
            version=version,
            exists_function=_is_model,
        )

    def load(self) -> Checkpoint:
        """The checkpoint; its weights are compared with its lineage."""
        from tkre.modeling.checkpoint import Checkpoint

        return Checkpoint.load(Path(self._get_load_path()), _model_class(self._model))

    def save(self, data: Checkpoint) -> None:
        """Writes the files; the catalog moves them into place (``datasets.versions``)."""
        data.save(Path(self._get_save_path()))

    def preview(self) -> JSONPreview:
        """Architecture, size, labels and lineage, read from the files without loading weights."""
        return JSONPreview(json.dumps(model_facts(Path(self._get_load_path()))))

    def _exists(self) -> bool:
        return _is_model(str(self._get_load_path()))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "model": self._model, "version": self._version}


class BackboneDataset(ReadOnlyDataset["Checkpoint"]):
    """A published masked language model, by name or path; read-only.

    Args:
        name: Name in lineages and reports.
        source: Hugging Face name, or another source of ``weights.locate``.
        sha256: Expected digest of ``model.safetensors``; None skips the check.
        otherwise: Hugging Face name that is taken where the packages of the source are not
            installed; its digest is not checked.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        sha256: str | None = None,
        otherwise: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._source, self._sha256 = source, sha256
        if otherwise and not installed(source):
            self._source, self._sha256 = otherwise, None
        self.metadata = metadata

    def check(self) -> None:
        """Raises before a run if the weights are missing or not the expected ones."""
        verify(self._source, self._sha256)

    def longest(self) -> int | None:
        """Tokens that its positions suffice for; None if unknown before a download, or no limit."""
        config = Path(locate(self._source)) / "config.json"
        return most_tokens(read_json(config)) if config.is_file() else None

    def load(self) -> Checkpoint:
        """The model and its tokenizer, with an empty lineage."""
        from tkre.modeling.backbone import load_backbone

        return load_backbone(self._name, self._source, self._sha256)

    def digest(self, of_path: Callable[[Path], str | None]) -> str:
        """Digest of its files; the name if they are not in a local folder."""
        return of_path(Path(locate(self._source))) or self._source

    def preview(self) -> JSONPreview:
        """Name, digest, and facts from the files if they are local."""
        folder = Path(locate(self._source))
        facts = model_facts(folder) if (folder / "config.json").is_file() else {}
        return JSONPreview(json.dumps({"name": self._name, "sha256": self._sha256} | facts))

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "source": self._source, "sha256": self._sha256}


def _model_class(model: str) -> Any:
    if model == "classifier":
        from tkre.modeling.classifier import RelationClassifier

        return RelationClassifier
    from transformers import AutoModelForMaskedLM

    return AutoModelForMaskedLM


def _is_model(path: str) -> bool:
    return (Path(path) / "config.json").is_file()
