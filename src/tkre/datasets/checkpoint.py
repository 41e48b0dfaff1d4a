"""Encoders and classifiers as catalog entries: folders of Hugging Face files, versioned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version
from kedro_datasets._typing import JSONPreview

from tkre.modeling.weights import locate, model_facts, verify

if TYPE_CHECKING:
    from tkre.modeling.checkpoint import Checkpoint


class CheckpointDataset(AbstractVersionedDataset["Checkpoint", "Checkpoint"]):
    """A model, its tokenizer and its lineage in a folder that ``from_pretrained`` reads.

    Args:
        filepath: The folder; with versions, the folder of versions.
        model: What it holds: a masked language model or a relation classifier.
        version: Kedro's.
        metadata: For kedro-viz.
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
        """The checkpoint, its weights checked against its lineage."""
        from tkre.modeling.checkpoint import Checkpoint

        return Checkpoint.load(Path(self._get_load_path()), _model_class(self._model))

    def save(self, data: Checkpoint) -> None:
        """Writes the checkpoint beside its place, then moves it there: whole or not at all."""
        path = Path(self._get_save_path())
        unfinished = path.with_name(f".{path.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        data.save(unfinished)
        if path.exists():  # only without versions: a version is never written twice
            shutil.rmtree(path)
        unfinished.rename(path)

    def preview(self) -> JSONPreview:
        """What kedro-viz shows: architecture, size, labels and lineage, from the files alone."""
        return JSONPreview(json.dumps(model_facts(Path(self._get_load_path()))))

    def _exists(self) -> bool:
        try:
            return _is_model(str(self._get_load_path()))
        except DatasetError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "model": self._model, "version": self._version}


class BackboneDataset(AbstractDataset[NoReturn, "Checkpoint"]):
    """A published masked language model, by name or path; read-only.

    Args:
        name: What the project calls it.
        source: A Hugging Face name, a folder, or ``package:<package>/<folder>``.
        sha256: Digest that its ``model.safetensors`` must have; None where there is no file to
            check yet.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        sha256: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._source = source
        self._sha256 = sha256
        self.metadata = metadata

    def check(self) -> None:
        """Refuses weights that are missing or not the expected ones, before a run starts."""
        verify(self._source, self._sha256)

    def load(self) -> Checkpoint:
        """The model and its tokenizer, with a lineage of no steps yet."""
        from tkre.modeling.backbone import load_backbone

        return load_backbone(self._name, self._source, self._sha256)

    def digest(self, of_path: Callable[[Path], str | None]) -> str:
        """That of its files; of a published name, the name."""
        return of_path(Path(locate(self._source))) or self._source

    def save(self, data: NoReturn) -> None:
        """Never: a backbone is what its authors published."""
        raise DatasetError("a backbone is read-only")

    def preview(self) -> JSONPreview:
        """What kedro-viz shows: its name and digest, and what its files say if they are here."""
        folder = Path(locate(self._source))
        facts = model_facts(folder) if (folder / "config.json").is_file() else {}
        return JSONPreview(json.dumps({"name": self._name, "sha256": self._sha256} | facts))

    def _exists(self) -> bool:
        return True

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
