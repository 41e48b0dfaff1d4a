"""Four sections of docs/how-to.md, typed word for word in a fresh project.

What the page leaves to its reader (definitions, sentences, texts, an export) is written here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from itertools import product

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.markdown import blocks
from tests.serving.process import Service
from tests.smoke_project import Project, newest
from tests.transcripts import commands, typed

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/how-to.md"
RAW, CONF = "data/01_raw/my_relations", "conf/base/experiments_my_relations.yml"
REPORT = "data/08_reporting/my_relations/latest.html"
PEOPLE = ("Ada Holt", "Bram Oke", "Cleo Vance", "Dirk Moor", "Elsa Quint", "Finn Aster",
          "Gwen Tully", "Hugo Brandt")  # fmt: skip
COMPANIES = ("Tarn Mills", "Ostrea Foods", "Pellar Glass", "Quill Press", "Rask Motors",
             "Sorrel Bank", "Tide Ferries", "Umber Paints")  # fmt: skip
# Words between head and tail, and what is behind them; the first words are the trigger.
SAID = {
    "works_for": (
        ("is employed by", "as a night clerk."), ("draws a salary from", "in Leeds."),
        ("took a job at", "after the flood."), ("is an accountant of", "and sings."),
        ("joined the staff of", "last May."), ("keeps the books of", "for a pension."),
        ("serves as foreman at", "in two shifts."), ("was hired by", "to mend the roof."),
    ),
    "owns": (
        ("bought all shares of", "from a cousin."), ("is the proprietor of", "in Hull."),
        ("inherited", "with its debts."), ("holds the majority of", "since the merger."),
        ("took possession of", "at an auction."), ("acquired", "before the war ended."),
        ("is sole owner of", "and three barges."), ("purchased", "with borrowed money."),
    ),
}  # fmt: skip
DEFINITIONS = {
    "works_for": ("The head is a person who is employed by the tail, a company.", "works for"),
    "owns": ("The head is a person to whom the tail, a company, belongs.", "is the owner of"),
}


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    return Project(tmp_path, tiny_backbone)


def row(person: str, words: tuple[str, str], company: str, **keys) -> dict:
    sentence = f"<head>{person}</head> {words[0]} <tail>{company}</tail> {words[1]}"
    return {"sentence": sentence, "head_type": "person", "tail_type": "company"} | keys


def write(project: Project, file: str, rows: list[dict]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (project.folder / file).write_text("".join(lines), encoding="utf-8")


def steps(heading: str) -> list[str]:
    return [command for command, _ in commands(blocks(PAGE, heading))]


def begin(project: Project) -> list[str]:
    """The corpus of the first section; returns the commands behind its making."""
    heading = "8 sentences for each relation"
    make, *others = steps(heading)
    typed(make, project.folder)
    path = project.folder / RAW / "relations.yml"
    relations = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, (definition, phrase) in DEFINITIONS.items():
        relations["relations"][name] = {
            "definition": definition, "phrase": phrase, "head_types": ["person"],
            "tail_types": ["company"],
        }  # fmt: skip
    project.write(f"{RAW}/relations.yml", relations)
    [example] = [b for b in blocks(PAGE, heading) if b.language == "json"]
    rows = [
        row(PEOPLE[n], words, COMPANIES[n - shift], id=f"{name}-{n}", relation=name)
        for shift, (name, said) in enumerate(SAID.items())
        for n, words in enumerate(said)
    ]
    write(project, f"{RAW}/train.jsonl", [json.loads(example.code), *rows[1:]])
    return others


def test_8_sentences_for_each_relation(project):
    for file in (
        "parameters",
        "catalog",
    ):  # the weights of the package: random ones learn too slowly
        project.write(f"conf/smoke/{file}.yml", {})
    validate, doctor, run = begin(project)
    assert "0 errors, 0 warnings" in typed(validate, project.folder)
    assert "spans_golden asks none" in typed(doctor, project.folder)
    assert REPORT in typed(run, project.folder)
    assert (project.folder / REPORT).is_file()


def answer(question: dict, rows: dict[str, dict]) -> dict:
    """A language model's answer to a question of the corpus."""
    kind, _, about, *_ = question["request_id"].split("/")
    if kind == "synthesis":
        written = product(reversed(PEOPLE), SAID[about])
        return {"samples": [
            row(f"Lady {person.split()[0]}", (words[0], "again."), f"{COMPANIES[n % 8]} Ltd")
            | {"triggers": [words[0]]}
            for n, (person, words) in enumerate(written) if n % 9 == 0
        ]}  # fmt: skip
    sentence = rows[question["request_id"].split("/", 2)[2]]["sentence"]
    between = re.search(r"</head> (.*) <tail>", sentence)
    trigger = between[1] if between else "has run"
    if kind == "annotation":
        known = [name for name, said in SAID.items() if trigger in dict(said)]
        return {"relation": known[0], "confidence": 90, "triggers": [trigger]}
    head, tail = re.findall(r">([^<]+)</", sentence)
    why = f'The words "{trigger}" say what joins {head} to {tail}.'
    return {"explanation": why, "triggers": [trigger]}


