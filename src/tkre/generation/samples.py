"""The checks on one synthetic sentence. Each gives what it checked, or says why it is refused."""

from __future__ import annotations

from typing import Any

from tkre.corpora.schema import RelationSchema
from tkre.generation.near_copies import NearCopies
from tkre.generation.params import SynthesisParams
from tkre.records import Span
from tkre.tagged import TagError, parse_tagged


class Rejected(Exception):
    """A sample that is not used.

    Args:
        reason: One of few words that counts are made by.
        detail: What exactly is wrong.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def tagged_sentence(
    sample: Any, params: SynthesisParams, *, head_first: bool
) -> tuple[str, Span, Span]:
    """The plain text of a sample's sentence and its mentions.

    Raises:
        Rejected: ``wrong_schema``, ``bad_tags``, ``overlap``, ``length`` or ``order``.
    """
    if not isinstance(sample, dict) or not isinstance(sample.get("sentence"), str):
        raise Rejected("wrong_schema", "a sample must be an object with a sentence")
    try:
        text, head, tail = parse_tagged(" ".join(sample["sentence"].split()))
    except TagError as error:
        raise Rejected("bad_tags", str(error)) from None
    if head.overlaps(tail):
        raise Rejected("overlap", "the mentions overlap")
    words = len(text.split())
    if not params.min_words <= words <= params.max_words:
        raise Rejected("length", f"{words} words, not {params.min_words} to {params.max_words}")
    if head_first and tail < head:
        raise Rejected("order", "the tail precedes the head")
    return text, head, tail


def entity_types(
    sample: dict[str, Any], relation: str, schema: RelationSchema
) -> tuple[str | None, str | None]:
    """The types of a sample's mentions; none where the corpus has none.

    Raises:
        Rejected: ``type``: one is missing, unknown, or not allowed for the relation.
    """
    if not schema.entity_types:
        return None, None
    kinds = (sample.get("head_type"), sample.get("tail_type"))
    for kind in kinds:
        if kind not in schema.entity_types:
            raise Rejected("type", f"{kind!r} is not a type of the schema")
    if not schema.allows(relation, *kinds):
        raise Rejected("type", f"{relation} does not join {kinds[0]!r} and {kinds[1]!r}")
    return kinds


def refuse_copy(text: str, copies: NearCopies) -> None:
    """Refuses a sentence that is close to a labelled or another synthetic one.

    Raises:
        Rejected: ``near_copy``.
    """
    if copied := copies.find(text):
        source, share = copied
        raise Rejected("near_copy", f"{share:.0%} of its word runs stand in {source}")
