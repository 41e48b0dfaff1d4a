"""Which layers of the untrained encoder tell a corpus's relations apart: where a span head starts.

For every layer, for pairs of neighbours, and for those that `layers: auto` chooses: a logistic
regression on the span head's features of K golden rows per relation, as `spans_golden` starts from
it, scored on the development rows (the K-shot sets of the protocol's other seeds). No test row is
read, nothing is trained further, nothing is written.

    python tests/benchmarks/layer_probe.py chemprot [--layers 3,4] [--seeds 13 21 42]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import ROOT, tell
from tkre.cli.session import require_corpus, variant_of
from tkre.core.cells import KShotSample
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.evaluation.metrics import micro_scores
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines import data_generation
from tkre.pipelines.namespaces import PREFLIGHT
from tkre.project import config_loader as configuration
from tkre.project.preflight import run_in_memory
from tkre.training.batching import labelled_rows
from tkre.training.finetuning import build_classifier, head_start
from tkre.training.inference import predict
from tkre.training.layer_choice import choose_layers
from tkre.training.params import FinetuningParams
from tkre.training.scoring import labels_of


def main() -> None:
    """Prints a line for each choice of layers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--variant", default="spans_golden")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 21, 42])
    parser.add_argument("--layers", nargs="+", help="these and auto alone, e.g. 3,4 5,6")
    given = parser.parse_args()
    torch.set_num_threads(1)
    bootstrap_project(ROOT)
    with KedroSession.create(project_path=ROOT) as session:
        catalog = session.load_context().catalog
        config = configuration.read_config()
        require_corpus(config, given.corpus)
        variant = variant_of(config, given.variant)
        if variant.finetuning is None or not variant.finetuning.layers:
            parser.error(f"{given.variant} has no span head, whose layers could be others")
        samples = [KShotSample(given.corpus, 8, seed) for seed in given.seeds]
        pipeline = data_generation.create_pipeline(samples, [], variant.backbone)
        known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), catalog)
        backbone = catalog.load(f"backbones.{variant.backbone}")
    schema = RelationSchema.model_validate(known[f"{given.corpus}.schema"])
    sets = [
        (rows_of(known, sample, "support"), rows_of(known, sample, "development"))
        for sample in samples
    ]
    if not all(development for _, development in sets):
        parser.error(f"{given.corpus} has no more rows than a sample takes: nothing to score on")
    sizes = ", ".join(str(len(development)) for _, development in sets)
    tell(f"{given.corpus}, K = 8, {given.variant} before any training, seeds {given.seeds}")
    tell(f"micro-F1 on {sizes} development rows")
    # An untrained head is never sure: with doubt all would be given the negative label.
    recipe = variant.finetuning.model_copy(update={"least_probability": 0.0})
    chosen = [choose_layers(backbone, support, schema, recipe) for support, _ in sets]
    depth = backbone.model.config.num_hidden_layers
    choices = [*((n,) for n in range(1, depth + 1)), *((n, n + 1) for n in range(1, depth))]
    if given.layers:
        choices = [tuple(map(int, layers.split(","))) for layers in given.layers]
    for layers in (None, *choices):
        f1 = [
            probed(backbone, support, scored, schema, recipe.model_copy(update={"layers": used}))
            for (support, scored), own in zip(sets, chosen, strict=True)
            for used in [layers or own]
        ]
        told = ", ".join(map(str, layers)) if layers else f"auto: {chosen}"
        spread = f" ± {np.std(f1, ddof=1):.1f}" if len(f1) > 1 else ""  # of one seed there is none
        tell(f"layers {told:5} {np.mean(f1):5.1f}{spread}")


def rows_of(known: dict[str, Any], sample: KShotSample, part: str) -> list[Instance]:
    """One of the K-shot sets of a sample."""
    rows: list[Instance] = known[f"{sample.name}.{part}"]
    return rows


def probed(
    backbone: Checkpoint,
    support: list[Instance],
    development: list[Instance],
    schema: RelationSchema,
    recipe: FinetuningParams,
) -> float:
    """Micro-F1 of a head that was started and not trained."""
    model = build_classifier(backbone, schema, recipe)
    rows = labelled_rows(model, backbone.tokenizer, support, schema, add_inverted=False)
    model.head.initialise(head_start(model, backbone, schema, rows, recipe))
    probabilities = predict(model, backbone.tokenizer, development)
    gold = [str(row.relation) for row in development]
    return micro_scores(gold, labels_of(probabilities, model.config), schema.negative)["micro_f1"]


if __name__ == "__main__":
    main()
