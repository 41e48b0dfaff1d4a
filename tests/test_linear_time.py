"""Texts of users and models are read in linear time: a legal request must not hold a service.

Every regular expression of the package stands below: with the functions that meet texts by it,
which are given 400 kB of text made to be read slowly, or with the reason why it meets none. A new
one is found by the first test.
"""

from __future__ import annotations

import ast
import json
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from xml.sax.saxutils import escape

import pytest

from tests.conftest import ROOT
from tkre.cli.questions import Found
from tkre.core.documents import DocumentError, json_items, parse_json
from tkre.core.folding import is_invisible, verbatim
from tkre.core.instance import Instance, Span, TagError, parse_tagged
from tkre.core.schema import Relation, RelationSchema
from tkre.core.text import (
    clause_parts,
    count_words,
    find_phrase,
    find_word_forms,
    normalised,
    word_list,
)
from tkre.corpora.annotations import brat, doccano
from tkre.corpora.candidates import Mention, Pairs
from tkre.corpora.document_rows import Rows
from tkre.corpora.documents import Tally, read_documents, sentences_of, split_sentences
from tkre.corpora.exchange import bioc, rebel
from tkre.corpora.formats import RowError, native_rows, scibert_rows, semeval_rows, tacred_rows
from tkre.corpora.importing import _WIKIDATA
from tkre.corpora.mention_list import read_mentions
from tkre.corpora.pairs import csv_rows
from tkre.corpora.reading import CorpusError
from tkre.corpora.recognition import recognised
from tkre.corpora.records import id_once
from tkre.corpora.scaffold import words_of
from tkre.corpora.schema_validation import definition_findings
from tkre.corpora.tables import held_by, named_twice
from tkre.corpora.unlabelled import validate_batch
from tkre.evaluation.probing import _mistyped, _negated
from tkre.generation import recorded
from tkre.generation.llm.openai import _CONTEXT, _UNREADABLE
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.pasted import read_pasted
from tkre.generation.llm.protocol import Request, Sampling, vote_of
from tkre.generation.prompts import PromptError, render
from tkre.generation.texts import from_explanation, from_sentence
from tkre.project.mlflow import _key
from tkre.project.rename import Renaming, _renamed
from tkre.report.drawing import printable
from tkre.report.model_card import _escaped
from tkre.training.inference import without_names

PACKAGE = ROOT / "src" / "tkre"
LETTERS = 400_000  # a quadratic reader takes minutes for them
SECONDS = 20  # of the processor, for one function and one text; the normal time is about 1
MATCHING = {
    "compile",
    "search",
    "match",
    "fullmatch",
    "split",
    "findall",
    "finditer",
    "sub",
    "subn",
}
OF_TABLES = {"contains", "replace", "extract", "match", "fullmatch", "split", "findall", "count"}
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
RELATION = Relation(definition="The head is born in the tail.", phrase="was born in")
RELATIONS = RelationSchema(corpus="c", relations={"born_in": RELATION, "other": RELATION})

# What runs of it patterns may divide in many ways, or what they look for to the end of a text.
PIECES = [
    " ", "\n", "a", "a ", "_", ".", ":", ",", "|", "<", "< ", "</", "<a ", "<e1>x", "[[ ", "<< ",
    "[", "[]", "{", '{"', '{"id"', '"', "\u201c", ", ", ",\u201c", ",]", "`", "explanation/",
    "explanation/:", "</think>", "<think>", "[user]\n", "[user] ", "born in ", "born  ", "1\t",
    "\u0301", "e\u0301", "\u200b", "中", "한", "ก", "ア", "\U0001f600", "#",
]  # fmt: skip


