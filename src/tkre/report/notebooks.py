"""Content of the notebooks, so that their cells are short and tested. All HTML is escaped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from transformers import PreTrainedTokenizerBase

from tkre.core.instance import Instance, to_tagged
from tkre.core.text import word_runs
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.error_analysis import sentences_of
from tkre.generation.texts import KnowledgeText
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import ENTITY, RELATION, Words, encode_texts, mask
from tkre.report.formatting import highlighted, highlighted_text
from tkre.report.page import templates
from tkre.report.tables import TextTable

# Colours that are distinct without red and green, with dark letters on any theme.
_STYLE = """<style>
.tkre mark { border-radius: 3px; padding: 0 2px; background: none; color: inherit }
.tkre mark.head { background: #a6cee3; color: #000 }
.tkre mark.tail { background: #fdbf6f; color: #000 }
.tkre mark.trigger { background: #cab2d6; color: #000 }
.tkre mark.hidden { background: #222; color: #fff }
.tkre .role { font-size: .7em; user-select: none }
.tkre p { line-height: 1.6 }
.tkre th, .tkre td { text-align: left }
.tkre .number { text-align: right }
.tkre caption span { display: block; text-align: left }
</style>"""
_ROLES = {ENTITY: "entity", RELATION: "trigger"}


@dataclass(frozen=True)
class Html:
    """Markup that a notebook shows."""

    markup: str

    def _repr_html_(self) -> str:
        return f'{_STYLE}<div class="tkre">{self.markup}</div>'

    def __repr__(self) -> str:
        return f"<HTML, {len(self.markup)} characters>"


def tables(shown: Iterable[TextTable]) -> Html:
    """Tables one below the other, as the report shows them."""
    table: Any = templates().get_template("blocks.html.j2").module
    return Html(Markup("").join(table.table(each) for each in shown))


_COPIES = ["id", "relation", "shared", "source", "sentence", "nearest"]


def nearest_copies(
    synthetic: Sequence[Instance], sources: Mapping[str, Sequence[str]], run: int
) -> pd.DataFrame:
    """The nearest sentence to each synthetic one, nearest pairs first.

    Args:
        synthetic: Synthetic sentences that passed the check for copies.
        sources: Texts by source, e.g. ``test``; the other synthetic sentences are added.
        run: Length of a run in words (``generation.synthesis.overlap_words``).

    Returns:
        ``id``, ``relation``, ``shared`` (share of its runs that the nearest one has, 0 to 1),
        ``source`` and ``nearest`` (missing where no run is shared), ``sentence``.
    """
    texts = [(source, text) for source, group in sources.items() for text in group]
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
    table = pd.DataFrame(rows, columns=_COPIES)
    return table.sort_values("shared", ascending=False, kind="stable", ignore_index=True)


def confident_mistakes(errors: pd.DataFrame, number: int = 10) -> pd.DataFrame:
    """The wrong predictions with the highest probability.

    Args:
        errors: Errors of a cell with calibrated probabilities (``error_analysis.errors_table``).
        number: Number of rows.
    """
    surest = errors.head(number)
    columns = ["id", "gold", "gold_probability", "predicted", "probability"]
    return surest[columns].assign(sentence=[to_tagged(s) for s in sentences_of(surest)])


def outcomes(one: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """Numbers of rows that both variants, one of them or neither have right, from predictions.

    Raises:
        ValueError: The predictions are of different rows.
    """
    first, second = _right(one, other)
    labels = {True: "right", False: "wrong"}
    return pd.crosstab(
        first.map(labels).rename(names[0]), second.map(labels).rename(names[1])
    ).reindex(index=["right", "wrong"], columns=["right", "wrong"], fill_value=0)


def gained(one: pd.DataFrame, other: pd.DataFrame, rows: Sequence[Instance]) -> pd.DataFrame:
    """Rows that ``other`` has right and ``one`` has wrong; exchange the two for the lost ones."""
    first, second = _right(one, other)
    table = one[["id", "gold", "predicted"]].rename(columns={"predicted": "one"})
    sentences = {row.id: to_tagged(row) for row in rows}
    return table[(~first & second).to_numpy()].assign(sentence=lambda t: t["id"].map(sentences))


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
            f"predictions of {len(one)} and {len(other)} rows are not of the same rows: compare "
            "variants of one corpus, K and seed"
        )
    first, second = one.reset_index(drop=True), other.reset_index(drop=True)
    return first["gold"] == first["predicted"], second["gold"] == second["predicted"]


def label_frame(
    frame: pd.DataFrame, extractor: Callable[[Any], Sequence[Any]], column: str = "sentence"
) -> pd.DataFrame:
    """The frame with the prediction for each row.

    Args:
        frame: Has a column of tagged sentences; ``head_type`` and ``tail_type`` are used if they
            are there.
        extractor: A ``serving.extractor.RelationExtractor``; with a target precision it abstains.
        column: Name of the column of sentences.

    Returns:
        A copy with ``answer`` (missing where it abstains), ``probability`` and ``predicted``.

    Raises:
        KeyError: There is no such column.
        TagError: The tags of a sentence do not mark one head and one tail.
    """
    if column not in frame:
        raise KeyError(f"no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    types = [name for name in ("head_type", "tail_type") if name in frame]
    records = frame[[column, *types]].rename(columns={column: "sentence"}).to_dict("records")
    predictions = extractor([{k: v for k, v in r.items() if not pd.isna(v)} for r in records])
    return frame.assign(
        answer=pd.Series([p.relation for p in predictions], dtype=object, index=frame.index),
        probability=[p.probability for p in predictions],
        predicted=[p.guess for p in predictions],
    )


def promised(calibrator: Calibrator) -> pd.DataFrame:
    """Target precisions of a classifier with their thresholds and coverage.

    Thresholds that the validation rows do not support are left out.
    """
    columns = {
        "precision": "wanted_precision",
        "confidence": "confidence",
        "validation_coverage": "answered on validation rows",
        "validation_precision": "right among them",
    }
    found = [t.model_dump() for t in calibrator.thresholds if t.confidence is not None]
    return pd.DataFrame(found, columns=list(columns)).rename(columns=columns)


def instances(rows: Iterable[Instance]) -> Html:
    """Sentences with head, tail and trigger words, with their explanations."""
    return Html(
        Markup("").join(
            _line(f"{row.relation or '?'} · {row.id}", highlighted(row), row.explanation or "")
            for row in rows
        )
    )


def knowledge(texts: Iterable[KnowledgeText]) -> Html:
    """Knowledge texts with the roles of their characters."""
    parts = []
    for text in texts:
        marks = [("head", span) for span in text.heads]
        marks += [("tail", span) for span in text.tails]
        marks += [("trigger", span) for span in text.relations]
        title = f"{text.relation} · {text.source} of {text.id}"
        parts.append(_line(title, highlighted_text(text.text, marks)))
    return Html(Markup("").join(parts))


def masked(
    text: KnowledgeText,
    tokenizer: PreTrainedTokenizerBase,
    params: MaskingParams,
    seeds: Sequence[int] = (0, 1, 2),
) -> Html:
    """Tokens of a text with their roles, then the masked input of the encoder for some seeds."""
    [encoded] = encode_texts([text], tokenizer, params)
    tokens = tokenizer.convert_ids_to_tokens(encoded.input_ids.tolist())
    roles = [
        "head" if head else "tail" if tail else _ROLES.get(int(role), "")
        for head, tail, role in zip(encoded.head, encoded.tail, encoded.roles, strict=True)
    ]
    parts = [_line("tokens", _tokens(tokens, roles))]
    for seed in seeds:
        inputs, labels = mask(encoded, np.random.default_rng(seed), Words.of(tokenizer), params)
        hidden = ["hidden" if label >= 0 else "" for label in labels]
        seen = tokenizer.convert_ids_to_tokens(inputs.tolist())
        parts.append(_line(f"seed {seed}", _tokens(seen, hidden)))
    return Html(Markup("").join(parts))


def _tokens(tokens: Sequence[str], roles: Sequence[str]) -> Markup:
    marked = Markup('<mark class="{}">{}</mark>')
    pairs = zip(tokens, roles, strict=True)
    return Markup(" ").join(marked.format(role, token) if role else token for token, role in pairs)


def _line(title: str, body: Markup, note: str = "") -> Markup:
    below = Markup("<br><i>{}</i>").format(note) if note else ""
    return Markup("<p><small>{}</small><br>{}{}</p>").format(title, body, below)
