"""Checks before a run: bad input costs no training and writes no file.

The requests to language models are gathered from the pipeline without asking.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Node, Pipeline

from tkre.core.cells import KShotSample
from tkre.core.errors import UserError
from tkre.core.files import require_writable_places
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusFolder
from tkre.datasets.checkpoint import BackboneDataset
from tkre.generation.llm.cost import Estimate, estimate
from tkre.generation.llm.params import LanguageModelParams, ReplayParams
from tkre.generation.llm.protocol import LanguageModelError, Request, Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.replay import MissingResponse
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams
from tkre.pipelines.data_generation.gpu_nodes import FIRST_REQUESTS
from tkre.pipelines.namespaces import IN_ROUNDS, LANGUAGE_MODEL, LANGUAGE_MODELS, LEDGER, PREFLIGHT
from tkre.project.answers import RECORDINGS, bind_answers
from tkre.training.recipes import Variant

logger = logging.getLogger(__name__)
IN_ROUNDS_NOTE = (
    "Rows that are chosen in rounds are not known beforehand: as many others stand for them."
)


class MissingInput(UserError, FileNotFoundError):
    """Datasets that a pipeline reads and nothing has made yet; the message says what makes them."""


@dataclass(frozen=True)
class Plan:
    """The first attempts of a run at what it asks one language model.

    Attributes:
        llm: Its name among ``generation.llms``, or ``default``.
        params: Which one it is.
        requests: All of them, each once.
        missing: Those that no store holds a response to.
        known: Stored responses: this model's, or, if there are none, those of others.
    """

    llm: str
    params: LanguageModelParams
    requests: list[Request]
    missing: list[Request]
    known: list[Response]

    def require_recorded(self) -> None:
        """Refuses a replay that lacks responses.

        Raises:
            MissingResponse: Some are missing.
        """
        if self.missing:
            raise MissingResponse(
                f"{len(self.missing)} of {len(self.requests)} responses of {self.params.called!r} "
                f"are missing, {self.missing[0].id} among them: rows are chosen from those that "
                "are recorded. `kedro corpus questions` writes questions down for whoever answers"
            )

    def estimates(self, language_models: LanguageModels) -> list[Estimate]:
        """What asking for the missing ones takes."""
        if isinstance(self.params, ReplayParams):
            return estimate(self.requests, self.missing, self.known, lambda requests: None)
        count = language_models.live(self.params).count_tokens
        reasoning = getattr(self.params, "reasoning_tokens", 0)  # of servers
        return estimate(self.requests, self.missing, self.known, count, reasoning)


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
        known: What has been made or loaded already, by dataset name (``run_in_memory``).
        generation: Which language models there are.
    """
    asking: dict[str, list[Node]] = {}
    for node in _asking(pipeline):
        asking.setdefault(llm_of(node, catalog), []).append(node)
    return [
        _plan(llm, generation.of_llm(llm), nodes, catalog, known) for llm, nodes in asking.items()
    ]


def llm_of(node: Node, catalog: CatalogProtocol) -> str:
    """The language model that a node asks: that of its sample."""
    return sample_of(node, catalog).llm


def sample_of(node: Node, catalog: CatalogProtocol) -> KShotSample:
    """The sample that a node asks about."""
    sample: KShotSample = catalog.load(
        next(name for name in node.inputs if name.endswith(".sample"))
    )
    return sample


def _plan(
    llm: str,
    params: LanguageModelParams,
    asking: Iterable[Node],
    catalog: CatalogProtocol,
    known: dict[str, Any],
) -> Plan:
    requests: dict[tuple[str, str], Request] = {}
    stores: dict[str, ResponseStore] = {}
    missing: dict[tuple[str, str], Request] = {}
    for node in asking:
        # Later requests may read what nodes before this one have not made yet.
        first = FIRST_REQUESTS[node.func]
        datasets = dict(zip(signature(node.func).parameters, node.inputs, strict=True))
        wanted = signature(first).parameters
        mine = {name: _loaded(name, catalog, known) for name in node.inputs if _is_store(name)}
        stores |= mine
        models: LanguageModels = _loaded(LANGUAGE_MODELS, catalog, known)
        language_model = models.answering(params, *_by_role(mine))
        given = {n: _loaded(datasets[n], catalog, known) for n in wanted & datasets.keys()}
        given |= {"model": language_model} if "model" in wanted else {}
        for request in first(**given):
            key = (request.id, request.digest(language_model.name))
            requests[key] = request
            if not language_model.holds(request):
                missing[key] = request
    responses = [response for store in stores.values() for response in store.all()]
    own = [response for response in responses if response.model == params.called]
    return Plan(llm, params, list(requests.values()), list(missing.values()), own or responses)


