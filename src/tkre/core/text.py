"""Near-copies of sentences, found by the runs of words that they share."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"\w+")


def word_runs(text: str, run: int) -> set[tuple[str, ...]]:
    """The runs of so many words of a text, in lower case; a shorter text is one run."""
    words = _WORD.findall(text.lower())
    last = max(1, len(words) - run + 1)
    return {tuple(words[i : i + run]) for i in range(last)}


def near_copy_groups(texts: Sequence[str], run: int, limit: float) -> list[int]:
    """Numbers of groups, one per text: equal where a chain of near-copies joins two texts.

    Args:
        texts: In any order; a group has the number of its first text.
        run: Length of a run, in words; a shorter sentence is one run.
        limit: Two texts are near-copies if they share more than this share of the runs of the
            one that has fewer.
    """
    runs = [word_runs(text, run) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    groups = list(range(len(texts)))
    for number, own in enumerate(runs):
        shared = Counter(other for words in own for other in holders[words])
        joined = {
            groups[other]
            for other, count in shared.items()
            if count > limit * min(len(own), len(runs[other]))
        }
        if joined:
            first = min(joined)
            groups = [first if group in joined or n == number else group
                      for n, group in enumerate(groups)]  # fmt: skip
        for words in own:
            holders[words].append(number)
    return groups


class NearCopies:
    """An index of sentences by their word runs.

    Args:
        run: Length of a run, in words; a shorter sentence is one run.
        limit: Largest share of a sentence's runs that may stand in one indexed sentence.
    """

    def __init__(self, run: int, limit: float) -> None:
        self._run = run
        self._limit = limit
        self._sources: dict[tuple[str, ...], set[tuple[str, int]]] = defaultdict(set)
        self._size = 0

    def add(self, source: str, texts: Iterable[str]) -> None:
        """Indexes texts under a name that says where they come from, e.g. ``test``."""
        for text in texts:
            self._size += 1
            for run in word_runs(text, self._run):
                self._sources[run].add((source, self._size))

    def find(self, text: str) -> tuple[str, float] | None:
        """The source that the text copies and the share of its runs found there, if above limit."""
        runs = word_runs(text, self._run)
        hits = Counter(source for run in runs for source in self._sources.get(run, ()))
        if not hits:
            return None
        (source, _), count = max(hits.items(), key=lambda item: (item[1], item[0]))
        share = count / len(runs)
        return (source, share) if share > self._limit else None
