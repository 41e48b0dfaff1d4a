"""Ten labels of a language model corrected in a browser, read back, and trained with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from tests.smoke_project import SMOKE_PARAMETERS, Project, newest

pytest.importorskip("playwright", reason="needs the extra `dev`")

from tests.report.browser import Opened, chromium

pytestmark = pytest.mark.slow

SAMPLE = "newsroom/k8a60/s13"
# Without the report of the experiment.
RUN = ("run", "--pipelines", "reviewing", "--to-outputs", "newsroom.k8a60.s13.reviewing.lineage")
REVIEWED = "data/01_raw/newsroom/reviewed.jsonl"
PAGE, TABLE = (f"data/08_reporting/review/newsroom.{kind}" for kind in ("html", "csv"))


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """A project that has trained with 60 annotated rows."""
    project = Project(tmp_path_factory.mktemp("review"), tiny_backbone)
    parameters = SMOKE_PARAMETERS | {
        "variants": SMOKE_PARAMETERS["variants"]
        | {"reviewing": {"like": "typ_marker", "finetuning": {"annotated": True}}}
    }
    project.write("conf/smoke/parameters.yml", parameters)
    grid = {"corpora": ["newsroom"], "annotated": 60, "variants": ["reviewing"],
            "baseline": "reviewing"}  # fmt: skip
    project.write("conf/smoke/experiments.yml", {"reviewing": grid})
    ran(project, *RUN)
    return project


def ran(project: Project, *arguments: str, code: int = 0) -> str:
    result = project.kedro(*arguments)
    assert result.returncode == code, result.stdout
    return " ".join(result.stdout.split())


def rows_of(file: Path) -> dict[str, str]:
    """Relations by id."""
    frame = pd.read_parquet(file)
    return dict(zip(frame["id"], frame["relation"], strict=True))


def training_rows(project: Project) -> dict[str, str]:
    return rows_of(project.folder / f"data/05_model_input/{SAMPLE}/reviewing/training_rows.parquet")


def corrected(project: Project) -> list[dict]:
    """Answers twelve rows by the keyboard: ten corrections, one skipped, one undone."""
    with chromium() as browser:
        context = browser.new_context(accept_downloads=True)
        context.set_offline(True)
        opened = Opened(context.new_page(), project.folder / PAGE)
        page = opened.page
        for n in range(12):
            row = page.locator("article:not([hidden])")
            llm = row.get_attribute("data-llm")
            others = row.locator(f"button:not([data-relation='{llm}'])")
            if n == 3:
                page.keyboard.press("ArrowRight")
            elif n == 11:
                page.keyboard.press("Enter")
                page.keyboard.press("Backspace")
            elif n % 2:
                page.keyboard.type(others.last.get_attribute("data-relation"))
                page.keyboard.press("Enter")
            else:
                # A digit is enough, unless a longer number begins with it.
                page.keyboard.type(others.first.get_attribute("data-number"))
                if page.locator("#query").input_value():
                    page.keyboard.press("Enter")
        with page.expect_download() as download:
            page.keyboard.press("Control+s")
        download.value.save_as(project.folder / "answers.jsonl")
        assert opened.messages == []
    lines = (project.folder / "answers.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_ten_corrections_train_the_next_classifier(project):
    before = training_rows(project)
    first = newest(project, f"07_model_output/{SAMPLE}/reviewing/lineage.json")
    printed = ran(project, "corpus", "review", "newsroom", "--rows", "12")
    assert "12 of 60 rows to be reviewed; 0 are reviewed" in printed
    answers = corrected(project)
    assert len(answers) == 10
    assert all(answer["relation"] != answer["llm_relation"] for answer in answers)

    printed = ran(project, "corpus", "review", "newsroom", "--accept", "answers.jsonl")
    assert f"labels corrected: 10 10 rows added to {REVIEWED}" in printed
    skipped = filled(project, {answer["id"] for answer in answers})
    printed = ran(project, "corpus", "review", "newsroom", "--accept", TABLE)
    assert "labels accepted: 1 rows without an answer: 11 1 rows added" in printed
    ran(project, *RUN)

    after = training_rows(project)
    kept_out = rows_of(newest(project, f"04_feature/{SAMPLE}/annotated_validation.parquet"))
    for row_id, relation in [*((a["id"], a["relation"]) for a in answers), skipped]:
        # In the place of the language model's label.
        annotated, reviewed = f"annotation/newsroom/{row_id}", f"reviewed/{row_id}"
        assert (after | kept_out)[reviewed] == relation
        assert (reviewed in after) == (annotated in before)
        assert annotated not in after | kept_out
    assert len(after) == len(before) and set(after) != set(before)
    lineage = newest(project, f"07_model_output/{SAMPLE}/reviewing/lineage.json")
    assert lineage.read_bytes() != first.read_bytes()
    report = project.folder / f"data/04_feature/{SAMPLE}/review_report.json"
    counts = json.loads(report.read_text(encoding="utf-8"))
    assert (counts["accepted"], counts["corrected"], counts["added"]) == (1, 10, 0)
    printed = ran(project, "corpus", "review", "newsroom")
    assert "40 of 49 rows to be reviewed; 11 are reviewed" in printed


def filled(project: Project, answered: set[str]) -> tuple[str, str]:
    """Accepts a label in the table, as a spreadsheet saves it; returns id and label of the row."""
    path = project.folder / TABLE
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    row = next(row for row in rows if row["id"] not in answered)
    row["relation"] = row["llm_relation"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return row["id"], row["relation"]
