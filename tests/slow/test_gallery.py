"""The page docs/gallery.md, typed word for word on files in FewRel's form."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, SHARED
from tests.docs.markdown import blocks
from tests.notebooks import outputs_of
from tests.smoke_project import Project, newest
from tests.transcripts import commands, project_that_learns, typed
from tkre.core.instance import Span
from tkre.corpora.formats import semeval_rows

pytestmark = pytest.mark.slow

ROWS = 60  # of each relation; FewRel has 700
# What FewRel's authors wrote is not in the project; these are for SemEval's relations.
DEFINITIONS = {
    "Cause-Effect": ("effect", "what the head brings about"),
    "Component-Whole": ("whole", "object that the head is a part of"),
    "Content-Container": ("container", "object that physically holds the head"),
    "Entity-Destination": ("destination", "place that the head is moved to"),
    "Entity-Origin": ("origin", "place or material that the head comes from"),
    "Instrument-Agency": ("user", "person or thing that uses the head as an instrument"),
    "Member-Collection": ("collection", "group that the head is a member of"),
    "Message-Topic": ("topic", "No description defined"),
    "Product-Producer": ("producer", "person or thing that makes the head"),
}


def fewrel_of_semeval(folder: Path, raw: str) -> None:
    """SemEval's relations in FewRel's form: tokens, mentions as lists of their places, by id."""
    ids = {label: f"P{number}" for number, label in enumerate(DEFINITIONS, start=1)}
    by_id: dict[str, list[dict[str, object]]] = {pid: [] for pid in ids.values()}
    for _, parse in semeval_rows(raw, "train"):
        row = parse()
        label, _, direction = str(row.relation).partition("(")
        if label not in ids or len(by_id[ids[label]]) == ROWS:
            continue
        ends = (row.head, row.tail) if direction.startswith("e1") else (row.tail, row.head)
        tokens = [Span(*found.span()) for found in re.finditer(r"\w+|[^\w\s]", row.text)]
        h, t = (
            [
                span.of(row.text).lower(),
                f"Q{span.start}",
                [[n for n, token in enumerate(tokens) if span.start <= token.start < span.end]],
            ]
            for span in ends
        )
        by_id[ids[label]].append(
            {"tokens": [token.of(row.text) for token in tokens], "h": h, "t": t}
        )
    by_id["P1"][0]["h"][2].append([0])  # a second place of a mention
    by_id["P1"][1]["h"][2] = [[0, 2]]  # tokens that are not next to each other
    folder.mkdir(parents=True)
    (folder / "val_wiki.json").write_text(json.dumps(by_id), encoding="utf-8")
    names = {ids[label]: definition for label, definition in DEFINITIONS.items()}
    (folder / "pid2name.json").write_text(json.dumps(names), encoding="utf-8")


@pytest.fixture(params=["FewRel", "SemEval"])
def project(request, tiny_backbone, tmp_path) -> Project:
    """A project with the folder ``FewRel`` that the first command of the page fetches."""
    data = tmp_path / "FewRel/data"
    if request.param == "SemEval":
        raw = request.getfixturevalue("shared") / "semeval2010_task8/TRAIN_FILE.TXT"
        fewrel_of_semeval(data, raw.read_text(encoding="utf-8"))
    elif (SHARED / "fewrel/val_wiki.json").is_file():
        shutil.copytree(SHARED / "fewrel", data)
    else:
        pytest.skip(f"FewRel's val_wiki.json is not in {SHARED / 'fewrel'} (set TKRE_DATA)")
    shutil.copytree(ROOT / "docs/examples/fewrel", tmp_path / "docs/examples/fewrel")
    return project_that_learns(tmp_path, tiny_backbone)


def test_a_corpus_of_others_from_its_file_to_labels(project, monkeypatch):
    folder = project.folder
    (fetch, _), *steps = commands(blocks(ROOT / "docs/gallery.md"))
    assert fetch.startswith("git clone ") and len(steps) == 5
    imported, *_, ran, labelled = [typed(command, folder, shown) for command, shown in steps]

    given = json.loads((folder / "FewRel/data/val_wiki.json").read_text(encoding="utf-8"))
    rows = {
        split: (folder / f"data/01_raw/fewrel/{split}.jsonl").read_text("utf-8").splitlines()
        for split in ("train", "test")
    }
    left_out = sum(map(int, re.findall(r"^(\d+) relations? left out", imported, re.MULTILINE)))
    assert sum(map(len, rows.values())) + left_out == sum(map(len, given.values()))
    assert len(rows["test"]) == pytest.approx(0.2 * sum(map(len, rows.values())), rel=0.05)
    texts = {
        s: {re.sub("</?(head|tail)>", "", json.loads(r)["sentence"]) for r in rows[s]} for s in rows
    }
    assert texts["train"].isdisjoint(texts["test"])

    assert "data/08_reporting/fewrel/latest.html" in ran
    cells = pd.read_csv(newest(project, "08_reporting/fewrel/cells.csv"))
    assert cells["variant"].tolist() == ["typ_marker", "spans_golden"]
    assert cells["rows"].tolist() == [len(rows["test"])] * 2
    answers = pd.read_csv(folder / "data/07_model_output/fewrel/labels.csv")
    assert "6 rows, 6 answered" in labelled and len(answers.filter(like="p.").columns) == len(given)
    shown = "".join(str(o.get("data", "")) for o in outputs_of("gallery", project, monkeypatch))
    assert "image/png" in shown and "Erasmus Bridge" in shown and "&lt;head&gt;" in shown
