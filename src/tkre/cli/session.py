"""What the options that several commands take say of themselves.

The project as the commands on a corpus see it: its session, its corpora, its folders.

What a run left of a cell: found here by every command that takes a trained classifier along.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol

from tkre.core.cells import Cell, parse_cell
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.validation import CheckedCorpus, Likeness, check_corpus
from tkre.datasets import load_path
from tkre.project import config_loader as configuration
from tkre.project.config import ExperimentConfig
from tkre.project.hooks import REFUSALS, Refusal
from tkre.training.recipes import Variant

ENVIRONMENT = "Environment of the configuration, as of kedro run."
SOURCE = "Folder or archive of the configuration, as of kedro run."
PARAMETERS = "Parameters for this once, as of kedro run: a.b=1,c=2."


RAW, CONF = Path("data/01_raw"), Path("conf/base")


def in_project(env: str | None, do: Callable[[KedroContext], Any]) -> Any:
    """Runs a command in the project; what it refuses is shown without a traceback."""
    try:
        with KedroSession.create(env=env) as session:
            return do(session.load_context())
    except REFUSALS as error:
        raise Refusal(str(error)) from error


def variant_of(config: ExperimentConfig, name: str) -> Variant:
    """The variant of a name.

    Raises:
        LookupError: There is none.
    """
    variants = config.parameters.variants
    if name not in variants:
        raise LookupError(f"there is no variant {name!r}{did_you_mean(name, variants)}")
    return variants[name]


def require_corpus(config: ExperimentConfig, name: str) -> None:
    """Refuses a name that no corpus has.

    Raises:
        LookupError: With the way out.
    """
    if name in config.parameters.corpora:
        return
    if (RAW / name).is_dir():
        raise LookupError(
            f"{RAW / name} is there, but conf/ has no entry corpora.{name}: put one into "
            f"conf/base/parameters_corpora_{name}.yml (docs/data.md), or let `kedro corpus new` "
            "make all files"
        )
    raise LookupError(
        f"there is no corpus {name!r}{did_you_mean(name, config.parameters.corpora)}; "
        f"`kedro corpus new {name}` makes one"
    )


def checked_corpus(context: KedroContext, name: str, shots: int) -> CheckedCorpus:
    """The corpus of a name, checked.

    Raises:
        LookupError: There is none.
    """
    config = configuration.read_config()
    require_corpus(config, name)
    synthesis = config.parameters.generation.synthesis
    return check_corpus(
        context.catalog.load(f"{name}.folder"),
        config.parameters.corpora[name],
        Likeness(synthesis.overlap_words, synthesis.max_overlap),
        shots,
    )


EXAMPLE = "newsroom.k8.s13.tkre_plus"


@dataclass(frozen=True)
class TrainedCell:
    """The newest classifier of a cell and what belongs to it.

    Attributes:
        classifier: Its folder.
        calibrator: The file of its calibrator record.
        schema: Of its corpus; it has the labels of the classifier.
    """

    classifier: Path
    calibrator: Path
    schema: RelationSchema


def find_trained(catalog: CatalogProtocol, cell: str) -> TrainedCell:
    """The newest classifier of a cell.

    Raises:
        FileNotFoundError: There is none yet.
        ValueError: This is no name of a cell, its classifier is never saved, or the corpus has
            other relations by now.
    """
    corpus = _named(cell).sample.corpus
    folder, calibrator = (
        newest(catalog, f"{cell}.{part}") for part in ("classifier", "calibrator")
    )
    if folder is None or calibrator is None:
        raise _missing(cell)
    schema = RelationSchema.model_validate(catalog.load(f"{corpus}.schema"))
    labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"].values()
    if changed := sorted({*labels} ^ {*schema.relations}):
        raise ValueError(
            f"{corpus} has other relations than the classifier of {cell} ({', '.join(changed)}): "
            f"kedro run --to-outputs {cell}.calibrator"
        )
    return TrainedCell(folder, calibrator, schema)


def _named(cell: str) -> Cell:
    """The cell of that name; who gives a folder is told which commands take one."""
    try:
        return parse_cell(cell)
    except ValueError:
        if Path(cell).is_dir():
            raise ValueError(
                f"{cell!r} is a folder, here the name of a cell is wanted, such as {EXAMPLE}; "
                f"`python -m tkre.serving.api {cell}` serves a folder, "
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
    variants = configuration.read_config().parameters.variants
    variant = _named(name).variant
    if variant not in variants:
        return ValueError(
            f"{name}: there is no variant {variant!r}{did_you_mean(variant, variants)}"
        )
    if variants[variant].finetuning is None:
        return ValueError(
            f"{name}: what SetFit trains is scored and not saved; take a variant with finetuning"
        )
    return FileNotFoundError(
        f"{name} has no classifier yet: kedro run --to-outputs {name}.calibrator"
    )
