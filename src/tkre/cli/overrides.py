"""``--params`` of all commands: Kedro's form, in which a value may hold commas."""

from __future__ import annotations

from typing import Any

import click
from omegaconf import OmegaConf


def split_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """``a.b=1,c=[2,3]`` as nested parameters; a mapping is returned as it is.

    Kedro's own reader splits at every comma, so that a list has no spelling in it.

    Raises:
        click.UsageError: An item without a key or an equals sign.
    """
    if not isinstance(value, str):
        return value
    items = [item.strip() for item in _split(value) if item.strip()]
    for item in items:
        if item.find("=") < 1:
            context.fail(f"--{option.name}: {item!r} is not key=value, as in a.b=1,c=[2,3].")
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))


def with_text(
    context: click.Context, option: click.Parameter, value: str
) -> tuple[str, dict[str, Any]]:
    """The text of the option, and its parameters."""
    return value, split_params(context, option, value)


def _split(value: str) -> list[str]:
    """Parts between the commas that stand outside brackets, braces and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in value:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += character
    return parts
