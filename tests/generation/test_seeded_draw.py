from __future__ import annotations

import pytest
import torch

from tkre.generation.llm.huggingface import SeededDraw
from tkre.generation.llm.protocol import Sampling

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_largest_noisy_logit_is_a_draw_from_the_distribution(temperature):
    rows = 4000
    draw = SeededDraw(
        Sampling(temperature=temperature, top_p=1.0), range(rows), torch.device("cpu")
    )
    chosen = draw(torch.zeros(rows, 1, dtype=torch.long), LOGITS.repeat(rows, 1)).argmax(-1)
    shares = torch.bincount(chosen, minlength=4) / rows
    # Three standard deviations of a share of 4000 draws are 2.4 per cent at most.
    assert torch.allclose(shares, (LOGITS / temperature).softmax(-1), atol=0.024)


def test_what_is_outside_of_the_nucleus_is_never_drawn():
    draw = SeededDraw(Sampling(temperature=1.0, top_p=0.5), range(500), torch.device("cpu"))
    chosen = draw(torch.zeros(500, 1, dtype=torch.long), LOGITS.repeat(500, 1)).argmax(-1)
    assert set(chosen.tolist()) == {0}


def test_what_a_grammar_forbids_stays_forbidden():
    forbidden = LOGITS.clone()
    forbidden[0] = -torch.inf
    draw = SeededDraw(Sampling(temperature=2.0, top_p=1.0), range(500), torch.device("cpu"))
    chosen = draw(torch.zeros(500, 1, dtype=torch.long), forbidden.repeat(500, 1)).argmax(-1)
    assert set(chosen.tolist()) == {1, 2, 3}


def test_a_row_s_draws_depend_on_its_seed_alone():
    def drawn(seeds: list[int]) -> torch.Tensor:
        draw = SeededDraw(Sampling(temperature=1.0, top_p=1.0), seeds, torch.device("cpu"))
        rows = LOGITS.repeat(len(seeds), 1)
        return draw(torch.zeros(len(seeds), 1, dtype=torch.long), rows)

    assert torch.equal(drawn([1, 2, 3])[2], drawn([3])[0])
    assert not torch.equal(drawn([1, 2])[0], drawn([1, 2])[1])
