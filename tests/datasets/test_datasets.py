from __future__ import annotations

import inspect
import json
from dataclasses import replace

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, Version

from tests.conftest import instance
from tests.generation.chat_server import ChatServer, Reply
from tests.generation.test_protocol import REQUEST
from tests.generation.test_registry import connections, connections_end
from tkre.core.cells import Cell, KShotSample
from tkre.core.provenance import frame_digest, instances_digest
from tkre.datasets.checkpoint import BackboneDataset, CheckpointDataset
from tkre.datasets.corpus import CorpusFolderDataset, NameDataset
from tkre.datasets.files import (
    AnnotationsDataset,
    InstancesDataset,
    KnowledgeTextsDataset,
    RecordDataset,
    ResponsesDataset,
    TableDataset,
)
from tkre.datasets.llm import LanguageModelsDataset, ResponseStoreDataset
from tkre.datasets.rows import RowsDataset
from tkre.datasets.versions import Catalog
from tkre.generation.annotation import Annotation
from tkre.generation.llm.params import OpenAIParams
from tkre.generation.llm.protocol import Response
from tkre.generation.texts import SUPPORT, knowledge_texts


def test_corpus_folder_falls_back_to_the_project(tmp_path):
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped/relations.yml").write_text("corpus: c")
    dataset = CorpusFolderDataset(
        name="c", filepath=str(tmp_path / "given"),
        fallback={"filepath": str(tmp_path / "shipped")}, metadata={"kedro-viz": {"layer": "raw"}},
    )  # fmt: skip
    assert dataset.exists()
    assert dataset.load().read("relations.yml") == "corpus: c"
    assert not CorpusFolderDataset(name="c", filepath=str(tmp_path / "given")).exists()
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save("anything")


def test_missing_store_is_empty_and_writes_itself(tmp_path):
    dataset = ResponseStoreDataset(filepath=str(tmp_path / "r.jsonl"))
    assert not dataset.exists() and len(dataset.load()) == 0
    dataset.load().append(Response("a", answer={}))
    assert dataset.exists() and len(dataset.load()) == 1
    other = ResponseStoreDataset(
        filepath=str(tmp_path / "none.jsonl"), fallback={"filepath": str(tmp_path / "r.jsonl")}
    )
    assert len(other.load()) == 1
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save("anything")


def test_names():
    assert NameDataset(sample="a.k8x4.s13").load() == KShotSample("a", 8, 13, 4)
    assert NameDataset(cell="a.k8.s13.tkre").load() == Cell(KShotSample("a", 8, 13), "tkre")
    assert NameDataset(sample="a.k8.s13").exists()
    name = NameDataset(text="demo")
    assert name.load() == name.digest(None) == "demo"


def versioned(path, save):
    return CheckpointDataset(filepath=str(path), model="masked_lm", version=Version(None, save))


def test_checkpoints_have_versions_and_the_newest_is_loaded(backbone, tmp_path):
    path = tmp_path / "encoder"
    first = versioned(path, "2026-01-01T00.00.00.000Z")
    assert not first.exists()
    first.save(backbone)
    assert first.exists()
    versioned(path, "2026-02-01T00.00.00.000Z").save(backbone)
    newest = versioned(path, None)
    assert newest.resolve_load_version() == "2026-02-01T00.00.00.000Z"
    assert newest.load().lineage == backbone.lineage
    with pytest.raises(DatasetError):  # a version is never written twice
        versioned(path, "2026-02-01T00.00.00.000Z").save(backbone)


def test_checkpoint_is_saved_atomically(backbone, tmp_path, monkeypatch):
    path = tmp_path / "encoder"

    def dies(folder):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        raise OSError("disk full")

    from tkre.modeling.checkpoint import Checkpoint

    monkeypatch.setattr(Checkpoint, "save", lambda self, folder: dies(folder))
    catalog = Catalog({"encoder": versioned(path, "2026-01-01T00.00.00.000Z")})
    with pytest.raises(DatasetError, match="disk full"):
        catalog.save("encoder", backbone)
    assert not versioned(path, None).exists() and not [*tmp_path.rglob("config.json")]


