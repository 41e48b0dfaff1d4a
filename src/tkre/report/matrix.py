"""A confusion matrix as a drawing: the stronger a field, the larger its share of its row."""

from __future__ import annotations

from markupsafe import Markup

from tkre.report.figures import Confusion
from tkre.report.formatting import counted
from tkre.report.svg import drawing, element, shortened, text

_FIELD, _LETTER, _LETTERS = 30.0, 6.6, 24  # widths; letters of a name that are shown
# Opacity of fields, from a share of nothing to all: letters can be read on the strongest, too.
FAINTEST, STRONGEST = 0.15, 0.55


def matrix_panel(confusion: Confusion, title: str) -> Markup:
    """The matrix; rows are gold relations, figures are numbers of sentences."""
    size = len(confusion.labels) * _FIELD
    names = 14 + _LETTER * min(max(map(len, confusion.labels), default=0), _LETTERS)
    parts = [text(names + size / 2, 14, "predicted", "axis", "middle")]
    top = names + 14
    for n, label in enumerate(confusion.labels):
        middle = n * _FIELD + _FIELD / 2
        parts.append(text(names - 6, top + middle + 4, shortened(label, _LETTERS), "name", "end"))
        parts.append(_upright(shortened(label, _LETTERS), names + middle + 4, top - 6))
    shares = confusion.shares
    for row, gold in enumerate(confusion.labels):
        for column, predicted in enumerate(confusion.labels):
            count, share = int(confusion.counts[row, column]), float(shares[row, column])
            tip = f"gold {gold}, predicted {predicted}: {counted(count, 'sentence')}, {share:.1f} %"
            x, y = names + column * _FIELD, top + row * _FIELD
            parts.append(_field(x, y, count, share, tip, right=row == column))
    right = int(confusion.counts.trace())
    said = f"{right} of {int(confusion.counts.sum())} sentences are on the diagonal"
    return drawing(title, said, top + size + 4, *parts, width=names + size + 4)


def _field(x: float, y: float, count: int, share: float, tip: str, *, right: bool) -> Markup:
    inside = _FIELD - 2
    kind = "field right" if right else "field wrong"
    if not count:
        return element("rect", x=x, y=y, width=inside, height=inside, class_="field none")
    shape = element(
        "rect", element("title", tip), x=x, y=y, width=inside, height=inside, class_=kind,
        fill_opacity=round(FAINTEST + (STRONGEST - FAINTEST) * share / 100, 2),
    )  # fmt: skip
    return shape + text(x + inside / 2, y + inside / 2 + 4, str(count), "count", "middle")


def _upright(words: str, x: float, y: float) -> Markup:
    return element("text", words, x=x, y=y, class_="name", transform=f"rotate(-90 {x:.1f} {y:.1f})")
