"""Review of annotated rows by a person: which rows, as one HTML page and as records of a table."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.generation.annotation import (
    ANNOTATIONS,
    Annotation,
    instances_of,
    possible_relations,
)
from tkre.generation.label_errors import suspected_label_errors
from tkre.report.formatting import highlighted
from tkre.report.page import rendered

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReviewRow:
    """A row to be reviewed, with two opinions on it.

    Attributes:
        row: The unlabelled row: its id is that of the corpus.
        llm: Label of the language model.
        llm_confidence: Its stated confidence, 0 to 1.
        classifier: Most probable label of a classifier that was not trained on the row; None if
            it could not be judged.
        probability: Probability of that label.
        suspicion: Share of the most probable other label in its and the language model's
            probability, 0 to 1; 0 if it could not be judged.
        choices: Relations that the entity types allow.
    """

    row: Instance
    llm: str
    llm_confidence: float
    classifier: str | None
    probability: float
    suspicion: float
    choices: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """Keys and values of ``corpora.tables.REVIEWED``, without the label; per cent."""
        judged = self.classifier is not None
        return {
            "id": self.row.id,
            "sentence": to_tagged(self.row),
            "head_type": self.row.head_type,
            "tail_type": self.row.tail_type,
            "llm_relation": self.llm,
            "llm_confidence": round(100 * self.llm_confidence),
            "classifier_relation": self.classifier,
            "classifier_confidence": round(100 * self.probability) if judged else None,
        }

    @property
    def key(self) -> str:
        """Digest of id and marked sentence, by which a browser remembers the answer."""
        text = json.dumps([self.row.id, to_tagged(self.row)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# What makes a row one of the first: a number for each, the largest first.
ORDERS: dict[str, Callable[[ReviewRow], float]] = {
    "both": lambda row: row.suspicion + 1 - row.llm_confidence,
    "disagreement": lambda row: row.suspicion,
    "doubt": lambda row: 1 - row.llm_confidence,
}


def review_rows(
    annotated: Sequence[Annotation], schema: RelationSchema, probabilities_NR: Floats
) -> list[ReviewRow]:
    """Opinions on annotated rows, in their order.

    Args:
        annotated: N annotated rows.
        schema: Relations of their corpus.
        probabilities_NR: Probabilities of a classifier that was not trained on the row, in the
            order of the schema's names; NaN for a row that it could not judge.
    """
    rows = instances_of(annotated)
    choices = [tuple(possible_relations(row, schema)) for row in rows]
    allowed_NR = np.array([[name in of_row for name in schema.names] for of_row in choices])
    possible_NR = np.where(allowed_NR.reshape(probabilities_NR.shape), probabilities_NR, 0.0)
    possible_NR /= possible_NR.sum(axis=1, keepdims=True).clip(min=1e-12)
    errors = suspected_label_errors(rows, schema, possible_NR).set_index("id")["error_score"]
    best_N = np.nan_to_num(possible_NR).argmax(axis=1) if rows else []
    prefix = ANNOTATIONS.request_id(schema.corpus, "")
    found = []
    for n, (annotation, row) in enumerate(zip(annotated, rows, strict=True)):
        judged = not np.isnan(possible_NR[n]).any()
        found.append(
            ReviewRow(
                replace(row, id=row.id.removeprefix(prefix)),
                str(row.relation),
                annotation.confidence,
                schema.names[best_N[n]] if judged else None,
                float(possible_NR[n, best_N[n]]) if judged else 0.0,
                float(errors[row.id]) if judged else 0.0,
                choices[n],
            )
        )
    return found


def first_rows(rows: Sequence[ReviewRow], order: str, most: int) -> list[ReviewRow]:
    """The first rows of an order (``ORDERS``)."""
    return sorted(rows, key=ORDERS[order], reverse=True)[:most]


def review_page(rows: Sequence[ReviewRow], schema: RelationSchema, judge: str) -> str:
    """The rows as one HTML page that works from the disk.

    It loads nothing and runs no script but its own, which its Content-Security-Policy enforces by
    a digest; text of files and models is escaped.

    Args:
        rows: Rows in the order in which they are offered.
        schema: Relations of their corpus.
        judge: Name of the classifier.
    """
    script = _template("review.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = [name for name in schema.names if name != schema.negative]
    return rendered(
        "review.html.j2",
        corpus=schema.corpus,
        judge=judge,
        rows=rows,
        sentences=[highlighted(row.row) for row in rows],
        relations=schema.relations,
        # A relation has the same number in all rows; the negative one is 0.
        numbers={name: n for n, name in enumerate(names, start=1)}
        | ({schema.negative: 0} if schema.negative else {}),
        records=[row.record for row in rows],
        script=Markup(script),
        script_digest=digest,
        review_style=Markup(_template("review.css")),
    )


def _template(name: str) -> str:
    return (files("tkre.report") / "templates" / name).read_text("utf-8")
