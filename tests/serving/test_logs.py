from __future__ import annotations

import asyncio
import json
import logging

import pytest

from tkre.serving.api.logs import JsonLines, RequestLog


def asked(app, method="GET", sent=None):
    sent = [] if sent is None else sent

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/secret", "headers": []}
    asyncio.run(RequestLog(app)(scope, None, send))
    return sent


def lines(caplog):
    return [json.loads(JsonLines().format(record)) for record in caplog.records]


async def answers(scope, receive, send):
    scope["state"]["logged"] = {"sentences": 3}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def breaks(scope, receive, send):
    raise ValueError("text of a user")


async def breaks_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("text of a user")


@pytest.fixture(autouse=True)
def log_level(caplog):
    caplog.set_level(logging.INFO, "tkre.serving.api")


def test_request_line_and_request_id(caplog):
    sent = asked(answers, method="BREW")
    [line] = lines(caplog)
    assert (line["event"], line["status"], line["sentences"]) == ("request", 200, 3)
    assert line["method"] == "other" and line["path"] is None  # no route was found
    assert line["milliseconds"] >= 0 and line["time"].endswith("+00:00")
    assert (b"x-request-id", line["request_id"].encode()) in sent[0]["headers"]


@pytest.mark.parametrize("app", [breaks, breaks_late])
def test_defect_is_logged_without_its_message(caplog, app):
    sent = asked(app)
    defect, request = lines(caplog)
    assert (defect["event"], defect["level"], defect["type"]) == ("defect", "ERROR", "ValueError")
    assert any("test_logs.py" in frame for frame in defect["at"])
    assert request["request_id"] == defect["request_id"]
    statuses = [m["status"] for m in sent if m["type"] == "http.response.start"]
    assert statuses == [500 if app is breaks else 200]
    assert "of a user" not in json.dumps([defect, request]) + str(sent)


def test_lines_have_no_traceback():
    record = logging.LogRecord("a", logging.ERROR, "f", 1, "it failed", None, None)
    record.exc_info = (ValueError, ValueError("text of a user"), None)
    assert "of a user" not in JsonLines().format(record)
