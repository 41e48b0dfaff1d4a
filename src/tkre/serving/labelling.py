"""Labels for rows of files, and their counts: what ``kedro label`` and ``inference`` share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tkre.core.errors import MAX_LISTED, enumerated, listed
from tkre.corpora.records import RowError
from tkre.corpora.row_files import Fields, Row, TableError, record_of
from tkre.corpora.tool_files import where_to_label
from tkre.corpora.unlabelled import validate_batch
from tkre.serving.extractor import RelationExtractor

# Columns of the answers, with their kinds; a column ``p.<relation>`` for every relation follows.
ANSWER = {
    "answer": "string", "verdict": "string", "abstained": "bool", "predicted": "string",
    "probability": "double", "truncated": "bool", "untyped": "bool", "problem": "string",
}  # fmt: skip
LISTED_RELATIONS = 12


@dataclass
class Counts:
    """What has become of the rows of a file.

    Attributes:
        rows: Number of rows.
        withheld: Number of sentences without an answer.
        not_read: Number of rows that are no sentence with a head and a tail.
        truncated: Number of sentences longer than the classifier reads.
        untyped: Number of sentences without the entity types that the classifier knows.
        answers: Number of answers by relation.
        problems: Place and reason of the first rows that were not read.
    """

    rows: int = 0
    withheld: int = 0
    not_read: int = 0
    truncated: int = 0
    untyped: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, labelled: Fields, place: str) -> None:
        """Count a labelled row."""
        self.rows += 1
        self.withheld += bool(labelled["abstained"])
        self.truncated += bool(labelled["truncated"])
        self.untyped += bool(labelled["untyped"])
        if labelled["problem"] is not None:
            self.not_read += 1
            if len(self.problems) < MAX_LISTED:
                self.problems.append(f"{place}: {labelled['problem']}")
        elif labelled["answer"] is not None:
            self.answers[labelled["answer"]] += 1

    def record(self) -> dict[str, Any]:
        """The counts as JSON holds them, and in words."""
        return {"words": str(self)} | asdict(self) | {"answers": dict(self.answers.most_common())}

    def __str__(self) -> str:
        words = f"{self.rows:,} rows, {self.answers.total():,} answered, {self.withheld:,} withheld"
        words += f", {self.truncated:,} truncated" if self.truncated else ""
        return f"{words}, {self.not_read:,} not read"

    def lines(self) -> Iterator[str]:
        """Answers by relation, and the rows that were not read."""
        if self.answers:
            counts = [f"{relation} {n:,}" for relation, n in self.answers.most_common()]
            yield f"answers: {enumerated(counts, LISTED_RELATIONS)}"
        if self.untyped:
            yield f"without head_type or tail_type, so less certain (untyped): {self.untyped:,}"
        if self.not_read:
            yield "not read (column problem):"
            yield from listed([f"  {problem}" for problem in self.problems], number=self.not_read)


def label_rows(
    rows: Sequence[Row],
    extractor: RelationExtractor,
    counts: Counts,
    taken: MutableMapping[str, str] | None = None,
) -> list[Fields]:
    """Label rows; one that is no sentence with a head and a tail gets the reason instead.

    Args:
        rows: Rows of a file (``corpora.row_files``).
        extractor: The classifier.
        counts: Counts of the file; the rows are added.
        taken: Ids of the rows of the file before, with their places; those of ``rows`` are added.

    Returns:
        A row for each, in order: its columns, ``id`` (its place, if it has none), the columns of
        ``ANSWER`` and ``p.<relation>``; ``answer`` is None where it is withheld.
    """
    taken = {} if taken is None else taken
    read: dict[int, Any] = {}
    problems: dict[int, str] = {}
    for n, (place, fields) in enumerate(rows):
        try:
            if isinstance(fields, RowError):
                raise fields
            record = record_of(fields)
        except RowError as error:
            problems[n] = str(error)
            continue
        found, bad = validate_batch([record], extractor.entity_types, n, taken, place)
        read |= found
        problems |= bad
    empty = dict.fromkeys([*ANSWER, *_probabilities(extractor)])
    labelled = [_kept(*row) | empty | {"problem": problems.get(n)} for n, row in enumerate(rows)]
    for n, prediction in zip(read, extractor(list(read.values())), strict=True):
        labelled[n] |= {
            "answer": prediction.relation,
            "verdict": prediction.verdict,
            "abstained": prediction.abstained,
            "predicted": prediction.guess,
            "probability": prediction.probability,
            "truncated": prediction.truncated,
            "untyped": prediction.untyped,
            **{f"p.{name}": value for name, value in prediction.probabilities.items()},
        }
    for row, (place, _) in zip(labelled, rows, strict=True):
        counts.add(row, place)
    return labelled


def _kept(place: str, fields: Fields | RowError) -> Fields:
    """The columns of a row, with an id that is a text."""
    given = {} if isinstance(fields, RowError) else fields
    row_id = given.get("id")
    named = {"id": place.replace(" ", "-") if row_id is None else str(row_id)}
    return given | named if "id" in given else named | given


def _probabilities(extractor: RelationExtractor) -> list[str]:
    return [f"p.{relation}" for relation in extractor.relations]


def labelled_columns(
    given: Mapping[str, Any], extractor: RelationExtractor, source: str
) -> dict[str, Any]:
    """Columns of a file of labels with their kinds.

    Raises:
        TableError: The source has one of them.
    """
    added = ANSWER | dict.fromkeys(_probabilities(extractor), "double")
    if taken := [name for name in given if name in added]:
        raise TableError(
            f"{source}: labelling writes the columns {', '.join(taken)}: rename them, or leave "
            "them out, if they are those of an earlier run"
        )
    return {"id": "string"} | dict(given) | {"id": "string"} | added


def require_labelled(files: Iterable[Counts], source: str) -> None:
    """Refuse a source of which nothing was labelled.

    Raises:
        TableError: It has no rows, or none could be read.
    """
    counted = list(files)
    if any(counts.rows > counts.not_read for counts in counted):
        return
    read = sum(counts.rows for counts in counted)
    if read and (other := where_to_label(Path(source))):
        raise TableError(f"no sentence was labelled: {other}")
    why = "none of its rows could be read" if read else "there are no rows in it"
    lines = [f"  {problem}" for counts in counted for problem in counts.problems]
    raise TableError("\n".join([f"{source}: no sentence was labelled, {why}", *listed(lines)]))
