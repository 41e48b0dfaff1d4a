"""Recipes, dates and durations in words.

A sentence as HTML: its two mentions and its trigger words marked, all of it escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup, escape

from tkre.core.instance import Instance, Span
from tkre.core.params import DEFAULT_LLM
from tkre.core.text import find_phrase
from tkre.modeling.params import HEAD_TRAITS
from tkre.training.params import FinetuningParams
from tkre.training.recipes import Variant
from tkre.training.stages import STAGES, PretrainingParams

_SOURCES = {
    "explanation": "explanations",
    "synthetic": "synthetic sentences",
    "support": "the labelled sentences",
}


def recipe_in_words(variant: Variant) -> list[str]:
    """What a variant does, in sentences: where it starts, what it learns from, how it decides."""
    if variant.setfit is not None:
        return [
            f"The sentence encoder {variant.backbone} as it was published, fine-tuned by SetFit on "
            "pairs of labelled sentences; a logistic regression on top.",
            "It is scored and not saved: it has no card, and cannot be published or served.",
        ]
    assert variant.finetuning is not None
    return [
        *_pretraining(variant),
        *_classifier(variant.finetuning),
        *(f"{sentence(part)}." for part in _parts(variant.finetuning)),
    ]


def _pretraining(variant: Variant) -> Iterator[str]:
    stages, more = variant.pretraining, variant.pretrained_on
    if stages is None:
        yield f"Starts from {variant.backbone} as it was published."
        return
    yield (
        f"Starts from {variant.backbone}, pre-trained further on "
        f"{listed([_SOURCES[source] for source in stages.sources])}: {_chain(stages)}."
    )
    if more.corpus:
        yield f"That knowledge is of another corpus, {more.corpus}."
    if more.synthetic is not None:
        yield f"For that, {more.synthetic} x K synthetic sentences per relation."
    if more.zero_shot:
        yield f"Also {more.zero_shot} rounds of sentences that were written without an example."


def _chain(params: PretrainingParams) -> str:
    told = []
    for stage in params.stages:
        epochs = getattr(params, stage).epochs
        told.append(f"{STAGES[stage].description} ({epochs} epoch{'' if epochs == 1 else 's'})")
    chain = ", then ".join(told)
    if any(STAGES[stage].masks for stage in params.stages):
        hidden = params.masking
        chain += (
            f"; hidden are {_share(hidden.relation)} of the words of a relation, "
            f"{_share(hidden.entity)} of mentions, {_share(hidden.other)} of others"
        )
    return chain


def _classifier(params: FinetuningParams) -> Iterator[str]:
    typed = "typed " if params.typed_markers else ""
    layers = listed([str(layer) for layer in params.layers])
    traits = HEAD_TRAITS.get(params.head)
    head = traits.description if traits else f"the head {params.head} of another package"
    yield f"Decides by {head.format(typed=typed, layers=layers)}."
    if not params.trained:
        yield "Is not trained: it knows the relations by their words alone."
        return
    rows = "K labelled and the synthetic sentences" if params.synthetic else "K labelled sentences"
    yield f"Trained on {rows} per relation, each relation shown {params.samples_per_relation} times."


def _parts(params: FinetuningParams) -> Iterator[str]:
    parts = {
        "a sentence whose relation has an inverse is also shown with head and tail exchanged": (
            params.add_inverted
        ),
        "sentences are read both ways": params.both_directions,
        "relations that the schema forbids between two types are ruled out": params.type_guided,
        "sentences are pulled to explanations and definitions of their relation": params.alignment,
        "attention is taught where the trigger words are": params.trigger_weight,
        "the last layer starts as a logistic regression on the untrained encoder": (
            params.probe_start
        ),
        "a running average of the weights is kept": params.average,
        "the last epoch within one standard error of the best on validation rows is kept": (
            params.keep_epoch == "one_standard_error"
        ),
    }
    yield from (words for words, on in parts.items() if on)
    if params.least_probability:
        yield (
            "a pair for which no relation reaches a probability of "
            f"{params.least_probability:g} is given the negative label"
        )


def _share(value: float) -> str:
    return f"{100 * value:g} %"


def sentence(words: str) -> str:
    """With a capital; ``capitalize`` would make small ones of all others."""
    return words[:1].upper() + words[1:]


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``, ``1,000 seeds``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def day(moment: str) -> str:
    """The day of an ISO 8601 time, e.g. ``5 March 2026``."""
    at = datetime.fromisoformat(moment)
    return f"{at.day} {at:%B %Y}"


def minute(moment: str) -> str:
    """The same to the minute, in UTC as it was recorded."""
    return f"{day(moment)}, {datetime.fromisoformat(moment):%H:%M} UTC"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def llm_in_words(llm: str, called: str | None) -> str:
    """A language model by what it is called, and the name of its entry where it has one."""
    if called is None:
        return llm
    return called if llm == DEFAULT_LLM else f"{called} ({llm})"


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
    """Occurrences of trigger words outside the mentions."""
    return [
        span
        for trigger in instance.triggers
        for span in find_phrase(instance.text, trigger)
        if not span.overlaps(instance.head) and not span.overlaps(instance.tail)
    ]
