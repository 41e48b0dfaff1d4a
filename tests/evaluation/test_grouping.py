from __future__ import annotations

from tkre.evaluation.results import by_setting

CELL = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
        "llm": "default", "seed": 13, "variant": "tkre", "micro_f1": 50.0}  # fmt: skip


def test_cells_of_one_setting_differ_in_the_seed_alone():
    changes = [
        {},
        {"variant": "tkre_plus"},
        {"seed": 21},
        {"synthetic": 4},
        {"llm": "qwen"},
        {"noise": 20},
        {"seed": 42},
    ]
    groups = by_setting([CELL | change for change in changes])
    assert [numbers for _, numbers in groups] == [[0, 2, 6], [1], [3], [4], [5]]
    setting = {name: CELL[name] for name in CELL if name not in ("seed", "micro_f1")}
    assert groups[2][0] == setting | {"synthetic": 4}
