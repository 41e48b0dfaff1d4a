"""Rows of a corpus held against one another: copies, contradictions, leakage, mixed-up mentions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tkre.checkup.findings import Finding, Level, names
from tkre.corpora.sampling import normalised, shared_sentences
from tkre.corpora.scaffold import is_placeholder
from tkre.corpora.schema import RelationSchema
from tkre.generation.near_copies import NearCopies, near_copy_groups
from tkre.records import Instance

Splits = Mapping[str, Sequence[Instance]]
HELD_OUT = ("dev", "test")


@dataclass(frozen=True)
class Likeness:
    """From when on two sentences are near-copies, as where synthetic ones are checked.

    Attributes:
        run: Length of the word runs that they are found by.
        limit: Largest share of a sentence's runs that another one may have.
    """

    run: int
    limit: float


@dataclass(frozen=True)
class Rows:
    """The rows of a corpus, and where they stand.

    Attributes:
        splits: By split.
        places: File and line by id.
        schema: The relations.
    """

    splits: Splits
    places: Mapping[str, str]
    schema: RelationSchema

    def at(self, row: Instance) -> str:
        """File and line of a row."""
        return self.places[row.id]


def row_findings(rows: Rows, alike: Likeness, *, leakage_stops: bool) -> Iterator[Finding]:
    """Everything that rows say of one another.

    Args:
        rows: Those that can be read.
        alike: When two sentences are near-copies.
        leakage_stops: Whether a run is refused over a test instance among its training rows.
    """
    yield from placeholders(rows)
    yield from labelled_twice(rows)
    yield from leaks(rows, stops=leakage_stops)
    yield from near_copies(rows, alike)
    yield from mixed_up_types(rows)


def placeholders(rows: Rows) -> Iterator[Finding]:
    """Example rows of the scaffold that nobody has written over."""
    for row in (row for split in rows.splits.values() for row in split):
        if is_placeholder(row.text):
            message = "the sentence is still to be written"
            yield Finding(Level.ERROR, rows.at(row), message, "placeholder")


def labelled_twice(rows: Rows) -> Iterator[Finding]:
    """Pairs of mentions that a split has more than once: with one label, with two, or reversed."""
    for split in rows.splits.values():
        of_pair: dict[tuple[str, int, int], list[Instance]] = defaultdict(list)
        for row in split:
            of_pair[_pair(row)].append(row)
        for (text, head, tail), same in of_pair.items():
            yield from _repeated(same, rows)
            if head < tail:  # each two directions once
                yield from _reversed(same, of_pair.get((text, tail, head), []), rows)


def leaks(rows: Rows, *, stops: bool) -> Iterator[Finding]:
    """Pairs of mentions that are in two splits."""
    for one, other in (("train", "test"), ("dev", "test"), ("train", "dev")):
        same, _ = shared_sentences(rows.splits[one], rows.splits[other])
        refused = stops and (one, other) == ("train", "test")
        for a, b in same:
            what = f"the same sentence and mentions as {rows.places[a]}"
            way_out = {
                True: "; a score on it would mean nothing, and a run that draws the row is refused",
                False: f"; what {other} says of a classifier flatters it",
            }[refused]
            level = Level.ERROR if refused else Level.WARNING
            yield Finding(level, rows.places[b], what + way_out, f"{other} rows in {one}")


def near_copies(rows: Rows, alike: Likeness) -> Iterator[Finding]:
    """Sentences that are another one with a few words changed."""
    train = _each_once(rows.splits["train"])
    by_group: dict[int, list[Instance]] = defaultdict(list)
    groups = near_copy_groups([row.text for row in train], alike.run, alike.limit)
    for group, row in zip(groups, train, strict=True):
        by_group[group].append(row)
    for first, *others in by_group.values():
        for other in others:
            message = f"nearly the sentence of {rows.at(first)}: it teaches little that is new"
            yield Finding(Level.WARNING, rows.at(other), message, "near-copies in train")
    index = NearCopies(alike.run, alike.limit)
    for row in train:
        index.add(rows.at(row), [row.text])
    known = {normalised(row.text) for row in train}
    for split in HELD_OUT:
        for row in _each_once(rows.splits[split]):
            found = None if normalised(row.text) in known else index.find(row.text)
            if found:
                message = f"nearly the sentence of {found[0]}; what {split} says flatters"
                yield Finding(Level.WARNING, rows.at(row), message, f"near-copies in {split}")


def mixed_up_types(rows: Rows) -> Iterator[Finding]:
    """Mentions that are of one type mostly and of another once: tags or types exchanged."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    seen: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for row in (row for split in rows.splits.values() for row in split):
        for mention, kind in ((row.head_text, row.head_type), (row.tail_text, row.tail_type)):
            if kind is not None:
                kinds[normalised(mention)][kind] += 1
                seen[normalised(mention), kind].append(row)
    for mention, counts in kinds.items():
        for (usual, often), (kind, seldom) in pairwise(counts.most_common()):
            if seldom <= often / 2:
                message = (
                    f"{mention!r} is a {kind} here and a {usual} in {often} other rows: are the "
                    "tags or the types exchanged?"
                )
                row = seen[mention, kind][0]
                yield Finding(Level.WARNING, rows.at(row), message, "mentions of two types")


