"""How near synthetic sentences come to others, by the runs of words that they share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from tkre.generation.near_copies import word_runs
from tkre.records import Instance

COLUMNS = ["id", "relation", "shared", "source", "sentence", "nearest"]


def nearest_copies(
    synthetic: Sequence[Instance], sources: Mapping[str, Sequence[str]], run: int
) -> pd.DataFrame:
    """The nearest sentence to each synthetic one, nearest pairs first.

    Args:
        synthetic: Kept ones; the guard against copies has refused what comes too near.
        sources: Texts by where they come from, e.g. ``test``; ``synthetic`` for the others here
            is always among them.
        run: Length of a run, in words (``generation.synthesis.overlap_words``).

    Returns:
        ``id``, ``relation``, ``shared`` (share of its runs that the nearest one has, 0 to 1),
        ``source`` and ``nearest`` (missing where no run is shared), ``sentence``.
    """
    texts = [(source, text) for source, own in sources.items() for text in own]
    texts += [("synthetic", row.text) for row in synthetic]
    holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, (_, text) in enumerate(texts):
        for words in word_runs(text, run):
            holders[words].add(number)
    first = len(texts) - len(synthetic)
    rows = []
    for place, row in enumerate(synthetic):
        runs = word_runs(row.text, run)
        shared = Counter(n for words in runs for n in holders[words] if n != first + place)
        number, count = max(shared.items(), key=lambda item: (item[1], -item[0]), default=(-1, 0))
        nearest = texts[number] if count else (None, None)
        rows.append([row.id, row.relation, count / len(runs), nearest[0], row.text, nearest[1]])
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("shared", ascending=False, kind="stable", ignore_index=True)
