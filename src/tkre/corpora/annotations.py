"""Readers of annotation tools and published corpora: entities of documents, and their relations.

A reader yields for each record of a file its place and a function that makes a ``Document``. Keys
that it does not name are not read; offsets are checked by ``Document``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tkre.core.documents import shown
from tkre.core.instance import Span
from tkre.corpora.document_rows import Rows
from tkre.corpora.documents import Document, Documents, Tally, read_documents
from tkre.corpora.formats import Row, fail, list_items, numbered_lines, require_object
from tkre.corpora.pairs import token_text, two_of
from tkre.corpora.records import RowError, string


def each(text: str, parse: Callable[[dict[str, Any]], Document]) -> Documents:
    """A document for each record of a JSON list or of JSON Lines."""
    for place, record in list_items(text):
        yield place, partial(_parsed, record, parse)


def _parsed(record: Any, parse: Callable[[dict[str, Any]], Document]) -> Document:
    return parse(require_object(record))


def objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list of a key; an empty list without the key."""
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RowError(f"{key} must be a list of objects, not {shown(value)}")
    return value


def name_of(record: dict[str, Any], *keys: str) -> str:
    """The id of a record; empty without one, which stands for its place."""
    found = next((record[key] for key in keys if isinstance(record.get(key), int | str)), "")
    return str(found).strip()


def first_of(record: dict[str, Any], *keys: str) -> Any:
    """The value of the first key that is there; None for none."""
    return next((record[key] for key in keys if record.get(key) is not None), None)


def doccano(text: str) -> Documents:
    """Doccano's "JSONL (relation)"; also any text with ``entities`` and their offsets."""
    return each(text, _doccano)


def _doccano(record: dict[str, Any]) -> Document:
    key = "sentence" if "sentence" in record and "text" not in record else "text"
    document = Document(name_of(record, "id"), string(record, key))
    for number, entity in enumerate(objects(record, "entities")):
        document.mention(
            str(entity.get("id", number)),
            first_of(entity, "start_offset", "start"),
            first_of(entity, "end_offset", "end"),
            first_of(entity, "label", "type"),
            entity.get("text"),
            alone=True,
        )
    for relation in objects(record, "relations"):
        ends = (str(relation.get("from_id")), str(relation.get("to_id")))
        document.relate(*ends, first_of(relation, "type", "label"))
    return document


def label_studio(text: str) -> Documents:
    """Label Studio's JSON export; each annotation that was not cancelled is a document."""
    for place, task in list_items(text):
        try:
            annotations = objects(task, "annotations" if "annotations" in require_object(task)
                                   else "completions")  # fmt: skip
            for number, annotation in enumerate(annotations or [{}], start=1):
                suffix = f"-{number}" if len(annotations) > 1 else ""
                yield place, partial(_label_studio, task, annotation, suffix)
        except RowError as error:
            yield place, partial(_refused, error)


def _refused(error: RowError) -> Document:
    raise error


def _label_studio(task: dict[str, Any], annotation: dict[str, Any], suffix: str) -> Document:
    data = require_object(task.get("data"))
    texts = [v for v in data.values() if isinstance(v, str)]
    text = data.get("text") if "text" in data else texts[0] if len(texts) == 1 else None
    if not isinstance(text, str) or not text.strip():
        raise RowError(f"data has no key 'text', nor a single one with a text: {shown(data)}")
    document = Document(f"{name_of(task, 'id', 'inner_id')}{suffix}".strip("-"), text)
    results = objects(annotation, "result")
    if "result" not in annotation:
        document.leave_out("record", "it has no annotation", "task without annotations")
    cancelled = annotation.get("was_cancelled") or annotation.get("skipped")
    for result in results:
        kind, value = result.get("type"), result.get("value")
        if cancelled:
            what = "relation" if kind == "relation" else "mention"
            document.leave_out(what, "its annotation was cancelled", shown(result.get("id", kind)))
        elif kind == "relation":
            _relate_both(document, result)
        elif isinstance(value, dict) and isinstance(value.get("labels"), list):
            key, (label, *more) = str(result.get("id")), value["labels"] or [None]
            ends = (value.get("start"), value.get("end"))
            document.mention(key, *ends, label, value.get("text"), alone=True)
            for other in more:
                reason = "a mention has one type, and the first one is taken"
                document.leave_out("label", reason, f"{key}: {shown(other)}")
        else:
            document.leave_out("result", f"results of the type {shown(kind)} are not read",
                               shown(result.get("id")))  # fmt: skip
    return document


