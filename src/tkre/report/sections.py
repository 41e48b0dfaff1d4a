"""Sections of the report: summary, scores, setup, calibration, training curves, glossary.

``SECTIONS`` is their one list. Figures come from the registry by the name of the section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from tkre.core.params import DEFAULT_LLM
from tkre.core.provenance import seconds_of
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.report.blocks import (
    Block,
    Facts,
    Folded,
    Part,
    Prose,
    Section,
    Table,
    Tiles,
    charts,
)
from tkre.report.content import ReportContent, ReportedCell
from tkre.report.evidence import error_analysis, knowledge
from tkre.report.formatting import counted, day, duration, listed, llm_in_words, recipe_in_words
from tkre.report.natural import natural, natural_finding
from tkre.report.probes import probes
from tkre.report.provenance import provenance
from tkre.report.tables import (
    TextTable,
    best_setting,
    detail_tables,
    missing,
    score_tables,
    table_of,
)
from tkre.report.teacher import teacher, with_needs

_MOST_VARIANTS = 6  # that are described without a fold
_WEAKEST = 3  # relations that are named
_FEW = 100  # sentences, of which one is a point
_COVERAGE, _PRECISION = "coverage_at_90", "precision_at_90"


def summary(content: ReportContent) -> list[Block]:
    """Main findings, some sentences for each corpus and K."""
    found = [" ".join(_findings(content, name, group)) for name, group in content.groups()]
    cautions = [] if content.several_seeds else [
        "One seed does not show the variance between seeds: treat small differences as noise."
    ]  # fmt: skip
    if 0 < content.placed["rows"].max() < _FEW:
        cautions.append(
            f"Fewer than {_FEW} sentences were scored: one sentence moves a score by a point or "
            "more."
        )
    if content.spec.score_on == "development":
        cautions.append(
            "Scored on development rows, on which recipes are chosen: scores are optimistic."
        )
    return [Tiles(_tiles(content)), Prose([*found, *cautions])]


def scores(content: ReportContent) -> list[Block]:
    """Tables and figures of F1."""
    seeds = (
        "The variance over seeds is in them (Student's t)." if content.several_seeds
        else "They exclude the variance over seeds, which one seed cannot show."
    )  # fmt: skip
    note = (
        "Micro-F1 is taken over all relations but the negative one. Intervals of scores and of "
        f"differences to {content.baseline} are over {content.reporting.resamples:,} resamples of "
        f"the sentences, the same ones for all seeds and variants. {seeds}"
    )
    cells = content.tables["cells"]
    tables = score_tables(with_needs(content.tables["summary"], content.variants), cells)
    remarks = content.reporting.remarks_on(cells, content.called)
    return [Prose([note, *remarks]), *map(Table, tables), *charts(content, "scores")]


def setup(content: ReportContent) -> list[Block]:
    """Grid, corpora and variants."""
    return [Facts(list(_grid(content))), Table(_corpora(content)), _variants(content)]


def calibration(content: ReportContent) -> list[Block]:
    """Reliability, risk against coverage, thresholds."""
    blocks: list[Block] = [*charts(content, "calibration")]
    if not blocks:
        return [Prose(["No calibration is known."])]
    if (table := content.tables.get("calibration")) is not None:
        blocks += map(Table.titled, detail_tables("calibration", table))
    scored = content.source("calibration_scores")
    notes = sorted({str(scores["note"]) for scores in scored if scores["note"]})
    return [*blocks, *([Prose([f"Note: {note}." for note in notes])] if notes else [])]


def training_curves(content: ReportContent) -> list[Block]:
    """Losses and validation scores by epoch."""
    kept = (
        "The epoch with the best validation score is kept." if content.validated
        else "The last epoch is kept: there was no validation row to choose one on."
    )  # fmt: skip
    if drawn := list(charts(content, "training")):
        return [Prose([kept]), *drawn]
    nothing = "No losses are known." if content.validated else (
        f"{kept} finetuning_losses.csv of each cell has the loss of every step."
    )  # fmt: skip
    return [Prose([nothing])]


def glossary(content: ReportContent) -> list[Block]:
    """Terms of the report."""
    return [Facts(TERMS)]


def _findings(content: ReportContent, name: str, group: pd.DataFrame) -> Iterator[str]:
    best = best_setting(group)
    if best is None:
        yield f"{name}: there is no sentence to score on. Name a test file of the corpus in conf/."
        return
    cells = group[group["setting"] == best]
    yield _score(content, name, best, cells)
    yield _weakest(content.cells_of(cells))
    without, invented = false_relations(content.cells_of(cells))
    if without:
        where = ", summed over seeds" if content.several_seeds else ""
        yield (
            f"It predicts a relation for {invented:,} of {counted(without, 'sentence')} without "
            f"one{where}."
        )
    if answered := _answered(content, cells):
        yield answered
    if found := natural_finding(content, cells.iloc[0]):
        yield found


def _score(content: ReportContent, name: str, best: str, cells: pd.DataFrame) -> str:
    row = content.summary_of(cells)
    deviation = f" ± {row['std']:.1f} over {row['seeds']} seeds" if row["seeds"] > 1 else ""
    scored = counted(int(cells["rows"].max()), "sentence")
    line = f"{name}: {best} is best, with a micro-F1 of {row['mean']:.1f}{deviation} on {scored}"
    if missing(row["difference"]):
        return f"{line}."
    low, high = row["difference_low"], row["difference_high"]
    verdict = "" if low > 0 or high < 0 else ", which includes no difference"
    return (
        f"{line}: {row['difference']:+.1f} against {content.baseline} "
        f"({100 * content.reporting.confidence:g} % interval {low:+.1f} to {high:+.1f}{verdict})."
    )


def _weakest(cells: Sequence[ReportedCell]) -> str:
    """The relations with the lowest F1, the negative one excluded."""
    frames = [pd.DataFrame(cell.metrics["by_relation"]) for cell in cells]
    means = pd.concat(frames).groupby("relation", sort=False)[["f1", "gold"]].mean()
    there = means[(means["gold"] > 0) & (means.index != cells[0].metrics["negative"])]
    if there.empty:
        return "No relation has a sentence."
    worst = there[there["f1"] < 100].sort_values("f1", kind="stable").head(_WEAKEST)
    named = [f"{relation} (F1 {f1:.1f})" for relation, f1 in worst["f1"].items()]
    return (
        f"Its weakest relations: {listed(named)}." if named else "It makes no error on a relation."
    )


def false_relations(cells: Sequence[ReportedCell]) -> tuple[int, int]:
    """Sentences without a relation, and those of them that were given one, summed over cells."""
    without = invented = 0
    for cell in cells:
        labels, negative = cell.metrics["confusion"]["labels"], cell.metrics["negative"]
        if negative in labels:
            row = cell.metrics["confusion"]["counts"][labels.index(negative)]
            without += sum(row)
            invented += sum(row) - row[labels.index(negative)]
    return without, invented


def _answered(content: ReportContent, cells: pd.DataFrame) -> str | None:
    """Coverage and precision at a target precision of 90 %."""
    table = content.tables.get("calibration")
    if table is None or _COVERAGE not in table:
        return None
    same = (table[GROUP_KEYS_WITH_VARIANT] == cells.iloc[0][GROUP_KEYS_WITH_VARIANT]).all(axis=1)
    row = table[same].iloc[0]
    if not content.validated:
        return (
            "There was no validation sentence: its probabilities are not calibrated, and it has "
            "no threshold for a target precision."
        )
    if missing(row[_PRECISION]):
        return "Its validation sentences support no threshold for a target precision of 90 %."
    return (
        f"At a target precision of 90 % it gives {row[_COVERAGE]:.0f} % of its answers, with a "
        f"precision of {row[_PRECISION]:.1f} %."
    )


def _tiles(content: ReportContent) -> list[tuple[str, str, str]]:
    tiles = []
    for name, group in content.groups()[:2]:
        if (best := best_setting(group)) is not None:
            cells = group[group["setting"] == best]
            row = content.summary_of(cells)
            tiles.append((f"best micro-F1, {name}", f"{row['mean']:.1f}", best))
            if not missing(row["difference"]):
                tiles.append((f"against {content.baseline}", f"{row['difference']:+.1f}", "points"))
            without, invented = false_relations(content.cells_of(cells))
            if without:
                remark = f"of {counted(without, 'sentence')} without one"
                tiles.append(("given a false relation", f"{invented:,}", remark))
    tiles.append(("cells", str(len(content.cells)), "corpus x K x seed x variant"))
    seconds = seconds_of(cell.lineage for cell in content.cells)
    return [*tiles, ("training", duration(seconds), "all stages")]


def _grid(content: ReportContent) -> Iterator[tuple[str, str]]:
    spec = content.spec
    yield "Experiment", content.experiment
    yield "Command", f"kedro run --pipelines {content.experiment}"
    yield "Reported", day(content.environment.finished)
    yield "K, labelled sentences per relation", listed([str(k) for k in spec.shots])
    yield "Seeds", listed([str(seed) for seed in spec.seeds])
    if spec.golden_seeds:
        seeds = listed([str(seed) for seed in spec.golden_seeds])
        without = listed([name for name, v in content.variants.items() if v.needs != "nothing"])
        yield "Further seeds", f"{seeds}; without a cell there: {without or 'none'}"
    if len(spec.synthetic) > 1 or spec.synthetic != (1,):
        yield "Synthetic sentences, x K", listed([str(n) for n in spec.synthetic])
    if spec.noise != (0,):
        yield "Planted noise, %", listed([str(n) for n in spec.noise])
    if spec.filtered != (False,):
        yield "Synthetic sentences filtered", listed(["yes" if f else "no" for f in spec.filtered])
    if spec.annotated != (0,):
        yield "Annotated sentences", listed([str(n) for n in spec.annotated])
        yield "Chosen", listed([choice.replace("_", " ") for choice in spec.chosen])
    if spec.llms != (DEFAULT_LLM,):
        models = [llm_in_words(llm, content.called.get(llm)) for llm in spec.llms]
        yield "Language models", listed(models)
    yield "Variants", listed(list(content.variants))
    if content.baseline in content.variants:
        yield "Baseline", content.baseline
    rows = {"test": "the test split", "development": "K-shot sets of the other seeds"}
    scored = content.placed["rows"].sum() > 0
    yield "Scored on", rows[spec.score_on] if scored else "nothing: no sentence to score on"


def _corpora(content: ReportContent) -> TextTable:
    rows = []
    for corpus in content.corpora:
        reading, schema = corpus.reading, corpus.schema
        scored = {c.metrics["rows"] for c in content.cells if c.metrics["corpus"] == schema.corpus}
        rows.append(
            {
                "corpus": schema.corpus,
                "relations": len(schema.names),
                "negative": schema.negative or "none",
                **reading["rows"],
                "scored": " or ".join(f"{n:,}" for n in sorted(scored)) or "none",
                "bad": len(reading["bad_rows"]),
            }
        )
    return table_of(
        rows,
        "Corpora",
        "Sentences of each split. The negative relation stands for none of the others; scores over "
        "all relations exclude it.",
        {"corpus": "corpus", "negative": "negative relation"},
        {"relations": "relations", "train": "train", "dev": "dev", "test": "test",
         "scored": "scored", "bad": "bad rows left out"},
    )  # fmt: skip


def _variants(content: ReportContent) -> Block:
    recipes = content.variants
    facts = Facts([(name, recipe_in_words(recipe)) for name, recipe in recipes.items()])
    if len(recipes) <= _MOST_VARIANTS:
        return Part("Variants", [facts])
    return Part("Variants", [Folded(f"Recipes of {counted(len(recipes), 'variant')}", [facts])])


TERMS = (
    ("relation, mention", "What a sentence states about two marked parts of it, the head and the "
     "tail. A schema lists the possible relations."),
    ("K, shots, support", "K labelled sentences for each relation, the only labelled training "
     "data: the support. K other sentences, the validation set, choose the epoch, the temperature "
     "and the thresholds."),
    ("seed", "Chooses the K sentences and all randomness of training. Several seeds show the "
     "variance."),
    ("variant, cell", "A training recipe, as described above; one variant on one corpus, K and "
     "seed."),
    ("micro-F1", "Harmonic mean of precision (share of predicted relations that are right) and "
     "recall (share of gold relations that are found), over all sentences, without the negative "
     "relation."),
    ("P, R, s/cell", "Precision, recall; seconds of training of a cell."),
    ("interval", "Test sentences are resampled with replacement, the same ones for all seeds and "
     "both variants, and the mean over seeds is moved by what other seeds would change; the "
     "interval holds the middle of the resulting scores or differences."),
    ("explanation, synthetic sentence", "Text of a language model on why a labelled sentence "
     "has its relation; sentences that it writes for a relation."),
    ("annotated sentence", "Unlabelled text whose relation a language model has named."),
    ("natural text", "All pairs of mentions of raw sentences, most of which hold no relation. Sets "
     "with a chosen number of sentences for each relation are balanced."),
    ("MSLM, SCL", "Masked span language modelling: words of relations and mentions are masked and "
     "predicted. Span-level contrastive learning: spans of one relation are pulled together, away "
     "from those of others."),
    ("confidence, ECE, temperature", "Probability of the predicted label; expected calibration "
     "error, the mean gap between confidence and accuracy; the divisor of the logits, fitted on "
     "validation sentences, that corrects probabilities."),
    ("risk, coverage", "Share of wrong answers, and share of answers given, if answers below a "
     "confidence are withheld."),
    ("digest", "SHA-256 of a content."),
)  # fmt: skip

# Name in links, title, blocks; in the order of the page.
SECTIONS: tuple[tuple[str, str, Callable[[ReportContent], list[Block]]], ...] = (
    ("summary", "Summary", summary),
    ("scores", "Scores", scores),
    ("natural", "Natural text", natural),
    ("teacher", "The language model in its place", teacher),
    ("error-analysis", "Error analysis", error_analysis),
    ("probes", "Probes", probes),
    ("calibration", "Calibration", calibration),
    ("setup", "Setup", setup),
    ("knowledge", "Knowledge from the language model", knowledge),
    ("training", "Training curves", training_curves),
    ("provenance", "Provenance", provenance),
    ("glossary", "Glossary", glossary),
)


def sections(content: ReportContent) -> list[Section]:
    """All sections of a report that have something to show."""
    made = ((name, title, make(content)) for name, title, make in SECTIONS)
    return [Section(name, title, blocks) for name, title, blocks in made if blocks]
