"""Readers of BioC, spaCy's DocBin and REBEL's triplets."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from numbers import Real
from typing import Any

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.instance import Span
from tkre.core.text import find_phrase
from tkre.corpora.annotations import document_rows, each, name_of, objects
from tkre.corpora.documents import Document, Documents
from tkre.corpora.formats import require_object
from tkre.corpora.reading import CorpusError
from tkre.corpora.records import RowError, string


def bioc(text: str) -> Documents:
    """BioC in JSON or XML: annotations of passages or sentences, relations of two nodes.

    Relations as of BioRED name identifiers of entities (``entity1``, ``entity2``) in their infons.
    """
    try:
        collection = _from_xml(text) if text.lstrip().startswith("<") else parse_json(text)
        documents = [d for c in (collection if isinstance(collection, list) else [collection])
                     for d in objects(require_object(c), "documents")]  # fmt: skip
    except (DocumentError, ET.ParseError, RowError, RecursionError) as error:
        yield "line 1", partial(_refuse, str(error))
        return
    for number, document in enumerate(documents, start=1):
        yield f"document {number}", partial(_bioc, document)


def _refuse(reason: str) -> Document:
    raise RowError(reason)


def _from_xml(text: str) -> dict[str, Any]:
    """BioC's XML as its JSON."""
    if "<!ENTITY" in text:
        raise RowError("XML that declares entities is not read")
    return {"documents": [_element(d) for d in ET.fromstring(text).iter("document")]}


def _element(element: ET.Element) -> dict[str, Any]:
    record: dict[str, Any] = {"id": element.get("id"), "infons": {}}
    for child in element:
        if child.tag == "infon":
            record["infons"][child.get("key")] = child.text or ""
        elif child.tag in ("text", "id"):
            record[child.tag] = child.text or ""
        elif child.tag == "offset":
            record["offset"] = _whole(child.text)
        elif child.tag == "location":
            places = {key: _whole(child.get(key)) for key in ("offset", "length")}
            record.setdefault("locations", []).append(places)
        elif child.tag == "node":
            record.setdefault("nodes", []).append(dict(child.attrib))
        else:
            record.setdefault(f"{child.tag}s", []).append(_element(child))
    return record


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,9}", text.strip()) else None


def _bioc(record: dict[str, Any]) -> Document:
    parts = [
        part for passage in objects(record, "passages")
        for part in (passage, *objects(passage, "sentences"))
    ]  # fmt: skip
    texts = [part for part in parts if isinstance(part.get("text"), str) and part["text"]]
    if not texts:
        raise RowError("it has no passage with a text")
    document = Document(name_of(record, "id"), "\n".join(part["text"] for part in texts))
    relations = [r for part in (record, *parts) for r in objects(part, "relations")]
    by_identifier = any("entity1" in require_object(r.get("infons") or {}) for r in relations)
    base, places = 0, list[_Place]()
    for part in texts:
        offset = part.get("offset") if type(part.get("offset")) is int else 0
        places.append(_Place(part, int(offset or 0), base))
        base += len(part["text"]) + 1
    for part in parts:
        # Annotations of a passage whose text is that of its sentences lie in one of these.
        own = [place for place in places if place.part is part]
        for annotation in objects(part, "annotations"):
            _bioc_mention(document, annotation, own or places, by_identifier)
    for relation in relations:
        infons = require_object(relation.get("infons") or {})
        ends = [str(node.get("refid")) for node in objects(relation, "nodes")]
        ends = ends or [str(infons[key]) for key in ("entity1", "entity2") if key in infons]
        if len(ends) == 2:
            document.relate(ends[0], ends[1], infons.get("type") or infons.get("relation"))
        else:
            what = f"{shown(relation.get('id'))} {shown(infons)}"
            document.leave_out("relation", f"it has {len(ends)} nodes, not two", what)
    return document


@dataclass(frozen=True)
class _Place:
    """Where the text of a passage or sentence begins: in the file's count, and in the document."""

    part: dict[str, Any]
    offset: int
    base: int

    def holds(self, start: Any) -> bool:
        return type(start) is int and 0 <= start - self.offset < len(self.part["text"])


def _bioc_mention(
    document: Document, annotation: dict[str, Any], places: list[_Place], by_identifier: bool
) -> None:
    infons = require_object(annotation.get("infons") or {})
    key = str(infons.get("identifier") if by_identifier else annotation.get("id"))
    locations = objects(annotation, "locations")
    if len(locations) != 1:
        reason = "it is discontinuous" if locations else "it has no location"
        document.leave_out("mention", reason, f"{key} {shown(annotation.get('text'))}")
        return
    start, length = locations[0].get("offset"), locations[0].get("length")
    place = next((p for p in places if p.holds(start)), places[0])
    if type(start) is int and type(length) is int:
        start += place.base - place.offset
        length += start
    document.mention(key, start, length, infons.get("type"), annotation.get("text"))