def _relate_both(document: Document, result: dict[str, Any]) -> None:
    """A relation of Label Studio: from left to right, from right to left, or in both directions."""
    ends = (str(result.get("from_id")), str(result.get("to_id")))
    direction = result.get("direction") or "right"
    if direction not in ("right", "left", "bi"):
        what = f"{ends}: {shown(direction)}"
        document.leave_out("relation", "its direction is none of right, left and bi", what)
        return
    labels = result.get("labels") or [None]
    for label in labels if isinstance(labels, list) else [labels]:
        if direction != "left":
            document.relate(*ends, label)
        if direction != "right":
            document.relate(*ends[::-1], label)


def prodigy(text: str) -> Documents:
    """Prodigy's JSON Lines of ``rel.manual``; answers other than ``accept`` are left out."""
    return each(text, _prodigy)


def _prodigy(record: dict[str, Any]) -> Document:
    document = Document(name_of(record, "id", "_task_hash"), string(record, "text"))
    relations = objects(record, "relations")
    if (answer := record.get("answer", "accept")) != "accept":
        for relation in relations or [{}]:
            kind = "relation" if relations else "record"
            document.leave_out(kind, f"its answer is {shown(answer)}", shown(relation.get("label")))
        return document
    tokens = objects(record, "tokens")

    def add(span: dict[str, Any]) -> str:
        ends = (span.get("start"), span.get("end"))
        if (key := f"{shown(ends[0])}-{shown(ends[1])}") not in document:
            document.mention(key, *ends, span.get("label"), span.get("text"))
        return key

    def of_token(number: Any) -> str:
        """The span that ends with a token, or holds it; else the token itself."""
        within = [s for s in spans if _holds(s, number)]
        within.sort(key=lambda s: bool(s.get("token_end") != number))
        token = next((t for t in tokens if t.get("id") == number), None)
        found = within[0] if within else token
        return f"token {number}" if found is None else add({**found, "text": None})

    spans = objects(record, "spans")
    for span in spans:
        add(span)
    for relation in relations:
        ends = [
            add(given) if isinstance(given := relation.get(f"{role}_span"), dict)
            else of_token(relation.get(role))
            for role in ("head", "child")
        ]  # fmt: skip
        document.relate(ends[0], ends[1], relation.get("label"))
    return document


def _holds(span: dict[str, Any], token: Any) -> bool:
    first, last = span.get("token_start"), span.get("token_end")
    whole = isinstance(first, int) and isinstance(last, int) and isinstance(token, int)
    return bool(whole and first <= token <= last)


_PLACES = "[0-9]{1,9} [0-9]{1,9}"
_MENTION = re.compile(rf"(T\S*)\t(\S+) ({_PLACES}(?:;{_PLACES})*)(?:\t(.*))?")
_RELATION = re.compile(r"(R\S*)\t(\S+)\s+([^\s:]+):(\S+)\s+([^\s:]+):(\S+)\s*")


def brat(annotations: str, text: str) -> Document:
    """A document of brat's ``.ann`` and ``.txt``: text-bound annotations ``T``, relations ``R``.

    A discontinuous mention is left out, with its relations; so are events (``E``), equivalences
    (``*``) and other kinds.
    """
    document = Document("", text)
    for number, raw in numbered_lines(annotations):
        line = raw.strip(" ")
        if found := _MENTION.fullmatch(line):
            key, kind, places, surface = found.groups()
            if ";" in places:
                document.leave_out("mention", "it is discontinuous", f"{key} {places}")
            else:
                start, end = map(int, places.split())
                document.mention(key, start, end, kind, surface, alone=True)
        elif found := _RELATION.fullmatch(line):
            _, label, one, first, other, second = found.groups()
            # Arg1 is the head, in whatever order they stand.
            ends = (second, first) if (one, other) == ("Arg2", "Arg1") else (first, second)
            document.relate(*ends, label)
        elif line[0] in "TR":
            kind = "mention" if line[0] == "T" else "relation"
            document.leave_out(kind, "its line cannot be read", f"line {number}: {shown(line)}")
        else:
            reason = f"annotations of the kind {shown(line[0])} are not read"
            document.leave_out("result", reason, f"line {number}: {shown(line)}")
    return document


def spert(text: str) -> Documents:
    """SpERT's JSON, as of CoNLL04, SciERC and ADE: half-open token offsets."""
    return each(text, _spert)


def _spert(record: dict[str, Any]) -> Document:
    document, places = _of_tokens(name_of(record, "orig_id", "id"), record.get("tokens"))
    for number, entity in enumerate(objects(record, "entities")):
        ends = (entity.get("start"), entity.get("end"))
        _mention_of_tokens(document, str(number), places, *ends, entity.get("type"))
    for relation in objects(record, "relations"):
        ends = (str(relation.get("head")), str(relation.get("tail")))
        document.relate(*ends, relation.get("type"))
    return document


