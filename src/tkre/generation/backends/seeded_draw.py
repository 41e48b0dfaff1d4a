"""Drawing the next tokens of a batch with a seed for each of its rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, TopPLogitsWarper

from tkre.generation.protocol import Sampling


class SeededDraw(LogitsProcessor):
    """Makes a greedy choice a draw: the largest of logits with Gumbel noise is a sample of them.

    ``generate`` draws all rows of a batch from one source of random numbers, so what a row gets
    depends on the rows beside it. Here each row has a source of its own.

    Args:
        sampling: Temperature (above 0) and nucleus.
        seeds: One for each row.
        device: Where the logits are.
    """

    def __init__(self, sampling: Sampling, seeds: Sequence[int], device: torch.device) -> None:
        self._temperature = sampling.temperature
        self._nucleus = TopPLogitsWarper(sampling.top_p)
        self._sources = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Noisy logits.

        Args:
            input_ids: Tokens so far, ``(rows, length)``.
            scores: Logits of the next one, ``(rows, vocabulary)``.
        """
        kept = self._nucleus(input_ids, scores.float() / self._temperature)
        waits = torch.stack(
            [torch.empty_like(row).exponential_(generator=source)
             for row, source in zip(kept, self._sources, strict=True)]
        )  # fmt: skip
        # If a waiting time is exponentially distributed, minus its logarithm is a Gumbel variable.
        return kept - waits.log()
