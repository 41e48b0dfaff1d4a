from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from tests.live.tiny_llama import make_llama
from tkre.generation.llm.huggingface import SeededDraw, TransformersModel
from tkre.generation.llm.params import TransformersParams
from tkre.generation.llm.protocol import LanguageModelError, Request, Sampling

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 20}},
    "required": ["text"],
    "additionalProperties": False,
}
GREEDY = Sampling(temperature=0, max_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = ["Ada lives in Rome and knows Bo, who was born in Oslo."] * 20
    return make_llama(tmp_path_factory.mktemp("llama"), texts, max_position_embeddings=256)


def requests(*contents: str, sampling: Sampling = GREEDY) -> list[Request]:
    return [
        Request(f"r{n}", ({"role": "user", "content": c},), SCHEMA, sampling)
        for n, c in enumerate(contents)
    ]


def model(folder, **settings) -> TransformersModel:
    params = {"constrained": "never", "dtype": "float32", "device": "cpu"} | settings
    return TransformersModel(
        TransformersParams(backend="transformers", model=str(folder), name="tiny", **params)
    )


def texts(model: TransformersModel, asked: list[Request]) -> dict[str, str | None]:
    return {r.request_id: r.text for r in model.generate(asked)}


def test_every_request_gets_a_response_with_token_counts(folder):
    asked = requests("Ada", "Ada lives in Rome", "Bo", "Who was born in Oslo?", "x")
    llama = model(folder, batch_size=2)
    lengths = llama.count_tokens(asked)
    responses = {r.request_id: r for r in llama.generate(asked)}
    assert set(responses) == {r.id for r in asked}
    assert [responses[r.id].prompt_tokens for r in asked] == lengths
    assert all(1 <= (r.completion_tokens or 0) <= 12 for r in responses.values())
    # Random weights write no JSON: each is a failure with its reason, and its text is kept.
    assert {r.reason for r in responses.values()} <= {"truncated", "not_json", "empty"}


def test_padding_does_not_change_a_greedy_answer(folder):
    asked = requests("Ada", "Ada lives in Rome and knows Bo, who was born in Oslo.", "Bo")
    together = texts(model(folder, batch_size=3), asked)
    alone = texts(model(folder, batch_size=1), asked)
    assert together == alone


def test_sampling_depends_on_the_request_seed(folder):
    warm = Sampling(temperature=1.5, top_p=1.0, max_tokens=12)
    [asked] = requests("Ada", sampling=warm)
    other = replace(asked, sampling=warm.model_copy(update={"seed": 1}))
    llama = model(folder)
    first, again, different = (texts(llama, [r])["r0"] for r in (asked, asked, other))
    assert first == again != different


def test_sampling_is_independent_of_the_batch(folder):
    warm = Sampling(temperature=1.0, top_p=0.9, max_tokens=12)
    asked = requests("Ada", "Bo lives in Rome", "Oslo", "Who?", sampling=warm)
    together = texts(model(folder, batch_size=4), asked)
    assert together == texts(model(folder, batch_size=1), asked)
    assert together == texts(model(folder, batch_size=3), asked[::-1])


def test_batches_have_equal_sampling(folder):
    short, *_ = requests("Ada", sampling=Sampling(temperature=2, top_p=1, max_tokens=2))
    long, *_ = requests("Ada", sampling=Sampling(temperature=2, top_p=1, max_tokens=40))
    asked = [short, replace(long, id="long")]
    lengths = {r.request_id: r.completion_tokens for r in model(folder).generate(asked)}
    assert lengths["r0"] <= 2 < lengths["long"] <= 40


def test_too_long_prompt_does_not_affect_others(folder):
    asked = requests("Ada", "Rome " * 400)
    responses = {r.request_id: r for r in model(folder).generate(asked)}
    assert responses["r1"].reason == "prompt_too_long" and "takes 256" in responses["r1"].error
    assert responses["r0"].completion_tokens


def test_model_restarts_after_close(folder):
    llama = model(folder)
    llama.close()
    before = texts(llama, requests("Ada"))
    llama.close()
    llama.close()
    assert texts(llama, requests("Ada")) == before
    assert llama.source.startswith("transformers 5.")


def test_check_refuses_a_missing_folder(tmp_path):
    with pytest.raises(LanguageModelError, match=r"there is no folder with a config.json"):
        model(tmp_path / "nothing").check()


@pytest.mark.skipif(find_spec("xgrammar") is not None, reason="xgrammar is installed")
def test_without_xgrammar_decoding_is_unconstrained_and_logged(folder, caplog):
    with pytest.raises(LanguageModelError, match=r"xgrammar.*pip install '.\[constrained\]'"):
        model(folder, constrained="always").check()
    with caplog.at_level(logging.INFO):
        list(model(folder, constrained="auto").generate(requests("Ada")))
    assert "not kept to a schema" in caplog.text


@pytest.mark.vllm  # whose environment has it
@pytest.mark.skipif(find_spec("xgrammar") is None, reason="xgrammar is not installed")
def test_xgrammar_enforces_the_schema(folder):
    sampling = Sampling(temperature=1.0, max_tokens=100)

    def one_of(*values):
        return {"type": "object", "properties": {"is": {"enum": list(values)}},
                "required": ["is"], "additionalProperties": False}  # fmt: skip

    asked = [replace(request, schema=schema) for request, schema in zip(
        requests("Ada", "Bo", "Rome", sampling=sampling),
        [one_of("yes", "no"), one_of(1, 2), one_of("yes", "no")], strict=True)]  # fmt: skip
    llama = model(folder, constrained="always", batch_size=3)
    llama.check()
    answers = {r.request_id: (r.answer or {}).get("is") for r in llama.generate(asked)}
    assert answers["r0"] in ("yes", "no") and answers["r2"] in ("yes", "no")
    assert answers["r1"] in (1, 2)


LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_seeded_draw_follows_the_distribution(temperature):
    rows = 4000
    draw = SeededDraw(
        Sampling(temperature=temperature, top_p=1.0), range(rows), torch.device("cpu")
    )
    chosen = draw(torch.zeros(rows, 1, dtype=torch.long), LOGITS.repeat(rows, 1)).argmax(-1)
    shares = torch.bincount(chosen, minlength=4) / rows
    # Three standard deviations of a share of 4000 draws are 2.4 per cent at most.
    assert torch.allclose(shares, (LOGITS / temperature).softmax(-1), atol=0.024)


def test_tokens_outside_the_nucleus_are_never_sampled():
    draw = SeededDraw(Sampling(temperature=1.0, top_p=0.5), range(500), torch.device("cpu"))
    chosen = draw(torch.zeros(500, 1, dtype=torch.long), LOGITS.repeat(500, 1)).argmax(-1)
    assert set(chosen.tolist()) == {0}


def test_masked_tokens_are_never_sampled():
    forbidden = LOGITS.clone()
    forbidden[0] = -torch.inf
    draw = SeededDraw(Sampling(temperature=2.0, top_p=1.0), range(500), torch.device("cpu"))
    chosen = draw(torch.zeros(500, 1, dtype=torch.long), forbidden.repeat(500, 1)).argmax(-1)
    assert set(chosen.tolist()) == {1, 2, 3}


def test_draw_depends_only_on_the_row_seed():
    def drawn(seeds: list[int]) -> torch.Tensor:
        draw = SeededDraw(Sampling(temperature=1.0, top_p=1.0), seeds, torch.device("cpu"))
        rows = LOGITS.repeat(len(seeds), 1)
        return draw(torch.zeros(len(seeds), 1, dtype=torch.long), rows)

    assert torch.equal(drawn([1, 2, 3])[2], drawn([3])[0])
    assert not torch.equal(drawn([1, 2])[0], drawn([1, 2])[1])
