"""Where the datasets and nodes of the graph live.

A ``Template`` has plain dataset names (``support``, ``encoder``). Placed at a corpus, a sample or a
cell, its outputs get the name of that place as a prefix (``newsroom.k8.s13.tkre.classifier``), and
its inputs the name of the level that makes them. Its nodes get a namespace that begins with the
stage (``finetuning.tkre-newsroom-k8-s13``) and the places as tags.

``LazyPipeline``: Kedro registers all pipelines of a project in every command, and most commands
need no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.core.params import DEFAULT_LLM

LANGUAGE_MODEL = "language_model"  # tag of nodes that ask a language model
LANGUAGE_MODELS = "language_models"  # dataset that they ask it through
IN_ROUNDS = "in_rounds"  # tag of those whose later questions depend on answers
PREFLIGHT = "preflight"  # tag of cheap nodes that are run in memory before a run
LEDGER = "ledger"  # dataset with the records of what each node was made of
GPU = "gpu"  # tag of nodes that load a model

OF_PROJECT = {"explanation_prompt", "synthesis_prompt", "annotation_prompt",
              "classification_prompt", LANGUAGE_MODELS, "scored_on_test",
              "scored_on_development"}  # fmt: skip
OF_CORPUS = {"folder", "schema", "train", "dev", "test", "natural_test", "reading_report",
             "recordings", "responses", "pool", "reviewed", "annotation_recordings",
             "classification_recordings"}  # fmt: skip
OF_SAMPLE = {"support", "validation", "development", "unseen_test", "shots", "explained"}
# Noise and filter change the synthetic sentences, and annotated rows are added to the plain sample;
# all else belongs to the plain sample.
OF_CHANGED_SAMPLE = {"synthetic", "knowledge"}
OF_ANNOTATED_SAMPLE = {"candidates", "candidates_report", "unlabelled", "unlabelled_report",
                       "annotation_responses", "unreviewed", "annotated", "review_report",
                       "annotated_training", "annotated_validation", "annotated_probabilities",
                       "unannotated", "unannotated_report", "annotation_judgements", "rejects",
                       "yield"}  # fmt: skip
# Rows that a cell is scored on; its predictions and metrics are named by the key.
SCORED = {"test": "unseen_test", "development": "development"}


@dataclass(frozen=True)
class CellText:
    """Kinds of text that a cell is calibrated and scored on.

    Attributes:
        kept_out: Whether annotated rows are kept out of its training, to fit a calibrator of
            natural text; then that of the validation rows is ``balanced_calibrator``.
        cross_fitted: Whether all of them train instead, and classifiers of the other folds label
            them (``training.out_of_fold``).
        natural_test: Whether it is scored on the natural test of its corpus.
        natural_labels: Whether the rows that it is scored on have natural shares of labels.
    """

    kept_out: bool = False
    cross_fitted: bool = False
    natural_test: bool = False
    natural_labels: bool = False

    @property
    def natural(self) -> str | None:
        """Beginning of the names of predictions and scores of natural text; None without any."""
        if self.natural_test:
            return "natural"
        return "annotated_validation" if self.kept_out else None

    @property
    def rows(self) -> str:
        """Dataset of the rows of natural text."""
        return "natural_test" if self.natural_test else self.held_out

    @property
    def held_out(self) -> str:
        """Dataset of the annotated rows that the calibrator of natural text is fitted on."""
        return "annotated" if self.cross_fitted else "annotated_validation"

    @property
    def balanced_calibrator(self) -> str:
        """Dataset of the calibrator of text whose labels were chosen."""
        return "balanced_calibrator" if self.kept_out else "calibrator"

    @property
    def calibrator(self) -> str:
        """Dataset of the calibrator of the rows that it is scored on."""
        return "calibrator" if self.natural_labels else self.balanced_calibrator


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


Names = str | list[str] | dict[str, str]  # inputs or outputs of a node


@dataclass(frozen=True, eq=False)
class Step:
    """A node of a template, with plain dataset names; the function's name is its default name."""

    func: Callable[..., Any]
    inputs: Names
    outputs: Names
    name: str = ""
    tags: tuple[str, ...] = ()


