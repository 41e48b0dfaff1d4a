"""``kedro corpus questions`` and ``answers``: language models that a person talks to."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote

import click

from tkre.cli.generation import cell_plans
from tkre.cli.session import RAW, env_option, require_corpus, sample_options, session
from tkre.core.cells import Cell, KShotSample
from tkre.core.documents import parse_json
from tkre.core.errors import enumerated, listed
from tkre.core.files import read_text
from tkre.core.terminal import say, say_next
from tkre.corpora.formats import numbered_lines
from tkre.generation.llm.chat_window import chat_messages
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.pasted import read_pasted, shortened
from tkre.generation.llm.protocol import Request, Response, Sampling
from tkre.generation.llm.store import ResponseStore

QUESTIONS_FILE = "questions.jsonl"
_MESSAGE = "message-"
_LISTED = 10  # ids or lines in a list; the rest is a number
_NEXT_FILE = """\
Answer each with a JSON object of its schema, and put the answers into
{recordings}, a line each:
  {{"request_id": "<as in the question>", "response": <the JSON object>}}
or have them checked, in whatever form they come back:
  kedro corpus answers {name} {output} <file with answers>"""
_NEXT_FOLDER = """\
Paste each message into a chat of its own, and save the reply as it is, in a file of this folder:
{folder}/answer-01.txt and so on. Then, as often as you like:
  kedro corpus answers {name} {output}"""


@click.command("questions")
@click.argument("name")
@click.argument("output", type=click.Path(path_type=Path))
@sample_options
@env_option
def questions_command(
    name: str,
    output: Path,
    variant: str,
    shots: int,
    seed: int,
    annotated: int,
    env: str | None,
) -> None:
    """Write unanswered questions of a run.

    OUTPUT gets what a run on the corpus NAME would ask and no store has an answer to. A name that
    ends with .jsonl is a file: every line has a request_id, the messages, and the JSON schema of
    the answer. Any other name is a folder of messages for a chat window, several questions each.
    """
    with session(env) as project:
        if output.exists():
            raise FileExistsError(
                f"{output} exists and is not overwritten; name another one: only "
                "what still has no answer is written"
            )
        sample = KShotSample(name, shots, seed, annotated=annotated)
        plans = cell_plans(project, Cell(sample, variant))
        missing = [request for part in plans for request in part.missing]
    if not missing:
        click.echo("nothing is left to ask: all is answered, or the variant asks nothing")
        say_next(f"kedro run --pipelines {name}")
        return
    if output.suffix == ".jsonl":
        _write_questions(missing, output)
        click.echo(f"{len(missing)} questions in {output}")
        recordings = RAW / name / "recordings.jsonl"
        click.echo(_NEXT_FILE.format(recordings=recordings, name=name, output=quote(str(output))))
        return
    _write_questions(missing, output / QUESTIONS_FILE)
    messages = list(chat_messages(missing))
    for number, message in enumerate(messages, start=1):
        (output / f"{_MESSAGE}{number:02d}.txt").write_text(message, encoding="utf-8")
    plural = "" if len(messages) == 1 else "s"
    click.echo(f"{len(missing)} questions in {len(messages)} message{plural} in {output}")
    click.echo(_NEXT_FOLDER.format(name=name, folder=output, output=quote(str(output))))


def _write_questions(missing: Iterable[Request], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    records = ({"request_id": r.id, "messages": list(r.messages), "schema": r.schema,
                "subject": r.subject} for r in missing)  # fmt: skip
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    file.write_text("".join(lines), encoding="utf-8")


@click.command("answers")
@click.argument("name")
@click.argument("questions", type=click.Path(exists=True, path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@env_option
def answers_command(name: str, questions: Path, files: tuple[Path, ...], env: str | None) -> None:
    """Check answers to questions and store them.

    QUESTIONS is what ``kedro corpus questions`` has written for the corpus NAME. FILES hold the
    answers as they were pasted or downloaded; in a folder of questions they are found. Usable
    answers are added to the recordings of the corpus; all others are listed.
    """
    with session(env) as project:
        require_corpus(project.config, name)
        asked = _asked(questions)
        found = Found(asked)
        for file in files or _answer_files(questions):
            found.read(file)
        if not found.answers and not found.unusable:
            raise LookupError(f"no answer to these questions in {found.where()}")
        _require_about(found.answers, project.folder(name).schema().corpus, name, questions)
        store: ResponseStore = project.catalog.load(f"{name}.recordings")
        stored = _store(found.answers.values(), store)
    for line in found.lines():
        say(line)
    there = len(found.answers) - stored
    assert store.path is not None
    shown = Path(os.path.relpath(store.path))
    click.echo(f"{stored} answers added to {shown}" + (f", {there} were there" * bool(there)))
    if not found.answers:
        raise click.ClickException(
            "no answer is usable: each is a JSON object of the schema in its question"
        )
    if found.answers.keys() < asked.keys():
        say(f"the others: kedro corpus questions {name} <another folder>, with the same options")
    say_next(f"kedro corpus doctor {name}")


def _asked(questions: Path) -> dict[str, Request]:
    """Requests of a file of questions, by id."""
    file = questions / QUESTIONS_FILE if questions.is_dir() else questions
    asked = {}
    for number, line in numbered_lines(read_text(file, utf16=True)):
        try:
            record = parse_json(line)
            asked[record["request_id"]] = Request(
                record["request_id"], tuple(record["messages"]), record["schema"], Sampling(),
                subject=record.get("subject", ""),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{file}, line {number}: no question as `kedro corpus questions` writes it: "
                f"{shortened(line)}"
            ) from None
    return asked


def _require_about(asked: Iterable[str], corpus: str, name: str, questions: Path) -> None:
    """Refuse questions about another corpus: their answers would be nobody's."""
    for request_id in asked:
        about = request_id.partition("/")[2]
        if not about.startswith(f"{corpus}/"):
            raise ValueError(
                f"{questions} has {request_id!r}, no question about {name}: name the corpus that "
                "it was written for"
            )