def test_checkpoint_without_versions_is_replaced(backbone, tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "encoder"), model="masked_lm")
    catalog = Catalog({"encoder": dataset})
    catalog.save("encoder", backbone)
    (tmp_path / "encoder/old.bin").touch()
    catalog.save("encoder", backbone)
    assert dataset.load().lineage == backbone.lineage
    assert not (tmp_path / "encoder/old.bin").exists()


def test_backbone_digest_is_checked(tiny_backbone):
    good = BackboneDataset(name="tiny", source=str(tiny_backbone))
    good.check()
    assert good.load().lineage.backbone == "tiny"
    bad = BackboneDataset(name="tiny", source=str(tiny_backbone), sha256="00")
    with pytest.raises(RuntimeError, match="not 00"):
        bad.check()
    with pytest.raises(DatasetError, match="not 00"):
        bad.load()
    with pytest.raises(DatasetError, match="read-only"):
        good.save("anything")


def language_models(**credentials) -> LanguageModelsDataset:
    return LanguageModelsDataset(credentials=credentials, metadata={"kedro-viz": {}})


def test_all_nodes_share_the_language_models():
    dataset = language_models(api_key="k")
    assert dataset.load() is dataset.load()
    assert dataset.exists()
    assert LanguageModelsDataset().load() is not dataset.load()
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save("anything")


def test_key_is_not_shown():
    config = {"type": "tkre.datasets.llm.LanguageModelsDataset", "credentials": "l"}
    catalog = DataCatalog.from_config(
        {"language_models": config}, {"l": {"api_key": "sk-very-secret"}}
    )
    dataset = catalog.get("language_models")
    models = dataset.load()
    model = models.live(OpenAIParams(backend="openai", model="m"))
    model.check()  # it has the key
    for shown in (dataset, models, model, catalog):
        assert "secret" not in f"{shown!s} {shown!r}"
    assert "secret" not in str(dataset._describe())


def test_release_closes_language_models():
    dataset = language_models(api_key="")
    dataset.release()
    with ChatServer(lambda body, tries: Reply("{}")) as server:
        params = OpenAIParams(backend="openai", model="m", base_url=server.url)
        assert next(dataset.load().live(params).generate([REQUEST])).answer == {}
        assert connections() == 1
        dataset.release()
        assert connections_end()


def test_instances_round_trip(toy_rows, tmp_path):
    dataset = InstancesDataset(filepath=str(tmp_path / "rows.parquet"))
    for rows in ([*toy_rows, replace(toy_rows[0], id="bare", head_type=None, implicit=True)], []):
        dataset.save(rows)
        assert dataset.load() == rows
        # The digest that enters lineages is that of the file's frame.
        assert instances_digest(rows) == frame_digest(pd.read_parquet(tmp_path / "rows.parquet"))


def test_knowledge_texts_round_trip(toy_rows, schema, tmp_path):
    dataset = KnowledgeTextsDataset(filepath=str(tmp_path / "texts.jsonl"))
    texts = knowledge_texts(toy_rows, [], schema, [SUPPORT])
    for some in (texts, []):
        dataset.save(some)
        assert dataset.load() == some
    dataset.save(texts)
    first = json.loads((tmp_path / "texts.jsonl").read_text().splitlines()[0])
    assert list(first) == ["id", "source", "relation", "text", "heads", "tails", "relations"]


def test_records_round_trip(schema, tmp_path):
    path = tmp_path / "schema.json"
    dataset = RecordDataset(filepath=str(path), model="tkre.core.schema.RelationSchema")
    dataset.save(schema)
    assert dataset.load() == schema
    assert json.loads(dataset.preview()) == json.loads(path.read_text())
    path.write_text("{}")
    with pytest.raises(DatasetError, match="RelationSchema"):
        dataset.load()


def test_responses_round_trip(tmp_path):
    dataset = ResponsesDataset(filepath=str(tmp_path / "responses.json"))
    responses = [Response("a", answer={"text": "x"}, model="m"), Response("b", reason="timed_out")]
    dataset.save(responses)
    assert dataset.load() == responses
    assert json.loads((tmp_path / "responses.json").read_text())[0]["response"] == {"text": "x"}


