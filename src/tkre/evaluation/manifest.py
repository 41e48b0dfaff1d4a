"""The manifest of an experiment: what its results were made from and with, and what differs now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from tkre.core.cells import Cell, KShotSample
from tkre.core.instance import Instance
from tkre.core.params import Params
from tkre.core.provenance import (
    Environment,
    Environments,
    Lineage,
    digest_of,
    frame_digest,
    instances_digest,
)
from tkre.evaluation.metrics import METRICS
from tkre.evaluation.results import NATURAL, with_natural
from tkre.generation.llm.protocol import Response

# Largest difference of an F1 between processors, in points (docs/reproducing.md).
TOLERANCE = 3.0
_PLACE = ("processor", "device", "precision", "threads", "python", "libraries")


class CorpusRecord(Params):
    """A corpus as it was read.

    Attributes:
        files: SHA-256 of its files.
        parameters: Its parameters.
    """

    files: dict[str, str]
    parameters: dict[str, Any]


class SampleRecord(Params):
    """A K-shot sample.

    Attributes:
        support: Digest of its support instances; None where another sample has them.
        answers: Digests of the answers of a language model by kind.
    """

    support: str | None = None
    answers: dict[str, str] = Field(default_factory=dict)


class CellRecord(Params):
    """The result of a cell.

    Attributes:
        seed: Seed of its sample and of its training.
        recipe: Parameters of the variant.
        lineage: Weights, settings, data and environment of each stage of its training.
        predictions: Digest of the predictions.
        scores: Scores in per cent.
    """

    seed: int
    recipe: dict[str, Any]
    lineage: Lineage
    predictions: str
    scores: dict[str, float | None]

    @property
    def environment(self) -> Environment | None:
        """Environment of the last stage of training."""
        return self.lineage.steps[-1].environment if self.lineage.steps else None


class Manifest(Environments):
    """What an experiment's results were made from and with.

    Attributes:
        parameters: Parameters that cells share, by group.
        corpora: Corpora by name.
        samples: Samples by name.
        cells: Cells by name.
    """

    parameters: dict[str, Any]
    corpora: dict[str, CorpusRecord]
    samples: dict[str, SampleRecord]
    cells: dict[str, CellRecord]


def manifest_of(
    corpora: Iterable[Mapping[str, Any]],
    samples: Iterable[Mapping[str, Any]],
    cells: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Params],
) -> Manifest:
    """The manifest of results.

    Args:
        corpora: ``reading`` (report) and ``corpus`` (parameters) of each corpus.
        samples: ``sample``, ``support`` and responses of each sample, by kind.
        cells: Arguments of ``cell_record`` of each cell.
        parameters: Parameters that cells share, by group.
    """
    lineages: list[Lineage] = [cell["lineage"] for cell in cells]
    return Manifest(
        **dict(Environments.of(lineages)),
        parameters={name: group.model_dump(mode="json") for name, group in parameters.items()},
        corpora={
            given["reading"]["corpus"]: CorpusRecord(
                files=given["reading"].get("files", {}),
                parameters=given["corpus"].model_dump(mode="json"),
            )
            for given in corpora
        },
        samples={given["sample"].name: sample_record(**given) for given in samples},
        cells={given["cell"].name: cell_record(**given) for given in cells},
    )


def sample_record(
    sample: KShotSample, support: Sequence[Instance] | None = None, **responses: Sequence[Response]
) -> SampleRecord:
    """Record of a sample; answers are compared by request and content, not by time."""
    answers = {
        kind.removesuffix("_responses"): digest_of(
            sorted((r.request_id, digest_of(r.answer)) for r in given)
        )
        for kind, given in responses.items()
    }
    return SampleRecord(
        support=None if support is None else instances_digest(support), answers=answers
    )


def cell_record(
    cell: Cell,
    lineage: Lineage,
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    natural_metrics: Mapping[str, Any] | None = None,
) -> CellRecord:
    """Record of a cell."""
    scores = with_natural(metrics, natural_metrics)
    return CellRecord(
        seed=cell.sample.seed,
        recipe=metrics["recipe"],
        lineage=lineage,
        predictions=frame_digest(predictions),
        scores={name: scores[name] for name in (*METRICS, *NATURAL) if name in scores},
    )


class Differences(Params):
    """What differs between two records of a cell, in words.

    Attributes:
        inputs: Parameters, files, support and answers.
        places: Processor, device, precision, threads and versions.
        results: Weights, predictions and scores.
        largest: Largest difference of an F1, in points.
    """

    inputs: tuple[str, ...]
    places: tuple[str, ...]
    results: tuple[str, ...]
    largest: float

    @property
    def verdict(self) -> str:
        """``same``, ``same within the tolerance between processors``, or ``differs``."""
        if not self.results:
            return "same"
        if self.places and not self.inputs and self.largest <= TOLERANCE:
            return f"same within the tolerance between processors ({TOLERANCE:g} points)"
        return "differs"


def differences(then: Manifest, now: Manifest, name: str) -> Differences:
    """Compares a cell of a manifest with the same cell, made again."""
    before, after = then.cells[name], now.cells[name]
    variant = name.rpartition(".")[2]
    inputs = [
        *_changed(f"variants.{variant}", before.recipe, after.recipe),
        *_changed("", then.parameters, now.parameters),
    ]
    for corpus, record in now.corpora.items():
        old = then.corpora.get(corpus, CorpusRecord(files={}, parameters={}))
        inputs += _changed(f"corpora.{corpus}", old.parameters, record.parameters)
        inputs += _changed(f"sha256 of {corpus}/", old.files, record.files)
    for sample, taken in now.samples.items():
        old_sample = then.samples.get(sample, SampleRecord())
        inputs += _changed(f"support of {sample}", old_sample.support, taken.support)
        inputs += _changed(f"answers of {sample}:", old_sample.answers, taken.answers)
    results = [
        *_changed("weights", before.lineage.weights, after.lineage.weights),
        *_changed("digest of predictions", before.predictions, after.predictions),
    ]
    gaps = [0.0]
    for score, value in after.scores.items():
        old_value = before.scores.get(score)
        if value != old_value:
            gap = None if None in (value, old_value) else float(value) - float(old_value)  # type: ignore[arg-type]
            if score.endswith("f1"):  # precision and recall trade points with each other
                gaps.append(float("inf") if gap is None else abs(gap))
            how = "" if gap is None else f" ({gap:+.3g})"
            results.append(f"{score}: {_shown(old_value)} then, {_shown(value)} now{how}")
    return Differences(
        inputs=tuple(inputs),
        places=tuple(_changed("", _place(before), _place(after))),
        results=tuple(results),
        largest=max(gaps),
    )


def changed_answers(then: pd.DataFrame, now: pd.DataFrame) -> str:
    """How far apart two frames of predictions are, in words."""
    if then["id"].tolist() != now["id"].tolist():
        return "other rows are scored"
    numbers = [column for column in then if column.startswith("p.") and column in now]
    apart = (then[numbers] - now[numbers]).abs().to_numpy().max(initial=0.0)
    other = int((then["predicted"] != now["predicted"]).sum())
    return f"{other} of {len(then)} answers differ, probabilities by at most {apart:.2g}"


def _place(record: CellRecord) -> dict[str, Any]:
    environment = record.environment
    return {} if environment is None else environment.model_dump(include=set(_PLACE))


def _changed(name: str, then: Any, now: Any) -> Iterator[str]:
    """Entries of two values made of JSON's types that differ, by their paths."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            joint = "" if not name or name[-1] in "/:" else "."
            space = " " if name.endswith(":") else ""
            yield from _changed(f"{name}{joint}{space}{key}", then.get(key), now.get(key))
    elif then != now:
        yield f"{name}: {_shown(then)} then, {_shown(now)} now"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "none" if value is None else str(value)
    return f"{text[:12]}..." if len(text) == 64 and text.isalnum() else text