def test_raw_text_and_a_language_model(project):
    begin(project)
    text = [
        f"{person} {words[0]} {company} {words[1]}"
        for name, said in SAID.items()
        for words, person, company in zip(
            said, reversed(PEOPLE), COMPANIES[3:] + COMPANIES[:3], strict=True
        )
    ]
    (project.folder / "my_text.txt").write_text("\n".join(text), encoding="utf-8")
    names = [f"{n}\tperson" for n in PEOPLE] + [f"{n}\tcompany" for n in COMPANIES]
    (project.folder / "my_names.tsv").write_text("\n".join(names), encoding="utf-8")

    heading = "Raw text and a language model"
    mark, plan, run = steps(heading)
    assert "16 pairs in" in typed(mark, project.folder)
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    variants, annotated = re.findall(r"`((?:variants|annotated): .*?)`", section)
    project.edit(CONF, "variants: [typ_marker, spans_golden]", f"{variants}\n  {annotated}")
    # Without a model that answers, the questions go elsewhere and their answers are pasted.
    ask = "kedro corpus questions my_relations my_questions.jsonl --variant tkre_plus_annotated"
    typed(f"{ask} --annotated {annotated.split()[1]}", project.folder)
    lines = (project.folder / "my_questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {
        found["id"]: found
        for file in ("train.jsonl", "unlabelled.jsonl")
        for found in map(json.loads, (project.folder / RAW / file).read_text("utf-8").splitlines())
    }
    asked = [json.loads(line) for line in lines]
    answers = [{"request_id": q["request_id"], "response": answer(q, rows)} for q in asked]
    write(project, "my_answers.jsonl", answers)
    typed("kedro corpus answers my_relations my_questions.jsonl my_answers.jsonl", project.folder)

    assert f"{len(asked)}" in typed(plan, project.folder)
    assert REPORT in typed(run, project.folder)
    kept = pd.read_csv(newest(project, "04_feature/my_relations/k8/s13/yield.csv"))
    assert kept["kept"].tolist() == kept["wanted"].tolist() == [8] * 4
    labelled = project.folder / "data/04_feature/my_relations/k8a300/s13/annotation_yield.csv"
    assert pd.read_csv(labelled)["kept"].tolist() == [16]


def label_studio() -> list[dict]:
    """Tasks of two sentences and three relations, with an entity that no relation joins."""
    tasks = []
    for n in range(8):
        text, result, relations = "", [], []
        for place, (name, said) in enumerate(SAID.items()):
            person, company = PEOPLE[n], COMPANIES[(n + place) % 8]
            start = len(text)
            guest = PEOPLE[n - 4] if place else ""
            text += f"{person} {said[n][0]} {company} {guest} {said[n][1]} "
            entities = (("person", person), ("company", company), ("guest", guest))
            for kind, surface in entities[: 2 + place]:
                at = text.index(surface, start)
                value = {
                    "start": at,
                    "end": at + len(surface),
                    "labels": ["company" if kind == "company" else "person"],
                    "text": surface,
                }
                result.append({"type": "labels", "id": f"{name}{kind}", "value": value,
                               "from_name": "label", "to_name": "text"})  # fmt: skip
            ends = [f"{name}person", f"{name}company"]
            ends, direction = (ends, "right") if n % 2 else (ends[::-1], "left")
            relations.append({"type": "relation", "from_id": ends[0], "to_id": ends[1],
                              "direction": direction, "labels": [name]})  # fmt: skip
        # Of the two sentences of a text: a pair that no row can hold.
        relations.append({"type": "relation", "from_id": "works_forperson", "labels": ["owns"],
                          "to_id": "ownscompany", "direction": "right"})  # fmt: skip
        annotations = [{"id": n, "was_cancelled": False, "result": result + relations}]
        annotations.append({"id": n + 100, "was_cancelled": True, "result": []})
        tasks.append({"id": n, "data": {"text": text.strip()}, "annotations": annotations})
    return tasks


