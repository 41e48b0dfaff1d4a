"""What the page of an experiment is made from: everything that was found, as one frozen record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from tkre.core.cells import Experiment, KShotSample, parse_sample
from tkre.core.instance import Instance
from tkre.core.provenance import Environment, Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.results import GROUP_KEYS
from tkre.report.figures import beside_shots
from tkre.report.params import PageParams
from tkre.training.recipes import Variant


@dataclass(frozen=True)
class ReportedCell:
    """One cell.

    Attributes:
        metrics: Its scores (``tables.score_cell``) with its ``recipe``.
        lineage: Of its classifier.
        calibrator: What is measured of the calibrator in it (``trust_tables.score_calibration``); None if nothing.
        errors: What it labelled wrongly (``errors.errors_table``); None if that is not known.
    """

    metrics: Mapping[str, Any]
    lineage: Lineage
    calibrator: Mapping[str, Any] | None = None
    errors: pd.DataFrame | None = None

    @property
    def recipe(self) -> Variant:
        """The variant that it is of."""
        return Variant.model_validate(self.metrics["recipe"])


@dataclass(frozen=True)
class Knowledge:
    """What a language model wrote for a sample.

    Attributes:
        yields: Counts by kind and relation (``ledger.yield_frame``).
        rejects: What is not used (``ledger.rejects_frame``).
        explained: The support, explained.
        synthetic: The sentences that are used.
        responses: Attempts as they are stored.
    """

    yields: pd.DataFrame
    rejects: pd.DataFrame
    explained: Sequence[Instance]
    synthetic: Sequence[Instance]
    responses: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ReportedSample:
    """One sample.

    Attributes:
        shots: The ids of its sets, and what relations lack.
        knowledge: None where nobody wrote any.
    """

    shots: Mapping[str, Any]
    knowledge: Knowledge | None = None

    @property
    def sample(self) -> KShotSample:
        """Which one."""
        return parse_sample(self.shots["sample"])


@dataclass(frozen=True)
class ReportedCorpus:
    """One corpus: its schema, and what reading it met with (``corpora.reading``)."""

    schema: RelationSchema
    reading: Mapping[str, Any]


@dataclass(frozen=True)
class ReportContent:
    """All that an experiment has found.

    Attributes:
        experiment: Its name.
        spec: Its grid.
        reporting: How scores are compared.
        page: How much is quoted.
        cells: In the order of the grid.
        samples: Those that its cells and encoders read.
        corpora: Likewise.
        tables: Of the experiment, by dataset; those it does not have are missing.
        environment: Where the scores were put together.
        prompts: What language models are asked by, as text, by the name of its dataset.
        called: What language models are called, by llm.
        backend: Where answers came from, by llm, e.g. ``replay``.
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
    prompts: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    backend: Mapping[str, str] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """The variant that differences are taken to."""
        return self.spec.baseline or self.reporting.baseline

    @property
    def several_seeds(self) -> bool:
        """Whether there are means over seeds, with a spread; one seed has neither."""
        return len(self.spec.seeds) > 1

    @property
    def validated(self) -> bool:
        """Whether there were validation rows: to choose epochs on, and to calibrate with."""
        return any(sample.shots["validation"] for sample in self.samples)

    def over_seeds(self, words: str) -> str:
        """What is said of means over seeds; nothing where there are none."""
        return words if self.several_seeds else ""

    @property
    def variants(self) -> dict[str, Variant]:
        """The recipes by name, in the order of the experiment."""
        return {str(cell.metrics["variant"]): cell.recipe for cell in self.cells}

    @property
    def knowing(self) -> list[ReportedSample]:
        """The samples that have knowledge."""
        return [sample for sample in self.samples if sample.knowledge is not None]

    @cached_property
    def placed(self) -> pd.DataFrame:
        """The table of cells with the ``number`` of each and its ``setting`` in words.

        A setting is what seeds are averaged over: the variant, and what differs beside corpus and
        K.
        """
        cells = self.tables["cells"]
        setting = cells["variant"] + beside_shots(cells)
        return cells.assign(number=range(len(cells)), setting=setting)

    def summary_of(self, cells: pd.DataFrame) -> dict[str, Any]:
        """The summary's row for the micro-F1 of a setting.

        Args:
            cells: Rows of ``placed``, all of that setting.
        """
        summary, keys = self.tables["summary"], [*GROUP_KEYS, "variant"]
        same = (summary[keys] == cells.iloc[0][keys]).all(axis=1)
        return dict(summary[same & (summary["metric"] == "micro_f1")].iloc[0])

    def groups(self) -> list[tuple[str, pd.DataFrame]]:
        """The cells of each corpus and K, with what they are called."""
        grouped = self.placed.groupby(["corpus", "shots"], sort=False)
        return [(f"{corpus}, K = {shots}", rows) for (corpus, shots), rows in grouped]

    def cells_of(self, rows: pd.DataFrame) -> list[ReportedCell]:
        """The cells that rows of ``placed`` stand for."""
        return [self.cells[number] for number in rows["number"]]


def best_setting(group: pd.DataFrame) -> str | None:
    """The setting of a group with the highest mean micro-F1; None where nothing was scored."""
    means = group.groupby("setting", sort=False)["micro_f1"].mean().dropna()
    return None if means.empty else str(means.idxmax())
