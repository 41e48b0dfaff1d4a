"""Servers with OpenAI's chat completions API, through the official client.

The client retries 429, 5xx and broken connections with exponential, jittered pauses and respects
``Retry-After``; this module decides what a failure means for the run, and falls back to weaker
forms of the schema where a server refuses it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tkre.generation.llm.chat import refuse_missing
from tkre.generation.llm.params import OpenAIParams
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.pasted import shortened, text_of
from tkre.generation.llm.protocol import LanguageModelError, Request, Response
from tkre.generation.llm.watchdog import graceful_sigint

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

logger = logging.getLogger(__name__)
HOSTED = "api.openai.com"
# Servers that a user starts, by backend, with the command.
LOCAL = {
    "llama_server": "llama-server -m <file>.gguf -c 16384 -np 4",
    "ollama": "ollama serve",
    "vllm_server": "vllm serve <model>",
}
# From the strictest form of a schema to the one that every server accepts.
FORMS = ("json_schema", "short_schema", "plain_schema", "json_object", "text")
# Bounds that some servers refuse in a schema; answers are checked against them anyway. llama.cpp,
# which Ollama and LM Studio use too, makes a grammar with as many rules as letters may be written;
# many versions refuse 2,000 of them.
_BOUNDS = {"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
_LARGEST_BOUND = {"short_schema": 500, "plain_schema": -1}
_FORM_NAMES = {
    "json_schema": "whole",
    "short_schema": f"without bounds above {_LARGEST_BOUND['short_schema']}",
    "plain_schema": "without bounds",
    "json_object": "without the schema",
    "text": "without response_format",
}
# What servers write of a question that is longer than the model's context.
_CONTEXT = re.compile(r"context.?(?:size|length|window)", re.IGNORECASE)
# What llama-server writes, with status 500, of an answer that it cannot read: the model's doing,
# and the same again for the same seed.
_UNREADABLE = re.compile(r"does not match the expected|empty grammar stack", re.IGNORECASE)
# Fields in which servers put the reasoning of a thinking model, beside the answer.
_REASONING = ("reasoning_content", "reasoning")


def response_format(form: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The field ``response_format`` of a request; None to leave it out.

    Args:
        form: One of ``FORMS``.
        schema: JSON schema of the answer.
    """
    if form == "text":
        return None
    if form == "json_object":
        return {"type": "json_object"}
    sent = _bounded(schema, _LARGEST_BOUND[form]) if form in _LARGEST_BOUND else schema
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": sent, "strict": True},
    }


def _bounded(schema: Any, largest: int) -> Any:
    """A schema without the bounds that are larger."""
    if isinstance(schema, dict):
        return {
            key: _bounded(value, largest)
            for key, value in schema.items()
            if key not in _BOUNDS or value <= largest
        }
    if isinstance(schema, list):
        return [_bounded(item, largest) for item in schema]
    return schema