def _of_tokens(name: str, tokens: Any) -> tuple[Document, list[tuple[int, int]]]:
    """A document of one sentence of tokens, and the characters of the tokens."""
    text, places = token_text(tokens)
    if not text.strip():
        raise RowError("there is no token")
    return Document(name, text, [Span(0, len(text))]), places


def _mention_of_tokens(
    document: Document, key: str, places: list[tuple[int, int]], first: Any, end: Any,
    kind: Any, surface: Any = None,
) -> None:  # fmt: skip
    """Add a mention by its tokens, half-open."""
    if type(first) is int and type(end) is int and 0 <= first < end <= len(places):
        document.mention(key, places[first][0], places[end - 1][1], kind, surface)
    else:
        what = f"{key} [{shown(first)}, {shown(end)}] of {len(places)} tokens"
        document.leave_out("mention", "its tokens are not among those of the text", what)


def glirel(text: str) -> Documents:
    """GLiREL's JSON Lines: inclusive token offsets."""
    return each(text, _glirel)


def _glirel(record: dict[str, Any]) -> Document:
    document, places = _of_tokens(name_of(record, "id"), record.get("tokenized_text"))
    keys: set[str] = set()
    ner = record.get("ner") or []
    if not isinstance(ner, list) or not all(isinstance(e, list) and len(e) >= 2 for e in ner):
        raise RowError(f"ner must be a list of [first, last, type, text], not {shown(ner)}")

    def add(first: Any, last: Any, kind: Any, surface: Any) -> str:
        key = f"{shown(first)}-{shown(last)}"
        if key not in keys:
            keys.add(key)
            end = last + 1 if type(last) is int else last
            _mention_of_tokens(document, key, places, first, end, kind, surface)
        return key

    for entity in ner:
        first, last, kind, surface = [*entity, None, None][:4]
        add(first, last, kind, surface)
    for relation in objects(record, "relations"):
        ends = []
        for role in ("head", "tail"):
            entity = require_object(relation.get(role))
            wanted = f"{role}.position must be [first, last]"
            first, last = two_of(entity.get("position"), wanted)
            ends.append(add(first, last, entity.get("type"), entity.get("mention")))
        document.relate(ends[0], ends[1], relation.get("relation_text"))
    return document


def docred(text: str) -> Documents:
    """DocRED's JSON: entities with mentions in several sentences, half-open token offsets."""
    return each(text, _docred)


def _docred(record: dict[str, Any]) -> Document:
    sentences = record.get("sents")
    if not isinstance(sentences, list) or not sentences:
        raise RowError(f"sents must be lists of tokens, not {shown(sentences)}")
    text, spans, places = "", [], []
    for tokens in sentences:
        words, inside = token_text(tokens)
        spans.append(Span(len(text), len(text) + len(words)))
        places.append([(start + len(text), end + len(text)) for start, end in inside])
        text += words + "\n"
    document = Document(name_of(record, "title"), text, spans)
    vertices = record.get("vertexSet")
    if not isinstance(vertices, list) or not all(isinstance(v, list) for v in vertices):
        raise RowError(f"vertexSet must be lists of mentions, not {shown(vertices)}")
    for key, mentions in enumerate(vertices):
        for mention in mentions:
            position = require_object(mention).get("pos")
            pair = position if isinstance(position, list) and len(position) == 2 else [None, None]
            first, end = pair
            number = mention.get("sent_id")
            known = type(number) is int and 0 <= number < len(places)
            inside = places[number] if known else []
            _mention_of_tokens(document, str(key), inside, first, end, mention.get("type"))
    for label in objects(record, "labels"):
        evidence = label.get("evidence")
        numbers = [n for n in evidence if type(n) is int] if isinstance(evidence, list) else []
        document.relate(str(label.get("h")), str(label.get("t")), label.get("r"), numbers)
    return document


def document_rows(reader: Callable[[str], Documents], text: str, split: str) -> Iterator[Row]:
    """The relations of documents as rows of a corpus; what cannot be taken is a bad row."""
    tally = Tally()
    rows = Rows(tally)
    for document in read_documents(reader(text), split, tally):
        rows.add(document)
    for row in rows.rows:
        yield row.id, partial(lambda given: given, row)
    for (kind, reason), places in tally.left_out.items():
        for place in places:
            yield place, partial(fail, f"a {kind} cannot be taken: {reason}")


doccano_rows = partial(document_rows, doccano)
label_studio_rows = partial(document_rows, label_studio)
prodigy_rows = partial(document_rows, prodigy)
spert_rows = partial(document_rows, spert)
glirel_rows = partial(document_rows, glirel)
docred_rows = partial(document_rows, docred)
