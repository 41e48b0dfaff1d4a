"""Recorded answers compared with the corpus as it is: current, stale, orphan, or not used yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation import annotation, explanations, synthesis
from tkre.generation.llm.protocol import Response, vote_of
from tkre.generation.llm.store import ResponseStore
from tkre.generation.rejections import ANNOTATION, CLASSIFICATION, EXPLANATION, SYNTHESIS
from tkre.generation.subjects import difference

ROUND = re.compile(r"(seed-\d+|zero-shot)/round-\d+")
_SEED = re.compile(r"seed-\d+/")


class Subjects:
    """Subjects of all questions about a corpus, by request id.

    Args:
        schema: Its relations.
        rows: Its labelled rows.
        pool: Its unlabelled rows.
    """

    def __init__(
        self, schema: RelationSchema, rows: Iterable[Instance], pool: Iterable[Instance]
    ) -> None:
        self._schema = schema
        self._rows = {row.id: row for row in rows}
        self._pool = {row.id: row for row in pool}

    @property
    def corpus(self) -> str:
        """Name of the corpus in ids."""
        return self._schema.corpus

    def of(self, request_id: str) -> str | None:
        """Subject of a question; None for an id of no question about this corpus."""
        kind, name = self._parts(request_id)
        row = self._rows.get(name)
        if kind == EXPLANATION and row is not None:
            return explanations.subject(row, self._schema)
        if kind == CLASSIFICATION and (row := self._rows.get(_SEED.sub("", name, count=1))):
            return annotation.subject(row, self._schema)
        first = name.removesuffix(vote_of(name))
        if kind == ANNOTATION and (row := self._pool.get(name) or self._pool.get(first)):
            return annotation.subject(row, self._schema)
        if kind == SYNTHESIS and _relation(name) in self._schema.relations:
            return synthesis.subject(_relation(name), self._schema)
        return None

    def near(self, request_id: str) -> str:
        """A suggestion for the id of an orphan, in brackets; empty without one."""
        kind, name = self._parts(request_id)
        known: dict[str, Iterable[str]] = {
            EXPLANATION: self._rows,
            CLASSIFICATION: self._rows,
            ANNOTATION: self._pool,
            SYNTHESIS: self._schema.relations,
        }
        if kind not in known:
            return ""
        wanted = {CLASSIFICATION: _SEED.sub("", name, count=1), SYNTHESIS: _relation(name) or name}
        found = get_close_matches(wanted.get(kind, name), list(known[kind]), n=1)
        return f" (did you mean {found[0]!r}?)" if found else ""

    def _parts(self, request_id: str) -> tuple[str, str]:
        """Kind of a request and the rest of its id; empty for another corpus."""
        kind, _, rest = request_id.partition("/")
        corpus = f"{self._schema.corpus}/"
        return (kind, rest.removeprefix(corpus)) if rest.startswith(corpus) else ("", "")


def _relation(name: str) -> str:
    """Relation of a synthesis id, which may hold slashes; empty for another form."""
    relation, *rounds = name.rsplit("/", 2)
    return relation if ROUND.fullmatch("/".join(rounds)) else ""


@dataclass
class RecordedAnswers:
    """Recorded answers by what has become of their questions; one answer of each question.

    Attributes:
        current: Answers to questions of the corpus as it is.
        stale: Answers to other questions than those of their ids now, with what has changed.
        orphans: Answers whose id is that of no question.
        unbound: Answers that do not say what they were given to and have not been used yet, with
            their subjects as of now.
    """

    current: int = 0
    stale: list[tuple[str, Response, str]] = field(default_factory=list)
    orphans: list[tuple[str, Response, str]] = field(default_factory=list)
    unbound: list[tuple[Response, str]] = field(default_factory=list)

    def words(self) -> str:
        """Counts in words."""
        total = self.current + len(self.stale) + len(self.orphans)
        words = f"{self.current:,} of {total:,} answer the corpus as it is"
        for found, what in ((self.stale, "stale"), (self.orphans, "orphans")):
            words += f", {len(found):,} {what}" if found else ""
        return words

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """Place, message and kind (``stale`` or ``orphan``) of every answer that is not used."""
        for place, response, why in self.stale:
            yield place, f"{response.request_id} is stale: {why} since it was answered", "stale"
        for place, response, near in self.orphans:
            yield place, f"{response.request_id} answers no question of the corpus{near}", "orphan"


_SUGGESTIONS = 20  # orphans with a suggestion: each is compared with all ids


def compare(stores: Sequence[ResponseStore], subjects: Subjects) -> RecordedAnswers:
    """Compares the answers of stores with the questions that a corpus gives now.

    Args:
        stores: Recordings.
        subjects: Subjects of the questions.
    """
    found = RecordedAnswers()
    for store in stores:
        attempts: dict[str, list[Response]] = {}
        for response in store.all():
            attempts.setdefault(response.request_id, []).append(response)
        for request_id, given in attempts.items():
            _sort(request_id, given, store, subjects, found)
    return found


def _sort(
    request_id: str,
    given: Sequence[Response],
    store: ResponseStore,
    subjects: Subjects,
    found: RecordedAnswers,
) -> None:
    last = given[-1]
    place = f"{store.path}, line {last.line}" if last.line else str(store.path)
    now = subjects.of(request_id)
    if now is None:
        near = subjects.near(request_id) if len(found.orphans) < _SUGGESTIONS else ""
        found.orphans.append((place, last, near))
        return
    known = [store.subject(response) for response in given]
    # An answer with the digest of its request is used for the same request alone.
    found.unbound += [
        (response, now)
        for response, subject in zip(given, known, strict=True)
        if subject is None and response.digest is None
    ]
    stale = [subject for subject in known if subject is not None and subject != now]
    if stale and len(stale) == len(known):
        found.stale.append((place, last, difference(stale[-1], now)))
    else:
        found.current += 1
