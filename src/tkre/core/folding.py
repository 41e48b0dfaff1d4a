"""Texts in one form for comparison, and the places of its characters in the original.

Comparison sees through composed and decomposed letters, typographic quotes, full-width forms,
blanks of any width and invisible characters. Texts are never written in the folded form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from tkre.core.instance import Span

# Signs that stand for one another, one character for one.
_ALIKE = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4\u02b9\u02bc\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"')
    | dict.fromkeys("\u2010\u2011", "-")
    # White space that is not in ASCII, and the empty Braille pattern.
    | dict.fromkeys("\x85\xa0\u1680\u2028\u2029\u202f\u205f\u2800\u3000", " ")
    | {code: " " for code in range(0x2000, 0x200B)}
    # Full-width forms of ASCII, but for the quotes above.
    | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code not in (0xFF02, 0xFF07)}
)
# Unicode's Default_Ignorable_Code_Point: without a glyph of their own.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_VOWELS_AND_FINALS = ("\u1160", "\u11ff")  # of Hangul: they join the letter before them
MARKS = 30  # on one letter at most, as in Unicode's Stream-Safe Text Format (UAX 15)


@dataclass(frozen=True, slots=True)
class Folded:
    """A text in the form for comparison.

    Attributes:
        text: The form.
        spans: For each of its characters the characters of the original that it stands for; empty
            where each stands for the one at its place.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def original(self, start: int, end: int) -> Span:
        """The characters of the original for ``start`` to ``end`` (half-open, not empty)."""
        return (
            Span(self.spans[start].start, self.spans[end - 1].end)
            if self.spans
            else Span(start, end)
        )


def fold(text: str) -> Folded:
    """A text in the form for comparison: NFC, plain quotes and blanks, nothing invisible."""
    if text.isascii():
        return Folded(text)
    return _folded_once(text) if len(text) <= _REMEMBERED else _folded(text)


def _folded(text: str) -> Folded:
    plain = text.translate(_ALIKE)
    if not _INVISIBLE.search(plain) and unicodedata.is_normalized("NFC", plain):
        return Folded(plain)
    letters: list[str] = []  # each with the marks that follow it
    places: list[Span] = []
    for place, character in enumerate(plain):
        if _INVISIBLE.match(character):
            continue
        if letters and _joins(character) and len(letters[-1]) <= MARKS:
            letters[-1] += character
            places[-1] = Span(places[-1].start, place + 1)
        else:
            letters.append(character)
            places.append(Span(place, place + 1))
    composed = [unicodedata.normalize("NFC", letter) for letter in letters]
    spans = [span for letter, span in zip(composed, places, strict=True) for _ in letter]
    return Folded("".join(composed), tuple(spans))


# The same sentence is asked for again and again; a long one would fill the memory.
_REMEMBERED = 4000
_folded_once = lru_cache(maxsize=1024)(_folded)


def _joins(character: str) -> bool:
    """Whether a character may be one with the letter before it."""
    first, last = _VOWELS_AND_FINALS
    return unicodedata.category(character)[0] == "M" or first <= character <= last


def is_invisible(text: str) -> bool:
    """Whether a text shows nothing: blanks, control characters and characters without a glyph."""
    return all(
        c.isspace() or unicodedata.category(c) == "Cc"
        for c in _INVISIBLE.sub("", text).translate(_ALIKE)
    )


def verbatim(text: str, part: str) -> str | None:
    """A part of a text as it is spelt there; None if it is not in it, or shows nothing."""
    folded, wanted = fold(text), fold(part).text
    start = folded.text.find(wanted)
    if start < 0 or is_invisible(part):
        return None
    return folded.original(start, start + len(wanted)).of(text)
