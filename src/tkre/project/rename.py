"""A relation of a corpus under another name: in its files, its answers, and what binds them.

Nothing is written before all new texts are made. They lie beside their files first and are moved
there one by one, by a list in the folder of the corpus: a command that was killed meanwhile is
finished by the next one, and the corpus is not read before. Callers hold the stores meanwhile
(``answers.held``): what a run appends would be lost.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tkre.core.documents import compose_yaml, parse_json
from tkre.core.errors import UserError
from tkre.core.files import read_text
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import RELATIONS_FILE, RENAMING_FILE, CorpusFolder, read_corpus
from tkre.corpora.scaffold import check_label, yaml_text
from tkre.generation.llm.lock import answer_digest
from tkre.generation.llm.store import ResponseStore
from tkre.generation.recorded import ROUND, Subjects
from tkre.generation.rejections import ANNOTATION, CLASSIFICATION, SYNTHESIS

_RELATION = ("relation", "llm_relation", "classifier_relation", "label")  # keys of a label
_IDS = ("request_id", "custom_id", "key", "recordId", "id")


class RenameError(UserError, ValueError):
    """A relation that cannot be renamed; the message says why."""


@dataclass
class Renaming:
    """What renaming changes.

    Attributes:
        old: Name of the relation.
        new: Its new name.
        texts: New content by file.
        counts: Number of changed places by file.
        notes: What else changes.
    """

    old: str
    new: str
    texts: dict[Path, str] = field(default_factory=dict)
    counts: Counter[Path] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def change(self, path: Path, text: str, places: int) -> None:
        """Add the new content of a file, if any place in it changes."""
        if places:
            self.texts[path] = text
            self.counts[path] = places


def plan_rename(
    folder: CorpusFolder,
    params: CorpusParams,
    stores: Iterable[ResponseStore],
    old: str,
    new: str,
) -> Renaming:
    """Make the new content of all files that name a relation.

    Args:
        folder: Folder of the corpus.
        params: Files of the corpus.
        stores: Its recorded and live answers.
        old: Name of the relation.
        new: Its new name.

    Raises:
        RenameError: There is no such relation, the new name is in use, or rows are in a file whose
            labels cannot be replaced.
        ValueError: The new name is impossible, or a file is damaged.
    """
    schema = folder.schema()
    if old not in schema.relations:
        known = did_you_mean(old, schema.relations)
        raise RenameError(f"{folder.name} has no relation {old!r}{known}")
    if new in schema.relations:
        raise RenameError(f"{folder.name} has a relation {new!r} already: choose another name")
    check_label("relation", new)
    renaming = Renaming(old, new)
    path = folder.path(RELATIONS_FILE)
    relations, places = _in_relations(folder.read(RELATIONS_FILE), old, new)
    renaming.change(folder.find(RELATIONS_FILE) or path, relations, places)
    for file, change in _row_files(folder, params, renaming):
        if found := folder.find(file):
            renaming.change(found, *change(folder.read(file)))
    renamed = RelationSchema.read(relations, str(path))
    _answers(renaming, stores, *_subjects(folder, params, schema, renamed, renaming))
    if schema.names.index(old) != renamed.names.index(new):
        renaming.notes.append(
            f"{new!r} stands at another place among the sorted names than {old!r}: K-shot sets are "
            "drawn by it, and will hold other rows"
        )
    return renaming


def _in_relations(text: str, old: str, new: str) -> tuple[str, int]:
    """A ``relations.yml`` with the new name; comments and layout stay."""
    root = compose_yaml(text)
    assert isinstance(root, yaml.MappingNode)
    [relations] = [value for key, value in root.value if key.value == "relations"]
    nodes = [key for key, _ in relations.value if key.value == old]
    nodes += [
        value
        for _, relation in relations.value
        for key, value in relation.value
        if key.value == "inverse" and value.value == old
    ]
    places = {node.start_mark.index: node for node in nodes}  # an alias is its node once more
    for _, node in sorted(places.items(), reverse=True):
        start, end = node.start_mark.index, node.end_mark.index
        text = text[:start] + yaml_text(new) + text[end:]
    return text, len(places)


Change = Callable[[str], tuple[str, int]]


def _row_files(
    folder: CorpusFolder, params: CorpusParams, renaming: Renaming
) -> Iterator[tuple[str, Change]]:
    """Files with labels, each with the function that replaces them."""
    formats = {file: params.format_of(split) for split, file in params.files().items()}
    pool = params.unlabelled
    if pool is not None and pool.file is not None and pool.file not in formats:
        formats[pool.file] = pool.format or "native"
    formats.setdefault(params.reviewed, "native")
    changes = {"native": _in_lines, "scibert": _in_lines, "tacred": _in_json, "semeval": _in_text}
    for file, format_ in formats.items():
        if ".." in Path(file).parts and folder.find(file):
            raise RenameError(f"{file} belongs to another corpus, too: copy it into the folder")
        if format_ not in changes:
            raise RenameError(
                f"{file} has the format {format_}: `kedro corpus import` makes rows of it whose "
                "relations can be renamed"
            )
        yield file, partial(changes[format_], renaming=renaming)
    labels = params.labels
    for patch in (labels.train, labels.dev, labels.test) if labels else ():
        if patch is not None:
            yield patch, partial(_in_json, renaming=renaming)


def _in_lines(text: str, renaming: Renaming) -> tuple[str, int]:
    """JSON Lines; lines without the relation, and all line ends, stay as they are."""
    lines = list(io.StringIO(text, newline=""))  # as ``corpora.formats.numbered_lines`` ends them
    places = 0
    for n, line in enumerate(lines):
        if json.dumps(renaming.old)[1:-1] in line or renaming.old in line:
            record = _parsed(line)
            changed = _renamed(record, renaming)
            if changed != record:
                places += 1
                end = line[len(line.rstrip("\r\n")) :]
                lines[n] = json.dumps(changed, ensure_ascii=False) + end
    return "".join(lines), places


def _in_json(text: str, renaming: Renaming) -> tuple[str, int]:
    """A JSON document: rows of TACRED, or labels by id."""
    rows = parse_json(text)
    if isinstance(rows, dict):
        changed: Any = {k: renaming.new if v == renaming.old else v for k, v in rows.items()}
        places = sum(value == renaming.old for value in rows.values())
    else:
        changed = [_renamed(row, renaming) for row in rows]
        places = sum(a != b for a, b in zip(rows, changed, strict=True))
    return json.dumps(changed, ensure_ascii=False), places


def _in_text(text: str, renaming: Renaming) -> tuple[str, int]:
    """SemEval: a label stands on a line of its own."""
    lines = text.split("\n")
    found = [n for n, line in enumerate(lines) if line.strip() == renaming.old]
    for n in found:
        lines[n] = lines[n].replace(renaming.old, renaming.new)
    return "\n".join(lines), len(found)


def _parsed(line: str) -> Any:
    try:
        return parse_json(line.removeprefix("\ufeff"))
    except ValueError:  # a bad row: kedro corpus validate names it
        return None


def _renamed(value: Any, renaming: Renaming, *, in_texts: bool = False) -> Any:
    """A value of JSON with the new name under the keys of a label.

    Args:
        value: The value.
        renaming: The names.
        in_texts: Whether texts hold JSON with such keys, as answers do that are still to be parsed.
    """
    again = partial(_renamed, renaming=renaming, in_texts=in_texts)
    if isinstance(value, dict):
        return {
            key: renaming.new if key in _RELATION and part == renaming.old else again(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [again(part) for part in value]
    if in_texts and isinstance(value, str):
        label = rf'("(?:{"|".join(_RELATION)})"\s*:\s*){re.escape(json.dumps(renaming.old))}'
        new = json.dumps(renaming.new, ensure_ascii=False)
        return re.sub(label, lambda found: found[1] + new, value)
    return value


def _subjects(
    folder: CorpusFolder,
    params: CorpusParams,
    schema: RelationSchema,
    renamed: RelationSchema,
    renaming: Renaming,
) -> tuple[Subjects, Subjects]:
    """What questions are about, before and after."""
    tolerant = params.model_copy(update={"on_bad_row": "skip"})
    rows = read_corpus(folder.read, schema, tolerant).rows
    source = params.unlabelled and (params.unlabelled.file or params.unlabelled.train_ids)
    pool = read_pool(folder.read, schema, params) if source and folder.find(source) else []
    after = [
        replace(row, relation=renaming.new) if row.relation == renaming.old else row for row in rows
    ]
    return Subjects(schema, rows, pool), Subjects(renamed, after, pool)


@dataclass
class _Answers:
    """How answers of a corpus change: their ids, subjects and contents."""

    renaming: Renaming
    before: Subjects
    after: Subjects
    corpus: str
    digests: dict[tuple[str, str], str] = field(default_factory=dict)

    def id(self, request_id: str) -> str:
        start = f"{SYNTHESIS}/{self.corpus}/{self.renaming.old}/"
        rest = request_id.removeprefix(start)
        if rest == request_id or not ROUND.fullmatch(rest):
            return request_id
        return f"{SYNTHESIS}/{self.corpus}/{self.renaming.new}/{rest}"

    def subject(self, request_id: str, subject: str) -> str:
        """The subject of an answer; a part that was stale stays so."""
        then, now = self.before.of(request_id), self.after.of(self.id(request_id))
        if then is None or now is None:
            return subject
        parts = (s.partition("-")[::2] for s in (subject, then, now))
        return "-".join(n if mine == t else mine for mine, t, n in zip(*parts, strict=True))

    def line(self, line: str) -> str:
        """A line of a store."""
        record = _parsed(line)
        key = next((key for key in _IDS if isinstance(record, dict) and key in record), None)
        if key is None or not isinstance(record[key], str):
            return str(
                _renamed(line, self.renaming, in_texts=True)
            )  # of an answer as it was pasted
        row_id = record[key]
        kind, _, rest = row_id.partition("/")
        if not rest.startswith(f"{self.corpus}/"):
            return line
        labels = kind in (ANNOTATION, CLASSIFICATION)
        changed = _renamed(record, self.renaming, in_texts=True) if labels else dict(record)
        changed[key] = self.id(row_id)
        asked = self.before.of(row_id) != self.after.of(changed[key])
        if isinstance(record.get("subject"), str):
            changed["subject"] = self.subject(row_id, record["subject"])
        if (asked or labels) and "digest" in changed:
            # The request has other words now. The subject still says what was asked.
            changed.setdefault("subject", self.after.of(changed[key]))
            del changed["digest"]
        return line if changed == record else json.dumps(changed, ensure_ascii=False)


def _answers(
    renaming: Renaming, stores: Iterable[ResponseStore], before: Subjects, after: Subjects
) -> None:
    corpus = after.corpus
    answers = _Answers(renaming, before, after, corpus)
    locks = {}
    undone = 0
    for store in stores:
        if store.path is None or not store.path.is_file():
            continue
        lines = read_text(store.path).split("\n")
        changed = [answers.line(line) for line in lines]
        places = sum(a != b for a, b in zip(lines, changed, strict=True))
        undone += sum(line.count('"digest"') for line in lines) - sum(
            line.count('"digest"') for line in changed
        )
        renaming.change(store.path, "\n".join(changed), places)
        _pair(answers, store, "\n".join(changed))
        if store.lock is not None:
            locks[store.lock.path] = store.lock
    for path in locks:
        if path.is_file():
            renaming.change(path, *_in_lock(path.read_text(encoding="utf-8"), answers))
    if undone:
        renaming.notes.append(
            f"{undone:,} answers of live models: a replay takes them as before; a live run asks "
            "their questions again, since these have other words"
        )


def _pair(answers: _Answers, store: ResponseStore, text: str) -> None:
    """Digests of answers after renaming, by id and digest before it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "renamed.jsonl"
        path.write_text(text, encoding="utf-8")
        after = ResponseStore(path)
    by_line = (sorted(s.all(), key=lambda response: response.line or 0) for s in (store, after))
    for old, new in zip(*by_line, strict=True):
        answers.digests[old.request_id, answer_digest(old)] = answer_digest(new)


