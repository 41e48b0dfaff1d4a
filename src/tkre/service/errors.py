"""Refusals: what is wrong with a request, sentence by sentence, in one form."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from tkre.corpora.unlabelled import SentenceError
from tkre.service.batching import BusyError
from tkre.service.reading import TooManyError
from tkre.service.schemas import ErrorResponse, Problem

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
