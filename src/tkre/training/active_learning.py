"""Active learning: choosing the unlabelled rows that a language model annotates.

``diverse`` is TypiClust (Hacohen et al., 2022), made for small budgets, where uncertainty is no
guide yet: the rows are clustered, and the most typical row of each cluster without one is taken.
``uncertain`` takes the smallest margins between the two likeliest relations, the best of the simple
strategies for transformers in Schröder et al. (2022). ``uncertain_and_diverse`` takes typical rows
of clusters among the uncertain ones (after Zhdanov, 2019).

Legend of shapes: N rows, F features, R relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from tkre.core.cells import Choice
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.params import CrossFitParams
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.tokenization import Flags, Ints
from tkre.training.cross_fitting import (
    Floats,
    Readings,
    inverse_numbers,
    judge_rows,
    read_both_ways,
)
from tkre.training.scoring import Probabilities

_CLUSTERS, _NEIGHBOURS = 500, 20  # as in TypiClust
_STEPS = 20  # of k-means
_DOUBTED = 10  # uncertain rows for each that is chosen among them


def margins(probabilities_NR: Probabilities) -> Floats:
    """N differences between the two largest probabilities."""
    two = np.partition(probabilities_NR, -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def smallest(values_N: Floats, taken: Sequence[int], most: int) -> list[int]:
    """Numbers of the smallest values that are not taken, the smallest first."""
    order = np.argsort(values_N, kind="stable")
    return [int(number) for number in order[~np.isin(order, taken)][:most]]


def typical(features_NF: Floats, taken: Sequence[int], most: int, seed: int) -> list[int]:
    """The most typical rows of clusters without a row that is taken, the largest clusters first.

    A row is the more typical, the nearer its neighbours in its cluster are. There are as many
    clusters as rows that are taken in the end, at most ``_CLUSTERS``; then clusters with the fewest
    rows that are taken come first.

    Args:
        features_NF: Features; only their directions count.
        taken: Numbers of rows.
        most: Number of rows to choose.
        seed: Seed of the clusters.
    """
    norms = np.linalg.norm(features_NF, axis=1, keepdims=True).clip(min=1e-12)
    points = (features_NF / norms).astype(np.float32)
    clusters = min(len(taken) + most, len(points), _CLUSTERS)
    # One thread: sums in another order may lead to other clusters.
    with threadpool_limits(1):
        fitted = KMeans(clusters, n_init=1, max_iter=_STEPS, random_state=seed).fit(points)
    taken_of = np.bincount(fitted.labels_[list(taken)], minlength=clusters)
    sizes = np.bincount(fitted.labels_, minlength=clusters)
    free = np.ones(len(points), dtype=bool)
    free[list(taken)] = False
    left = [
        _most_typical_last(points, np.flatnonzero(fitted.labels_ == cluster), free)
        for cluster in range(clusters)
    ]
    chosen: list[int] = []
    for _ in range(min(most, int(free.sum()))):
        cluster = min(
            (c for c in range(clusters) if left[c]), key=lambda c: (taken_of[c], -sizes[c], c)
        )
        chosen.append(left[cluster].pop())
        taken_of[cluster] += 1
    return chosen


def _most_typical_last(points: npt.NDArray[np.float32], members: Ints, free: Flags) -> list[int]:
    """Numbers of the free members of a cluster by their distance to their nearest neighbours."""
    near = min(_NEIGHBOURS, len(members) - 1)
    if near < 1:
        return [int(number) for number in members if free[number]]
    distances = 1 - points[members] @ points[members].T
    nearest = np.sort(distances, axis=1)[:, 1 : near + 1].mean(axis=1)
    order = members[np.argsort(-nearest, kind="stable")]
    return [int(number) for number in order if free[number]]


class Chooser:
    """Chooses rows of unlabelled text: an ``annotation_rounds.Choose``.

    The classifier that is uncertain is that of ``training.cross_fitting``, on golden rows,
    synthetic ones, and the rows that are annotated so far.

    Args:
        way: How rows are chosen.
        start: A stock backbone.
        golden: Trusted rows.
        synthetic: Synthetic rows.
        candidates: Rows to choose from.
        schema: The relations.
        params: Parameters of the classifier.
        seed: Seed of the clusters.
    """

    def __init__(
        self,
        way: Choice,
        start: Checkpoint,
        golden: Sequence[Instance],
        synthetic: Sequence[Instance],
        candidates: Sequence[Instance],
        schema: RelationSchema,
        params: CrossFitParams,
        seed: int,
    ) -> None:
        self._way, self._params, self._seed = way, params, seed
        self._numbers = {name: number for number, name in enumerate(schema.names)}
        labelled = [*golden, *synthetic]
        forward, inverted = read_both_ways(start, [*labelled, *candidates], params)
        labels = np.full(len(forward), -1)
        labels[: len(labelled)] = [self._numbers[str(row.relation)] for row in labelled]
        self._readings = Readings(
            forward, inverted, labels, inverse_numbers(schema), np.arange(len(forward))
        )
        self._first = len(labelled)
        self._weights = np.where(np.arange(len(forward)) < len(golden), params.golden_weight, 1.0)

    def __call__(self, taken: Sequence[int], labels: Mapping[int, str], most: int) -> list[int]:
        """Numbers of ``most`` further candidates."""
        features = self._readings.forward[self._first :]
        probabilities = None if self._way == "diverse" else self._probabilities(labels)
        if probabilities is None:
            return typical(features, taken, most, self._seed)
        if self._way == "uncertain":
            return smallest(margins(probabilities), taken, most)
        doubted = smallest(margins(probabilities), taken, _DOUBTED * most)
        return [doubted[n] for n in typical(features[doubted], [], most, self._seed)]

    def _probabilities(self, labels: Mapping[int, str]) -> Probabilities | None:
        """Probabilities of all candidates; None where fewer than two relations are known."""
        known = self._readings.labels.copy()
        for number, relation in labels.items():
            known[self._first + number] = self._numbers[relation]
        judged = np.arange(len(known)) >= self._first
        probabilities, _ = judge_rows(
            replace(self._readings, labels=known), known >= 0, judged, self._weights, self._params
        )
        return None if np.isnan(probabilities).any() else probabilities
