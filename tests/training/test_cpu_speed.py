from __future__ import annotations

import copy
import resource

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

from tkre.training.cpu_speed import FastDropout, drop, eager_bf16, fast_on_cpu, tune_malloc


def tiny(**settings) -> BertForMaskedLM:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, **settings,
    )  # fmt: skip
    return BertForMaskedLM(config)


def test_the_share_that_is_dropped_and_the_mean():
    torch.manual_seed(3)
    values = torch.full((400, 1003), 2.0)
    kept = drop(values, 0.1)
    share = (kept == 0).double().mean().item()
    assert share == pytest.approx(0.1, abs=0.003)  # six standard deviations
    assert kept.double().mean().item() == pytest.approx(2.0, abs=0.01)
    rounded = round(0.1 * 65536) / 65536
    assert kept[kept != 0].unique().tolist() == pytest.approx([2.0 / (1 - rounded)])


def test_draws_are_the_seed_s_and_independent_of_their_neighbours():
    ones = torch.ones(64, 4096)
    torch.manual_seed(5)
    first = drop(ones, 0.3)
    torch.manual_seed(5)
    assert torch.equal(drop(ones, 0.3), first)
    assert not torch.equal(drop(ones, 0.3), first)
    gone = (first == 0).double() - 0.3
    for shift in range(1, 9):  # draws of one 64-bit word are neighbours
        assert (gone * gone.roll(shift, dims=1)).mean().abs().item() < 0.003


def test_the_gradient_is_that_of_the_values_kept():
    torch.manual_seed(2)
    values = torch.randn(7, 5, dtype=torch.bfloat16, requires_grad=True)
    kept = drop(values, 0.5)
    kept.sum().backward()
    assert kept.dtype == torch.bfloat16
    assert values.grad is not None
    assert torch.equal(values.grad, (kept != 0).to(torch.bfloat16) * 2)


@pytest.mark.parametrize(("p", "left"), [(0.0, 1.0), (1.0, 0.0), (1e-9, 1.0)])
def test_all_or_nothing(p, left):
    assert torch.equal(drop(torch.ones(9), p), torch.full((9,), left))


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_share_that_is_none(p):
    with pytest.raises(ValueError, match=f"from 0 to 1, not {p}"):
        drop(torch.ones(2), p)


def test_without_dropout_attention_is_that_of_transformers():
    model = tiny(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    wanted = plain(input_ids=ids, attention_mask=mask).logits
    wanted[mask == 1].square().sum().backward()
    with fast_on_cpu(model, bf16=True):
        assert model.config._attn_implementation != "eager"
        found = model(input_ids=ids, attention_mask=mask).logits
        found[mask == 1].square().sum().backward()
    torch.testing.assert_close(found[mask == 1], wanted[mask == 1])
    for own, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def test_attention_drops_weights_in_training_only():
    torch.manual_seed(4)
    query = torch.randn(2, 3, 6, 8)
    layer = nn.Linear(1, 1)
    _, weights = eager_bf16(layer.eval(), query, query, query, None, dropout=0.5)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 6))
    _, weights = eager_bf16(layer.train(), query, query, query, None, dropout=0.5)
    assert 0.3 < (weights == 0).double().mean().item() < 0.7


@pytest.mark.parametrize("bf16", [True, False])
def test_afterwards_all_is_as_it_was_even_after_an_error(bf16):
    model = nn.ModuleDict({"own": tiny(), "alpha": nn.AlphaDropout(0.2)})
    before = [(name, type(module)) for name, module in model.named_modules()]
    attention_before = model["own"].config._attn_implementation
    weights = list(model.state_dict())
    with pytest.raises(RuntimeError, match="stop"), fast_on_cpu(model, bf16=bf16):
        inside = dict(model.named_modules())
        assert {type(m) for m in inside.values() if isinstance(m, nn.Dropout)} == {FastDropout}
        assert type(inside["alpha"]) is nn.AlphaDropout
        assert list(model.state_dict()) == weights
        raise RuntimeError("stop")
    assert [(name, type(module)) for name, module in model.named_modules()] == before
    assert model["own"].config._attn_implementation == attention_before


def test_the_allocator_keeps_what_is_freed():
    if not tune_malloc():
        pytest.skip("the allocator is not glibc's")
    pages = []
    for _ in range(8):  # the first ones have to find their place
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(50_000_000, dtype=torch.uint8)
        pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert min(pages) < 100, pages  # all of it anew would be 12,207