def _answer_files(questions: Path) -> list[Path]:
    """Files of a folder of questions that are neither messages nor questions."""
    if not questions.is_dir():
        raise ValueError(f"name the files with answers to {questions} behind it")
    files = [
        file
        for file in sorted(questions.iterdir())
        if file.is_file()
        and not file.name.startswith(".")
        and file.name != QUESTIONS_FILE
        and not _is_message(file)
    ]
    if not files:
        raise LookupError(f"{questions} has no answers: save replies there, as answer-01.txt ...")
    return files


def _is_message(file: Path) -> bool:
    """Whether a file is a message of ours, and not ``message-01-reply.txt``."""
    return file.name.startswith(_MESSAGE) and file.stem.removeprefix(_MESSAGE).isdecimal()


@dataclass
class Found:
    """Answers to questions in files, and what is wrong with the others.

    Attributes:
        asked: The requests by id.
        answers: Usable answers by id; a later one replaces an earlier one.
    """

    asked: dict[str, Request]
    answers: dict[str, Response] = field(default_factory=dict)
    unusable: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _unknown: Counter[str] = field(default_factory=Counter)
    _files: list[str] = field(default_factory=list)
    _other_lines: int = 0

    def __post_init__(self) -> None:
        # Batch services may allow letters, digits, - and _ alone in an id.
        self._plain = {re.sub(r"[^A-Za-z0-9_-]", "_", name): name for name in self.asked}

    def read(self, file: Path) -> None:
        """Reads the answers of a file."""
        pasted = read_pasted(read_text(file, utf16=True))
        self._files.append(f"{file}: {len(pasted.responses)} answers")
        self._other_lines += len(pasted.prose)
        self.unusable += [f"{file}, line {line}: {problem}"
                          for line, problem in sorted(pasted.problems.items())
                          if line not in pasted.prose]  # fmt: skip
        for response in pasted.responses:
            request = self._request(response.request_id)
            if request is None:
                self._unknown[response.request_id] += 1
                continue
            text = response.text or json.dumps(response.answer, ensure_ascii=False)
            read = read_answer(request, text, complete=True)
            if read.answer is None:
                self.unusable.append(f"{file}, line {response.line}: {request.id}: {read.error} "
                                     f"({read.reason}): {shortened(text)}")  # fmt: skip
                continue
            self._counts[request.id] += 1
            self.answers[request.id] = replace(
                response, request_id=request.id, answer=read.answer, text=None,
                subject=request.subject or None,
            )  # fmt: skip

    def _request(self, name: str) -> Request | None:
        return self.asked.get(name) or self.asked.get(self._plain.get(name, ""))

    def where(self) -> str:
        """The files and what was found in them."""
        unknown = [f"unknown: {enumerated([*self._unknown], _LISTED)}"] if self._unknown else []
        return "; ".join([*self._files, *unknown])

    def lines(self) -> list[str]:
        """What was found, in words; every list with its number."""
        twice = [name for name, count in self._counts.items() if count > 1]
        missing = [name for name in self.asked if name not in self.answers]
        lines = [*self._files]
        lines.append(f"{len(self.answers)} of {len(self.asked)} questions answered")
        for title, items in (
            ("without an answer", missing),
            ("answered more than once, the last answer counts", twice),
            ("ids that no question has", list(self._unknown)),
            ("lines without a usable answer", self.unusable),
        ):
            if items:
                lines.append(f"{title}: {len(items)}")
                lines += listed([f"  {item}" for item in items], _LISTED)
        if self._other_lines:
            lines.append(f"lines of other text: {self._other_lines}")
        return lines


def _store(answers: Iterable[Response], store: ResponseStore) -> int:
    """Adds the answers that a store does not end with; returns their number."""
    added: Sequence[Response] = [
        answer for answer in answers
        if not any(
            a.answer == answer.answer and store.subject(a) in (answer.subject, None)
            for a in store.attempts(answer.request_id)[-1:]
        )
    ]  # fmt: skip
    for answer in added:
        store.append(answer)
    return len(added)
