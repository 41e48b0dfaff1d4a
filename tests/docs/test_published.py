"""Figures in the docs are those of ``docs/results``, and its pages those of their tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.docs.markdown import PAGES
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.project.results import PUBLISHED, page_tables
from tkre.report.published import filled, published
from tkre.report.tables import difference_in_words, missing, score_in_words

RESULTS = ROOT / "docs/results"
EXPERIMENTS = sorted(path.parent.name for path in RESULTS.glob("*/summary.csv"))
# Pages with sentences on results, by the heading that these stand under.
TOLD = {
    "README.md": "## Results",
    "docs/findings.md": "# Findings",
    "docs/history.md": "# History of the recipes",
    "docs/how-to.md": "# How to",
    "docs/method.md": "# Method",
    "docs/reproducing.md": "# Reproducing the numbers",
    "docs/scaling.md": "# Scaling",
}
NAMED = re.compile(r"results/(\w+)\.md|--pipelines (\w+)")
SCORE = re.compile(r"(?<![\d.+-])\d+\.\d ± \d+\.\d\b")
DIFFERENCE = re.compile(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]")
FIGURE = re.compile(r"(?<![\w.])[+-]?\d+\.\d(?!\d|\.\d| million)")
# Tables whose figures sentences quote; samples and errors would hold nearly any number.
QUOTED = ("summary", "calibration", "filter", "natural", "teacher")
# Figures that tests/benchmarks/layer_probe.py prints.
OF_THE_PROBE = {"25.3", "33.8", "61.3", "56.9", "83.8", "73.7"}


def told(page: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Paragraphs, each with the experiments that it names."""
    text = (ROOT / page).read_text("utf-8").partition(f"{TOLD[page]}\n")[2]
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for paragraph in re.split(r"\n\n|\n(?=- )", text):
        named = {name for pair in NAMED.findall(paragraph) for name in pair if name}
        if named := named & set(EXPERIMENTS):
            yield " ".join(paragraph.split()), tuple(sorted(named))


@cache
def figures(experiment: str) -> tuple[set[str], set[str], set[str]]:
    """Scores with deviations, differences with intervals, and all figures of its tables."""
    summary = published(RESULTS / experiment / "summary.csv")
    rows = summary.to_dict("records")
    numbers = OF_THE_PROBE | {
        f"{abs(value):.1f}"
        for table in QUOTED
        if (path := RESULTS / experiment / f"{table}.csv").is_file()
        for column in published(path).select_dtypes("number")
        for value in published(path)[column].dropna()
    }
    reversed_rows = [
        row | {"difference": -row["difference"],
               "difference_low": -row["difference_high"], "difference_high": -row["difference_low"]}
        for row in rows
    ]  # fmt: skip
    return (
        {score_in_words(row) for row in rows if not missing(row["mean"])},
        {difference_in_words(row) for row in (*rows, *reversed_rows)},
        numbers,
    )


def strangers(paragraph: str, experiments: tuple[str, ...]) -> list[str]:
    """Figures of a paragraph that no table of its experiments holds."""
    scores, differences, numbers = (
        {figure for e in experiments for figure in figures(e)[kind]} for kind in range(3)
    )
    found = [s for s in SCORE.findall(paragraph) if s not in scores]
    found += [d for d in DIFFERENCE.findall(paragraph) if d not in differences]
    rest = re.sub("`[^`]+`", "", DIFFERENCE.sub("", SCORE.sub("", paragraph)))
    for match in FIGURE.finditer(rest):
        if match[0].lstrip("+-") not in numbers:
            found.append(rest[match.start() : match.end() + 30])
    return found


@pytest.mark.parametrize("page", TOLD)
def test_figures_in_sentences_are_published_ones(page):
    wrong = {p[:60]: s for p, named in told(page) if (s := strangers(p, named))}
    assert not wrong, "\n".join(f"{at}: {s}" for at, s in wrong.items())


