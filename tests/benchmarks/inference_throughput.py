"""Sentences per second of labelling, in batches of 1, 8 and 64, beside a plain pipeline.

In one run, with classifiers of the demo (they are trained first, if they are not there): ours with
torch, the same exported for ONNX Runtime, and `transformers.pipeline("text-classification")` with a
sequence classifier of the same backbone on the same marked sentences, as a reader of its manual
would write it. `tkre_plus` reads a sentence both ways, `typ_marker` once, like the pipeline.

    python tests/benchmarks/inference_throughput.py [--sentences 256] [--threads 2]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tkre.extractor import RelationExtractor
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.marking import mark
from tkre.records import Instance, from_frame
from tkre.training.onnx_classifier import OnnxClassifier
from tkre.training.onnx_export import export_onnx

BATCHES = (1, 8, 64)
VARIANTS = ("typ_marker", "tkre_plus")
Labeller = Callable[[Sequence[Instance]], object]


def plain_pipeline(backbone: Checkpoint) -> Labeller:
    """A sequence classifier of the same encoder on marked text; untrained: only speed is asked."""
    from transformers import AutoModelForSequenceClassification, pipeline

    model = AutoModelForSequenceClassification.from_config(backbone.model.config)
    classify = pipeline("text-classification", model=model.eval(), tokenizer=backbone.tokenizer)

    def label(batch: Sequence[Instance]) -> object:
        texts = [mark(instance, typed=True)[0] for instance in batch]
        return classify(texts, batch_size=len(texts))

    return label


def measured(label: Labeller, sentences: Sequence[Instance], size: int) -> float:
    """Sentences per second."""
    label(sentences[:size])  # what is allocated once is not measured
    begun = time.perf_counter()
    for start in range(0, len(sentences), size):
        label(sentences[start : start + size])
    return len(sentences) / (time.perf_counter() - begun)


def main() -> None:
    """Measures every way at every size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    test, backbone, *trained = load(
        "newsroom.test", "backbones.minilm", *(f"{DRAW}.{name}.classifier" for name in VARIANTS)
    )
    sentences = list(islice(cycle(from_frame(test)), options.sentences))
    ways: dict[str, Labeller] = {"transformers pipeline": plain_pipeline(backbone)}
    with tempfile.TemporaryDirectory() as folder:
        for variant, checkpoint in zip(VARIANTS, trained, strict=True):
            export_onnx(checkpoint, Path(folder) / variant)
            exported = OnnxClassifier.load(Path(folder) / variant, threads=options.threads)
            ways[variant] = RelationExtractor(checkpoint.model, checkpoint.tokenizer)
            tokenizer = exported.load_tokenizer(Path(folder) / variant)
            ways[f"{variant}, ONNX Runtime"] = RelationExtractor(exported, tokenizer)
        tell(f"{options.sentences} sentences of newsroom, {options.threads} threads, fp32")
        tell(f"{'sentences per second, batches of':<34}" + "".join(f"{n:>8}" for n in BATCHES))
        for name, label in ways.items():
            speeds = [measured(label, sentences, size) for size in BATCHES]
            tell(f"{name:<34}" + "".join(f"{speed:>8,.0f}" for speed in speeds))


if __name__ == "__main__":
    main()
