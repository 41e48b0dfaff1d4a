"""The folder of a classifier: its newest version, what is in it, what lies beside the weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tkre.corpora.folder import RELATIONS_FILE
from tkre.corpora.schema import RelationSchema
from tkre.evaluation.trust import TRUST_FILE, Trust
from tkre.modeling.tokens import Tokenizer
from tkre.training.onnx_classifier import MODEL_FILE, OnnxClassifier

if TYPE_CHECKING:  # it loads torch
    from tkre.modeling.classifier import RelationClassifier

SCHEMA_FILE = RELATIONS_FILE  # as in the folder of its corpus


def newest_version(path: Path) -> Path:
    """The folder itself if it holds a model, else the newest version in it.

    Raises:
        FileNotFoundError: Neither holds one.
    """
    if (path / "config.json").is_file():
        return path
    versions = sorted(p.parent for p in path.glob("*/*/config.json"))
    if not versions:
        raise FileNotFoundError(
            f"no classifier in {path}: neither config.json nor a version of one; `kedro run` "
            "writes classifiers to data/06_models/<corpus>/<shots>/<seed>/<variant>/classifier"
        )
    return versions[-1]


def load_model(
    folder: Path, threads: int | None
) -> tuple[RelationClassifier | OnnxClassifier, Tokenizer]:
    """The model and the tokenizer in a folder, with as little of the libraries as it needs."""
    if (folder / MODEL_FILE).is_file():
        exported = OnnxClassifier.load(folder, threads)
        return exported, exported.load_tokenizer(folder)
    from tkre.modeling.quiet import quiet_transformers
    from tkre.modeling.startup import load_tokenizer, spare_sklearn

    with quiet_transformers():
        spare_sklearn()
        from tkre.modeling.classifier import RelationClassifier
        from tkre.modeling.device import device

        model = RelationClassifier.from_pretrained(folder).to(device())
        return model, load_tokenizer(folder)


def trust_beside(folder: Path, trust: Trust | str | Path | Literal[False] | None) -> Trust | None:
    """The record that is meant: a given one, that beside the weights if None, none if False."""
    if trust is None:
        beside = folder / TRUST_FILE
        return Trust.read(beside) if beside.is_file() else None
    if trust is False:
        return None
    return trust if isinstance(trust, Trust) else Trust.read(trust)


def schema_beside(
    folder: Path, schema: RelationSchema | str | Path | None
) -> RelationSchema | None:
    """The schema that is meant: a given one, or that beside the weights, if there is one."""
    if isinstance(schema, RelationSchema):
        return schema
    file = folder / SCHEMA_FILE if schema is None else Path(schema)
    if schema is None and not file.is_file():
        return None
    import yaml

    return RelationSchema.parse(yaml.safe_load(file.read_text(encoding="utf-8")), str(file))


def put_beside(folder: Path, trust: Path, schema: RelationSchema) -> None:
    """Puts beside the weights what ``trust_beside`` and ``schema_beside`` look for.

    Args:
        folder: Of the classifier.
        trust: The file of its trust record.
        schema: Of its labels.
    """
    import yaml

    shutil.copyfile(trust, folder / TRUST_FILE)
    content = schema.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    (folder / SCHEMA_FILE).write_text(text, encoding="utf-8")
