"""``kedro corpus rename``: a relation under another name, with its rows and answers."""

from __future__ import annotations

from pathlib import Path

import click

from tkre.cli.session import env_option, require_corpus, session
from tkre.core.terminal import say, say_next


@click.command("rename")
@click.argument("name", metavar="CORPUS")
@click.argument("old")
@click.argument("new")
@click.option("--dry-run", is_flag=True, help="Count the places; write nothing.")
@env_option
def rename_command(name: str, old: str, new: str, dry_run: bool, env: str | None) -> None:
    """Rename a relation.

    Writes NEW for OLD in relations.yml, in the rows and in the answers of CORPUS, so that no answer
    becomes stale by it: all files or none. Classifiers keep the name they were trained with.
    """
    from tkre.project import answers, rename

    with session(env) as project:
        require_corpus(project.config, name)
        folder = project.folder(name)
        params = project.config.parameters.corpora[name]
        stores = project.stores(name)
        if dry_run:
            renaming = rename.plan_rename(folder, params, stores, old, new)
        else:
            with answers.held(stores):
                if rename.finish(folder):
                    say("an interrupted renaming was finished first")
                    relations = folder.schema().relations
                    if new in relations and old not in relations:  # it was this one
                        say_next(f"kedro corpus validate {name}")
                        return
                    stores = project.stores(name)
                renaming = rename.plan_rename(folder, params, stores, old, new)
                rename.write(renaming, folder)
    for path, places in renaming.counts.items():
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        say(f"{shown}: {places:,} {'place' if places == 1 else 'places'}")
    for note in renaming.notes:
        say(f"note: {note}")
    if dry_run:
        say("nothing was written (--dry-run)")
    else:
        say_next(f"kedro corpus validate {name}")
