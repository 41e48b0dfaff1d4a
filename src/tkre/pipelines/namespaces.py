"""Where the datasets and nodes of the graph live.

A ``Template`` has plain dataset names (``support``, ``encoder``). Placed at a corpus, a sample or a
cell, its outputs get the name of that place as a prefix (``newsroom.k8.s13.tkre.classifier``), and
its inputs the name of the level that makes them. Its nodes get a namespace that begins with the
stage (``finetuning.tkre-newsroom-k8-s13``) and the places as tags.

``LazyPipeline``: Kedro registers all pipelines of a project in every command, and most commands
need no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.core.params import DEFAULT_LLM

LANGUAGE_MODEL = "language_model"  # tag of nodes that ask a language model
LANGUAGE_MODELS = "language_models"  # dataset that they ask it through
PREFLIGHT = "preflight"  # tag of cheap nodes that are run in memory before a run
LEDGER = "ledger"  # dataset with the records of what each node was made of
GPU = "gpu"  # tag of nodes that load a model

# One lock for all lazy pipelines: one is often made of others.
_making = RLock()


class LazyPipeline(Pipeline):
    """A pipeline that is made when it is first used.

    The values of Kedro's registry are lazy one by one, because Kedro copies the registry into a
    plain dictionary whenever its names are listed.

    Args:
        parts: Returns the pipelines it is made of. If it fails, it is called again next time.
    """

    def __init__(self, parts: Callable[[], Iterable[Pipeline]]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        """Make the pipeline: Python calls this for the attributes that ``Pipeline`` sets."""
        with _making:
            if name not in vars(self) and (parts := vars(self).get("_parts")):
                super().__init__(list(parts()))
                del self._parts
        return object.__getattribute__(self, name)


Names = str | list[str] | dict[str, str] | None  # inputs or outputs of a node


@dataclass(frozen=True, eq=False)
class Step:
    """A node of a template, with plain dataset names."""

    func: Callable[..., Any]
    inputs: Names
    outputs: Names
    name: str
    tags: tuple[str, ...] = ()


class Template:
    """Nodes that are placed together."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps


OF_PROJECT = {
    "explanation_prompt",
    "synthesis_prompt",
    "language_models",
    "scored_on_test",
    "scored_on_development",
}
OF_CORPUS = {
    "folder",
    "schema",
    "train",
    "dev",
    "test",
    "reading_report",
    "recordings",
    "responses",
}
OF_SAMPLE = {
    "support",
    "validation",
    "development",
    "unseen_test",
    "shots",
    "explained",
    "rejects",
    "yield",
}
# Rows that a cell is scored on; its predictions and metrics are named by the key.
SCORED = {"test": "unseen_test", "development": "development"}
# Datasets that noise and filter change.
OF_CHANGED_SAMPLE = {"sample", "synthetic", "knowledge"}
PROJECT_PARAMETERS = {
    "params:generation",
    "params:generation.retry",
    "params:generation.explanations",
    "params:generation.filtering",
    "params:generation.synthesis",
    "params:development_seeds",
    "params:reporting",
    "params:calibration",
    "params:publishing",
}


def at_corpus(stage: str, template: Template, corpus: str) -> tuple[Node, ...]:
    """Nodes of a template that reads a corpus."""
    return _placed(stage, template, corpus, dict.fromkeys(OF_CORPUS, corpus))


def at_sample(
    stage: str, template: Template, sample: KShotSample, backbone: str | None = None
) -> tuple[Node, ...]:
    """Nodes of a template that works on the K-shot sets of a sample.

    Args:
        stage: Pipeline that the template is part of.
        template: Reads the datasets of the sample it changes as ``unchanged_synthetic`` and
            ``planted``.
        sample: The place.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads ``backbone``.
    """
    renamed = {
        "unchanged_synthetic": f"{sample.parent.name}.synthetic",
        "planted": f"{sample.parent.name}.planted",
        "backbone": f"backbones.{backbone}",
        "params:llm": _llm(sample.llm),
    }
    return _placed(stage, template, sample.name, _namespaces_of(sample), renamed)


def at_cell(
    stage: str,
    template: Template,
    cell: Cell,
    backbone: str | None = None,
    chain: EncoderChain | None = None,
    training: str | None = None,
    used_by: Collection[Cell] = (),
) -> tuple[Node, ...]:
    """Nodes of a template that trains or scores a variant.

    Args:
        stage: Pipeline that the template is part of.
        template: Names the parameters of its variant ``params:variant.<...>``, those of an encoder
            ``params:encoder``.
        cell: The place.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads ``backbone``.
        chain: Stages of the encoder, for ``encoder`` and the data of those stages
            (``zero_shot_<...>`` belongs to the sample without examples).
        training: Stage of the encoder that the template trains, for ``start``; None if it comes
            after them.
        used_by: Cells that share its outputs; their names become tags.
    """
    renamed = {"backbone": f"backbones.{backbone}"} if backbone else {}
    homes = _namespaces_of(cell.sample)
    if chain is not None:
        homes |= chain.namespaces
        renamed["encoder"] = chain.encoder
        if chain.zero_shot is not None:
            for name in ("knowledge", "synthetic"):
                renamed[f"zero_shot_{name}"] = f"{chain.zero_shot.name}.{name}"
        renamed["start"] = (training and chain.start(training)) or renamed["backbone"]
    tags = frozenset(user.name for user in used_by)
    return _placed(stage, template, cell.name, homes, renamed, tags)


