"""Checks of a whole corpus before a run: schema, files, rows and their counts.

Rows are checked against one another for copies, contradictions, leakage and exchanged mentions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tkre.core.documents import shown
from tkre.core.errors import UserError, enumerated
from tkre.core.instance import HEAD, TAIL, Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import (
    NearDuplicateIndex,
    NearDuplicateParams,
    PairKey,
    near_duplicate_groups,
    normalised,
    pair_key,
    shared_sentences,
)
from tkre.corpora.documents import cuts_word
from tkre.corpora.params import NATURAL_TEST, CorpusParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import (
    RELATIONS_FILE,
    Corpus,
    CorpusFolder,
    LabelFileError,
    labels_command,
    read_corpus,
)
from tkre.corpora.recognition import other_format
from tkre.corpora.reviewed import read_reviewed
from tkre.corpora.scaffold import PLACEHOLDER, is_placeholder
from tkre.corpora.schema_validation import (
    Finding,
    Level,
    definition_findings,
    read_relations,
)

HELD_OUT = ("dev", "test")


def row_findings(
    corpus: Corpus, near: NearDuplicateParams, *, leakage_stops: bool
) -> Iterator[Finding]:
    """Check rows against one another.

    Args:
        corpus: Its valid rows.
        near: Definition of near-duplicates.
        leakage_stops: A run is refused over a test instance among its training rows.
    """
    yield from placeholders(corpus)
    yield from labelled_twice(corpus)
    yield from leaks(corpus, stops=leakage_stops)
    yield from near_duplicates(corpus, near)
    yield from mixed_up_types(corpus)
    yield from cut_words(corpus)


def placeholders(corpus: Corpus) -> Iterator[Finding]:
    """Example rows of the scaffold that are still there."""
    for row in corpus.rows:
        if is_placeholder(row.text):
            message = "the sentence is still to be written"
            yield Finding(Level.ERROR, corpus.place(row), message, "placeholder")


def labelled_twice(corpus: Corpus) -> Iterator[Finding]:
    """Pairs of mentions that a split has twice: with one label, with two, or inverted."""
    for split in corpus.splits.values():
        of_pair: dict[PairKey, list[Instance]] = defaultdict(list)
        for row in split:
            of_pair[pair_key(row)].append(row)
        for (text, head, tail), same in of_pair.items():
            yield from _repeated(same, corpus)
            if head < tail:  # one of the two directions
                yield from _inverted(same, of_pair.get((text, tail, head), []), corpus)


def leaks(corpus: Corpus, *, stops: bool) -> Iterator[Finding]:
    """Pairs of mentions in two splits."""
    pairs = [("train", "test"), ("dev", "test"), ("train", "dev")]
    if NATURAL_TEST in corpus.splits:
        pairs += [(split, NATURAL_TEST) for split in ("train", *HELD_OUT)]
    for one, other in pairs:
        same, _ = shared_sentences(corpus.splits[one], corpus.splits[other])
        refused = one == "train" and (other == NATURAL_TEST or (stops and other == "test"))
        for a, b in same:
            message = f"the same sentence and mentions as {corpus.places[a]}; " + (
                "a score on it would mean nothing, and a run that samples the row is refused"
                if refused
                else f"scores on {other} are too high"
            )
            level = Level.ERROR if refused else Level.WARNING
            yield Finding(level, corpus.places[b], message, f"{other} rows in {one}")


def near_duplicates(corpus: Corpus, near: NearDuplicateParams) -> Iterator[Finding]:
    """Sentences that differ from another one in a few words."""
    train = _each_once(corpus.splits["train"])
    by_group: dict[int, list[Instance]] = defaultdict(list)
    groups = near_duplicate_groups([row.text for row in train], near)
    for group, row in zip(groups, train, strict=True):
        by_group[group].append(row)
    for first, *others in by_group.values():
        for other in others:
            message = f"nearly the sentence of {corpus.place(first)}: it adds little information"
            yield Finding(Level.WARNING, corpus.place(other), message, "near-duplicates in train")
    index = NearDuplicateIndex(near)
    for row in train:
        index.add(corpus.place(row), [row.text])
    known = {normalised(row.text) for row in train}
    for split in (split for split in corpus.splits if split != "train"):
        for row in _each_once(corpus.splits[split]):
            found = None if normalised(row.text) in known else index.find(row.text)
            if found:
                message = f"nearly the sentence of {found[0]}; scores on {split} are too high"
                yield Finding(
                    Level.WARNING, corpus.place(row), message, f"near-duplicates in {split}"
                )


def mixed_up_types(corpus: Corpus) -> Iterator[Finding]:
    """Mentions with a second, rare type: tags or types may be exchanged."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    first_row: dict[tuple[str, str], Instance] = {}
    for row in corpus.rows:
        for mention, kind in ((row.head_text, row.head_type), (row.tail_text, row.tail_type)):
            if kind is not None:
                kinds[normalised(mention)][kind] += 1
                first_row.setdefault((normalised(mention), kind), row)
    for mention, counts in kinds.items():
        for (usual, often), (kind, seldom) in pairwise(counts.most_common()):
            if seldom <= often / 2:
                message = (
                    f"{mention!r} is a {kind} here and a {usual} in {often} other rows: are the "
                    "tags or the types exchanged?"
                )
                place = corpus.place(first_row[mention, kind])
                yield Finding(Level.WARNING, place, message, "mentions of two types")


