"""The forms in which a server may take the schema of an answer, from strict to none."""

from __future__ import annotations

from typing import Any

# From what says most to what every server takes.
FORMS = ("json_schema", "plain_schema", "json_object", "text")
# Bounds that hosted servers refuse in a schema; answers are checked against them anyway.
_BOUNDS = {"minLength", "maxLength", "minItems", "maxItems"}


def response_format(form: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The field ``response_format`` of a request; None to leave it out.

    Args:
        form: One of ``FORMS``.
        schema: JSON schema of the answer.
    """
    if form == "text":
        return None
    if form == "json_object":
        return {"type": "json_object"}
    sent = _unbounded(schema) if form == "plain_schema" else schema
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": sent, "strict": True},
    }


def _unbounded(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _unbounded(value) for key, value in schema.items() if key not in _BOUNDS}
    if isinstance(schema, list):
        return [_unbounded(item) for item in schema]
    return schema
