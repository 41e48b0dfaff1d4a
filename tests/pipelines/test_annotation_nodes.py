from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tkre.core.cells import KShotSample
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import CorpusFolder
from tkre.generation.llm.params import ReplayParams
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import (
    AnnotationParams,
    CrossFitParams,
    FilterParams,
    RetryParams,
    SynthesisParams,
)
from tkre.pipelines.data_generation.gpu_nodes import FIRST_REQUESTS, annotate_chosen
from tkre.pipelines.data_generation.nodes import (
    keep_annotations,
    select_unlabelled,
    split_annotated,
)

PARAMS = AnnotationParams(round_size=15)
SAMPLE = KShotSample("newsroom", 8, 13, annotated=50, chosen="uncertain")
SYNTHESIS = SynthesisParams.model_validate({"sampling": {}})
FILTERING = FilterParams(backbone="tiny", crossfit=CrossFitParams(layers=(1, 2)))


@pytest.fixture(scope="module")
def corpus(newsroom):
    folder = CorpusFolder("newsroom", [newsroom])
    params = CorpusParams(
        format="native", train="train.jsonl", unlabelled={"file": "unlabelled.jsonl"}
    )
    schema = folder.schema()
    return schema, read_pool(folder.read, schema, params), folder.find("annotations.jsonl")


def arguments(corpus, backbone, root, store, sample=SAMPLE):
    """Arguments of the node by name, with a fifth of the pool as candidates."""
    schema, pool, _ = corpus
    candidates, report = select_unlabelled(
        pool[:200], [], [], [], [], [], SYNTHESIS, PARAMS, sample
    )
    assert candidates == pool[:200] and report["taken"] == 50
    prompt = (root / "conf/base/prompts/annotation.txt").read_text(encoding="utf-8")
    golden = [replace(row, relation=schema.names[n % 3]) for n, row in enumerate(pool[200:212])]
    return {
        "candidates": candidates, "candidates_report": report, "support": [], "explained": golden,
        "synthetic": [], "backbone": backbone, "schema": schema, "prompt": prompt,
        "language_models": LanguageModels(), "recordings": ResponseStore(),
        "responses": ResponseStore(), "annotation_recordings": store,
        "llm": ReplayParams(backend="replay", model="claude"), "params": PARAMS,
        "retry": RetryParams(), "filtering": FILTERING, "sample": sample,
    }  # fmt: skip


def first_requests(given):
    function = FIRST_REQUESTS[annotate_chosen]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    stores = (given[name] for name in ("recordings", "responses", "annotation_recordings"))
    model = given["language_models"].answering(given["llm"], *stores)
    return function(**{name: {"model": model, **given}[name] for name in names})


@pytest.fixture(scope="module")
def chosen(corpus, backbone, root):
    given = arguments(corpus, backbone, root, ResponseStore(corpus[2]))
    return given, *annotate_chosen(**given)


def test_rows_are_kept_out_first_and_chosen_in_rounds(chosen):
    given, rows, report, responses = chosen
    assert [r.request_id for r in responses] == [f"annotation/newsroom/{row.id}" for row in rows]
    assert len({row.id for row in rows}) == 50
    assert (report["kept_out"], report["rounds"], report["taken"]) == (10, [15, 15, 10], 50)
    assert report["chosen"] == "uncertain" and report["not_recorded"] == 0
    ids = [row.id for row in given["candidates"]]
    places = [ids.index(row.id) for row in rows[10:]]
    assert places != sorted(places)


def test_what_is_kept_out_never_trains(chosen, corpus):
    _, rows, report, responses = chosen
    annotated, _, _ = keep_annotations(rows, responses, corpus[0], PARAMS)
    training, validation = split_annotated(annotated, PARAMS, SAMPLE)
    kept_out = {f"annotation/newsroom/{row.id}" for row in rows[: report["kept_out"]]}
    assert {each.instance.id for each in validation} == kept_out
    assert len(training) == 40


def test_another_run_chooses_the_same_rows(chosen, corpus, backbone, root):
    given = arguments(corpus, backbone, root, ResponseStore(corpus[2]))
    assert annotate_chosen(**given)[0] == chosen[1]


def test_a_replay_chooses_among_the_recorded_rows(corpus, backbone, root, caplog):
    caplog.set_level("INFO")
    some = ResponseStore()
    lines = corpus[2].read_text(encoding="utf-8").splitlines()
    for record in map(json.loads, lines[60:100]):
        some.append(Response.from_dict(record))
    given = arguments(corpus, backbone, root, some)
    rows, report, _ = annotate_chosen(**given)
    assert {f"annotation/newsroom/{row.id}" for row in rows} == {r.request_id for r in some.all()}
    assert (report["taken"], report["not_recorded"]) == (40, 160)
    assert "40 of 200 candidates annotated" in caplog.text and "160 others" in caplog.text


def test_the_plan_counts_as_many_rows_as_will_be_chosen(corpus, backbone, root):
    store = ResponseStore(corpus[2])
    given = arguments(corpus, backbone, root, store)
    requests = first_requests(given)
    kept_out = [f"annotation/newsroom/{row.id}" for row in annotate_chosen(**given)[0][:10]]
    assert len(requests) == 50 and [r.id for r in requests[:10]] == kept_out
    # Without a recorded row there is nothing to choose from, and all count as missing.
    assert len(first_requests(arguments(corpus, backbone, root, ResponseStore()))) == 50
