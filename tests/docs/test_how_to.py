"""Messages in docs/troubleshooting.md are in the package; the script of docs/how-to.md runs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import yaml

from tests.conftest import ROOT
from tests.docs.markdown import blocks
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import read_corpus

SCHEMA = """
corpus: export
entity_types: [person, company]
relations:
  founded:
    definition: The head founded the tail.
    phrase: founded
    head_types: [person]
    tail_types: [company]
  founder:
    definition: The tail founded the head.
    phrase: was founded by
    head_types: [company]
    tail_types: [person]
  tied:
    definition: The head and the tail are tied.
    phrase: is tied to
"""


def texts() -> str:
    """All texts in the code of the package, with a break where a value is put in."""
    found = []
    for path in (ROOT / "src/tkre").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "\n" for p in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n\n".join(found)


def test_messages_of_the_page_are_those_of_the_package():
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    tables = page.partition("\n## Questions")[0]
    first = [line.split("|")[1] for line in tables.splitlines() if line.startswith("| `")]
    messages = [message for cell in first for message in re.findall(r"`([^`]+)`", cell)]
    known = texts()
    parts = {
        m: [p.strip(" :,") for p in m.split("...") if len(p.strip(" :,")) > 3] for m in messages
    }
    assert len(parts) > 30 and all(parts.values())
    assert [m for m, found in parts.items() if not all(part in known for part in found)] == []


def entity(name: str, start: int, text: str, label: str) -> dict[str, object]:
    value = {"start": start, "end": start + len(text), "text": text, "labels": [label]}
    return {"id": name, "type": "labels", "value": value}


def relation(direction: str, labels: list[str]) -> dict[str, object]:
    return {
        "type": "relation",
        "from_id": "a",
        "to_id": "b",
        "direction": direction,
        "labels": labels,
    }


def test_the_script_for_label_studio_writes_a_corpus(tmp_path):
    text = "Vera Holt founded Tarn Mills in 1921."
    vera = entity("a", 0, "Vera Holt", "Person")
    mills = entity("b", 18, "Tarn Mills", "Company")
    moved = vera | {"value": vera["value"] | {"start": 1}}  # type: ignore[operator]
    right, left = relation("right", ["founded"]), relation("left", ["founder"])
    annotations = [
        {"result": [vera, mills, right, left]},
        {"result": [vera, mills, right], "was_cancelled": True},
        {"result": [vera, mills, relation("right", [])]},
        {"result": [moved, mills, right]},
        {"result": [vera, mills, relation("bi", ["tied"])]},
    ]
    export = tmp_path / "export.json"
    export.write_text(json.dumps([{"id": 7, "data": {"text": text}, "annotations": annotations}]))
    [script] = [b for b in blocks(ROOT / "docs/how-to.md") if b.title == "from_label_studio.py"]
    (tmp_path / "script.py").write_text(script.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py", "export.json"],
        cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stderr.count("task 7: left out: ") == 2
    schema = RelationSchema.parse(yaml.safe_load(SCHEMA), "export")
    params = CorpusParams(format="native", train="train.jsonl")
    rows = read_corpus({"train.jsonl": done.stdout}.__getitem__, schema, params).splits["train"]
    assert [(r.relation, r.head_text, r.tail_text) for r in rows] == [
        ("founded", "Vera Holt", "Tarn Mills"),
        ("founder", "Tarn Mills", "Vera Holt"),
        ("tied", "Vera Holt", "Tarn Mills"),
        ("tied", "Tarn Mills", "Vera Holt"),
    ]
    assert {r.text for r in rows} == {text}
