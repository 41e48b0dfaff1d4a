"""Predictions of all cells -> scores -> tables, figures and report of an experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain as joined
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample, Rows
from tkre.pipelines.namespaces import CellText, Step, at_cell, at_experiment, at_sample
from tkre.pipelines.reporting import nodes
from tkre.pipelines.reporting.cell_templates import mark, of_cell, of_teacher
from tkre.report.figures import FIGURES, drawable
from tkre.training.recipes import Variant

STAGE = "reporting"

# Datasets of the knowledge of a sample, by argument of nodes.
KNOWLEDGE = {name: "yield" if name == "yields" else name for name in nodes.KNOWLEDGE}


def create_pipeline(
    experiment: str,
    cells: Mapping[Cell, Variant],
    with_knowledge: Iterable[KShotSample],
    score_on: Rows,
    axes: Sequence[str],
    trained: Mapping[Cell, EncoderChain | None],
    texts: Mapping[Cell, CellText],
) -> Pipeline:
    """The report of an experiment.

    Args:
        experiment: Name.
        cells: All cells with their variants.
        with_knowledge: Samples that have a yield.
        score_on: Predictions that are scored.
        axes: Axes that scores are drawn along (``ExperimentConfig.axes``).
        trained: Cells whose training is the project's own, with the stages of their encoders.
        texts: Kinds of text that cells are calibrated and scored on.
    """
    report = _Report(experiment, cells, tuple(with_knowledge), score_on, axes, trained, texts)
    marks = report.marks()
    steps = [
        *report.tables(),
        *report.error_analysis(marks),
        *report.training_curves(),
        *report.label_errors(),
        *report.llms(),
        *report.teacher(),
    ]
    tables = {name for step in steps for name in _listed(step.outputs)}
    steps += [*report.figures(tables), *report.page(tables)]
    templates = [
        (
            of_teacher(score_on)
            if cell in report.teachers
            else of_cell(score_on, texts[cell], saved=cell in trained),
            cell,
        )
        for cell in cells
    ]
    return Pipeline(
        [
            *joined(*(at_cell(STAGE, template, cell) for template, cell in templates)),
            *joined(*marks.values()),
            *at_experiment(STAGE, steps, experiment),
        ]
    )


@dataclass(frozen=True)
class _Report:
    """The nodes of an experiment; arguments of nodes are numbered by cell, sample or corpus."""

    experiment: str
    variants: Mapping[Cell, Variant]
    with_knowledge: Sequence[KShotSample]
    score_on: Rows
    axes: Sequence[str]
    trained: Mapping[Cell, EncoderChain | None]
    texts: Mapping[Cell, CellText]

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells."""
        return list(self.variants)

    @cached_property
    def teachers(self) -> list[Cell]:
        """Cells whose classifier is a language model."""
        return [cell for cell, variant in self.variants.items() if variant.in_context]

    @cached_property
    def students(self) -> list[Cell]:
        """Cells with a trained classifier."""
        return [cell for cell in self.cells if cell not in self.teachers]

    @cached_property
    def knowing(self) -> list[KShotSample]:
        """The plain samples that have knowledge."""
        return list(dict.fromkeys(sample.plain for sample in self.with_knowledge))

    @cached_property
    def samples(self) -> list[KShotSample]:
        """The plain samples of the cells."""
        return list(dict.fromkeys(cell.sample.plain for cell in self.cells))

    @cached_property
    def all_annotated(self) -> list[KShotSample]:
        """The samples with annotated rows, for every number and way of choosing."""
        annotated = (s.with_annotations for s in self.with_knowledge if s.annotated)
        return list(dict.fromkeys(annotated))

    @cached_property
    def taught(self) -> list[KShotSample]:
        """The samples whose other unlabelled rows a teacher labels."""
        taught = (cell.sample for cell, variant in self.variants.items() if variant.teacher)
        return list(dict.fromkeys(sample.with_annotations for sample in taught))

    @cached_property
    def annotated(self) -> dict[KShotSample, KShotSample]:
        """The sample with the most annotated rows of each plain one: fewer are among them."""
        most = sorted(self.all_annotated, key=lambda sample: sample.annotated)
        return {sample.plain: sample for sample in most}

    def of_cells(
        self, *kinds: str, cells: Iterable[Cell] | None = None, **renamed: str
    ) -> dict[str, str]:
        """Datasets of cells by numbered argument: ``metrics_0`` is scored on the report's rows."""
        scored = {
            "metrics": f"{self.score_on}_metrics",
            "predictions": f"{self.score_on}_predictions",
        }
        names = {kind: scored.get(kind, kind) for kind in kinds} | renamed
        wanted = set(self.cells if cells is None else cells)
        return {
            f"{kind}_{n}": f"{cell.name}.{name}"
            for n, cell in enumerate(self.cells)
            if cell in wanted
            for kind, name in names.items()
        }

    def of_natural(self, *kinds: str, tests: bool = False) -> dict[str, str]:
        """Datasets of cells with natural text: ``natural_metrics_0``.

        Args:
            *kinds: ``metrics``, ``calibration_scores``, ``errors``.
            tests: Only those of a natural test.
        """
        return {
            f"natural_{kind}_{n}": f"{cell.name}.{of}_{kind}"
            for n, cell in enumerate(self.cells)
            if (of := self.texts[cell].natural) and (self.texts[cell].natural_test or not tests)
            for kind in kinds
        }

    def of_samples(
        self, knowledge: Mapping[str, str], samples: Iterable[KShotSample]
    ) -> dict[str, str]:
        """Shots of samples, and datasets of their knowledge where they have any."""
        datasets: dict[str, str] = {}
        for n, sample in enumerate(samples):
            datasets[f"shots_{n}"] = f"{sample.name}.shots"
            if sample in self.knowing:
                datasets |= {f"{k}_{n}": f"{sample.name}.{v}" for k, v in knowledge.items()}
            if home := self.annotated.get(sample):
                accounts = {k: v for k, v in knowledge.items() if v in ("yield", "rejects")}
                datasets |= {f"{k}_{n}": f"{home.name}.{v}" for k, v in accounts.items()}
        return datasets

    def tables(self) -> Iterator[Step]:
        """Scores of all cells side by side, and the rows that their samples have."""
        natural = self.of_natural("metrics", tests=True)
        parameters = {
            "reporting": "params:reporting",
            "experiment": f"params:experiments.{self.experiment}",
        }
        corpora = dict.fromkeys(sample.corpus for sample in self.samples)
        samples = _numbered({"reading": "reading_report"}, corpora)
        samples |= self.of_samples({"yields": "yield"}, self.samples)
        scores = self.of_cells(
            cells=self.students, scores=f"{self.score_on}_calibration_scores"
        ).values()
        yield Step(nodes.collect_cells, self.of_cells("metrics") | natural, "cells")
        yield Step(
            nodes.summarise,
            self.of_cells("metrics", "predictions") | natural | parameters,
            "summary",
        )
        yield Step(nodes.describe_samples, samples, "samples")
        if scores:
            yield Step(nodes.collect_calibration, list(scores), "calibration")
        if given := self.of_natural("metrics", "calibration_scores"):
            yield Step(nodes.collect_natural, given | {"reporting": "params:reporting"}, "natural")

    def marks(self) -> dict[KShotSample, tuple[Node, ...]]:
        """Marks of implicit rows, by golden sample.

        Explanations belong to the K-shot sets, which all samples of a corpus, K and seed share:
        rows are marked once for all of them, and by the first llm, so that cells can be compared.
        """
        explained: dict[KShotSample, KShotSample] = {}
        for sample in self.with_knowledge:
            explained.setdefault(sample.golden, sample.plain)
        return {
            golden: at_sample(
                STAGE,
                mark(self.score_on, explained=golden in explained),
                explained.get(golden, golden),
            )
            for golden in dict.fromkeys(cell.sample.golden for cell in self.cells)
        }

    def error_analysis(self, marks: Mapping[KShotSample, tuple[Node, ...]]) -> Iterator[Step]:
        """Rows and relations that cells do badly on."""
        explicitness = {
            f"explicitness_{n}": marks[cell.sample.golden][0].outputs[0]
            for n, cell in enumerate(self.cells)
        }
        schemas = _numbered({"schema": "schema"}, [cell.sample.corpus for cell in self.cells])
        scores = self.of_cells("metrics", "predictions") | {"reporting": "params:reporting"}
        measured = self.of_cells("class_centroids", "alignment_uniformity", cells=self.trained)
        yield Step(nodes.compare_implicit, scores | explicitness, "implicit")
        yield Step(nodes.diagnose, scores | schemas | measured, ["diagnosis", "collapse"])

    def training_curves(self) -> Iterator[Step]:
        """Losses and validation scores by epoch."""
        given: dict[str, str] = {}
        for n, (cell, chain) in enumerate(self.trained.items()):
            given |= {
                f"metrics_{n}": f"{cell.name}.{self.score_on}_metrics",
                f"finetuning_losses_{n}": f"{cell.name}.finetuning_losses",
            }
            for stage, home in chain.stages if chain else ():
                given[f"{stage}_losses_{n}"] = f"{home.name}.{stage}_losses"
        if given:
            yield Step(nodes.follow_training, given, "training_curves")

    def figures(self, tables: Set[str]) -> Iterator[Step]:
        """All figures (``report.figures.FIGURES``) that read cells or one of the tables."""
        scored = f"{self.score_on}_calibration_scores"
        given = self.of_cells("metrics")
        given |= self.of_cells(cells=self.students, calibration_scores=scored)
        known = {"metrics", "calibration_scores"}
        if natural := self.of_natural("calibration_scores"):
            given |= natural
            known.add("natural_calibration_scores")
        for reads in sorted({FIGURES[name].reads for name in FIGURES} & tables):
            known.add(reads)
            given[reads] = f"{self.experiment}.{reads}"
        given |= {
            "reporting": "params:reporting",
            "experiment": f"params:experiments.{self.experiment}",
        }
        drawn = [name for name in drawable(self.axes) if FIGURES[name].reads in known]
        yield Step(nodes.draw_figures, given, [f"{name}_figure" for name in drawn])

    def label_errors(self) -> Iterator[Step]:
        """Suspected label errors, and the worth of the filter of synthetic ones."""
        places = [sample.name for sample in self.knowing]
        if places:
            given = _numbered({"shots": "shots", "label_errors": "label_errors"}, places)
            yield Step(nodes.list_label_errors, given, "label_errors")
        filtered = dict.fromkeys(
            cell.sample.unannotated.name for cell in self.cells if cell.sample.filtered
        )
        if filtered:
            scores = [f"{name}.filter_scores" for name in filtered]
            yield Step(nodes.measure_filter, [f"{self.experiment}.cells", *scores], "filter")

    def llms(self) -> Iterator[Step]:
        """Yield and use of several language models; nothing if there is but one."""
        if len({sample.llm for sample in self.knowing}) < 2:
            return
        given = _numbered(KNOWLEDGE, [sample.name for sample in self.knowing])
        more = {"cells": f"{self.experiment}.cells", "generation": "params:generation"}
        yield Step(nodes.compare_llms, given | more, "llms")

    def teacher(self) -> Iterator[Step]:
        """Classifiers beside the language model; nothing if it is no variant."""
        if not self.teachers:
            return
        taught = {cell.sample.golden for cell in self.teachers}
        cells = [cell for cell in self.cells if cell.sample.golden in taught]
        timed = [cell for cell in self.trained if cell in cells]
        given = self.of_cells("metrics", "predictions", cells=cells)
        given |= self.of_cells(cells=self.teachers, effort=f"{self.score_on}_effort")
        given |= self.of_cells(cells=timed, speed=f"{self.score_on}_speed")
        for n, cell in enumerate(self.cells):
            if cell in cells:
                given |= {f"{name}_{n}": place for name, place in self._answers(cell).items()}
        yield Step(nodes.compare_teacher, given | {"reporting": "params:reporting"}, "teacher")

    def _answers(self, cell: Cell) -> dict[str, str]:
        """Answers that a cell was made from; none where it learns from another sample's, too."""
        variant, sample, chain = self.variants[cell], cell.sample, self.trained.get(cell)
        others = {s.plain for s in chain.samples} - {sample.plain} if chain else ()
        if others or not variant.uses_knowledge:
            return {}
        homes = {"explanation": sample.plain}
        if variant.uses_synthetic:
            homes["synthesis"] = sample.plain
        if variant.uses_annotated and sample.annotated:
            homes["annotation"] = sample.with_annotations
        return {f"{kind}_responses": f"{s.name}.{kind}_responses" for kind, s in homes.items()}

    def page(self, tables: Set[str]) -> Iterator[Step]:
        """The manifest, and the page, which shows the tables."""
        scores, errors = f"{self.score_on}_calibration_scores", f"{self.score_on}_errors"
        samples = list(dict.fromkeys([*self.samples, *self.knowing]))
        corpora = dict.fromkeys(sample.corpus for sample in samples)
        given = self.of_cells("metrics", "lineage")
        given |= self.of_cells(cells=self.students, calibration_scores=scores, errors=errors)
        given |= self.of_natural("calibration_scores", "errors")
        given |= self.of_cells("probes", cells=self.trained)
        given |= self.of_samples(KNOWLEDGE | {"explained": "explained"}, samples)
        given |= _numbered({"schema": "schema", "reading": "reading_report"}, corpora)
        given |= {t: f"{self.experiment}.{t}" for t in nodes.TABLES if t in tables}
        given |= {name: name for name in ("explanation_prompt", "synthesis_prompt")}
        if self.annotated:
            given["annotation_prompt"] = "annotation_prompt"
        for n, sample in enumerate(samples):
            if home := self.annotated.get(sample):
                given |= {f"{name}_{n}": f"{home.name}.{name}" for name in nodes.ANNOTATIONS}
        of_rows = {name: name for name in ("unlabelled_report", "annotation_yield")}
        given |= _numbered(of_rows, [sample.name for sample in self.all_annotated])
        taught = {"unannotated_report": "unannotated_report"}
        given |= _numbered(taught, [sample.name for sample in self.taught])
        given |= {name: f"{self.experiment}.{name}" for name in ("name", "manifest")}
        given |= {name: f"params:{name}" for name in ("reporting", "publishing", "generation")}
        given["spec"] = f"params:experiments.{self.experiment}"
        yield Step(nodes.write_manifest, self.recorded(corpora), "manifest")
        yield Step(nodes.write_report, given, "report")

    def recorded(self, corpora: Iterable[str]) -> dict[str, str]:
        """What the manifest records of corpora, samples and cells."""
        given = self.of_cells("cell", "lineage", "metrics", "predictions")
        given |= self.of_natural("metrics")
        for n, name in enumerate(corpora):
            given |= {f"reading_{n}": f"{name}.reading_report",
                      f"corpus_{n}": f"params:corpora.{name}"}  # fmt: skip
        plain = list(dict.fromkeys([*self.samples, *self.knowing]))
        for n, sample in enumerate([*plain, *self.all_annotated]):
            kinds = ["sample", *(["support"] if sample in plain else ["annotation_responses"])]
            if sample in self.knowing:
                kinds += ["explanation_responses", "synthesis_responses"]
            given |= {f"{kind}_{n}": f"{sample.name}.{kind}" for kind in kinds}
        return given | {name: f"params:{name}" for name in ("generation", "calibration")}


def _numbered(kinds: Mapping[str, str], places: Iterable[str]) -> dict[str, str]:
    """Datasets of places by numbered argument: ``{"shots_0": "newsroom.k8.s13.shots"}``."""
    return {
        f"{kind}_{n}": f"{place}.{dataset}"
        for n, place in enumerate(places)
        for kind, dataset in kinds.items()
    }


def _listed(names: Any) -> list[str]:
    return names if isinstance(names, list) else [names]
