"""A whole corpus checked before anything is run on it: schema, files, rows, and their counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tkre.checkup.definitions import definition_findings
from tkre.checkup.findings import Finding, Level
from tkre.checkup.relations_file import read_relations
from tkre.checkup.rows import Likeness, Rows, row_findings, shortfalls
from tkre.corpora.folder import RELATIONS_FILE, CorpusFileError, CorpusFolder
from tkre.corpora.labels import LabelFileError
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import Corpus, read_corpus
from tkre.corpora.scaffold import PLACEHOLDER
from tkre.corpora.schema import RelationSchema

_SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class CheckedCorpus:
    """What was found, and the corpus as far as it can be read.

    Attributes:
        findings: Everything that was found.
        rows: Those that can be read; None where the schema cannot, or a file is missing.
    """

    findings: list[Finding]
    rows: Rows | None

    @property
    def usable(self) -> bool:
        """Whether no error was found."""
        return not any(finding.level == Level.ERROR for finding in self.findings)


def check_corpus(
    folder: CorpusFolder, params: CorpusParams, alike: Likeness, shots: int
) -> CheckedCorpus:
    """Checks everything, and stops at nothing that the rest can be checked without.

    Args:
        folder: The files.
        params: Which of them are read, and how.
        alike: When two sentences are near-copies.
        shots: K that is meant to be run.
    """
    try:
        text = folder.read(RELATIONS_FILE)
    except CorpusFileError as error:
        return CheckedCorpus([Finding(Level.ERROR, "", str(error))], None)
    file = f"{folder.name}/{RELATIONS_FILE}"
    relations = read_relations(text, file, folder.name)
    findings = relations.findings
    if relations.schema is None:
        note = "rows are not checked before relations.yml can be read"
        return CheckedCorpus([*findings, Finding(Level.NOTE, "", note)], None)
    schema = relations.schema
    findings += definition_findings(schema, relations.place)
    findings += _files(folder, params)
    if any(finding.level == Level.ERROR and finding.kind == "file" for finding in findings):
        return CheckedCorpus(findings, None)
    try:
        corpus = read_corpus(folder.read, schema, params.model_copy(update={"on_bad_row": "skip"}))
    except LabelFileError as error:
        return CheckedCorpus([*findings, Finding(Level.ERROR, "", str(error))], None)
    rows = Rows(corpus.splits, corpus.places, schema)
    findings += _bad_rows(corpus, params)
    findings += row_findings(rows, alike, leakage_stops=params.on_leakage == "stop")
    if corpus.report["bad_rows"] and params.on_bad_row == "stop":
        note = "how many rows relations have is looked at once the bad rows are mended"
        findings.append(Finding(Level.NOTE, "", note))
    else:
        findings += shortfalls(rows, shots)
    findings += _untyped(rows, schema)
    return CheckedCorpus(findings, rows)


def _files(folder: CorpusFolder, params: CorpusParams) -> Iterator[Finding]:
    """Files that are missing, empty, of another kind, or there and not read."""
    for file in params.read_files():
        try:
            text = folder.read(file)
        except CorpusFileError as error:
            hint = "; save it as UTF-8" if "not UTF-8" in str(error) else ""
            yield Finding(Level.ERROR, "", f"{error}{hint}", "file")
            continue
        if not text.strip():
            yield Finding(Level.ERROR, f"{folder.name}/{file}", "the file is empty", "file")
        elif params.format == "native" and text.lstrip()[0] != "{":
            message = (
                'the first row does not begin with "{": the native format is JSON Lines, one '
                "object a line, no list around them and no header (docs/data.md)"
            )
            yield Finding(Level.ERROR, f"{folder.name}/{file}, line 1", message, "file")
    read = params.files()
    for split in _SPLITS:
        if split not in read and folder.find(f"{split}.jsonl"):
            message = (
                f"{split}.jsonl is there but is not read: add `{split}: {split}.jsonl` to "
                f"corpora.{folder.name} in conf/"
            )
            yield Finding(Level.WARNING, "", message)


def _bad_rows(corpus: Corpus, params: CorpusParams) -> Iterator[Finding]:
    skipped = params.on_bad_row == "skip"
    for row in corpus.report["bad_rows"]:
        reason = row["reason"]
        if repr(PLACEHOLDER) in reason:
            reason = "still the example row: put a sentence of yours there, with its entity types"
        level = Level.WARNING if skipped else Level.ERROR
        left_out = " (left out, by on_bad_row: skip)" if skipped else ""
        place = f"{row['file']}, {row['place']}"
        yield Finding(level, place, reason + left_out, "bad rows")
    if params.on_type_mismatch == "keep":
        for row in corpus.report["type_mismatches"]:
            place = f"{row['file']}, {row['place']}"
            yield Finding(Level.NOTE, place, row["reason"], "types that relations.yml rules out")


def _untyped(rows: Rows, schema: RelationSchema) -> Iterator[Finding]:
    """Mentions without a type in a corpus that has types."""
    if not schema.entity_types:
        return
    everything = [row for split in rows.splits.values() for row in split]
    without = [row for row in everything if row.head_type is None or row.tail_type is None]
    if without:
        message = (
            f"{len(without)} of {len(everything)} rows have no head_type or no tail_type, the "
            f"first in {rows.at(without[0])}; typed markers and types that rule out relations do "
            "less there"
        )
        yield Finding(Level.WARNING, "", message)