def inputs_of(node: Node, catalog: CatalogProtocol, known: dict[str, Any]) -> dict[str, Any]:
    """What a node reads; what has to be loaded for it is put beside what is known."""
    return {name: _loaded(name, catalog, known) for name in node.inputs}


def _loaded(name: str, catalog: CatalogProtocol, known: dict[str, Any]) -> Any:
    if name not in known:
        known[name] = catalog.load(name)
    return known[name]


def _is_store(name: str) -> bool:
    return name.rpartition(".")[2].endswith(("recordings", "responses"))


def _asking(pipeline: Pipeline) -> Iterable[Node]:
    return (node for node in pipeline.nodes if LANGUAGE_MODEL in node.tags)


def _by_role(stores: Mapping[str, ResponseStore]) -> list[ResponseStore]:
    """Recordings, live responses, and further recordings."""
    roles = {name.rpartition(".")[2]: store for name, store in stores.items()}
    return [roles.pop("recordings"), roles.pop("responses"), *roles.values()]


def preflight(pipeline: Pipeline, catalog: CatalogProtocol, generation: GenerationParams) -> None:
    """Refuses a run that is bound to fail.

    Weights are compared with their digests; packages and inputs must exist, and folders of outputs
    be writable; corpora are read, K-shot sets drawn, and prompts filled in, by the pipeline's own
    code, with what they make kept in memory. Where responses are replayed, the nodes that read them
    are run too: a missing recording is found before any training; where rows are chosen among the
    recorded ones, some must be. The settings of live language models are looked at, and what will
    be asked of them is said. Recorded answers are bound to the corpus at their first use.

    Args:
        pipeline: What is about to run.
        catalog: What it reads.
        generation: Which language models there are.

    Raises:
        ValueError, RuntimeError, LookupError, OSError: Whatever the checks and nodes refuse.
    """
    _check_inputs(pipeline, catalog)
    _ask_again(pipeline, catalog, generation)
    if _is_up_to_date(pipeline, catalog):
        return
    written = map(catalog.get, {*pipeline.all_outputs(), LEDGER})
    require_writable_places(Path(p) for d in written if (p := getattr(d, "_filepath", None)))

    # What asks live is not run for what it refuses; its prompts are filled in by the plan. Nor is
    # what chooses: it reads what other nodes make, and takes long.
    run = [
        n
        for n in pipeline.nodes
        if PREFLIGHT in n.tags or (_replays(n, catalog, generation) and IN_ROUNDS not in n.tags)
    ]
    others = Pipeline([n for n in pipeline.nodes if LANGUAGE_MODEL in n.tags and n not in run])
    known = run_in_memory(Pipeline(run), catalog)
    for planned in plan(others, catalog, known, generation):
        if isinstance(planned.params, ReplayParams):
            planned.require_recorded()
            continue
        catalog.load(LANGUAGE_MODELS).live(planned.params).check()
        logger.info(
            "%s will be asked %d first questions; of %d, %d have been answered",
            planned.params.called,
            len(planned.missing),
            len(planned.requests),
            len(planned.requests) - len(planned.missing),
        )
    if others.only_nodes_with_tags(IN_ROUNDS).nodes:
        logger.info(IN_ROUNDS_NOTE)
    for corpus in replayed_corpora(pipeline, catalog, generation):
        bind_answers(*answers_of(corpus, catalog))


def _ask_again(pipeline: Pipeline, catalog: CatalogProtocol, generation: GenerationParams) -> None:
    """Lets nodes run again whose requests failed without an answer, if their model can be asked.

    Not where rows are chosen in rounds: other answers would choose other rows, to be paid for.
    """
    for node in _asking(pipeline) if LEDGER in catalog else ():
        params = generation.of_llm(llm_of(node, catalog))
        if isinstance(params, ReplayParams) or IN_ROUNDS in node.tags:
            continue
        made = (catalog.get(name) for name in node.outputs)
        count = sum(d.unanswered() for d in made if hasattr(d, "unanswered"))
        if not count:
            continue
        try:
            catalog.load(LANGUAGE_MODELS).live(params).check()
        except LanguageModelError as error:
            logger.warning("%s: %d requests stay without an answer: %s", node.name, count, error)
            continue
        logger.info("%s: %d requests had no answer and are sent again", node.name, count)
        catalog.load(LEDGER).forget(node)


