from __future__ import annotations

import numpy as np
import torch

from tkre.modeling.entity_markers import EncodedInstance, encode_instances
from tkre.training.batching import (
    POOL,
    LabelledRow,
    LengthBatches,
    collate,
    inverted_rows,
    padded,
    sorted_batches,
)

LENGTHS = np.random.default_rng(0).integers(5, 60, size=203).tolist()


def test_scoring_batches_hold_so_many_tokens():
    batches = sorted_batches(LENGTHS, tokens=256)
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    for batch in batches:
        assert len(batch) * max(LENGTHS[r] for r in batch) <= 256
    assert sorted_batches([500, 2], tokens=256) == [[0], [1]]
    assert sorted_batches([], tokens=256) == []


def test_padded():
    rows = padded([np.array([[1, 2], [3, 4]]), np.array([[5], [6]])], 9)
    assert rows.tolist() == [[[1, 2], [3, 4]], [[5, 9], [6, 9]]]
    assert padded([np.array([True])], False).dtype == bool


def test_every_row_once_per_epoch_and_none_dropped():
    batches = LengthBatches(LENGTHS, 16, seed=1)
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches) == 13
        assert sorted(row for batch in epoch for row in batch) == list(range(203))


def test_batches_are_of_like_length_and_differ_between_epochs():
    batches = LengthBatches(LENGTHS, 16, seed=1)
    first, second = list(batches), list(batches)
    spread = np.mean([np.ptp([LENGTHS[r] for r in batch]) for batch in first])
    assert spread < 0.5 * np.ptp(LENGTHS)
    assert first != second


def test_the_order_depends_on_the_seed_alone():
    torch.manual_seed(5)
    a = list(LengthBatches(LENGTHS, 16, seed=1))
    torch.manual_seed(6)
    assert a == list(LengthBatches(LENGTHS, 16, seed=1)) != list(LengthBatches(LENGTHS, 16, seed=2))


def test_the_number_of_batches_is_exact_at_the_edges():
    for count in (1, 15, 16, 17, 16 * POOL, 16 * POOL + 1):
        batches = LengthBatches([3] * count, 16, seed=0)
        assert len(list(batches)) == len(batches)


def test_inverted_rows(toy_rows, schema):
    inverted = inverted_rows(toy_rows, schema)
    assert len(inverted) == len(toy_rows)
    for row, other in zip(toy_rows, inverted, strict=True):
        assert (row.head, row.tail_type) == (other.tail, other.head_type)
        assert other.relation == schema.inverse_of(row.relation)
    lives_in = schema.relations["lives_in"].model_copy(update={"inverse": None})
    one_way = schema.model_copy(update={"relations": schema.relations | {"lives_in": lives_in}})
    inverted_ids = {row.id for row in inverted_rows(toy_rows, one_way)}
    used = {row.relation for row in toy_rows if f"{row.id}/inverted" in inverted_ids}
    # The exchanged pair of a negative row may hold the inverse of lives_in, which has no name.
    assert used and used == {*one_way.names} - {"lives_in", one_way.negative}


def test_rows_know_their_length(toy_rows, backbone):
    [encoded] = encode_instances(toy_rows[:1], backbone.tokenizer, max_length=64, typed=True)
    assert len(LabelledRow(encoded, 0)) == len(encoded.input_ids)


def test_rows_are_gathered_into_padded_arrays():
    rows = [
        EncodedInstance(np.arange(n) + 5, truncated=False, spans=np.ones((6, n), dtype=bool))
        for n in (2, 3)
    ]
    batch = collate(rows, padding=1)
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["input_ids"].tolist() == [[5, 6, 1], [5, 6, 7]]
    assert batch["spans"].shape == (2, 6, 3) and not batch["spans"][0, :, 2].any()
    assert {name: array.dtype.kind for name, array in batch.items()} == {
        "attention_mask": "i", "input_ids": "i", "spans": "b",
    }  # fmt: skip
