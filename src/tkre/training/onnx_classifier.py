"""A classifier that was exported for ONNX Runtime (``onnx_export``), ready to predict.

Neither torch nor transformers is imported, which is most of the time of a start; only a head of
another package that has no entry in ``modeling.encodings`` needs them, for its way to encode.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tkre.core.instance import Instance
from tkre.modeling.encodings import ENCODINGS
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, FileTokenizer, Tokenizer
from tkre.modeling.weights import file_digest
from tkre.training.batching import Batch
from tkre.training.scoring import TOKENS_PER_BATCH, Probabilities

MODEL_FILE = "model.onnx"
RECORD_FILE = "onnx.json"


class OnnxError(RuntimeError):
    """An exported classifier that is missing a part, or is not the one its record speaks of."""


@dataclass(frozen=True)
class Reading:
    """How an exported classifier reads sentences.

    Attributes:
        encode: Instances as tokens, by a tokenizer.
        padding: The padding token of its encoder.
        load_tokenizer: The tokenizer in a folder, of the kind that ``encode`` wants.
    """

    encode: Callable[[Sequence[Instance], Tokenizer], Sequence[Encoded]]
    padding: int
    load_tokenizer: Callable[[Path], Tokenizer]


class OnnxClassifier:
    """An exported classifier, in the place of a ``RelationClassifier`` that only predicts.

    Args:
        session: Of ONNX Runtime.
        config: The classifier's.
        weights: Digest of the weights that it was exported from.
        reading: How it reads sentences.

    Attributes:
        config: The classifier's.
        weights: See above.
        padding: The padding token of its encoder.
        tokens_per_batch: How many it reads at once.
    """

    tokens_per_batch = TOKENS_PER_BATCH

    def __init__(
        self, session: Any, config: ClassifierSettings, weights: str, reading: Reading
    ) -> None:
        self.config = config
        self.weights = weights
        self.padding = reading.padding
        self._session = session
        self._reading = reading

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> OnnxClassifier:
        """The classifier in a folder.

        Args:
            folder: That ``export_onnx`` wrote.
            threads: Of ONNX Runtime; None is its own choice.

        Raises:
            OnnxError: ONNX Runtime is missing, or the file is not the one that was exported.
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
        config = ClassifierSettings.read(folder)
        return cls(session, config, record["weights"], reading_of(config, folder))

    def load_tokenizer(self, folder: Path) -> Tokenizer:
        """The tokenizer that was exported with it.

        Args:
            folder: Of both.
        """
        return self._reading.load_tokenizer(folder)

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """As ``RelationClassifier.encode``."""
        return self._reading.encode(instances, tokenizer)

    def probabilities(self, batch: Batch) -> Probabilities:
        """B x R, of what ``encode`` gives as B padded rows."""
        [logits_BR] = self._session.run(["logits"], batch)
        logits_BR = logits_BR.astype(np.float64)
        powers_BR = np.exp(logits_BR - logits_BR.max(axis=1, keepdims=True))
        probabilities_BR: Probabilities = powers_BR / powers_BR.sum(axis=1, keepdims=True)
        return probabilities_BR


def reading_of(config: ClassifierSettings, folder: Path) -> Reading:
    """How the classifier in a folder reads: without torch, where its head and encoder allow it.

    Args:
        config: Its settings.
        folder: Where the rest of them is.
    """
    encoding = ENCODINGS.get(config.head)
    if encoding is None or "pad_token_id" not in config.encoder:
        return _by_its_head(folder)
    return Reading(
        encode=partial(encoding, config),
        padding=config.encoder["pad_token_id"] or 0,
        load_tokenizer=FileTokenizer.load,
    )


def _by_its_head(folder: Path) -> Reading:
    """By a head without weights: its kind is known to another package, and only with torch."""
    import torch

    from tkre.modeling.classifier import RelationClassifierConfig
    from tkre.modeling.params import HEADS
    from tkre.modeling.startup import load_tokenizer, quiet_transformers

    with quiet_transformers(), torch.device("meta"):
        config = RelationClassifierConfig.from_pretrained(folder)
        head = HEADS[config.head](config)
    return Reading(head.encode, config.encoder_sizes().pad_token_id or 0, load_tokenizer)
