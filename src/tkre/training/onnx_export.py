"""Export of a classifier for ONNX Runtime: one file, the same answers (extra ``onnx``).

The file holds ``RelationClassifier.forward``. Tokenization, both directions and the rules over
probabilities stay in Python, the same code for both. ``onnx_classifier`` reads it. In int8 the
answers are nearly the same; tests/benchmarks/inference_throughput.py has speed and F1 of both.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tkre.core.files import follow_umask
from tkre.core.instance import Instance, Span
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import to_tensors
from tkre.modeling.weights import file_digest
from tkre.training.batching import collate
from tkre.training.onnx_classifier import MODEL_FILE, RECORD_FILE, OnnxError

# Two sentences of other lengths: sizes that both share belong to the model, others may vary.
EXAMPLES = (
    Instance(id="a", text="Ada left for Oslo .", head=Span(0, 3), tail=Span(13, 17)),
    Instance(id="b", text="It was in old Rome that Bea lived then .", head=Span(24, 27),
             tail=Span(14, 18)),
)  # fmt: skip


def export_onnx(checkpoint: Checkpoint, folder: Path, *, int8: bool = False) -> None:
    """Writes a classifier for ONNX Runtime, with its configuration, tokenizer and lineage.

    Args:
        checkpoint: Checkpoint of a ``RelationClassifier``.
        folder: Folder to write to; files of the same names are replaced.
        int8: Whether matrices of weights are multiplied in int8.

    Raises:
        OnnxError: The packages of the extra ``onnx`` are missing.
    """
    model: RelationClassifier = checkpoint.model
    batch = to_tensors(collate(model.encode(EXAMPLES, checkpoint.tokenizer), model.padding))
    names, examples = list(batch), list(batch.values())
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / MODEL_FILE
    with warnings.catch_warnings(), _quiet_exporter(), _eager_attention(model):
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
            node.metadata_props.clear()  # stack traces with paths of this machine
        if int8:
            _save_int8(program.model_proto, target)
        else:
            program.save(str(target))
    model.config.save_pretrained(folder)
    checkpoint.save_tokenizer_and_lineage(folder)
    record = {
        "weights": checkpoint.lineage.weights,
        "sha256": file_digest(target),
        "padding": model.padding,
        "inputs": names,
        "int8": int8,
    }
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    follow_umask(folder, RECORD_FILE)


class _Forward(nn.Module):
    """A classifier's forward pass by position: the exporter keeps that order."""

    def __init__(self, model: RelationClassifier, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(**dict(zip(self.names, inputs, strict=True))).logits
        return logits


def _save_int8(model: Any, target: Path) -> None:
    """Saves a model whose products with weights are in int8 (dynamic quantisation).

    A scale for each column of the weights; inputs get theirs from each batch. Other operators,
    word embeddings and the head's last layer stay in fp32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(model)  # else a warning asks for fusions that change nothing here
    quantize_dynamic(
        model, target, op_types_to_quantize=["MatMul"], per_channel=True,
        weight_type=QuantType.QInt8,
    )  # fmt: skip


def _varying(names: list[str], examples: list[Tensor]) -> list[dict[int, Any]]:
    """The sizes of the inputs that differ from batch to batch: rows and tokens."""
    tokens = examples[names.index("input_ids")].shape[1]
    rows, length = torch.export.Dim("B", min=1), torch.export.Dim("T", min=2)
    return [
        {0: rows} | {n: length for n, size in enumerate(example.shape) if n and size == tokens}
        for example in examples
    ]


@contextmanager
def _eager_attention(model: RelationClassifier) -> Iterator[None]:
    """Exports attention as plain products: torch's own comes with tests for rows without a token.

    They take a tenth of the time in int8.
    """
    before = model.encoder.config._attn_implementation
    model.encoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.encoder.set_attn_implementation(before)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences the exporter, which logs missing operators of torchvision."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(level)