def _repeated(same: Sequence[Instance], rows: Rows) -> Iterator[Finding]:
    first, *others = same
    for other in others:
        if other.relation != first.relation:
            message = (
                f"labelled {other.relation}, but {first.relation} in {rows.at(first)}: the same "
                "sentence with the same mentions. One of them is wrong; or both hold, and a "
                "classifier that gives one answer can learn neither"
            )
            yield Finding(Level.WARNING, rows.at(other), message, "contradictions")
        else:
            message = f"the same row as {rows.at(first)}; it counts twice among the shots"
            yield Finding(Level.WARNING, rows.at(other), message, "rows that stand twice")


def _reversed(
    forward: Sequence[Instance], backward: Sequence[Instance], rows: Rows
) -> Iterator[Finding]:
    """The same pair marked both ways, where the schema knows what the exchanged pair is."""
    for one, other in ((a, b) for a in forward for b in backward):
        expected = rows.schema.inverse_of(str(one.relation))
        if expected is not None and other.relation != expected:
            message = (
                f"labelled {other.relation}; by relations.yml the pair of {rows.at(one)} "
                f"({one.relation}) is {expected} the other way round"
            )
            yield Finding(Level.WARNING, rows.at(other), message, "directions that do not fit")


def _pair(row: Instance) -> tuple[str, int, int]:
    """The sentence, and where in it the mentions begin: one name may stand there twice."""
    head, tail = (len(normalised(row.text[: s.start])) for s in (row.head, row.tail))
    return normalised(row.text), head, tail


def _each_once(rows: Sequence[Instance]) -> list[Instance]:
    """One row for each sentence: several pairs of one are no copies."""
    return list({normalised(row.text): row for row in reversed(rows)}.values())[::-1]


def shortfalls(rows: Rows, shots: int) -> Iterator[Finding]:
    """Relations that have fewer rows than a draw wants.

    Args:
        rows: Of the corpus.
        shots: K.
    """
    counts = {
        split: Counter(str(row.relation) for row in instances)
        for split, instances in rows.splits.items()
    }
    labels = rows.schema.names
    for name in labels:
        if not counts["train"][name]:
            message = f"relation {name!r} has no row in train: write some, or take it out"
            yield Finding(Level.ERROR, f"{rows.schema.corpus}/relations.yml", message)
    short = [f"{n} ({counts['train'][n]})" for n in labels if 0 < counts["train"][n] < shots]
    if short:
        message = f"fewer than {shots} rows in train, all of them are taken: {names(short)}"
        yield Finding(Level.WARNING, "", message)
    yield from _unheld(rows, counts, shots)
    if rows.splits["test"] and (without := [n for n in labels if not counts["test"][n]]):
        yield Finding(Level.WARNING, "", f"no row in test, so no score: {names(without)}")
    if not rows.splits["test"]:
        yield Finding(Level.NOTE, "", "there is no test split, so nothing will be scored")


def _unheld(rows: Rows, counts: Mapping[str, Counter[str]], shots: int) -> Iterator[Finding]:
    """What is missing to validate on."""
    dev = bool(rows.splits["dev"])
    left = {n: counts["dev"][n] if dev else counts["train"][n] - shots for n in rows.schema.names}
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
        message = f"fewer than {shots} rows to validate on in {source}: {names(short)}"
        yield Finding(Level.WARNING, "", message)
