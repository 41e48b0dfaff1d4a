"""Sentences that the page quotes: of corpora, of language models. Its parameters can forbid it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from tkre.core.instance import Instance
from tkre.evaluation.error_analysis import sentences_of
from tkre.report.blocks import Block, Folded, Part, Prose, Quote, Quotes
from tkre.report.content import Knowledge, ReportContent
from tkre.report.formatting import counted, marked

_LONGEST = 300  # letters of a refused text that are quoted


def worst_errors(content: ReportContent) -> Block:
    """The most confident errors of every setting (``publishing.page.errors``)."""
    title = "Worst errors"
    if not content.page.errors:
        return Part(title, [Prose(["No sentence is quoted here (publishing.page.errors is 0)."])])
    folds = []
    for setting, cells in content.placed.groupby("setting", sort=False):
        known = [c.errors for c in content.cells_of(cells) if c.errors is not None]
        if not known:
            continue
        errors = pd.concat(known).sort_values("probability", ascending=False, kind="stable")
        distinct = errors.drop_duplicates(["id", "predicted"])
        worst = distinct.head(content.page.errors)
        quotes = [
            _error(sentence, row)
            for sentence, row in zip(sentences_of(worst), worst.to_dict("records"), strict=True)
        ]
        calibrated = (
            "calibrated" if content.validated
            else "as the classifier gives them, since there was no validation row to calibrate with"
        )  # fmt: skip
        note = (
            f"The {len(quotes)} most confident of {counted(len(errors), 'error')}; probabilities "
            f"are {calibrated}. Some may be errors of the corpus."
        )
        if quotes:
            folds.append((str(setting), Quotes("", note, quotes)))
    if not folds:
        return Part(title, [Prose(["No error is known."])])
    shown = [Folded(name, [q], open=n == len(folds) - 1) for n, (name, q) in enumerate(folds)]
    return Part(title, shown)


def _error(sentence: Instance, row: Mapping[Hashable, Any]) -> Quote:
    return Quote(
        marked(sentence),
        [
            ("gold", f"{row['gold']} ({row['gold_probability']:.2f})"),
            ("predicted", f"{row['predicted']} ({row['probability']:.2f})"),
            ("sentence", sentence.id),
        ],
    )


def examples(content: ReportContent, corpus: str, known: Sequence[Knowledge]) -> Iterator[Block]:
    """What a language model wrote for a corpus, and was refused (``publishing.page.examples``)."""
    most = content.page.examples
    if not most:
        yield Prose([f"{corpus}: no sentence is quoted here (publishing.page.examples is 0)."])
        return
    first = known[0]
    explained = [row for row in first.explained if row.explanation]
    rejects = pd.concat([k.rejects for k in known])
    quotes = [
        Quotes(
            "Labelled sentences, explained",
            "Trigger words that the explanation quotes are underlined.",
            [_quoted(row, row.explanation or "") for row in spread(explained, most)],
        ),
        Quotes(
            "Synthetic sentences",
            "Written under the schema, with the mentions that the language model marked.",
            [_quoted(row) for row in spread(first.synthetic, most)],
        ),
        Quotes("Refused", "One of each reason first.", _rejected(rejects, most)),
    ]
    if some := [q for q in quotes if q.quotes]:
        yield Part(f"Examples, {corpus}", some)


def spread(rows: Sequence[Instance], most: int) -> list[Instance]:
    """So many rows, evenly over all of them: they are sorted by relation."""
    taken = min(most, len(rows))
    return [rows[(2 * n + 1) * len(rows) // (2 * taken)] for n in range(taken)]


def _quoted(row: Instance, body: str = "") -> Quote:
    return Quote(marked(row), [("relation", str(row.relation)), ("sentence", row.id)], body)


def _rejected(rejects: pd.DataFrame, most: int) -> list[Quote]:
    turn = rejects.groupby("reason").cumcount()
    taken = rejects.assign(turn=turn).sort_values("turn", kind="stable").head(most)
    return [
        Quote(
            Markup("<q>{}</q>").format(_cut(str(row["text"]))) if row["text"] else escape(""),
            [("reason", str(row["reason"])), ("relation", str(row["relation"]))],
            str(row["detail"]),
        )
        for row in taken.fillna("").to_dict("records")
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
