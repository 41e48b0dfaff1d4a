"""Files of other tools as the rows of a corpus, and a corpus as files for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.files import decoded, text_lines
from tkre.core.instance import Instance
from tkre.core.params import did_you_mean
from tkre.corpora import annotations as tools
from tkre.corpora import exchange
from tkre.corpora.candidates import CandidateCounts, Mention, read_sentences
from tkre.corpora.document_rows import Rows
from tkre.corpora.documents import Documents, Tally, read_documents, sentences_of
from tkre.corpora.params import FORMATS
from tkre.corpora.reading import RELATIONS_FILE, CorpusError
from tkre.corpora.recognition import NAMES, recognised, why_unknown
from tkre.corpora.records import RowError, instance_problem
from tkre.corpora.tables import table_columns, table_records

# Readers of documents; the other formats hold one marked pair a row.
DOCUMENTS: dict[str, Callable[[str], Documents]] = {
    "doccano": tools.doccano,
    "label_studio": tools.label_studio,
    "prodigy": tools.prodigy,
    "spert": tools.spert,
    "glirel": tools.glirel,
    "docred": tools.docred,
    "rebel": exchange.rebel,
    "bioc": exchange.bioc,
}
NO_RELATION = "no_relation"
# Names of the relation "none of the others" in published corpora.
NEGATIVES = frozenset(
    ("no_relation", "no relation", "other", "none", "na", "n/a", "false", "negative", "no-relation")
)
_SPLITS = {
    "train": "train", "training": "train", "dev": "dev", "val": "dev", "valid": "dev",
    "validation": "dev", "development": "dev", "test": "test", "testing": "test",
}  # fmt: skip
_BEGINNING = 100_000  # bytes of a raw text that are looked at for its format
# Names of relations by id, beside the files of FewRel and DocRED.
_NAMES_FILES = ("pid2name.json", "rel_info.json")


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
        if ratio and len(positive) == len(rows.rows):
            free = rows.negatives(negative, round(ratio * len(positive)), seed)
            found.splits.setdefault(split, []).extend(free)
    _name_relations(found, source if source.is_dir() else source.parent)
    _with_ids_once(found)
    if not found.rows:
        raise CorpusError(f"{source}: no row comes of it: {_why_none(found)}")
    labels = {str(row.relation) for row in found.rows}
    known = sorted(label for label in labels if label.lower() in NEGATIVES)
    found.negative = negative if negative in labels else known[0] if len(known) == 1 else None
    return found


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
    found = (f for f in source.rglob("*") if f.is_file() and not f.name.startswith("."))
    files = sorted(file for file in found if file.name not in others)
    by_split: dict[str, list[Path]] = {}
    for file in files:
        # The texts of brat are read with their annotations.
        if file.suffix != ".txt" or not file.with_suffix(".ann").is_file():
            by_split.setdefault(_split_of(file, source), []).append(file)
    return by_split


def _split_of(file: Path, folder: Path | None = None) -> str:
    parts = [*file.relative_to(folder).parts[:-1], file.stem] if folder else [file.stem]
    for part in reversed(parts):
        words = part.lower().replace("-", "_").replace(".", "_").split("_")
        if found := [_SPLITS[word] for word in words if word in _SPLITS]:
            return found[0]
    return "train"


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, or in UTF-16 with its mark, as spreadsheets write it.

    Raises:
        EncodingError: It is neither.
    """
    return decoded(path.read_bytes(), path, utf16=True)


def format_of(path: Path, given: str | None = None) -> str | None:
    """Name of the format of a file; None if it is not known."""
    by_suffix = {".ann": "brat", ".spacy": "docbin"}.get(path.suffix)
    if given or by_suffix:
        return given or by_suffix
    return recognised(read_text(path))


def documents_of(path: Path, name: str) -> Documents | None:
    """The documents of a file; None for a format with one pair a row."""
    if name == "docbin":
        return exchange.docbin(path.read_bytes(), str(path))
    if name == "brat":
        text = path.with_suffix(".txt")
        if not text.is_file():
            raise CorpusError(f"{path}: there is no {text.name} beside it, the text of brat")
        pair = (read_text(path), read_text(text))
        return iter([("", lambda: tools.brat(*pair))])
    return DOCUMENTS[name](read_text(path)) if name in DOCUMENTS else None


