from __future__ import annotations

import pandas as pd
import pytest

from tkre.cli.doctor import of_answers
from tkre.corpora.schema_validation import Level
from tkre.generation.rejections import EXPLANATION, SYNTHESIS, Reject, Tally, yield_frame


def tally(kept: int, *reasons: str) -> Tally:
    rejects = [Reject(EXPLANATION, "r", "id", reason, "detail", "text") for reason in reasons]
    return Tally(wanted=2, asked=2, answered=2, kept=kept, rejects=rejects)


@pytest.fixture
def kept() -> pd.DataFrame:
    explanations = {
        "a": tally(2, "too_long"), "b": tally(0, "empty", "empty"), "c": tally(1, "too_long"),
    }  # fmt: skip
    sentences = {name: tally(2) for name in explanations}
    frames = [yield_frame(EXPLANATION, explanations), yield_frame(SYNTHESIS, sentences)]
    return pd.concat(frames, ignore_index=True)


def test_answers_that_are_refused_are_told_with_reasons_and_the_way_out(kept):
    found = of_answers("5 questions, all answered", kept)
    assert found.level == Level.WARNING
    assert "3 of 6 explanations can be used, too few of b, c" in found.message
    assert "(refused: too_long 2, empty 2)" in found.message
    assert "6 of 6 sentences can be used; a run goes on" in found.message
    assert "the last one counts" in found.message


def test_what_is_refused_beyond_need_is_no_trouble(kept):
    enough = kept[kept["short"] == 0]
    assert str(of_answers("5 questions", enough)) == "ok       language model: 5 questions"
