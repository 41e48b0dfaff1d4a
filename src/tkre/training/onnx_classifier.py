"""A classifier that was exported for ONNX Runtime (``onnx_export``), ready to predict.

Neither torch nor transformers is imported, which takes most of the time of a start. The kind of
another package's head may import them (``modeling.params.HeadKind``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkre.core.instance import Instance
from tkre.modeling.params import HEADS
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.modeling.weights import file_digest
from tkre.training.batching import Batch
from tkre.training.scoring import TOKENS_PER_BATCH, Probabilities

MODEL_FILE = "model.onnx"
RECORD_FILE = "onnx.json"


class OnnxError(RuntimeError):
    """An exported classifier that is incomplete, or is not the one of its record."""


class OnnxClassifier:
    """An exported classifier, in the place of a ``RelationClassifier`` that only predicts.

    Args:
        session: Session of ONNX Runtime.
        config: The settings of the classifier.
        weights: Digest of the weights that it was exported from.
        padding: The padding token of its encoder.

    Attributes:
        tokens_per_batch: Most tokens of a batch.
    """

    tokens_per_batch = TOKENS_PER_BATCH

    def __init__(
        self, session: Any, config: ClassifierSettings, weights: str, padding: int
    ) -> None:
        self.config = config
        self.weights = weights
        self.padding = padding
        self._session = session

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> OnnxClassifier:
        """The classifier in a folder.

        Args:
            folder: Folder that ``export_onnx`` wrote.
            threads: Threads of ONNX Runtime; None is its own choice.

        Raises:
            OnnxError: ONNX Runtime is missing, or the file is not the exported one.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise OnnxError(f"{folder} needs ONNX Runtime: pip install 'tkre[onnx]'") from None
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        if (found := file_digest(folder / MODEL_FILE)) != record["sha256"]:
            raise OnnxError(
                f"{folder / MODEL_FILE} has the SHA-256 {found[:12]}..., its record says "
                f"{record['sha256'][:12]}...: export it again"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        session = onnxruntime.InferenceSession(
            str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        settings = ClassifierSettings.read(folder)
        return cls(session, settings, record["weights"], record["padding"])

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """Instances as tokens, like ``RelationClassifier.encode``."""
        return HEADS[self.config.head].encode(self.config, instances, tokenizer)

    def probabilities(self, batch: Batch) -> Probabilities:
        """B x R probabilities of B padded rows."""
        [logits_BR] = self._session.run(["logits"], batch)
        logits_BR = logits_BR.astype(np.float64)
        powers_BR = np.exp(logits_BR - logits_BR.max(axis=1, keepdims=True))
        probabilities_BR: Probabilities = powers_BR / powers_BR.sum(axis=1, keepdims=True)
        return probabilities_BR
