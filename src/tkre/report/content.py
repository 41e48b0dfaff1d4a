"""Content of the report of an experiment: all results as one frozen record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from tkre.core.cells import Experiment, KShotSample, parse_sample
from tkre.core.provenance import Environment, Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation.llm_comparison import Knowledge
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.report.params import PageParams
from tkre.report.tables import placed
from tkre.training.recipes import Variant


@dataclass(frozen=True)
class ReportedCell:
    """One cell.

    Attributes:
        metrics: Scores (``results.score_cell``) with the ``recipe``.
        lineage: Lineage of the classifier.
        calibration_scores: Scores of the calibrator (``calibration_report.score_calibration``);
            None if there are none.
        errors: Wrong predictions (``error_analysis.errors_table``); None if they are not known.
        natural_calibration_scores: Scores of the calibrator on natural text; None without any.
        natural_errors: Wrong predictions there.
        probes: Answers to made-up sentences (``probing.score_probes``); None if it is not saved.
    """

    metrics: Mapping[str, Any]
    lineage: Lineage
    calibration_scores: Mapping[str, Any] | None = None
    errors: pd.DataFrame | None = None
    natural_calibration_scores: Mapping[str, Any] | None = None
    natural_errors: pd.DataFrame | None = None
    probes: pd.DataFrame | None = None

    @property
    def recipe(self) -> Variant:
        """Parameters of the variant."""
        return Variant.model_validate(self.metrics["recipe"])


@dataclass(frozen=True)
class ReportedSample:
    """One K-shot sample.

    Attributes:
        shots: Ids of its sets, and shortfalls of relations.
        knowledge: Its knowledge; None without any.
        reviews: Counts of its reviewed rows (``reviews.with_reviews``); None without annotations.
    """

    shots: Mapping[str, Any]
    knowledge: Knowledge | None = None
    reviews: Mapping[str, Any] | None = None

    @property
    def sample(self) -> KShotSample:
        """Coordinates of the sample."""
        return parse_sample(self.shots["sample"])


@dataclass(frozen=True)
class ReportedAnnotations:
    """Unlabelled rows that a language model has annotated for one sample.

    Attributes:
        unlabelled_report: Counts of the rows and of how they were chosen
            (``pool.take_unlabelled``, ``gpu_nodes.annotate_chosen``).
        annotation_yield: Yield of their annotation, one row.
    """

    unlabelled_report: Mapping[str, Any]
    annotation_yield: pd.DataFrame


@dataclass(frozen=True)
class ReportedCorpus:
    """One corpus: its schema and its reading report (``corpora.reading``)."""

    schema: RelationSchema
    reading: Mapping[str, Any]


@dataclass(frozen=True)
class ReportContent:
    """All results of an experiment.

    Attributes:
        experiment: Name.
        spec: Grid.
        reporting: Parameters of the comparison of scores.
        page: Number of sentences that are quoted.
        cells: Cells in the order of the grid.
        samples: Samples that cells and encoders read.
        corpora: Corpora of the samples.
        tables: Tables of the experiment by dataset; it need not have all.
        annotations: Annotated rows, for every number and way of choosing.
        taught: Counts of the unlabelled rows that a classifier labels for another one, for each
            sample (``pool.take_unannotated``).
        environment: Environment in which the scores were put together.
        prompts: Prompt templates by the name of their dataset.
        called: Names of language models, by llm.
        backend: Sources of the answers, by llm, e.g. ``replay``.
    """

    experiment: str
    spec: Experiment
    reporting: ReportingParams
    page: PageParams
    cells: Sequence[ReportedCell]
    samples: Sequence[ReportedSample]
    corpora: Sequence[ReportedCorpus]
    tables: Mapping[str, pd.DataFrame]
    environment: Environment
    annotations: Sequence[ReportedAnnotations] = ()
    taught: Sequence[Mapping[str, Any]] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    backend: Mapping[str, str] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """Variant that others are compared with."""
        return self.spec.baseline or self.reporting.baseline

    @property
    def several_seeds(self) -> bool:
        """Whether scores are means over seeds, with a deviation."""
        return len({*self.spec.seeds, *self.spec.golden_seeds}) > 1

    @property
    def validated(self) -> bool:
        """Whether there were validation rows, to choose epochs and to calibrate with."""
        return any(sample.shots["validation"] for sample in self.samples)

    @property
    def variants(self) -> dict[str, Variant]:
        """The recipes by name, in the order of the experiment."""
        return {str(cell.metrics["variant"]): cell.recipe for cell in self.cells}

    @property
    def knowing(self) -> list[ReportedSample]:
        """Samples with knowledge."""
        return [sample for sample in self.samples if sample.knowledge is not None]

    @cached_property
    def placed(self) -> pd.DataFrame:
        """Table of cells with the ``number``, ``place`` and ``setting`` of each."""
        return placed(self.tables["cells"]).assign(number=range(len(self.cells)))

    def source(self, name: str) -> Any:
        """Source of a figure (``FigureKind.reads``); None where the experiment has none."""
        if name == "metrics":
            return [cell.metrics for cell in self.cells]
        if name.endswith("calibration_scores"):
            scores = (getattr(cell, name) for cell in self.cells)
            return [each for each in scores if each is not None] or None
        return self.tables.get(name)

    def summary_of(self, cells: pd.DataFrame) -> dict[str, Any]:
        """Row of the summary for the micro-F1 of a setting.

        Args:
            cells: Rows of ``placed``, all of that setting.
        """
        summary, keys = self.tables["summary"], GROUP_KEYS_WITH_VARIANT
        same = (summary[keys] == cells.iloc[0][keys]).all(axis=1)
        return dict(summary[same & (summary["metric"] == "micro_f1")].iloc[0])

    def groups(self) -> list[tuple[str, pd.DataFrame]]:
        """Cells of each corpus and K, with its name; of trained classifiers where there are any.

        A language model that labels only some of the rows has a section of its own.
        """
        trained = self.placed["variant"].map(lambda name: self.variants[name].in_context is None)
        return [
            (str(place), rows[trained[rows.index]] if trained[rows.index].any() else rows)
            for place, rows in self.placed.groupby("place", sort=False)
        ]

    def cells_of(self, rows: pd.DataFrame) -> list[ReportedCell]:
        """Cells of rows of ``placed``."""
        return [self.cells[number] for number in rows["number"]]
