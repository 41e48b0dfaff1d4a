"""Properties of readers, schema, store and answers: rows in = rows out + rows reported."""

from __future__ import annotations

import json

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tests.fuzz import inputs  # noqa: E402
from tests.fuzz.targets import ANSWER, TYPES, Counting, sound  # noqa: E402
from tkre.core.documents import DocumentError, parse_json, parse_yaml  # noqa: E402
from tkre.core.instance import Instance, Span, TagError, parse_tagged, to_tagged  # noqa: E402
from tkre.core.schema import RelationSchema, SchemaError  # noqa: E402
from tkre.corpora.params import CorpusParams  # noqa: E402
from tkre.corpora.reading import read_corpus  # noqa: E402
from tkre.corpora.unlabelled import validate_batch  # noqa: E402
from tkre.generation.llm.parsing import read_answer  # noqa: E402
from tkre.generation.llm.protocol import Request, Response, Sampling  # noqa: E402

settings.register_profile(
    "tkre", deadline=None, max_examples=60, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("tkre")

ANY = st.text(st.characters(), max_size=30)  # halves of surrogate pairs included
WRITTEN = st.text(st.characters(codec="utf-8"), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | WRITTEN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WRITTEN, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
RECORDS = st.dictionaries(
    st.sampled_from(["id", "sentence", "relation", "head_type", "tail_type", "text", "head", "x"]),
    ANY | VALUES | st.just("<head>Ada</head> in <tail>Oslo</tail>") | st.just("born_in"),
)
SCHEMA = RelationSchema.read(inputs.SCHEMA, "relations.yml")


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    text = draw(st.text(st.characters(codec="utf-8"), min_size=4, max_size=40))
    places = draw(st.permutations(range(len(text) + 1)))[:4]
    a, b, c, d = sorted(places)
    spans = [Span(a, b), Span(c, d)]
    head, tail = spans if draw(st.booleans()) else spans[::-1]
    return Instance("1", text, head, tail)


@given(instances())
def test_tags_and_offsets_are_inverse(instance):
    try:
        text, head, tail = parse_tagged(to_tagged(instance))
    except TagError:
        blank = not instance.head_text.strip() or not instance.tail_text.strip()
        assert blank or "<" in instance.text
        return
    assert text == instance.text
    assert head.of(text) == instance.head_text.strip()
    assert tail.of(text) == instance.tail_text.strip()


@given(VALUES)
def test_json_is_read_as_it_was_written(value):
    assert parse_json(json.dumps(value)) == value


@given(ANY)
def test_any_text_is_a_value_or_a_reason(text):
    for parse in (parse_json, parse_yaml):
        try:
            parse(text)
        except DocumentError as error:
            assert str(error)


@given(st.lists(RECORDS, max_size=5))
def test_each_line_of_a_corpus_is_a_row_or_a_bad_row(records):
    lines = "\n".join(json.dumps(record) for record in records)
    params = CorpusParams(format="native", train="f", on_bad_row="skip")
    corpus = read_corpus(lambda _: lines, SCHEMA, params)
    assert len(corpus.rows) + len(corpus.report["bad_rows"]) == len(records)
    for row in corpus.rows:
        sound(row)


@given(st.lists(RECORDS | ANY | st.none(), max_size=5))
def test_each_sentence_of_a_batch_is_an_instance_or_a_problem(sentences):
    read, problems = validate_batch(sentences, TYPES)
    assert sorted([*read, *problems]) == list(range(len(sentences)))
    for instance in read.values():
        sound(instance)


@given(VALUES)
def test_any_value_is_a_schema_or_refused(value):
    try:
        RelationSchema.read(json.dumps({"corpus": "c", "relations": value}), "relations.yml")
    except SchemaError as error:
        assert "relations.yml" in str(error)


@given(st.lists(st.tuples(WRITTEN, st.dictionaries(WRITTEN, VALUES, max_size=3)), max_size=4))
def test_a_store_gives_back_what_was_appended(tmp_path, answers):
    file = tmp_path / "store.jsonl"
    file.unlink(missing_ok=True)
    store = Counting(file)
    for name, answer in answers:
        store.append(Response(f"explanation/{name.strip()}", answer, model="m"))
    again = Counting(file)
    assert len(again) == len(answers)
    assert not hasattr(again, "reported")


@given(ANY)
def test_any_text_of_a_model_is_an_answer_or_a_failure(text):
    request = Request("a", (), ANSWER, Sampling())
    for given_text in (text, json.dumps({"explanation": text})):
        read = read_answer(request, given_text, complete=True)
        assert (read.answer is None) != (read.reason is None)
        json.dumps(read.to_dict(), ensure_ascii=False).encode()
