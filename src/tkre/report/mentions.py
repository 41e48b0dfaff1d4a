"""A sentence as HTML: its two mentions and its trigger words marked, all of it escaped."""

from __future__ import annotations

from itertools import pairwise

from markupsafe import Markup, escape

from tkre.records import Instance, Span

_LABELS = {"head": "head", "tail": "tail"}


def marked(instance: Instance) -> Markup:
    """The sentence with head, tail and triggers marked; mentions may lie inside one another."""
    roles = [("head", instance.head), ("tail", instance.tail)]
    roles += [("trigger", span) for span in _triggers(instance)]
    borders = {0, len(instance.text)}
    borders |= {edge for _, span in roles for edge in (span.start, span.end)}
    edges = sorted(borders)
    pieces = [_piece(instance.text, Span(start, end), roles) for start, end in pairwise(edges)]
    return Markup("").join(pieces)


def _piece(text: str, piece: Span, roles: list[tuple[str, Span]]) -> Markup:
    """A piece with one set of roles; the name of a mention stands where the mention ends.

    A space keeps the two apart where the page is read aloud or as text; what is copied from it is
    the sentence, without names (``style.css``).
    """
    here = [role for role, span in roles if span.overlaps(piece)]
    words = escape(piece.of(text))
    if not here:
        return words
    ending = [role for role, span in roles if role in _LABELS and span.end == piece.end]
    names = Markup("").join(
        Markup('<span class="role"> {}</span>').format(_LABELS[role]) for role in ending
    )
    classes = " ".join(dict.fromkeys(here))
    return Markup('<mark class="{}">{}{}</mark>').format(classes, words, names)


def _triggers(instance: Instance) -> list[Span]:
    """Where trigger words stand outside the mentions."""
    spans = []
    for trigger in instance.triggers:
        start = instance.text.find(trigger) if trigger else -1
        while start >= 0:
            span = Span(start, start + len(trigger))
            if not span.overlaps(instance.head) and not span.overlaps(instance.tail):
                spans.append(span)
            start = instance.text.find(trigger, span.end)
    return spans
