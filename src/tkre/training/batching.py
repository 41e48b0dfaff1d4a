"""Rows as padded batches of similar length, for training and for scoring. Imports no torch."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.modeling.tokenization import Encoded, Tokenizer

if TYPE_CHECKING:
    from tkre.modeling.classifier import RelationClassifier

logger = logging.getLogger(__name__)

Batch = dict[str, npt.NDArray[Any]]
Shares = npt.NDArray[np.float32]

# Batches of a pool, in which shuffled rows are sorted by length: little padding, and other batches
# in each epoch.
POOL = 8
INVERTED = "/inverted"  # end of the ids of inverted rows


def log_truncation(truncated: Sequence[bool], description: str) -> None:
    """Logs how many of the texts are truncated, if any of them is."""
    cut = sum(truncated)
    if cut:
        logger.info(
            "%s: %d of %d texts are longer than max_length and are read in part",
            description, cut, len(truncated),
        )  # fmt: skip


def inverted_rows(rows: Sequence[Instance], schema: RelationSchema) -> list[Instance]:
    """The rows with head and tail exchanged, under their inverse relations.

    A row whose relation has no inverse in the schema is left out.
    """
    return [
        replace(row.inverted(), id=f"{row.id}{INVERTED}", relation=inverse)
        for row in rows
        if (inverse := schema.inverse_of(str(row.relation))) is not None
    ]


@dataclass(frozen=True)
class LabelledRow:
    """Tokens and label number of a training row.

    Attributes:
        encoded: Its tokens.
        label: Number of its label.
        natural: Whether it is natural text (``Instance.natural``).
        weight: Weight of its loss.
        shares: R probabilities that are its target in place of the label; None for the label.
    """

    encoded: Encoded
    label: int
    natural: bool = False
    weight: float = 1.0
    shares: Shares | None = None

    @property
    def truncated(self) -> bool:
        """Whether tokens were cut off."""
        return self.encoded.truncated

    def __len__(self) -> int:
        return len(self.encoded)


def labelled_rows(
    model: RelationClassifier,
    tokenizer: Tokenizer,
    rows: Sequence[Instance],
    schema: RelationSchema,
    *,
    add_inverted: bool,
    weights: Mapping[str, float] | None = None,
    shares: Mapping[str, Shares] | None = None,
) -> list[LabelledRow]:
    """Training rows as a classifier reads them; labels are numbered in the schema's order.

    Args:
        model: The classifier.
        tokenizer: Its tokenizer.
        rows: Labelled rows.
        schema: The relations.
        add_inverted: Whether the inverted rows follow.
        weights: Weights of rows by id, those of 1 left out; an inverted row has that of its row.
        shares: Probabilities of the R labels by id of a row, in place of its label; in an inverted
            row they are those of the inverse relations.
    """
    numbers, weights = {name: n for n, name in enumerate(schema.names)}, weights or {}
    rows = [*rows, *(inverted_rows(rows, schema) if add_inverted else ())]
    encoded = model.encode(rows, tokenizer)
    inverses = [numbers[schema.inverse_of(name) or name] for name in schema.names]

    def of(row: Instance) -> Shares | None:
        found = (shares or {}).get(row.id.removesuffix(INVERTED))
        return found[inverses] if found is not None and row.id.endswith(INVERTED) else found

    return [
        LabelledRow(
            e,
            numbers[str(r.relation)],
            r.natural,
            weights.get(r.id.removesuffix(INVERTED), 1.0),
            of(r),
        )
        for e, r in zip(encoded, rows, strict=True)
    ]


def collate(encoded: Sequence[Encoded], padding: int) -> Batch:
    """Encoded instances as the arguments of ``RelationClassifier.forward``, without labels.

    Args:
        encoded: B instances as tokens.
        padding: The padding token.

    Returns:
        Arrays of B x ... x T by argument name, with ``attention_mask``.
    """
    rows = [row.arrays() for row in encoded]
    return {"attention_mask": padded([np.ones(len(e), dtype=np.int64) for e in encoded], 0)} | {
        name: padded([row[name] for row in rows], padding if name == "input_ids" else 0)
        for name in rows[0]
    }


def collate_labelled(rows: Sequence[LabelledRow], padding: int) -> Batch:
    """The results of ``collate``, with the B label numbers as ``labels``."""
    batch = collate([row.encoded for row in rows], padding)
    return batch | {"labels": np.array([row.label for row in rows])}


def collate_weighted(rows: Sequence[LabelledRow], padding: int) -> Batch:
    """The results of ``collate_labelled``, with B ``weights`` and whether rows are ``natural``."""
    return collate_labelled(rows, padding) | {
        "weights": np.array([row.weight for row in rows], dtype=np.float32),
        "natural": np.array([row.natural for row in rows]),
    }


def collate_shares(rows: Sequence[LabelledRow], padding: int, labels: int) -> Batch:
    """The results of ``collate_weighted``, with the B x R targets as ``shares``.

    The target of a row without shares is its label.
    """
    shares_BR = np.zeros((len(rows), labels), dtype=np.float32)
    for target, row in zip(shares_BR, rows, strict=True):
        target[:] = np.eye(1, labels, row.label) if row.shares is None else row.shares
    return collate_weighted(rows, padding) | {"shares": shares_BR}


def padded(rows: Sequence[npt.NDArray[Any]], value: float) -> npt.NDArray[Any]:
    """Stacks arrays that differ in their last dimension.

    Args:
        rows: N arrays of shape ... x T_n.
        value: Value of the places after the end of a row.

    Returns:
        N x ... x max T_n.
    """
    longest = max(row.shape[-1] for row in rows)
    whole = np.full((len(rows), *rows[0].shape[:-1], longest), value, dtype=rows[0].dtype)
    for n, row in enumerate(rows):
        whole[n, ..., : row.shape[-1]] = row
    return whole


def sorted_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Row numbers in batches for scoring, longest rows first.

    Args:
        lengths: Tokens of each row.
        tokens: Limit for rows times length of the longest row (a single longer row is a batch).
    """
    batches: list[list[int]] = []
    width = 0
    for row in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if not batches or (len(batches[-1]) + 1) * width > tokens:
            batches.append([])
            width = lengths[row]
        batches[-1].append(row)
    return batches


def scoring_batches(
    encoded: Sequence[Encoded], padding: int, tokens: int
) -> Iterator[tuple[list[int], Batch]]:
    """Row numbers and arrays of batches of similar length: at most so many tokens with padding."""
    for numbers in sorted_batches([len(e) for e in encoded], tokens):
        yield numbers, collate([encoded[n] for n in numbers], padding)


class LengthBatches:
    """Random batches of row numbers of similar length, drawn anew in every pass.

    Args:
        lengths: Tokens of each row.
        batch_size: Rows per batch; the last one may be smaller, no row is dropped.
        seed: Seed of the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._generator.permutation(len(self._lengths))
        pool, size = POOL * self._batch_size, self._batch_size
        batches = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self._lengths[rows], kind="stable")]
            batches += [rows[i : i + size].tolist() for i in range(0, len(rows), size)]
        for i in self._generator.permutation(len(batches)):
            yield batches[i]
