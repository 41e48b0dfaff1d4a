"""Runs killed with SIGKILL at five moments, with each backend that can be killed here."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.generation.chat_server import Body, ChatServer, Reply
from tests.kills import forked, preload, run_to_end, say
from tests.live.runs import (
    TINY,
    killed,
    knowledge,
    project_with,
    stored,
    whole,
    whole_lines,
)
from tests.smoke_project import Project

CONCURRENCY = 3
ASK = ["run", "--pipelines", "data_generation", "--runner-params", "workers=1"]


def made_up(body: Body, tries: int) -> Reply:
    """An answer that depends on the question alone; every seventh is of no use."""
    key = json.dumps([body["messages"], body["seed"]])
    number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
    prompt = body["messages"][-1]["content"]
    if number % 7 == 0:
        cut = '{"explanation": "and so'
        return Reply(cut, finish="length", tokens=body["max_tokens"], delay=0.02)
    if prompt.rpartition("\n")[2].startswith("Sentence:"):
        sentence = prompt.rpartition("Sentence: ")[2]
        head = sentence.partition("<head>")[2].partition("</head>")[0]
        tail = sentence.partition("<tail>")[2].partition("</tail>")[0]
        answer: Body = {"explanation": f"{head} and {tail}: {number % 97}.", "triggers": []}
        return Reply(json.dumps(answer), delay=0.02)
    kinds = body["response_format"]["json_schema"]["schema"]["properties"]["samples"]["items"]
    types = kinds["properties"]["head_type"]["enum"]
    samples = [
        {"sentence": f"<head>A{n}</head> w{number % 1000 + n} x{number % 991} <tail>B{n}</tail> .",
         "head_type": types[number % len(types)], "tail_type": types[n % len(types)],
         "triggers": []}
        for n in range(4)
    ]  # fmt: skip
    return Reply(json.dumps({"samples": samples}), delay=0.02)


def unbroken(project: Project) -> dict[str, str]:
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout
    return knowledge(project)


@pytest.mark.slow
def test_a_server_s_client(tiny_backbone, tmp_path):
    with ChatServer(made_up) as server:
        settings = {"backend": "openai", "model": "m", "base_url": server.url,
                    "concurrency": CONCURRENCY}  # fmt: skip
        expected = unbroken(project_with(tmp_path / "unbroken", tiny_backbone, settings))
        sent_unbroken = Counter(json.dumps(b, sort_keys=True) for b in server.received)
        server.received.clear()
        project = project_with(tmp_path / "killed", tiny_backbone, settings)
        killed(project, [1, 20, 60, 90, 110])
        sent = Counter(json.dumps(b, sort_keys=True) for b in server.received)
    assert knowledge(project) == expected
    assert set(sent) == set(sent_unbroken) and set(sent_unbroken.values()) == {1}
    # Only requests under way at a kill are sent twice.
    twice = sum(n - 1 for n in sent.values())
    assert twice <= 5 * CONCURRENCY, twice
    assert len(stored(project)) == len(sent)


def kill_under_a_server(folder: Path, backbone: Path, kills: int, seed: int) -> int:
    """Kills data generation at random requests; what is asked again must have been in flight.

    Returns:
        How many questions were asked twice.
    """
    preload()
    chance = random.Random(seed)
    with ChatServer(made_up) as server:
        settings = {"backend": "openai", "model": "m", "base_url": server.url,
                    "concurrency": CONCURRENCY}  # fmt: skip
        undisturbed = project_with(folder / "undisturbed", backbone, settings)
        run_to_end(undisturbed, ASK)
        asked = Counter(json.dumps(b, sort_keys=True) for b in server.received)
        moments = sorted(chance.sample(range(len(server.received)), kills))
        server.received.clear()
        project = project_with(folder / "killed", backbone, settings)
        lost = [kill_asking(project, server, m, chance.uniform(0, 0.05)) for m in moments]
        run_to_end(project, ASK)
        sent = Counter(json.dumps(b, sort_keys=True) for b in server.received)
    assert knowledge(project) == knowledge(undisturbed)
    assert set(sent) == set(asked)
    twice = sum(n - 1 for n in sent.values())
    assert max(lost) <= CONCURRENCY and twice == sum(lost)
    say(f"{kills} kills, {len(asked)} questions, {twice} asked twice: in flight at a kill {lost}")
    return twice


def kill_asking(project: Project, server: ChatServer, moment: int, delay: float) -> int:
    """Kills a run when the server has had so many requests, and one of this run's, in all.

    Returns:
        How many of its requests were in flight: sent, and without a line in the store.
    """
    sent, lines = len(server.received), len(whole(project))
    process = forked(project, ASK)
    while len(server.received) <= max(moment, sent):
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it could be killed"
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    time.sleep(0.5)  # what has reached the server is read by it
    return len(server.received) - sent - (len(whole(project)) - lines)


@pytest.mark.slow
def test_a_model_of_transformers(tiny_backbone, tiny_llama, tmp_path):
    settings = {"backend": "transformers", "model": str(tiny_llama), "name": "tiny",
                "batch_size": 16, "dtype": "float32", "constrained": "never"}  # fmt: skip
    expected = unbroken(project_with(tmp_path / "unbroken", tiny_backbone, settings, TINY))
    project = project_with(tmp_path / "killed", tiny_backbone, settings, TINY)
    killed(project, [1, 20, 50, 90, 150])
    assert knowledge(project) == expected


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.skipif(find_spec("vllm") is None, reason="tests/live/make_environment.sh")
def test_vllm(tiny_backbone, tiny_llama, tmp_path):
    settings = {"backend": "vllm", "model": str(tiny_llama), "name": "tiny", "max_model_len": 2048,
                "enforce_eager": True, "dtype": "float32"}  # fmt: skip
    expected_project = project_with(tmp_path / "unbroken", tiny_backbone, settings)
    expected = unbroken(expected_project)
    project = project_with(tmp_path / "killed", tiny_backbone, settings)
    lines = whole_lines(expected_project)
    killed(project, [1, lines // 5, lines // 2, 3 * lines // 4, lines - 2])
    ids = {line["request_id"] for line in stored(project)}
    assert ids == {line["request_id"] for line in stored(expected_project)}
    assert knowledge(project) == expected
