"""The filter of synthetic rows by schema, out-of-fold classifier, and similarity to other rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import NearDuplicateIndex, word_list
from tkre.generation.label_errors import Floats, judgements, label_confidence
from tkre.generation.params import FilterParams

# Reasons, in the order of the checks.
TYPES, INVERTED, LABEL, COPY, ALIKE = "type", "direction", "label", "near_duplicate", "alike"


def filter_synthetic(
    golden: Sequence[Instance],
    synthetic: Sequence[Instance],
    schema: RelationSchema,
    probabilities_NR: Floats,
    params: FilterParams,
) -> tuple[list[Instance], pd.DataFrame]:
    """Keeps synthetic rows with probably right labels that are not near-duplicates.

    ``label_confidence`` estimates the share of wrong labels from the rows, so the threshold needs
    no adjustment to the noise.

    Args:
        golden: The support rows; synthetic ones must not copy them.
        synthetic: The rows to filter.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities of the synthetic rows
            (``training.cross_fitting``).
        params: Thresholds of the filter.

    Returns:
        The rows that are kept, in their order; a row for every synthetic row, refused ones with a
        ``reason``: the columns of ``judgements``, ``confidence`` that the label is right, and
        ``reason`` (None: kept).
    """
    right_N = label_confidence(synthetic, schema, probabilities_NR)
    verdicts = judgements(synthetic, schema, probabilities_NR)
    reasons: list[str | None] = [None] * len(synthetic)
    redundant = _Redundant(golden, params)
    # Of rows that are alike the one that is believed most stays.
    for n in np.lexsort((-verdicts["probability"], -right_N)).tolist():
        row = synthetic[n]
        if not schema.allows(str(row.relation), row.head_type, row.tail_type):
            reasons[n] = TYPES
        elif right_N[n] < params.least_confidence:
            reasons[n] = INVERTED if verdicts["inverted"][n] else LABEL
        else:
            reasons[n] = redundant.reason(row)
    verdicts["confidence"] = right_N
    verdicts["reason"] = pd.Series(reasons, dtype=object)
    kept = [row for row, reason in zip(synthetic, reasons, strict=True) if reason is None]
    return kept, verdicts


def filter_summary(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Counts of kept and refused rows by relation.

    Returns:
        ``relation``, ``synthetic``, ``kept``, ``refused``, ``reasons`` (each with its count).
    """
    rows = []
    for relation, group in verdicts.groupby("relation"):
        reasons = group["reason"].value_counts().sort_index()
        rows.append(
            {
                "relation": relation,
                "synthetic": len(group),
                "kept": len(group) - reasons.sum(),
                "refused": reasons.sum(),
                "reasons": ", ".join(f"{reason} {n}" for reason, n in reasons.items()),
            }
        )
    return pd.DataFrame(rows, columns=["relation", "synthetic", "kept", "refused", "reasons"])


class _Redundant:
    """Whether a row only repeats rows that were kept before it."""

    def __init__(self, golden: Sequence[Instance], params: FilterParams) -> None:
        self._copies = NearDuplicateIndex(params)
        self._copies.add("the support set", [row.text for row in golden])
        self._most_alike = params.most_alike
        self._seen: Counter[tuple[str | None, str, str]] = Counter()

    def reason(self, row: Instance) -> str | None:
        """Reason why the row is redundant; None, and the row is indexed, if it is not."""
        if self._copies.find(row.text):
            return COPY
        pair = (row.relation, _plain(row.head_text), _plain(row.tail_text))
        if self._seen[pair] >= self._most_alike:
            return ALIKE
        self._seen[pair] += 1
        self._copies.add("another synthetic sentence", [row.text])
        return None


def _plain(text: str) -> str:
    return " ".join(word_list(text))
