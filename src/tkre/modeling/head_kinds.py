"""Which heads a classifier can have, by the name that its configuration gives them."""

from __future__ import annotations

from tkre.extensions import Parts
from tkre.modeling.heads import Head, MarkerHead, SpanHead
from tkre.modeling.prompt_head import AnswerHead, PromptHead
from tkre.modeling.prototypes import PrototypeHead

HEADS: Parts[type[Head]] = Parts(
    __name__,
    {
        "markers": MarkerHead,
        "spans": SpanHead,
        "prompt": PromptHead,
        "answers": AnswerHead,
        "prototypes": PrototypeHead,
    },
)
