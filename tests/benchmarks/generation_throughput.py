"""Tokens per second: the vLLM backend beside one prompt per call of transformers.

One prompt per call, drawn without a schema, is how the released TKRE code generates. Both answer
the same 200 explanation prompts of the demo corpus with the same random Llama (bf16), the same
sampling and the same budget of tokens. What comes before the measured answers (loading, compiling,
two answers to warm up) is printed beside.

    python tests/benchmarks/generation_throughput.py [--size tiny|1b] [--top-p P]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.live.tiny_llama import make_llama  # noqa: E402
from tkre.core.schema import RelationSchema  # noqa: E402
from tkre.corpora.formats import native_rows  # noqa: E402
from tkre.generation.explanations import explanation_requests  # noqa: E402
from tkre.generation.llm.chat import token_ids  # noqa: E402
from tkre.generation.llm.params import VllmParams  # noqa: E402
from tkre.generation.llm.protocol import Request, Sampling  # noqa: E402
from tkre.generation.llm.vllm import VllmEngine  # noqa: E402
from tkre.generation.params import ExplanationParams  # noqa: E402

CORPUS = ROOT / "data/01_raw/newsroom"
SIZES = {
    "tiny": {"dtype": "bfloat16"},
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
           "num_attention_heads": 32, "num_key_value_heads": 8, "dtype": "bfloat16"},
}  # fmt: skip


def questions(n: int, tokens: int, top_p: float) -> list[Request]:
    """Explanation prompts for the first rows of the corpus."""
    schema = RelationSchema.parse(yaml.safe_load((CORPUS / "relations.yml").read_text()), "schema")
    files = ((CORPUS / f"{split}.jsonl").read_text() for split in ("train", "dev", "test"))
    read = (parse() for _, parse in chain.from_iterable(native_rows(f, "train") for f in files))
    prompt = (ROOT / "conf/base/prompts/explanation.txt").read_text()
    sampling = Sampling(temperature=0.7, top_p=top_p, max_tokens=tokens)
    params = ExplanationParams(sampling=sampling, max_words=120)
    return explanation_requests(list(islice(read, n)), schema, prompt, params)


def one_by_one(folder: Path) -> tuple[Callable[[Sequence[Request]], int], Callable[[], None]]:
    """transformers, a prompt a call."""
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    generator = pipeline("text-generation", model=str(folder))

    def answer(asked: Sequence[Request]) -> int:
        written = 0
        for request in asked:
            [output] = generator(
                list(request.messages), max_new_tokens=request.sampling.max_tokens, do_sample=True,
                temperature=request.sampling.temperature, top_p=request.sampling.top_p,
                top_k=0, return_tensors=True,
            )  # fmt: skip
            asked_tokens = len(token_ids(generator.tokenizer, request))
            written += len(output["generated_token_ids"]) - asked_tokens
        return written

    return answer, lambda: None


def vllm_backend(
    folder: Path, schemas: str
) -> tuple[Callable[[Sequence[Request]], int], Callable[[], None]]:
    """The project's backend, with a schema for each request."""
    chosen: dict[str, Any] = {}
    if schemas:
        config = {"backend": schemas, "disable_any_whitespace": True}
        chosen = {"engine": {"structured_outputs_config": config}}
    engine = VllmEngine(VllmParams(
        backend="vllm", model=str(folder), max_model_len=1024, gpu_memory_utilization=0.5, **chosen
    ))  # fmt: skip

    def answer(asked: Sequence[Request]) -> int:
        return sum(response.completion_tokens or 0 for response in engine.generate(asked))

    return answer, engine.close


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measured(name: str, build: Callable, folder: Path, asked: Sequence[Request]) -> float:  # type: ignore[type-arg]
    """Tokens per second of a way to answer."""
    started = time.perf_counter()
    answer, close = build(folder)
    answer(asked[:2])
    ready = time.perf_counter()
    try:
        written = answer(asked)
    finally:
        seconds = time.perf_counter() - ready
        close()
    speed, before = written / seconds, ready - started
    tell(f"{name:<27} {written:>7,} tokens in {seconds:6.2f} s: {speed:>7,.0f} tokens/s"
         f"   (ready after {before:.0f} s)")  # fmt: skip
    return speed


def main() -> None:
    """Builds the model, measures both, prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--structured-outputs", default="", help="another backend of schemas")
    options = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    asked = questions(options.prompts, options.tokens, options.top_p)
    with tempfile.TemporaryDirectory() as folder:
        texts = [message["content"] for request in asked for message in request.messages]
        make_llama(Path(folder), texts, **SIZES[options.size])
        tell(f"{len(asked)} explanation prompts, at most {options.tokens} tokens each, "
             f"top-p {options.top_p}, random Llama: {options.size}")  # fmt: skip
        slow = measured("transformers, one per call", one_by_one, Path(folder), asked)
        backend = partial(vllm_backend, schemas=options.structured_outputs)
        fast = measured("vLLM backend, with schemas", backend, Path(folder), asked)
    tell(f"ratio {fast / slow:.1f}")


if __name__ == "__main__":
    main()
