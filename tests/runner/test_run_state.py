from __future__ import annotations

import json

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset, Version
from kedro.pipeline import Node
from kedro_datasets.json import JSONDataset

from tkre.datasets.versions import ChangedInput, unpin
from tkre.runner import code
from tkre.runner.ray import run_node
from tkre.runner.run_state import Kept, Ledger, LedgerDataset


def double(rows, factor):
    return [row * factor for row in rows]


NODE = Node(double, ["rows", "params:factor"], "doubled", name="toy.double")


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    catalog = DataCatalog(
        {
            "rows": JSONDataset(filepath=str(tmp_path / "rows.json")),
            "params:factor": MemoryDataset(2),
            "doubled": JSONDataset(
                filepath=str(tmp_path / "doubled.json"), version=Version(None, "2026-01-01")
            ),
        }
    )
    catalog["rows"].save([1, 2])
    return catalog


@pytest.fixture
def ledger(tmp_path, catalog) -> Ledger:
    """With the record of one run."""
    ledger = Ledger(tmp_path / "ledger")
    catalog["doubled"].save([2, 4])
    ledger.record(NODE, catalog)
    return ledger


def test_what_has_not_changed_is_up_to_date(ledger, catalog, tmp_path):
    assert ledger.reason_to_run(NODE, catalog) is None
    assert Ledger(tmp_path / "ledger").reason_to_run(NODE, catalog) is None  # another process


def test_the_same_content_written_anew_is_no_change(ledger, catalog):
    catalog["rows"].save([1, 2])
    assert ledger.reason_to_run(NODE, catalog) is None


def test_reasons_name_what_has_changed(ledger, catalog, monkeypatch, tmp_path):
    ledger.kept.clear()  # as in the next run
    catalog["rows"].save([1, 3])
    assert ledger.reason_to_run(NODE, catalog) == "rows has changed"
    catalog["rows"].save([1, 2])
    catalog["params:factor"] = MemoryDataset(3)
    assert ledger.reason_to_run(NODE, catalog) == "params:factor has changed"
    catalog["params:factor"] = MemoryDataset(2)
    with monkeypatch.context() as patched:
        patched.setattr(code.CodeDigests, "of_function", lambda self, function: "other")
        assert "its code" in ledger.reason_to_run(NODE, catalog)
    [written] = (tmp_path / "doubled.json").rglob("doubled.json")
    written.write_text("[2, 5]")
    assert ledger.reason_to_run(NODE, catalog) == "doubled is not what it wrote"
    written.unlink()
    assert ledger.reason_to_run(NODE, catalog) == "doubled is not there"


def test_a_newer_version_is_not_read_by_this_run_and_not_what_it_wrote_for_the_next(
    ledger, catalog, tmp_path
):
    newer = tmp_path / "doubled.json" / "2026-01-02" / "doubled.json"
    newer.parent.mkdir()
    newer.write_text("[0]")
    assert ledger.reason_to_run(NODE, catalog) is None
    assert catalog.load("doubled") == [2, 4]
    unpin(catalog["doubled"])  # as in a catalog of another run
    next_run = Ledger(tmp_path / "ledger")
    assert next_run.reason_to_run(NODE, catalog) == "doubled is not what it wrote"


def test_what_changes_while_a_node_runs_stops_the_run(ledger, catalog, tmp_path):
    def run(reason):
        assert reason == "wanted again"
        catalog["rows"].save([1, 3])

    assert ledger.bring_up_to_date(NODE, catalog, run) is None
    with pytest.raises(ChangedInput, match=r"rows \(.*rows.json\) has changed since this run"):
        ledger.bring_up_to_date(NODE, catalog, run, again=True)
    assert Ledger(tmp_path / "ledger").reason_to_run(NODE, catalog) == "rows has changed"


def test_what_a_run_has_made_and_another_replaced_stops_it(ledger, catalog):
    assert ledger.reason_to_run(NODE, catalog) is None
    catalog["rows"].save([5])
    reader = Node(double, ["rows", "params:factor"], "other", name="toy.reader")
    with pytest.raises(ChangedInput, match="Run it again"):
        ledger.bring_up_to_date(reader, catalog, print)


def test_a_worker_of_ray_takes_and_gives_what_the_run_has_made(ledger, catalog, tmp_path):
    entries = {name: catalog[name] for name in ("rows", "params:factor", "doubled")}
    entries["ledger"] = LedgerDataset(filepath=str(tmp_path / "ledger"))
    reason, kept = run_node(NODE, entries, again=False, kept={})
    assert reason is None and kept["doubled"].version == "2026-01-01"
    assert kept["rows"].version is None
    with pytest.raises(ChangedInput, match="rows"):
        run_node(NODE, entries, again=False, kept={"rows": Kept(None, "of another content")})


def test_inputs_that_cannot_be_compared_are_read_anew(ledger, catalog):
    catalog["rows"] = MemoryDataset([1, 2])
    assert ledger.reason_to_run(NODE, catalog) == "rows is read anew every time"


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", "{}", "[" * 10_000, '{"code": 1, "inputs": {}, "outputs": {}}',
               '{"code": "a", "inputs": [], "outputs": {}}'],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_none(ledger, catalog, tmp_path, damage):
    (tmp_path / "ledger/toy.double.json").write_text(damage)
    assert ledger.reason_to_run(NODE, catalog) == "nothing is known of the run that made it"


def test_records_are_readable_and_whole(ledger, tmp_path):
    [file] = (tmp_path / "ledger").glob("*.json")
    record = json.loads(file.read_text())
    assert record["node"] == "toy.double"
    assert set(record["inputs"]) == {"rows", "params:factor"}


def test_what_was_made_is_known_by_its_last_part(ledger, catalog, tmp_path):
    catalog["more.doubled"] = JSONDataset(filepath=str(tmp_path / "more.json"))
    catalog["more.doubled"].save([2, 4])
    later = Node(double, ["rows", "params:factor"], "more.doubled", name="toy.more")
    ledger.record(later, catalog)
    assert Ledger(tmp_path / "ledger").made("doubled") == {"doubled", "more.doubled"}
    assert not ledger.made("more")


def test_the_catalog_entry(tmp_path):
    dataset = LedgerDataset(filepath=str(tmp_path / "none"))
    assert isinstance(dataset.load(), Ledger)
    assert dataset.exists()
    with pytest.raises(DatasetError):
        dataset.save(None)
