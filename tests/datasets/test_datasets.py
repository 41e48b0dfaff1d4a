from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, Version

from tests.generation.chat_server import ChatServer, Reply
from tests.generation.test_protocol import REQUEST
from tests.generation.test_registry import connections, connections_end
from tkre.core.cells import Cell, KShotSample
from tkre.core.provenance import frame_digest, instances_digest
from tkre.datasets.checkpoint import BackboneDataset, CheckpointDataset
from tkre.datasets.corpus import CorpusFolderDataset
from tkre.datasets.instances import InstancesDataset, KnowledgeTextsDataset
from tkre.datasets.llm import LanguageModelsDataset, ResponseStoreDataset
from tkre.datasets.names import NameDataset
from tkre.datasets.records import RecordDataset, ResponsesDataset
from tkre.generation.llm.params import OpenAIParams
from tkre.generation.llm.protocol import Response
from tkre.generation.texts import SUPPORT, knowledge_texts


def test_a_corpus_folder_falls_back_to_the_project(tmp_path):
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


def test_a_store_that_does_not_exist_is_empty_and_writes_itself(tmp_path):
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


def test_a_checkpoint_is_there_whole_or_not_at_all(backbone, tmp_path, monkeypatch):
    path = tmp_path / "encoder"

    def dies(folder):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        raise OSError("disk full")

    from tkre.modeling.checkpoint import Checkpoint

    monkeypatch.setattr(Checkpoint, "save", lambda self, folder: dies(folder))
    with pytest.raises(DatasetError, match="disk full"):
        versioned(path, "2026-01-01T00.00.00.000Z").save(backbone)
    assert not versioned(path, None).exists()


def test_a_checkpoint_without_versions_is_replaced(backbone, tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "encoder"), model="masked_lm")
    dataset.save(backbone)
    dataset.save(backbone)
    assert dataset.load().lineage == backbone.lineage


def test_a_backbone_is_checked_before_it_is_loaded(tiny_backbone):
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


def test_their_key_is_shown_nowhere():
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


def test_releasing_them_closes_what_runs():
    dataset = language_models(api_key="")
    dataset.release()
    with ChatServer(lambda body, tries: Reply("{}")) as server:
        params = OpenAIParams(backend="openai", model="m", base_url=server.url)
        assert next(dataset.load().live(params).generate([REQUEST])).answer == {}
        assert connections() == 1
        dataset.release()
        assert connections_end()


def test_instances_come_back_from_their_file_as_they_were(toy_rows, tmp_path):
    dataset = InstancesDataset(filepath=str(tmp_path / "rows.parquet"))
    for rows in ([*toy_rows, replace(toy_rows[0], id="bare", head_type=None, implicit=True)], []):
        dataset.save(rows)
        assert dataset.load() == rows
        # The digest that enters lineages is that of the file's frame.
        assert instances_digest(rows) == frame_digest(pd.read_parquet(tmp_path / "rows.parquet"))


def test_texts_come_back_from_their_file_as_they_were(toy_rows, schema, tmp_path):
    dataset = KnowledgeTextsDataset(filepath=str(tmp_path / "texts.jsonl"))
    texts = knowledge_texts(toy_rows, [], schema, [SUPPORT])
    for some in (texts, []):
        dataset.save(some)
        assert dataset.load() == some
    dataset.save(texts)
    first = json.loads((tmp_path / "texts.jsonl").read_text().splitlines()[0])
    assert list(first) == ["id", "source", "relation", "text", "heads", "tails", "relations"]


def test_records_come_back_from_their_file_as_they_were(schema, tmp_path):
    path = tmp_path / "schema.json"
    dataset = RecordDataset(filepath=str(path), model="tkre.core.schema.RelationSchema")
    dataset.save(schema)
    assert dataset.load() == schema
    assert json.loads(dataset.preview()) == json.loads(path.read_text())
    path.write_text("{}")
    with pytest.raises(DatasetError, match="RelationSchema"):
        dataset.load()


def test_responses_come_back_from_their_file_as_they_were(tmp_path):
    dataset = ResponsesDataset(filepath=str(tmp_path / "responses.json"))
    responses = [Response("a", answer={"text": "x"}, model="m"), Response("b", reason="timed_out")]
    dataset.save(responses)
    assert dataset.load() == responses
    assert json.loads((tmp_path / "responses.json").read_text())[0]["response"] == {"text": "x"}
