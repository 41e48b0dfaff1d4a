"""``--params`` of all commands: Kedro's form, in which a value may hold commas."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import click
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:\\.|[^"\\])*\"""")  # as YAML writes it
_CLOSING = {"[": "]", "{": "}"}


def split_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """``a.b=1,c=[2,3]`` as nested parameters; a mapping is returned as it is.

    Kedro's own reader splits at every comma, so that a list has no spelling in it.

    Raises:
        click.UsageError: An item without a key or an equals sign, with an open bracket or quote, or
            with a value that is not YAML; the message has it.
    """
    if not isinstance(value, str):
        return value

    def refuse(item: str, reason: str) -> NoReturn:
        context.fail(f"--{option.name}: {item.strip()!r} {reason}.")

    items = [item.strip() for item in _split(value, refuse) if item.strip()]
    for item in items:
        if item.find("=") < 1:
            refuse(item, "is not key=value, as in a.b=1,c=[2,3]")
        try:
            OmegaConf.from_dotlist([item])
        except (yaml.YAMLError, OmegaConfBaseException) as error:
            reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
            refuse(item, f"has no value of YAML ({reason})")
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))


def with_text(
    context: click.Context, option: click.Parameter, value: str
) -> tuple[str, dict[str, Any]]:
    """The text of the option, and its parameters."""
    return value, split_params(context, option, value)


def _split(value: str, refuse: Callable[[str, str], NoReturn]) -> list[str]:
    """Parts between the commas that stand outside brackets, braces and quotes.

    A quote opens where a value starts: that of ``a=it's`` is a letter of it.
    """
    parts, closing, at = [""], list[str](), 0
    while at < len(value):
        found, starts = value[at], "[{,:" if closing else "="
        if found in "'\"" and parts[-1].rstrip()[-1:] in [*starts]:
            quoted = _QUOTED.match(value, at)
            if quoted is None:
                refuse(parts[-1] + value[at:], f"has a quote {found} that is not closed")
            found = quoted[0]
        elif found in _CLOSING:
            closing.append(_CLOSING[found])
        elif found in _CLOSING.values() and (not closing or closing.pop() != found):
            item = parts[-1] + value[at:].partition(",")[0]
            refuse(item, f"has a {found} that nothing opens; a text with it stands in quotes")
        if found == "," and not closing:
            parts.append("")
        else:
            parts[-1] += found
        at += len(found)
    if closing:
        refuse(parts[-1], f"lacks a {closing[-1]}; a text with such a bracket stands in quotes")
    return parts
