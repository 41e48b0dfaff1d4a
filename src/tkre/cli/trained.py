"""What a run left of a cell: found here by every command that takes a trained classifier along."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kedro.io import CatalogProtocol

from tkre import configuration
from tkre.corpora.schema import RelationSchema
from tkre.grid import Cell, parse_cell
from tkre.runners.digests import load_path
from tkre.suggest import did_you_mean

EXAMPLE = "newsroom.k8.s13.tkre_plus"


@dataclass(frozen=True)
class TrainedCell:
    """The newest classifier of a cell and what belongs to it.

    Attributes:
        classifier: Its folder.
        trust: The file of its trust record.
        schema: Of its corpus; it has the labels of the classifier.
    """

    classifier: Path
    trust: Path
    schema: RelationSchema


def find_trained(catalog: CatalogProtocol, cell: str) -> TrainedCell:
    """The newest classifier of a cell.

    Raises:
        FileNotFoundError: There is none yet.
        ValueError: This is no name of a cell, its classifier is never saved, or the corpus has
            other relations by now.
    """
    corpus = _named(cell).draw.corpus
    folder, trust = (newest(catalog, f"{cell}.{part}") for part in ("classifier", "trust"))
    if folder is None or trust is None:
        raise _missing(cell)
    schema = RelationSchema.model_validate(catalog.load(f"{corpus}.schema"))
    labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"].values()
    if changed := sorted({*labels} ^ {*schema.relations}):
        raise ValueError(
            f"{corpus} has other relations than the classifier of {cell} ({', '.join(changed)}): "
            f"kedro run --to-outputs {cell}.trust"
        )
    return TrainedCell(folder, trust, schema)


def _named(cell: str) -> Cell:
    """The cell of that name; who gives a folder is told which commands take one."""
    try:
        return parse_cell(cell)
    except ValueError:
        if Path(cell).is_dir():
            raise ValueError(
                f"{cell!r} is a folder, here the name of a cell is wanted, such as {EXAMPLE}; "
                f"`python -m tkre.service {cell}` serves a folder, "
                f"`kedro label --classifier {cell}` labels with it"
            ) from None
        raise ValueError(
            f"{cell!r} is neither a folder nor the name of a cell such as {EXAMPLE}"
        ) from None


def newest(catalog: CatalogProtocol, name: str) -> Path | None:
    """Where the newest version of a dataset lies; None if there is none."""
    dataset = catalog.get(name)
    return load_path(dataset) if dataset is not None and dataset.exists() else None


def _missing(name: str) -> Exception:
    """Why a cell has no classifier, and what to do."""
    variants = configuration.read_book().parameters.variants
    variant = _named(name).variant
    if variant not in variants:
        return ValueError(
            f"{name}: there is no variant {variant!r}{did_you_mean(variant, variants)}"
        )
    if variants[variant].finetuning is None:
        return ValueError(
            f"{name}: what SetFit trains is scored and not saved; take a variant with finetuning"
        )
    return FileNotFoundError(f"{name} has no classifier yet: kedro run --to-outputs {name}.trust")
