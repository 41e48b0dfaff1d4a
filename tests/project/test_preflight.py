"""Before a run: what no language model has answered yet is asked again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kedro.pipeline import Node, Pipeline

from tests.generation.chat_server import ChatServer, Reply
from tkre.datasets.corpus import NameDataset
from tkre.datasets.files import ResponsesDataset
from tkre.datasets.llm import LanguageModelsDataset
from tkre.datasets.versions import Catalog
from tkre.generation.llm.params import backend_params
from tkre.generation.llm.protocol import Request, Response, Sampling
from tkre.generation.llm.registry import LanguageModels
from tkre.pipelines.namespaces import IN_ROUNDS, LANGUAGE_MODEL, LANGUAGE_MODELS, LEDGER
from tkre.project.preflight import Plan, _ask_again
from tkre.runner.run_state import LedgerDataset

ANSWERED = Response("a", answer={}, digest="d")
LATE = Response("b", reason="timed_out", error="too late", digest="e")
CUT = Response("c", reason="truncated", error="cut off", digest="f")


def explain(models, sample):
    return []


def node(*tags: str) -> Node:
    return Node(explain, [LANGUAGE_MODELS, "toy.k8.s13.sample"], "toy.k8.s13.responses",
                name="explain", tags=[LANGUAGE_MODEL, *tags])  # fmt: skip


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    """After a run of the node."""
    catalog = Catalog(
        {
            LANGUAGE_MODELS: LanguageModelsDataset(),
            LEDGER: LedgerDataset(filepath=str(tmp_path / "ledger")),
            "toy.k8.s13.sample": NameDataset(sample="toy.k8.s13"),
            "toy.k8.s13.responses": ResponsesDataset(filepath=str(tmp_path / "responses.json")),
        }
    )
    return catalog


def is_done(catalog: Catalog, responses: list[Response], settings: dict, *tags: str) -> bool:
    """Whether the node of these responses is still up to date."""
    asking = node(*tags)
    catalog.save("toy.k8.s13.responses", responses)
    catalog.load(LEDGER).record(asking, catalog)
    generation = SimpleNamespace(of_llm=lambda llm: backend_params(settings))
    _ask_again(Pipeline([asking]), catalog, generation)
    return catalog.load(LEDGER).reason_to_run(asking, catalog) is None


HOSTED = {"backend": "openai", "model": "m", "base_url": "http://localhost:1/v1"}


@pytest.mark.parametrize(
    ("responses", "settings", "tags", "done"),
    [
        ([ANSWERED, LATE], HOSTED, [], False),
        ([ANSWERED, CUT], HOSTED, [], True),  # the model has answered
        ([ANSWERED, LATE], {"backend": "replay", "model": "m"}, [], True),
        ([ANSWERED, LATE], HOSTED, [IN_ROUNDS], True),  # other rows would be chosen, and paid for
    ],
)
def test_what_had_no_answer_is_asked_again(catalog, responses, settings, tags, done):
    assert is_done(catalog, responses, settings, *tags) is done


def test_where_the_server_is_not_there_a_run_goes_on_with_what_it_has(catalog, caplog):
    nowhere = {"backend": "llama_server", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    assert is_done(catalog, [ANSWERED, LATE], nowhere)
    assert "1 requests stay without an answer: nothing listens" in caplog.text
    with ChatServer(lambda body, tries: Reply("{}")) as server:
        assert not is_done(catalog, [ANSWERED, LATE], nowhere | {"base_url": server.url})


def test_a_plan_counts_the_reasoning_of_a_server():
    params = backend_params(HOSTED | {"reasoning_tokens": 4000})
    asked = [Request("explanation/c/a", (), {}, Sampling(max_tokens=500))]
    [estimate] = Plan("default", params, asked, asked, []).estimates(LanguageModels())
    assert estimate.limit == 4500


def test_a_torn_file_of_responses_is_left_to_the_ledger(catalog, tmp_path):
    (tmp_path / "responses.json").write_text("[{", encoding="utf-8")
    assert catalog["toy.k8.s13.responses"].unanswered() == 0
    (tmp_path / "responses.json").unlink()
    assert catalog["toy.k8.s13.responses"].unanswered() == 0
