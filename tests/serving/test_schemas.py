from __future__ import annotations

import json

import pytest
from fastapi.exceptions import RequestValidationError

from tests.serving.conftest import SENTENCE
from tkre.serving.api.limits import ServiceParams
from tkre.serving.api.schemas import read_request, request_model

PARAMS = ServiceParams(max_sentences=12, max_characters=60)
SPANS = {"text": "anna lives in oslo .", "head": [0, 4], "tail": [14, 18]}


def read(sentences, extractor, params):
    body = json.dumps({"sentences": sentences}).encode()
    return read_request(body, request_model(params), extractor.entity_types, params)[0]


def test_the_three_forms_are_instances(extractor):
    tagged = {"sentence": SENTENCE, "head_type": "person", "tail_type": None}
    instances = read([SENTENCE, tagged, {**SPANS, "tail_type": "place"}], extractor, PARAMS)
    assert [(i.head_text, i.tail_text) for i in instances] == [("anna", "oslo")] * 3
    assert [(i.head_type, i.tail_type) for i in instances] == [
        (None, None), ("person", None), (None, "place"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("<head>a</head> b", "tag <tail> is missing"),
        ("", "must be a text, not ''"),
        (None, "was expected"),
        (["a"], "was expected"),
        (5, "was expected"),
        (0.5, "was expected"),
        (True, "was expected"),
        ({}, "key 'sentence' is missing"),
        ({"sentence": 5}, "sentence must be a text, not 5"),
        ({"sentence": SENTENCE, "head": [0, 4]}, "'head' is a span in a 'text'"),
        ({"sentence": SENTENCE, "head_typ": "person"}, "did you mean 'head_type'?"),
        ({"sentence": SENTENCE, "head_type": 1}, "head_type must be a text or left out, not 1"),
        ({"text": "a b", "head": [0, 1]}, "key 'tail' is missing"),
        ({"text": "a b", "head": [0], "tail": [2, 3]}, "head must be [start, end]"),
        ({"text": "a b", "head": [0, True], "tail": [2, 3]}, "head must be [start, end]"),
        ({"text": "a b", "head": [0, 1.0], "tail": [2, 3]}, "head must be [start, end]"),
        ({"text": "a b", "head": [1, 1], "tail": [2, 3]}, "head [1, 1] is empty or outside the 3"),
        ({"text": "a b", "head": [-1, 1], "tail": [2, 3]}, "head [-1, 1] is empty or outside"),
        ({"text": "a b", "head": [1, 2], "tail": [2, 3]}, "nothing but white space"),
        ({"text": "a\u200b\x07b", "head": [1, 3], "tail": [3, 4]}, "or invisible characters"),
        ("<head>\u200b</head> <tail>b</tail>", "head [0, 1] holds nothing but white space or inv"),
        ("<head>a</head> <tail>\x00\u2060 </tail>", "tail [2, 4] holds nothing but white"),
        ({"text": "abcd", "head": [0, 2], "tail": [0, 2]}, "head and tail are the same mention"),
        ("<head><tail>a</tail></head> b", "head and tail are the same mention, [0, 1]"),
        ({"text": "abcd", "head": [0, 2], "tail": [1, 3]}, "mentions [0, 2] and [1, 3] cross"),
        ({"text": "a" * 61, "head": [0, 1], "tail": [2, 3]}, "61 characters are more than 60"),
        ({**SPANS, "sentence": SENTENCE}, "it has both a 'sentence' (tagged) and a 'text'"),
        ({**SPANS, "head_type": "Person"}, "did you mean 'person'?"),
    ],
)
def test_bad_sentence_is_an_error_at_its_position(extractor, sentence, reason):
    with pytest.raises(RequestValidationError) as raised:
        read([SENTENCE, sentence], extractor, PARAMS)
    [error] = raised.value.errors()
    assert error["loc"] == ("body", "sentences", 1) and reason in error["msg"]


def test_too_many_sentences(extractor):
    with pytest.raises(RequestValidationError) as raised:
        read([SENTENCE] * 13, extractor, PARAMS)
    assert "at most 12 items" in raised.value.errors()[0]["msg"]
