"""The card of a classifier: a README.md as the Hugging Face Hub reads it, metadata first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tkre.core.cells import Cell
from tkre.core.languages import language_name
from tkre.core.params import NO_LLM
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation.bootstrap import micro_intervals
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.metrics import METRICS, f1_first
from tkre.evaluation.natural_text import LANGUAGE_MODEL
from tkre.evaluation.params import ReportingParams
from tkre.report.formatting import duration, llm_in_words, minute, recipe_in_words
from tkre.report.page import rendered
from tkre.report.params import CardParams
from tkre.report.provenance import revision
from tkre.training.recipes import Variant

# Markup in a Markdown table.
_MARKUP = re.compile(r"([\\|\[\]*`<])")
_ROWS = {"test": "test", "development": "validation"}  # splits, in the words of the Hub


@dataclass(frozen=True)
class CardContent:
    """Content of a card.

    Attributes:
        cell: Cell of the classifier.
        metrics: Scores (``results.score_cell``) with the ``recipe``.
        interval: Bootstrap interval of micro-F1; None without a scored row.
        calibrator: Calibrator record.
        measured: Calibration scores (``calibration_report.score_calibration``).
        lineage: Lineage from the backbone to the weights.
        schema: Schema of the corpus.
        shots: Ids of the K-shot sets.
        training_rows: Number of all training rows.
        annotated: Number of annotated rows among them.
        reviewed: Number of rows among them that a person has reviewed.
        rows: Scored rows: ``test`` or ``development``.
        called: Names of language models, by llm.
        reporting: Parameters of the interval.
        card: Fields that no run knows, e.g. the licence.
        natural_metrics: Scores on natural text (``natural_text.natural_scores``); None without any.
        natural_measured: Calibration scores there.
    """

    cell: Cell
    metrics: Mapping[str, Any]
    interval: tuple[float, float] | None
    calibrator: Calibrator
    measured: Mapping[str, Any]
    lineage: Lineage
    schema: RelationSchema
    shots: Mapping[str, Any]
    training_rows: int
    annotated: int
    reviewed: int
    rows: str
    called: Mapping[str, str]
    reporting: ReportingParams
    card: CardParams
    natural_metrics: Mapping[str, Any] | None = None
    natural_measured: Mapping[str, Any] | None = None

    @property
    def served(self) -> Mapping[str, Any]:
        """Calibration scores on the kind of text that the calibrator was fitted on."""
        natural = self.natural_measured if self.calibrator.fitted_on == "natural" else None
        return natural or self.measured


def model_card(content: CardContent) -> str:
    """The card: YAML metadata between dashes, then Markdown."""
    environment = content.lineage.steps[-1].environment if content.lineage.steps else None
    variant = Variant.model_validate(content.metrics["recipe"])
    assert variant.finetuning is not None  # else there is no classifier that could have a card
    llm = content.metrics["llm"]
    reached = [t.precision for t in content.calibrator.thresholds if t.confidence is not None]
    text = rendered(
        "card.md.j2",
        **vars(content),
        sample=content.cell.sample,
        relations=list(_relations(content.schema)),
        scores=list(_scores(content)),
        thresholds=list(_thresholds(content)),
        natural=list(_natural(content)),
        served=content.served,
        by_llm=LANGUAGE_MODEL,
        lowest_precision=min(reached, default=None),
        recipe=recipe_in_words(variant),
        max_length=variant.finetuning.max_length,
        languages=[language_name(code) for code in _languages(content)],
        example=_example(content.schema),
        synthetic=_synthetic(content),
        llm=None if llm == NO_LLM else llm_in_words(llm, content.called.get(llm)),
        remark=content.reporting.remarks.get(content.called.get(llm, ""), {}).get(
            content.schema.corpus
        ),
        seconds=duration(content.lineage.seconds),
        environment=environment,
        revision=revision(environment) if environment else "not recorded",
        finished=minute(environment.finished) if environment else "not recorded",
        md=_escaped,
    )  # fmt: skip
    return f"---\n{metadata(content)}\n---\n\n{text}"


def _synthetic(content: CardContent) -> int:
    natural = len(content.shots["support"]) + content.annotated + content.reviewed
    return content.training_rows - natural


def _languages(content: CardContent) -> list[str]:
    own = content.schema.language
    return [own] if own else list(content.card.language)


def metadata(content: CardContent) -> str:
    """The YAML of a card, as the Hub's own library writes it."""
    from huggingface_hub import ModelCardData

    corpus, backbone = content.schema.corpus, content.lineage.backbone
    data = ModelCardData(
        language=_languages(content),
        license=content.card.license,
        library_name="tkre",
        pipeline_tag="text-classification",
        tags=["relation-extraction", "few-shot", "tkre"],
        base_model=content.card.base_models.get(backbone, backbone),
        datasets=[content.card.datasets.get(corpus, corpus)],
        metrics=["f1", "precision", "recall"],
        model_name=content.cell.name,
        eval_results=list(_results(content)) or None,
    )
    return str(data.to_yaml())


