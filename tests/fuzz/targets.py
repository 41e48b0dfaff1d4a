"""What inputs are given to, and what must hold of the outcome."""

from __future__ import annotations

import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from starlette.testclient import TestClient

from tests.fuzz import inputs
from tkre.core.files import EncodingError
from tkre.core.instance import Instance, TagError, parse_tagged, to_tagged
from tkre.core.schema import RelationSchema, SchemaError
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import (
    CorpusError,
    CorpusFileError,
    CorpusFolder,
    LabelFileError,
    parse_labels,
    read_corpus,
)
from tkre.corpora.records import instance_problem
from tkre.corpora.schema_validation import Level, read_relations
from tkre.corpora.unlabelled import read_unlabelled
from tkre.generation.llm.pasted import _FRAME
from tkre.generation.llm.protocol import Request, Response, Sampling
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore
from tkre.serving.api.app import create_app
from tkre.serving.api.limits import ServiceParams
from tkre.serving.extractor import Prediction

REFUSALS = (
    CorpusError, CorpusFileError, EncodingError, LabelFileError, SchemaError, MissingResponse
)  # fmt: skip
_BLANK = b"\xef\xbb\xbf \t\r\v\f"
SLOWEST = 2.0  # seconds of a request
TYPES = ("person", "place")
ANSWER = {"type": "object", "properties": {"explanation": {"type": "string"}},
          "required": ["explanation"]}  # fmt: skip


class Dropped(AssertionError):
    """Rows in that are neither out nor reported."""


class Refused(AssertionError):
    """An answer of the service that it must not give."""


def sound(instance: Instance) -> None:
    """Offsets hold, the text can be written, and its tags are read back."""
    assert 0 <= instance.head.start < instance.head.end <= len(instance.text)
    assert 0 <= instance.tail.start < instance.tail.end <= len(instance.text)
    for part in (instance.id, instance.text, instance.relation or "", instance.head_type or ""):
        part.encode()
    try:
        text, head, tail = parse_tagged(to_tagged(instance))
    except TagError:
        return  # the text holds tags of its own, or the mentions cross: reported where it matters
    if instance.text == text:
        assert head.of(text) == instance.head_text.strip()
        assert tail.of(text) == instance.tail_text.strip()


class Counting(ResponseStore):
    """A store that remembers the lines that it has reported."""

    def _report(self, broken: dict[int, str]) -> None:
        self.reported = broken
        super()._report(broken)


class StubExtractor:
    """An extractor without a model: the first relation for every sentence."""

    entity_types, relations = frozenset(TYPES), ("born_in", "other")
    digest, backend, natural, rows_are_independent = "d", "stub", False, True
    calibrator = wanted_precision = schema = None
    config = SimpleNamespace(
        max_length=128, natural_prior={}, allowed_types={}, inverses={}, negative="other"
    )

    def __call__(self, sentences: list[Instance]) -> list[Prediction]:
        return [Prediction("born_in", 1.0, {"born_in": 1.0}, "born_in") for _ in sentences]