def cut_words(corpus: Corpus) -> Iterator[Finding]:
    """Mentions that end inside a word: offsets of another unit, or of a last character."""
    for row in corpus.rows:
        for role, span in ((HEAD, row.head), (TAIL, row.tail)):
            if cuts_word(row.text, span):
                message = f"the {role} {shown(span.of(row.text))} begins or ends within a word"
                yield Finding(Level.WARNING, corpus.place(row), message, "mentions that cut words")


def _repeated(same: Sequence[Instance], corpus: Corpus) -> Iterator[Finding]:
    first, *others = same
    for other in others:
        if other.relation != first.relation:
            message = (
                f"labelled {other.relation}, but {first.relation} in {corpus.place(first)}: the "
                "same sentence with the same mentions. A pair has one label: keep one of the rows, "
                "or, where both hold, declare a relation of its own for such pairs, such as "
                f"{first.relation} and {other.relation}"
            )
            yield Finding(Level.WARNING, corpus.place(other), message, "contradictions")
        else:
            message = f"the same row as {corpus.place(first)}; it counts twice among the shots"
            yield Finding(Level.WARNING, corpus.place(other), message, "rows that stand twice")


def _inverted(
    forward: Sequence[Instance], inverted: Sequence[Instance], corpus: Corpus
) -> Iterator[Finding]:
    """The same pair with head and tail exchanged, labelled against the inverses of the schema.

    The exchanged pair of a negative row may hold a relation: nothing is expected of it.
    """
    for one, other in ((a, b) for a in forward for b in inverted):
        expected = corpus.schema.inverse_of(str(one.relation))
        if expected not in (None, corpus.schema.negative) and other.relation != expected:
            message = (
                f"labelled {other.relation}; by relations.yml the pair of {corpus.place(one)} "
                f"({one.relation}) is {expected} the other way round"
            )
            yield Finding(Level.WARNING, corpus.place(other), message, "directions that do not fit")


def _each_once(rows: Sequence[Instance]) -> list[Instance]:
    """The first row of each sentence: several pairs of a sentence are no copies."""
    return list({normalised(row.text): row for row in reversed(rows)}.values())[::-1]


