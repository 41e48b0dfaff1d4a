"""Encoding with and without transformers gives equal arrays."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import instance
from tests.modeling.test_classifier import config
from tkre.modeling import params
from tkre.modeling.prompts import phrase_ids
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import FileTokenizer

ROWS = [
    instance("<head>anna</head> lives in old <tail>oslo</tail> .", triggers=("lives",)),
    instance("<tail>rome</tail><head>bert</head>", head_type="person", tail_type="OLD_PLACE"),
    instance("<head>anna of <tail>rome</tail></head> met nobody", tail_type="place"),
    instance("town " * 40 + "<head>anna</head> met <tail>oslo</tail>" + " city" * 40),
    instance("<head>anna</head> " + "old " * 60 + "<tail>oslo</tail>"),
    instance(f"<head>{'old ' * 40}town</head> is <tail>oslo</tail>"),
]


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize("kind", params.HEADS)
def test_a_saved_classifier_encodes_alike_without_transformers(backbone, tmp_path, kind, typed):
    tokenizer = backbone.tokenizer
    phrases = {"a": "lives in", "b": "home", "c": "is the home of"}
    made = config(
        backbone, kind, max_length=48, typed_markers=typed,
        phrases={label: phrase_ids(text, tokenizer) for label, text in phrases.items()},
    )  # fmt: skip
    made.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    settings = ClassifierSettings.read(tmp_path)
    encode = params.HEADS[kind].encode
    theirs = encode(made, ROWS, tokenizer)
    ours = encode(settings, ROWS, FileTokenizer.load(tmp_path))
    assert [row.truncated for row in theirs] == [row.truncated for row in ours]
    assert theirs[3].truncated and theirs[4].truncated and not theirs[0].truncated
    for one, other in zip(theirs, ours, strict=True):
        assert type(one) is type(other)
        assert one.arrays().keys() == other.arrays().keys()
        for name, array in one.arrays().items():
            assert np.array_equal(array, other.arrays()[name]), name
            assert array.dtype == other.arrays()[name].dtype, name
