"""vLLM within the run: all requests in one batch, each with its schema, stored as it finishes."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tkre.generation.llm.chat import LocalModel, refuse_missing, token_ids
from tkre.generation.llm.params import VllmParams
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.protocol import LanguageModelError, Request, Response
from tkre.generation.llm.watchdog import start_watchdog

logger = logging.getLogger(__name__)


class VllmEngine(LocalModel[VllmParams]):
    """A ``vllm.LLM``, started by the first request.

    The engine works in processes of its own, so the memory of its GPUs is free as soon as it is
    closed. Requests are answered in any order. Requests with a common prefix share its computation
    (prefix caching), so a prompt ends with the part that differs.

    Args:
        params: Settings of the engine.
        api_key: Not used.
    """

    def __init__(self, params: VllmParams, api_key: str | None = None) -> None:
        super().__init__(params, api_key)
        self._llm: Any = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def check(self) -> None:
        """Refuses a missing package or folder."""
        refuse_missing("vllm", "vllm")
        super().check()
        if self._params.distributed_executor_backend == "ray":
            refuse_missing("ray", "vllm")

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """All requests in one batch of the engine; each response as soon as it is finished.

        Raises:
            LanguageModelError: The engine does not start, or has died.
        """
        llm = self._started()
        longest = llm.model_config.max_model_len
        started = time.monotonic()
        waiting: dict[str, Request] = {}
        for request in requests:
            ids = token_ids(self.tokenizer, request)
            problem = self._add(llm, request, ids, longest)
            if problem is None:
                waiting[request.id] = request
            else:
                yield replace(problem, prompt_tokens=len(ids))
        try:
            # As LLM.generate, but each output is yielded when it is finished: a run that is killed
            # at the last one has stored all the others.
            while waiting:
                for output in llm.llm_engine.step():
                    if output.finished:
                        request = waiting.pop(output.request_id)
                        yield _response(request, output, time.monotonic() - started)
        except _engine_errors() as error:
            waiting.clear()
            raise LanguageModelError(f"the vLLM engine has died: {error}") from error
        finally:
            if waiting:
                llm.llm_engine.abort_request(list(waiting))

    def close(self) -> None:
        """Ends the engine's processes."""
        if self._llm is None:
            return
        engine, self._llm = self._llm.llm_engine, None
        engine.engine_core.shutdown()
        self._stop_watchdog()
        logger.info("vLLM: engine closed")

    def arguments(self) -> dict[str, Any]:
        """Arguments of ``vllm.LLM``: the settings and constants."""
        params = self._params
        return {
            **params.model_dump(exclude={"backend", "name", "engine"}, exclude_none=True),
            "trust_remote_code": False,
            "enable_prefix_caching": True,
            # White space without end is how constrained answers get cut off. The backend must be
            # named for that; this one is the quicker on bounded texts
            # (tests/benchmarks/generation_throughput.py --structured-outputs).
            "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
            **_of_platform(),
            **params.engine,
        }

    def _stop_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.terminate()
            self._watchdog.wait()
            self._watchdog = None

    def _started(self) -> Any:
        if self._llm is not None:
            return self._llm
        # Without these vLLM logs every step and reports its usage to its developers.
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        import vllm

        logger.info("vLLM %s: starting %s", vllm.__version__, self._params.model)
        started = time.monotonic()
        self._watchdog = start_watchdog(os.getpid())
        try:
            self._llm = vllm.LLM(**self.arguments())
        except Exception as error:
            self._stop_watchdog()
            raise LanguageModelError(
                f"vLLM does not start {self._params.model!r}: {error}"
            ) from error
        # Equal answers in any batch, where the user has asked vLLM for it.
        invariant = ", batch-invariant" if os.environ.get("VLLM_BATCH_INVARIANT") == "1" else ""
        self.source = f"vllm {vllm.__version__}{invariant}"
        logger.info("vLLM: started in %.0f s", time.monotonic() - started)
        return self._llm

    def _add(self, llm: Any, request: Request, ids: list[int], longest: int) -> Response | None:
        """Queues a request; a failed response if it does not fit."""
        if len(ids) >= longest:
            error = f"the question has {len(ids)} tokens, max_model_len is {longest}"
            return Response(request.id, reason="prompt_too_long", error=error)
        try:
            [prompt] = llm.llm_engine.renderer.render_cmpl([{"prompt_token_ids": ids}])
            llm.llm_engine.add_request(request.id, prompt, self._sampling(request))
        except ValueError as error:
            return Response(request.id, reason="refused_request", error=str(error))
        return None

    def _sampling(self, request: Request) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        return SamplingParams(
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            max_tokens=request.sampling.max_tokens,
            seed=request.seed(self.name),
            structured_outputs=StructuredOutputsParams(json=request.schema),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _response(request: Request, output: Any, seconds: float) -> Response:
    completion = output.outputs[0]
    return read_answer(
        request,
        completion.text,
        complete=completion.finish_reason == "stop",
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=len(completion.token_ids),
        seconds=seconds,
    )


def _of_platform() -> dict[str, Any]:
    """Settings that a platform needs."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return {}
    # With chunked prefill vLLM 0.32 resets a seeded generator, which fails on CPUs and ends the
    # engine. Above 128 requests it compiles schemas in threads, which slows machines of few cores.
    return {"enable_chunked_prefill": False, "max_num_seqs": 128}


def _engine_errors() -> tuple[type[Exception], ...]:
    from vllm.v1.engine.exceptions import EngineDeadError

    return (EngineDeadError,)