def _replays(node: Node, catalog: CatalogProtocol, generation: GenerationParams) -> bool:
    return LANGUAGE_MODEL in node.tags and isinstance(
        generation.of_llm(llm_of(node, catalog)), ReplayParams
    )


def replayed_corpora(
    pipeline: Pipeline, catalog: CatalogProtocol, generation: GenerationParams
) -> list[str]:
    """Corpora whose recorded answers a pipeline reads."""
    replaying = (node for node in pipeline.nodes if _replays(node, catalog, generation))
    return sorted({sample_of(node, catalog).corpus for node in replaying})


def answers_of(
    corpus: str, catalog: CatalogProtocol
) -> tuple[CorpusFolder, CorpusParams, list[ResponseStore]]:
    """Folder, parameters and recordings of a corpus."""
    params = CorpusParams.model_validate(catalog.load(f"params:corpora.{corpus}"))
    stores = [catalog.load(f"{corpus}.{name}") for name in RECORDINGS]
    return catalog.load(f"{corpus}.folder"), params, stores


def _is_up_to_date(pipeline: Pipeline, catalog: CatalogProtocol) -> bool:
    """Whether the nodes that preflight looks at have been run on the inputs of now."""
    if LEDGER not in catalog:
        return False
    ledger = catalog.load(LEDGER)
    checked = (node for node in pipeline.nodes if {PREFLIGHT, LANGUAGE_MODEL} & node.tags)
    return all(ledger.reason_to_run(node, catalog) is None for node in checked)


def run_in_memory(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, Any]:
    """Runs nodes in memory.

    Returns:
        What they read and made, by dataset name; nothing is saved.
    """
    known: dict[str, Any] = {}
    for node in pipeline.nodes:
        known |= node.run(inputs_of(node, catalog, known))
    return known


def _check_inputs(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    missing = []
    for name in sorted(pipeline.inputs()):
        is_parameter = name.startswith("params:")
        source = catalog.load(name) if is_parameter else catalog.get(name)
        if hasattr(source, "check"):
            source.check()
        elif is_parameter:
            continue
        elif source is None or not (_is_optional(name) or source.exists()):
            missing.append(name)
    if missing:
        made_by = _makers(missing)
        lines = [f"{len(missing)} dataset(s) that this run reads are missing:"]
        lines += [f"  {name}{made_by.get(name) or _place(catalog, name)}" for name in missing]
        raise MissingInput("\n".join(lines))


def check_lengths(
    pipeline: Pipeline, catalog: CatalogProtocol, variants: Mapping[str, Variant]
) -> None:
    """Refuses variants of a run with a ``max_length`` beyond the positions of their backbone.

    Raises:
        ValueError: A text that long would end the run; the message has the largest one.
    """
    named = {name.split(".")[1] for name in pipeline.inputs() if name.startswith("params:variants")}
    for name in sorted(named & variants.keys()):
        refuse_lengths(variants[name], f"variants.{name}", catalog)


def refuse_lengths(variant: Variant, where: str, catalog: CatalogProtocol) -> None:
    """Refuses a variant with a ``max_length`` beyond the positions of its backbone.

    Raises:
        ValueError: It has one.
    """
    backbone = catalog.get(f"backbones.{variant.backbone}")
    longest = backbone.longest() if isinstance(backbone, BackboneDataset) else None
    for setting, value in _lengths(variant.settings, where):
        if longest is not None and value > longest:
            raise ValueError(
                f"{setting} is {value}, and {backbone._describe()['name']} reads at most {longest} "
                f"tokens: set it to {longest} or less, or take a backbone that reads more"
            )


def _lengths(settings: Mapping[str, Any], where: str) -> Iterable[tuple[str, int]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _lengths(value, f"{where}.{name}")
        elif name == "max_length":
            yield f"{where}.{name}", value


def _is_optional(name: str) -> bool:
    """A response store that does not exist yet is empty, and a folder says itself what it lacks."""
    return name.endswith(("recordings", ".responses", ".folder"))


def _makers(names: list[str]) -> Mapping[str, str]:
    """Which pipeline makes a dataset, in words: a stage of the default one, or an experiment."""
    found: dict[str, str] = {}
    for called, pipeline in pipelines.items():
        if called == "__default__":
            continue
        for name in pipeline.all_outputs() & set(names):
            found.setdefault(name, f": made by the pipeline {called}; run that first")
    return found


def _place(catalog: CatalogProtocol, name: str) -> str:
    """Where a file should be that nothing makes; nothing for what is no file."""
    path = getattr(catalog.get(name), "_filepath", None)
    return "" if path is None else f": there is no {path}"
