"""The HTTP application: routes, limits, refusals."""

import asyncio
import json
import platform
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tkre import __version__
from tkre.core.instance import Instance
from tkre.serving.api.batching import Batcher, BusyError
from tkre.serving.api.limits import ServiceParams
from tkre.serving.api.logs import RequestLog, log
from tkre.serving.api.schemas import (
    HealthResponse,
    LabelledSentence,
    LabelRequest,
    PredictResponse,
    RelationsResponse,
    read_request,
    request_model,
)
from tkre.serving.extractor import Prediction, RelationExtractor

READERS = 2  # threads that read and write JSON
LIBRARIES = ("torch", "transformers", "onnxruntime")
MOST_ERRORS, LONGEST = 20, 300  # errors in an answer; characters of a message, which may quote text
# After a 413 or 415, drain so much of the body for so long, so that the client reads the answer
# before the socket closes.
LINGER_BYTES, LINGER_SECONDS = 32 * 1024 * 1024, 2.0
DESCRIPTION = (
    "Relation between the two marked mentions of a sentence. A request has at most "
    "{0.max_body_bytes:,} bytes and {0.max_sentences:,} sentences of {0.max_characters:,} "
    "characters."
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"description": "The body did not arrive in time."},
    413: {"description": "The body is too long."},
    415: {"description": "The body is not declared as plain JSON."},
    421: {"description": "The service is not called by this name."},
    422: {"description": "The body is no such request; every bad sentence is named."},
    503: {"description": "Too many sentences are waiting, or there was no time for the answer."},
}


def create_app(extractor: RelationExtractor, params: ServiceParams) -> FastAPI:
    """The service of one classifier.

    Args:
        extractor: The classifier.
        params: Limits.
    """
    batcher = Batcher(extractor, params.batch_sentences, params.max_waiting)
    answer = _Answers(extractor, params, batcher)
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
        description=DESCRIPTION.format(params),
        lifespan=lifespan,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )

    @app.post(
        "/predict", response_model=PredictResponse, responses=REFUSALS, tags=["service"],
        openapi_extra={"requestBody": answer.body},
    )  # fmt: skip
    async def predict(request: Request) -> Response:
        """Label all sentences of a request, or none: all that cannot be labelled are named."""
        return await answer(request)

    @app.get("/relations", tags=["service"])
    async def relations() -> RelationsResponse:
        """The relations of the classifier and the types of mentions."""
        return RelationsResponse.of(extractor)

    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["service"])
    async def health(response: Response) -> HealthResponse:
        """State of the service, its classifier and its limits."""
        response.status_code = 503 if stopping else 200
        status = "stopping" if stopping else "ready"
        return _health(extractor, params, batcher.waiting, status)

    @app.get("/", include_in_schema=False)
    async def start() -> RedirectResponse:
        return RedirectResponse("docs")  # relative: a proxy may serve it under a path

    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(BodyLimit, max_bytes=params.max_body_bytes)
    app.add_middleware(HostCheck, allowed=params.allowed_hosts)
    app.add_middleware(RequestLog)
    return app


class _Answers:
    """Answers requests for labels within their time.

    JSON of any length is read and written beside the event loop.

    Args:
        extractor: The classifier.
        params: Limits.
        batcher: Labels instances.
    """

    def __init__(self, extractor: RelationExtractor, params: ServiceParams, batcher: Batcher):
        self._extractor, self._params, self._batcher = extractor, params, batcher
        self._model = request_model(params)
        self._threads = CapacityLimiter(READERS)  # few: they share one interpreter

    @property
    def body(self) -> dict[str, Any]:
        """A request's body in the OpenAPI document; FastAPI would read it in the event loop."""
        content = {"application/json": {"schema": self._model.model_json_schema()}}
        return {"required": True, "content": content}

    async def __call__(self, request: Request) -> Response:
        body, seconds = None, f"within {self._params.max_seconds} s"
        try:
            async with asyncio.timeout(self._params.max_seconds):
                body = await request.body()
                return await self._labelled(request, body)
        except ClientDisconnect:
            raise HTTPException(400, "the client has gone") from None
        except TimeoutError:
            if body is None:
                reason = f"the body did not arrive {seconds}"
                raise HTTPException(408, reason, {"Connection": "close"}) from None
            reason = f"not answered {seconds}: send fewer sentences at a time"
            raise HTTPException(503, reason, {"Retry-After": "1"}) from None

    async def _labelled(self, request: Request, body: bytes) -> Response:
        instances, wanted = await to_thread.run_sync(self._read, body, limiter=self._threads)
        request.state.logged = {"sentences": len(instances)}
        try:
            predictions = await self._batcher.label(instances)
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
        return await to_thread.run_sync(_response, wanted, predictions, limiter=self._threads)

    def _read(self, body: bytes) -> tuple[list[Instance], LabelRequest]:
        return read_request(body, self._model, self._extractor.entity_types, self._params)


