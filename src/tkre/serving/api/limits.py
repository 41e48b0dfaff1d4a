"""Limits of the service and their options, without the extra ``serve``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import Field

from tkre.core.params import Params

Command = TypeVar("Command", bound=Callable[..., Any])
LEAST_BODY_BYTES = 1024  # a request of one short sentence


class ServiceParams(Params):
    """Limits of the service; the error of a request beyond one names it.

    Attributes:
        max_body_bytes: Longest body of a request; a longer one is refused (413) unread.
        max_sentences: Most sentences in a request.
        max_characters: Longest sentence, tags included.
        max_waiting: Sentences that may wait for the classifier; beyond it requests get 503.
        batch_sentences: Most sentences of several requests that are labelled together.
        max_seconds: Longest time for a request: 408 if its body has not arrived by then, 503 if it
            is not answered.
        shutdown_seconds: Time for requests under way once the service is stopped.
        allowed_hosts: Names, besides ``localhost``, by which clients may call the service; ``*``
            allows any. Addresses are always allowed: no page of another origin has one (DNS
            rebinding).
    """

    max_body_bytes: int = Field(1024 * 1024, ge=LEAST_BODY_BYTES)
    max_sentences: int = Field(256, ge=1)
    max_characters: int = Field(5000, ge=1)
    max_waiting: int = Field(4096, ge=1)
    batch_sentences: int = Field(128, ge=1)
    max_seconds: int = Field(60, ge=1)
    shutdown_seconds: int = Field(20, ge=1)
    allowed_hosts: tuple[str, ...] = ()


def limit_options(command: Command) -> Command:
    """The options of a command that serves: arguments of ``ServiceParams``."""
    params = ServiceParams()
    for option in (
        click.option(
            "--allowed-host", "allowed_hosts", multiple=True,
            help="A name of the service beside localhost, as behind a proxy; several times; "
                 "'*': any.",
        ),
        click.option(
            "--max-seconds", type=click.IntRange(min=1), default=params.max_seconds,
            show_default=True, help="For a request, its body's arrival included.",
        ),
        click.option(
            "--max-characters", type=click.IntRange(min=1), default=params.max_characters,
            show_default=True, help="Of a sentence.",
        ),
        click.option(
            "--max-sentences", type=click.IntRange(min=1), default=params.max_sentences,
            show_default=True, help="Of a request.",
        ),
        click.option(
            "--max-body-bytes", type=click.IntRange(min=LEAST_BODY_BYTES),
            default=params.max_body_bytes, show_default=True, help="Of a request.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command
