"""Sentences per second of labelling in batches, and F1, beside a plain pipeline.

In one run, with classifiers of the demo or of other cells of one corpus (they are trained first, if
they are not there): ours with torch, the same exported for ONNX Runtime in fp32 and in int8, and
`transformers.pipeline("text-classification")` with a sequence classifier of the same backbone on
the same marked sentences, as a reader of its manual would write it. Sentences are those of the test
split in its order, from the first on again where more are asked for. The last columns, of the last
batches: milliseconds of all cores for a sentence, which other work on the machine changes less than
sentences per second, and micro-F1.

    python tests/benchmarks/inference_throughput.py [--sentences 256] [--threads 2]
    python tests/benchmarks/inference_throughput.py --cell semeval2010_task8.k8.s13.tkre_plus
    python tests/benchmarks/inference_throughput.py --shape roberta-large --sentences 1024

The third is for a GPU: classifiers of random weights, in fp32 as served, and all sentences at once
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
from typing import Any, NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tests.benchmarks.machine import where
from tests.benchmarks.shapes import SHAPES, in_shape
from tkre.core.cells import parse_cell
from tkre.core.instance import Instance
from tkre.evaluation.metrics import micro_scores
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.entity_markers import mark
from tkre.modeling.runtime import device
from tkre.serving.extractor import Prediction, RelationExtractor
from tkre.training.finetuning import build_classifier
from tkre.training.inference import predict
from tkre.training.onnx_export import export_onnx

BATCHES = (1, 8, 64)
WARM = 64  # sentences
VARIANTS = ("typ_marker", "tkre_plus")
WAYS = {"ONNX Runtime": False, "ONNX Runtime, int8": True}
Labeller = Callable[[Sequence[Instance]], Any]


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


class Measured(NamedTuple):
    """Sentences per second, milliseconds of all cores for a sentence, micro-F1 if it is known."""

    speed: float
    used: float
    f1: float | None


def measured(
    label: Labeller, sentences: Sequence[Instance], size: int, negative: str | None
) -> Measured:
    """Labels sentences in batches of a size."""
    label(sentences[: min(size, WARM)])  # what is allocated once is not measured
    begun, used = time.perf_counter(), time.process_time()
    batches = [label(sentences[n : n + size]) for n in range(0, len(sentences), size)]
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    answers = [answer for batch in batches for answer in batch]
    f1 = None
    if isinstance(answers[0], Prediction):
        gold = [str(sentence.relation) for sentence in sentences]
        f1 = micro_scores(gold, [answer.guess for answer in answers], negative)["micro_f1"]
    return Measured(len(sentences) / seconds, 1000 * used / len(sentences), f1)


def trained_ways(
    cells: Sequence[str], backbone: Checkpoint, folder: Path, threads: int
) -> dict[str, Labeller]:
    """The classifiers of cells, trained first if they are not there; with torch, and exported."""
    ways: dict[str, Labeller] = {"transformers pipeline": plain_pipeline(backbone)}
    trained = load(*(f"{cell}.classifier" for cell in cells))
    for cell, checkpoint in zip(cells, trained, strict=True):
        variant = parse_cell(cell).variant
        ways[variant] = RelationExtractor(checkpoint.model, checkpoint.tokenizer)
        for way, int8 in WAYS.items():
            export_onnx(checkpoint, folder / variant / way, int8=int8)
            exported = RelationExtractor.from_pretrained(folder / variant / way, threads=threads)
            ways[f"{variant}, {way}"] = exported
    return ways


def untrained_ways(backbone: Checkpoint) -> dict[str, Labeller]:
    """Classifiers of any backbone on the device, as they are before training."""
    schema, variants = load("newsroom.schema", "params:variants")
    ways: dict[str, Labeller] = {"transformers pipeline": plain_pipeline(backbone)}
    for variant in VARIANTS:
        model = build_classifier(backbone, schema, variants[variant].finetuning).to(device())
        ways[variant] = RelationExtractor(model, backbone.tokenizer)
        ways[f"{variant}, auto precision"] = partial(predict, model, backbone.tokenizer)
    return ways


def main() -> None:
    """Measures every way at every size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="minilm")
    parser.add_argument("--cell", nargs="+", default=[f"{DRAW}.{name}" for name in VARIANTS])
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="their sizes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    corpus = parse_cell(options.cell[0]).sample.corpus
    test, schema, backbone = load(f"{corpus}.test", f"{corpus}.schema", "backbones.minilm")
    backbone = in_shape(backbone, options.shape)
    sentences = list(islice(cycle(test), options.sentences))
    with tempfile.TemporaryDirectory() as folder:
        if options.shape == "minilm":
            ways = trained_ways(options.cell, backbone, Path(folder), options.threads)
        else:
            ways = untrained_ways(backbone)
        tell(f"{where()}, {options.threads} threads, {options.shape}, {len(sentences)} sentences "
             f"of {corpus}, fp32 where nothing else is said")  # fmt: skip
        sizes = [*options.batches, *([options.sentences] if options.shape != "minilm" else [])]
        heading = [f"{n:>8}" for n in sizes] + [f"{'CPU ms':>8}", f"{'F1':>8}"]
        tell(f"{'sentences per second, batches of':<34}" + "".join(heading))
        for name, label in ways.items():
            # Of small batches, so many that a clock can tell.
            shown = [sentences[: min(len(sentences), 64 * size)] for size in sizes]
            found = [
                measured(label, s, size, schema.negative)
                for s, size in zip(shown, sizes, strict=True)
            ]
            figures = [f"{one.speed:>8,.0f}" for one in found] + [f"{found[-1].used:>8.1f}"]
            f1 = found[-1].f1
            tell(f"{name:<34}" + "".join(figures) + (f"{f1:>8.1f}" if f1 is not None else ""))


if __name__ == "__main__":
    main()
