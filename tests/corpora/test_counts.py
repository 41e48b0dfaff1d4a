from __future__ import annotations

from tests.corpora.test_rows import rows_of
from tkre.corpora.validation import count


def test_rows_words_and_types_of_every_relation(schema, toy_rows):
    counts = {c.name: c for c in count(rows_of(schema, train=toy_rows, test=toy_rows[:4]))}
    assert list(counts) == schema.names
    assert counts["lives_in"].rows == {"train": 5, "dev": 0, "test": 1}
    assert counts["lives_in"].words == (7, 7, 7)
    assert counts["knows"].types == (("person \u2192 person", 6),)
    assert counts["home_of"].types == (("place \u2192 person", 6),)


def test_a_relation_without_rows(schema):
    [*_, last] = count(rows_of(schema))
    assert last.words == (0, 0, 0) and last.types == ()
