from __future__ import annotations

import pytest

from tests.report.contents import ENVIRONMENT, content, rows, schema
from tests.report.contents import predictions as predicted
from tests.report.html_page import Page
from tkre.core.cells import parse_cell
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.manifest import Manifest
from tkre.evaluation.params import CalibrationParams, ReportingParams
from tkre.generation.params import GenerationParams
from tkre.pipelines.reporting import nodes
from tkre.report.params import PublishingParams

SAMPLING = {"temperature": 0.0, "max_tokens": 8}
GENERATION = GenerationParams.model_validate(
    {
        "language_model": {"backend": "replay", "model": "claude"},
        "retry": {},
        "explanations": {"sampling": SAMPLING},
        "synthesis": {"sampling": SAMPLING},
        "filtering": {"backbone": "tiny"},
    }
)
MANIFEST = Manifest(
    reported=ENVIRONMENT, trained=(), parameters={}, corpora={}, samples={}, cells={}
)
FOUND = content(seeds=tuple(range(1, 7)))  # so that there are numbers of two digits


def inputs() -> dict[str, object]:
    """What the graph gives the page's node."""
    given: dict[str, object] = dict(FOUND.tables)
    for n, cell in enumerate(FOUND.cells):
        given |= {
            f"metrics_{n}": cell.metrics,
            f"calibration_scores_{n}": cell.calibration_scores,
            f"errors_{n}": cell.errors,
            f"lineage_{n}": cell.lineage,
        }
    for n, reported in enumerate(FOUND.samples):
        known = reported.knowledge
        given |= {
            f"shots_{n}": reported.shots,
            **{f"{name}_{n}": getattr(known, name) for name in (*nodes.KNOWLEDGE, "explained")},
        }
    corpus = FOUND.corpora[0]
    return given | {"schema_0": corpus.schema, "reading_0": corpus.reading}


def page(given: dict[str, object]) -> Page:
    return Page(
        nodes.write_report(
            spec=FOUND.spec,
            reporting=FOUND.reporting,
            publishing=PublishingParams(),
            generation=GENERATION,
            manifest=MANIFEST,
            explanation_prompt="Explain.",
            synthesis_prompt="Write.",
            name="trial",
            **given,
        )
    )


def test_the_page_is_made_of_what_the_graph_gives():
    shown = page(inputs())
    assert shown.all("h1")[0].text == "trial"
    for reported in FOUND.samples:
        assert f"{reported.sample.name}: 24 support" in shown.text
    # Cells stand beside their own seeds, whatever the order of their names.
    steps = next(table for table in shown.all("table") if "Stages of training" in table.text)
    seeds = [e.text for e in steps.inside if e.tag == "td"][2::12]
    assert seeds == [str(cell.metrics["seed"]) for cell in FOUND.cells]


def test_report_without_knowledge_and_without_some_tables():
    gone = (*nodes.KNOWLEDGE, "explained")
    tables = {"implicit", "diagnosis", "label_errors"}
    given = {
        name: value
        for name, value in inputs().items()
        if name.rpartition("_")[0] not in gone and name not in tables
    }
    assert "No variant uses knowledge" in page(given).text


def recorded(lineages) -> Manifest:
    given: dict[str, object] = {}
    frame = predicted(schema(), rows(schema()), 1, 0.1)
    for n, (cell, lineage) in enumerate(zip(FOUND.cells, lineages, strict=True)):
        name = ".".join(["newsroom", "k8", f"s{cell.metrics['seed']}", cell.metrics["variant"]])
        given |= {f"cell_{n}": parse_cell(name), f"lineage_{n}": lineage,
                  f"metrics_{n}": cell.metrics, f"predictions_{n}": frame}  # fmt: skip
    return nodes.write_manifest(GENERATION, CalibrationParams(), **given)


def test_equal_environments_of_training_are_listed_once():
    lineages = [cell.lineage for cell in FOUND.cells]
    found = recorded(lineages)
    assert [place.revision for place in found.trained] == ["0123456789abcdef"]
    assert found.reported.device is None and len(found.cells) == len(lineages)
    old = [
        lineage.model_copy(
            update={"steps": [s.model_copy(update={"environment": None}) for s in lineage.steps]}
        )
        for lineage in lineages
    ]
    assert recorded(old).trained == ()


@pytest.fixture
def of_cell():
    parsed = schema()
    given = rows(parsed)
    frame = predicted(parsed, given, 1, 0.3)
    calibrator = fit_calibrator(
        frame, "none", CalibrationParams(), cell="toy.k8.s1.tkre", classifier="w"
    )
    return parsed, given, frame, calibrator


def test_errors_are_listed_with_their_sentences(of_cell):
    _, given, frame, calibrator = of_cell
    table = nodes.list_errors(frame, given, calibrator)
    assert len(table) == (frame["gold"] != frame["predicted"]).sum() > 0
    assert set(table["text"]) <= {row.text for row in given}


def test_a_card_counts_golden_and_synthetic_sentences(of_cell):
    parsed, given, frame, calibrator = of_cell
    cell, sample = FOUND.cells[1], FOUND.samples[0]
    card = nodes.write_card(
        cell.metrics, frame, cell.calibration_scores, calibrator, cell.lineage,
        parsed, sample.shots, [*given, *given[:4]], GENERATION,
        ReportingParams(resamples=20), PublishingParams(), parse_cell("toy.k8.s1.tkre"), "test",
    )  # fmt: skip
    assert "**Synthetic sentences**: 4, written by claude" in card
    assert "holds 95 % of 20 bootstrap samples" in card
