from __future__ import annotations

from dataclasses import replace

import pytest

from tests.corpora.test_rows import rows_of
from tkre.cli import doctor as report
from tkre.corpora.schema_validation import Level
from tkre.training.trial import GIB, Effort, Machine, Trial

HERE = Machine("CPU", bf16=True, threads=2, cores=4, memory_free=8 * GIB, disk_free=8 * GIB)
WELL = Trial(rows=20, unlearnt=(), steps=40, seconds=9.7, labelling=0.01, truncated=(), longest=31)


def test_a_machine_that_will_do():
    lines = [str(d) for d in report.of_machine(HERE, 22_000_000, 3)]
    assert lines == [
        "ok       device: CPU, bf16, 2 threads on 4 cores",
        "ok       memory: about 2.0 GiB needed, 8.0 GiB free",
        "ok       disk: about 0.2 GiB needed, 8.0 GiB free",
    ]


def test_a_machine_that_is_too_small():
    small = replace(HERE, bf16=False, memory_free=GIB, disk_free=GIB)
    device, memory, disk = report.of_machine(small, 350_000_000, 3)
    assert "fp32" in device.message
    assert (memory.level, disk.level) == (Level.ERROR, Level.ERROR)
    assert "a smaller backbone" in memory.message and "old versions" in disk.message


@pytest.mark.parametrize(("cut", "level"), [(0, None), (1, Level.NOTE), (4, Level.WARNING)])
def test_rows_that_are_read_in_part(schema, toy_rows, cut, level):
    rows = rows_of(schema, train=toy_rows * 1)
    ids = tuple(row.id for row in toy_rows[:cut])
    diagnosis = report.of_lengths(replace(WELL, truncated=ids), rows, 128, "mine")
    assert diagnosis.level == level
    assert (cut == 0) != ("variants.mine.finetuning.max_length" in diagnosis.message)
    assert ("the first in train, line 1" in diagnosis.message) == (cut > 0)


def test_all_learnt_by_heart(schema, toy_rows):
    [line] = report.of_trial(WELL, rows_of(schema, train=toy_rows))
    assert str(line) == "ok       learning by heart: 20 of 20 rows learnt in 40 steps and 10 s"


@pytest.mark.parametrize(("wrong", "level"), [(1, Level.WARNING), (5, Level.ERROR)])
def test_rows_that_could_not_be_learnt(schema, toy_rows, wrong, level):
    unlearnt = tuple((row, "none") for row in toy_rows[:wrong])
    first, *others = report.of_trial(
        replace(WELL, unlearnt=unlearnt), rows_of(schema, train=toy_rows)
    )
    assert first.level == level and len(others) == wrong
    assert str(others[0]) == "warning  train, line 1: labelled lives_in, learnt as none"


def test_inverses_matter_to_variants_that_read_both_ways(schema):
    assert list(report.of_inverses(schema, needed=True)) == []
    lives = schema.relations["lives_in"].model_copy(update={"inverse": None})
    open_ended = schema.model_copy(update={"relations": schema.relations | {"lives_in": lives}})
    [note] = report.of_inverses(open_ended, needed=True)
    assert note.level == Level.NOTE and note.message.startswith("lives_in have no inverse")
    assert list(report.of_inverses(open_ended, needed=False)) == []


def test_time():
    lines = [str(d) for d in report.of_effort([Effort("a", 1200, 300.0), Effort("b", 0, 0.2)])]
    assert lines[0] == "ok       time: a: 1,200 steps, about 5 min"
    assert lines[1] == "ok       time: b: about 1 s"
    assert "about 5 min in all" in lines[2]
    assert [report.in_words(s) for s in (89, 91, 5400)] == ["89 s", "2 min", "1.5 h"]
