"""Files of other tools: their format, their documents, and commands for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote

from tkre.core.documents import DocumentError, decode_json, shown
from tkre.core.errors import UserError
from tkre.core.files import read_text, text_lines
from tkre.core.params import did_you_mean
from tkre.corpora import annotations as tools
from tkre.corpora import exchange
from tkre.corpora.candidates import CandidateCounts, Mention, read_sentences
from tkre.corpora.documents import Documents, Tally, read_documents, sentences_of
from tkre.corpora.params import FORMATS
from tkre.corpora.reading import CorpusError
from tkre.corpora.recognition import NAMES, recognised
from tkre.corpora.records import RowError
from tkre.corpora.tables import header_of, held_by, table_columns, table_records

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
_BY_SUFFIX = {".ann": "brat", ".spacy": "docbin"}
_BEGINNING = 100_000  # bytes of a raw text that are looked at for its format


def check_format(name: str | None) -> str | None:
    """Refuse an unknown name of a format.

    Raises:
        ValueError: No reader has the name.
    """
    known = {*FORMATS, *NAMES}
    if name is not None and name not in known:
        raise ValueError(f"there is no format {name!r}{did_you_mean(name, known)}")
    return name


def format_of(path: Path, given: str | None = None) -> str | None:
    """Name of the format of a file; None if it is not known."""
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    if given or by_suffix:
        return given or by_suffix
    return recognised(read_text(path, utf16=True))


def beside(path: Path, suffix: str) -> Path | None:
    """The file of the same name with another suffix, which may be in capitals, too."""
    both = (path.with_suffix(suffix), path.with_suffix(suffix.upper()))
    return next((file for file in both if file.is_file()), None)


def documents_of(path: Path, name: str) -> Documents | None:
    """The documents of a file; None for a format with one pair a row."""
    if name == "docbin":
        return exchange.docbin(path.read_bytes(), str(path))
    if name == "brat":
        text = beside(path, ".txt")
        if text is None:
            wanted = path.with_suffix(".txt").name
            raise CorpusError(f"{path}: there is no {wanted} beside it, the text of brat")
        pair = (read_text(path, utf16=True), read_text(text, utf16=True))
        return iter([("", lambda: tools.brat(*pair))])
    return DOCUMENTS[name](read_text(path, utf16=True)) if name in DOCUMENTS else None


def where_to_label(source: Path) -> str | None:
    """What a file is that holds no sentences to label, and the commands for it; None if unknown.

    Args:
        source: The file, or a folder, of which the first known one counts.
    """
    for file in sorted(source.rglob("[!.]*")) if source.is_dir() else [source]:
        path = beside(file, ".ann") or file
        with suppress(UserError, OSError):
            if name := format_of(path):
                return _commands(path, name)
    return None


def _commands(path: Path, name: str) -> str | None:
    """What to do with a file of a known format; None where it has the suffix of its format."""
    if (suffixes := {"native": (".jsonl",), "csv": (".csv", ".tsv")}.get(name)) is not None:
        endings = " or ".join(suffixes)
        return (
            None
            if path.suffix.lower() in suffixes
            else f"{path} is {NAMES[name]}: call it {endings}"
        )
    typed = quote(str(path))
    found = f"{path} is {NAMES[name]}: `kedro corpus import {typed} my_corpus` makes a corpus of it"
    if name in DOCUMENTS or name in _BY_SUFFIX.values():
        found += f", `kedro corpus candidates {typed} pairs.jsonl` pairs of its entities to label"
    return found


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
        path: A table ends with .csv or .tsv, JSON Lines with .jsonl or .ndjson, in any case.
        counts: Bad lines are added to it.

    Raises:
        CorpusError: The table has no column of sentences, or the file is JSON or one of another
            tool.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        yield from _table_sentences(read_text(path, utf16=True), path, counts)
        return
    json = suffix in (".jsonl", ".ndjson")
    if not json:
        with path.open("rb") as file:
            _refuse_records(file.read(_BEGINNING).decode("utf-8-sig", errors="ignore"), path)
    yield from read_sentences(text_lines(path), json=json, counts=counts)


def _refuse_records(beginning: str, path: Path) -> None:
    """Refuse a file that is no sentence a line, by its beginning."""
    found = recognised(beginning)
    if found in DOCUMENTS:
        raise CorpusError(
            f"{path}: this is {NAMES[found]}, not a sentence a line: leave --mentions and "
            "--spacy out to read its entities, or write its sentences a line each"
        )
    if found in (None, "native") and _is_json(beginning):
        raise CorpusError(
            f"{path}: this is JSON, not a sentence a line: write an object with the key sentence "
            "or text a line, and call the file .jsonl"
        )
    if found:
        raise CorpusError(_commands(path, found) or f"{path}: this is {NAMES[found]}")
    with suppress(RowError):
        header = header_of([beginning.partition("\n")[0]])
        if len(header) > 1 and "sentence" in held_by(header):
            raise CorpusError(
                f"{path}, line 1: {shown(', '.join(header))} is the header of a table, not a "
                "sentence: call the file .csv, or take the line away"
            )
    if beginning.lstrip()[:14].lower().startswith(("<!doctype html", "<html", "<?xml")):
        raise CorpusError(f"{path}: this is HTML or XML, not a sentence a line: write its text")


def _is_json(beginning: str) -> bool:
    """Whether a text begins with a JSON object, or a list of objects or texts."""
    text = beginning.lstrip()
    inside = text[1:].lstrip() if text.startswith("[") else text
    try:
        record, end = decode_json(inside, 0)
    except DocumentError:
        return False
    more = inside[end:].lstrip()[:1] in ("", ",", "]")
    # A sentence may begin with "[1]", or with a text in quotes.
    return isinstance(record, dict) or (isinstance(record, str) and more and inside is not text)


def _table_sentences(text: str, path: Path, counts: CandidateCounts) -> Iterator[tuple[str, str]]:
    try:
        columns = table_columns(text)
    except RowError as error:
        raise CorpusError(f"{path}, line 1: {error}") from None
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
