"""Similarity of relations: class centroids of features, definitions; alignment, uniformity.

Legend of shapes: N rows, F features, R relations, H size of a text's vector.

Vectors of one model share a common part (in some encoders any two texts have a cosine above 0.9).
It is subtracted: similarities are cosines of deviations from the mean over the relations. 0 is the
average of two relations, 1 is equality; a perfect classifier of R relations has -1 / (R - 1) for
every pair (neural collapse, Papyan et al. 2020). With two relations it is always -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from tkre.evaluation.metrics import Floats

PAIR_COLUMNS = ["relation", "other", "centroid_similarity", "definition_similarity"]


def similar_pairs(
    names: Sequence[str], features_NF: Floats, labels: Sequence[str], definitions_RH: Floats
) -> pd.DataFrame:
    """Similarities of every pair of relations, whose names are in the order of the definitions.

    Returns:
        A row per unordered pair: the similarity of the centroids of their rows (the mean of the
        features at length 1; missing where a relation has no row) and that of their definitions.
    """
    directions_NF, of = unit(features_NF), np.asarray(labels, dtype=object)
    centroids_RF = np.full((len(names), features_NF.shape[1]), np.nan)
    for number, name in enumerate(names):
        if (of == name).any():
            centroids_RF[number] = directions_NF[of == name].mean(axis=0)
    centroids_RR = centred_cosines(centroids_RF)
    definitions_RR = centred_cosines(unit(definitions_RH))
    return pd.DataFrame(
        [
            (names[a], names[b], centroids_RR[a, b], definitions_RR[a, b])
            for a, b in combinations(range(len(names)), 2)
        ],
        columns=PAIR_COLUMNS,
    )


def alignment_uniformity(
    features_NF: Floats, labels: Sequence[str]
) -> dict[str, float | int | None]:
    """Alignment and uniformity of the features at length 1 (Wang and Isola 2020).

    Returns:
        ``rows``; ``alignment``, the mean squared distance of two rows of one relation (0: all at
        one point); ``uniformity``, the logarithm of the mean of exp(-2 d^2) over all pairs of rows
        (0: all at one point, the less the more spread out). None where there is no such pair.
    """
    of = np.asarray(labels, dtype=object)
    first, second = np.triu_indices(len(of), k=1)
    cosines_NN = unit(features_NF) @ unit(features_NF).T
    squares = 2 - 2 * cosines_NN[first, second]
    same = of[first] == of[second]
    return {
        "rows": len(labels),
        "alignment": float(squares[same].mean()) if same.any() else None,
        "uniformity": float(np.log(np.exp(-2 * squares).mean())) if len(squares) else None,
    }


def unit(vectors: Floats) -> Floats:
    """The vectors at length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def centred_cosines(vectors_RF: Floats) -> Floats:
    """R x R cosines of the deviations from the mean; a row of NaN is left out of it and stays."""
    present = ~np.isnan(vectors_RF).any(axis=1)
    cosines_RR = np.full((len(vectors_RF), len(vectors_RF)), np.nan)
    if present.any():
        deviations = unit(vectors_RF[present] - vectors_RF[present].mean(axis=0))
        cosines_RR[np.ix_(present, present)] = deviations @ deviations.T
    return cosines_RR