def _in_lock(text: str, answers: _Answers) -> tuple[str, int]:
    """An ``answers.lock.json``."""
    content: Mapping[str, Mapping[str, Mapping[str, str]]] = parse_json(text)
    changed = {
        corpus: {
            answers.id(row_id): {
                answers.digests.get((row_id, digest), digest): answers.subject(row_id, subject)
                for digest, subject in subjects.items()
            }
            for row_id, subjects in bound.items()
        }
        for corpus, bound in content.items()
    }
    places = sum(
        (answers.id(row_id), changed[corpus][answers.id(row_id)]) != (row_id, subjects)
        for corpus, bound in content.items()
        for row_id, subjects in bound.items()
    )
    return json.dumps(changed, indent=0, sort_keys=True, ensure_ascii=False) + "\n", places


def write(renaming: Renaming, folder: CorpusFolder) -> None:
    """Write all files, or none: an error before the list is complete leaves all as they were."""
    journal = folder.path(RENAMING_FILE)
    moves = {}
    try:
        for path, text in renaming.texts.items():
            unfinished = path.with_name(f".{path.name}.renamed")
            moves[str(unfinished)] = str(path)
            unfinished.write_text(text, encoding="utf-8", newline="")
        part = journal.with_name(f"{RENAMING_FILE}.unfinished")
        part.write_text(json.dumps(moves), encoding="utf-8")
    except OSError:
        for written in moves:
            Path(written).unlink(missing_ok=True)
        raise
    part.replace(journal)
    finish(folder)


def finish(folder: CorpusFolder) -> bool:
    """Move what an interrupted command has left; whether there was any."""
    journal = folder.path(RENAMING_FILE)
    if not journal.is_file():
        return False
    for unfinished, path in parse_json(journal.read_text(encoding="utf-8")).items():
        if Path(unfinished).is_file():
            Path(unfinished).replace(path)
    journal.unlink()
    return True