def test_annotations_of_another_tool(project):
    tasks = json.dumps(label_studio(), ensure_ascii=False)
    (project.folder / "export.json").write_text(tasks, encoding="utf-8")
    text = f"{PEOPLE[0]} met {PEOPLE[1]} at {COMPANIES[0]}."
    ends = [(name, *re.search(name, text).span()) for name in (PEOPLE[0], COMPANIES[0])]
    entities = [{"start": a, "end": b, "label": "x"} for _, a, b in ends]
    write(project, "my_entities.jsonl", [{"text": text, "entities": entities}])

    take, validate, run, pairs, to_tool, to_table = steps("Annotations of another tool")
    imported = typed(take, project.folder)
    assert "read export.json: Label Studio's JSON" in imported
    assert "8 relations left out: its mentions lie in different sentences" in imported
    assert "0 errors" in typed(validate, project.folder)
    ran = typed(run, project.folder)
    # Without scores, the recipe that the experiment lists last.
    best = "kedro corpus probe my_relations --classifier my_relations.k8.s13.spans_golden"
    assert REPORT in ran and ran.endswith(f"Next: {best}\n")
    assert "2 pairs in my_pairs.jsonl" in typed(pairs, project.folder)

    lines = (project.folder / RAW / "train.jsonl").read_text(encoding="utf-8").splitlines()
    labels = Counter(json.loads(line)["relation"] for line in lines)
    assert labels == {"works_for": 8, "owns": 8, "no_relation": 8}
    assert f"{len(lines)} rows in my_rows.json" in typed(to_tool, project.folder)
    assert f"{len(lines)} rows in my_rows.csv" in typed(to_table, project.folder)
    table = pd.read_csv(project.folder / "my_rows.csv")
    assert Counter(table["relation"]) == labels


def test_serve_and_label(project):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")
    pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
    typed(begin(project)[-1], project.folder)
    rows = [row(PEOPLE[0], words, COMPANIES[1]) for said in SAID.values() for words in said]
    pd.DataFrame(rows).to_csv(project.folder / "my_sentences.csv", index=False)
    (project.folder / "mine").mkdir()
    write(project, "mine/sentences.jsonl", rows)

    section = PAGE.read_text(encoding="utf-8").partition("\n## Serve and label\n")[2]
    code = re.findall(r"`(kedro (?:label|classifier) .*?|--classifier .*?)`", section)
    label, by_name, label_folder, serve, export, publish = code[:6]
    labelled = typed(label, project.folder)
    assert f"{by_name.split()[1]}, of the last run" in labelled and "16 answered" in labelled
    table = pd.read_csv(project.folder / "labels.csv")
    assert table["sentence"].tolist() == [found["sentence"] for found in rows]
    label = label.replace("labels.csv", "named.csv")
    typed(f"{label} {by_name}", project.folder)
    assert pd.read_csv(project.folder / "named.csv").equals(table)
    typed(label_folder.replace("<folder> <folder>", "mine labelled"), project.folder)
    [of_folder] = (project.folder / "labelled").glob("*.jsonl")
    assert len(of_folder.read_text(encoding="utf-8").splitlines()) == len(rows)

    with Service(project.started(*shlex.split(serve)[1:], "--port", "0")) as service:
        question = {"sentences": [rows[0]["sentence"]]}
        found = httpx.post(f"{service.url}/predict", json=question, timeout=30)
        assert found.status_code == 200, found.text
    typed(export, project.folder)
    assert (project.folder / "exported/model.onnx").is_file()
    typed(publish, project.folder)
    assert (project.folder / "my_classifier/README.md").is_file()