def test_a_figure_of_another_run_is_found():
    said = "At 74.7 ± 1.7 (+22.0 [+12.5, +31.7]) it is better than 52.6."
    assert strangers(said, ("semeval",)) == []
    other = said.replace("± 1.7", "± 1.5").replace("31.7", "31.6").replace("52.6", "52.3")
    assert [s.split(" ", 1)[0] for s in strangers(other, ("semeval",))] == [
        "74.7", "+22.0", "52.3.",
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_with_sources_are_current(page):
    text = page.read_text("utf-8")
    if "<!-- results: " not in text:
        return
    assert filled(text, RESULTS) == text, f"kedro results fill {page.relative_to(ROOT)}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_pages_are_those_of_their_tables(name):
    tables = {
        table: published(path)
        for table in PUBLISHED
        if (path := RESULTS / name / f"{table}.csv").is_file()
    }
    page = (RESULTS / f"{name}.md").read_text("utf-8")
    made = "\n".join(page_tables(name, tables))
    assert list(without_needs(page))[-len(made.splitlines()) :] == list(without_needs(made))


def without_needs(page: str) -> Iterator[str]:
    """Lines without what variants need of a language model, which no table of scores holds."""
    needs = False
    for line in page.splitlines():
        needs = line.startswith("|") and (needs or "| language model gives | " in line)
        yield re.sub(r"^(\| [^|]+ \|) [^|]+ \|", r"\1", line) if needs else line


def test_deviations_of_pages_are_of_a_sample_of_their_cells():
    for name in EXPERIMENTS:
        summary, cells = (published(RESULTS / name / f"{t}.csv") for t in ("summary", "cells"))
        of_metric = summary[summary["metric"] == "micro_f1"].set_index(GROUP_KEYS_WITH_VARIANT)
        computed = cells.groupby(GROUP_KEYS_WITH_VARIANT)["micro_f1"].std()
        pd.testing.assert_series_equal(
            of_metric["std"].sort_index(), computed.sort_index(), check_names=False, atol=0.02
        )


def test_figures_are_filled_in(tmp_path):
    (tmp_path / "e").mkdir()
    rows = [
        ["v", 8, "micro_f1", 50.0, 1.0, 3, None, None, None],
        ["w", 8, "micro_f1", 60.0, None, 1, 10.0, 8.0, 12.0],
        ["w", 16, "micro_f1", 70.0, 2.0, 5, 11.0, 9.0, 13.0],
    ]
    columns = ["variant", "shots", "metric", "mean", "std", "seeds"]
    columns += ["difference", "difference_low", "difference_high"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "e/summary.csv", index=False)
    head = "Before.\n\n<!-- results: e.micro_f1 shots=8 | e.difference shots=16 -->\n\n"
    table = (
        "| variant | F1 | to v |\n| --- | --- | --- |\n| `v`: `w` as was | 1 | 2 |\n| `w` | | |\n"
    )
    made = filled(f"{head}{table}\nAfter.\n", tmp_path)
    assert made.startswith(head) and made.endswith("\n\nAfter.\n")
    assert made.splitlines()[6:8] == [
        "| `v`: `w` as was | 50.0 ± 1.0 (3) |  |",
        "| `w` | 60.0 (1) | +11.0 [+9.0, +13.0] |",
    ]
    assert filled(made, tmp_path) == made
    for source, message in (
        ("e.micro_f1", r"2 settings of w, which differ in shots.*e\.g\. shots=8"),
        ("f.micro_f1", "summary.csv is missing: kedro results write f"),
        ("e.f1", "no 'f1' in .*only micro_f1, difference"),
        ("e.micro_f1 k=8", "no column 'k'"),
    ):
        with pytest.raises(ValueError, match=message):
            filled(f"<!-- results: {source} -->\n| v | f |\n| - | - |\n| `w` | |\n", tmp_path)
    with pytest.raises(ValueError, match="no variant in the row"):
        filled("<!-- results: e.micro_f1 -->\n| v | f |\n| - | - |\n| w | |\n", tmp_path)
