"""What kedro-viz shows of the project's own datasets."""

from __future__ import annotations

import inspect
import json

import pandas as pd
import pytest

from tests.conftest import instance
from tkre.datasets.checkpoint import BackboneDataset, CheckpointDataset
from tkre.datasets.corpus import CorpusFolderDataset
from tkre.datasets.instances import InstancesDataset
from tkre.datasets.llm import ResponseStoreDataset
from tkre.datasets.names import NameDataset
from tkre.datasets.table import TableDataset
from tkre.generation.llm.protocol import Response


def table(preview: dict) -> list[dict[str, object]]:
    json.dumps(preview, allow_nan=False)  # it is sent as JSON
    assert len(preview["index"]) == len(preview["data"])
    return [dict(zip(preview["columns"], row, strict=True)) for row in preview["data"]]


@pytest.mark.parametrize(
    ("dataset", "kind"),
    [(CheckpointDataset, "JSONPreview"), (BackboneDataset, "JSONPreview"),
     (NameDataset, "JSONPreview"), (CorpusFolderDataset, "TablePreview"),
     (ResponseStoreDataset, "TablePreview"), (InstancesDataset, "TablePreview"),
     (TableDataset, "TablePreview")],
)  # fmt: skip
def test_kedro_viz_knows_each_kind_by_the_name_of_its_type(dataset, kind):
    annotation = inspect.signature(dataset.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == kind


def test_a_checkpoint_shows_its_lineage(backbone, tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "encoder"), model="masked_lm")
    dataset.save(backbone)
    shown = json.loads(dataset.preview())
    assert shown["backbone"] == "tiny" and shown["digest"] == backbone.lineage.weights[:12]


def test_a_backbone_shows_what_is_here_of_it(tiny_backbone):
    here = BackboneDataset(name="tiny", source=str(tiny_backbone))
    assert json.loads(here.preview())["architecture"] == "BertForMaskedLM"
    assert str(tiny_backbone) not in here.preview()
    named = BackboneDataset(name="roberta-large", source="roberta-large")
    assert json.loads(named.preview()) == {"name": "roberta-large", "sha256": None}


def test_a_name_shows_its_parts():
    shown = json.loads(NameDataset(cell="a.k8x4.s13.tkre").preview())
    assert shown["variant"] == "tkre" and shown["sample"]["synthetic"] == 4


def test_a_corpus_shows_its_relations_and_no_sentence(newsroom):
    dataset = CorpusFolderDataset(name="newsroom", filepath=str(newsroom))
    rows = {row["relation"]: row for row in table(dataset.preview())}
    assert len(rows) == 11 and rows["no_relation"]["negative"] is True
    assert rows["born_in"]["head_types"] == "person"
    first = json.loads((newsroom / "train.jsonl").read_text().splitlines()[0])
    assert first["sentence"][:30] not in json.dumps(dataset.preview())


def test_a_store_shows_its_last_attempts_the_newest_first(tmp_path, monkeypatch):
    dataset = ResponseStoreDataset(filepath=str(tmp_path / "r.jsonl"))
    assert table(dataset.preview()) == []
    store = dataset.load()
    store.append(Response("a", reason="timed_out", error="no answer"))
    for n in range(12):
        store.append(Response(f"b{n}", answer={"text": "x" * 900}, model="m"))
    rows = table(dataset.preview(nrows=13))
    assert [row["request_id"] for row in rows] == [*(f"b{n}" for n in range(11, -1, -1)), "a"]
    assert rows[0]["answer"].endswith("…") and len(rows[0]["answer"]) < 250
    assert rows[-1]["reason"] == "timed_out" and rows[-1]["answer"] is None
    assert len(table(dataset.preview(nrows=3))) == 3
    # Of a large file the end is read, and a line that is cut or torn is passed over.
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write('{"request_id": "torn", "resp')
    monkeypatch.setattr("tkre.datasets.llm.TAIL", 2500)
    assert [row["request_id"] for row in table(dataset.preview())] == ["b11", "b10"]


def test_a_table_shows_few_digits_and_nothing_where_there_is_no_value(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "summary.csv"))
    frame = pd.DataFrame({"variant": ["tkre", "base"], "mean": [79.68253968253968, 0.0128519],
                          "difference": [1.4919096, None], "seeds": [1, 10234],
                          "filtered": [False, True]})  # fmt: skip
    dataset.save(frame)
    assert table(dataset.preview()) == [
        {"variant": "tkre", "mean": 79.68, "difference": 1.492, "seeds": 1, "filtered": False},
        {"variant": "base", "mean": 0.01285, "difference": "", "seeds": 10234, "filtered": True},
    ]
    assert len(table(dataset.preview(nrows=1))) == 1
    assert dataset.load()["mean"][0] == frame["mean"][0]  # the file keeps them all


def test_instances_are_shown_with_tags_and_without_empty_columns(tmp_path):
    dataset = InstancesDataset(filepath=str(tmp_path / "rows.parquet"))
    tagged = "<head>Ada</head> was born in <tail>London</tail>."
    dataset.save([instance(tagged, "born_in", id="a", triggers=("born", "in"))] * 3)
    rows = table(dataset.preview(nrows=2))
    assert rows == [
        {"id": "a", "relation": "born_in", "sentence": tagged, "triggers": "born, in"}
    ] * 2  # fmt: skip
