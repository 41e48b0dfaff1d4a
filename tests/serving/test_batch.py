"""Parquet files are labelled file by file, on one process and on a real Ray cluster."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from tkre.core.instance import to_tagged
from tkre.serving.batch import (
    Labeller,
    PartitionError,
    gpu_share,
    label_here,
    label_on_ray,
    partitions,
)
from tkre.serving.extractor import RelationExtractor

BROKEN = "<head>anna</head> lives here"


@pytest.fixture
def source(toy_rows, tmp_path):
    """Three files of other columns, one in a folder of its own, one with rows that are no good."""
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    frame = pd.DataFrame(
        {"id": [f"t{n}" for n in range(len(toy_rows))],
         "sentence": [to_tagged(row) for row in toy_rows],
         "head_type": [row.head_type for row in toy_rows],
         "tail_type": [row.tail_type for row in toy_rows]}
    )  # fmt: skip
    frame.iloc[:7].to_parquet(folder / "a.parquet")
    frame.iloc[7:].drop(columns="id").to_parquet(folder / "b.parquet")
    bad = pd.DataFrame({"sentence": [BROKEN, None, frame["sentence"][0]], "head_type": "person"})
    bad.to_parquet(folder / "more" / "c.parquet")
    return folder


def labels(target, file):
    return pd.read_parquet(target / file)


def test_rows_have_a_label_or_a_problem(classifier_folder, source, toy_rows, tmp_path):
    target = tmp_path / "out"
    done = list(label_here(Labeller(str(classifier_folder), rows=3), partitions(source, target)))
    assert [(d.file, d.rows, d.problems) for d in done] == [
        ("a.parquet", 7, 0), ("b.parquet", len(toy_rows) - 7, 0), ("c.parquet", 3, 2),
    ]  # fmt: skip
    expected = RelationExtractor.from_pretrained(classifier_folder)(toy_rows)
    a, b, c = (labels(target, f) for f in ("a.parquet", "b.parquet", "more/c.parquet"))
    assert [*a["answer"], *b["answer"]] == [p.relation for p in expected]
    assert [*a["probability"], *b["probability"]] == pytest.approx(
        [p.probability for p in expected], abs=1e-5
    )
    assert a["id"].tolist() == [f"t{n}" for n in range(7)]
    assert b["id"].tolist() == [str(n) for n in range(len(b))]  # their places in the file
    assert "<tail> is missing" in c["problem"][0] and "key 'sentence' is missing" in c["problem"][1]
    assert c["answer"].isna().tolist() == [True, True, False]


def test_truncated_rows_are_marked(classifier_folder, source, tmp_path):
    files = partitions(source, tmp_path / "out")
    sentence = "<head>anna</head> lives in <tail>oslo</tail>"
    rows = [sentence, sentence + " then" * 200, BROKEN]
    pd.DataFrame({"sentence": rows}).to_parquet(source / "a.parquet")
    next(label_here(Labeller(str(classifier_folder)), files))
    assert labels(tmp_path / "out", "a.parquet")["truncated"].tolist() == [False, True, None]


def test_memory_holds_one_batch(classifier_folder, source, tmp_path, monkeypatch):
    sizes = []
    label = RelationExtractor.__call__

    def counted(extractor, sentences):
        sizes.append(len(sentences))
        return label(extractor, sentences)

    monkeypatch.setattr(RelationExtractor, "__call__", counted)
    list(label_here(Labeller(str(classifier_folder), rows=3), partitions(source, tmp_path / "out")))
    assert max(sizes) == 3


def test_labelled_files_are_skipped(classifier_folder, source, tmp_path):
    target = tmp_path / "out"
    files = partitions(source, target)
    stopped = label_here(Labeller(str(classifier_folder)), files)
    next(stopped)
    (target / ".b.parquet.unfinished").write_bytes(b"half")  # as a kill leaves it
    again = list(label_here(Labeller(str(classifier_folder)), files))
    assert [d.seconds > 0 for d in again] == [False, True, True]
    assert not list(target.rglob("*.unfinished"))
    pd.DataFrame({"sentence": ["<head>a</head> <tail>b</tail>"]}).to_parquet(source / "a.parquet")
    third = list(label_here(Labeller(str(classifier_folder)), files))
    assert [(d.rows, d.seconds > 0) for d in third[:2]] == [(1, True), (len(labels(
        target, "b.parquet")), False)]  # fmt: skip


def test_files_without_sentences_are_refused(source, tmp_path):
    pd.DataFrame({"id": ["x"]}).to_parquet(source / "d.parquet")
    pd.DataFrame({"sentence": ["x"], "head_typ": ["x"]}).to_parquet(source / "e.parquet")
    with pytest.raises(PartitionError, match=r"d.parquet: no column 'sentence'") as raised:
        partitions(source, tmp_path / "out")
    assert "e.parquet: unknown key 'head_typ' (did you mean 'head_type'?)" in str(raised.value)
    with pytest.raises(PartitionError, match=r"no .parquet file"):
        partitions(tmp_path / "in" / "none", tmp_path / "out")


def test_missing_ray_names_the_extra(classifier_folder, source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeError, match=r"pip install 'tkre\[scale\]'"):
        next(label_on_ray(Labeller(str(classifier_folder)), partitions(source, tmp_path / "o"), 2))


@pytest.mark.parametrize(
    ("gpus", "workers", "share"), [(0, 4, 0), (1, 1, 1), (1, 3, 0.333), (8, 4, 1), (2, 4, 0.5)]
)
def test_workers_share_the_gpus_of_a_cluster(gpus, workers, share):
    assert gpu_share(gpus, workers) == share
    assert gpu_share(gpus, workers) * workers <= gpus


@pytest.mark.slow
def test_two_workers_give_equal_labels(classifier_folder, source, tmp_path):
    pytest.importorskip("ray", reason="needs the extra `scale`")
    here, there = tmp_path / "here", tmp_path / "there"
    one = list(label_here(Labeller(str(classifier_folder)), partitions(source, here)))
    two = list(label_on_ray(Labeller(str(classifier_folder)), partitions(source, there), workers=2))
    assert sorted((d.file, d.rows) for d in one) == sorted((d.file, d.rows) for d in two)
    for file in ("a.parquet", "b.parquet", "more/c.parquet"):
        pd.testing.assert_frame_equal(labels(here, file), labels(there, file), atol=1e-5)


def test_torn_files_are_named(classifier_folder, source, tmp_path):
    whole = (source / "b.parquet").read_bytes()
    (source / "b.parquet").write_bytes(whole[: len(whole) // 2])
    (source / "d.parquet").write_text("id,sentence")
    with pytest.raises(PartitionError) as error:
        partitions(source, tmp_path / "out")
    assert "2 file(s) cannot be labelled" in str(error.value)
    assert all(
        f"{name}.parquet: no Parquet file, or a torn one" in str(error.value) for name in "bd"
    )


def test_a_damaged_page_is_named_with_its_file(classifier_folder, source, tmp_path):
    file = source / "a.parquet"
    content = bytearray(file.read_bytes())
    content[4:60] = b"\xff" * 56  # the first page; the schema at the end is whole
    file.write_bytes(content)
    with pytest.raises(PartitionError, match=r"a\.parquet is damaged behind row 0"):
        list(label_here(Labeller(str(classifier_folder)), partitions(source, tmp_path / "out")))
    assert not (tmp_path / "out/a.parquet").exists()