class Template:
    """Nodes that are placed together."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps


@cache
def at_corpus(stage: str, template: Template, corpus: str) -> tuple[Node, ...]:
    """Nodes of a template that reads a corpus."""
    return _placed(stage, template, corpus, _names(OF_CORPUS, corpus))


@cache
def at_sample(
    stage: str, template: Template, sample: KShotSample, backbone: str | None = None
) -> tuple[Node, ...]:
    """Nodes of a template that works on the K-shot sets of a sample.

    Args:
        stage: Pipeline that the template is part of.
        template: Names the datasets of the sample that it changes ``parent.<...>``, and accounts
            without annotations ``plain.<...>``.
        sample: The place.
        backbone: Name of the catalog entry ``backbones.<backbone>``, if it reads ``backbone``.
    """
    names = _of_sample(sample) | {
        "parent.synthetic": f"{sample.parent.name}.synthetic",
        "parent.planted": f"{sample.parent.name}.planted",
        "plain.rejects": f"{sample.plain.name}.rejects",
        "plain.yield": f"{sample.plain.name}.yield",
        "backbone": f"backbones.{backbone}",
    }
    return _placed(stage, template, sample.name, names)


@cache
def at_cell(
    stage: str,
    template: Template,
    cell: Cell,
    backbone: str | None = None,
    chain: EncoderChain | None = None,
    training: str | None = None,
    used_by: tuple[Cell, ...] = (),
    teacher: Cell | None = None,
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
        teacher: The cell whose classifier labels ``unannotated`` rows for this one.
    """
    names = _of_sample(cell.sample) | {"backbone": f"backbones.{backbone}"}
    if chain is not None:
        names |= {name: f"{home}.{name}" for name, home in chain.namespaces.items()}
        names["encoder"] = chain.encoder
        names["start"] = (training and chain.start(training)) or names["backbone"]
        if chain.zero_shot is not None:
            for name in ("knowledge", "synthetic"):
                names[f"zero_shot_{name}"] = f"{chain.zero_shot.name}.{name}"
    if teacher is not None:
        names["teacher_predictions"] = f"{teacher.name}.unannotated_predictions"
    return _placed(stage, template, cell.name, names, [user.name for user in used_by])


def at_experiment(stage: str, steps: Iterable[Step], experiment: str) -> list[Node]:
    """Nodes of an experiment: their inputs have full names already."""
    return [
        _node(
            step,
            step.inputs,
            _each(lambda name: f"{experiment}.{name}", step.outputs),
            f"{stage}.{experiment}",
            (stage, experiment),
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


def _names(names: Iterable[str], namespace: str) -> dict[str, str]:
    return {name: f"{namespace}.{name}" for name in names}


def _of_sample(sample: KShotSample) -> dict[str, str]:
    """Full names of the datasets that nodes of a sample read."""
    llm = "language_model" if sample.llm == DEFAULT_LLM else f"llms.{sample.llm}"
    return (
        _names(OF_CORPUS, sample.corpus)
        | _names(OF_SAMPLE, sample.plain.name)
        | _names(OF_CHANGED_SAMPLE, sample.unannotated.name)
        | _names(OF_ANNOTATED_SAMPLE, sample.with_annotations.name)
        | {"sample": f"{sample.name}.sample", "params:llm": f"params:generation.{llm}"}
    )


def _placed(
    stage: str, template: Template, place: str, names: Mapping[str, str], tags: Iterable[str] = ()
) -> tuple[Node, ...]:
    parts = place.split(".")
    places = [".".join(parts[: n + 1]) for n in range(len(parts))]

    def full(name: str) -> str:
        if name in names:
            return names[name]
        if name.startswith("params:"):
            return _parameter(name, place)
        return name if name in OF_PROJECT else f"{place}.{name}"

    return tuple(
        _node(
            step,
            _each(full, step.inputs),
            _each(full, step.outputs),
            node_namespace(stage, place),
            (stage, *places, *tags),
        )
        for step in template.steps
    )


def _node(step: Step, inputs: Names, outputs: Names, namespace: str, tags: tuple[str, ...]) -> Node:
    return Node(
        step.func,
        inputs,
        outputs,
        name=step.name or step.func.__name__,
        tags=[*tags, *step.tags],
        namespace=namespace,
    )


def _each(rename: Callable[[str], str], names: Names) -> Names:
    if isinstance(names, dict):
        return {argument: rename(name) for argument, name in names.items()}
    return [rename(name) for name in names] if isinstance(names, list) else rename(names)


def _parameter(name: str, place: str) -> str:
    """Full name of parameters: the corpus's, the encoder's and the variant's are of the place."""
    for plain, full in (
        ("params:corpus", f"params:corpora.{place.partition('.')[0]}"),
        ("params:encoder", f"params:encoders.{place.rpartition('.')[2]}"),
        ("params:variant", f"params:variants.{place.rpartition('.')[2]}"),
    ):
        if name == plain or name.startswith(f"{plain}."):
            return name.replace(plain, full, 1)
    return name
