from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted
from tkre.generation.annotation_rounds import AnnotationTask, annotate_in_rounds
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.registry import CachedModel
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import AnnotationParams, RetryParams

ROWS = [
    instance(f"<head>Bo</head> saw <tail>Ada</tail> on day {n}.", id=f"r{n}") for n in range(12)
]
KEPT_OUT, CANDIDATES = ROWS[:2], ROWS[2:]
PARAMS = AnnotationParams(round_size=3)


@pytest.fixture(scope="module")
def task(root, schema):
    prompt = (root / "conf/base/prompts/annotation.txt").read_text(encoding="utf-8")
    return AnnotationTask([], schema, prompt, PARAMS, RetryParams(attempts=1))


def answer(request):
    number = int(request.id.rpartition("/r")[2])
    relation = "knows" if number % 2 else "none"
    # One answer of no use.
    return {"relation": relation, "confidence": 200 if number == 5 else 80, "triggers": []}


class Last:
    """Chooses the last rows that are left, and remembers what it was given."""

    def __init__(self):
        self.calls = []

    def __call__(self, taken, labels, most):
        self.calls.append((list(taken), dict(labels), most))
        return [n for n in range(len(CANDIDATES) - 1, -1, -1) if n not in taken][:most]


def test_a_round_is_chosen_by_the_answers_to_those_before(task):
    choose = Last()
    model = Scripted(answer)
    chosen = annotate_in_rounds(model, KEPT_OUT, CANDIDATES, task, 10, choose)
    assert [row.id for row in chosen.rows] == ["r0", "r1", "r11", "r10", "r9", "r8", "r7", "r6",
                                               "r5", "r4"]  # fmt: skip
    assert model.asked == [f"annotation/toy/{row.id}" for row in chosen.rows]
    assert [r.request_id for r in chosen.responses] == model.asked
    assert chosen.sizes == [3, 3, 2]
    # Rows that are kept out choose none; nor does an answer that cannot be used.
    assert choose.calls[0] == ([], {}, 3)
    assert choose.calls[1] == ([9, 8, 7], {9: "knows", 8: "none", 7: "knows"}, 3)
    assert choose.calls[2][0] == [9, 8, 7, 6, 5, 4] and choose.calls[2][2] == 2


def test_all_candidates_are_enough(task):
    chosen = annotate_in_rounds(Scripted(answer), KEPT_OUT, CANDIDATES, task, 99, Last())
    assert len(chosen.rows) == len(ROWS) and chosen.sizes == [3, 3, 3, 1]
    nothing = annotate_in_rounds(Scripted(answer), KEPT_OUT, CANDIDATES, task, 2, Last())
    assert nothing.rows == KEPT_OUT and nothing.sizes == []


class Killed(Exception):
    pass


class Live:
    """A live model that is killed at some request."""

    name, source = "m", "test"

    def __init__(self, at):
        self.at, self.asked = at, []

    def generate(self, requests):
        for request in requests:
            if len(self.asked) == self.at:
                raise Killed
            self.asked.append(request.id)
            yield Response(request.id, answer=answer(request))


def test_a_killed_run_goes_on_and_asks_nothing_twice(task, tmp_path):
    whole = annotate_in_rounds(Scripted(answer), KEPT_OUT, CANDIDATES, task, 10, Last())
    asked = []
    for at in (1, 4, None):
        live = Live(at)
        model = CachedModel(live, ResponseStore(tmp_path / "store.jsonl"))
        try:
            chosen = annotate_in_rounds(model, KEPT_OUT, CANDIDATES, task, 10, Last())
        except Killed:
            assert at is not None
        asked += live.asked
    assert chosen.rows == whole.rows and chosen.sizes == whole.sizes
    assert sorted(asked) == sorted(f"annotation/toy/{row.id}" for row in whole.rows)


def test_a_replay_can_answer_what_is_recorded_with_all_its_votes(task, tmp_path):
    def replay(*ids):
        store = ResponseStore()
        for i in ids:
            store.append(Response(f"annotation/toy/{i}", answer={"relation": "none"}))
        return Replay([store], "m", strict=False)

    rows = [*ROWS, replace(ROWS[0], id="impossible", head_type="place", tail_type="place")]
    recorded = replay("r3", "r1", "r1/vote-2", "impossible")
    assert [row.id for row in task.answerable(recorded, rows)] == ["r1", "r3"]
    two = replace(task, params=PARAMS.model_copy(update={"votes": 2}))
    assert [row.id for row in two.answerable(recorded, rows)] == ["r1"]
    assert task.answerable(Scripted(answer), rows) == ROWS
