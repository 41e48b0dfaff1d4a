"""Sentences with colours, as HTML: mentions, the words that state a relation, hidden tokens.

All text is escaped: sentences come from corpora and language models, and a notebook would run what
they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from transformers import PreTrainedTokenizerBase

from tkre.knowledge import KnowledgeText
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import ENTITY, RELATION, Words, encode_texts, mask
from tkre.notebook.markup import Html
from tkre.records import Instance, Span

# Colours that those who see no red or green tell apart, with dark letters on any theme.
COLOURS = {"head": "#a6cee3", "tail": "#fdbf6f", "relation": "#cab2d6", "hidden": "#222222"}
_ROLE_NAMES = {ENTITY: "entity", RELATION: "relation"}


def instances(rows: Iterable[Instance]) -> Html:
    """Sentences with head, tail and triggers, under their relations, with explanations if any."""
    parts = [_legend("head", "tail", "relation")]
    for row in rows:
        triggers = [
            Span(at, at + len(words)) for words in row.triggers if (at := row.text.find(words)) >= 0
        ]
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
