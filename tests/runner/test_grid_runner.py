from __future__ import annotations

import importlib
import logging
import subprocess
import sys
import threading

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from tkre.runner import GridRunner, code
from tkre.runner.run_state import LedgerDataset

ran: list[str] = []
broken: set[str] = set()


def step(name: str, reads: list[str], writes: str) -> Node:
    def run(*given):
        ran.append(name)
        if name in broken:
            raise RuntimeError(name)
        return [min(x if isinstance(x, int) else x[0] for x in given)]

    return Node(run, reads, writes, name=name)


GRID = Pipeline(
    [
        step("a_train", ["rows", "params:a"], "a_model"),
        step("a_score", ["a_model"], "a_scores"),
        step("b_train", ["rows", "params:b"], "b_model"),
        step("b_score", ["b_model"], "b_scores"),
        step("table", ["a_scores", "b_scores"], "summary"),
    ]
)
LIBRARY = """
def train(rows):
    edit()
    return rows

def score(model):
    return model
"""
ALL = ["a_train", "a_score", "b_train", "b_score", "table"]


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    ran.clear()
    broken.clear()
    files = {
        name: JSONDataset(filepath=str(tmp_path / f"{name}.json"))
        for name in {"rows", *GRID.all_outputs()}
    }
    files["rows"].save([7])
    more = {"params:a": MemoryDataset(5), "params:b": MemoryDataset(9)}
    return DataCatalog(files | more | {"ledger": LedgerDataset(filepath=str(tmp_path / "ledger"))})


def again(catalog: DataCatalog, **arguments) -> list[str]:
    ran.clear()
    GridRunner(**arguments).run(GRID, catalog)
    return list(ran)


def test_cell_after_cell_and_nothing_twice(catalog, caplog):
    caplog.set_level(logging.INFO, "tkre")
    assert again(catalog) == ALL
    assert again(catalog) == []
    assert "5 of 5 nodes were up to date" in caplog.text
    assert catalog["summary"].load() == [5]
    assert again(catalog, again=True) == ALL


def test_a_change_is_followed_as_far_as_it_reaches(catalog, caplog):
    caplog.set_level(logging.INFO, "tkre")
    again(catalog)
    catalog["params:b"] = MemoryDataset(6)
    assert again(catalog) == ["b_train", "b_score", "table"]
    assert "b_train (params:b has changed)" in caplog.text
    # Where the result is the same, those that read it stay as they are.
    catalog["rows"].save([8])
    assert again(catalog) == ["a_train", "b_train"]


def test_what_is_missing_is_made_again_and_no_more(catalog, tmp_path):
    again(catalog)
    (tmp_path / "a_model.json").unlink()
    assert again(catalog) == ["a_train"]


@pytest.mark.parametrize(("edited", "value"), [("train", "rows"), ("score", "model")])
def test_a_source_edited_during_a_run_has_not_made_its_outputs(
    catalog, tmp_path, monkeypatch, caplog, edited, value
):
    file = tmp_path / "library_of_nodes.py"
    file.write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    library = importlib.import_module(file.stem)
    # By a user who saves the file while the first node is at work.
    library.edit = lambda: file.write_text(LIBRARY.replace(f"return {value}", f"return {value}[:]"))
    pipeline = Pipeline(
        [
            Node(library.train, "rows", "a_model", name="train"),
            Node(library.score, "a_model", "a_scores", name="score"),
        ]
    )
    caplog.set_level(logging.INFO, "tkre")

    def told() -> list[str]:
        caplog.clear()
        code.forget()  # each run is a process of its own
        GridRunner(workers=1).run(pipeline, catalog)
        return [message for message in caplog.messages if " of 2" in message]

    assert told() == ["1 of 2: train", "2 of 2: score"]
    [rerun, _] = told()
    assert rerun.endswith(f" of 2: {edited} (its code or a library has changed)")
    assert told() == ["2 of 2 nodes were up to date and have not been run"]
    del sys.modules[file.stem]
    code.forget()


def test_a_run_that_broke_goes_on_where_it_broke(catalog):
    broken.add("b_score")
    with pytest.raises(RuntimeError):
        again(catalog)
    assert ran == ["a_train", "a_score", "b_train", "b_score"]
    broken.clear()
    assert again(catalog) == ["b_score", "table"]


def test_without_a_ledger_everything_is_run(catalog):
    del catalog._datasets["ledger"]
    assert again(catalog) == ALL
    assert again(catalog) == ALL


def test_what_another_process_works_on_is_left_to_it(catalog, tmp_path, caplog):
    caplog.set_level(logging.INFO, "tkre")
    other = LedgerDataset(filepath=str(tmp_path / "ledger")).load()
    [a_train] = (node for node in GRID.nodes if node.name == "a_train")

    def works_on_a() -> None:
        with other.claim(a_train) as mine:
            assert mine
            claimed.set()
            finished.wait()
            catalog["a_model"].save([5])
            other.record(a_train, catalog)

    claimed, finished = threading.Event(), threading.Event()
    threading.Timer(1.5, finished.set).start()
    thread = threading.Thread(target=works_on_a)
    thread.start()
    claimed.wait()
    assert again(catalog) == ["b_train", "b_score", "a_score", "table"]
    thread.join()
    assert "waiting for what other processes work on" in caplog.text


def test_a_claim_dies_with_its_process(catalog, tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from kedro.pipeline import Node\n"
        "from tkre.runner.run_state import Ledger\n"
        "node = Node(lambda x: x, 'rows', 'a_model', name='a_train')\n"
        "with Ledger(Path(sys.argv[1])).claim(node) as mine:\n"
        "    print(mine, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "ledger")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert any(line.strip() == "True" for line in process.stdout)
        [a_train] = (node for node in GRID.nodes if node.name == "a_train")
        ledger = LedgerDataset(filepath=str(tmp_path / "ledger")).load()
        with ledger.claim(a_train) as mine:
            assert not mine
        process.kill()
        process.wait()
        with ledger.claim(a_train) as mine:
            assert mine
