"""A causal language model of Hugging Face in this process, for a small GPU or a CPU.

torch and transformers are imported by the first request: a check of the settings needs neither.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tkre.generation.llm.chat import LocalModel, refuse_missing, token_ids
from tkre.generation.llm.params import TransformersParams
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.protocol import LanguageModelError, Request, Response, Sampling

if TYPE_CHECKING:
    import torch


class SeededDraw:
    """Logits processor that samples by Gumbel noise: the argmax of noisy logits is a sample.

    ``generate`` draws all rows of a batch from one random generator, so the sample of a row depends
    on the other rows. Here each row has its own generator.

    Args:
        sampling: Temperature (above 0) and nucleus.
        seeds: A seed for each row.
        device: Device of the logits.
    """

    def __init__(self, sampling: Sampling, seeds: Sequence[int], device: torch.device) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self._temperature = sampling.temperature
        self._nucleus = TopPLogitsWarper(sampling.top_p)
        self._sources = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Noisy logits.

        Args:
            input_ids: Tokens so far, ``(rows, length)``.
            scores: Logits of the next one, ``(rows, vocabulary)``.
        """
        import torch

        kept = self._nucleus(input_ids, scores.float() / self._temperature)
        waits = torch.stack(
            [torch.empty_like(row).exponential_(generator=source)
             for row, source in zip(kept, self._sources, strict=True)]
        )  # fmt: skip
        # Minus the logarithm of an exponential variable is a Gumbel variable.
        return kept - waits.log()


logger = logging.getLogger(__name__)
Question = tuple[Request, list[int]]


class TransformersModel(LocalModel[TransformersParams]):
    """An ``AutoModelForCausalLM``, loaded by the first request.

    Responses come a batch at a time; a kill loses one batch at most. Requests of one batch are of
    similar length and equal sampling. Each request has its own seed, so its answer does not depend
    on the batch, up to the rounding of floating-point numbers.

    Args:
        params: Settings of the model.
        api_key: Not used.
    """

    def __init__(self, params: TransformersParams, api_key: str | None = None) -> None:
        super().__init__(params, api_key)
        self._model: Any = None
        self._grammars: Any = None

    def check(self) -> None:
        """Refuses a missing package or folder."""
        super().check()
        if self._params.constrained == "always":
            refuse_missing("xgrammar", "constrained")

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answers batches of requests with equal sampling, the longest first.

        Raises:
            LanguageModelError: The model cannot be loaded.
        """
        self._start()
        longest = getattr(self._model.config, "max_position_embeddings", None)
        questions: list[Question] = []
        for request in requests:
            ids = token_ids(self.tokenizer, request)
            if longest is not None and len(ids) >= longest:
                error = f"the question has {len(ids)} tokens, the model takes {longest}"
                yield Response(
                    request.id, reason="prompt_too_long", error=error, prompt_tokens=len(ids)
                )
            else:
                questions.append((request, ids))
        # The longest first: a batch that does not fit into memory fails at the start.
        questions.sort(key=lambda q: (str(q[0].sampling), -len(q[1]), q[0].id))
        for _, alike in groupby(questions, key=lambda q: q[0].sampling):
            together = list(alike)
            for start in range(0, len(together), self._params.batch_size):
                yield from self._batch(together[start : start + self._params.batch_size])

    def close(self) -> None:
        """Unloads the model and frees its GPU memory."""
        if self._model is None:
            return
        import torch

        self._model = self._grammars = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _start(self) -> None:
        if self._model is not None:
            return
        import torch
        import transformers

        params = self._params
        device = params.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                params.model, revision=params.revision, dtype=params.dtype, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise LanguageModelError(f"{params.model!r} cannot be loaded: {error}") from error
        self._model = model.to(device).eval()
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.source = f"transformers {transformers.__version__}"
        self._grammars = self._grammar_compiler()

    def _grammar_compiler(self) -> Any:
        """Compiler of schemas for constrained decoding; None where it is off or not installed."""
        if self._params.constrained == "never":
            return None
        if find_spec("xgrammar") is None:
            logger.info("xgrammar is not installed: answers are checked, but not kept to a schema")
            return None
        import xgrammar

        size = self._model.config.get_text_config().vocab_size
        info = xgrammar.TokenizerInfo.from_huggingface(self.tokenizer, vocab_size=size)
        return xgrammar.GrammarCompiler(info)

    def _batch(self, questions: Sequence[Question]) -> Iterator[Response]:
        import torch

        started = time.monotonic()
        try:
            answers = self._answers(questions)
        except torch.OutOfMemoryError:
            if len(questions) == 1:
                request, ids = questions[0]
                error = f"a question of {len(ids)} tokens does not fit into the GPU's memory"
                yield Response(request.id, reason="prompt_too_long", error=error)
                return
            half = len(questions) // 2
            logger.warning("%d questions at once do not fit into memory; halving", len(questions))
            yield from self._batch(questions[:half])
            yield from self._batch(questions[half:])
            return
        seconds = time.monotonic() - started
        for (request, ids), (text, written, complete) in zip(questions, answers, strict=True):
            yield read_answer(
                request,
                text,
                complete=complete,
                prompt_tokens=len(ids),
                completion_tokens=written,
                seconds=seconds,
            )

    def _answers(self, questions: Sequence[Question]) -> list[tuple[str, int, bool]]:
        """Text, length in tokens, and whether the model ended it, for each answer."""
        import torch

        padded = self.tokenizer.pad(
            {"input_ids": [ids for _, ids in questions]}, padding_side="left", return_tensors="pt"
        ).to(self._model.device)
        requests = [request for request, _ in questions]
        with torch.inference_mode():
            written = self._model.generate(
                **padded,
                # Greedy, independent of the model's defaults: SeededDraw does the sampling.
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=requests[0].sampling.max_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=[*self._constraints(requests), *self._samples(requests)],
            )
        ends = self._model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends]) | {self.tokenizer.eos_token_id}
        answers = []
        for row in written[:, padded["input_ids"].shape[1] :].tolist():
            end = next((n for n, token in enumerate(row) if token in ends), None)
            text = self.tokenizer.decode(row[:end], skip_special_tokens=True)
            answers.append((text, len(row) if end is None else end + 1, end is not None))
        return answers

    def _constraints(self, requests: Sequence[Request]) -> list[Any]:
        if self._grammars is None:
            return []
        from xgrammar.contrib.hf import LogitsProcessor

        schemas = [
            self._grammars.compile_json_schema(request.schema, any_whitespace=False)
            for request in requests
        ]
        return [LogitsProcessor(schemas)]

    def _samples(self, requests: Sequence[Request]) -> list[Any]:
        if requests[0].sampling.temperature == 0:
            return []
        seeds = [request.seed(self.name) for request in requests]
        return [SeededDraw(requests[0].sampling, seeds, self._model.device)]
