from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted, unreachable
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusFolder, read_corpus
from tkre.corpora.sampling import sample_shots
from tkre.generation.annotation import keep_annotations
from tkre.generation.classification import InContextTask, chosen_requests, classify, effort
from tkre.generation.llm.protocol import Response, attempts_by_request
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import AnnotationParams, InContextParams, RetryParams

RETRY = RetryParams(attempts=3)
SUPPORT = [
    instance("<head>Cy</head> lives in <tail>Oslo</tail>.", "lives_in", id="s1"),
    instance("<head>Di</head> lives in <tail>Bergen</tail>.", "lives_in", id="s2"),
]
ROWS = [
    instance(f"<head>Ada</head> met <tail>Bo</tail> {n} times.", "knows", id=f"t{n}")
    for n in range(9)
]
IMPOSSIBLE = replace(ROWS[0], id="x", head_type="place", tail_type="place")
GOOD = {"relation": "knows", "confidence": 90}


@pytest.fixture(scope="module")
def prompt(root):
    return (root / "conf/base/prompts/classification.txt").read_text(encoding="utf-8")


@pytest.fixture
def task(schema, prompt):
    def make(seed=13, **in_context):
        params = InContextParams(**in_context)
        return InContextTask(ROWS, SUPPORT, schema, prompt, seed, AnnotationParams(), params)

    return make


def test_questions_have_the_seed_in_their_id_examples_and_no_trigger_words(task):
    [request] = task(demonstrations=1).requests(ROWS[:1])
    assert request.id == "classification/toy/seed-13/t0"
    assert set(request.schema["properties"]) == {"relation", "confidence"}
    text = "\n".join(m["content"] for m in request.messages)
    assert "Cy" in text and "Di" not in text and "trigger" not in text


def test_a_live_model_is_asked_about_a_random_sample_that_grows_by_rows_of_the_seed(task):
    def ids(**options):
        return [r.id for r in chosen_requests(Scripted(lambda r: GOOD), task(**options))]

    assert ids(rows=3) == ids(rows=5)[:3] != ids(rows=3, seed=21)
    assert ids(rows=9) != sorted(ids(rows=9)) and len(ids(rows=400)) == 9


def test_a_replay_is_asked_about_recorded_rows_alone(task):
    store = ResponseStore()
    for row in ("t7", "t2"):
        store.append(Response(f"classification/toy/seed-13/{row}", answer=GOOD))
    replay = Replay([store], "claude", strict=False)
    rows, responses = classify(replay, task(rows=3), RETRY)
    assert [row.id for row in rows] == ["t2", "t7"] and len(responses) == 2
    # Questions for whoever else may answer go on to the number of rows.
    assert len(chosen_requests(replay, task(rows=3))) == 3
    with pytest.raises(MissingResponse, match="classification/toy/seed-21/t"):
        classify(replay, task(rows=3, seed=21), RETRY)


def test_unusable_answers_are_retried_and_counted(task, schema):
    def answer(request):
        if request.id.endswith("t1"):
            return unreachable(request)
        return GOOD if request.attempt or request.id.endswith("t0") else {"relation": "likes"}

    one = task(rows=9, demonstrations=0)
    rows, responses = classify(Scripted(answer), replace(one, rows=[IMPOSSIBLE, *ROWS[:3]]), RETRY)
    assert [row.id for row in rows] == ["t0", "t1", "t2"]  # no question about the impossible pair
    kept, tally = keep_annotations(rows, attempts_by_request(responses), schema, one.kind)
    assert [a.instance.relation for a in kept] == ["knows", "knows"]
    assert sorted((r.kind, r.reason) for r in tally.rejects) == [
        ("classification", "unreachable"), ("classification", "wrong_schema"),
    ]  # fmt: skip


def timed(n, end, seconds, **tokens):
    return Response(
        f"classification/toy/seed-13/t{n}", answer=GOOD, seconds=seconds,
        finished=f"2026-11-29T05:00:{end:02}+00:00", **tokens,
    )  # fmt: skip


def test_effort_of_recorded_answers(task):
    requests = task().requests(ROWS[:3])
    tokens = {"prompt_tokens": 1000, "completion_tokens": 10}
    # Two at once, a pause, and one: 10 and 4 seconds.
    answers = [
        timed(0, 10, 8.0, **tokens),
        timed(1, 12, 8.0, **tokens),
        timed(2, 40, 4.0, **tokens),
    ]
    assert effort(requests, answers, {"prompt": 3.0, "completion": 15.0}) == {
        "attempts": 3, "prompt_tokens": 3000, "completion_tokens": 30, "recorded": True,
        "seconds": pytest.approx(14), "dollars": pytest.approx(0.00945),
    }  # fmt: skip


def test_effort_of_recordings_is_estimated_and_has_no_seconds(task):
    requests = task().requests(ROWS[:1])
    found = effort(requests, [Response(requests[0].id, answer=GOOD)])
    letters = sum(len(m["content"]) for m in requests[0].messages)
    assert (found["recorded"], found["seconds"], found["dollars"]) == (False, None, None)
    assert found["prompt_tokens"] == letters // 4
    assert found["completion_tokens"] == len('{"relation": "knows", "confidence": 90}') // 4


@pytest.mark.parametrize(
    ("corpus", "files", "rows", "right"),
    [
        ("semeval2010_task8", {"format": "semeval", "train": "TRAIN_FILE.TXT",
                               "test": "TEST_FILE_FULL.TXT"}, 400, 337),
        ("scierc", {"format": "scibert", "train": "train.txt", "dev": "dev.txt",
                    "test": "test.txt"}, 300, 275),
    ],
)  # fmt: skip
def test_recorded_classifications(shared, root, prompt, corpus, files, rows, right):
    folder = CorpusFolder(corpus, [shared / corpus, root / "data/01_raw" / corpus])
    schema = folder.schema()
    splits = read_corpus(folder.read, schema, CorpusParams(**files)).splits
    support = sample_shots(splits["train"], splits["dev"], schema, shots=8, seed=13).support
    task = InContextTask(
        splits["test"], support, schema, prompt, 13, AnnotationParams(), InContextParams()
    )
    store = ResponseStore(root / "data/01_raw" / corpus / "classifications.jsonl")
    asked, responses = classify(Replay([store], "claude", strict=False), task, RETRY)
    kept, tally = keep_annotations(asked, attempts_by_request(responses), schema, task.kind)
    assert (len(kept), tally.rejects) == (rows, [])
    pairs = zip(kept, asked, strict=True)
    assert sum(answer.instance.relation == row.relation for answer, row in pairs) == right
