"""Refusals: what is wrong with a request, sentence by sentence, in one form.

What is refused before it is read, and what every answer says of itself.

The application: what each route answers.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tkre import __version__
from tkre.corpora.unlabelled import SentenceError
from tkre.serving.api.batching import Batcher, BusyError
from tkre.serving.api.logs import RequestLog, log
from tkre.serving.api.schemas import (
    ErrorResponse,
    HealthResponse,
    LabelledSentence,
    PredictRequest,
    PredictResponse,
    Problem,
    RelationsResponse,
    ServiceParams,
    TooManyError,
    read,
)
from tkre.serving.extractor import RelationExtractor

SHOWN, LONGEST = 20, 300  # problems in an answer; characters of a reason, which may quote a text


def add_handlers(app: FastAPI) -> None:
    """Makes an application answer all refusals in the form of ``ErrorResponse``."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SentenceError, _sentences)
    app.add_exception_handler(TooManyError, _too_many)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(StarletteHTTPException, _http)


def answer(
    status: int,
    detail: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A refusal.

    Args:
        status: Of HTTP.
        detail: What is wrong in a sentence.
        problems: Which parts of the request.
        headers: More of them.
    """
    shown = [
        problem.model_copy(update={"reason": _cut(problem.reason)}) for problem in problems[:SHOWN]
    ]
    content = ErrorResponse(detail=_cut(detail), problems=shown).model_dump(exclude={"request_id"})
    return JSONResponse(content, status, headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What pydantic says, without the input that it repeats."""
    assert isinstance(error, RequestValidationError)
    wrong = error.errors()
    for problem in wrong:
        if problem["type"] == "json_invalid":
            why = problem.get("ctx", {}).get("error", problem["msg"])
            return answer(400, f"the body is not JSON: {why} at character {problem['loc'][-1]}")
    return answer(422, "the request is not as it should be", [_problem(e) for e in wrong])


async def _sentences(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SentenceError)
    problems = [Problem(item=n, reason=reason) for n, reason in error.problems.items()]
    return answer(422, f"{len(problems)} sentence(s) cannot be labelled", problems)


async def _too_many(_: Request, error: Exception) -> JSONResponse:
    return answer(422, str(error), [Problem(item=None, reason=str(error))])


async def _busy(_: Request, error: Exception) -> JSONResponse:
    return answer(503, f"{error}: try again in a moment", headers={"Retry-After": "1"})


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException | HTTPException)
    detail = _unreadable(error.__cause__) or str(error.detail)
    return answer(error.status_code, detail, headers=error.headers)


def _unreadable(cause: BaseException | None) -> str | None:
    """Why a body could not be read, of which the framework says no more than that."""
    if isinstance(cause, UnicodeDecodeError):
        return (
            f"the body is not UTF-8, which JSON is whatever the header says: byte {cause.start} is "
            f"0x{cause.object[cause.start]:02x}"
        )
    if isinstance(cause, RecursionError):
        return "the body is nested too deeply"
    if isinstance(cause, ValueError):  # the one that Python's reader of JSON has beside its own
        return f"the body has a number of more than {sys.get_int_max_str_digits()} digits"
    return None


def _problem(error: Mapping[str, Any]) -> Problem:
    """Of what is not a sentence of a request; those have handlers of their own."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    return Problem(item=None, reason=f"{where}: {error['msg']}" if where else error["msg"])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


# A client that is still sending does not see an answer if the connection is closed under it: so
# much of the rest is thrown away before, for so long.
LINGER_BYTES, LINGER_SECONDS = 32 * 1024 * 1024, 2.0
# Nothing is guessed at, and nothing comes from another host. (The page of the documentation has a
# script and a style of its own in it.)
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    ),
}


class Gate:
    """ASGI middleware that answers 413 to a body beyond a limit, 415 to one that is not plain JSON.

    A length that is announced is judged by the announcement; a body in chunks is counted as it
    comes, and no more than the limit is ever in memory.

    Args:
        app: What is behind it.
        max_bytes: The limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE)
            await send(message)

        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max:
            await _refuse(413, self._reason, receive, safe)
        elif scope["method"] == "POST" and not _is_json(headers):
            await _refuse(415, "the header must say Content-Type: application/json", receive, safe)
        elif scope["method"] == "POST" and _is_compressed(headers):
            await _refuse(415, "a compressed body is not read: send it as it is", receive, safe)
        else:
            await self._app(scope, self._counted(receive), safe)

    @property
    def _reason(self) -> str:
        return f"the body is longer than {self._max} bytes: send fewer sentences at a time"

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max:
                raise HTTPException(413, self._reason, {"Connection": "close"})
            return message

        return counted


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")


