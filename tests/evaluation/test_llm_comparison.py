from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import instance
from tkre.evaluation.llm_comparison import (
    FILTER_COLUMNS,
    Knowledge,
    diversity,
    filter_table,
    label_errors_table,
    llms_table,
)
from tkre.generation.llm.protocol import Response
from tkre.generation.rejections import Reject, Tally, rejects_frame, yield_frame

ALIKE = [
    instance("<head>Ann</head> lives in old <tail>Oslo</tail>", "lives_in", id="1"),
    instance("<head>Ann</head> lives in old <tail>Rome</tail>", "lives_in", id="2"),
    instance("<head>Bo</head> moved from there to <tail>Rome</tail>", "lives_in", id="3"),
    instance("<head>Bo</head> knows <tail>Ann</tail> well", "knows", id="4"),
]


def written(name, *, kept=2, seed_rows=ALIKE, responses=(), reasons=()):
    rejects = [Reject("synthesis", "knows", "q", reason, "", "") for reason in reasons]
    synthesis = Tally(wanted=4, requested=10, answered=8, kept=kept, surplus=1, rejects=rejects)
    explanation = Tally(wanted=2, requested=3, answered=3, kept=2)
    yields = [
        yield_frame("explanation", {"knows": explanation}),
        yield_frame("synthesis", {"knows": synthesis}),
    ]
    return Knowledge(
        pd.concat(yields).assign(sample=name), rejects_frame(rejects), seed_rows, [], responses
    )


def cells(*rows):
    columns = ["variant", "llm", "synthetic", "seed", "micro_f1", "noise", "filtered"]
    padded = [(*row, *(0, False)[len(row) - 5 :]) for row in rows]
    return pd.DataFrame(padded, columns=columns).assign(corpus="toy", shots=8, annotated=0)


NO_CELLS = cells()
CALLED = {"default": "claude", "qwen": "Qwen3"}


def test_diversity_is_that_among_the_sentences_of_a_relation():
    knows, lives = diversity(ALIKE, 3)
    # ann-lives, lives-in, in-old twice; old-oslo, old-rome; five of the third sentence.
    assert lives["distinct_2"] == pytest.approx(100 * 10 / 13)
    # Two of the three runs of three words of either of the first two stand in the other.
    assert lives["largest_overlap"] == pytest.approx(100 * 2 / 3)
    assert lives["distinct_pairs"] == 100 and lives["words"] == pytest.approx(16 / 3)
    assert knows["distinct_2"] == 100 and pd.isna(knows["largest_overlap"])


def test_repeated_sentences_are_not_diverse():
    [rate] = diversity([ALIKE[0]] * 4, 3)
    assert (rate["distinct_2"], rate["largest_overlap"], rate["distinct_pairs"]) == (25, 100, 25)
    assert diversity([], 3) == []


def test_counts_are_summed_over_seeds_and_rates_are_of_the_sums():
    reasons = ["length", "order", "length", "type", "near_duplicate", "near_duplicate"]
    of = [written("toy.k8.s13", reasons=reasons), written("toy.k8.s21", kept=4)]
    [row] = llms_table(of, NO_CELLS, CALLED, 3).to_dict("records")
    assert (row["corpus"], row["shots"], row["llm"], row["model"], row["seeds"]) == (
        "toy", 8, "default", "claude", 2,
    )  # fmt: skip
    counts = [row[f"synthesis_{what}"] for what in ("requested", "answered", "kept")]
    assert counts == [20, 16, 6]
    assert row["synthesis_yield"] == 75 and row["synthesis_validity"] == 40
    assert row["synthesis_rejects"] == "length 2, near_duplicate 2, order 1"
    assert row["explanation_yield"] == 100 and row["explanation_rejects"] == ""
    assert row["words"] == pytest.approx((16 / 3 + 4) / 2)


def test_a_model_of_which_nothing_is_used_has_a_row_all_the_same():
    of = [written("toy.k8.s13"), written("toy.k8_qwen.s13", kept=0, seed_rows=[])]
    table = llms_table(of, NO_CELLS, CALLED, 3).set_index("llm")
    assert table.loc["qwen", "model"] == "Qwen3" and table.loc["qwen", "synthesis_yield"] == 0
    assert table.loc["qwen", ["distinct_2", "words"]].isna().all()
    assert table.loc["default", "distinct_2"] > 0


def test_what_seeds_ask_in_common_is_counted_once():
    one, other = (
        Response(i, answer={}, digest=i, prompt_tokens=100, completion_tokens=10, seconds=s)
        for i, s in (("a", 1.0), ("b", 3.0))
    )
    of = [written("toy.k8.s13", responses=[one, other]), written("toy.k8.s21", responses=[other])]
    [row] = llms_table(of, NO_CELLS, CALLED, 3).to_dict("records")
    assert (row["attempts"], row["prompt_tokens"], row["completion_tokens"]) == (2, 200, 20)
    assert row["seconds"] == 2
    recorded = [written("toy.k8.s13", responses=[Response("a", answer={})])]
    [row] = llms_table(recorded, NO_CELLS, CALLED, 3).to_dict("records")
    assert row["attempts"] == 1 and pd.isna(row["prompt_tokens"]) and pd.isna(row["seconds"])


