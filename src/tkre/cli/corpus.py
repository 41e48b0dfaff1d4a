"""``kedro corpus``: a new corpus, its checks, and candidate pairs in raw sentences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tkre.cli.frame import FramedGroup
from tkre.cli.session import RAW, Project, env_option, require_corpus, session
from tkre.core.errors import enumerated, listed
from tkre.core.files import read_text, replacing
from tkre.core.instance import Instance
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say, say_next
from tkre.core.text import count_words
from tkre.corpora.candidates import (
    CandidateCounts,
    Find,
    Mention,
    Pairs,
    SpacyMentions,
    candidates,
)
from tkre.corpora.mention_list import read_mentions
from tkre.corpora.reading import Corpus
from tkre.corpora.schema_validation import LABEL, Finding, Level, count_levels, finding_lines
from tkre.corpora.tool_files import read_entities, read_raw
from tkre.corpora.validation import CheckedCorpus, check_corpus
from tkre.generation.recorded import RecordedAnswers

# They import pandas and the pipelines, or are large.
LAZY = {
    "new": "tkre.cli.corpus_files.new_command",
    "doctor": "tkre.cli.doctor.doctor_command",
    "questions": "tkre.cli.questions.questions_command",
    "answers": "tkre.cli.questions.answers_command",
    "probe": "tkre.cli.probe.probe_command",
    "review": "tkre.cli.review.review_command",
    "rename": "tkre.cli.rename.rename_command",
    "import": "tkre.cli.corpus_files.import_command",
    "export": "tkre.cli.corpus_files.export_command",
}


@click.group(cls=FramedGroup, lazy_subcommands=LAZY)
def corpus() -> None:
    """Your own corpus: its files, checks, and questions."""


UNLABELLED_FILE = "unlabelled.jsonl"

_LISTED_TYPES = 3


@corpus.command("validate")
@click.argument("name")
@click.option("--shots", "-k", type=click.IntRange(1), default=8, help="K of the planned run.")
@env_option
def validate_command(name: str, shots: int, env: str | None) -> None:
    """Check a corpus: errors by file and line, and counts.

    Ends with 1 if the corpus NAME has an error. Only reads.
    """
    with session(env) as project:
        checked = checked_corpus(project, name, shots)
        findings = list(checked.findings)
        if checked.usable:
            findings += answer_findings(project.recorded(name))
    if checked.corpus is not None and checked.corpus.rows:
        _print_counts(checked.corpus)
    for line in finding_lines(findings):
        say(line, indent=LABEL)
    counts = [f"{count} {level}{'' if count == 1 else 's'}"
              for level, count in count_levels(findings).items()]  # fmt: skip
    say(f"{name}: {', '.join(counts)}")
    if not checked.usable:
        raise click.exceptions.Exit(1)
    say_next(f"kedro corpus doctor {name}")


def answer_findings(recorded: RecordedAnswers) -> Iterator[Finding]:
    """Recorded answers that are not used: stale ones and orphans, counted at the end."""
    for place, message, kind in recorded.problems():
        yield Finding(Level.WARNING, place, message, f"{kind} answers")
    if recorded.stale or recorded.orphans:
        yield Finding(Level.WARNING, "recorded answers", recorded.words())


def checked_corpus(project: Project, name: str, shots: int) -> CheckedCorpus:
    """Run all checks on a corpus.

    Raises:
        LookupError: There is no such corpus.
    """
    config = project.config
    require_corpus(config, name)
    parameters = config.parameters
    return check_corpus(
        project.folder(name), parameters.corpora[name], parameters.generation.synthesis, shots
    )


def _print_counts(corpus: Corpus) -> None:
    """Print rows by relation and split, lengths of sentences, and pairs of entity types."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("relation", overflow="fold")
    for column in (*corpus.splits, "words"):
        table.add_column(column.replace("_", " "), justify="right")
    if typed := bool(corpus.schema.entity_types):
        table.add_column("types")
    for name in corpus.schema.names:
        members = [row for row in corpus.rows if row.relation == name]
        counts = [f"{sum(r.relation == name for r in split):,}" for split in corpus.splits.values()]
        lengths = [count_words(row.text) for row in members]
        words = f"{min(lengths)} - {round(median(lengths))} - {max(lengths)}" if lengths else ""
        more = [_types(members)] if typed else []
        table.add_row(*(Text(cell) for cell in (name, *counts, words, *more)))
    table.add_section()
    table.add_row("all", *(f"{len(split):,}" for split in corpus.splits.values()), "")
    console = Console()
    console.print(table)
    console.print("words: fewest - median - most of a sentence", markup=False, highlight=False)


