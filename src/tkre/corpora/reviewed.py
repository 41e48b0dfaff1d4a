"""Reviewed rows: unlabelled rows of a corpus with the label of a person.

The review page and its CSV file hold the same records: a row of the unlabelled pool, what a
language model and a classifier say about it, and the label to be given. Answers are read back from
either form (``read_answers``), checked like any row, and appended to ``reviewed.jsonl`` of the
corpus (``accept``): the native format with the key ``review``, where a label came from.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import Field, ValidationError

from tkre.core.errors import listed
from tkre.core.instance import REVIEWED_ID, Instance, TagError, parse_tagged, to_tagged
from tkre.core.params import Params, did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.formats import json_object, numbered_lines
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusError, CorpusFolder, row_problem, type_mismatch
from tkre.corpora.records import RowError, id_once, labelled_record, order_problem, string
from tkre.corpora.tables import REVIEWED, inert, table_records

LABEL = "relation"  # key of the label; the column to fill in
OPINIONS = REVIEWED[1:5]
_REVIEW = "review"

Pair = tuple[str, int, int, int, int]


class Review(Params):
    """Where the label of a reviewed row comes from.

    Attributes:
        decision: ``accepted``, the language model's label; ``corrected``, another one, or the label
            of a row that it had not labelled.
        annotation: Id of the language model's answer; None without one.
        llm_relation: The language model's label.
        llm_confidence: Its stated confidence, per cent.
        classifier_relation: The label of the classifier that chose the row.
        classifier_confidence: Its probability, per cent.
        reviewed_on: Day on which the label was read back, ISO 8601.
    """

    decision: Literal["accepted", "corrected"]
    annotation: str | None = None
    llm_relation: str | None = None
    llm_confidence: int | None = Field(None, ge=0, le=100)
    classifier_relation: str | None = None
    classifier_confidence: int | None = Field(None, ge=0, le=100)
    reviewed_on: str


@dataclass(frozen=True)
class Accepted:
    """Answers of a file that may be written.

    Attributes:
        lines: New lines of ``reviewed.jsonl``.
        decisions: Their decisions.
        unchanged: Number of answers that ``reviewed.jsonl`` has already, or the file twice.
        empty: Number of rows without an answer.
    """

    lines: list[str]
    decisions: list[str]
    unchanged: int
    empty: int


def read_reviewed(
    folder: CorpusFolder, schema: RelationSchema, params: CorpusParams
) -> list[Instance]:
    """Read the reviewed rows of a corpus, with ids ``reviewed/<row id>``; [] without the file.

    Raises:
        CorpusError: Bad rows, repeated ids, two labels of one pair; the message lists them.
    """
    return [row for _, row in _placed(folder, schema, params)]


def accept(
    file: str,
    text: str,
    pool: Sequence[Instance],
    folder: CorpusFolder,
    schema: RelationSchema,
    params: CorpusParams,
    *,
    annotation_ids: str,
    today: str,
) -> Accepted:
    """Check the answers of a person.

    Args:
        file: Name of the file. One that ends with ``.jsonl`` or begins as JSON is JSON Lines,
            others are tables: spreadsheets save ``.tsv`` and ``.txt``, too.
        text: Its content.
        pool: Unlabelled rows of the corpus.
        folder: Folder of the corpus, with the rows reviewed so far.
        schema: Relations of the corpus.
        params: Files of the corpus.
        annotation_ids: Beginning of the ids of the language model's answers.
        today: Day, ISO 8601.

    Raises:
        CorpusError: Anything is wrong with the file; the message lists it by line.
    """
    known = {row.id: row for row in pool}
    marked = {same_ends(to_tagged(row)): row for row in reversed(pool)}
    before = _placed(folder, schema, params)
    given: dict[Pair, tuple[str, str | None]] = {
        _pair(row): (f"{params.reviewed}, {place}", row.relation) for place, row in before
    }
    taken = {row.id: 1 for _, row in before}
    found = _Found()
    for place, record in read_answers(file, text, found.problems):
        try:
            if record.get(LABEL) in (None, ""):
                found.empty += 1
                continue
            row = _labelled(record, known, marked, schema, params)
            pair = _pair(row)
            if pair not in given:
                given[pair] = (place, row.relation)
                review = _review(record, row, schema, annotation_ids, today)
                # A row before may have the id, of candidates before these.
                found.add(replace(row, id=id_once(row.id, taken)), review)
            elif given[pair][1] == row.relation:
                found.unchanged += 1
            else:
                raise RowError(_contradiction(row, *given[pair]))
        except RowError as error:
            found.problems.append(f"{place}: {error}")
    if found.problems:
        raise CorpusError(_message(file, found.problems, ": nothing is written"))
    return Accepted(found.lines, found.decisions, found.unchanged, found.empty)


@dataclass
class _Found:
    """Accumulated results of reading answers."""

    lines: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unchanged: int = 0
    empty: int = 0

    def add(self, row: Instance, review: Review) -> None:
        self.decisions.append(review.decision)
        self.lines.append(_line(row, review))


def read_answers(file: str, text: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of an exported file or a filled table, with their places.

    Args:
        file: Name of the file.
        text: Its content.
        problems: Gets lines that hold no record.
    """
    is_json = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    if not is_json and not file.lower().endswith(".jsonl"):
        yield from _table(text, problems)
        return
    for number, line in numbered_lines(text):
        try:
            yield f"line {number}", json_object(line)
        except RowError as error:
            problems.append(f"line {number}: {error}")


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Records as CSV for a spreadsheet: the column ``relation`` is to be filled in.

    A cell that a spreadsheet would run as a formula begins with an apostrophe, which ``accept``
    takes off.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, REVIEWED, extrasaction="ignore")
    writer.writeheader()
    for record in records:
        cells = {name: "" if record.get(name) is None else record[name] for name in REVIEWED}
        writer.writerow({**{name: inert(str(cell)) for name, cell in cells.items()}, LABEL: ""})
    return file.getvalue()


