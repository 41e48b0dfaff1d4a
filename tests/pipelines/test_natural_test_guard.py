"""Sentences of the natural test reach neither the unlabelled pool nor synthetic text."""

from __future__ import annotations

from tests.conftest import instance
from tkre.core.cells import KShotSample
from tkre.corpora.params import CorpusParams
from tkre.generation.llm.protocol import Response, Sampling
from tkre.generation.params import AnnotationParams, SynthesisParams
from tkre.generation.synthesis import request_id
from tkre.pipelines.data_generation import nodes

PARAMS = SynthesisParams(sampling=Sampling(), min_words=3)
TEXT = "<head>Ada</head> of the old town knows <tail>Bo</tail> from school ."
NATURAL = [instance(TEXT, "none", id="natural-1")]


def test_unlabelled_copies_are_refused_and_counted():
    other = instance("<head>Cy</head> met nobody but <tail>Di</tail> at the fair .", id="2")
    pool = [instance(TEXT, id="1").inverted(), other]
    sample = KShotSample("toy", 2, 13, annotated=2)
    kept, report = nodes.select_unlabelled(
        pool, [], [], [], [], NATURAL, PARAMS, AnnotationParams(), sample
    )
    assert [row.id for row in kept] == ["2"]
    assert report["reasons"] == {"natural_test": 1}


def test_synthetic_copies_are_rejects(schema):
    answer = {"samples": [{"sentence": TEXT, "head_type": "person", "tail_type": "person",
                           "triggers": ["knows"]}]}  # fmt: skip
    response = Response(request_id("toy", "knows", 13, 0), answer=answer)
    corpus = CorpusParams(format="native", train="train.jsonl")
    sample = KShotSample("toy", 1, 13)
    for natural, kept in (([], 1), (NATURAL, 0)):
        found, rejects, _ = nodes.keep_sentences(
            [], [], [], natural, [response], schema, corpus, PARAMS, sample
        )
        assert len(found) == kept
    assert rejects["detail"].str.contains("the natural test").any()
