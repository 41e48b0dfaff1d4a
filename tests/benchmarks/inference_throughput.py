"""Sentences per second of labelling, in batches of 1, 8 and 64, beside a plain pipeline.

In one run, with classifiers of the demo (they are trained first, if they are not there): ours with
torch, the same exported for ONNX Runtime, and `transformers.pipeline("text-classification")` with a
sequence classifier of the same backbone on the same marked sentences, as a reader of its manual
would write it. `tkre_plus` reads a sentence both ways, `typ_marker` once, like the pipeline.

    python tests/benchmarks/inference_throughput.py [--sentences 256] [--threads 2]
    python tests/benchmarks/inference_throughput.py --shape roberta-large --sentences 1024

The second is for a GPU: classifiers of random weights, in fp32 as served, and all sentences at once
in bf16 as the nodes of a run label them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tests.benchmarks.machine import where
from tests.benchmarks.shapes import SHAPES, in_shape
from tkre.core.instance import Instance, from_frame
from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.entity_markers import mark
from tkre.modeling.runtime import device
from tkre.modeling.tokenization import FileTokenizer
from tkre.serving.extractor import RelationExtractor
from tkre.training.finetuning import build_classifier
from tkre.training.inference import predict
from tkre.training.onnx_classifier import OnnxClassifier
from tkre.training.onnx_export import export_onnx
from tkre.training.params import FinetuningParams

BATCHES = (1, 8, 64)
WARM = 64  # sentences
VARIANTS = ("typ_marker", "tkre_plus")
Labeller = Callable[[Sequence[Instance]], object]


def plain_pipeline(backbone: Checkpoint) -> Labeller:
    """A sequence classifier of the same encoder on marked text; untrained: only speed is asked."""
    from transformers import AutoModelForSequenceClassification, pipeline

    model = AutoModelForSequenceClassification.from_config(backbone.model.config)
    classify = pipeline(
        "text-classification", model.eval(), tokenizer=backbone.tokenizer, device=device()
    )

    def label(batch: Sequence[Instance]) -> object:
        texts = [mark(instance, typed=True)[0] for instance in batch]
        return classify(texts, batch_size=len(texts))

    return label


def measured(label: Labeller, sentences: Sequence[Instance], size: int) -> float:
    """Sentences per second."""
    label(sentences[: min(size, WARM)])  # what is allocated once is not measured
    begun = time.perf_counter()
    for start in range(0, len(sentences), size):
        label(sentences[start : start + size])
    return len(sentences) / (time.perf_counter() - begun)


def demo_ways(backbone: Checkpoint, folder: Path, threads: int) -> dict[str, Labeller]:
    """The demo's classifiers, trained first if they are not there; with torch, and exported."""
    ways: dict[str, Labeller] = {"transformers pipeline": plain_pipeline(backbone)}
    trained = load(*(f"{DRAW}.{name}.classifier" for name in VARIANTS))
    for variant, checkpoint in zip(VARIANTS, trained, strict=True):
        export_onnx(checkpoint, folder / variant)
        exported = OnnxClassifier.load(folder / variant, threads=threads)
        ways[variant] = RelationExtractor(checkpoint.model, checkpoint.tokenizer)
        tokenizer = FileTokenizer.load(folder / variant)
        ways[f"{variant}, ONNX Runtime"] = RelationExtractor(exported, tokenizer)
    return ways


def untrained_ways(backbone: Checkpoint) -> dict[str, Labeller]:
    """Classifiers of any backbone on the device, as they are before training."""
    schema, variants = load("newsroom.schema", "params:variants")
    parsed = RelationSchema.model_validate(schema)
    ways: dict[str, Labeller] = {"transformers pipeline": plain_pipeline(backbone)}
    for variant in VARIANTS:
        params = FinetuningParams.model_validate(variants[variant]["finetuning"])
        model = build_classifier(backbone, parsed, params).to(device())
        ways[variant] = RelationExtractor(model, backbone.tokenizer)
        ways[f"{variant}, auto precision"] = partial(predict, model, backbone.tokenizer)
    return ways


def main() -> None:
    """Measures every way at every size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="minilm")
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    test, backbone = load("newsroom.test", "backbones.minilm")
    backbone = in_shape(backbone, options.shape)
    sentences = list(islice(cycle(from_frame(test)), options.sentences))
    with tempfile.TemporaryDirectory() as folder:
        if options.shape == "minilm":
            ways = demo_ways(backbone, Path(folder), options.threads)
        else:
            ways = untrained_ways(backbone)
        tell(f"{where()}, {options.threads} threads, {options.shape}, sentences of newsroom, fp32 "
             "where nothing else is said")  # fmt: skip
        sizes = [*BATCHES, options.sentences]
        tell(f"{'sentences per second, batches of':<34}" + "".join(f"{n:>8}" for n in sizes))
        for name, label in ways.items():
            # Of small batches, so many that a clock can tell.
            shown = [sentences[: min(len(sentences), 64 * size)] for size in sizes]
            speeds = [measured(label, s, size) for s, size in zip(shown, sizes, strict=True)]
            tell(f"{name:<34}" + "".join(f"{speed:>8,.0f}" for speed in speeds))


if __name__ == "__main__":
    main()
