"""What the notebooks show, worked out here, so that their cells are short and tested.

HTML that a notebook shows as such. Everything in it is escaped by whoever makes it.

Figures of notebooks, wherever a notebook is read.

How near synthetic sentences come to others, by the runs of words that they share.

Results row by row: mistakes, and where two variants differ.

A frame of sentences, labelled.

Sentences with colours, as HTML: mentions, the words that state a relation, hidden tokens.

All text is escaped: sentences come from corpora and language models, and a notebook would run what
they hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.io
from transformers import PreTrainedTokenizerBase

from tkre.core.instance import Instance, Span, to_tagged
from tkre.core.text import find_phrase, word_runs
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.error_analysis import sentences_of
from tkre.generation.texts import KnowledgeText
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import ENTITY, RELATION, Words, encode_texts, mask
from tkre.report.tables import TextTable
from tkre.serving.extractor import RelationExtractor


@dataclass(frozen=True)
class Html:
    """Markup; as plain text, how long it is."""

    markup: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return f"<HTML, {len(self.markup)} characters>"


def tables(shown: Iterable[TextTable]) -> Html:
    """Tables one below the other, with their titles and how their figures are to be read."""
    return Html("".join(_table(table) for table in shown))


def _table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"left" if n < table.labels else "right"}">{escape(cell)}</td>'
            for n, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    title = f"<p><b>{escape(table.title)}</b><br><small>{escape(table.note)}</small></p>"
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


# JupyterLab and editors draw the first with what they have; Notebook, `nbconvert --to html` and
# what else knows of HTML alone take the second, which brings plotly.js along: no network is needed.
RENDERERS = "plotly_mimetype+notebook"


def draw_everywhere() -> None:
    """From here on the outputs of figures are drawn in any front end, and in HTML made of them."""
    plotly.io.renderers.default = RENDERERS


COLUMNS = ["id", "relation", "shared", "source", "sentence", "nearest"]


def nearest_copies(
    synthetic: Sequence[Instance], sources: Mapping[str, Sequence[str]], run: int
) -> pd.DataFrame:
    """The nearest sentence to each synthetic one, nearest pairs first.

    Args:
        synthetic: Kept ones; the guard against copies has refused what comes too near.
        sources: Texts by where they come from, e.g. ``test``; ``synthetic`` for the others here
            is always among them.
        run: Length of a run, in words (``generation.synthesis.overlap_words``).

    Returns:
        ``id``, ``relation``, ``shared`` (share of its runs that the nearest one has, 0 to 1),
        ``source`` and ``nearest`` (missing where no run is shared), ``sentence``.
    """
    texts = [(source, text) for source, own in sources.items() for text in own]
    texts += [("synthetic", row.text) for row in synthetic]
    holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, (_, text) in enumerate(texts):
        for words in word_runs(text, run):
            holders[words].add(number)
    first = len(texts) - len(synthetic)
    rows = []
    for place, row in enumerate(synthetic):
        runs = word_runs(row.text, run)
        shared = Counter(n for words in runs for n in holders[words] if n != first + place)
        number, count = max(shared.items(), key=lambda item: (item[1], -item[0]), default=(-1, 0))
        nearest = texts[number] if count else (None, None)
        rows.append([row.id, row.relation, count / len(runs), nearest[0], row.text, nearest[1]])
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("shared", ascending=False, kind="stable", ignore_index=True)


def confident_mistakes(errors: pd.DataFrame, number: int = 10) -> pd.DataFrame:
    """The wrong predictions that were made with the highest probability, as the report has them.

    Args:
        errors: Of a cell, with calibrated probabilities (``errors.errors_table``).
        number: How many.
    """
    surest = errors.head(number)
    columns = ["id", "gold", "gold_probability", "predicted", "probability"]
    return surest[columns].assign(sentence=[to_tagged(s) for s in sentences_of(surest)])


def outcomes(one: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """How many rows both variants have right, one, the other, neither.

    Args:
        one: Predictions of a cell.
        other: Of another, for the same rows.
        names: Of the two.

    Raises:
        ValueError: They labelled different rows.
    """
    first, second = _right(one, other)
    labels = {True: "right", False: "wrong"}
    return pd.crosstab(
        first.map(labels).rename(names[0]), second.map(labels).rename(names[1])
    ).reindex(index=["right", "wrong"], columns=["right", "wrong"], fill_value=0)


def gained(one: pd.DataFrame, other: pd.DataFrame, rows: Sequence[Instance]) -> pd.DataFrame:
    """The rows that ``other`` has right and ``one`` has wrong; exchange them for those lost.

    Args:
        one: Predictions of a cell.
        other: Of another, for the same rows.
        rows: The instances.
    """
    first, second = _right(one, other)
    table = pd.DataFrame({"id": one["id"], "gold": one["gold"], "one_said": one["predicted"]})[
        ~first & second
    ]
    return table.merge(_sentences(rows), on="id", how="left")


def by_relation(metrics: Iterable[dict[str, object]]) -> pd.DataFrame:
    """F1 of every relation, a column for each cell, the widest difference first."""
    columns = {}
    for cell in metrics:
        scores = pd.DataFrame(cell["by_relation"]).set_index("relation")["f1"]
        columns[f"{cell['variant']}, seed {cell['seed']}"] = scores
    table = pd.DataFrame(columns)
    spread = table.max(axis=1) - table.min(axis=1)
    return table.loc[spread.sort_values(ascending=False, kind="stable").index]


def _right(one: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    if one["id"].tolist() != other["id"].tolist():
        raise ValueError(
            f"predictions of {len(one)} and of {len(other)} rows, not of the same ones: compare "
            "variants of one corpus, K and seed"
        )
    first, second = one.reset_index(drop=True), other.reset_index(drop=True)
    return first["gold"] == first["predicted"], second["gold"] == second["predicted"]


def _sentences(rows: Sequence[Instance]) -> pd.DataFrame:
    return pd.DataFrame({"id": [i.id for i in rows], "sentence": [to_tagged(i) for i in rows]})


TYPES = ("head_type", "tail_type")


def label_frame(
    frame: pd.DataFrame, extractor: RelationExtractor, column: str = "sentence"
) -> pd.DataFrame:
    """The frame with what the extractor says of each row.

    Args:
        frame: A column holds tagged sentences; ``head_type`` and ``tail_type`` are used if they
            are there.
        extractor: With a wanted precision it abstains.
        column: Of the sentences.

    Returns:
        A copy with ``answer`` (missing where it abstains), ``probability`` and ``predicted``.

    Raises:
        KeyError: There is no such column.
        TagError: The tags of a sentence do not mark one head and one tail.
    """
    if column not in frame:
        raise KeyError(f"no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    types = [name for name in TYPES if name in frame]
    records = frame[[column, *types]].rename(columns={column: "sentence"}).to_dict("records")
    predictions = extractor([{k: v for k, v in r.items() if not pd.isna(v)} for r in records])
    return frame.assign(
        answer=pd.Series([p.relation for p in predictions], dtype=object, index=frame.index),
        probability=[p.probability for p in predictions],
        predicted=[p.guess for p in predictions],
    )


def promised(calibrator: Calibrator) -> pd.DataFrame:
    """The precisions that a classifier can be held to, and what share is then answered.

    Thresholds that the validation rows do not support are left out.
    """
    return pd.DataFrame(
        [
            {
                "wanted_precision": t.precision,
                "confidence": t.confidence,
                "answered on validation rows": t.validation_coverage,
                "right among them": t.validation_precision,
            }
            for t in calibrator.thresholds
            if t.confidence is not None
        ],
        columns=["wanted_precision", "confidence", "answered on validation rows",
                 "right among them"],
    )  # fmt: skip


# Colours that those who see no red or green tell apart, with dark letters on any theme.
COLOURS = {"head": "#a6cee3", "tail": "#fdbf6f", "relation": "#cab2d6", "hidden": "#222222"}
_ROLE_NAMES = {ENTITY: "entity", RELATION: "relation"}


def instances(rows: Iterable[Instance]) -> Html:
    """Sentences with head, tail and triggers, under their relations, with explanations if any."""
    parts = [_legend("head", "tail", "relation")]
    for row in rows:
        triggers = [span for words in row.triggers for span in find_phrase(row.text, words)]
        marks = [("head", row.head), ("tail", row.tail), *(("relation", t) for t in triggers)]
        note = f"<br><i>{escape(row.explanation)}</i>" if row.explanation else ""
        parts.append(_line(f"{row.relation or '?'} · {row.id}", _marked(row.text, marks) + note))
    return Html("".join(parts))


def knowledge(texts: Iterable[KnowledgeText]) -> Html:
    """Knowledge texts with the roles of their characters."""
    parts = [_legend("head", "tail", "relation")]
    for text in texts:
        marks = [("head", span) for span in text.heads]
        marks += [("tail", span) for span in text.tails]
        marks += [("relation", span) for span in text.relations]
        title = f"{text.relation} · {text.source} of {text.id}"
        parts.append(_line(title, _marked(text.text, marks)))
    return Html("".join(parts))


def masked(
    text: KnowledgeText,
    tokenizer: PreTrainedTokenizerBase,
    params: MaskingParams,
    seeds: Sequence[int] = (0, 1, 2),
) -> Html:
    """The tokens of a text with their roles, then what the encoder gets to read in some draws.

    Args:
        text: Which.
        tokenizer: Of the backbone.
        params: How likely each role is to be hidden.
        seeds: Of the draws.
    """
    [encoded] = encode_texts([text], tokenizer, params)
    tokens = tokenizer.convert_ids_to_tokens(encoded.input_ids.tolist())
    kinds = [
        "head" if head else "tail" if tail else _ROLE_NAMES.get(int(role), "")
        for head, tail, role in zip(encoded.head, encoded.tail, encoded.roles, strict=True)
    ]
    spaced = [_token(token, kind) for token, kind in zip(tokens, kinds, strict=True)]
    parts = [_legend("head", "tail", "relation", "hidden"), _line("tokens", " ".join(spaced))]
    for seed in seeds:
        inputs, labels = mask(encoded, np.random.default_rng(seed), Words.of(tokenizer), params)
        seen = tokenizer.convert_ids_to_tokens(inputs.tolist())
        shown = [
            _token(token, "hidden" if label >= 0 else "")
            for token, label in zip(seen, labels, strict=True)
        ]
        parts.append(_line(f"draw {seed}", " ".join(shown)))
    return Html("".join(parts))


def _marked(text: str, marks: Iterable[tuple[str, Span]]) -> str:
    """The text with its marks; of marks that overlap, the first one given holds."""
    kinds: list[str] = [""] * len(text)
    for kind, span in marks:
        for at in range(span.start, span.end):
            kinds[at] = kinds[at] or kind
    pieces, start = [], 0
    for at in range(1, len(text) + 1):
        if at == len(text) or kinds[at] != kinds[start]:
            pieces.append(_token(text[start:at], kinds[start]))
            start = at
    return "".join(pieces)


def _token(text: str, kind: str) -> str:
    if not kind:
        return escape(text)
    ink = "#ffffff" if kind == "hidden" else "#000000"
    colour = COLOURS[kind]
    style = f"background:{colour};color:{ink};border-radius:3px;padding:0 2px"
    return f'<span style="{style}" title="{kind}">{escape(text)}</span>'


def _legend(*kinds: str) -> str:
    return f"<p>{' '.join(_token(kind, kind) for kind in kinds)}</p>"


def _line(title: str, body: str) -> str:
    return f'<p style="line-height:1.6"><small>{escape(title)}</small><br>{body}</p>'
