from __future__ import annotations

import numpy as np
import pytest

from tkre.core.instance import Span
from tkre.modeling.tokenization import covered, tokenised, window


def test_tokens_with_their_characters(backbone):
    [(ids, offsets, special)] = tokenised(["anna met bert"], backbone.tokenizer)
    tokens = backbone.tokenizer.convert_ids_to_tokens(ids)
    assert tokens == ["[CLS]", "anna", "met", "bert", "[SEP]"]
    assert offsets.tolist() == [[0, 0], [0, 4], [5, 8], [9, 13], [0, 0]]
    assert special.tolist() == [True, False, False, False, True]
    assert list(tokenised([], backbone.tokenizer)) == []


def test_a_token_is_covered_if_it_shares_a_character():
    offsets = np.array([[0, 0], [0, 4], [5, 8], [8, 13], [0, 0]])
    assert covered(offsets, [Span(7, 9)]).tolist() == [False, False, True, True, False]
    assert covered(offsets, [Span(4, 5), Span(0, 1)]).tolist() == [False, True, False, False, False]
    assert not covered(offsets, []).any()


@pytest.mark.parametrize(
    ("mentions", "kept"),
    [
        ((3, 4), [0, 2, 3, 4, 5, 9]),
        ((1,), [0, 1, 2, 3, 4, 9]),
        ((1, 8), [0, 1, 2, 7, 8, 9]),  # too far apart: half of it around either
    ],
)
def test_the_window_keeps_the_mentions_and_what_is_special(mentions, kept):
    special = np.zeros(10, dtype=bool)
    special[[0, 9]] = True
    flags = np.zeros(10, dtype=bool)
    flags[list(mentions)] = True
    assert window(flags, special, 6).tolist() == kept
    assert window(flags, special, 10).tolist() == list(range(10))
