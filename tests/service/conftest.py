from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")

from tests.training.test_finetuning import SPANS, run
from tkre.extractor import RelationExtractor

SENTENCE = "<head>anna</head> lives in the old <tail>oslo</tail> ."


@pytest.fixture(scope="session")
def folder(backbone, toy_rows, schema, trust_of, tmp_path_factory) -> Path:
    """A classifier with its trust record and its schema beside the weights."""
    classifier, _ = run(backbone, toy_rows, schema, SPANS)
    path = tmp_path_factory.mktemp("served")
    classifier.save(path)
    (path / "trust.json").write_text(trust_of(path, toy_rows).model_dump_json())
    raw = json.loads(schema.model_dump_json())
    (path / "relations.yml").write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture(scope="session")
def extractor(folder) -> RelationExtractor:
    return RelationExtractor.from_pretrained(folder, wanted_precision=0.5)