def shortfalls(corpus: Corpus, shots: int) -> Iterator[Finding]:
    """Relations with fewer rows than a sample takes.

    Args:
        corpus: The corpus.
        shots: K, rows per relation.
    """
    counts = {
        split: Counter(str(row.relation) for row in instances)
        for split, instances in corpus.splits.items()
    }
    for name in (labels := corpus.schema.names):
        if not counts["train"][name]:
            message = f"relation {name!r} has no row in train: write some, or take it out"
            yield Finding(Level.ERROR, f"{corpus.schema.corpus}/relations.yml", message)
    short = [f"{n} ({counts['train'][n]})" for n in labels if 0 < counts["train"][n] < shots]
    if short:
        message = f"fewer than {shots} rows in train, all of them are taken: {enumerated(short)}"
        yield Finding(Level.WARNING, "", message)
    yield from _validation_shortfalls(corpus, counts, shots)
    if corpus.splits["test"] and (without := [n for n in labels if not counts["test"][n]]):
        yield Finding(Level.WARNING, "", f"no row in test, so no score: {enumerated(without)}")
    if not corpus.splits["test"]:
        yield Finding(Level.NOTE, "", "there is no test split, so nothing will be scored")


def _validation_shortfalls(
    corpus: Corpus, counts: Mapping[str, Counter[str]], shots: int
) -> Iterator[Finding]:
    dev = bool(corpus.splits["dev"])
    left = {n: counts["dev"][n] if dev else counts["train"][n] - shots for n in corpus.schema.names}
    short = [f"{name} ({max(0, n)})" for name, n in left.items() if n < shots]
    source = "dev" if dev else f"train beyond the {shots} that are trained on"
    if not short:
        return
    if max(left.values()) <= 0:
        message = (
            "no row is left to validate on (there is no dev split): the last epoch is kept, "
            "probabilities are not calibrated, and no precision can be promised"
        )
        yield Finding(Level.NOTE, "", message)
    else:
        message = f"fewer than {shots} rows to validate on in {source}: {enumerated(short)}"
        yield Finding(Level.WARNING, "", message)


@dataclass(frozen=True)
class CheckedCorpus:
    """Result of ``check_corpus``.

    Attributes:
        findings: All findings.
        corpus: Its valid rows; None if the schema is unreadable or a file is missing.
    """

    findings: list[Finding]
    corpus: Corpus | None

    @property
    def usable(self) -> bool:
        """Whether there is no error."""
        return not any(finding.level == Level.ERROR for finding in self.findings)


def check_corpus(
    folder: CorpusFolder, params: CorpusParams, near: NearDuplicateParams, shots: int
) -> CheckedCorpus:
    """Run all checks; continue after an error wherever possible.

    Args:
        folder: Folder of the corpus.
        params: Parameters of the corpus.
        near: Definition of near-duplicates.
        shots: K of the planned run.
    """
    try:
        text = folder.read(RELATIONS_FILE)
    except UserError as error:
        missing = folder.find(params.train) and not folder.find(RELATIONS_FILE)
        way = f" {labels_command(folder, params)}" if missing else ""
        return CheckedCorpus([Finding(Level.ERROR, "", f"{error}{way}")], None)
    file = f"{folder.name}/{RELATIONS_FILE}"
    relations = read_relations(text, file, folder.name)
    findings = relations.findings
    if relations.schema is None:
        note = "rows are not checked before relations.yml can be read"
        return CheckedCorpus([*findings, Finding(Level.NOTE, "", note)], None)
    schema = relations.schema
    findings += definition_findings(schema, relations.relation_place)
    findings += _files(folder, params)
    if any(finding.level == Level.ERROR and finding.kind == "file" for finding in findings):
        return CheckedCorpus(findings, None)
    try:
        corpus = read_corpus(folder.read, schema, params.model_copy(update={"on_bad_row": "skip"}))
    except LabelFileError as error:
        return CheckedCorpus([*findings, Finding(Level.ERROR, "", str(error))], None)
    findings += _bad_rows(corpus, params)
    lines = replace(corpus, report=corpus.report | {"bad_rows": []}).dropped()
    findings += [Finding(Level.WARNING, "", line) for line in lines]
    findings += _unlabelled(folder, schema, params)
    findings += _reviewed(folder, schema, params)
    findings += row_findings(corpus, near, leakage_stops=params.on_leakage == "stop")
    if corpus.report["bad_rows"] and params.on_bad_row == "stop":
        note = "rows per relation are counted once the bad rows are corrected"
        findings.append(Finding(Level.NOTE, "", note))
    else:
        findings += shortfalls(corpus, shots)
    findings += _untyped(corpus)
    return CheckedCorpus(findings, corpus)


