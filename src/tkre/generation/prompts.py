"""Chat messages from a prompt file of ``conf/base/prompts``.

A prompt file holds messages under the headings ``[system]`` and ``[user]``, with placeholders
``$name``. Values are inserted verbatim; placeholders in them are not replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template

_HEADING = re.compile(r"^\[(system|user|assistant)\]\s*$", re.MULTILINE)


class PromptError(ValueError):
    """An invalid prompt file; the message names the problem."""


def render(template: str, values: Mapping[str, str], name: str) -> tuple[dict[str, str], ...]:
    """The messages of a prompt file with its values filled in.

    Args:
        template: Content of the file.
        values: Values by placeholder.
        name: Name of the file, for messages.

    Raises:
        PromptError: There is no heading, or a placeholder that has no value.
    """
    before, *parts = _HEADING.split(template)
    if before.strip() or not parts:
        raise PromptError(f"prompt {name} must begin with a heading: [system] or [user]")
    messages = []
    for role, content in zip(parts[::2], parts[1::2], strict=True):
        try:
            text = Template(content.strip()).substitute(values)
        except KeyError as error:
            raise PromptError(
                f"prompt {name} asks for ${error.args[0]}; there is {', '.join(sorted(values))}"
            ) from None
        except ValueError as error:
            raise PromptError(f"prompt {name}: {error}; write $$ for a dollar sign") from None
        messages.append({"role": role, "content": text})
    return tuple(messages)


def bullets(items: list[str]) -> str:
    """Items as a bulleted list; "(none)" without items."""
    return "\n".join(f"- {item}" for item in items) or "(none)"
