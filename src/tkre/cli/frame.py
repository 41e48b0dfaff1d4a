"""The frame of every command: an interruption says how to go on, a typing error what was meant."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click
from kedro.framework.cli.utils import LazyGroup

from tkre.core.errors import UserError

INTERRUPTED = 130  # as shells report it: 128 and SIGINT


class FramedCommand(click.Command):
    """A command that an interruption ends with the way to go on."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typed = shlex.join(["kedro", *sys.argv[1:]])
            click.echo("\nStopped. What is finished is kept; the same command goes on.", err=True)
            click.echo(f"Next: {typed}", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


class FramedGroup(FramedCommand, LazyGroup):
    """A group whose commands have the frame, in the order of their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, those too that are imported at their first use."""
        return sorted(super().list_commands(ctx))


class RunCommand(FramedCommand):
    """``kedro run``, whose typing errors get a suggestion."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the pipelines."""
        from tkre.project.hooks import Refusal
        from tkre.project.selection import misspelt

        try:
            return super().invoke(ctx)
        except (UserError, ValueError, LookupError) as error:
            words = str(error) if isinstance(error, UserError) else misspelt(ctx.params)
            if words is None:
                raise
            raise Refusal(words) from error
