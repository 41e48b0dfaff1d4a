from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")

from tkre.serving.extractor import RelationExtractor, save_artifacts

SENTENCE = "<head>anna</head> lives in the old <tail>oslo</tail> ."


@pytest.fixture(scope="session")
def folder(classifier_folder, toy_rows, schema, calibrator_of, tmp_path_factory) -> Path:
    """A classifier with its calibrator record and its schema beside the weights."""
    path = tmp_path_factory.mktemp("served")
    shutil.copytree(classifier_folder, path, dirs_exist_ok=True)
    record = tmp_path_factory.mktemp("calibrator") / "trust.json"
    record.write_text(calibrator_of(path, toy_rows).model_dump_json())
    save_artifacts(path, record, schema)
    return path


@pytest.fixture(scope="session")
def extractor(folder) -> RelationExtractor:
    return RelationExtractor.from_pretrained(folder, wanted_precision=0.5)
