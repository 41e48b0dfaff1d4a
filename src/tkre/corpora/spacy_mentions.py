"""Mentions that a spaCy pipeline finds. spaCy is an extra: it is imported where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tkre.corpora.mentions import Mention
from tkre.records import Span

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
