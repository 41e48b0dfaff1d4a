"""Sentences with their mentions in tags, ``<head>..</head>`` and ``<tail>..</tail>``, and back.

Corpus files, language models and users all write instances like this: there are no offsets to
get wrong. The tags are removed and become character offsets.
"""

from __future__ import annotations

import re
from collections.abc import Container
from difflib import get_close_matches

from tkre.records import Instance, Span

HEAD, TAIL = "head", "tail"
_LIKE_A_TAG = re.compile(r"[<\[]\s*/?\s*\w+\s*[>\]]")


class TagError(ValueError):
    """A sentence whose tags do not mark one head and one tail; the message says what is wrong."""


def parse_tagged(
    sentence: str, head_tag: str = HEAD, tail_tag: str = TAIL
) -> tuple[str, Span, Span]:
    """The plain text of a tagged sentence and the spans of its two mentions.

    Args:
        sentence: Text in which each mention stands once between its own pair of tags. A mention
            may hold the other one; they may not cross.
        head_tag: Name of the tag around the head (SemEval's is ``e1``).
        tail_tag: Name of the tag around the tail.

    Returns:
        The text without tags, the head span, the tail span.

    Raises:
        TagError: A tag is missing, doubled or closed before it opens, a mention is empty, or the
            mentions cross.
    """
    pieces = re.split(rf"(</?(?:{re.escape(head_tag)}|{re.escape(tail_tag)})>)", sentence)
    offsets: dict[str, int] = {}
    text = ""
    for n, piece in enumerate(pieces):
        if n % 2 == 0:  # re.split puts the separators, here the tags, at the odd places
            text += piece
        elif piece in offsets:
            raise TagError(f"tag {piece} stands more than once in {sentence!r}")
        else:
            offsets[piece] = len(text)
    spans = []
    for tag in (head_tag, tail_tag):
        opening, closing = f"<{tag}>", f"</{tag}>"
        for needed in (opening, closing):
            if needed not in offsets:
                hint = _mistyped(needed, sentence, offsets)
                raise TagError(f"tag {needed} is missing in {sentence!r}{hint}")
        if offsets[closing] < offsets[opening]:
            raise TagError(f"{closing} stands before {opening} in {sentence!r}")
        span = _strip(text, offsets[opening], offsets[closing])
        if span.start >= span.end:
            raise TagError(f"nothing stands between {opening} and {closing} in {sentence!r}")
        spans.append(span)
    head, tail = spans
    first, second = sorted((head, tail))
    if first.start < second.start < first.end < second.end:
        raise TagError(f"the mentions cross each other in {sentence!r}")
    return text, head, tail


def to_tagged(instance: Instance) -> str:
    """The sentence of an instance with its mentions in tags; ``parse_tagged`` undoes it."""
    # At one place: closing tags before opening ones, the inner mention inside the outer one.
    marks = []
    for tag, span in ((HEAD, instance.head), (TAIL, instance.tail)):
        length = span.end - span.start
        marks.append((span.start, 1, -length, f"<{tag}>"))
        marks.append((span.end, 0, length, f"</{tag}>"))
    text, last = "", 0
    for place, _, _, tag in sorted(marks):
        text += instance.text[last:place] + tag
        last = place
    return text + instance.text[last:]


def _strip(text: str, start: int, end: int) -> Span:
    """White space just inside a tag does not belong to the mention."""
    mention = text[start:end]
    start += len(mention) - len(mention.lstrip())
    return Span(start, max(start, end - (len(mention) - len(mention.rstrip()))))


def _mistyped(needed: str, sentence: str, read: Container[str]) -> str:
    """What may be meant for a tag that is missing: ``<Tail>``, ``[tail]``, ``<tial>``."""
    found = {tag.lower(): tag for tag in _LIKE_A_TAG.findall(sentence) if tag not in read}
    near = get_close_matches(needed, found, n=1)
    return f" (there is {found[near[0]]!r} instead)" if near else ""