class Fuzz:
    """Runs targets on generated inputs and counts what goes wrong.

    Args:
        seed: Seed of the inputs.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.examples: list[str] = []
        self.slowest = 0.0
        self._schema = RelationSchema.read(inputs.SCHEMA, "relations.yml")

    def run(self, number: int, seconds: float) -> None:
        """Draws inputs until there are enough of them or the time is over."""
        logging.disable(logging.WARNING)
        begun = time.monotonic()
        app = create_app(StubExtractor(), ServiceParams())
        targets = [self.read, self.read, self.label, self.answer, self.define, self.store]
        with (
            tempfile.TemporaryDirectory() as folder,
            TestClient(app, "http://localhost", raise_server_exceptions=False) as self.client,
        ):
            self.folder = Path(folder)
            for n in range(number):
                if time.monotonic() - begun > seconds:
                    break
                self._once(self.serve if n % 20 == 0 else targets[n % len(targets)], n)
        logging.disable(logging.NOTSET)

    def _once(self, target: Callable[[Random], Any], n: int) -> None:
        name = target.__name__
        self.counts[name] += 1
        try:
            target(Random(f"{self.seed}/{name}/{n}"))
        except REFUSALS as error:
            self.refused[name] += 1
            str(error).encode()
        except Exception as error:
            kind = type(error).__name__ if isinstance(error, Dropped | Refused) else "traceback"
            self.failures[kind] += 1
            self.examples.append(f"{kind}: {name} {n}: {type(error).__name__}: {str(error)[:300]}")

    def read(self, random: Random) -> None:
        """A corpus: as many rows, bad ones counted, as its file has."""
        kind = random.choice(["native", "spans", "scibert", "tacred", "semeval"])
        (self.folder / "train.jsonl").write_bytes(inputs.file(random, kind))
        folder = CorpusFolder("c", [self.folder])
        params = CorpusParams(
            format="native" if kind == "spans" else kind, train="train.jsonl", on_bad_row="skip"
        )
        corpus = read_corpus(folder.read, self._schema, params)
        for instance in corpus.rows:
            sound(instance)
        found = len(corpus.rows) + len(corpus.report["bad_rows"])
        lines = sum(
            bool(line.removeprefix("\ufeff").strip())
            for line in folder.read("train.jsonl").split("\n")
        )
        if kind in ("native", "spans", "scibert") and found != lines:
            raise Dropped(f"{lines} lines, {found} rows")
        if kind in ("tacred", "semeval") and lines and not found and lines > 1:
            raise Dropped(f"{lines} lines, no row")

    def label(self, random: Random) -> None:
        """Sentences to label: all of a file, or none."""
        content = inputs.file(random, random.choice(["native", "spans"])).decode(errors="replace")
        rows = read_unlabelled(content, "f", partial(instance_problem, types=TYPES))
        for row in rows:
            sound(row)
        if len(rows) != (
            lines := sum(bool(line.removeprefix("\ufeff").strip()) for line in content.split("\n"))
        ):
            raise Dropped(f"{lines} lines, {len(rows)} rows")

    def answer(self, random: Random) -> None:
        """A file of label corrections: its labels are texts, and each id has one."""
        labels = {str(n): inputs.value(random) for n in range(random.randrange(3))}
        content = inputs.json.dumps(labels)
        read = parse_labels(inputs.spoilt(random, content, inputs.TEXTS), "labels.json")
        if not all(isinstance(part, str) for pair in read.items() for part in pair):
            raise Dropped("a label that is no text")

    def define(self, random: Random) -> None:
        """A relations.yml: runs and ``kedro corpus validate`` refuse the same ones."""
        content = inputs.relations(random)
        found = read_relations(content, "relations.yml", "c")
        for finding in found.findings:
            str(finding).encode(errors="replace")
        errors = [f for f in found.findings if f.level == Level.ERROR and f.kind != "placeholders"]
        try:
            RelationSchema.read(content, "relations.yml")
        except SchemaError as error:
            if not errors and found.schema is not None and "TODO" not in content:
                raise Dropped(f"only a run refuses it: {error}") from None
            raise
        if errors:
            raise Dropped(f"only validate refuses it: {errors[0]}")

    def store(self, random: Random) -> None:
        """A response store: each line is an answer, or reported; what it holds can be replayed."""
        file = self.folder / "responses.jsonl"
        file.write_bytes(inputs.file(random, "store"))
        store = Counting(file)
        lines = file.read_bytes().split(b"\n")
        held = {a.line for a in store.all()} | set(getattr(store, "reported", {}))
        missing, is_open = [], False  # open: in a record that begins in a line before
        for number, line in enumerate(lines, 1):
            content = line.strip(_BLANK).decode(errors="replace")
            is_open = number not in held and is_open and not content.startswith("{")
            if number in held:
                is_open = not content.endswith("}")
            elif not is_open and not _FRAME.fullmatch(content):
                missing.append(number)
        if missing:
            raise Dropped(f"line {missing[0]}: {lines[missing[0] - 1][:200]!r}")
        store.append(Response("explanation/c/2", {"explanation": inputs.text(random)}, model="m"))
        request = Request("explanation/c/1", (), ANSWER, Sampling())
        list(Replay([ResponseStore(file)], "m", strict=False).generate([request]))

    def serve(self, random: Random) -> None:
        """A request: an answer for each of its sentences, or a refusal, in time."""
        body = inputs.request(random)
        begun = time.monotonic()
        headers = {"Content-Type": "application/json"}
        answer = self.client.post("/predict", content=body, headers=headers)
        seconds = time.monotonic() - begun
        self.slowest = max(self.slowest, seconds)
        if answer.status_code >= 500:
            raise Refused(f"status {answer.status_code}: {body[:200]!r}")
        if seconds > SLOWEST:
            raise Refused(f"{seconds:.1f} s: {body[:200]!r}")
        if answer.status_code == 200:
            asked, given = inputs.json.loads(body)["sentences"], answer.json()["predictions"]
            if len(asked) != len(given):
                raise Dropped(f"{len(asked)} sentences, {len(given)} answers")
        else:
            self.refused["serve"] += 1

    def lines(self) -> list[str]:
        """The result, in words."""
        parts = [f"{n} {name}, {self.refused[name]} refused" for name, n in self.counts.items()]
        failures = [
            f"{self.failures['traceback']} tracebacks",
            f"{self.failures['Dropped']} silent drops",
            f"{self.failures['Refused']} answers of 5xx or over {SLOWEST:g} s",
        ]
        return [
            f"{sum(self.counts.values()):,} inputs of seed {self.seed}: {'; '.join(parts)}",
            f"{', '.join(failures)}; the slowest request took {self.slowest:.2f} s",
            *self.examples[:20],
        ]
