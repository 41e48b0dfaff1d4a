from __future__ import annotations

import numpy as np

from tests.conftest import instance
from tkre.modeling.prompts import MENTION_TOKENS, encode_prompts, phrase_ids

ROW = instance(
    "<tail>oslo</tail> is where <head>anna</head> lives", head_type="person", tail_type="OLD_PLACE"
)


def encode(backbone, rows=(ROW,), lengths=(1, 3), max_length=64, typed=True, positions=None):
    return encode_prompts(
        rows, backbone.tokenizer, lengths, max_length=max_length, positions=positions, typed=typed
    )


def words(backbone, ids):
    return " ".join(backbone.tokenizer.convert_ids_to_tokens(ids))


def test_the_sentence_once_and_a_prompt_for_each_length(backbone):
    [row] = encode(backbone)
    texts = [words(backbone, row.input_ids[row.prompts == n]) for n in range(3)]
    assert texts == [
        "[CLS] # ^ old place ^ oslo # is where @ * person * anna @ lives [SEP]",
        "the person anna [MASK] the old place oslo [SEP]",
        "the person anna [MASK] [MASK] [MASK] the old place oslo [SEP]",
    ]
    assert words(backbone, row.input_ids[row.masks]) == " ".join(["[MASK]"] * 4)
    assert len(row) == len(row.positions) == 18 + 9 + 11 and not row.truncated
    for n in (1, 2):  # behind the sentence, as if there were no other prompt
        own = row.positions[row.prompts == n]
        assert own.tolist() == list(range(18, 18 + len(own)))


def test_without_types(backbone):
    [row] = encode(backbone, typed=False, lengths=(2,))
    prompt = words(backbone, row.input_ids[row.prompts == 1])
    assert prompt == "the anna [MASK] [MASK] the oslo [SEP]"


def test_long_sentences_and_long_mentions_are_cut_and_say_so(backbone):
    long = instance("town " * 40 + "<head>anna</head> met <tail>bert</tail>" + " city" * 40)
    endless = instance(f"<head>{'old ' * 40}town</head> met <tail>bert</tail>")
    first, second = encode(backbone, [long, endless], lengths=(2,), max_length=64)
    assert first.truncated and second.truncated
    sentence = words(backbone, first.input_ids[first.prompts == 0])
    assert "@ anna @ met # bert #" in sentence and len(sentence.split()) == 64
    assert (second.prompts == 1).sum() == MENTION_TOKENS + 2 + 2 + 1


def test_a_sentence_leaves_positions_for_its_longest_prompt(backbone):
    sides = "town " * 60, " city" * 60
    long = instance(f"{sides[0]}<head>{'old ' * 40}town</head> met <tail>bert</tail>{sides[1]}")
    [row] = encode(backbone, [long], lengths=(1, 7), max_length=128, positions=128)
    assert row.positions.max() < 128 and row.truncated
    [short] = encode(backbone, lengths=(1, 7), max_length=128, positions=128)
    assert not short.truncated


def test_phrases_are_tokens_inside_a_text(backbone):
    assert words(backbone, phrase_ids("lives in", backbone.tokenizer)) == "lives in"


def test_nothing_to_encode(backbone):
    assert encode(backbone, rows=[]) == []


def test_what_the_classifier_reads(backbone):
    [row] = encode(backbone)
    assert set(row.arrays()) == {"input_ids", "positions", "prompts", "masks"}
    assert all(isinstance(array, np.ndarray) for array in row.arrays().values())