class OpenAIServer:
    """A chat model behind HTTP.

    Args:
        params: Settings of the server.
        api_key: For servers that require one.
    """

    def __init__(self, params: OpenAIParams, api_key: str | None = None) -> None:
        self.name = params.called
        self._params = params
        self._key = api_key
        self._host = _host(params.base_url)
        self.source = f"openai {self._host}"
        self._client: OpenAI | None = None
        self._lock = threading.Lock()
        # Index of the form in which the server is known to take a schema.
        self._form = 0 if params.response_format == "auto" else FORMS.index(params.response_format)

    def check(self) -> None:
        """Refuses a missing package or key, and an address that is none or holds a key."""
        refuse_missing("openai", "openai")
        if not self._host:
            raise LanguageModelError(
                "base_url must be http(s)://<host>:<port>/v1, without a user name or key in it (a "
                "key goes into conf/local/credentials.yml)"
            )
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise LanguageModelError(
                "the key (OPENAI_API_KEY, or language_model.api_key in conf/local/credentials.yml) "
                "holds a character that no key has, as copied quotes are"
            )
        if self._params.backend in LOCAL:
            self._require_running()
        if self._host == HOSTED and not self._key:
            raise LanguageModelError(
                f"{HOSTED} wants a key: set OPENAI_API_KEY, or language_model.api_key in "
                "conf/local/credentials.yml"
            )

    def _require_running(self) -> None:
        """Refuses an address where nothing listens, before anything else is done."""
        import httpx

        try:
            status = httpx.get(
                f"{self._params.base_url}/models", timeout=5, trust_env=False
            ).status_code
        except httpx.ConnectError:
            raise LanguageModelError(
                f"nothing listens at {self._params.base_url}: start the server with "
                f"`{LOCAL[self._params.backend]}`, or give its base_url"
            ) from None
        except httpx.HTTPError:  # it is there, and busy
            return
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise LanguageModelError(
                f"the server at {self._params.base_url} still loads its model: run again when it "
                "has done so"
            )

    def count_tokens(self, requests: Sequence[Request]) -> None:
        """Unknown: only the server has the tokenizer."""
        return

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Sends requests concurrently; yields each response as it arrives.

        The next request is sent when the caller has stored a response, so a run that is killed
        loses the answers to ``concurrency`` requests at most. When it has to stop (no key, a server
        that is gone, Ctrl-C), nothing new is sent, and requests in flight are waited for, since
        they are paid for.

        Raises:
            LanguageModelError: The server refuses all, or has not answered for long.
        """
        self._start()
        stop = threading.Event()
        problem: Exception | None = None
        failed_in_row = 0
        concurrency = self._params.concurrency

        def stop_with(error: Exception, why: str) -> None:
            nonlocal problem
            if problem is None:
                problem = error
                stop.set()
                self._log_stop(why)

        with (
            graceful_sigint(stop, self._log_stop) as interrupted,
            ThreadPoolExecutor(concurrency, "language-model") as executor,
        ):
            waiting = iter(requests)
            pending = {executor.submit(self._ask, r) for r in islice(waiting, concurrency)}
            try:
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        try:
                            response = future.result()
                        except LanguageModelError as refusal:
                            stop_with(refusal, "the server refuses")
                            continue
                        # A server that refuses every request, as for a setting, gives no answers.
                        failed = not response.settled or response.reason == "refused_request"
                        failed_in_row = failed_in_row + 1 if failed else 0
                        yield response
                        if failed_in_row >= self._params.give_up_after:
                            stop_with(self._gone(failed_in_row, response), "the server is gone")
                        following = None if stop.is_set() else next(waiting, None)
                        if following is not None:
                            pending.add(executor.submit(self._ask, following))
            finally:
                stop.set()
                if pending:  # the caller has stopped reading
                    self.close()
                executor.shutdown(wait=False, cancel_futures=True)
        if interrupted.is_set():
            raise KeyboardInterrupt
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Closes its connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _start(self) -> None:
        if self._client is None:
            from openai import OpenAI

            # One line per request, and per retry, would drown a log.
            for name in ("openai", "httpx", "httpcore"):
                logging.getLogger(name).setLevel(logging.WARNING)
            self._client = OpenAI(
                base_url=self._params.base_url,
                api_key=self._key or "none",
                timeout=self._params.timeout,
                max_retries=self._params.retries,
            )

    def _log_stop(self, why: str) -> None:
        logger.warning("%s: %s; waiting for requests in flight", self._host, why)

    def _gone(self, failed: int, last: Response) -> LanguageModelError:
        return LanguageModelError(
            f"{self._params.base_url}: {failed} requests in a row failed, the last one with "
            f"{last.error}. What has been answered is stored: run again when its cause is gone."
        )

    def _ask(self, request: Request) -> Response:
        """Sends one request in the form that the server accepts; never raises for one bad row."""
        import openai

        started = time.monotonic()
        form = self._form
        refusals: list[Exception] = []
        while True:
            try:
                return self._send(request, FORMS[form], started, refusals)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                too_long = _CONTEXT.search(f"{error} {error.code} {error.type}")
                following = None if too_long else self._weaker(form, request)
                if following is None:
                    reason = "context_exceeded" if too_long else "refused_request"
                    return self._failed(request, reason, error, started)
                refusals.append(error)
                form = following
            except openai.APIConnectionError as error:
                late = isinstance(error, openai.APITimeoutError)
                return self._failed(request, "timed_out" if late else "unreachable", error, started)
            except openai.APIStatusError as error:
                of_status = _status_reason(error)
                if of_status is None:
                    raise LanguageModelError(
                        f"{self._params.base_url} refuses {self.name!r}: {self._scrubbed(error)}"
                    ) from None
                return self._failed(request, of_status, error, started)
            except (openai.APIError, ValueError, RecursionError) as error:
                # A body that is no JSON, or another thing than a completion.
                return self._failed(request, "server_error", error, started)

    def _weaker(self, form: int, request: Request) -> int | None:
        """Index of the next form that differs for a request; None if there is none to try."""
        if self._params.response_format != "auto":
            return None
        sent = response_format(FORMS[form], request.schema)
        rest = range(form + 1, len(FORMS))
        return next((n for n in rest if response_format(FORMS[n], request.schema) != sent), None)

    def _send(
        self, request: Request, form: str, started: float, refusals: Sequence[Exception]
    ) -> Response:
        assert self._client is not None
        params, sampling = self._params, request.sampling
        # Not part of the digest: the same question, with more room to think.
        options: dict[str, Any] = {
            params.token_limit: sampling.max_tokens + params.reasoning_tokens
        }
        if params.send_sampling:
            options |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        if params.send_seed:
            options["seed"] = request.seed(self.name)
        if asked_form := response_format(form, request.schema):
            options["response_format"] = asked_form
        raw = self._client.chat.completions.with_raw_response.create(
            model=params.model,
            messages=list(request.messages),  # type: ignore[arg-type]
            extra_body=params.extra_body or None,
            **options,
        )
        response = _response(request, raw.http_response.json(), time.monotonic() - started)
        self._remember(form, refusals)
        return replace(response, tries=raw.retries_taken + 1)

    def _remember(self, form: str, refusals: Sequence[Exception]) -> None:
        """Remembers the form that the server accepted, for the other requests."""
        with self._lock:
            if FORMS.index(form) > self._form:
                self._form = FORMS.index(form)
                logger.warning(
                    "%s refuses the JSON schema of an answer (%s); it is sent as %s (%s), and "
                    "every answer is checked",
                    self._host,
                    self._scrubbed(refusals[-1]) if refusals else "",
                    form,
                    _FORM_NAMES[form],
                )

    def _failed(self, request: Request, reason: str, error: Exception, started: float) -> Response:
        return Response(
            request.id,
            reason=reason,
            error=self._scrubbed(error) + self._way_out(reason),
            seconds=round(time.monotonic() - started, 3),
        )

    def _way_out(self, reason: str) -> str:
        if reason == "context_exceeded":
            return "; start the server with a larger context (llama-server: -c)"
        if reason == "refused_request" and self._params.response_format in FORMS[:3]:
            return "; response_format: auto leaves out what a server refuses in a schema"
        return ""

    def _scrubbed(self, error: Exception) -> str:
        """An error's message; servers have been seen to repeat the key in it."""
        text = " ".join(str(error).split())[:500]
        return text.replace(self._key, "***") if self._key else text


