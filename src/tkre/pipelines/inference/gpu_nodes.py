"""Labelling of new sentences."""

from __future__ import annotations

from typing import Any

from tkre.core.schema import RelationSchema
from tkre.corpora.row_files import Fields, Row
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.params import InferenceParams
from tkre.modeling.checkpoint import Checkpoint
from tkre.serving.extractor import RelationExtractor
from tkre.serving.labelling import Counts, label_rows, labelled_columns, require_labelled


def label(
    classifier: Checkpoint,
    calibrator: Calibrator,
    schema: RelationSchema,
    sentences: list[Row],
    inference: InferenceParams,
) -> tuple[list[Fields], dict[str, Any]]:
    """Labels rows as ``kedro label`` does, by the same functions.

    Returns:
        The rows with their columns and the answers (``serving.batch.label_rows``), and their
        counts.

    Raises:
        CalibratorError: The calibrator was fitted for other weights, or its validation rows support
            no such precision.
        TableError: No row could be read, or one has a column of the answers.
    """
    from tkre.modeling.runtime import on_device

    natural = False if inference.balanced else None
    with on_device(classifier.model):
        extractor = RelationExtractor(
            classifier.model, classifier.tokenizer, calibrator, inference.wanted_precision, schema,
            natural,
        )  # fmt: skip
        given = dict.fromkeys(name for _, row in sentences if isinstance(row, dict) for name in row)
        labelled_columns(given, extractor, inference.sentences)
        counts = Counts()
        labelled = label_rows(sentences, extractor, counts)
    require_labelled([counts], inference.sentences)
    return labelled, counts.record()
