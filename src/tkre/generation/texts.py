"""Knowledge texts of pre-training, with the roles of their characters.

A knowledge text is an explanation, a synthetic sentence or a support sentence. Every character of
it is part of a *relation* span (the words that state the relation), an *entity* span (a mention),
or of neither. The encoder learns from masking them at different rates (paper, masked span language
modelling):

* every occurrence of either mention is an entity span: one left unmasked would be copied;
* every occurrence of a trigger is a relation span, and in an explanation so are the words that
  the relation's name and phrase are made of; where no words state the relation, it is what stands
  between the mentions;
* a relation span never covers a mention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from tkre.core.instance import Instance, Span
from tkre.core.provenance import frame_digest
from tkre.core.schema import Relation, RelationSchema
from tkre.core.text import find_phrase, find_word_forms, word_spans

EXPLANATION, SYNTHETIC, SUPPORT = "explanation", "synthetic", "support"


@dataclass(frozen=True)
class KnowledgeText:
    """One text with the roles of its characters.

    Attributes:
        id: Id of the instance.
        source: ``explanation``, ``synthetic``, ``support`` or ``annotated``.
        relation: Label it expresses.
        text: What the encoder reads; the label itself never stands in it.
        heads: Every occurrence of the head mention; possibly none in a text that was rejected.
        tails: Every occurrence of the tail mention.
        relations: Spans that state the relation, disjoint and in order.
    """

    id: str
    source: str
    relation: str
    text: str
    heads: tuple[Span, ...]
    tails: tuple[Span, ...]
    relations: tuple[Span, ...]


def knowledge_texts(
    explained: Sequence[Instance],
    synthetic: Sequence[Instance],
    schema: RelationSchema,
    sources: Iterable[str],
) -> list[KnowledgeText]:
    """The knowledge texts of a sample.

    Args:
        explained: The support, with explanations where available.
        synthetic: The synthetic instances.
        schema: The relations.
        sources: Kinds of text to return.
    """
    texts = []
    for source in sources:
        for instance in synthetic if source == SYNTHETIC else explained:
            if source != EXPLANATION:
                texts.append(from_sentence(instance, source))
            elif instance.explanation:
                assert instance.relation is not None
                texts.append(from_explanation(instance, schema.relations[instance.relation]))
    return texts


def from_sentence(instance: Instance, source: str) -> KnowledgeText:
    """The roles in a sentence whose mentions are marked."""
    heads = _mentions(instance.text, instance.head_text, [instance.head])
    tails = _mentions(instance.text, instance.tail_text, [instance.tail])
    stated = _occurrences(instance.text, instance.triggers)
    if not stated and instance.between:
        stated = [instance.between]
    return _text(instance, source, instance.text, heads, tails, stated)


def from_explanation(instance: Instance, relation: Relation) -> KnowledgeText:
    """The roles in an explanation: its mentions are found, its relation words looked up."""
    text = instance.explanation or ""
    heads, tails = _mentions(text, instance.head_text), _mentions(text, instance.tail_text)
    stated = _occurrences(text, instance.triggers)
    if not relation.negative:
        words = find_word_forms(text, f"{instance.relation} {relation.phrase}")
        stated = sorted({*stated, *words})
    if not stated:
        stated = _between_nearest(heads, tails)
    return _text(instance, EXPLANATION, text, heads, tails, stated)


def _text(
    instance: Instance,
    source: str,
    text: str,
    heads: list[Span],
    tails: list[Span],
    stated: list[Span],
) -> KnowledgeText:
    """A text with its spans; relation spans are cut where mentions are."""
    assert instance.relation is not None
    relations = tuple(_without(stated, [*heads, *tails], text))
    return KnowledgeText(
        instance.id, source, instance.relation, text, tuple(heads), tuple(tails), relations
    )


def to_frame(texts: Iterable[KnowledgeText]) -> pd.DataFrame:
    """A row per text; spans become lists of pairs."""
    rows = [
        {
            "id": t.id,
            "source": t.source,
            "relation": t.relation,
            "text": t.text,
            **{role: [[s.start, s.end] for s in getattr(t, role)] for role in _ROLES},
        }
        for t in texts
    ]
    return pd.DataFrame(rows, columns=["id", "source", "relation", "text", *_ROLES])


def from_frame(frame: pd.DataFrame) -> list[KnowledgeText]:
    """The texts of a frame that ``to_frame`` made."""
    return [
        KnowledgeText(
            row["id"],
            row["source"],
            row["relation"],
            row["text"],
            *(tuple(Span(int(a), int(b)) for a, b in row[role]) for role in _ROLES),
        )
        for row in frame.to_dict("records")
    ]


def texts_digest(texts: Iterable[KnowledgeText]) -> str:
    """SHA-256 of texts, in their order."""
    return frame_digest(to_frame(texts))


_ROLES = ("heads", "tails", "relations")


def _mentions(text: str, name: str, marked: Iterable[Span] = ()) -> list[Span]:
    """The marked spans and all occurrences of a name; overlaps are joined."""
    return _joined([*marked, *find_phrase(text, name, name=True)])


def _occurrences(text: str, phrases: Iterable[str]) -> list[Span]:
    """All occurrences of the phrases; overlaps are joined."""
    return _joined(span for phrase in phrases for span in find_phrase(text, phrase))


def _between_nearest(heads: list[Span], tails: list[Span]) -> list[Span]:
    """The gap between the nearest head and tail occurrences."""
    gaps = []
    for head in heads:
        for tail in tails:
            first, second = sorted((head, tail))
            if first.end < second.start:
                gaps.append(Span(first.end, second.start))
    return [min(gaps, key=lambda gap: gap.end - gap.start)] if gaps else []


def _without(spans: list[Span], holes: list[Span], text: str) -> list[Span]:
    """The spans without the holes, trimmed to words; spans without a word are dropped."""
    for hole in holes:
        spans = [part for span in spans for part in _less(span, hole)]
    trimmed = []
    for span in _joined(spans):
        if words := word_spans(text, span.start, span.end):
            trimmed.append(Span(words[0].start, words[-1].end))
    return trimmed


def _less(span: Span, hole: Span) -> list[Span]:
    """The parts of a span before and after a hole."""
    if not span.overlaps(hole):
        return [span]
    parts = (Span(span.start, hole.start), Span(hole.end, span.end))
    return [part for part in parts if part.start < part.end]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, overlapping ones merged."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