def _types(rows: Sequence[Instance]) -> str:
    """The most frequent pairs of entity types, with their counts."""
    pairs = Counter(
        f"{row.head_type} \u2192 {row.tail_type}"
        for row in rows
        if row.head_type is not None or row.tail_type is not None
    ).most_common()
    return enumerated([f"{pair} ({n})" for pair, n in pairs], _LISTED_TYPES)


_BATCH = 4096  # pairs in memory
_LISTED_LINES = 10
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@corpus.command("candidates")
@click.argument("source", metavar="INPUT", type=FILE)
@click.argument(
    "target", metavar="[OUTPUT]", required=False, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option("--mentions", type=FILE, default=None, help="File of names: name<TAB>type.")
@click.option("--spacy", "pipeline", default=None, help="A spaCy pipeline, by name or folder.")
@click.option("--as", "types", multiple=True, metavar="LABEL=TYPE",
              help="Entity type for a label of spaCy or of INPUT: PERSON=person.")  # fmt: skip
@click.option("--corpus", "name", default=None, help="Corpus whose relations allow a pair.")
@click.option("--ignore-case", is_flag=True, help="Match OSLO with Oslo.")
@click.option("--pairs", type=click.Choice(["both-ways", "text-order"]), default=None,
              help="Either mention is the head (the default), or the first one (the default of a "
              "corpus with head_first).")  # fmt: skip
@click.option("--most", type=click.IntRange(1), default=30, show_default=True,
              help="Largest number of pairs of a sentence, closest first.")  # fmt: skip
@env_option
def candidates_command(
    source: Path, target: Path | None, mentions: Path | None, pipeline: str | None,
    types: tuple[str, ...], name: str | None, ignore_case: bool, pairs: str | None, most: int,
    env: str | None,
) -> None:  # fmt: skip
    """Mark pairs of mentions in raw sentences.

    INPUT has a sentence a line, or is JSON Lines or a table with a column of sentences. Without
    --mentions and --spacy its entities are those that it has: JSON Lines with the key entities, or
    a file of an annotation tool. OUTPUT ends with .jsonl (for kedro run
    --pipelines inference) or .parquet (for kedro label). Without OUTPUT the pairs become the
    unlabelled text of the corpus.
    """
    with session(env) as project:
        target = target or _unlabelled_file(project, name)
        schema, head_first = None, False
        if name is not None:
            require_corpus(project.config, name)
            schema = project.folder(name).schema()
            head_first = project.config.parameters.corpora[name].head_first
        if head_first and pairs == "both-ways":
            raise ValueError(
                f"--pairs both-ways: corpora.{name}.head_first is true, so no row of it has a tail "
                "that comes first: leave the option out, or set head_first to false"
            )
        both_ways = not head_first and pairs != "text-order"
        selection = Pairs(both_ways=both_ways, most=most, schema=schema)
        counts = CandidateCounts()
        if mentions is None and pipeline is None:
            known = read_entities(source, counts)
            find, dropped = _own_entities((found for *_, found in known), types, schema)
            sentences: Iterable[tuple[str, str]] = [(name, text) for name, text, _ in known]
        else:
            find, dropped = finder(mentions, pipeline, types, schema, ignore_case)
            sentences = read_raw(source, counts)
        _write(candidates(sentences, find, selection, counts), target, counts)
    _print_candidates(counts, dropped, source, target)
    if name is not None:
        say_next(f"kedro corpus doctor {name}")


def _unlabelled_file(project: Project, name: str | None) -> Path:
    """The file of unlabelled text that the entry of a corpus names."""
    if name is None:
        raise ValueError("name OUTPUT, or the --corpus whose unlabelled text the pairs are to be")
    require_corpus(project.config, name)
    pool = project.config.parameters.corpora[name].unlabelled
    if pool is None or pool.file is None or pool.format is not None:
        raise ValueError(
            f"corpora.{name} names no file of pairs: name OUTPUT, or add "
            f"`unlabelled: {{file: {UNLABELLED_FILE}}}` to the entry"
        )
    return RAW / name / pool.file


def _own_entities(
    found: Iterable[list[Mention]], types: Iterable[str], schema: RelationSchema | None
) -> tuple[Find, dict[str, int]]:
    """Finder of the entities that a file has itself, as ``finder`` for those of spaCy."""
    known = schema.entity_types if schema and schema.entity_types else None
    named = dict(_label_and_type(text, known) for text in types)
    dropped: Counter[str] = Counter()

    def of_types(mentions: list[Mention]) -> Iterator[Mention]:
        for mention in mentions:
            kind = named.get(str(mention.kind), mention.kind)
            if kind is None or known is None or kind in known:
                yield replace(mention, kind=kind)
            else:
                dropped[kind] += 1

    return lambda texts: (list(of_types(mentions)) for mentions in found), dropped


def finder(
    mentions: Path | None,
    pipeline: str | None,
    types: tuple[str, ...],
    schema: RelationSchema | None,
    ignore_case: bool,
) -> tuple[Find, dict[str, int]]:
    """Finder of mentions by a file of names or a spaCy pipeline, and its dropped labels.

    Raises:
        ValueError: Both or neither is given, or the schema lacks a type.
    """
    if (mentions is None) == (pipeline is None):
        raise ValueError("give either --mentions, a file of names, or --spacy, a pipeline")
    known = schema.entity_types if schema and schema.entity_types else None
    if pipeline is not None:
        found = SpacyMentions(pipeline, dict(_label_and_type(t, known) for t in types), known)
        return found.find, found.dropped
    if types:
        raise ValueError("--as is for labels of spaCy or INPUT; the names have types")
    assert mentions is not None
    text = read_text(mentions, utf16=True)
    names = read_mentions(text, str(mentions), ignore_case=ignore_case, types=known or ())
    if known and (unknown := sorted(names.types - set(known))):
        raise ValueError(
            f"{mentions}: the type {unknown[0]!r} is not among the entity_types of the corpus"
            + did_you_mean(unknown[0], known)
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
    if target.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{target}: OUTPUT ends with .jsonl or .parquet")
    if target.exists():
        raise FileExistsError(
            f"{target} exists and is not overwritten: move it, or name another OUTPUT"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as unfinished:
        if target.suffix == ".jsonl":
            with unfinished.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        else:
            _write_parquet(records, unfinished)
        if not counts.pairs:  # an empty file would block the next attempt
            unfinished.unlink()


def _write_parquet(records: Iterator[dict[str, Any]], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ("id", "sentence", "head_type", "tail_type")
    schema = pa.schema([(column, pa.string()) for column in columns])
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(records, _BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))


def _print_candidates(
    counts: CandidateCounts, dropped: dict[str, int], source: Path, target: Path
) -> None:
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(counts.kinds.items()))
    say(f"{counts.sentences:,} sentences with {counts.mentions:,} mentions"
               + (f" ({kinds})" if kinds else ""))  # fmt: skip
    for number, what in (
        (counts.no_mention, "sentences without a mention"),
        (counts.one_mention, "sentences with one mention, so without a pair"),
        (counts.ruled_out, "pairs left out: no relation joins their types"),
        (counts.refused, "pairs left out: their mentions are one or cross, or the text has tags"),
        (counts.beyond, "pairs left out: beyond --most of their sentence"),
        (len(counts.bad), "lines left out: they hold no sentence"),
    ):
        if number:
            say(f"{what}: {number:,}")
    if dropped:
        labels = ", ".join(f"{label} {n:,}" for label, n in sorted(dropped.items()))
        say(f"entities left out, of no type of the corpus (--as LABEL=TYPE): {labels}")
    for line in listed([f"  {source}, {line}" for line in counts.bad], _LISTED_LINES):
        say(line, err=True)
    if not counts.pairs:
        raise click.ClickException(f"no pair, so {target} is not written: {_why_none(counts)}")
    say(f"{counts.pairs:,} pairs in {target}")


def _why_none(counts: CandidateCounts) -> str:
    """The likely cause of a file without a pair."""
    if not counts.sentences:
        return "the input has no sentence; it is one a line, or JSON Lines with the key sentence"
    if not counts.mentions:
        return (
            "no name stands in a sentence. Names match whole words, and their case unless "
            "--ignore-case is given; inflected forms are names of their own"
        )
    return "no sentence has two mentions that do not cross and whose types a relation joins"
