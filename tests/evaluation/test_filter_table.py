from __future__ import annotations

import pandas as pd
import pytest

from tkre.evaluation.llm_comparison import COLUMNS, filter_table, label_errors_table


def cells(scores, variant="v"):
    rows = [
        {"corpus": "toy", "shots": 8, "synthetic": 4, "noise": noise, "filtered": filtered,
         "llm": "default", "seed": seed, "variant": variant, "micro_f1": f1}
        for (noise, filtered), f1s in scores.items() for seed, f1 in enumerate(f1s)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def scores(name, found, rejected, planted):
    return {"sample": name, "rows": 100, "planted": planted, "rejected": rejected, "found": found,
            "precision": 100 * found / rejected, "recall": 100 * found / planted if planted else
            float("nan"), "lost": 100 * (rejected - found) / (100 - planted)}  # fmt: skip


def test_what_noise_costs_and_the_filter_gives_back():
    table = filter_table(
        cells({(0, False): [80, 82], (40, False): [60, 62],
               (40, True): [70, 74], (0, True): [81, 80]}),
        [scores("toy.k8x4n40f.s0", 30, 40, 40), scores("toy.k8x4n40f.s1", 36, 40, 40),
         scores("toy.k8x4f.s0", 0, 4, 0)],
    )  # fmt: skip
    rows = table.set_index("noise")
    assert list(table.columns) == COLUMNS
    noisy = rows.loc[40]
    assert (noisy["clean_f1"], noisy["unfiltered_f1"], noisy["filtered_f1"]) == (81, 61, 72)
    assert noisy["recovered"] == pytest.approx(55)
    assert noisy["recall"] == pytest.approx(82.5) and noisy["seeds"] == 2
    clean = rows.loc[0]
    assert clean["filtered_f1"] == 80.5 and pd.isna(clean["recovered"]) and clean["lost"] == 4


def test_a_filter_without_its_other_half_has_no_row():
    table = filter_table(cells({(40, True): [70]}), [scores("toy.k8x4n40f.s0", 30, 40, 40)])
    assert table.empty


def test_filters_of_different_writers_are_kept_apart():
    of_both = pd.concat(
        [cells({(40, False): [60], (40, True): [score]}).assign(llm=llm)
         for llm, score in (("default", 70), ("qwen", 80))]
    )  # fmt: skip
    found = [scores("toy.k8x4n40f.s0", 30, 40, 40), scores("toy.k8x4n40f_qwen.s0", 40, 40, 40)]
    rows = filter_table(of_both, found).set_index("llm")
    assert rows["filtered_f1"].to_dict() == {"default": 70, "qwen": 80}
    assert rows["recall"].to_dict() == {"default": 75, "qwen": 100}


def test_the_most_doubted_rows_of_every_draw():
    ranking = pd.DataFrame({"id": [f"r{n}" for n in range(12)], "own": range(12)})
    table = label_errors_table({"toy.k8.s13": ranking, "toy.k8x4.s21": ranking.head(2)})
    assert len(table) == 12
    assert table.iloc[0][["seed", "rank", "id"]].tolist() == [13, 1, "r0"]
    assert table.iloc[-1][["synthetic", "seed", "rank"]].tolist() == [4, 21, 2]
    assert label_errors_table({}).empty
