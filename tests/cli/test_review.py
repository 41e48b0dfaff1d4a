"""``kedro corpus review`` without a run (``tests/live/test_review.py`` has the rest)."""

from __future__ import annotations

import json

import pytest

from tkre.cli.review import _keep_filled

UNLABELLED = "data/01_raw/newsroom/unlabelled.jsonl"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("newsrom",), "no corpus 'newsrom' (did you mean 'newsroom'?)"),
        (("newsroom",), "newsroom has no annotated rows yet: "),
        (("newsroom", "--classifier", "newsroom.k8.s13.tkre"), "is no cell of newsroom with anno"),
        (("newsroom", "--classifier", "x.k8a9.s13.tkre"), "is no cell of newsroom with annotated"),
        (("newsroom", "--classifier", "tkre"), "'tkre' is neither a folder nor the name of a"),
        (("newsroom", "--accept", "empty.jsonl"), "empty.jsonl holds no answer"),
        (("newsroom", "--accept", "latin.csv"), "latin.csv, line 2: not UTF-8"),
    ],
)
def test_refusals(project, kedro, arguments, message):
    (project.folder / "empty.jsonl").write_text("\n", encoding="utf-8")
    (project.folder / "latin.csv").write_bytes("relation;sentence;id\n;\xe9;a".encode("latin-1"))
    output = kedro("corpus", "review", *arguments, code=1)
    assert message in " ".join(output.split())
    assert not (project.folder / "data/01_raw/newsroom/reviewed.jsonl").exists()


def test_a_corpus_without_unlabelled_text(project, kedro):
    project.edit("conf/base/parameters_corpora.yml", "    unlabelled:", "    on_leakage: stop\n#")
    assert "no entry `unlabelled`" in kedro("corpus", "review", "newsroom", code=1)


def test_answers_are_added_behind_those_that_are_there(project, kedro):
    lines = (project.folder / UNLABELLED).read_text(encoding="utf-8").splitlines()
    for n in (0, 4):
        record = json.loads(lines[n])
        answer = {"id": record["id"], "sentence": record["sentence"], "relation": "no_relation"}
        (project.folder / "answers.jsonl").write_text(json.dumps(answer), encoding="utf-8")
        output = kedro("corpus", "review", "newsroom", "--accept", "answers.jsonl")
        assert "labels corrected: 1\n1 rows added to data/01_raw/newsroom/reviewed.jsonl" in output
    written = (project.folder / "data/01_raw/newsroom/reviewed.jsonl").read_text(encoding="utf-8")
    ids = [json.loads(line)["id"] for line in written.splitlines()]
    assert ids == [f"reviewed/{json.loads(lines[n])['id']}" for n in (0, 4)]


def test_a_table_with_answers_is_not_overwritten(tmp_path):
    table = tmp_path / "newsroom.csv"
    _keep_filled(table, "newsroom", [])  # there is none
    table.write_text("relation;sentence;id\n;a;line-1\n", encoding="utf-8")
    _keep_filled(table, "newsroom", [])
    table.write_text("relation;sentence;id\nnone;a;line-1\n", encoding="utf-8")
    with pytest.raises(FileExistsError, match="kedro corpus review newsroom --accept"):
        _keep_filled(table, "newsroom", ["b"])
    _keep_filled(table, "newsroom", ["a"])  # they are read back
    table.write_bytes(b"\xff\xfe;")
    with pytest.raises(FileExistsError, match="or delete it"):
        _keep_filled(table, "newsroom", [])
    table.write_text('{"relation": "spouse_of"}\n')  # JSON by its content, and no answer of ours
    with pytest.raises(FileExistsError, match="has answers"):
        _keep_filled(table, "newsroom", [])
