"""A classifier that was exported for ONNX Runtime (``onnx_export``), ready to predict.

Neither torch nor transformers is imported, which takes most of the time of a start. The kind of
another package's head may import them (``modeling.params.HeadKind``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkre.core.documents import read_json
from tkre.core.errors import UserError
from tkre.core.instance import Instance
from tkre.modeling.params import HEADS
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.modeling.weights import file_digest
from tkre.training.batching import Batch
from tkre.training.scoring import SMALL_BATCH, Probabilities

MODEL_FILE = "model.onnx"
RECORD_FILE = "onnx.json"


class OnnxError(UserError, RuntimeError):
    """An exported classifier that is incomplete, or is not the one of its record."""


class OnnxClassifier:
    """An exported classifier, in the place of a ``RelationClassifier`` that only predicts.

    Args:
        session: Session of ONNX Runtime.
        config: The settings of the classifier.
        weights: Digest of the weights that it was exported from.
        padding: The padding token of its encoder.
        int8: Whether it multiplies in int8: then the scale of a batch depends on all its rows.
        threads: Batches that are computed at the same time.

    Attributes:
        tokens_per_batch: Most tokens of a batch.
    """

    tokens_per_batch = SMALL_BATCH

    def __init__(
        self,
        session: Any,
        config: ClassifierSettings,
        weights: str,
        padding: int,
        *,
        int8: bool = False,
        threads: int = 1,
    ) -> None:
        self.config = config
        self.weights = weights
        self.padding = padding
        self.int8 = int8
        self.threads = threads
        self._session = session

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> OnnxClassifier:
        """The classifier in a folder.

        Args:
            folder: Folder that ``export_onnx`` wrote.
            threads: Batches that are computed at the same time, each by one thread, so that none
                waits for another; None is ``OMP_NUM_THREADS``, or the number of cores.

        Raises:
            OnnxError: ONNX Runtime is missing, or the file is not the exported one.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise OnnxError(f"{folder} needs ONNX Runtime: pip install 'tkre[onnx]'") from None
        record = read_json(folder / RECORD_FILE)
        if (found := file_digest(folder / MODEL_FILE)) != record["sha256"]:
            raise OnnxError(
                f"{folder / MODEL_FILE} has the SHA-256 {found[:12]}..., its record says "
                f"{record['sha256'][:12]}...: export it again"
            )
        outermost = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # "4,2": nested levels
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        return cls(
            session,
            ClassifierSettings.read(folder),
            record["weights"],
            record["padding"],
            int8=record["int8"],
            threads=threads or int(outermost or os.cpu_count() or 1),
        )

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
