"""Files of other tools as the rows of a corpus, and a corpus as files for other tools."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.files import EncodingError, read_text, visible_files
from tkre.core.instance import Instance
from tkre.core.text import normalised
from tkre.corpora.document_rows import Rows
from tkre.corpora.documents import Tally, read_documents
from tkre.corpora.formats import require_object
from tkre.corpora.params import FORMATS
from tkre.corpora.reading import RELATIONS_FILE, CorpusError
from tkre.corpora.recognition import why_unknown
from tkre.corpora.records import RowError, id_once, instance_problem
from tkre.corpora.tool_files import beside, documents_of, format_of

NO_RELATION = "no_relation"
# Names of the relation "none of the others" in published corpora.
NEGATIVES = frozenset(
    ("no_relation", "no relation", "other", "none", "na", "n/a", "false", "negative", "no-relation")
)
_SPLITS = {
    "train": "train", "training": "train", "dev": "dev", "val": "dev", "valid": "dev",
    "validation": "dev", "development": "dev", "test": "test", "testing": "test",
}  # fmt: skip
# Names of relations by id, beside the files of FewRel and DocRED.
_NAMES_FILES = ("pid2name.json", "rel_info.json")
_NO_DEFINITION = "No description defined"  # of pid2name.json
_WIKIDATA = re.compile(r"P[0-9]+")


@dataclass
class Imported:
    """What an import found.

    Attributes:
        formats: Name of the format by file.
        splits: Rows by split.
        negative: Name of the negative relation; None without one.
        definitions: Definitions of relations, where a file beside the corpus has them.
        tally: Counts, and what could not be taken.
    """

    formats: dict[str, str] = field(default_factory=dict)
    splits: dict[str, list[Instance]] = field(default_factory=dict)
    negative: str | None = None
    definitions: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    @property
    def rows(self) -> list[Instance]:
        """Rows of all splits."""
        return [row for rows in self.splits.values() for row in rows]


def import_files(
    source: Path, file_format: str | None, negative: str, ratio: float, seed: int
) -> Imported:
    """Read a file, or the files of a folder, of any known format.

    Args:
        source: File or folder; ``train``, ``dev`` and ``test`` in the name of a file or of its
            folder name its split, other files are training data.
        file_format: Name of the format; None to recognise it.
        negative: Name for pairs of entities without a relation.
        ratio: Number of such pairs for each row with a relation.
        seed: Seed of their choice.

    Raises:
        CorpusError: A file has no known format, or no row comes of the files.
    """
    found = Imported()
    for split, files in _by_split(source).items():
        rows = Rows(found.tally)
        for file in files:
            _read_file(file, split, file_format, rows, found)
        if rows.rows:
            found.splits[split] = rows.rows
        positive = [row for row in rows.rows if str(row.relation).lower() not in NEGATIVES]
        wanted = round(ratio * len(positive)) if len(positive) == len(rows.rows) else 0
        if wanted and (free := rows.negatives(negative, wanted, seed)):
            found.splits.setdefault(split, []).extend(free)
    _name_relations(found, source if source.is_dir() else source.parent)
    _with_ids_once(found)
    if not found.rows:
        raise CorpusError(f"{source}: no row comes of it: {_why_none(found)}")
    labels = {str(row.relation) for row in found.rows}
    known = sorted(label for label in labels if label.lower() in NEGATIVES)
    found.negative = negative if negative in labels else known[0] if len(known) == 1 else None
    return found


def begin_corpus(found: Imported) -> None:
    """Make training rows of the only split, whatever its name: ``val_wiki.json`` of FewRel.

    Raises:
        CorpusError: There are several splits, and none is training data.
    """
    if "train" in found.splits:
        return
    if len(found.splits) > 1:
        splits = " and ".join(sorted(found.splits))
        raise CorpusError(
            f"no training rows, only {splits} by the names of the files: one with train in its "
            "name, or without any of these words, has them"
        )
    [(split, rows)] = found.splits.items()
    found.splits = {"train": rows}
    found.tally.notes[f"training rows of a file that is {split} by its name"] = len(rows)


def hold_out(found: Imported, share: float, seed: int) -> None:
    """Move sentences, with all their rows, from the training to the test split.

    Args:
        found: The import.
        share: Share of the sentences of each relation.
        seed: Seed of the choice.

    Raises:
        CorpusError: There are test rows already, or no training rows; or one of the two would
            have none.
    """
    if "test" in found.splits or "train" not in found.splits:
        splits = " and ".join(sorted(found.splits))
        raise CorpusError(
            f"--test makes test rows of training rows, and the files have {splits} by their names: "
            "leave it out"
        )
    rows = [(normalised(row.text), row) for row in found.splits["train"]]
    relations: dict[str, str] = {}
    for sentence, row in rows:
        relations.setdefault(sentence, str(row.relation))
    sentences: dict[str, list[str]] = {}
    for sentence, relation in relations.items():
        sentences.setdefault(relation, []).append(sentence)
    chosen = random.Random(seed)
    kept = {s for same in sentences.values() for s in chosen.sample(same, round(share * len(same)))}
    if not 0 < len(kept) < len(relations):
        raise CorpusError(
            f"--test {share:g} of {len(relations)} sentences leaves none to "
            f"{'train on' if kept else 'test on'}: take another share, or leave it out"
        )
    found.splits["train"] = [row for sentence, row in rows if sentence not in kept]
    found.splits["test"] = [row for sentence, row in rows if sentence in kept]


def _why_none(found: Imported) -> str:
    if found.tally.left_out:
        return "\n".join(left_out_lines(found.tally))
    if found.tally.read["mentions"]:
        return (
            "it has entities and no relation; `kedro corpus candidates <file> <output.jsonl>` "
            "marks their pairs"
        )
    return "it holds no relation"


def _by_split(source: Path) -> dict[str, list[Path]]:
    if not source.is_dir():
        return {_split_of(source): [source]}
    others = (*_NAMES_FILES, RELATIONS_FILE)
    by_split: dict[str, list[Path]] = {}
    for file in (file for file in visible_files(source) if file.name not in others):
        # The texts of brat are read with their annotations.
        if file.suffix.lower() != ".txt" or beside(file, ".ann") is None:
            by_split.setdefault(_split_of(file, source), []).append(file)
    return by_split


def _split_of(file: Path, folder: Path | None = None) -> str:
    parts = [*file.relative_to(folder).parts[:-1], file.stem] if folder else [file.stem]
    for part in reversed(parts):
        words = part.lower().replace("-", "_").replace(".", "_").split("_")
        if found := [_SPLITS[word] for word in words if word in _SPLITS]:
            return found[0]
    return "train"


def _read_file(
    path: Path, split: str, file_format: str | None, rows: Rows, found: Imported
) -> None:
    try:
        name = format_of(path, file_format)
        documents = documents_of(path, name) if name else None
        text = read_text(path, utf16=True) if documents is None else ""
    except (CorpusError, EncodingError) as error:  # a picture among the files of a folder
        found.tally.leave_out("file", "it cannot be read", str(error))
        return
    if name is None:
        found.tally.leave_out("file", why_unknown(text), str(path))
        return
    found.formats[str(path)] = name
    if documents is not None:
        for document in read_documents(documents, str(path), found.tally):
            rows.add(document)
        return
    for place, parse in FORMATS[name](text, split):
        found.tally.read["relations"] += 1
        try:
            row = parse()
            if problem := instance_problem(row, None):
                raise RowError(problem)
            rows.rows.append(row)
        except RowError as error:
            found.tally.leave_out("relation", "its row is bad", f"{path}, {place}: {error}")


def left_out_lines(tally: Tally, places: int | None = 1) -> Iterator[str]:
    """What could not be taken, a line for each reason, with its first places; None for all."""
    for (kind, reason), found in tally.left_out.items():
        some = f"{len(found):,} {kind}{'s' if len(found) > 1 else ''} left out: {reason}"
        yield some + "".join(f"\n    {place}" for place in found[:places])


def _name_relations(found: Imported, folder: Path) -> None:
    """Give relations the names of a file beside them."""
    names: dict[str, str] = {}
    labels = {str(row.relation) for row in found.rows}
    for path in (folder / file for file in _NAMES_FILES):
        if path.is_file():
            for label, value in _names_in(path, labels).items():
                name, *definition = value if isinstance(value, list) else [value]
                name = " ".join(name.split())
                # Relations of one name stay apart.
                names[label] = f"{name} ({label})" if name in names.values() else name
                if definition and isinstance(definition[0], str):
                    _define(found, names[label], definition[0])
    if not names and all(_WIKIDATA.fullmatch(label) for label in labels):
        what = f"relations that are ids of Wikidata; {_NAMES_FILES[0]} beside the file names them"
        found.tally.notes[what] = len(labels)
    for split, rows in found.splits.items() if names else ():
        found.splits[split] = [
            replace(row, relation=names.get(str(row.relation), row.relation)) for row in rows
        ]


def _names_in(path: Path, labels: Collection[str]) -> dict[str, Any]:
    """Names of labels by their ids, each a text or a list that begins with one."""
    try:
        given = require_object(parse_json(read_text(path, utf16=True)))
    except (DocumentError, RowError) as error:
        line = error.line if isinstance(error, DocumentError) else None
        raise CorpusError(f"{path}, line {line or 1}: {error}") from None
    found = {label: value for label, value in given.items() if label in labels}
    for label, value in found.items():
        name = value[0] if isinstance(value, list) and value else value
        if not isinstance(name, str) or not name.strip():
            raise CorpusError(
                f"{path}: the name of {label!r} must be a text, or a list that begins with one, "
                f"not {shown(value)}: correct it, or take the file away"
            )
    return found


def _define(found: Imported, name: str, given: str) -> None:
    words = " ".join(given.split()).rstrip(".")
    if words != _NO_DEFINITION:
        found.definitions[name] = f'The tail is the "{name}" of the head: {words}.'


def _with_ids_once(found: Imported) -> None:
    """Give rows whose id stands before an id of their own."""
    taken: dict[str, int] = {}
    for rows in found.splits.values():
        for n, row in enumerate(rows):
            rows[n] = replace(row, id=id_once(row.id, taken))
