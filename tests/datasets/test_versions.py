"""What a catalog saves is seen whole, and is the newest, whatever the clock says."""

from __future__ import annotations

import pytest
from kedro.io import DatasetError, Version
from kedro_datasets.json import JSONDataset

from tkre.corpora.row_files import TableError
from tkre.datasets.rows import RowsDataset
from tkre.datasets.versions import Catalog, pin, unpin

FIRST = "2026-05-01T10.00.00.000Z"


def catalog(tmp_path, version: str | None) -> Catalog:
    named = None if version is None else Version(None, version)
    dataset = JSONDataset(filepath=str(tmp_path / "scores.json"), version=named)
    return Catalog({"scores": dataset})


def versions(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "scores.json").iterdir())


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("2026-05-01T10.00.00.001Z", "2026-05-01T10.00.00.001Z"),
        ("2026-04-01T10.00.00.000Z", "2026-05-01T10.00.00.001Z"),  # a month behind
        (FIRST, "2026-05-01T10.00.00.001Z"),
    ],
)
def test_what_is_saved_last_is_the_newest(tmp_path, clock, expected):
    catalog(tmp_path, FIRST).save("scores", [1])
    later = catalog(tmp_path, clock)
    later.save("scores", [2])
    assert versions(tmp_path) == [FIRST, expected]
    assert catalog(tmp_path, clock).load("scores") == [2]


def test_a_version_in_the_future_is_said(tmp_path, caplog):
    catalog(tmp_path, "2999-12-31T23.59.59.999Z").save("scores", [1])
    catalog(tmp_path, FIRST).save("scores", [2])
    assert versions(tmp_path)[-1] == "3000-01-01T00.00.00.000Z"
    assert "later than the clock of this machine" in caplog.text


def test_a_name_that_somebody_chose_is_followed_too(tmp_path):
    catalog(tmp_path, "best").save("scores", [1])
    catalog(tmp_path, FIRST).save("scores", [2])
    assert versions(tmp_path) == ["best", "best_"]
    assert catalog(tmp_path, FIRST).load("scores") == [2]


def test_a_catalog_loads_what_it_has_saved_itself(tmp_path):
    mine, other = catalog(tmp_path, FIRST), catalog(tmp_path, FIRST)
    mine.save("scores", [1])
    other.save("scores", [2])
    assert mine.load("scores") == [1] and other.load("scores") == [2]
    unpin(mine["scores"])
    assert pin(mine["scores"]) == "2026-05-01T10.00.00.001Z" and mine.load("scores") == [2]


@pytest.mark.parametrize("version", [FIRST, None])
def test_what_could_not_be_saved_is_not_there_and_what_was_there_stays(tmp_path, version):
    before = catalog(tmp_path, version)
    before.save("scores", [1])
    with pytest.raises(DatasetError):
        catalog(tmp_path, version).save("scores", {"a": object()})
    assert catalog(tmp_path, version).load("scores") == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_what_a_killed_process_left_is_not_read_and_goes_with_the_next_save(tmp_path):
    left = tmp_path / ".scores.json.unfinished/scores.json/9999/scores.json"
    left.parent.mkdir(parents=True)
    left.write_text("[")
    with pytest.raises(DatasetError, match="find any versions"):
        catalog(tmp_path, FIRST).load("scores")
    catalog(tmp_path, FIRST).save("scores", [1])
    assert versions(tmp_path) == [FIRST] and not left.parents[2].exists()


def test_a_file_of_the_time_before_it_had_versions_is_replaced(tmp_path):
    catalog(tmp_path, None).save("scores", [1])
    catalog(tmp_path, FIRST).save("scores", [2])
    assert catalog(tmp_path, FIRST).load("scores") == [2]


def test_what_a_dataset_refuses_in_words_is_raised_as_it_is(
    tmp_path,
):
    (tmp_path / "rows.csv").write_text("id,id\n")
    (tmp_path / "torn.json").write_text("{")
    datasets = Catalog(
        {
            "rows": RowsDataset(filepath=str(tmp_path / "rows.csv")),
            "torn": JSONDataset(filepath=str(tmp_path / "torn.json")),
        }
    )
    with pytest.raises(TableError, match=r"^\S*rows.csv, line 1: column 'id' stands twice"):
        datasets.load("rows")
    with pytest.raises(DatasetError, match=r"torn\.json"):
        datasets.load("torn")