def test_annotations_round_trip(tmp_path):
    dataset = AnnotationsDataset(filepath=str(tmp_path / "annotated.parquet"))
    row = instance("<head>Ada</head> knows <tail>Bo</tail>.", "knows", triggers=("knows",))
    annotations = [Annotation(row, 0.9), Annotation(replace(row, id="b", triggers=()), 0.0)]
    dataset.save(annotations)
    assert dataset.load() == annotations
    with pytest.raises(DatasetError, match="confidence"):
        dataset.save([Annotation(row, 90.0)])


def table(preview: dict) -> list[dict[str, object]]:
    json.dumps(preview, allow_nan=False)  # it is sent as JSON
    assert len(preview["index"]) == len(preview["data"])
    return [dict(zip(preview["columns"], row, strict=True)) for row in preview["data"]]


@pytest.mark.parametrize(
    ("dataset", "kind"),
    [(CheckpointDataset, "JSONPreview"), (BackboneDataset, "JSONPreview"),
     (CorpusFolderDataset, "TablePreview"),
     (ResponseStoreDataset, "TablePreview"), (InstancesDataset, "TablePreview"),
     (TableDataset, "TablePreview")],
)  # fmt: skip
def test_preview_types_are_those_of_kedro_viz(dataset, kind):
    annotation = inspect.signature(dataset.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == kind


def test_preview_of_a_checkpoint(backbone, tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "encoder"), model="masked_lm")
    dataset.save(backbone)
    shown = json.loads(dataset.preview())
    assert shown["backbone"] == "tiny" and shown["digest"] == backbone.lineage.weights[:12]


def test_preview_of_a_backbone(tiny_backbone):
    here = BackboneDataset(name="tiny", source=str(tiny_backbone))
    assert json.loads(here.preview())["architecture"] == "BertForMaskedLM"
    assert str(tiny_backbone) not in here.preview()
    named = BackboneDataset(name="roberta-large", source="roberta-large")
    assert json.loads(named.preview()) == {"name": "roberta-large", "sha256": None}


def test_preview_of_a_corpus_has_no_sentence(newsroom):
    dataset = CorpusFolderDataset(name="newsroom", filepath=str(newsroom))
    rows = {row["relation"]: row for row in table(dataset.preview())}
    assert len(rows) == 11 and rows["no_relation"]["negative"] is True
    assert rows["born_in"]["head_types"] == "person"
    first = json.loads((newsroom / "train.jsonl").read_text().splitlines()[0])
    assert first["sentence"][:30] not in json.dumps(dataset.preview())


def test_preview_of_a_store_has_the_newest_attempts(tmp_path, monkeypatch):
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


def test_preview_of_a_table_is_rounded(tmp_path):
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


def test_any_text_is_the_name_of_a_relation_in_a_table(tmp_path):
    names = ["NA", "null", "no", "part of / whole", "a: b", "<b>", "1"]
    frame = pd.DataFrame({"relation": names, "note": [None, *"abcdef"], "f1": [float("nan")] * 7})
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"))
    dataset.save(frame)
    read = dataset.load()
    assert read["relation"].tolist() == names
    assert read["note"].isna().tolist() == [True] + [False] * 6 and read["f1"].isna().all()
    dataset.save(frame.assign(relation=[str(n) for n in range(7)]))
    assert dataset.load()["relation"].tolist() == ["0", "1", "2", "3", "4", "5", "6"]


def test_rows_round_trip_and_have_versions(tmp_path):
    rows = [{"id": "1", "year": 1999, "spans": [1, 2]}, {"id": "2", "year": None, "spans": None}]
    dataset = RowsDataset(filepath=str(tmp_path / "rows.jsonl"), version=Version(None, "v1"))
    assert not dataset.exists()
    dataset.save(rows)
    assert dataset.exists()
    assert dataset.load() == [("line 1", rows[0]), ("line 2", rows[1])]
    assert dataset.preview()["data"][0] == ["1", 1999, [1, 2]]


def test_preview_of_instances_is_tagged(tmp_path):
    dataset = InstancesDataset(filepath=str(tmp_path / "rows.parquet"))
    tagged = "<head>Ada</head> was born in <tail>London</tail>."
    dataset.save([instance(tagged, "born_in", id="a", triggers=("born", "in"))] * 3)
    rows = table(dataset.preview(nrows=2))
    assert rows == [
        {"id": "a", "relation": "born_in", "sentence": tagged, "triggers": "born, in"}
    ] * 2  # fmt: skip