def run_of(piece: str, size: int) -> str:
    return "<" + piece * (size // len(piece)) + "x"


def rows(rows_of: Callable[..., Iterator], wrap: Callable[[str], str], text: str) -> None:
    for _, parse in rows_of(wrap(text), "train"):
        with suppress(RowError):
            parse()


def as_json(**record: str) -> Callable[[str], str]:
    return lambda text: json.dumps({k: v or text for k, v in record.items()})


def of_instance(text: str) -> Instance:
    return Instance("1", f"Ada {text} Oslo", Span(0, 3), Span(len(text) + 5, len(text) + 9),
                    "born_in", explanation=text)  # fmt: skip


def quoted(text: str) -> str:
    """A cell of a table."""
    return '"' + text.replace('"', '""').replace("\n", " ") + '"'


def documents(reader: Callable[[str], Iterable], text: str) -> None:
    """Read an annotation tool's file, its mentions and sentences."""
    for document in read_documents(reader(text), "f", tally := Tally()):
        sentences_of(document, tally)


def mentions_of(text: str) -> None:
    record = {"text": text, "entities": [{"start": 0, "end": len(text), "text": f"{text} x"}]}
    documents(doccano, json.dumps(record))


def triplets(text: str) -> None:
    for linearised in (text, f"<triplet> {text} <subj> {text[: len(text) // 2]} <obj> r"):
        documents(rebel, json.dumps({"text": text, "triplets": linearised}))


def answer(text: str) -> None:
    read_answer(Request("a", (), SCHEMA, Sampling()), text, complete=True)


FORMATS = [
    partial(rows, native_rows, as_json(id="1", relation="r", sentence="")),
    partial(rows, native_rows, str),
    partial(rows, scibert_rows, as_json(label="r", text="")),
    partial(rows, semeval_rows, lambda text: f'1\t"{text}"\nr\n'),
    partial(rows, semeval_rows, str),
    partial(rows, tacred_rows, lambda text: f"[{text}"),
]
TESTED: dict[str, list[Callable[[str], object]]] = {
    "cli/questions.py:__post_init__": [lambda t: Found({t: Request(t, (), {}, Sampling())})],
    "core/documents.py:_SURROGATE": [lambda t: parse_json(json.dumps([t]))],
    "core/documents.py:_json_hint": [lambda t: parse_json(f"{{{t}")],
    "core/documents.py:_WHITE": [parse_json, lambda t: list(json_items(t))],
    "core/instance.py:_LIKE_A_TAG": [parse_tagged, lambda t: validate_batch([t])],
    "core/instance.py:parse_tagged": [lambda t: parse_tagged(f"<head>{t}</head> <tail>a</tail>")],
    "core/schema.py:_PLAIN_WORDS": [lambda t: RELATIONS.spelled_out(t, "text")],
    "core/text.py:_WORD": [
        word_list,
        lambda t: list(
            definition_findings(
                RELATIONS.model_copy(
                    update={"relations": {"r": RELATION, "s": Relation(definition=t, phrase=t)}}
                ),
                str,
            )
        )
    ],
    "core/text.py:_ASCII_WORD": [word_list],
    "core/text.py:_UNSPACED_LETTER": [count_words],
    "core/text.py:_CHINESE": [lambda t: count_words(f"{t}中")],
    "core/text.py:_CONTENT": [lambda t: find_word_forms("a 中文 text", t)],
    "core/text.py:_UNSPACED_RUN": [lambda t: find_word_forms("中文", f"{t} 中文")],
    "core/text.py:_GRAMMAR": [lambda t: find_word_forms(f"{t} 中文", "中文")],
    "core/text.py:_KINDS": [lambda t: find_phrase(t, "中文"), lambda t: find_phrase(t, "a")],
    "core/text.py:_FUNCTION_WORDS": [lambda t: find_word_forms("a text", t)],
    "core/folding.py:_INVISIBLE": [normalised, is_invisible, lambda t: verbatim(t, "is in")],
    "core/text.py:_INSIDE": [lambda t: find_phrase(t, "ก")],
    "core/text.py:_BLANKLESS": [clause_parts, lambda t: clause_parts(f"中{t}")],
    "core/text.py:clause_parts": [lambda t: clause_parts(f"中 {t}")],
    "core/text.py:_PARTICLES": [
        lambda t: find_phrase(t, "가", name=True), lambda t: find_phrase(f"가{t}", "가", name=True)
    ],
    "core/text.py:find_phrase": [
        lambda t: find_phrase(t, "born in"), lambda t: find_phrase(t, "- a"),
        lambda t: find_phrase("born in", t), lambda t: without_names(of_instance(t)),
    ],
    "core/text.py:find_word_forms": [
        lambda t: find_word_forms(t, "was born in"),
        lambda t: from_explanation(of_instance(t), RELATION),
        lambda t: from_sentence(of_instance(t), "support"),
    ],
    "core/text.py:_PART": [
        lambda t: read_mentions("born in\ta\nx\tb", "f", ignore_case=True).find(t)
    ],
    "corpora/mention_list.py:_mention": [
        lambda t: read_mentions(t, "f", ignore_case=False, types=("a",))
    ],
    "corpora/formats.py:_START": FORMATS,
    "corpora/annotations.py:_MENTION": [
        lambda t: brat(f"T1\tA 0 1\t{t}", t), lambda t: brat(f"T1\tA {t}", t), lambda t: brat(t, t),
    ],
    "corpora/annotations.py:_RELATION": [
        lambda t: brat(f"R1\tr {t}", t), lambda t: brat(f"R1\tr Arg1:{t} b", t),
    ],
    "corpora/documents.py:_SPACE": [mentions_of],
    "corpora/documents.py:_END": [split_sentences],
    "corpora/documents.py:_SHORT": [lambda t: split_sentences(f"{t}. A")],
    "corpora/exchange.py:_MARK": [triplets],
    "corpora/exchange.py:_whole": [
        lambda t: documents(bioc, f"<collection><document><offset>{escape(t)}</offset></document>"
                                  "</collection>"),
    ],
    "corpora/importing.py:_WIKIDATA": [_WIKIDATA.fullmatch, lambda t: _WIKIDATA.fullmatch(f"P{t}")],
    "corpora/pairs.py:_cells_span": [
        lambda t: rows(csv_rows, lambda s: f"sentence,relation,head,tail\n{quoted(s)},r,"
                                           f"{quoted(s[: len(s) // 2])},b\n", t),
        lambda t: rows(csv_rows, lambda s: "sentence,relation,head,head_start,tail\na,r,a,"
                                           f"{quoted(s)},b\n", t),
    ],
    "corpora/recognition.py:recognised": [recognised, lambda t: recognised(f"1{t}")],
    "corpora/scaffold.py:words_of": [words_of],
    "evaluation/probing.py:_AUXILIARY": [_negated],
    "evaluation/probing.py:_LONG_WORD": [lambda t: _mistyped(t, 0)],
    "generation/llm/openai.py:_CONTEXT": [_CONTEXT.search],  # the error of a server
    "generation/llm/openai.py:_UNREADABLE": [_UNREADABLE.search],
    "generation/llm/parsing.py:_THOUGHTS": [answer],
    "generation/llm/parsing.py:_CURLY": [answer],
    "generation/llm/parsing.py:_MARKDOWN": [answer],
    "generation/llm/parsing.py:_LAST_COMMA": [answer],
    "generation/llm/pasted.py:_RECORD": [read_pasted],
    "generation/llm/pasted.py:_OPENING": [read_pasted],
    "generation/llm/pasted.py:_ID": [lambda t: read_pasted(t + ' {"x": 1}')],
    "generation/llm/pasted.py:_FRAME": [lambda t: read_pasted('{"request_id": "a"}\n' + t)],
    "generation/prompts.py:_HEADING": [
        lambda t: render(t, {}, "p"), lambda t: render(f"[user]{t}", {}, "p"),
    ],
    "corpora/tables.py:held_by": [lambda t: held_by([t])],
    "generation/recorded.py:ROUND": [recorded.ROUND.fullmatch],  # parts of a request id
    "generation/recorded.py:_SEED": [recorded._SEED.search],
    "generation/llm/protocol.py:_VOTE": [vote_of],
    "project/mlflow.py:_key": [_key],
    "project/rename.py:_renamed": [
        lambda t: _renamed(t, Renaming("born_in", "b"), in_texts=True),
        lambda t: _renamed(f'"relation"{t}', Renaming("born_in", "b"), in_texts=True),
    ],
    "report/drawing.py:_UNPRINTABLE": [printable],
    "report/model_card.py:_MARKUP": [_escaped],
}  # fmt: skip
TRUSTED = {
    "core/languages.py:_CODE": "a code of a language, which has no two divisions",
    "project/broken.py:_OF_CORPUS": "names of files in conf/",
    "cli/overrides.py:_QUOTED": "a value on the command line",
    "core/cells.py:_NAME": "names in conf/",
    "core/cells.py:_SAMPLE": "names of the catalog",
    "corpora/scaffold.py:_NAME": "a name on the command line",
    "corpora/scaffold.py:check_name": "a name on the command line",
    "datasets/frames.py:_PROBABILITIES": "columns of tables of the project",
    "evaluation/error_analysis.py:_pairs": "words of the project, taken literally",
    "evaluation/metrics.py:_DIRECTION": "a label, matched from one sign on",
    "evaluation/probe_names.py:_PART": "an entity type, one run of letters after the other",
    "generation/params.py:_is_llm": "names in conf/",
    "project/config.py:_OF_VARIANT": "messages about conf/",
    "project/results.py:_SECTION": "pages of docs/",
    "report/drawing.py:COLOURS": "a style sheet of the project",
    "report/drawing.py:_REFERENCE": "attributes of the project's drawings",
    "report/drawing.py:_COLOUR": "attributes of the project's drawings",
    "report/drawing.py:_renamed": "attributes of the project's drawings",
    "report/published.py:_TABLE": "pages of docs/",
    "report/published.py:_CODE": "pages of docs/",
    "report/published.py:_CELLS": "pages of docs/",
    "report/tables.py:beside_shots": "words of the project, taken literally",
    "runner/code.py:_PATH": "the project's code",
}


def expressions(tree: ast.AST, owner: str | None = None) -> Iterator[str | None]:
    """Where a module has regular expressions: their names, or their functions."""
    for node in ast.iter_child_nodes(tree):
        name = owner
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif owner is None and isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            name = target.id if isinstance(target, ast.Name) else ast.unparse(target)
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute):
            of = function.value
            of_re = (
                isinstance(of, ast.Name) and of.id in ("re", "regex") and function.attr in MATCHING
            )
            in_table = isinstance(of, ast.Attribute) and of.attr == "str"
            if of_re or (in_table and function.attr in OF_TABLES):
                yield name
        elif isinstance(node, ast.ImportFrom) and node.module in ("re", "regex"):
            yield f"from {node.module}"
        elif isinstance(node, ast.keyword) and node.arg in ("pattern", "regex"):
            yield name
        yield from expressions(node, name)


