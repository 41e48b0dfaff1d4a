"""Knowledge that an encoder is pre-trained on (CPU)."""

from __future__ import annotations

from dataclasses import replace

from tkre.core.instance import Instance
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.texts import (
    EXPLANATION,
    SUPPORT,
    SYNTHETIC,
    KnowledgeText,
    from_sentence,
)
from tkre.training.stages import ANNOTATED, PretrainingParams


def select_texts(
    knowledge: list[KnowledgeText],
    pretraining: PretrainingParams,
    zero_shot: list[KnowledgeText] | None = None,
    annotated_training: list[Annotation] | None = None,
) -> list[KnowledgeText]:
    """Takes the kinds of knowledge texts that the variant is pre-trained on."""
    texts = [*knowledge, *(zero_shot or ())]
    texts += [from_sentence(row, ANNOTATED) for row in instances_of(annotated_training or [])]
    return [text for text in texts if text.source in pretraining.sources]


def select_pairs(
    explained: list[Instance],
    synthetic: list[Instance],
    pretraining: PretrainingParams,
    zero_shot: list[Instance] | None = None,
    annotated_training: list[Annotation] | None = None,
) -> list[Instance]:
    """Takes the labelled sentences whose pairs are contrasted, with or without explanations."""
    rows = [*explained] if SUPPORT in pretraining.sources else []
    if SYNTHETIC in pretraining.sources:
        rows += [*synthetic, *(zero_shot or ())]
    rows += instances_of(annotated_training or [])
    if EXPLANATION in pretraining.sources:
        return rows
    return [replace(row, explanation=None) for row in rows]
