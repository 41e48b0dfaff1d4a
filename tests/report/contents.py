"""All that an experiment may have found, made up: small, whole, hostile where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tests.conftest import instance
from tkre.core.cells import Cell, Experiment, KShotSample
from tkre.core.instance import Instance
from tkre.core.provenance import Environment, Lineage, Step
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibration_report import calibration_table, fit_calibrator, score_calibration
from tkre.evaluation.error_analysis import (
    DiagnosedCell,
    collapse_table,
    confused_pairs,
    errors_table,
)
from tkre.evaluation.implicit_relations import implicit_table, split_by_explicitness
from tkre.evaluation.llm_comparison import Knowledge
from tkre.evaluation.natural_text import natural_scores, natural_table
from tkre.evaluation.params import CalibrationParams, ReportingParams
from tkre.evaluation.predictions import prediction_frame
from tkre.evaluation.probing import probes_of, score_probes
from tkre.evaluation.results import (
    FINETUNING,
    cells_table,
    score_cell,
    summary_table,
    training_curves,
    with_natural,
)
from tkre.generation.llm.protocol import Response
from tkre.generation.rejections import Reject, Tally, rejects_frame, yield_frame
from tkre.report.content import ReportContent, ReportedCell, ReportedCorpus, ReportedSample
from tkre.report.params import PageParams
from tkre.training.params import FinetuningParams, OptimisationParams
from tkre.training.recipes import Variant

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"
OPTIMISATION = OptimisationParams(learning_rate=1e-4, head_learning_rate=1e-4)
RECIPES = {
    "typ_marker": Variant(
        backbone="minilm", finetuning=FinetuningParams(optimisation=OPTIMISATION)
    ),
    "tkre": Variant(
        backbone="minilm",
        finetuning=FinetuningParams(optimisation=OPTIMISATION, synthetic=True, add_inverted=True),
    ),
}
ENVIRONMENT = Environment(
    finished="2026-11-25T03:04:05+00:00", revision="0123456789abcdef", modified=True,
    python="3.11.7", platform="Linux 6, x86_64", processor="A processor", cores=2,
    libraries={"torch": "2.13.0"}, device="cpu", threads=1, precision="fp32",
)  # fmt: skip
REPORTING = ReportingParams(resamples=50)


def schema(corpus: str = "toy", hostile: str = "") -> RelationSchema:
    """Two relations and a negative one; the names are what they are called in."""
    return RelationSchema.parse(
        {
            "corpus": corpus,
            "relations": {
                f"likes{hostile}": {"definition": f"Head likes tail.{hostile}", "phrase": "likes"},
                "owns": {"definition": "Head owns tail.", "phrase": "owns"},
                "none": {"definition": "Neither.", "phrase": "has no tie to", "negative": True},
            },
        },
        "toy/relations.yml",
    )


def rows(parsed: RelationSchema, hostile: str = "", number: int = 24) -> list[Instance]:
    """Sentences of all relations."""
    return [
        instance(
            f"<head>Anna{n}</head> {parsed.relations[name].phrase} <tail>Bert</tail> {hostile} .",
            name, id=f"row-{n}{hostile}", triggers=("likes",), implicit=n % 4 == 0,
            explanation=f"Anna{n} says so. {hostile}",
        )
        for n, name in ((n, parsed.names[n % 3]) for n in range(number))
    ]  # fmt: skip


def predictions(parsed: RelationSchema, given: Sequence[Instance], seed: int, wrong: float):
    """What a classifier says of them, a share of it wrong."""
    generator = np.random.default_rng(seed)
    gold = [parsed.names.index(str(row.relation)) for row in given]
    off = generator.random(len(gold)) < wrong
    guess = [(g + 1) % 3 if o else g for g, o in zip(gold, off, strict=True)]
    sure = generator.uniform(0.5, 0.95, len(gold))
    spread = np.tile(((1 - sure) / 2)[:, None], (1, 3))
    spread[np.arange(len(gold)), guess] = sure
    return prediction_frame(
        [row.id for row in given], [row.relation for row in given],
        [parsed.names[g] for g in guess], parsed.names, spread,
    )  # fmt: skip


def content(
    *,
    corpora: Sequence[str] = ("toy",),
    shots: Sequence[int] = (8,),
    seeds: Sequence[int] = (13, 21),
    hostile: str = "",
    scored: int = 24,
    knowledge: bool = True,
    bare: bool = False,
    page: PageParams | None = None,
) -> ReportContent:
    """An experiment with two variants.

    Args:
        corpora: Its corpora.
        shots: Values of K.
        seeds: Of its samples.
        hostile: Put wherever text of others is.
        scored: Sentences that are scored.
        knowledge: Whether a language model wrote something.
        bare: Whether nothing is there that a page can do without.
        page: How much is quoted.
    """
    samples = [KShotSample(corpus, k, seed) for corpus in corpora for k in shots for seed in seeds]
    schemas = {corpus: schema(corpus, hostile) for corpus in corpora}
    made = [
        _cell(sample, variant, schemas[sample.corpus], hostile, scored)
        for sample in samples
        for variant in RECIPES
    ]
    cells, frames = [cell for cell, *_ in made], [frame for _, frame, _ in made]
    ms = [cell.metrics for cell in cells]
    natural = [_natural(cell, frame, own) for cell, frame, own in made]
    scored_ms = ms if bare else [with_natural(*pair) for pair in zip(ms, natural, strict=True)]
    tables = {
        "cells": cells_table(scored_ms),
        "summary": summary_table(scored_ms, frames, "typ_marker", REPORTING),
    }
    if bare:
        cells = [ReportedCell(cell.metrics, cell.lineage) for cell in cells]
    else:
        tables |= _more_tables(cells, frames, [own for *_, own in made], schemas)
        tables["natural"] = natural_table(
            natural, [cell.natural_calibration_scores for cell in cells], REPORTING
        )
    return ReportContent(
        experiment="trial",
        spec=Experiment(corpora=tuple(corpora), shots=tuple(shots), seeds=tuple(seeds),
                        variants=tuple(RECIPES)),
        reporting=REPORTING,
        page=page or PageParams(),
        cells=cells,
        samples=[_sample(d, schemas[d.corpus], hostile, knowledge=knowledge) for d in samples],
        corpora=[_corpus(parsed, bare=bare) for parsed in schemas.values()],
        tables=tables,
        environment=ENVIRONMENT,
        prompts={"explanation_prompt": "Explain."},
        called={"default": f"a model{hostile}"},
        backend={"default": "replay"},
    )  # fmt: skip


def _cell(sample: KShotSample, variant: str, parsed: RelationSchema, hostile: str, scored: int):
    given = rows(parsed, hostile, scored)
    own = 0.4 if variant == "typ_marker" else 0.15
    frame = predictions(parsed, given, sample.seed, own)
    metrics = score_cell(
        frame, Cell(sample, variant), parsed.names, "none", "micro", 100.0,
        0 if variant == "typ_marker" else 1, "none" if variant == "typ_marker" else "default",
    ) | {"recipe": RECIPES[variant].model_dump(mode="json")}  # fmt: skip
    validation = predictions(parsed, rows(parsed, hostile, 3 * sample.shots), sample.seed + 1, own)
    weights = f"{variant}-{sample.seed}-{'f' * 40}"
    calibrator = fit_calibrator(
        validation, "none", CalibrationParams(), cell=Cell(sample, variant).name, classifier=weights
    )
    step = Step(
        stage="finetuning", started_from="a" * 64, weights=weights, data="d" * 64, settings={},
        seconds=100.0, environment=ENVIRONMENT,
    )  # fmt: skip
    measured, errors = (
        score_calibration(frame, calibrator, metrics), errors_table(given, frame, calibrator)
    )  # fmt: skip
    cell = ReportedCell(
        metrics, Lineage(backbone="tiny", origin="a" * 64).then(step), measured, errors,
        natural_calibration_scores=measured, natural_errors=errors, probes=_probed(parsed, variant),
    )  # fmt: skip
    return cell, frame, given


def _probed(parsed: RelationSchema, variant: str) -> pd.DataFrame:
    """Probes of a classifier that always gives one answer."""
    probes = probes_of(parsed)
    answer = parsed.names[0 if variant == "typ_marker" else 1]
    return score_probes(probes, pd.DataFrame({"predicted": answer, "probability": 0.9},
                                             index=range(len(probes))))  # fmt: skip


def _natural(cell: ReportedCell, frame: pd.DataFrame, given: list[Instance]):
    """The scored rows once more, as natural text."""
    return {**cell.metrics, **natural_scores(frame, given, "none")}


def _more_tables(cells, frames, given, schemas) -> dict[str, pd.DataFrame]:
    ms = [cell.metrics for cell in cells]
    of_cells = [schemas[m["corpus"]] for m in ms]
    diagnosed = [
        DiagnosedCell(m, frame, parsed)
        for m, frame, parsed in zip(ms, frames, of_cells, strict=True)
    ]
    marks = [
        split_by_explicitness(own, [], parsed) for own, parsed in zip(given, of_cells, strict=True)
    ]
    losses = pd.DataFrame({"epoch": [1, 1, 2], "step": [1, 2, 3], "mslm": [3.0, 2.0, 1.5]})
    tuned = pd.DataFrame({"epoch": [1, 2], "step": [1, 2], "validation_f1": [40.0, 60.0]})
    return {
        "diagnosis": confused_pairs(diagnosed, REPORTING.diagnosis),
        "collapse": collapse_table(diagnosed),
        "implicit": implicit_table(ms, frames, marks, REPORTING),
        "training_curves": training_curves(ms, [{"mslm": losses, FINETUNING: tuned}] * len(ms)),
        "calibration": calibration_table([cell.calibration_scores for cell in cells]),
        "label_errors": pd.DataFrame(
            [{"corpus": ms[0]["corpus"], "shots": 8, "synthetic": 1, "llm": "default",
              "seed": 13, "rank": 1, "id": given[0][0].id if given[0] else "row-0",
              "relation": of_cells[0].names[0], "probability": 0.1, "likeliest": "owns",
              "likeliest_probability": 0.8, "error_score": 0.9}]
        ),
    }  # fmt: skip


def _sample(
    sample: KShotSample, parsed: RelationSchema, hostile: str, *, knowledge: bool
) -> ReportedSample:
    support = rows(parsed, hostile, 3 * sample.shots)
    shots = {
        "sample": sample.name,
        "support": [row.id for row in support],
        "validation": ["held-1"],
    }
    if not knowledge:
        return ReportedSample(shots)
    name = parsed.names[0]
    refused = Reject(
        "synthesis", name, "r", "near_duplicate", f"a copy {hostile}", f"<head>{hostile}"
    )
    tallies = {name: Tally(8, 9, 9, 7, 1, [refused]), "owns": Tally(8, 8, 8, 8)}
    yields = pd.concat([yield_frame(kind, tallies) for kind in ("explanation", "synthesis")])
    response = Response(
        f"explanation/{hostile}", digest="d", source=f"it{hostile}",
        finished="2026-11-24T01:02:03+00:00", completion_tokens=12,
    )  # fmt: skip
    return ReportedSample(
        shots,
        Knowledge(
            yields.assign(sample=sample.name), rejects_frame([refused]), rows(parsed, hostile, 6),
            [response], [Response("synthesis/other")], support,
        ),
    )  # fmt: skip


def _corpus(parsed: RelationSchema, *, bare: bool) -> ReportedCorpus:
    reading = {"corpus": parsed.corpus, "rows": {"train": 90, "dev": 0, "test": 24}, "bad_rows": []}
    files = {} if bare else {"files": {"train.jsonl": "e" * 64}}
    return ReportedCorpus(parsed, reading | files)
