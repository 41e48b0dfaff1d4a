"""Corpora in Chinese and German, from files to the report, with a tiny random backbone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parent / "languages"


@pytest.mark.parametrize(("code", "name"), [("zh", "Chinese"), ("de", "German")])
def test_a_corpus_of_another_language_to_its_report(tiny_backbone, tmp_path, code, name):
    project, corpus = Project(tmp_path, tiny_backbone), f"{code}corpus"
    shutil.copytree(FOLDER / code, tmp_path / "data/01_raw" / corpus)
    files = {split: f"{split}.jsonl" for split in ("train", "dev", "test")}
    project.write(
        "conf/base/parameters_mine.yml", {"corpora": {corpus: {"format": "native"} | files}}
    )
    experiment = {"corpora": [corpus], "shots": [4], "seeds": [13], "variants": ["tkre_plus"]}
    project.write("conf/base/experiments_mine.yml", {corpus: experiment})

    checked = project.kedro("corpus", "validate", corpus, "--shots", "4")
    assert checked.returncode == 0, checked.stdout
    assert "0 errors, 0 warnings" in checked.stdout or "fewer than" in checked.stdout
    assert "does not speak" not in checked.stdout
    doctor = project.kedro("corpus", "doctor", corpus, "--shots", "4")
    # The tiny backbone has Latin letters: of Chinese it knows no piece.
    assert ("(100%): the backbone was made for other text" in doctor.stdout) == (code == "zh")

    ran = project.kedro("run", "--pipelines", corpus)
    assert ran.returncode == 0, ran.stdout
    kept = pd.read_csv(newest(project, f"04_feature/{corpus}/k4/s13/yield.csv"))
    assert kept["kept"].sum() == kept["wanted"].sum() == 24
    card = newest(project, f"08_reporting/cells/{corpus}/k4/s13/tkre_plus/test_model_card.md")
    text = card.read_text(encoding="utf-8")
    assert f"**Language** of the corpus: {name}" in text and f"language:\n- {code}" in text
    assert newest(project, f"08_reporting/{corpus}/report.html").stat().st_size > 10_000
