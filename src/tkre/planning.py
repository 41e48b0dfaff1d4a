"""What a run would ask of language models, gathered from its pipeline without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from tkre.generation.backends.params import LanguageModelParams, ReplayParams
from tkre.generation.backends.pool import LanguageModels
from tkre.generation.estimate import Estimate, estimate
from tkre.generation.params import GenerationParams
from tkre.generation.protocol import Request, Response
from tkre.generation.store import ResponseStore
from tkre.grid import Draw
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
    """The first attempts of a run at what it asks one language model.

    Attributes:
        writer: Its name among ``generation.writers``, or ``default``.
        params: Which one it is.
        requests: All of them, each once.
        missing: Those that no store holds a response to.
        known: Stored responses: this model's, or, if there are none, those of others.
    """

    writer: str
    params: LanguageModelParams
    requests: list[Request]
    missing: list[Request]
    known: list[Response]

    def estimates(self, language_models: LanguageModels) -> list[Estimate]:
        """What asking for the missing ones takes."""
        if isinstance(self.params, ReplayParams):
            return estimate(self.requests, self.missing, self.known, lambda requests: None)
        count = language_models.live(self.params).count_tokens
        return estimate(self.requests, self.missing, self.known, count)


def plan(
    pipeline: Pipeline,
    catalog: CatalogProtocol,
    known: dict[str, Any],
    generation: GenerationParams,
) -> list[Plan]:
    """What the nodes of a pipeline that ask would ask first, by language model.

    Args:
        pipeline: What would run.
        catalog: What it reads.
        known: What has been made or loaded already, by dataset name (``rehearse``).
        generation: Which language models there are.
    """
    asking: dict[str, list[Node]] = {}
    for node in _asking(pipeline):
        asking.setdefault(writer_of(node, catalog), []).append(node)
    return [
        _plan(writer, generation.of_writer(writer), nodes, catalog, known)
        for writer, nodes in asking.items()
    ]


def writer_of(node: Node, catalog: CatalogProtocol) -> str:
    """The language model that a node asks: that of its draw."""
    draw: Draw = catalog.load(next(name for name in node.inputs if name.endswith(".draw")))
    return draw.writer


def _plan(
    writer: str,
    params: LanguageModelParams,
    asking: Iterable[Node],
    catalog: CatalogProtocol,
    known: dict[str, Any],
) -> Plan:
    requests: dict[tuple[str, str], Request] = {}
    stores: dict[str, ResponseStore] = {}
    missing: dict[tuple[str, str], Request] = {}
    for node in asking:
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
    own = [response for response in responses if response.model == params.called]
    return Plan(writer, params, list(requests.values()), list(missing.values()), own or responses)


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
