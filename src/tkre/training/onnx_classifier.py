"""A classifier for ONNX Runtime: one file, the same answers (extra ``onnx``).

The file holds what ``RelationClassifier.forward`` computes. Tokenizing, reading both ways and the
rules over probabilities stay in Python, the same code for both.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier_config import RelationClassifierConfig
from tkre.modeling.head_kinds import HEADS
from tkre.modeling.marking import Encoded
from tkre.modeling.weights import file_digest
from tkre.records import Instance, Span
from tkre.training.prediction import collate

if TYPE_CHECKING:  # it loads the models of transformers, which an exported classifier needs not
    from tkre.modeling.classifier import RelationClassifier

MODEL_FILE = "model.onnx"
RECORD_FILE = "onnx.json"
# Two sentences of other lengths: what both share is a size of the model, all else may vary.
EXAMPLES = (
    Instance(id="a", text="Ada left for Oslo .", head=Span(0, 3), tail=Span(13, 17)),
    Instance(id="b", text="It was in old Rome that Bea lived then .", head=Span(24, 27),
             tail=Span(14, 18)),
)  # fmt: skip


class OnnxError(RuntimeError):
    """An exported classifier that is missing a part, or is not the one its record speaks of."""


def export_onnx(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes a classifier for ONNX Runtime, with its configuration, tokenizer and lineage.

    Args:
        checkpoint: A ``RelationClassifier``.
        folder: Made if need be; its files of these names are replaced.

    Raises:
        OnnxError: The packages of the extra ``onnx`` are missing.
    """
    model: RelationClassifier = checkpoint.model
    names, examples = _examples(model, checkpoint.tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / MODEL_FILE
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                _Forward(model, names).eval(), tuple(examples), dynamo=True, verbose=False,
                input_names=names, output_names=["logits"],
                dynamic_shapes=[tuple(_varying(names, examples))],
            )  # fmt: skip
        except ModuleNotFoundError as error:
            raise OnnxError(f"{error}: pip install 'tkre[onnx]'") from None
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # the stack it was traced from: paths of this machine
        program.save(str(target))
    model.config.save_pretrained(folder)
    checkpoint.tokenizer.save_pretrained(folder)
    lineage = json.dumps(checkpoint.lineage.model_dump(mode="json"), indent=2)
    (folder / "lineage.json").write_text(lineage + "\n", encoding="utf-8")
    record = {"weights": checkpoint.lineage.weights, "sha256": file_digest(target), "inputs": names}
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


class OnnxClassifier:
    """An exported classifier, in the place of a ``RelationClassifier`` that only predicts.

    Args:
        session: Of ONNX Runtime.
        config: The classifier's.
        weights: Digest of the weights that it was exported from.

    Attributes:
        config: The classifier's.
        weights: See above.
        device: Where its inputs are wanted.
        training: Never.
    """

    device = torch.device("cpu")
    training = False

    def __init__(self, session: Any, config: RelationClassifierConfig, weights: str) -> None:
        self.config = config
        self.weights = weights
        self._session = session
        with torch.device("meta"):  # for how it encodes: it has no weights of its own
            self._head = HEADS[config.head](config)

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
        config = RelationClassifierConfig.from_pretrained(folder)
        return cls(session, config, record["weights"])

    @property
    def padding(self) -> int:
        """The padding token of its encoder."""
        return self.config.encoder_sizes().pad_token_id or 0

    def encode(
        self, instances: Sequence[Instance], tokenizer: PreTrainedTokenizerBase
    ) -> Sequence[Encoded]:
        """As ``RelationClassifier.encode``."""
        return self._head.encode(instances, tokenizer)

    def __call__(self, **inputs: Tensor) -> SequenceClassifierOutput:
        """Logits over the labels, of what ``encode`` gives as tensors."""
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        [logits] = self._session.run(["logits"], arrays)
        return SequenceClassifierOutput(logits=torch.from_numpy(logits))

    def eval(self) -> OnnxClassifier:
        """Itself."""
        return self

    def train(self, mode: bool = True) -> OnnxClassifier:
        """Itself, if nothing is to be trained."""
        if mode:
            raise OnnxError("an exported classifier cannot be trained")
        return self


class _Forward(nn.Module):
    """A classifier's forward pass by position: the exporter keeps that order."""

    def __init__(self, model: RelationClassifier, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(**dict(zip(self.names, inputs, strict=True))).logits
        return logits


def _examples(
    model: RelationClassifier, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[str], list[Tensor]]:
    batch = collate(model.encode(EXAMPLES, tokenizer), model.padding)
    return list(batch), list(batch.values())


def _varying(names: list[str], examples: list[Tensor]) -> list[dict[int, Any]]:
    """Which sizes of the inputs differ from batch to batch: rows, and tokens."""
    tokens = examples[names.index("input_ids")].shape[1]
    rows, length = torch.export.Dim("B", min=1), torch.export.Dim("T", min=2)
    return [
        {0: rows} | {n: length for n, size in enumerate(example.shape) if n and size == tokens}
        for example in examples
    ]


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter logs which operators of torchvision it does not find."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(level)