def test_f1_is_that_of_the_cells_that_read_this_knowledge_or_none():
    of = [written("toy.k8x4.s13"), written("toy.k8x4_qwen.s13")]
    scored = cells(
        ("v", "default", 4, 13, 80), ("v", "default", 4, 21, 70), ("v", "qwen", 4, 13, 60),
        ("v", "qwen", 1, 13, 1), ("explained", "qwen", 0, 13, 50), ("golden", "none", 0, 13, 40),
        ("v", "qwen", 4, 13, 65, 0, True), ("v", "qwen", 4, 13, 2, 20, False),
    )  # fmt: skip
    table = llms_table(of, scored, CALLED, 3).set_index("llm")
    assert table["micro_f1.v"].to_dict() == {"default": 75, "qwen": 60}
    assert table.loc["default", "micro_f1_std.v"] == pytest.approx(50**0.5)
    assert pd.isna(table.loc["qwen", "micro_f1_std.v"])  # one seed has no spread
    assert table["micro_f1.golden"].tolist() == [40, 40]
    assert pd.isna(table.loc["default", "micro_f1.explained"])
    assert table.loc["qwen", ["micro_f1.explained", "micro_f1.v.filtered"]].tolist() == [50, 65]


def filter_cells(scores):
    rows = [
        {"corpus": "toy", "shots": 8, "synthetic": 4, "noise": noise, "filtered": filtered,
         "annotated": 0, "chosen": "in_order",
         "llm": "default", "seed": seed, "variant": "v", "micro_f1": f1}
        for (noise, filtered), f1s in scores.items() for seed, f1 in enumerate(f1s)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def filter_scores(name, found, rejected, planted):
    return {"sample": name, "rows": 100, "planted": planted, "rejected": rejected, "found": found,
            "precision": 100 * found / rejected, "recall": 100 * found / planted if planted else
            float("nan"), "lost": 100 * (rejected - found) / (100 - planted)}  # fmt: skip


def test_what_noise_costs_and_the_filter_gives_back():
    table = filter_table(
        filter_cells({(0, False): [80, 82], (40, False): [60, 62],
               (40, True): [70, 74], (0, True): [81, 80]}),
        [filter_scores("toy.k8x4n40f.s0", 30, 40, 40), filter_scores("toy.k8x4n40f.s1", 36, 40, 40),
         filter_scores("toy.k8x4f.s0", 0, 4, 0)],
    )  # fmt: skip
    rows = table.set_index("noise")
    assert list(table.columns) == FILTER_COLUMNS
    noisy = rows.loc[40]
    assert (noisy["clean_f1"], noisy["unfiltered_f1"], noisy["filtered_f1"]) == (81, 61, 72)
    assert noisy["recovered"] == pytest.approx(55)
    assert noisy["recall"] == pytest.approx(82.5) and noisy["seeds"] == 2
    clean = rows.loc[0]
    assert clean["filtered_f1"] == 80.5 and pd.isna(clean["recovered"]) and clean["lost"] == 4


def test_a_filter_without_its_other_half_has_no_row():
    table = filter_table(
        filter_cells({(40, True): [70]}), [filter_scores("toy.k8x4n40f.s0", 30, 40, 40)]
    )
    assert table.empty


def test_filters_are_compared_within_one_llm():
    of_both = pd.concat(
        [filter_cells({(40, False): [60], (40, True): [score]}).assign(llm=llm)
         for llm, score in (("default", 70), ("qwen", 80))]
    )  # fmt: skip
    found = [
        filter_scores("toy.k8x4n40f.s0", 30, 40, 40),
        filter_scores("toy.k8x4n40f_qwen.s0", 40, 40, 40),
    ]
    rows = filter_table(of_both, found).set_index("llm")
    assert rows["filtered_f1"].to_dict() == {"default": 70, "qwen": 80}
    assert rows["recall"].to_dict() == {"default": 75, "qwen": 100}


def test_most_suspected_rows_of_every_sample():
    ranking = pd.DataFrame({"id": [f"r{n}" for n in range(12)], "own": range(12)})
    table = label_errors_table({"toy.k8.s13": ranking, "toy.k8x4.s21": ranking.head(2)})
    assert len(table) == 12
    assert table.iloc[0][["seed", "rank", "id"]].tolist() == [13, 1, "r0"]
    assert table.iloc[-1][["synthetic", "seed", "rank"]].tolist() == [4, 21, 2]
    assert label_errors_table({}).empty
