"""``kedro corpus new``: the files of a new corpus.

``kedro corpus validate``: what is wrong with a corpus, and how it is made up.

``kedro corpus candidates``: raw sentences as pairs that a classifier can label.

``kedro corpus``: a corpus of one's own, from an empty folder to what a run needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from rich.console import Console
from rich.table import Table

from tkre.cli.doctor import doctor_command
from tkre.cli.questions import questions_command
from tkre.cli.session import CONF, ENVIRONMENT, RAW, checked_corpus, in_project, require_corpus
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.candidates import (
    CandidateCounts,
    Find,
    Pairs,
    SpacyMentions,
    candidates,
    read_mentions,
    read_sentences,
)
from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder
from tkre.corpora.scaffold import ROWS_FILE, Scaffold, ScaffoldError, check_name, names_in
from tkre.corpora.schema_validation import counted, told
from tkre.corpora.validation import CheckedCorpus, Rows, count
from tkre.project import config_loader as configuration

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
        corpora = configuration.read_config().parameters.corpora
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


_SHOWN_TYPES = 3


@click.command("validate")
@click.argument("name")
@click.option("--shots", "-k", type=click.IntRange(1), default=8, help="K that you mean to run.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def validate_command(name: str, shots: int, env: str | None) -> None:
    """Checks the corpus NAME: errors and warnings with file and line, and how it is made up.

    Ends with 1 if there is an error. Reads only.
    """
    checked: CheckedCorpus = in_project(env, lambda context: checked_corpus(context, name, shots))
    if checked.rows is not None and any(checked.rows.splits.values()):
        _print_counts(checked.rows)
    for line in told(checked.findings):
        click.echo(line)
    numbers = [f"{count} {level}{'' if count == 1 else 's'}"
               for level, count in counted(checked.findings).items()]  # fmt: skip
    click.echo(f"{name}: {', '.join(numbers)}")
    if not checked.usable:
        raise click.exceptions.Exit(1)
    click.echo(f"Next: kedro corpus doctor {name}")


def _print_counts(rows: Rows) -> None:
    table = Table()
    table.add_column("relation")
    splits = list(rows.splits)
    for column in (*splits, "words"):
        table.add_column(column, justify="right")
    if rows.schema.entity_types:
        table.add_column("types")
    relations = count(rows)
    for relation in relations:
        cells = [relation.name, *(f"{relation.rows[split]:,}" for split in splits)]
        cells.append("{} - {} - {}".format(*relation.words) if sum(relation.rows.values()) else "")
        if rows.schema.entity_types:
            shown = [f"{pair} ({n})" for pair, n in relation.types[:_SHOWN_TYPES]]
            more = len(relation.types) - _SHOWN_TYPES
            cells.append(", ".join(shown) + (f" and {more} more" if more > 0 else ""))
        table.add_row(*cells)
    totals = [f"{sum(r.rows[split] for r in relations):,}" for split in splits]
    table.add_section()
    table.add_row("all", *totals, "")
    console = Console()
    console.print(table)
    console.print("words: fewest - median - most of a sentence", markup=False)


_ROWS = 4096  # pairs that are held at a time
_SHOWN = 10
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("candidates")
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument("target", metavar="OUTPUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--mentions", type=FILE, default=None, help="Names to look for: name<TAB>type.")
@click.option("--spacy", "pipeline", default=None, help="A spaCy pipeline, by name or folder.")
@click.option(
    "--as",
    "types",
    multiple=True,
    metavar="LABEL=TYPE",
    help="PERSON=person: a type for a label of spaCy.",
)
@click.option(
    "--corpus", "name", default=None, help="Its relations decide which pairs may be related."
)
@click.option("--ignore-case", is_flag=True, help="OSLO is Oslo.")
@click.option(
    "--pairs",
    type=click.Choice(["both-ways", "text-order"]),
    default="both-ways",
    show_default=True,
    help="Whether either mention is the head, or the first one.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Pairs of a sentence, closest first.",
)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def candidates_command(
    source: Path, target: Path, mentions: Path | None, pipeline: str | None, types: tuple[str, ...],
    name: str | None, ignore_case: bool, pairs: str, most: int, env: str | None,
) -> None:  # fmt: skip
    """Marks every pair of mentions in the sentences of INPUT: a sentence a line, or JSON Lines.

    OUTPUT ends with .jsonl (for kedro run --pipelines inference) or .parquet (for kedro label).
    """

    def write(context: KedroContext) -> None:
        schema = None if name is None else _schema(context, name)
        find, dropped = finder(mentions, pipeline, types, schema, ignore_case)
        taken = Pairs(both_ways=pairs == "both-ways", most=most, schema=schema)
        counts = CandidateCounts()
        try:
            with source.open(encoding="utf-8-sig", newline="\n") as lines:
                sentences = read_sentences(lines, json=source.suffix == ".jsonl", counts=counts)
                _write(candidates(sentences, find, taken, counts), target, counts)
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} is not UTF-8 ({error.reason}); save it as UTF-8") from None
        _tell(counts, dropped, source, target)

    in_project(env, write)


def _schema(context: KedroContext, name: str) -> RelationSchema:
    require_corpus(configuration.read_config(), name)
    schema: RelationSchema = context.catalog.load(f"{name}.folder").schema()
    return schema


def finder(
    mentions: Path | None,
    pipeline: str | None,
    types: tuple[str, ...],
    schema: RelationSchema | None,
    ignore_case: bool,
) -> tuple[Find, dict[str, int]]:
    """What finds mentions, and the labels that it drops, counted as it meets them.

    Args:
        mentions: A file of names; or
        pipeline: a spaCy pipeline.
        types: ``LABEL=TYPE`` for labels of the pipeline.
        schema: Of the corpus whose types there are; None takes any type.
        ignore_case: Whether case is no difference between a name and the text.

    Raises:
        ValueError: Both or neither is given, a type is not the schema's, a file not UTF-8.
    """
    if (mentions is None) == (pipeline is None):
        raise ValueError("give either --mentions, a file of names, or --spacy, a pipeline")
    known = schema.entity_types if schema and schema.entity_types else None
    if pipeline is not None:
        found = SpacyMentions(pipeline, dict(_label_and_type(t, known) for t in types), known)
        return found.find, found.dropped
    if types:
        raise ValueError("--as is for labels of spaCy; the file of names has its own types")
    assert mentions is not None
    try:
        listed = mentions.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{mentions} is not UTF-8 ({error.reason}); save it as UTF-8") from None
    names = read_mentions(listed, str(mentions), ignore_case=ignore_case, types=known or ())
    if known is not None:
        for kind in sorted(names.types - set(known)):
            raise ValueError(
                f"{mentions}: the type {kind!r} is not among the entity_types of the corpus"
                + did_you_mean(kind, known)
            )
    return lambda texts: map(names.find, texts), {}


def _label_and_type(text: str, known: Iterable[str] | None) -> tuple[str, str]:
    label, equals, kind = text.partition("=")
    if not (label and equals and kind):
        raise ValueError(f"--as {text}: write LABEL=TYPE, e.g. --as PERSON=person")
    if known is not None and kind not in set(known):
        raise ValueError(
            f"--as {text}: there is no entity type {kind!r}{did_you_mean(kind, known)}"
        )
    return label, kind


def _write(records: Iterator[dict[str, Any]], target: Path, counts: CandidateCounts) -> None:
    """Beside its place first, so that a file that is there is whole."""
    if target.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{target}: OUTPUT ends with .jsonl or .parquet")
    if target.exists():
        raise FileExistsError(f"{target} is there already, and nothing is written over")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    if target.suffix == ".jsonl":
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    else:
        _write_parquet(records, unfinished)
    if not counts.pairs:  # nobody wants the file, and it would be in the way of the next try
        unfinished.unlink()
        return
    unfinished.replace(target)


def _write_parquet(records: Iterator[dict[str, Any]], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ("id", "sentence", "head_type", "tail_type")
    schema = pa.schema([(column, pa.string()) for column in columns])
    with pq.ParquetWriter(file, schema) as llm:
        batch: list[dict[str, Any]] = []
        for record in records:
            batch.append(record)
            if len(batch) == _ROWS:
                llm.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        llm.write_table(pa.Table.from_pylist(batch, schema=schema))


def _tell(counts: CandidateCounts, dropped: dict[str, int], source: Path, target: Path) -> None:
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(counts.kinds.items()))
    click.echo(f"{counts.sentences:,} sentences with {counts.mentions:,} mentions"
               + (f" ({kinds})" if kinds else ""))  # fmt: skip
    for number, what in (
        (counts.no_mention, "sentences without a mention"),
        (counts.one_mention, "sentences with one mention, so without a pair"),
        (counts.ruled_out, "pairs left out: no relation joins their types"),
        (counts.beyond, "pairs left out: beyond --most of their sentence"),
        (len(counts.bad), "lines left out: they hold no sentence"),
    ):
        if number:
            click.echo(f"{what}: {number:,}")
    if dropped:
        told = ", ".join(f"{label} {n:,}" for label, n in sorted(dropped.items()))
        click.echo(f"entities left out, of no type of the corpus (--as LABEL=TYPE): {told}")
    for line in counts.bad[:_SHOWN]:
        click.echo(f"  {source}, {line}", err=True)
    written = f"{counts.pairs:,} pairs in {target}"
    click.echo(written if counts.pairs else f"no pair, so {target} is not written")


@click.group()
def corpus() -> None:
    """A corpus of your own: its files, what is wrong with them, whether this machine will do."""


for command in (
    new_command,
    validate_command,
    doctor_command,
    questions_command,
    candidates_command,
):
    corpus.add_command(command)