def test_every_regular_expression_is_tested_or_meets_no_text_of_others():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}:{name}"
        for path in PACKAGE.rglob("*.py")
        for name in expressions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == TESTED.keys() | TRUSTED.keys()
    assert not TESTED.keys() & TRUSTED.keys()


@contextmanager
def processor_limit(seconds: int) -> Iterator[None]:
    """Ends what takes longer, a regular expression included."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


REFUSED = (TagError, DocumentError, RowError, CorpusError, PromptError)
FUNCTIONS = {function: name for name, functions in TESTED.items() for function in functions}


def read(function: Callable[[str], object], text: str) -> None:
    try:
        with processor_limit(SECONDS), suppress(*REFUSED):
            function(text)
    except TimeoutError:
        held = f"holds {FUNCTIONS[function]} for {SECONDS} s"
        pytest.fail(f"{text[:40]!r}..., {len(text):,} characters, {held}")


@pytest.mark.parametrize("function", FUNCTIONS, ids=FUNCTIONS.values())
def test_adversarial_text_is_read_in_linear_time(function):
    read(function, "".join(run_of(piece, LETTERS // len(PIECES)) for piece in PIECES))
    read(function, run_of(" ", LETTERS))


def many(number: int) -> str:
    """A document of many short sentences, each with a relation, as doccano writes it."""
    text = "Ada saw Oslo.\n" * number
    places = [
        (14 * n + start, 14 * n + end) for n in range(number) for start, end in ((0, 3), (8, 12))
    ]
    entities = [{"id": n, "start": start, "end": end} for n, (start, end) in enumerate(places)]
    links = [{"from_id": n, "to_id": n + 1, "type": "saw"} for n in range(0, 2 * number, 2)]
    return json.dumps({"text": text, "entities": entities, "relations": links})


def import_document(content: str) -> None:
    rows_of = Rows(tally := Tally())
    for document in read_documents(doccano(content), "f", tally):
        rows_of.add(document)
    assert tally.read["relations"] == 8_000 and len(rows_of.rows) == 1  # of equal sentences


def number_ids() -> None:
    taken: dict[str, int] = {}
    assert [id_once("a", taken) for _ in range(40_000)][-1] == "a-40000"


NAMES = [str(n) for n in range(100_000)]
TWICE = '"99999": 0}'
MENTIONS = [Mention(Span(4 * n, 4 * n + 3), None) for n in range(6_000)]
PARTS: dict[str, Callable[[], object]] = {
    "keys of an object": lambda: parse_json(f"{json.dumps(dict.fromkeys(NAMES))[:-1]}, {TWICE}"),
    "names of columns": lambda: named_twice(NAMES),
    "rows of one id": number_ids,
    "sentences of a document": lambda: import_document(many(8_000)),
    "mentions of a sentence": lambda: Pairs().of("Ada " * 6_000, MENTIONS),
    "words of a phrase": lambda: find_phrase("ab " * 100_000, "ab " * 50_000 + "x"),
    "words of a name": lambda: (
        read_mentions("a " * 2_000, "f", ignore_case=False).find("a b " * 5_000)
    ),
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_many_parts_are_read_in_linear_time(part):
    with processor_limit(SECONDS), suppress(DocumentError):
        PARTS[part]()


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=FUNCTIONS.values())
def test_a_long_run_of_any_piece_is_read_in_seconds(function):
    for piece in PIECES:
        read(function, run_of(piece, LETTERS))