def at_experiment(stage: str, steps: Iterable[Step], experiment: str) -> list[Node]:
    """Nodes of an experiment: their inputs have full names already."""
    return [
        Node(
            step.func,
            step.inputs,
            _each(lambda name: f"{experiment}.{name}", step.outputs),
            name=step.name,
            tags=[stage, experiment, *step.tags],
            namespace=f"{stage}.{experiment}",
        )
        for step in steps
    ]


def node_namespace(stage: str, place: str) -> str:
    """Namespace of nodes: ``finetuning.tkre-newsroom-k8-s13`` of the cell newsroom.k8.s13.tkre."""
    parts = place.split(".")
    return ".".join([stage, "-".join(parts if len(parts) < 4 else [parts[-1], *parts[:-1]])])


def dataset_place(namespace: str) -> str:
    """The place of a namespace of nodes: newsroom.k8.s13.tkre of its ``node_namespace``."""
    first, *parts = namespace.partition(".")[2].split("-")
    return ".".join([*parts, first] if len(parts) == 3 else [first, *parts])


def dataset_namespace(node: Node) -> str:
    """The place of a node, by what it makes: ``newsroom.k8.s13.tkre``; empty if it has none."""
    return node.outputs[0].rpartition(".")[0] if node.outputs else ""


def _namespaces_of(sample: KShotSample) -> dict[str, str]:
    """Noise and filter change the synthetic sentences; all else belongs to the plain sample."""
    return (
        dict.fromkeys(OF_CORPUS, sample.corpus)
        | dict.fromkeys(OF_SAMPLE, sample.plain.name)
        | dict.fromkeys(OF_CHANGED_SAMPLE, sample.name)
    )


def _placed(
    stage: str,
    template: Template,
    place: str,
    homes: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    tags: frozenset[str] = frozenset(),
) -> tuple[Node, ...]:
    given: dict[str, str] = {}
    for name in _free_inputs(template):
        if renamed and name in renamed:
            given[name] = renamed[name]
        elif name.startswith("params:"):
            given[name] = _parameter(name, place)
        elif name in OF_PROJECT:
            given[name] = name
        elif name in homes:
            given[name] = f"{homes[name]}.{name}"
    return _nodes(stage, template, place, frozenset(given.items()), tags)


@cache
def _free_inputs(template: Template) -> list[str]:
    made = {name for step in template.steps for name in _listed(step.outputs)}
    return [name for step in template.steps for name in _listed(step.inputs) if name not in made]


@cache
def _nodes(
    stage: str,
    template: Template,
    place: str,
    given: frozenset[tuple[str, str]],
    tags: frozenset[str],
) -> tuple[Node, ...]:
    """Experiments share most of their cells: their nodes are made once."""
    names = dict(given)
    parts = place.split(".")
    places = [".".join(parts[: n + 1]) for n in range(len(parts))]

    def full(name: str) -> str:
        return names.get(name) or f"{place}.{name}"

    return tuple(
        Node(
            step.func,
            _each(full, step.inputs),
            _each(full, step.outputs),
            name=step.name,
            tags={stage, *places, *tags, *step.tags},
            namespace=node_namespace(stage, place),
        )
        for step in template.steps
    )


def _listed(names: Names) -> list[str]:
    if isinstance(names, dict):
        return list(names.values())
    return names if isinstance(names, list) else [names] if names else []


def _each(rename: Callable[[str], str], names: Names) -> Names:
    if isinstance(names, dict):
        return {argument: rename(name) for argument, name in names.items()}
    if isinstance(names, list):
        return [rename(name) for name in names]
    return names and rename(names)


def _llm(llm: str) -> str:
    """Parameters of a language model, by name."""
    return f"params:generation.{'language_model' if llm == DEFAULT_LLM else f'llms.{llm}'}"


def _parameter(name: str, place: str) -> str:
    """``params:corpus``, ``params:variant`` and its groups are those of the place."""
    if name == "params:corpus":
        return f"params:corpora.{place.partition('.')[0]}"
    if name == "params:encoder":
        return f"params:encoders.{place.rpartition('.')[2]}"
    if name == "params:variant" or name.startswith("params:variant."):
        return name.replace("params:variant", f"params:variants.{place.rpartition('.')[2]}", 1)
    if name in PROJECT_PARAMETERS:
        return name
    raise ValueError(f"{name} is at no level: add it to tkre.pipelines.namespaces")
