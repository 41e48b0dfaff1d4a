from __future__ import annotations

import pytest

from tkre.core.documents import (
    DocumentError,
    json_items,
    parse_json,
    parse_yaml,
    read_json,
)
from tkre.core.errors import UserError
from tkre.core.params import Params


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands twice"),
        ("[" * 10_000, "nested more than 64 levels"),
        ("[" * 70 + "]" * 70, "nested more than 64 levels"),
        ("9" * 5000, "an integer of 5000 digits"),
        ("1e999", "too large"),
        ("NaN", "NaN is not JSON"),
        ('"\\ud83d"', "half of a surrogate pair"),
        ('{"\\ud83d": 1}', "half of a surrogate pair"),
        ("{'a': 1}", "column 2; keys and texts stand in double quotes"),
        ('{"a": 1} {"a": 2}', "Extra data at column 10; one object a line"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(text, reason):
    with pytest.raises(DocumentError, match=reason):
        parse_json(text)


def test_json_of_every_kind_is_read():
    text = ' {"a": [1, 1.5, true, null, "\\ud83d\\ude00"], "b": {"a": ""}} \n'
    assert parse_json(text) == {"a": [1, 1.5, True, None, "\U0001f600"], "b": {"a": ""}}


def test_a_bad_item_leaves_the_others():
    one, bad, other, deep = json_items('[1, {"a": 1, "a": 2},\n"x", ' + "[" * 70 + "]" * 70 + "]")
    assert (one, other) == (1, "x")
    assert "stands twice" in str(bad) and "nested" in str(deep)


@pytest.mark.parametrize("text", ["[1, 2", "[1 2]", "[1,]", "[1] 2", "[", "{}", '"a"'])
def test_lists_that_do_not_end_are_refused(text):
    with pytest.raises(DocumentError):
        list(json_items(text))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nx: 2026-13-45", 2, "cannot be read as timestamp"),
        ("x: !!int x", 1, "cannot be read as int"),
        ("x: =", 1, "not YAML"),
        ("x: !!python/object:os.system a", 1, "not YAML"),
        ("a: &a {b: *a}", 1, "an alias stands within"),
        ("[" * 10_000, 1, "nested more than 64"),
        ("a: 1\n\na: 2", 3, "'a' stands here and on line 1"),
        ("r:\n  a: {d: 1}\n  a: {d: 2}", 3, "'a' stands here and on line 2"),
        ('x: "\\ud83d"', 1, "half of a surrogate pair"),
        ("x: " + "9" * 5000, 1, "cannot be read as int"),
        ('x: "\\UFFFFFFFF"', None, "not YAML"),
        ("a:\n\tb: 1", 2, "indent with blanks"),
    ],
)
def test_yaml_that_is_refused(text, line, reason):
    with pytest.raises(DocumentError, match=reason) as error:
        parse_yaml(text)
    assert error.value.line == line


def test_aliases_that_multiply_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    with pytest.raises(DocumentError, match="aliases written out"):
        parse_yaml("\n".join(lines))


def test_yaml_of_every_kind_is_read():
    text = "a: [1, no, x]\nb: &b {c: ~}\nd: *b\ne: {<<: *b, f: 1.5}\n"
    assert parse_yaml(text) == {
        "a": [1, False, "x"], "b": {"c": None}, "d": {"c": None}, "e": {"c": None, "f": 1.5},
    }  # fmt: skip
    assert parse_yaml("") is None


class _Group(Params):
    number: int


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"{", "line 1: not JSON"), (b"{}", "number: Field required"), (b"\xff", "not UTF-8"),
     (b'{"number": "x"}', "number: Input should be a valid integer"), (b"[]", "_Group")],
)  # fmt: skip
def test_errors_of_files_name_them(tmp_path, content, problem):
    file = tmp_path / "group.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=problem) as error:
        _Group.from_file(file)
    assert str(file) in str(error.value)
    file.write_bytes(b'{"number": 3}')
    assert _Group.from_file(file) == _Group(number=3)
    assert read_json(file) == {"number": 3}