def _table(text: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a filled table."""
    for line, cells in table_records(text, (LABEL, "sentence", "id")):
        if isinstance(cells, str):
            problems.append(f"line {line}: {cells}")
        else:
            yield f"line {line}", cells | {LABEL: cells[LABEL].strip()}


def _labelled(
    record: Mapping[str, Any],
    known: Mapping[str, Instance],
    marked: Mapping[str, Instance],
    schema: RelationSchema,
    params: CorpusParams,
) -> Instance:
    """The unlabelled row of a record with the label that the record gives it.

    It is that of the id, or of the marked sentence: candidates that were marked anew, with more
    text or names, have other ids than those of an older page.
    """
    record = dict(record)
    row_id, sentence = string(record, "id"), string(record, "sentence")
    named = known.get(row_id)
    same = named is not None and same_ends(to_tagged(named)) == same_ends(sentence)
    row = named if same else marked.get(same_ends(sentence))
    if row is None:
        if named is None:
            raise RowError(
                f"there is no unlabelled row {row_id!r} in {schema.corpus}: take the line out, or "
                f"let `kedro corpus review {schema.corpus}` make a new page"
            )
        raise RowError(
            f"the sentence of {row_id!r} is not that of the corpus: it is {sentence!r}, there "
            f"{to_tagged(named)!r}; undo the change, or take the line out"
        )
    if not writable(row):
        raise RowError(f"{row_id!r}: its text holds a tag of its own, which a file cannot")
    labelled = replace(row, id=f"{REVIEWED_ID}{row.id}", relation=string(record, LABEL))
    if problem := _row_problem(labelled, schema, params, {}):
        raise RowError(f"{row_id!r}: {problem}")
    return labelled


def writable(row: Instance) -> bool:
    """Whether a row is the same after it was written with tags: its text may hold some itself."""
    try:
        return parse_tagged(to_tagged(row)) == (row.text, row.head, row.tail)
    except TagError:
        return False


def same_ends(sentence: str) -> str:
    """A sentence with line ends as they are everywhere; spreadsheets change them."""
    return sentence.replace("\r\n", "\n").replace("\r", "\n")


def _row_problem(
    row: Instance, schema: RelationSchema, params: CorpusParams, places: Mapping[str, str]
) -> str | None:
    problem = row_problem(row, schema, places)
    if problem is None and params.on_type_mismatch == "bad_row":
        problem = type_mismatch(row, schema)
    if problem is None and params.head_first:
        problem = order_problem(row, schema.corpus)
    return problem


def _review(
    record: Mapping[str, Any],
    row: Instance,
    schema: RelationSchema,
    annotation_ids: str,
    today: str,
) -> Review:
    """Provenance of a label; what a model is said to have answered must be possible."""
    said: dict[str, Any] = {}
    for name in OPINIONS:
        value = record.get(name)
        said[name] = None if value in (None, "") else value
        known = schema.names  # not the mapping: what is said need not be hashable
        if name.endswith(LABEL) and said[name] is not None and said[name] not in known:
            hint = did_you_mean(str(value), known)
            raise RowError(f"{name} {value!r} is not in relations.yml{hint}")
    llm = said["llm_relation"]
    row_id = row.id.removeprefix(REVIEWED_ID)
    decision: Any = "accepted" if row.relation == llm else "corrected"
    annotation = f"{annotation_ids}{row_id}" if llm is not None else None
    try:
        return Review(decision=decision, annotation=annotation, reviewed_on=today, **said)
    except ValidationError as error:
        raise RowError(_reason(error)) from None


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return f"{name}: {first['msg']} (it is {first['input']!r})"


def _contradiction(row: Instance, place: str, relation: str | None) -> str:
    return (
        f"{row.id.removeprefix(REVIEWED_ID)!r} is {row.relation!r} here and {relation!r} in "
        f"{place}: keep one of the two lines"
    )


def _line(row: Instance, review: Review) -> str:
    types = {"head_type": row.head_type, "tail_type": row.tail_type}
    record = {"id": row.id, "sentence": to_tagged(row), LABEL: row.relation}
    record |= {name: kind for name, kind in types.items() if kind is not None}
    about = review.model_dump(mode="json", exclude_none=True)
    return json.dumps(record | {_REVIEW: about}, ensure_ascii=False)


def _placed(
    folder: CorpusFolder, schema: RelationSchema, params: CorpusParams
) -> list[tuple[str, Instance]]:
    """Reviewed rows with their places."""
    if folder.find(params.reviewed) is None:
        return []
    rows: list[tuple[str, Instance]] = []
    places: dict[str, str] = {}
    labels: dict[Pair, tuple[str, str | None]] = {}
    problems = []
    for number, line in numbered_lines(folder.read(params.reviewed)):
        place = f"line {number}"
        try:
            row = _parse(line)
            if problem := _row_problem(row, schema, params, places):
                raise RowError(problem)
            if (first := labels.setdefault(_pair(row), (place, row.relation)))[0] != place:
                if first[1] != row.relation:
                    raise RowError(_contradiction(row, *first))
                raise RowError(f"the pair of {row.id!r} stands in {first[0]}: keep one of them")
        except RowError as error:
            problems.append(f"{place}: {error}")
            continue
        places[row.id] = place
        rows.append((place, row))
    if problems:
        raise CorpusError(_message(f"{folder.name}/{params.reviewed}", problems))
    return rows


def _parse(line: str) -> Instance:
    record = json_object(line)
    about = record.pop(_REVIEW, None)
    try:
        Review.model_validate(about)
    except ValidationError as error:
        raise RowError(f"{_REVIEW}: {_reason(error)}") from None
    row = labelled_record(record)
    if not row.reviewed:
        raise RowError(f"id {row.id!r} does not begin with {REVIEWED_ID!r}")
    return row


def _pair(row: Instance) -> Pair:
    return row.text, row.head.start, row.head.end, row.tail.start, row.tail.end


def _message(file: str, problems: list[str], outcome: str = ":") -> str:
    lines = listed([f"  {file}, {problem}" for problem in problems])
    return "\n".join([f"{len(problems)} bad reviewed row(s){outcome}", *lines])