def _response(request: LabelRequest, predictions: Sequence[Prediction]) -> Response:
    labelled = [
        LabelledSentence.of(prediction, sentence, probabilities=request.probabilities)
        for prediction, sentence in zip(predictions, request.sentences, strict=True)
    ]
    content = PredictResponse(predictions=labelled).model_dump_json(exclude_unset=True)
    return Response(content, media_type="application/json")


class _AsciiResponse(JSONResponse):
    """JSON in ASCII: a message may quote half of a surrogate pair, which UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """FastAPI's answer to an invalid request, without the input, and of limited length."""
    assert isinstance(error, RequestValidationError)
    detail = []
    for problem in error.errors()[:MOST_ERRORS]:
        loc = [part if isinstance(part, int) else _cut(part) for part in problem["loc"]]
        detail.append({"loc": loc, "msg": _cut(problem["msg"]), "type": problem["type"]})
    return _AsciiResponse({"detail": detail}, 422)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


class BodyLimit:
    """ASGI middleware: 413 for a body over a limit, 415 for one that is not plain JSON.

    A declared length is checked unread; chunks are counted as they come.

    Args:
        app: Application behind it.
        max_bytes: The limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await _refuse(refusal, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max:
                raise self._too_long
            return message

        await self._app(scope, counted, send)

    @property
    def _too_long(self) -> HTTPException:
        reason = f"the body is longer than {self._max} bytes: send fewer sentences at a time"
        return HTTPException(413, reason, {"Connection": "close"})

    def _refusal(self, scope: Scope) -> HTTPException | None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        plain = headers.get("content-encoding", "identity").strip().lower() in ("", "identity")
        if length.isdecimal() and int(length) > self._max:
            return self._too_long
        if scope["method"] != "POST":
            return None
        if not kind.startswith("application/") or kind[-5:] not in ("/json", "+json"):
            return HTTPException(415, "send Content-Type: application/json")
        return None if plain else HTTPException(415, "send the body uncompressed")


class HostCheck:
    """ASGI middleware: 421 for a request to a name that is not the service's.

    A page of another origin can point its own name to this machine (DNS rebinding); its requests
    then carry that name.

    Args:
        app: Application behind it.
        allowed: ``ServiceParams.allowed_hosts``.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = {name.lower() for name in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        hosts = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if other := [host for host in hosts if not self._is_allowed(host)]:
            reason = f"this service is not called {_cut(other[0])!r}: --allowed-host names it"
            await _refuse(HTTPException(421, reason), receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        name = host[1:].partition("]")[0] if host[:1] == "[" else host.partition(":")[0]
        if "*" in self._allowed or name.lower() in {"localhost", *self._allowed}:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


async def _refuse(refusal: HTTPException, receive: Receive, send: Send) -> None:
    response = JSONResponse(
        {"detail": refusal.detail}, refusal.status_code, {"Connection": "close"}
    )
    start = {"type": "http.response.start", "status": refusal.status_code}
    await send(start | {"headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with suppress(TimeoutError):
        await asyncio.wait_for(_drain(receive), LINGER_SECONDS)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    drained = 0
    while drained < LINGER_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


@cache
def _versions() -> dict[str, str]:
    versions = {"tkre": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return versions


def _health(
    extractor: RelationExtractor, params: ServiceParams, waiting: int, status: str
) -> HealthResponse:
    return HealthResponse(
        status=status,
        model=extractor.digest,
        backend=extractor.backend,
        calibrated=extractor.calibrator is not None,
        wanted_precision=extractor.wanted_precision,
        natural=extractor.natural and bool(extractor.config.natural_prior),
        max_length=extractor.config.max_length,
        waiting=waiting,
        versions=_versions(),
        limits=params,
    )