def _files(folder: CorpusFolder, params: CorpusParams) -> Iterator[Finding]:
    """Missing, empty and unread files, and files in another format."""
    for file in params.read_files():
        try:
            text = folder.read(file)
        except UserError as error:
            if params.unlabelled and file == params.unlabelled.file and not folder.find(file):
                continue  # it may be made later
            yield Finding(Level.ERROR, "", str(error), "file")
            continue
        if not text.strip():
            yield Finding(Level.ERROR, f"{folder.name}/{file}", "the file is empty", "file")
        elif _is_json_lines(file, params) and text.lstrip()[0] != "{":
            message = other_format(text, "native", f"{folder.name}/{file}") or (
                'the first row does not begin with "{": the native format is JSON Lines, one '
                "object a line, no list around them and no header (docs/data.md)"
            )
            yield Finding(Level.ERROR, f"{folder.name}/{file}, line 1", message, "file")
    read = params.files()
    for split in ("train", *HELD_OUT):
        if split not in read and folder.find(f"{split}.jsonl"):
            message = (
                f"{split}.jsonl is there but is not read: add `{split}: {split}.jsonl` to "
                f"corpora.{folder.name} in conf/"
            )
            yield Finding(Level.WARNING, "", message)


def _is_json_lines(file: str, params: CorpusParams) -> bool:
    """Whether a file of the corpus is in the native format."""
    pool = params.unlabelled
    if pool is None or file not in (pool.file, pool.train_ids):
        splits = [split for split, of_split in params.files().items() if of_split == file]
        return bool(splits) and params.format_of(splits[0]) == "native"
    return file == pool.file and pool.format in (None, "native")


def _unlabelled(
    folder: CorpusFolder, schema: RelationSchema, params: CorpusParams
) -> Iterator[Finding]:
    """Unlabelled rows that cannot be read, or are not there yet."""
    file = params.unlabelled.file if params.unlabelled else None
    if file is not None and not folder.find(file):
        message = (
            f"there is no unlabelled text for a language model to annotate: {file} is made of raw "
            f"sentences by kedro corpus candidates <text> --mentions <names> --corpus {folder.name}"
        )
        yield Finding(Level.NOTE, "", message)
        return
    try:
        read_pool(folder.read, schema, params)
    except UserError as error:
        yield Finding(Level.ERROR, "", str(error), "unlabelled rows")


def _reviewed(
    folder: CorpusFolder, schema: RelationSchema, params: CorpusParams
) -> Iterator[Finding]:
    """Rows of a person that cannot be read."""
    try:
        read_reviewed(folder, schema, params)
    except UserError as error:
        yield Finding(Level.ERROR, "", str(error), "reviewed rows")


def _bad_rows(corpus: Corpus, params: CorpusParams) -> Iterator[Finding]:
    skipped = params.on_bad_row == "skip"
    for row in corpus.report["bad_rows"]:
        reason = row["reason"]
        if repr(PLACEHOLDER) in reason:
            reason = "still the example row: replace it by a sentence with its entity types"
        level = Level.WARNING if skipped else Level.ERROR
        reason += " (left out, by on_bad_row: skip)" if skipped else ""
        yield Finding(level, f"{row['file']}, {row['place']}", reason, "bad rows")
    if params.on_type_mismatch == "keep":
        for row in corpus.report["type_mismatches"]:
            place = f"{row['file']}, {row['place']}"
            yield Finding(Level.NOTE, place, row["reason"], "types that relations.yml rules out")


def _untyped(corpus: Corpus) -> Iterator[Finding]:
    """Mentions without an entity type, although the schema has types."""
    if not corpus.schema.entity_types:
        return
    without = [row for row in corpus.rows if row.head_type is None or row.tail_type is None]
    if without:
        message = (
            f"{len(without)} of {len(corpus.rows)} rows have no head_type or no tail_type, the "
            f"first in {corpus.place(without[0])}; typed markers and the exclusion of relations by "
            "types have less effect there"
        )
        yield Finding(Level.WARNING, "", message)
