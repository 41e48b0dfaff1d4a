"""Near-copies of sentences, found by the runs of words that they share."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


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
            for run in self._runs(text):
                self._sources[run].add((source, self._size))

    def find(self, text: str) -> tuple[str, float] | None:
        """The source that the text copies and the share of its runs found there, if above limit."""
        runs = self._runs(text)
        hits = Counter(source for run in runs for source in self._sources.get(run, ()))
        if not hits:
            return None
        (source, _), count = max(hits.items(), key=lambda item: (item[1], item[0]))
        share = count / len(runs)
        return (source, share) if share > self._limit else None

    def _runs(self, text: str) -> set[tuple[str, ...]]:
        words = _WORD.findall(text.lower())
        last = max(1, len(words) - self._run + 1)
        return {tuple(words[i : i + self._run]) for i in range(last)}
