from __future__ import annotations

import copy
import json

from tkre.generation.llm.openai import FORMS, response_format

SCHEMA = {
    "type": "object",
    "properties": {
        "samples": {
            "type": "array", "minItems": 2, "maxItems": 2,
            "items": {
                "anyOf": [
                    {"type": "string", "minLength": 1, "maxLength": 9},
                    {"type": "string", "enum": ["a", "b"]},
                ],
            },
        },
    },
    "required": ["samples"],
    "additionalProperties": False,
}  # fmt: skip


def test_the_strictest_form_is_the_whole_schema():
    form = response_format("json_schema", SCHEMA)
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == SCHEMA
    assert form["json_schema"]["strict"] is True and form["json_schema"]["name"]


def test_the_plain_one_has_all_but_its_bounds_at_any_depth():
    before = copy.deepcopy(SCHEMA)
    form = response_format("plain_schema", SCHEMA)
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "samples": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a", "b"]}]},
            },
        },
        "required": ["samples"],
        "additionalProperties": False,
    }
    assert before == SCHEMA  # answers are checked against the bounds still


def test_the_others_leave_the_schema_to_the_prompt():
    assert response_format("json_object", SCHEMA) == {"type": "json_object"}
    assert response_format("text", SCHEMA) is None


def test_forms_go_from_what_says_most_to_what_says_least():
    said = [len(json.dumps(response_format(form, SCHEMA))) for form in FORMS]
    assert said == sorted(said, reverse=True) and len(set(said)) == len(FORMS)
