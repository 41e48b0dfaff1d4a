"""``kedro corpus new``: the files of a new corpus."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines

from tkre import configuration
from tkre.cli.corpus.project import CONF, RAW, in_project
from tkre.cli.options import ENVIRONMENT
from tkre.corpora.folder import RELATIONS_FILE, CorpusFolder
from tkre.corpora.scaffold import ROWS_FILE, Scaffold, ScaffoldError, check_name, names_in

_EXAMPLES = ("first_relation", "second_relation")
_RESERVED = ("backbones", "ledger")  # what other names of the catalog begin with


def _names(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


@click.command("new")
@click.argument("name")
@click.option("--relations", default="", callback=_names, help="Their names: owns,lives_in.")
@click.option("--types", default="", callback=_names, help="Entity types: person,place.")
@click.option("--negative", default=None, help='The relation that says "none of these": none.')
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def new_command(
    name: str,
    relations: tuple[str, ...],
    types: tuple[str, ...],
    negative: str | None,
    env: str | None,
) -> None:
    """Makes the files of a new corpus, NAME, with a placeholder wherever you are to write.

    A train.jsonl that is there is kept, and names the relations and types if you do not.
    """

    def make(context: KedroContext) -> None:
        corpora = configuration.read_book().parameters.corpora
        if name in corpora and (CONF / f"parameters_corpora_{name}.yml").is_file():  # made by this
            raise ScaffoldError(_THERE.format(name=name, folder=RAW / name, conf=CONF))
        check_name(name, [*pipelines, *corpora, *_RESERVED])
        folder: CorpusFolder = context.catalog.load(f"{name}.folder")
        has_rows = folder.find(ROWS_FILE) is not None
        found = names_in(folder.read(ROWS_FILE)) if has_rows else (_EXAMPLES, ())
        labels = relations or found[0]
        scaffold = Scaffold(
            name, tuple(label for label in labels if label != negative), types or found[1], negative
        )
        files = {RAW / name / file: content for file, content in scaffold.files().items()}
        if has_rows:
            del files[RAW / name / ROWS_FILE]
        there = {file for file in ("dev.jsonl", "test.jsonl") if folder.find(file)}
        files |= {CONF / file: text for file, text in scaffold.configuration(there).items()}
        _refuse_to_overwrite(files, folder)
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            click.echo(f"made {path}")
        second = _KEPT if has_rows else _WRITE
        click.echo(_NEXT.format(name=name, folder=RAW / name, second=second))

    in_project(env, make)


def _refuse_to_overwrite(files: dict[Path, str], folder: CorpusFolder) -> None:
    taken = [str(path) for path in files if path.exists()]
    elsewhere = folder.find(RELATIONS_FILE)  # under TKRE_DATA
    if elsewhere is not None and not any(str(elsewhere).endswith(path) for path in taken):
        taken.append(str(elsewhere))
    if taken:
        raise FileExistsError(
            f"{', '.join(taken)}: there already, and nothing is written over. Take another name, "
            "or move what is there"
        )


_THERE = """\
there is a corpus {name} already. Another relation is another entry of {folder}/relations.yml with
rows in {folder}/train.jsonl; to begin anew, delete {folder}, {conf}/parameters_corpora_{name}.yml
and {conf}/experiments_{name}.yml"""
_NEXT = """\
Next:
  1. {folder}/relations.yml: say of every relation what it means (each TODO)
  2. {folder}/train.jsonl: {second}
  3. kedro corpus validate {name}
git passes over {folder} (.gitignore); `git add -f {folder}` if it is to be committed."""
_WRITE = "put your sentences there, 8 a relation, like the rows it has"
_KEPT = "it was there, and is as it was"
