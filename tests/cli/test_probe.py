"""``kedro corpus probe`` on a tiny classifier."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from tkre.evaluation.probing import CHECKS, probes_of

CELL = "newsroom.k8.s13.tkre"
RELATIONS = "data/01_raw/newsroom/relations.yml"
VERSION = "2026-01-01T00.00.00.000Z"


@pytest.fixture
def trained(project, classifier_folder, schema):
    """A cell of the demo with a classifier of toy relations, which are those of its schema."""
    data = project.folder / "data"
    shutil.copytree(
        classifier_folder, data / f"06_models/newsroom/k8/s13/tkre/classifier/{VERSION}/classifier"
    )
    for file, text in (
        (f"07_model_output/newsroom/k8/s13/tkre/trust.json/{VERSION}/trust.json", "{}"),
        ("02_intermediate/newsroom/schema.json", schema.model_dump_json()),
    ):
        (data / file).parent.mkdir(parents=True)
        (data / file).write_text(text, encoding="utf-8")
    project.write(RELATIONS, schema.model_dump(mode="json"))
    return data


def test_shares_and_worst_answers(trained, kedro, schema, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    output = kedro("corpus", "probe", "newsroom", "--worst", "2")
    printed = output.splitlines()
    [start] = [n for n, line in enumerate(printed) if line.split()[:2] == ["relation", "phrase"]]
    end = printed.index(f"phrase     {CHECKS['phrase']}")
    assert [line.split()[0] for line in printed[start + 2 : end] if line.strip()] == schema.names[
        :3
    ]
    assert max(map(len, printed[start:end])) <= 80
    assert all(len(f"{'':<9}  {words}") <= 80 for words in CHECKS.values())
    assert f"of {len(probes_of(schema))} right" in output
    assert output.count(", expected: ") == 2


@pytest.mark.parametrize("name", ["probes.jsonl", "made/probes.csv"])
def test_all_sentences_are_written(trained, kedro, schema, project, name):
    kedro("corpus", "probe", "newsroom", "--classifier", CELL, "--output", name)
    path = project.folder / name
    if path.suffix == ".csv":
        rows = pd.read_csv(path).to_dict("records")
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    made = probes_of(schema)
    assert [row["id"] for row in rows] == [probe.instance.id for probe in made]
    assert rows[0]["sentence"].startswith("<head>Eastmoor</head> is the home of <tail>")
    assert [bool(row["right"]) for row in rows] == [
        probe.right(row["predicted"]) for probe, row in zip(made, rows, strict=True)
    ]
    again = kedro("corpus", "probe", "newsroom", "--output", name, code=1)
    assert "exists and is not overwritten" in again


def test_forms_are_tried_without_a_run_and_other_relations_refused(trained, kedro, schema, project):
    raw = schema.model_dump(mode="json")
    raw["relations"]["lives_in"]["forms"] = ["{tail} is where {head} lives."]
    project.write(RELATIONS, raw)
    assert f"forms      {CHECKS['forms']}" in kedro("corpus", "probe", "newsroom")
    raw["relations"]["lived_in"] = {"definition": "Once.", "phrase": "lived in"}
    project.write(RELATIONS, raw)
    refusal = " ".join(kedro("corpus", "probe", "newsroom", code=1).split())
    assert f"other relations than the classifier of {CELL} (lived_in)" in refusal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("newsrom",), "no corpus 'newsrom' (did you mean 'newsroom'?)"),
        (("newsroom",), "newsroom has no classifier yet: kedro run --pipelines demo"),
        (("newsroom", "--classifier", CELL), f"kedro run --to-outputs {CELL}.calibrator"),
        (("newsroom", "--classifier", "x.k8.s13.tkre"), "x.k8.s13.tkre is no cell of newsroom"),
        (("newsroom", "--classifier", "tkre"), "'tkre' is neither a folder nor the name of a"),
        (("newsroom", "--output", "probes.xlsx"), "the name ends with .jsonl or .csv"),
    ],
)
def test_refusals(kedro, arguments, message):
    output = kedro("corpus", "probe", *arguments, code=1)
    assert message in " ".join(output.split())
