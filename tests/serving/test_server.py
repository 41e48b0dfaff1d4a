"""The service as a process: one smoke test end to end, the rest slow."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.serving.conftest import SENTENCE
from tests.serving.process import Service
from tkre.core.instance import to_tagged
from tkre.serving.api.__main__ import main

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def service(folder):
    with Service.start(
        folder, "--wanted-precision", "0.5", "--max-body-bytes", "100000"
    ) as service:
        yield service


@pytest.mark.e2e
def test_concurrent_clients_get_their_own_answers(service, toy_rows, extractor):
    tagged = [to_tagged(row) for row in toy_rows]
    expected = [p.guess for p in extractor(tagged)]

    def ask(n):
        some = [tagged[(n + i) % len(tagged)] for i in range(n % 3 + 1)]
        answer = client.post("/predict", json={"sentences": some})
        assert answer.status_code == 200, answer.text
        guesses = [p["guess"] for p in answer.json()["predictions"]]
        return guesses == [expected[(n + i) % len(tagged)] for i in range(n % 3 + 1)]

    with httpx.Client(base_url=service.url, timeout=60) as client, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(60)))


@pytest.mark.slow
def test_long_body_is_refused_unread(service):
    """The answer arrives although the client would still be sending."""
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000\r\n\r\n{"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    whole = httpx.post(f"{service.url}/predict", json={"sentences": ["a" * 10_000_000]}, timeout=30)
    assert whole.status_code == 413 and "longer than 100000 bytes" in whole.json()["detail"]


@pytest.mark.slow
def test_health_answers_while_the_longest_request_is_served(folder):
    """As many sentences as allowed, as long as the body allows."""
    sentence = f"{SENTENCE} " + "(never saw \u2019rome\u2019) [ / head > " * 105
    body = {"sentences": [sentence] * 256, "probabilities": True}
    content = json.dumps(body, ensure_ascii=False).encode()
    assert 900_000 < len(content) < 1_048_576
    headers, seconds = {"Content-Type": "application/json"}, []
    with (
        Service.start(folder, "--max-seconds", "120") as service,
        ThreadPoolExecutor(1) as threads,
        httpx.Client(base_url=service.url, timeout=120) as client,
    ):
        answer = threads.submit(client.post, "/predict", content=content, headers=headers)
        while not answer.done():
            begun = time.perf_counter()
            assert client.get("/health").status_code == 200
            seconds.append(time.perf_counter() - begun)
            time.sleep(0.1)
        assert answer.result().status_code == 200
    assert len(seconds) > 1 and max(seconds) < 1, sorted(seconds)


@pytest.mark.slow
def test_log_has_a_line_per_request_without_user_text(service):
    secret = "zanzibar"
    for body in ([f"<head>{secret}</head> <tail>b</tail>"], [secret], [{secret: secret}]):
        httpx.post(f"{service.url}/predict", json={"sentences": body}, timeout=30)
    httpx.get(f"{service.url}/{secret}?q={secret}", timeout=30)
    answer = httpx.get(f"{service.url}/health", timeout=30)
    while not any(
        line["request_id"] == answer.headers["x-request-id"] for line in service.events("request")
    ):
        pass  # the line follows the answer
    statuses = [line["status"] for line in service.events("request")][-5:]
    assert statuses == [200, 422, 422, 404, 200]
    assert secret not in "\n".join(service.lines)
    assert not any("Traceback" in line for line in service.lines)


@pytest.mark.slow
def test_running_requests_are_answered_before_shutdown(folder, toy_rows):
    many = {"sentences": [to_tagged(row) for row in toy_rows] * 12}
    with (
        Service.start(folder) as service,
        ThreadPoolExecutor(8) as threads,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        asked = [threads.submit(client.post, "/predict", json=many) for _ in range(8)]
        # Some wait while one is being read.
        while not client.get("/health").json()["waiting"]:
            assert not all(answer.done() for answer in asked)
        assert service.stop(signal.SIGTERM) == 0
        for answer in asked:
            assert answer.result().status_code == 200
            assert len(answer.result().json()["predictions"]) == len(many["sentences"])
        assert service.events("stopped")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signals_exit_with_0(folder, how):
    with Service.start(folder) as service:
        assert service.stop(how) == 0


@pytest.mark.slow
def test_exported_classifier_is_served(folder, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    from tkre.modeling.checkpoint import Checkpoint
    from tkre.modeling.classifier import RelationClassifier
    from tkre.training.onnx_export import export_onnx

    export_onnx(Checkpoint.load(folder, RelationClassifier), tmp_path)
    with Service.start(tmp_path, "--calibrator", str(folder / "trust.json")) as service:
        health = httpx.get(f"{service.url}/health").json()
        assert (health["backend"], health["calibrated"]) == ("onnxruntime", True)
        answer = httpx.post(f"{service.url}/predict", json={"sentences": [SENTENCE]}, timeout=30)
        assert answer.json()["predictions"][0]["guess"] == "lives_in"


def failed(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tkre.serving.api", *arguments], check=False, text=True,
        capture_output=True, env=os.environ,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.slow
def test_errors_have_no_traceback(folder, tmp_path, service):
    assert "no classifier in" in failed(str(tmp_path))
    assert "precision of 0.7" in failed(str(folder), "--wanted-precision", "0.7")
    taken = str(httpx.URL(service.url).port)
    assert "Address already in use" in failed(str(folder), "--port", taken)
    # Before a classifier is loaded: there is none.
    assert "Address already in use" in failed(str(tmp_path), "--port", taken)
    assert "between 0 and 1, not 8" in failed(str(tmp_path), "--wanted-precision", "8")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", "99999"), ("--port", "-1"), ("--max-sentences", "0"), ("--max-characters", "0"),
     ("--max-body-bytes", "9")],
)  # fmt: skip
def test_option_out_of_range(tmp_path, option, value):
    done = CliRunner().invoke(main, [str(tmp_path), option, value])
    assert done.exit_code == 2 and f"Invalid value for '{option}'" in done.output


@pytest.mark.slow
def test_documentation_page_in_a_browser(service):
    """The page works without the net: no request goes elsewhere, and the console is silent."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    messages, asked = [], []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{service.url}/docs")
        page.click(".opblock-post .opblock-summary-control")
        page.click("text=Try it out")
        page.click("text=Execute")
        status = page.inner_text(".live-responses-table .response .response-col_status")
        answer = page.inner_text(".live-responses-table .highlight-code")
        for path in ("/relations", "/health"):
            page.click(f".opblock-get [data-path='{path}']")
            page.wait_for_selector(f"#operations-service-{path[1:]} .responses-table")
        browser.close()
    assert status.startswith("200") and '"guess"' in answer
    assert messages == []
    assert asked and all(url.startswith((service.url, "data:")) for url in asked)
