"""A classifier with all that belongs to it in one folder: what is put on the Hub, or handed on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tkre.core.provenance import LINEAGE_FILE, Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibrator import Calibrator
from tkre.serving.extractor import save_artifacts

CARD_FILE = "README.md"


class PublishingError(RuntimeError):
    """Parts that do not belong together, or a place that is taken; the message says the way out."""


def assemble(
    classifier: Path, calibrator: Path, schema: RelationSchema, card: str, folder: Path
) -> list[str]:
    """Puts a classifier, its calibrator record, its relations and its card into a folder.

    Args:
        classifier: The folder of a version of it.
        calibrator: The file of its calibrator record.
        schema: Of its labels.
        card: Its text.
        folder: Where to; made if it is not there.

    Returns:
        The names of the files.

    Raises:
        PublishingError: The folder holds something, or record or card are of other weights.
    """
    weights = Lineage.model_validate_json(
        (classifier / LINEAGE_FILE).read_text(encoding="utf-8")
    ).weights
    record = Calibrator.read(calibrator)
    record.require(weights)
    if weights not in card:
        raise PublishingError(
            f"the card of {record.cell} is of other weights than {weights[:12]}..., the newest "
            "ones: kedro run --pipelines <experiment> --tags reporting writes it again"
        )
    require_empty(folder)
    shutil.copytree(classifier, folder, dirs_exist_ok=True)
    _forget_where_it_was_trained(folder / "config.json")
    save_artifacts(folder, calibrator, schema)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return sorted(file.name for file in folder.iterdir())


def require_empty(folder: Path) -> None:
    """Two classifiers in one folder would be a mix of both, so none is written over another.

    Args:
        folder: Where one is to be put; it need not be there.

    Raises:
        PublishingError: It holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PublishingError(f"{folder} is not empty: name another folder, or empty it")


def _forget_where_it_was_trained(config: Path) -> None:
    """Older versions saved the folder of the encoder: a path of the publisher's machine."""
    content = json.loads(config.read_text(encoding="utf-8"))
    if content.get("encoder", {}).pop("_name_or_path", None) is not None:
        config.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
