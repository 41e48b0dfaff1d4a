from __future__ import annotations

import pandas as pd
import pytest

from tkre.evaluation.calibrator import Threshold
from tkre.report.notebooks import label_frame, promised
from tkre.serving.extractor import Prediction

FRAME = pd.DataFrame(
    {"text": ["<head>a</head> met <tail>b</tail>", "<head>c</head> left <tail>d</tail>"],
     "head_type": ["person", None], "weight": [1, 2]}, index=[7, 8],
)  # fmt: skip


class Extractor:
    """Sure of the first sentence, and of no other."""

    def __init__(self):
        self.asked = []

    def __call__(self, records):
        self.asked = list(records)
        return [Prediction("knows" if n == 0 else None, 0.9 - n / 2, {}, "knows")
                for n in range(len(records))]  # fmt: skip


def test_a_frame_keeps_its_rows_and_gets_what_is_said_of_them():
    extractor = Extractor()
    table = label_frame(FRAME, extractor, column="text")
    assert table.index.tolist() == [7, 8] and table["weight"].tolist() == [1, 2]
    assert table["answer"].tolist() == ["knows", None]
    assert table["predicted"].tolist() == ["knows", "knows"]
    assert table["probability"].tolist() == pytest.approx([0.9, 0.4])
    assert "answer" not in FRAME
    # Types that are missing in a row are not given.
    assert extractor.asked == [{"sentence": FRAME["text"][7], "head_type": "person"},
                               {"sentence": FRAME["text"][8]}]  # fmt: skip


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="no column 'sentence'; there are text, head_type, weight"):
        label_frame(FRAME, Extractor())


def test_only_precisions_that_can_be_promised_are_offered():
    class Record:
        thresholds = (
            Threshold(precision=0.8, confidence=0.7, validation_coverage=0.6,
                      validation_precision=0.85),
            Threshold(precision=0.95, confidence=None, validation_coverage=0,
                      validation_precision=None),
        )  # fmt: skip

    table = promised(Record())
    assert table["wanted_precision"].tolist() == [0.8]
    assert table["confidence"].tolist() == [0.7]
