"""Recipes, dates and durations in words; sentences with their mentions as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup, escape

from tkre.core.instance import Instance, Span
from tkre.core.params import DEFAULT_LLM
from tkre.core.text import find_phrase
from tkre.modeling.params import own_heads
from tkre.training.params import FinetuningParams
from tkre.training.recipes import Variant
from tkre.training.stages import STAGES, PretrainingParams

_SOURCES = {
    "explanation": "explanations",
    "synthetic": "synthetic sentences",
    "support": "the labelled sentences",
    "annotated": "annotated sentences",
}


def recipe_in_words(variant: Variant) -> list[str]:
    """A variant in sentences: backbone and pre-training, head, training rows, options."""
    if (setfit := variant.setfit) is not None:
        rows = {"labelled": True, "synthetic": setfit.synthetic, "annotated": setfit.annotated}
        return [
            f"SetFit: the published sentence encoder {variant.backbone}, fine-tuned on pairs of "
            f"{listed([kind for kind, on in rows.items() if on])} sentences, with a logistic "
            "regression on top.",
            "The classifier is scored and not saved: it has no card and cannot be served.",
        ]
    if (asked := variant.in_context) is not None:
        return [
            f"The language model itself labels at most {asked.rows} of the sentences, given the "
            f"definitions and {asked.demonstrations} labelled sentences of each relation. Nothing "
            "is trained."
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
        yield f"Starts from the published weights of {variant.backbone}."
        return
    yield (
        f"Starts from {variant.backbone}, pre-trained further on "
        f"{listed([_SOURCES[source] for source in stages.sources])}: {_chain(stages)}."
    )
    if more.corpus:
        yield f"The knowledge is of another corpus, {more.corpus}."
    if more.synthetic is not None:
        yield f"Pre-training reads {more.synthetic} x K synthetic sentences per relation."
    if more.zero_shot:
        yield f"It also reads {more.zero_shot} rounds of sentences written without an example."


def _chain(params: PretrainingParams) -> str:
    parts = []
    for stage in params.stages:
        part = params.of(stage)
        number = f"{part.epochs} epoch{'' if part.epochs == 1 else 's'}"
        most = f", at most {part.most_samples:,} texts in all" if part.most_samples else ""
        parts.append(f"{STAGES[stage].description} ({number}{most})")
    chain = ", then ".join(parts)
    if any(STAGES[stage].masks for stage in params.stages):
        hidden = params.masking
        chain += (
            f"; {_share(hidden.relation)} of relation words, {_share(hidden.entity)} of mention "
            f"words and {_share(hidden.other)} of other words are masked"
        )
    return chain


def _classifier(params: FinetuningParams) -> Iterator[str]:
    typed = "typed " if params.typed_markers else ""
    auto = params.layers == "auto"
    layers = "chosen by the training rows" if auto else listed([str(n) for n in params.layers])
    kind = own_heads().get(params.head)
    head = kind.description if kind else f"{params.head}, a head of another package"
    yield f"Head: {head.format(typed=typed, layers=layers)}."
    if not params.trained:
        yield "It is not trained: it knows the relations by their definitions alone."
        return
    rows = "K labelled and the synthetic sentences" if params.synthetic else "K labelled sentences"
    annotated = " and on annotated sentences" if params.annotated else ""
    samples = f"{params.samples_per_relation} samples of each relation"
    if params.most_samples:
        samples += f", at most {params.most_samples:,} of all"
    yield f"Trained on {rows} per relation{annotated}, {samples}."


def _parts(params: FinetuningParams) -> Iterator[str]:
    parts = {
        "sentences whose relation has an inverse are also used with head and tail exchanged": (
            params.add_inverted
        ),
        "predictions combine both directions of a sentence": params.both_directions,
        "where the order of the mentions varies, the words between them are told apart by it": (
            params.by_order
        ),
        "where it varies, the two tokens before each mention are features": params.before_mentions,
        "where it varies, some training sentences are read without what is between the mentions, "
        "or without them": params.part_dropout,
        "relations that the schema forbids between two types are excluded": params.type_guided,
        "sentences are aligned with explanations and definitions of their relation": (
            params.alignment
        ),
        "attention is supervised with trigger words": params.trigger_weight,
        "the last layer starts as a logistic regression on the untrained encoder": (
            params.probe_start
        ),
        "a running average of the weights is kept": params.average,
        "the last epoch within one standard error of the best on validation rows is kept": (
            params.keep_epoch == "one_standard_error"
        ),
    }
    yield from (words for words, on in parts.items() if on)
    if params.distilled_from:
        yield (
            "unlabelled text that no language model has read is trained on by the probabilities of "
            f"{params.distilled_from}"
        )
    if params.least_probability:
        yield (
            "a pair for which no relation reaches a probability of "
            f"{params.least_probability:g} is given the negative label"
        )


def _share(value: float) -> str:
    return f"{100 * value:g} %"


def sentence(words: str) -> str:
    """The words with a capital; unlike ``capitalize``, other letters stay."""
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
    """An ISO 8601 time to the minute, in UTC as it was recorded."""
    return f"{day(moment)}, {datetime.fromisoformat(moment):%H:%M} UTC"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def llm_in_words(llm: str, called: str | None) -> str:
    """Name of a language model, with that of its entry in ``conf/`` where it has one."""
    if called is None:
        return llm
    return called if llm == DEFAULT_LLM else f"{called} ({llm})"


_MENTIONS = ("head", "tail")


def highlighted(instance: Instance) -> Markup:
    """A sentence with head, tail and trigger words marked; mentions may overlap."""
    marks = [("head", instance.head), ("tail", instance.tail)]
    marks += [("trigger", span) for span in trigger_spans(instance)]
    return highlighted_text(instance.text, marks)


def highlighted_text(text: str, marks: Iterable[tuple[str, Span]]) -> Markup:
    """Escaped text with marked spans: each piece has the classes of all spans that cover it.

    Args:
        text: Text.
        marks: Classes with their spans, which may overlap. The name of a mention stands where it
            ends; a style sheet keeps it out of what is copied.
    """
    known = list(marks)
    edges = {0, len(text)} | {edge for _, span in known for edge in (span.start, span.end)}
    pieces = (Span(*ends) for ends in pairwise(sorted(edges)))
    return Markup("").join(_piece(text, piece, known) for piece in pieces)


def _piece(text: str, piece: Span, marks: Sequence[tuple[str, Span]]) -> Markup:
    covering = [mark for mark in marks if mark[1].overlaps(piece)]
    words = escape(piece.of(text))
    if not covering:
        return words
    # A space keeps the name apart where the page is read aloud.
    names = Markup("").join(
        Markup('<span class="role"> {}</span>').format(name)
        for name, span in covering
        if name in _MENTIONS and span.end == piece.end
    )
    classes = " ".join(dict.fromkeys(name for name, _ in covering))
    return Markup('<mark class="{}">{}{}</mark>').format(classes, words, names)


def trigger_spans(instance: Instance) -> list[Span]:
    """Spans of the trigger words of a sentence outside its mentions."""
    return [
        span
        for trigger in instance.triggers
        for span in find_phrase(instance.text, trigger)
        if not span.overlaps(instance.head) and not span.overlaps(instance.tail)
    ]
