"""What a run would ask of a language model, gathered from its pipeline without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from tkre.generation.backends.params import LanguageModelParams, ReplayParams
from tkre.generation.backends.pool import LanguageModels
from tkre.generation.estimate import Estimate, estimate
from tkre.generation.protocol import Request, Response
from tkre.generation.store import ResponseStore
from tkre.pipelines.data_generation import nodes

LANGUAGE_MODEL = "language_model"  # the tag of nodes that ask
LANGUAGE_MODELS = "language_models"  # the dataset of what they ask

# The requests of each node that asks, from the same inputs.
_PLANNED: dict[str, Callable[..., list[Request]]] = {
    "explain": nodes.explanation_requests,
    "synthesise": nodes.sentence_requests,
}


@dataclass(frozen=True)
class Plan:
    """The first attempts of a run.

    Attributes:
        requests: All of them, each once.
        missing: Those that no store holds a response to.
        known: Stored responses: this model's, or, if there are none, those of others.
    """

    requests: list[Request]
    missing: list[Request]
    known: list[Response]

    def estimates(
        self, params: LanguageModelParams, language_models: LanguageModels
    ) -> list[Estimate]:
        """What asking for the missing ones takes."""
        if isinstance(params, ReplayParams):
            return estimate(self.requests, self.missing, self.known, lambda requests: None)
        count = language_models.live(params).count_tokens
        return estimate(self.requests, self.missing, self.known, count)


def plan(
    pipeline: Pipeline,
    catalog: CatalogProtocol,
    known: dict[str, Any],
    params: LanguageModelParams,
) -> Plan:
    """What the nodes of a pipeline that ask would ask first.

    Args:
        pipeline: What would run.
        catalog: What it reads.
        known: What has been made or loaded already, by dataset name (``rehearse``).
        params: Which language model.
    """
    requests: dict[tuple[str, str], Request] = {}
    stores: dict[str, ResponseStore] = {}
    missing: dict[tuple[str, str], Request] = {}
    for node in _asking(pipeline):
        values = inputs_of(node, catalog, known)
        mine = {name: value for name, value in values.items() if isinstance(value, ResponseStore)}
        stores |= mine
        language_model = values[LANGUAGE_MODELS].answering(params, *_by_role(mine))
        for request in _PLANNED[_function(node)](*(values[name] for name in node.inputs)):
            key = (request.id, request.digest(language_model.name))
            requests[key] = request
            if not language_model.holds(request):
                missing[key] = request
    responses = [response for store in stores.values() for response in store.all()]
    called = params.model if isinstance(params, ReplayParams) else params.called
    own = [response for response in responses if response.model == called]
    return Plan(list(requests.values()), list(missing.values()), own or responses)


def inputs_of(node: Node, catalog: CatalogProtocol, known: dict[str, Any]) -> dict[str, Any]:
    """What a node reads; what has to be loaded for it is put beside what is known."""
    for name in node.inputs:
        if name not in known:
            known[name] = catalog.load(name)
    return {name: known[name] for name in node.inputs}


def _asking(pipeline: Pipeline) -> Iterable[Node]:
    return (node for node in pipeline.nodes if LANGUAGE_MODEL in node.tags)


def _function(node: Node) -> str:
    return str(node.name).rpartition(".")[2]


def _by_role(stores: Mapping[str, ResponseStore]) -> tuple[ResponseStore, ResponseStore]:
    """Recordings and live responses."""
    roles = {name.rpartition(".")[2]: store for name, store in stores.items()}
    return roles["recordings"], roles["responses"]