def _host(base_url: str) -> str:
    """Host and port of an address; empty for one that is none, or that holds a name or key."""
    with suppress(ValueError):  # of a port that is no number, among others
        address = urlsplit(base_url)
        if address.scheme in ("http", "https") and "@" not in address.netloc and address.port != 0:
            return address.netloc
    return ""


def _status_reason(error: APIStatusError) -> str | None:
    """Reason of a failed request; None for a failure of the whole server or account."""
    status = error.status_code
    if status == 429:
        return None if "insufficient_quota" in (error.code, error.type) else "rate_limited"
    if status >= 500 and _UNREADABLE.search(error.message):
        return "not_json"
    if status >= 500 or status in (408, 409):
        return "server_error"
    # Not a key that is refused, a model that is unknown, an account without money (402).
    return "refused_request" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None


def _response(request: Request, body: Any, seconds: float) -> Response:
    """The answer in the body of a completion.

    Not by the classes of the client, which take any body for one: servers differ in what they
    leave out and in which kinds of values they give.

    Raises:
        ValueError: The body holds no completion.
    """
    match body:
        case {"choices": [{"message": dict(message), **choice}, *_], **rest}:
            usage = rest.get("usage")
        case _:
            raise ValueError(f"the body holds no completion: {shortened(body)}")
    tokens = {k: v for k, v in usage.items() if type(v) is int} if isinstance(usage, dict) else {}
    refusal, finish = message.get("refusal"), choice.get("finish_reason")
    response = read_answer(
        request,
        text_of(message),
        complete=finish != "length",
        reasoned=any(message.get(key) for key in _REASONING),
        prompt_tokens=tokens.get("prompt_tokens"),
        completion_tokens=tokens.get("completion_tokens"),
        seconds=seconds,
    )
    if response.answer is None and (refusal or finish == "content_filter"):
        return replace(response, reason="refused", error=str(refusal or "content filter"))
    return response
