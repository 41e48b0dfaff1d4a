"""Whether nearest training rows help a classifier, as in RetrievalRE (Chen et al., SIGIR 2022).

The probabilities of a saved classifier are mixed with the shares of the relations among the k
training rows whose features are nearest, weighted by a softmax of the distances. The training rows
are read inverted, too, where the recipe trains on them so. Scored on the development rows (the
K-shot sets of the protocol's other seeds); no test row is read, nothing is written.

    kedro run --pipelines semeval --to-outputs semeval2010_task8.k8.s13.tkre_plus.classifier
    python tests/benchmarks/neighbours.py semeval2010_task8.k8.s13.tkre_plus
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from scipy.spatial.distance import cdist

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import ROOT, tell
from tkre.core.cells import parse_cell
from tkre.evaluation.metrics import micro_scores
from tkre.pipelines import data_generation
from tkre.pipelines.namespaces import PREFLIGHT
from tkre.project.preflight import run_in_memory
from tkre.training.batching import labelled_rows
from tkre.training.inference import features_of, features_of_encoded, predict
from tkre.training.scoring import Probabilities, labels_of

NEIGHBOURS = (4, 16, 64)
TEMPERATURES = (0.02, 0.1, 0.5)  # times the mean squared distance
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 1.0)


def main() -> None:
    """Prints micro-F1 without neighbours, and the best of each weight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", type=parse_cell)
    cell = parser.parse_args().cell
    torch.set_num_threads(1)
    bootstrap_project(ROOT)
    with KedroSession.create(project_path=ROOT) as session:
        catalog = session.load_context().catalog
        pipeline = data_generation.create_pipeline([cell.sample.golden], [], "minilm")
        known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), catalog)
        classifier = catalog.load(f"{cell.name}.classifier")
        training = catalog.load(f"{cell.name}.training_rows")
    schema = known[f"{cell.sample.corpus}.schema"]
    scored = known[f"{cell.sample.golden.name}.development"]
    model, tokenizer = classifier.model, classifier.tokenizer
    both = model.config.both_directions
    rows = labelled_rows(model, tokenizer, training, schema, add_inverted=both)
    labels = np.array([row.label for row in rows])
    store = features_of_encoded(model, [row.encoded for row in rows]).double().numpy()
    distances = cdist(features_of(model, tokenizer, scored), store, "sqeuclidean")
    probabilities = predict(model, tokenizer, scored)
    gold = [str(row.relation) for row in scored]

    def f1(mixed: Probabilities) -> float:
        return micro_scores(gold, labels_of(mixed, model.config), schema.negative)["micro_f1"]

    tell(f"{cell.name}: {len(store)} readings of training rows, {len(scored)} development rows")
    tell(f"without neighbours {f1(probabilities):5.1f}")
    for weight in WEIGHTS:
        found = {
            (k, temperature): f1(
                (1 - weight) * probabilities
                + weight * shares(distances, labels, len(schema.names), k, temperature)
            )
            for k, temperature in product(NEIGHBOURS, TEMPERATURES)
        }
        k, temperature = max(found, key=lambda given: found[given])
        best, least = max(found.values()), min(found.values())
        tell(
            f"weight {weight:.1f}: {best:5.1f} at best (k {k}, temperature {temperature}), "
            f"{np.median(list(found.values())):5.1f} in the middle, {least:5.1f} at worst"
        )


def shares(
    distances: Probabilities, labels: np.ndarray, relations: int, k: int, temperature: float
) -> Probabilities:
    """Shares of the relations among the nearest rows, by a softmax of the distances."""
    nearest = np.argsort(distances, axis=1)[:, :k]
    own = np.take_along_axis(distances, nearest, axis=1)
    weights = np.exp((own[:, :1] - own) / (temperature * distances.mean()))
    found = np.zeros((len(distances), relations))
    np.add.at(found, (np.arange(len(found))[:, None], labels[nearest]), weights)
    return found / found.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
