"""``kedro corpus candidates``: raw sentences as pairs that a classifier can label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext

from tkre import configuration
from tkre.cli.corpus.project import in_project, require_corpus
from tkre.cli.options import ENVIRONMENT
from tkre.corpora.candidates import CandidateCounts, Find, Pairs, candidates, read_sentences
from tkre.corpora.mentions import read_mentions
from tkre.corpora.schema import RelationSchema
from tkre.corpora.spacy_mentions import SpacyMentions
from tkre.suggest import did_you_mean

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
    require_corpus(configuration.read_book(), name)
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
    with pq.ParquetWriter(file, schema) as writer:
        batch: list[dict[str, Any]] = []
        for record in records:
            batch.append(record)
            if len(batch) == _ROWS:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))


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