def _read_file(
    path: Path, split: str, file_format: str | None, rows: Rows, found: Imported
) -> None:
    try:
        name = format_of(path, file_format)
    except CorpusError as error:  # a picture among the files of a folder
        found.tally.leave_out("file", "it cannot be read", str(error))
        return
    if name is None:
        found.tally.leave_out("file", why_unknown(read_text(path)), str(path))
        return
    found.formats[str(path)] = name
    documents = documents_of(path, name)
    if documents is not None:
        for document in read_documents(documents, str(path), found.tally):
            rows.add(document)
        return
    for place, parse in FORMATS[name](read_text(path), split):
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
    for path in (folder / file for file in _NAMES_FILES):
        labels = {str(row.relation) for row in found.rows}
        if path.is_file():
            try:
                given = parse_json(read_text(path))
            except DocumentError as error:
                raise CorpusError(f"{path}, line {error.line or 1}: {error}") from None
            for label, value in given.items() if isinstance(given, dict) else ():
                name, *definition = value if isinstance(value, list) else [value]
                if label in labels and isinstance(name, str) and name.strip():
                    names[label] = " ".join(name.split())
                    if definition and isinstance(definition[0], str):
                        words = " ".join(definition[0].split())
                        definition_ = f'The tail is the "{names[label]}" of the head: {words}.'
                        found.definitions[names[label]] = definition_
    for split, rows in found.splits.items() if names else ():
        found.splits[split] = [
            replace(row, relation=names.get(str(row.relation), row.relation)) for row in rows
        ]


def _with_ids_once(found: Imported) -> None:
    """Give rows whose id stands before an id of their own."""
    taken: set[str] = set()
    for rows in found.splits.values():
        for n, row in enumerate(rows):
            row_id, number = row.id, 2
            while row_id in taken:
                row_id, number = f"{row.id}-{number}", number + 1
            taken.add(row_id)
            rows[n] = replace(row, id=row_id)


def read_entities(path: Path, counts: CandidateCounts) -> list[tuple[str, str, list[Mention]]]:
    """Sentences whose entities are known: their ids, texts and mentions.

    Args:
        path: JSON Lines with ``entities``, or a file of an annotation tool.
        counts: Entities and records that cannot be taken are added to its bad lines.

    Raises:
        CorpusError: The file has no entities.
    """
    tally, name = Tally(), format_of(path)
    documents = documents_of(path, name) if name else None
    if documents is None:
        raise CorpusError(
            f"{path}: give --mentions, a file of names, or --spacy, a pipeline; without them its "
            "entities are read, and it has none (JSON Lines with entities: [{start, end, label}], "
            "or a file of an annotation tool)"
        )
    found = []
    for document in read_documents(documents, str(path), tally):
        sentences = sentences_of(document, tally)
        for sentence in sentences:
            mentions = [mention for _, mention in sentence.mentions]
            row_id = sentence.name if len(sentences) > 1 else document.name
            found.append((row_id, sentence.text, mentions))
    left = ((r, p) for (kind, r), p in tally.left_out.items() if kind != "relation")
    counts.bad += [
        f"{place.removeprefix(f'{path}, ')}: {reason}"
        for reason, places in left
        for place in places
    ]
    return found


def read_raw(path: Path, counts: CandidateCounts) -> Iterator[tuple[str, str]]:
    """Raw sentences of a file, by their ids: a line each, JSON Lines, or a table.

    Args:
        path: A table ends with .csv or .tsv.
        counts: Bad lines are added to it.

    Raises:
        CorpusError: The table has no column of sentences, or the file is one of another tool.
    """
    if path.suffix in (".csv", ".tsv"):
        yield from _table_sentences(read_text(path), path, counts)
        return
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING).decode("utf-8-sig", errors="ignore")
    json = path.suffix == ".jsonl"
    if not json and (found := recognised(beginning)):
        raise CorpusError(
            f"{path}: this is {NAMES[found]}, not a sentence a line: leave --mentions and "
            "--spacy out to read its entities, or write its sentences a line each"
        )
    yield from read_sentences(text_lines(path), json=json, counts=counts)


def _table_sentences(text: str, path: Path, counts: CandidateCounts) -> Iterator[tuple[str, str]]:
    columns = table_columns(text)
    if "sentence" not in columns:
        header = text.partition("\n")[0].strip()
        raise CorpusError(
            f"{path}, line 1: there is no column text or sentence in the header {shown(header)}; a "
            "file with a sentence a line ends with .txt"
        )
    for line, cells in table_records(text):
        sentence = cells if isinstance(cells, str) else cells[columns["sentence"]].strip()
        if isinstance(cells, str) or not sentence:
            counts.bad.append(f"line {line}: {sentence or 'no sentence'}")
        else:
            own = cells[columns["id"]].strip() if "id" in columns else ""
            yield own or f"line-{line}", sentence


def check_format(name: str | None) -> str | None:
    """Refuse an unknown name of a format.

    Raises:
        ValueError: No reader has the name.
    """
    known = {*FORMATS, *NAMES}
    if name is not None and name not in known:
        raise ValueError(f"there is no format {name!r}{did_you_mean(name, known)}")
    return name
