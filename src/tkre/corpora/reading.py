"""Reading a corpus: its folder, label corrections, and rows checked against the schema."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.errors import UserError, listed
from tkre.core.files import read_text, require_readable
from tkre.core.instance import Instance
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.params import FORMATS, CorpusParams
from tkre.corpora.recognition import other_format
from tkre.corpora.records import RowError, id_problem, instance_problem, order_problem

RELATIONS_FILE = "relations.yml"
RENAMING_FILE = ".rename.json"  # of a renaming that was killed: files that are still to be moved
SPLITS = ("train", "dev", "test")


class CorpusFileError(UserError, ValueError):
    """A missing file of a corpus; the message names it."""


class CorpusFolder:
    """Files of a corpus: raw files, ``relations.yml``, optional recordings. Nothing is read early.

    Args:
        name: Name of the corpus.
        folders: Folders to look a file up in, in this order; they need not exist.
    """

    def __init__(self, name: str, folders: list[Path]) -> None:
        self.name = name
        self._folders = folders

    def find(self, file: str) -> Path | None:
        """Path of a file; None if no folder has it."""
        paths = (folder / file for folder in self._folders)
        return next((path for path in paths if path.is_file()), None)

    def path(self, file: str) -> Path:
        """Path of a file that may be made: in the first folder that is there."""
        existing = (folder for folder in self._folders if folder.is_dir())
        return next(existing, self._folders[0]) / file

    def read(self, file: str) -> str:
        """Text of a UTF-8 file, without a byte-order mark.

        Args:
            file: Name within the folder; ``../other/file`` is a file of another corpus.

        Raises:
            CorpusFileError: No folder has the file, or a renaming was killed (``RENAMING_FILE``).
            EncodingError: It is not UTF-8.
            PermissionError: It cannot be read.
        """
        if self.find(RENAMING_FILE):
            raise CorpusFileError(
                f"corpus {self.name}: renaming a relation was interrupted, and its files have both "
                f"names: `kedro corpus rename {self.name} OLD NEW`, as it was typed, finishes it"
            )
        path = self.find(file)
        if path is None:
            tried = " nor ".join(dict.fromkeys(str(folder / file) for folder in self._folders))
            raise CorpusFileError(
                f"corpus {self.name}: file {file!r} is missing; there is no {tried}. Put it "
                f"there, or set TKRE_DATA to the folder that holds {self.name}/."
            )
        require_readable(path)
        return read_text(path)

    def digests(self, files: Iterable[str]) -> dict[str, str]:
        """SHA-256 of the existing files and of ``relations.yml``, as of ``sha256sum``."""
        found = {file: self.find(file) for file in (RELATIONS_FILE, *files)}
        return {
            file: hashlib.sha256(path.read_bytes()).hexdigest()
            for file, path in found.items()
            if path
        }

    def schema(self) -> RelationSchema:
        """Schema in ``relations.yml``.

        Raises:
            CorpusFileError: The file is missing.
            SchemaError: The file is not YAML, or not a consistent schema.
        """
        return RelationSchema.read(self.read(RELATIONS_FILE), str(self.find(RELATIONS_FILE)))


class LabelFileError(UserError, ValueError):
    """An unreadable label file; the message names it."""


def parse_labels(text: str, file: str) -> dict[str, str]:
    """Parse label corrections by row id, in either published form.

    Args:
        text: Re-TACRED's JSON object ``{id: label}``, or TACREV's list of ``{"id", "relation"}``.
        file: File name for messages.

    Raises:
        LabelFileError: The text has neither form.
    """
    try:
        raw = parse_json(text)
    except DocumentError as error:
        raise LabelFileError(f"{file}, line {error.line or 1}: {error}") from None
    try:
        pairs = raw.items() if isinstance(raw, dict) else [(r["id"], r["relation"]) for r in raw]
    except (TypeError, KeyError) as error:
        raise LabelFileError(
            f"{file} is neither an object of labels by id nor a list of objects with id and "
            f"relation ({type(error).__name__}: {error})"
        ) from None
    labels: dict[str, str] = {}
    for row_id, label in pairs:
        if not isinstance(row_id, str) or not isinstance(label, str):
            raise LabelFileError(
                f"{file}: the label of {shown(row_id)} is {shown(label)}; both are to be texts"
            )
        if labels.setdefault(row_id, label) != label:
            raise LabelFileError(f"{file}: {row_id} has the labels {labels[row_id]} and {label}")
    return labels


PlacedRows = list[tuple[str, Instance]]  # rows with their places in a file


def relabel(rows: PlacedRows, labels: dict[str, str], *, drop_unlisted: bool) -> PlacedRows:
    """Replace labels by row id.

    Args:
        rows: Rows of a split.
        labels: New labels by id.
        drop_unlisted: Drop rows that ``labels`` does not name (Re-TACRED) instead of keeping their
            label (TACREV).
    """
    return [
        (place, replace(row, relation=labels.get(row.id, row.relation)))
        for place, row in rows
        if row.id in labels or not drop_unlisted
    ]


class CorpusError(UserError, ValueError):
    """An unusable corpus; the message lists bad rows by file and line."""


@dataclass(frozen=True)
class BadRow:
    """A row of a corpus file that is no instance of the schema, with the reason."""

    file: str
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.reason}"


@dataclass(frozen=True)
class Corpus:
    """Splits of a corpus with the findings of reading them.

    Attributes:
        splits: Instances by split: ``train``, ``dev`` and ``test``, empty without a file, and
            ``natural_test`` if the corpus has one.
        schema: Schema that the instances were checked against.
        places: File and line of every instance, by its id.
        report: Rows, rows by relation, bad rows, type mismatches, rows dropped by label files, and
            labels of no row.
    """

    splits: dict[str, list[Instance]]
    schema: RelationSchema
    places: dict[str, str]
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[Instance]:
        """Instances of all splits."""
        return [row for split in self.splits.values() for row in split]

    def place(self, row: Instance) -> str:
        """File and line of an instance."""
        return self.places[row.id]

    def dropped(self) -> list[str]:
        """Rows that were left out and labels that changed none, a line for each kind."""
        lines = []
        if bad := self.report["bad_rows"]:
            first = BadRow(**bad[0])
            lines.append(f"{len(bad)} bad row(s) left out (on_bad_row: skip), the first: {first}")
        for split, count in self.report["left_out_by_label_files"].items():
            if count:
                lines.append(f"{count} row(s) of {split} left out: its label file has no such ids")
        for split, count in self.report["labels_of_no_row"].items():
            if count:
                lines.append(
                    f"{count} label(s) for {split} are of no row and change nothing: is the label "
                    "file that of another split or version?"
                )
        return lines


def labels_command(folder: CorpusFolder, params: CorpusParams) -> str:
    """The command that writes ``relations.yml`` for a corpus whose other files are there."""
    path = folder.find(params.train) or f"data/01_raw/{folder.name}/{params.train}"
    return f"`kedro corpus import {path} {folder.name}` writes one with the labels of the rows"


def read_corpus(read: Callable[[str], str], schema: RelationSchema, params: CorpusParams) -> Corpus:
    """Read all splits of a corpus and check every row.

    Args:
        read: Returns the text of a file by its name within the folder.
        schema: Allowed relations and entity types.
        params: Files, their format, and the treatment of bad rows.

    Raises:
        CorpusError: There are bad rows, and ``on_bad_row`` is ``stop``.
    """
    found = _Findings({split: [] for split in dict.fromkeys((*SPLITS, *params.files()))})
    for split, file in params.files().items():
        name = f"{schema.corpus}/{file}"
        rows = _parsed(read(file), name, split, params.format_of(split), found)
        if params.labels is not None and (label_file := getattr(params.labels, split, None)):
            labels = parse_labels(read(label_file), f"{schema.corpus}/{label_file}")
            relabelled = relabel(rows, labels, drop_unlisted=params.labels.drop_unlisted)
            found.unlisted[split] = len(rows) - len(relabelled)
            found.unmatched[split] = len(labels.keys() - {row.id for _, row in rows})
            rows = relabelled
        _check_rows(rows, name, split, schema, params, found)
    if found.bad and params.on_bad_row == "stop":
        raise CorpusError(_message(schema.corpus, found.bad))
    return Corpus(found.splits, schema, found.places, found.report(schema.corpus))


@dataclass
class _Findings:
    """Accumulated results of reading."""

    splits: dict[str, list[Instance]]
    bad: list[BadRow] = field(default_factory=list)
    mismatches: list[BadRow] = field(default_factory=list)
    unlisted: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)  # labels without a row
    places: dict[str, str] = field(default_factory=dict)  # by id

    def report(self, corpus: str) -> dict[str, Any]:
        by_relation = {
            split: Counter(str(i.relation) for i in rows) for split, rows in self.splits.items()
        }
        return {
            "corpus": corpus,
            "rows": {split: len(rows) for split, rows in self.splits.items()},
            "relations": {split: dict(sorted(c.items())) for split, c in by_relation.items()},
            "bad_rows": [asdict(row) for row in self.bad],
            "type_mismatches": [asdict(row) for row in self.mismatches],
            "left_out_by_label_files": self.unlisted,
            "labels_of_no_row": self.unmatched,
        }


def _parsed(text: str, name: str, split: str, file_format: str, found: _Findings) -> PlacedRows:
    """Parsable rows with their places."""
    rows, bad = [], []
    for place, parse in FORMATS[file_format](text, split):
        try:
            rows.append((place, parse()))
        except RowError as error:
            bad.append(BadRow(name, place, str(error)))
    # Where no row is good, the file may be one of another tool: one message, not one a row.
    if bad and not rows and (other := other_format(text, file_format, name)):
        bad = [BadRow(name, bad[0].place, other)]
    found.bad += bad
    return rows


def _check_rows(
    rows: PlacedRows,
    name: str,
    split: str,
    schema: RelationSchema,
    params: CorpusParams,
    found: _Findings,
) -> None:
    """Add every row to its split or to the bad rows."""
    for place, instance in rows:
        problem = row_problem(instance, schema, found.places)
        found.places.setdefault(instance.id, f"{name}, {place}")
        if problem is None and (mismatch := type_mismatch(instance, schema)):
            found.mismatches.append(BadRow(name, place, mismatch))
            problem = mismatch if params.on_type_mismatch == "bad_row" else None
        if problem is None and params.head_first:
            problem = order_problem(instance, schema.corpus)
        if problem is None:
            found.splits[split].append(instance)
        else:
            found.bad.append(BadRow(name, place, problem))


def row_problem(instance: Instance, schema: RelationSchema, seen: Mapping[str, str]) -> str | None:
    """Reason why the schema has no such instance; None if it is valid.

    Args:
        instance: A labelled row.
        schema: Allowed relations and entity types.
        seen: Places of the rows before it, by id.
    """
    if problem := id_problem(instance.id, seen):
        return problem
    if instance.relation not in schema.relations:
        known = did_you_mean(str(instance.relation), schema.relations)
        return f"relation {instance.relation!r} is not in relations.yml{known}"
    return instance_problem(instance, schema.entity_types)


def type_mismatch(instance: Instance, schema: RelationSchema) -> str | None:
    """Reason why the schema does not allow the types for the relation; None if it does."""
    assert instance.relation is not None
    if schema.allows(instance.relation, instance.head_type, instance.tail_type):
        return None
    relation = schema.relations[instance.relation]
    inverted = schema.allows(instance.relation, instance.tail_type, instance.head_type)
    return (
        f"relations.yml does not allow {instance.relation} between "
        f"{instance.head_type!r} and {instance.tail_type!r} (head_types "
        f"{list(relation.head_types)}, tail_types {list(relation.tail_types)})"
        + (", but the other way round: are head and tail exchanged?" if inverted else "")
    )


def _message(corpus: str, bad: list[BadRow]) -> str:
    lines = [f"corpus {corpus} has {len(bad)} bad row(s):", *listed([f"  {row}" for row in bad])]
    lines.append(
        "Correct the rows or relations.yml, or set corpora."
        f"{corpus}.on_bad_row to skip: the report counts the skipped rows."
    )
    return "\n".join(lines)
