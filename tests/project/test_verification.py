"""The scratch folder of ``kedro results verify``; ``tests/slow/test_verify.py`` has whole runs."""

from __future__ import annotations

import threading

from tests.smoke_project import Project
from tkre.generation.llm.lock import changing
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.store import ResponseStore
from tkre.project.verification import _scratch

STORE = "data/02_intermediate/newsroom/responses.jsonl"


def test_answers_are_stored_in_the_project_and_under_its_lock(tiny_backbone, tmp_path):
    project = Project(tmp_path, tiny_backbone)
    store = project.folder / STORE
    with _scratch(project.folder, ["newsroom"]) as folder:
        again = ResponseStore(folder / STORE)
        assert len(again) == 0 and not store.parent.exists()
        again.append(Response("r1", answer={"text": "first"}))
        assert ResponseStore(store).attempts("r1")
        with changing(store):  # a run of the project is writing
            asking = threading.Thread(target=again.append, args=[Response("r2", answer={})])
            asking.start()
            asking.join(timeout=0.3)
            assert not ResponseStore(store).attempts("r2")
        asking.join()
    assert [r.request_id for r in ResponseStore(store).all()] == ["r1", "r2"]