def _results(content: CardContent) -> Iterator[Any]:
    from huggingface_hub import EvalResult

    corpus, metrics = content.schema.corpus, content.metrics
    for key in f1_first():
        kind = METRICS[key].kind
        if kind is not None and metrics.get(key) is not None:
            official = f" ({metrics['official_metric']})" if key == "official_f1" else ""
            yield EvalResult(
                task_type="text-classification",
                task_name=f"Relation extraction, K = {content.cell.sample.shots}",
                dataset_type=content.card.datasets.get(corpus, corpus),
                dataset_name=corpus,
                dataset_split=_ROWS[content.rows],
                metric_type=kind,
                metric_name=f"{METRICS[key].title}{official}, %",
                metric_value=round(float(metrics[key]), 2),
            )


def _scores(content: CardContent) -> Iterator[tuple[str, str, str]]:
    metrics, low_high = content.metrics, ""
    if content.interval is not None:
        low_high = f"{content.interval[0]:.1f} to {content.interval[1]:.1f}"
    for key in f1_first():
        if metrics.get(key) is not None:
            interval = low_high if key == "micro_f1" else ""
            yield METRICS[key].title, f"{metrics[key]:.1f}", interval


def _thresholds(content: CardContent) -> Iterator[tuple[str, str, str, str]]:
    kept = {t["wanted"]: t for t in content.served["thresholds"]}
    for threshold in content.calibrator.thresholds:
        found = kept.get(threshold.precision, {})
        precision = found.get("precision")
        yield (
            f"{threshold.precision:g}",
            "none" if threshold.confidence is None else f"{threshold.confidence:.3f}",
            f"{found.get('coverage', 0.0):.1f}",
            "" if precision is None else f"{precision:.1f}",
        )


def _natural(content: CardContent) -> Iterator[tuple[str, str, str]]:
    """Scores on natural text with their bootstrap intervals over sentences."""
    metrics = content.natural_metrics
    if metrics is None or not metrics["rows"]:
        return
    intervals = micro_intervals([metrics["sentences"]], content.reporting)
    for name, title in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
        low, high = intervals[name]
        yield title, f"{metrics[f'micro_{name}']:.1f}", f"{low:.1f} to {high:.1f}"


def _relations(schema: RelationSchema) -> Iterator[tuple[str, str, str]]:
    for name in schema.names:
        relation = schema.relations[name]
        types = " → ".join(
            " or ".join(kinds) or "any" for kinds in (relation.head_types, relation.tail_types)
        )
        yield name, relation.definition, types if schema.entity_types else ""


def _example(schema: RelationSchema) -> str:
    """A sentence as Python source, made from the first relation's phrase: no corpus is quoted."""
    name = next(name for name in schema.names if not schema.relations[name].negative)
    relation = schema.relations[name]
    sentence = f"<head>This one</head> {relation.phrase} <tail>that one</tail>."
    types = {
        role: kinds[0]
        for role, kinds in (("head_type", relation.head_types), ("tail_type", relation.tail_types))
        if kinds
    }
    source = json.dumps({"sentence": sentence} | types, ensure_ascii=False)
    return source.replace("`", "\\u0060")  # it stands in a fence of them


def _escaped(words: object) -> str:
    """Text on one line, escaped for Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(str(words).split()))
