"""The application: what each route answers."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from tkre import __version__
from tkre.extractor import RelationExtractor
from tkre.service.batching import Batcher
from tkre.service.errors import add_handlers
from tkre.service.gate import Gate
from tkre.service.logs import RequestLog, log
from tkre.service.params import ServiceParams
from tkre.service.reading import read
from tkre.service.schemas import (
    ErrorResponse,
    HealthResponse,
    LabelledSentence,
    PredictRequest,
    PredictResponse,
    RelationsResponse,
)

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
