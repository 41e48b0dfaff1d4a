"""Label corrections published apart from a corpus: TACREV's patch and Re-TACRED's maps."""

from __future__ import annotations

import json
from dataclasses import replace

from tkre.records import Instance


class LabelFileError(ValueError):
    """A label file that cannot be read; the message names it."""


def parse_labels(text: str, file: str) -> dict[str, str]:
    """Labels by row id, from either published form.

    Args:
        text: Re-TACRED's JSON object ``{id: label}``, or TACREV's list of ``{"id", "relation"}``.
        file: The file's name, for messages.

    Raises:
        LabelFileError: It is neither.
    """
    try:
        raw = json.loads(text)
        pairs = raw.items() if isinstance(raw, dict) else [(r["id"], r["relation"]) for r in raw]
        labels = dict(pairs)
    except (json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise LabelFileError(
            f"{file} is neither an object of labels by id nor a list of objects with id and "
            f"relation ({type(error).__name__}: {error})"
        ) from None
    for row_id, label in labels.items():
        if not isinstance(label, str):
            raise LabelFileError(f"{file}: the label of {row_id} is {label!r}, not a text")
    return labels


def relabel(
    instances: list[Instance], labels: dict[str, str], *, drop_unlisted: bool
) -> list[Instance]:
    """Instances with their labels replaced.

    Args:
        instances: The rows of a split.
        labels: New labels by id.
        drop_unlisted: Whether a row that ``labels`` does not name is left out (Re-TACRED) or
            keeps its label (TACREV).
    """
    return [
        replace(i, relation=labels.get(i.id, i.relation))
        for i in instances
        if i.id in labels or not drop_unlisted
    ]
