from __future__ import annotations

import pandas as pd

from tkre.evaluation.results import samples_table
from tkre.generation.rejections import Reject, Tally, yield_frame

READING = {"corpus": "toy", "bad_rows": [{}], "type_mismatches": []}
SHOTS = {
    "sample": "toy.k2.s13", "support": ["1", "2", "3"], "validation": ["4"],
    "shortfalls": {"support": {"knows": 1}, "validation": {}},
    "sentences_shared_with_test": {"support": [["1", "t"]], "validation": []},
    "passed_over": [["2", "u"], ["3", "v"]], "set_aside": [["4", "w"]],
}  # fmt: skip


def test_what_a_draw_had_to_work_with():
    tallies = {"knows": Tally(wanted=2, kept=1, rejects=[Reject("synthesis", *"abcde")])}
    yields = pd.concat([yield_frame("synthesis", tallies), yield_frame("explanation", {})])
    [row] = samples_table([READING], [SHOTS], [yields.assign(sample="toy.k2.s13")]).to_dict(
        "records"
    )
    assert (row["support"], row["short_in_support"], row["short_in_validation"]) == (
        3,
        "knows 1",
        "",
    )
    assert (row["bad_rows_left_out"], row["shared_with_test"]) == (1, 1)
    assert (row["passed_over"], row["set_aside"]) == (2, 1)
    assert (row["synthesis_kept"], row["synthesis_short"], row["synthesis_rejected"]) == (
        1, "knows 1", 1,
    )  # fmt: skip


def test_a_draw_without_knowledge():
    [row] = samples_table([READING], [SHOTS], []).to_dict("records")
    assert "synthesis_kept" not in row
