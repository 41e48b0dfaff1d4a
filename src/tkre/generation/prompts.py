"""Chat messages from a prompt file of ``conf/base/prompts``.

A prompt file holds messages under the headings ``[system]`` and ``[user]``, with placeholders
``$name``. Values are inserted verbatim; placeholders in them are not replaced.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from string import Template

from tkre.core.errors import UserError
from tkre.core.languages import language_name

_HEADING = re.compile(r"^\[(system|user|assistant)\]\s*$", re.MULTILINE)


class PromptError(UserError, ValueError):
    """An invalid prompt file; the message names the problem."""


def render(
    template: str, values: Mapping[str, str], name: str, needed: Collection[str] = ()
) -> tuple[dict[str, str], ...]:
    """The messages of a prompt file with its values filled in.

    Args:
        template: Content of the file.
        values: Values by placeholder.
        name: Name of the file, for messages.
        needed: Placeholders that a file of a user's own must have where their value is not empty:
            the language model would not see a parameter otherwise.

    Raises:
        PromptError: There is no heading, a placeholder has no value, or a needed one is missing.
    """
    seen = Template(template).get_identifiers()
    if lost := [f"${value}" for value in needed if values[value] and value not in seen]:
        raise PromptError(f"prompt {name} has no {', '.join(lost)}: add it, or its value is lost")
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


def in_language(code: str | None) -> str:
    """What a prompt says of the language of an answer; nothing where the corpus names none."""
    if code is None:
        return ""
    return (
        f"\n\nWrite all texts of your answer in {language_name(code)}, as a native speaker would; "
        "names and words of the sentence stay as they are written. Where a language has no blanks "
        "between words, two characters count as a word."
    )


def bullets(items: list[str]) -> str:
    """Items as a bulleted list; "(none)" without items."""
    return "\n".join(f"- {item}" for item in items) or "(none)"
