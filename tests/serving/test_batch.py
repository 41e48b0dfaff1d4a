"""Files are labelled one by one, in any format, on one process and on a real Ray cluster."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from tkre.core.instance import to_tagged
from tkre.corpora.row_files import TableError
from tkre.serving.batch import (
    COUNTS,
    Labeller,
    gpu_share,
    label_here,
    label_on_ray,
    partitions,
    passed_over,
)
from tkre.serving.extractor import RelationExtractor
from tkre.serving.labelling import Counts, require_labelled

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
    assert [(d.counts.rows, d.counts.not_read) for d in done] == [
        (7, 0), (len(toy_rows) - 7, 0), (3, 2),
    ]  # fmt: skip
    assert done[2].counts.problems[0].startswith("row 1: ")
    expected = RelationExtractor.from_pretrained(classifier_folder)(toy_rows)
    a, b, c = (labels(target, f) for f in ("a.parquet", "b.parquet", "more/c.parquet"))
    assert [*a["answer"], *b["answer"]] == [p.relation for p in expected]
    assert [*a["probability"], *b["probability"]] == pytest.approx(
        [p.probability for p in expected], abs=1e-5
    )
    assert a["id"].tolist() == [f"t{n}" for n in range(7)]
    assert b["id"].tolist() == [f"row-{n + 1}" for n in range(len(b))]  # their places
    assert [*a.columns[:5]] == ["id", "sentence", "head_type", "tail_type", "answer"]
    assert a.filter(like="p.").sum(axis=1).tolist() == pytest.approx([1.0] * 7, abs=1e-5)
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
    (target / "b.parquet").write_bytes(b"half")  # another program's
    (target / f"b.parquet{COUNTS}").write_text("{}")
    again = list(label_here(Labeller(str(classifier_folder)), files))
    assert [d.seconds > 0 for d in again] == [False, True, True]
    assert not list(target.rglob(".*"))
    pd.DataFrame({"sentence": ["<head>a</head> <tail>b</tail>"]}).to_parquet(source / "a.parquet")
    third = list(label_here(Labeller(str(classifier_folder)), files))
    assert [(d.counts.rows, d.seconds > 0) for d in third[:2]] == [
        (1, True), (len(labels(target, "b.parquet")), False),
    ]  # fmt: skip
    assert third[1].counts == again[1].counts


def test_another_schema_beside_the_weights_labels_again(folder, source, tmp_path):
    """It says which types are refused."""
    own = shutil.copytree(folder, tmp_path / "classifier")
    labeller = Labeller(str(own))
    before = labeller.stamp(source / "a.parquet")
    assert labeller.stamp(source / "a.parquet") == before
    schema = own / "relations.yml"
    schema.write_text(schema.read_text("utf-8") + "# as it was\n", encoding="utf-8")
    assert labeller.stamp(source / "a.parquet") != before


def test_files_without_sentences_are_refused(source, tmp_path):
    pd.DataFrame({"id": ["x"]}).to_parquet(source / "d.parquet")
    pd.DataFrame({"sentence": ["x"], "head_typ": ["x"]}).to_parquet(source / "e.parquet")
    with pytest.raises(TableError, match=r"d.parquet: no column 'sentence'") as raised:
        partitions(source, tmp_path / "out")
    assert "e.parquet: unknown key 'head_typ' (did you mean 'head_type'?)" in str(raised.value)
    with pytest.raises(TableError, match=r"no file to label in"):
        partitions(tmp_path / "in" / "none", tmp_path / "out")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.json").write_text('[{"data": {"text": "x"}, "annotations": []}]')
    with pytest.raises(TableError, match=r"a.json is Label Studio's JSON: `kedro corpus import"):
        partitions(tmp_path / "tasks", tmp_path / "out")


def test_where_nothing_is_labelled_the_tool_of_the_file_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Ada", "entities": []}', encoding="utf-8")
    unread = Counts(rows=1, not_read=1, problems=["line 1: x"])
    with pytest.raises(TableError, match=r"labelled: .*a.jsonl is doccano's .* candidates"):
        require_labelled([unread], str(path))
    path.write_text('{"text": "Ada"}', encoding="utf-8")
    with pytest.raises(TableError, match=r"none of its rows could be read\n *line 1: x"):
        require_labelled([unread], str(path))


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
    assert sorted((d.source, d.counts.rows) for d in one) == sorted(
        (d.source, d.counts.rows) for d in two
    )
    for file in ("a.parquet", "b.parquet", "more/c.parquet"):
        pd.testing.assert_frame_equal(labels(here, file), labels(there, file), atol=1e-5)


def test_torn_files_are_named(classifier_folder, source, tmp_path):
    whole = (source / "b.parquet").read_bytes()
    (source / "b.parquet").write_bytes(whole[: len(whole) // 2])
    (source / "d.parquet").write_text("id,sentence")
    with pytest.raises(TableError) as error:
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
    with pytest.raises(TableError, match=r"a\.parquet is damaged behind row 0"):
        list(label_here(Labeller(str(classifier_folder)), partitions(source, tmp_path / "out")))
    assert not (tmp_path / "out/a.parquet").exists()


SENTENCE = "<head>anna</head> lives in <tail>oslo</tail> ."


@pytest.mark.parametrize("written", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("read", ["jsonl", "csv", "tsv", "parquet", "txt"])
def test_columns_are_kept_in_every_format(classifier_folder, tmp_path, read, written):
    source, target = tmp_path / f"in.{read}", tmp_path / f"out.{written}"
    frame = pd.DataFrame(
        {"sentence": [SENTENCE, BROKEN], "year": [1999, 2001], "no": ["\u4e00,\u4e8c", 'a "b"']}
    )
    match read:
        case "jsonl":
            frame.to_json(source, orient="records", lines=True)
        case "parquet":
            frame.to_parquet(source)
        case "txt":
            source.write_text(f"{SENTENCE}\n\n{BROKEN}\n")
        case _:
            frame.to_csv(source, index=False, sep="\t" if read == "tsv" else ",")
    [done] = label_here(Labeller(str(classifier_folder)), partitions(source, target))
    assert str(done.counts) == "2 rows, 1 answered, 0 withheld, 1 not read"
    match written:
        case "jsonl":
            rows = pd.read_json(target, orient="records", lines=True)
        case "csv":
            rows = pd.read_csv(target)
        case _:
            rows = pd.read_parquet(target)
    assert rows["sentence"].tolist() == frame["sentence"].tolist()
    if read != "txt":
        assert rows["year"].astype(int).tolist() == [1999, 2001]
        assert rows["no"].tolist() == frame["no"].tolist()
    [expected] = RelationExtractor.from_pretrained(classifier_folder)([SENTENCE])
    assert rows["answer"][0] == expected.relation
    assert rows[f"p.{expected.relation}"][0] == pytest.approx(expected.probability, abs=1e-6)
    assert "tail> is missing" in rows["problem"][1] and pd.isna(rows["probability"][1])


def test_what_is_not_of_a_labelling_is_not_written_over(classifier_folder, tmp_path):
    source, target = tmp_path / "in.txt", tmp_path / "out.csv"
    source.write_text(SENTENCE)
    target.write_text("mine")
    with pytest.raises(TableError, match=r"out.csv is there, and not of a labelling"):
        partitions(source, target)
    with pytest.raises(TableError, match=r"files to be written end with .jsonl, .csv, .parquet"):
        partitions(source, tmp_path / "out.xlsx")
    again = tmp_path / "again.jsonl"
    again.write_text('{"sentence": "x", "answer": "lives_in"}\n')
    with pytest.raises(TableError, match=r"labelling writes the columns answer: rename them"):
        list(label_here(Labeller(str(classifier_folder)), partitions(again, tmp_path / "o.csv")))


def test_a_folder_is_taken_in_any_spelling_and_what_is_left_out_is_named(
    classifier_folder, tmp_path
):
    frame = pd.DataFrame({"sentence": [SENTENCE]})
    source = tmp_path / "in"
    for folder in (source, source / ".git", source / "more/.cache"):
        folder.mkdir(parents=True)
        frame.to_csv(folder / "a.CSV", index=False)
    frame.to_json(source / "b.JSONL", orient="records", lines=True)
    frame.to_csv(source / "c.Tsv", index=False, sep="\t")
    frame.to_parquet(source / "d.PARQUET")
    (source / "e.TXT").write_text(SENTENCE)
    (source / "more/notes.md").write_text("mine")
    target = source / "labels"
    for _ in range(2):  # labels are no sentences of the second run
        files = partitions(source, target)
        assert [to.name for _, to in files] == [
            "a.CSV", "b.JSONL", "c.jsonl", "d.PARQUET", "e.jsonl",
        ]  # fmt: skip
        assert passed_over(source, target) == [str(Path("more/notes.md"))]
        done = list(label_here(Labeller(str(classifier_folder)), files))
        assert [d.counts.rows for d in done] == [1] * 5
    assert {d.seconds for d in done} == {0.0}
    written = [pd.read_csv(target / "a.CSV"), pd.read_parquet(target / "d.PARQUET"),
               pd.read_json(target / "b.JSONL", lines=True)]  # fmt: skip
    assert len({frame["answer"][0] for frame in written}) == 1
    with pytest.raises(TableError, match="name another folder for their labels"):
        partitions(source, source)


@pytest.mark.parametrize("moment", ["write_text", "replace"])
def test_a_kill_between_labels_and_counts_is_resumed(
    classifier_folder, tmp_path, monkeypatch, moment
):
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text(SENTENCE)

    def killed(*arguments, **given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, moment, killed)
        list(label_here(Labeller(str(classifier_folder)), [(source, target)]))
    assert not target.exists()
    [done] = label_here(Labeller(str(classifier_folder)), partitions(source, target))
    assert done.counts.rows == 1 and done.seconds > 0
    [done] = label_here(Labeller(str(classifier_folder)), partitions(source, target))
    assert done.seconds == 0.0
