"""Where the names of a list stand in a sentence: whole words, the longest match first.

Mentions that a spaCy pipeline finds. spaCy is an extra: it is imported where it is used.

Raw sentences with every pair of their mentions marked: what a classifier is asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

from tkre.core.instance import Instance, Span, TagError, parse_tagged, to_tagged
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.corpora.formats import RowError, json_lines, json_object, string
from tkre.corpora.reading import SHOWN, CorpusError

_TOKEN = re.compile(r"\w+|[^\w\s]")
_KEYS = ("mention", "type")


@dataclass(frozen=True)
class Mention:
    """A name in a sentence.

    Attributes:
        span: Where it stands.
        kind: Entity type; None where nobody says.
    """

    span: Span
    kind: str | None


class MentionList:
    """Names with their types, looked up word by word.

    A name of a million costs no more than one of ten: what is looked up is every run of words of a
    sentence that is not longer than the longest name.

    Args:
        kinds: Types by name; None where a name has none.
        ignore_case: Whether ``OSLO`` is ``Oslo``.
    """

    def __init__(self, kinds: Iterable[tuple[str, str | None]], *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._kinds = {self._words(name): kind for name, kind in kinds}
        self._longest = max(map(len, self._kinds), default=0)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def types(self) -> set[str]:
        """The types that its names have."""
        return {kind for kind in self._kinds.values() if kind is not None}

    def find(self, text: str) -> list[Mention]:
        """The mentions in a text, from left to right; none overlaps another.

        Of two names that begin at one word the longer one is meant, and a name inside another is
        not looked for.
        """
        tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text)]
        words = [self._key(text[start:end]) for start, end in tokens]
        found, at = [], 0
        while at < len(words):
            length = self._match(words, at)
            if length:
                span = Span(tokens[at][0], tokens[at + length - 1][1])
                found.append(Mention(span, self._kinds[tuple(words[at : at + length])]))
            at += length or 1
        return found

    def _match(self, words: list[str], at: int) -> int:
        """How many words from here on are a name; 0 if none are."""
        for length in range(min(self._longest, len(words) - at), 0, -1):
            if tuple(words[at : at + length]) in self._kinds:
                return length
        return 0

    def _words(self, name: str) -> tuple[str, ...]:
        return tuple(self._key(word) for word in _TOKEN.findall(composed(name)))

    def _key(self, word: str) -> str:
        return word.casefold() if self._ignore_case else word


def composed(text: str) -> str:
    """A text in the one form in which an accented letter is one character (NFC)."""
    return unicodedata.normalize("NFC", text)


def read_mentions(
    text: str, file: str, *, ignore_case: bool, types: Collection[str] = ()
) -> MentionList:
    """The names in a file.

    Args:
        text: A line for each: ``name<TAB>type``, ``name`` alone, or a JSON object
            ``{"mention": ..., "type": ...}``.
        file: Its name, for messages.
        ignore_case: Whether case is no difference.
        types: Of the corpus; a name that ends with one, behind a comma, is no name.

    Raises:
        CorpusError: Lines that hold no name, or names that have two types; all are listed.
    """
    kinds: dict[str, tuple[str | None, int]] = {}
    bad = []
    for number, line in json_lines(text):
        try:
            name, kind = _mention(line.strip("\r\n"), types)
            key = name.casefold() if ignore_case else name
            before, first = kinds.setdefault(key, (kind, number))
            if before != kind:
                raise RowError(f"{name!r} is a {kind} here and a {before} on line {first}")
        except RowError as error:
            bad.append(f"  {file}, line {number}: {error}")
    if not kinds and not bad:
        bad.append(f"  {file}: no name in it; a line for each: name<TAB>type")
    if bad:
        more = [f"  ... and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *bad[:SHOWN], *more]))
    return MentionList(((name, kind) for name, (kind, _) in kinds.items()), ignore_case=ignore_case)


def _mention(line: str, types: Collection[str]) -> tuple[str, str | None]:
    if line.lstrip().startswith("{"):
        record = json_object(line)
        for key in record:
            if key not in _KEYS:
                raise RowError(f"unknown key {key!r}" + did_you_mean(key, _KEYS))
        name = string(record, "mention")
        kind = string(record, "type") if record.get("type") else None
    else:
        name, *rest = line.split("\t")
        if len(rest) > 1:
            raise RowError(f"{len(rest)} tabs; one stands between the name and its type")
        if not rest:
            _refuse_comma(name, types)
        kind = rest[0].strip() or None if rest else None
    if not re.search(r"\w", name):
        raise RowError(f"no name before the type: {line!r}")
    return composed(name.strip()), kind


def _refuse_comma(name: str, types: Collection[str]) -> None:
    """Else nothing would be found, and nothing said: no sentence holds ``Ada,person``."""
    ending = re.fullmatch(r".*([,;])(.*)", name)
    if ending and ending[2].strip() in types:
        raise RowError(f"a tab stands between a name and its type, not {ending[1]!r}: {name!r}")


BATCH = 64  # texts that a pipeline reads together


class SpacyError(RuntimeError):
    """A pipeline that cannot be used; the message says the way out."""


class SpacyMentions:
    """The entities of a spaCy pipeline, with its labels as types.

    Args:
        pipeline: Name of an installed pipeline (``en_core_web_sm``), or its folder.
        types: The type that is put for a label; a label without one stays as it is.
        known: Types that there are; entities of others are dropped and counted. None keeps all.

    Raises:
        SpacyError: spaCy or the pipeline is missing, or sets no entities.
    """

    def __init__(
        self, pipeline: str, types: Mapping[str, str], known: Iterable[str] | None
    ) -> None:
        self._pipeline = _load(pipeline)
        self._types = dict(types)
        self._known = None if known is None else frozenset(known)
        self.dropped: Counter[str] = Counter()

    def find(self, texts: Iterable[str]) -> Iterator[list[Mention]]:
        """The mentions of each text, in order."""
        for document in self._pipeline.pipe(texts, batch_size=BATCH):
            yield [mention for entity in document.ents if (mention := self._mention(entity))]

    def _mention(self, entity: Any) -> Mention | None:
        kind = self._types.get(entity.label_, entity.label_)
        if self._known is not None and kind not in self._known:
            self.dropped[entity.label_] += 1
            return None
        return Mention(Span(entity.start_char, entity.end_char), kind)


def _load(pipeline: str) -> Any:
    try:
        import spacy
    except ImportError:
        raise SpacyError("--spacy needs spaCy: pip install -e '.[spacy]'") from None
    try:
        loaded: Any = spacy.load(pipeline)
    except OSError:
        raise SpacyError(
            f"there is no spaCy pipeline {pipeline!r}, installed or in a folder: "
            f"python -m spacy download {pipeline}"
        ) from None
    _require_entities(loaded, pipeline)
    return loaded


def _require_entities(loaded: Any, pipeline: str) -> None:
    assigned = {what for name in loaded.pipe_names for what in loaded.get_pipe_meta(name).assigns}
    if "doc.ents" not in assigned:
        components = ", ".join(loaded.pipe_names) or "none"
        raise SpacyError(
            f"the spaCy pipeline {pipeline!r} has no component that finds entities, such as ner or "
            f"entity_ruler (its components: {components})"
        )


# The mentions of each of a batch of texts, in order.
Find = Callable[[Iterable[str]], Iterable[list[Mention]]]


@dataclass(frozen=True)
class Pairs:
    """Which pairs of a sentence are taken.

    Attributes:
        both_ways: Whether a pair is taken with either mention as the head; else the one that
            stands first is.
        most: Pairs of a sentence at most: those whose mentions stand closest.
        schema: Leaves out pairs whose types no relation of it joins, the negative one aside.
    """

    both_ways: bool = True
    most: int = 30
    schema: RelationSchema | None = None

    def of(self, mentions: list[Mention]) -> tuple[list[tuple[Mention, Mention]], int, int]:
        """Pairs of head and tail; how many no relation joins; how many were beyond ``most``."""
        take = permutations if self.both_ways else combinations
        pairs = list(take(sorted(mentions, key=lambda m: m.span), 2))
        possible = [(head, tail) for head, tail in pairs if self._may_be_related(head, tail)]
        kept = sorted(possible, key=_distance)[: self.most]
        return kept, len(pairs) - len(possible), len(possible) - len(kept)

    def _may_be_related(self, head: Mention, tail: Mention) -> bool:
        if self.schema is None:
            return True
        return any(
            self.schema.allows(name, head.kind, tail.kind)
            for name in self.schema.names
            if name != self.schema.negative
        )


@dataclass
class CandidateCounts:
    """What became of the sentences.

    Attributes:
        sentences: How many were read.
        mentions: That were found in them.
        no_mention: Sentences without any.
        one_mention: Sentences with one, so without a pair.
        pairs: That were written.
        ruled_out: Pairs whose types no relation joins.
        beyond: Pairs beyond the most of a sentence.
        kinds: Mentions by type.
        bad: Lines that hold no sentence, with their reasons.
    """

    sentences: int = 0
    mentions: int = 0
    no_mention: int = 0
    one_mention: int = 0
    pairs: int = 0
    ruled_out: int = 0
    beyond: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)

    def take_in(self, mentions: list[Mention]) -> None:
        """Counts the mentions of a sentence."""
        self.sentences += 1
        self.mentions += len(mentions)
        self.no_mention += not mentions
        self.one_mention += len(mentions) == 1
        for mention in mentions:
            self.kinds[str(mention.kind)] = self.kinds.get(str(mention.kind), 0) + 1


def read_sentences(
    lines: Iterable[str], *, json: bool, counts: CandidateCounts
) -> Iterator[tuple[str, str]]:
    """Ids and texts of raw sentences.

    Args:
        lines: Of a file: a sentence each, or a JSON object with ``sentence`` and, if it has one,
            ``id``.
        json: Which of the two.
        counts: Lines that hold no sentence are put there.
    """
    for number, line in enumerate(lines, start=1):
        for _, content in json_lines(line):
            try:
                yield _sentence(content, number, json=json)
            except RowError as error:
                counts.bad.append(f"line {number}: {error}")


def candidates(
    sentences: Iterable[tuple[str, str]], find: Find, pairs: Pairs, counts: CandidateCounts
) -> Iterator[dict[str, Any]]:
    """Every pair as a record in the native format, without a relation.

    Args:
        sentences: Ids and texts.
        find: Finds mentions.
        pairs: Which pairs are taken.
        counts: Is added to as sentences pass.
    """
    ids, texts = _apart(sentences)
    for mentions in find(texts):
        sentence_id, text = ids.pop(0)
        counts.take_in(mentions)
        kept, ruled_out, beyond = pairs.of(mentions)
        counts.ruled_out += ruled_out
        counts.beyond += beyond
        for number, (head, tail) in enumerate(kept, start=1):
            counts.pairs += 1
            instance = Instance(
                f"{sentence_id}/{number}", text, head.span, tail.span,
                head_type=head.kind, tail_type=tail.kind,
            )  # fmt: skip
            yield _record(instance)


def _apart(
    sentences: Iterable[tuple[str, str]],
) -> tuple[list[tuple[str, str]], Iterator[str]]:
    """The texts as they are asked for, and beside them what has been asked for and not answered."""
    waiting: list[tuple[str, str]] = []

    def texts() -> Iterator[str]:
        for sentence in sentences:
            waiting.append(sentence)
            yield sentence[1]

    return waiting, texts()


def _sentence(content: str, number: int, *, json: bool) -> tuple[str, str]:
    record: Mapping[str, Any] = json_object(content) if json else {"sentence": content.strip()}
    text = composed(string(dict(record), "sentence"))
    try:
        parse_tagged(text)
    except TagError:
        if any(tag in text for tag in ("<head>", "</head>", "<tail>", "</tail>")):
            raise RowError(f"it has a tag of ours in it: {text!r}") from None
    else:
        raise RowError("its pair is marked already; kedro label takes it as it is")
    return str(record.get("id") or f"line-{number}"), text


def _distance(pair: tuple[Mention, Mention]) -> tuple[int, int, int]:
    first, second = sorted(mention.span for mention in pair)
    return second.start - first.end, first.start, pair[0].span.start


def _record(instance: Instance) -> dict[str, Any]:
    record = {
        "id": instance.id,
        "sentence": to_tagged(instance),
        "head_type": instance.head_type,
        "tail_type": instance.tail_type,
    }
    return {key: value for key, value in record.items() if value is not None}
