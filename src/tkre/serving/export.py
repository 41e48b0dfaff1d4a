"""A classifier, its calibrator, schema and card in one folder, as for the Hugging Face Hub."""

from __future__ import annotations

import shutil
from pathlib import Path

from tkre.core.errors import UserError
from tkre.core.provenance import LINEAGE_FILE, Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibrator import Calibrator
from tkre.serving.extractor import save_artifacts

CARD_FILE = "README.md"


class PublishingError(UserError, RuntimeError):
    """Parts of different classifiers, or a folder that is not empty; the message has the remedy."""


def assemble(
    classifier: Path, calibrator: Path, schema: RelationSchema, card: str, folder: Path
) -> list[str]:
    """Put a classifier, its calibrator record, its schema and its card into a folder.

    Args:
        classifier: Folder of one version of the classifier.
        calibrator: File of its calibrator record.
        schema: Schema of its labels.
        card: Text of its card.
        folder: Target; created if missing.

    Returns:
        Names of the files.

    Raises:
        PublishingError: The folder holds something, or record or card are of other weights.
    """
    weights = Lineage.from_file(classifier / LINEAGE_FILE).weights
    record = Calibrator.read(calibrator)
    record.require(weights)
    if weights not in card:
        raise PublishingError(
            f"the card of {record.cell} is of other weights than {weights[:12]}..., the newest "
            "ones: kedro run --pipelines <experiment> --tags reporting writes it again"
        )
    require_empty(folder)
    shutil.copytree(classifier, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    save_artifacts(folder, calibrator, schema)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return sorted(file.name for file in folder.iterdir())


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds something: a second classifier would mix with the first.

    Raises:
        PublishingError: The folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PublishingError(f"{folder} is not empty: name another folder, or empty it")
