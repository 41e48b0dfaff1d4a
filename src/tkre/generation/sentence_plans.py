"""Plans of synthetic sentences: what each sentence of a request is about, and how it is written.

A language model that is only told to vary writes alike; attributes drawn for each sentence spread
what it writes (Yu et al. 2023, attributed prompts).
"""

from __future__ import annotations

from random import Random

from tkre.generation.params import SynthesisParams

IMPLICIT = "the relation is implied: none of its usual words occurs"


def sentence_plan(request_id: str, params: SynthesisParams) -> str:
    """A line for each sentence of a request; empty without attributes and implicit sentences.

    The values of an attribute are dealt evenly and independently of the other attributes'. A
    request has the same plan at every attempt.

    Args:
        request_id: Id of the request, from which the plan is drawn.
        params: Attributes, share of implicit sentences and number of sentences.
    """
    count, draw = params.per_request, Random(request_id)
    dealt: list[list[str]] = []
    for name, values in params.attributes.items():
        order = draw.sample(values, len(values))
        cards = [order[n % len(order)] for n in range(count)]
        dealt.append([f"{name}: {value}" for value in draw.sample(cards, count)])
    hidden = round(params.implicit * count)
    if hidden:
        dealt.append(draw.sample([IMPLICIT] * hidden + [""] * (count - hidden), count))
    if not dealt:
        return ""
    lines = (
        f"{number}. {'; '.join(part for part in parts if part) or 'as you like'}"
        for number, parts in enumerate(zip(*dealt, strict=True), start=1)
    )
    return "\n\nWrite them by this plan, one sentence for each line:\n" + "\n".join(lines)