def docbin(content: bytes, file: str) -> Documents:
    """SpaCy's DocBin: entities, and relations in ``doc._.rel`` as of spaCy's relation component.

    ``rel`` holds for the first tokens of two entities the score of each label; 0.5 and above is a
    relation.

    Raises:
        CorpusError: spaCy is missing, or the content is no DocBin.
    """
    try:
        tokens, vocab = import_module("spacy.tokens"), import_module("spacy.vocab")
    except ImportError:
        raise CorpusError(f"{file}: reading it needs spaCy: pip install -e '.[spacy]'") from None
    try:
        documents = list(tokens.DocBin().from_bytes(content).get_docs(vocab.Vocab()))
    except Exception as error:  # zlib's, msgpack's and spaCy's own
        raise CorpusError(f"{file}: no DocBin of spaCy ({type(error).__name__})") from None
    return [(f"document {n}", partial(_docbin, d)) for n, d in enumerate(documents, start=1)]


def _docbin(doc: Any) -> Document:
    sentences = doc.sents if doc.has_annotation("SENT_START") else ()
    spans = [Span(s.start_char, s.end_char) for s in sentences if s.text.strip()]
    document = Document("", doc.text, spans)
    for entity in doc.ents:
        ends = (entity.start_char, entity.end_char)
        document.mention(str(entity.start), *ends, entity.label_, entity.text)
    related = doc.user_data.get(("._.", "rel", None, None)) or {}
    odd = [] if isinstance(related, Mapping) else [related]
    for pair, labels in related.items() if not odd else ():
        if not isinstance(pair, tuple) or len(pair) != 2 or not _are_scores(labels):
            odd.append((pair, labels))
            continue
        for label, score in labels.items():
            if score >= 0.5:
                document.relate(str(pair[0]), str(pair[1]), label)
    for what in odd:
        document.leave_out("relation", "doc._.rel is not {(token, token): {label: score}}",
                           shown(what))  # fmt: skip
    return document


def _are_scores(labels: Any) -> bool:
    return isinstance(labels, Mapping) and all(isinstance(s, Real) for s in labels.values())


def rebel(text: str) -> Documents:
    """Lines of REBEL or mREBEL: a text and linearised triplets, whose mentions it holds."""
    return each(text, _rebel)


_MARK = re.compile("<([a-z]+)>")
_NOISE = ("<s>", "</s>", "<pad>", "tp_XX")  # tokens of the model around its triplets


def _rebel(record: dict[str, Any]) -> Document:
    text = string(record, "text" if "text" in record else "context")
    document = Document(name_of(record, "id", "docid"), text)
    linearised = string(record, "triplets")
    for token in _NOISE:
        linearised = linearised.replace(token, " ")
    language, *triplets = linearised.split("<triplet>")
    if not triplets:
        raise RowError(f"triplets begin with <triplet>, not with {shown(language)}")
    times: dict[str, int] = {}
    for triplet in triplets:
        _relate_triplet(document, triplet, times)
    return document


def _relate_triplet(document: Document, triplet: str, times: dict[str, int]) -> None:
    """Relations of one head: ``head <subj> tail <obj> relation <subj> tail <obj> relation``.

    In mREBEL the marks name the types of the head and of the tail.
    """
    pieces = _MARK.split(triplet)
    names, marks = [piece.strip() for piece in pieces[::2]], pieces[1::2]
    kinds = [None if mark in ("subj", "obj") else mark for mark in marks]
    if len(names) < 3 or len(names) % 2 == 0:
        document.leave_out("relation", "its triplet is not whole", shown(triplet.strip()))
    for at in range(1, len(names) - 1, 2):
        head, tail, label = names[0], names[at], names[at + 1]
        ends = ((head, kinds[at - 1]), (tail, kinds[at]))
        missing = [name for name, kind in ends if not _find(document, name, kind, times)]
        if missing:
            reason = "a mention of it does not stand in the text exactly once"
            what = f"{shown(missing[0])} stands {times[missing[0]]} times"
            document.leave_out("relation", reason, f"{label}: {what}")
        else:
            document.relate(head, tail, label)


def _find(document: Document, name: str, kind: str | None, times: dict[str, int]) -> bool:
    """Add a mention by its text; whether it stands there once, as whole words.

    Args:
        document: Gets the mention.
        name: Its text.
        kind: Its type; None if unknown.
        times: How often the names that were looked for stand in the text.
    """
    if name not in times:
        found = find_phrase(document.text, name, name=True)
        times[name] = len(found)
        if len(found) == 1:
            [span] = found
            document.mention(name, span.start, span.end, kind, span.of(document.text))
    return times[name] == 1


rebel_rows: Callable[..., Any] = partial(document_rows, rebel)
bioc_rows: Callable[..., Any] = partial(document_rows, bioc)