def _is_compressed(headers: Headers) -> bool:
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


async def _refuse(status: int, reason: str, receive: Receive, send: Send) -> None:
    body = json.dumps({"detail": reason, "problems": []}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):  # who is slow has had the time to see the answer
        await asyncio.wait_for(_discard(receive), LINGER_SECONDS)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    thrown = 0
    while thrown < LINGER_BYTES:
        message = await receive()
        thrown += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


LIBRARIES = ("torch", "transformers", "onnxruntime")
REFUSALS: dict[int | str, dict[str, object]] = {
    400: {"model": ErrorResponse, "description": "The body is not JSON."},
    413: {"model": ErrorResponse, "description": "The body is too long."},
    415: {"model": ErrorResponse, "description": "The body is not announced as plain JSON."},
    422: {"model": ErrorResponse, "description": "What is wrong, sentence by sentence."},
    503: {"model": ErrorResponse, "description": "Too much waits already."},
}


def create_app(extractor: RelationExtractor, params: ServiceParams) -> FastAPI:
    """The service of one classifier.

    Args:
        extractor: The classifier.
        params: Limits.
    """
    batcher = Batcher(extractor, params.batch_sentences, params.max_waiting)
    stopping = False

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal stopping
        log("ready", model=extractor.digest, backend=extractor.backend)
        yield
        stopping = True
        await batcher.close()
        log("stopped")

    app = FastAPIOffline(
        title="TKRE",
        version=__version__,
        description=_description(params),
        lifespan=lifespan,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )

    @app.post("/predict", responses=REFUSALS, response_model_exclude_unset=True, tags=["service"])
    async def predict(request: Request, body: PredictRequest) -> PredictResponse:
        """Says which relation holds between the two mentions of each sentence.

        All sentences of a request are labelled, or none: if some cannot be, all of those are named.
        """
        request.state.logged = {"sentences": len(body.sentences)}
        instances = read(body.sentences, extractor, params)
        predictions = await batcher.label(instances)
        return PredictResponse(
            predictions=[
                LabelledSentence.of(p, probabilities=body.probabilities) for p in predictions
            ]
        )

    @app.get("/relations", tags=["service"])
    async def relations() -> RelationsResponse:
        """The relations that the classifier knows, and the types that mentions may have."""
        return RelationsResponse.of(extractor)

    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["service"])
    async def health(response: Response) -> HealthResponse:
        """Whether the service answers, with which classifier, and within which limits."""
        response.status_code = 503 if stopping else 200
        status = "stopping" if stopping else "ready"
        return HealthResponse.of(extractor, status, batcher.waiting, _versions(), params)

    app.add_api_route("/", _to_the_docs, include_in_schema=False)
    app.add_middleware(Gate, max_bytes=params.max_body_bytes)
    app.add_middleware(RequestLog)
    add_handlers(app)
    return app


async def _to_the_docs() -> RedirectResponse:
    return RedirectResponse("docs")  # relative: a proxy may put the service under a path


def _versions() -> dict[str, str]:
    found = {"tkre": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def _description(params: ServiceParams) -> str:
    return (
        "Says which relation holds between the two marked mentions of a sentence. A request is at "
        f"most {params.max_body_bytes:,} bytes and {params.max_sentences:,} sentences of "
        f"{params.max_characters:,} characters."
    )
