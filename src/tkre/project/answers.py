"""Recorded answers of a corpus: compared with it, and bound to it at their first use."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tkre.core.errors import enumerated
from tkre.core.provenance import digest_of
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import CorpusFolder, read_corpus
from tkre.generation.llm.lock import changing
from tkre.generation.llm.store import ResponseStore
from tkre.generation.recorded import RecordedAnswers, Subjects, compare

logger = logging.getLogger(__name__)
RECORDINGS = ("recordings", "annotation_recordings", "classification_recordings")
_LISTED = 5


def recorded_answers(
    folder: CorpusFolder, params: CorpusParams, stores: Sequence[ResponseStore]
) -> RecordedAnswers:
    """Compares recorded answers with the corpus as it is.

    Args:
        folder: Folder of the corpus.
        params: Files of the corpus; bad rows are passed over here.
        stores: Its recordings.
    """
    if not any(len(store) for store in stores):
        return RecordedAnswers()
    schema = folder.schema()
    tolerant = params.model_copy(update={"on_bad_row": "skip"})
    rows = read_corpus(folder.read, schema, tolerant).rows
    pool = params.unlabelled and (params.unlabelled.file or params.unlabelled.train_ids)
    unlabelled = read_pool(folder.read, schema, params) if pool and folder.find(pool) else []
    return compare(stores, Subjects(schema, rows, unlabelled))


def bind_answers(
    folder: CorpusFolder, params: CorpusParams, stores: Sequence[ResponseStore]
) -> None:
    """Says which recorded answers are stale or orphans, and binds those that were not used yet.

    Args:
        folder: Folder of the corpus.
        params: Files of the corpus.
        stores: Its recordings.
    """
    found = recorded_answers(folder, params, stores)
    problems = [f"{place}: {message}" for place, message, _ in found.problems()]
    if problems:
        logger.warning(
            "recorded answers of %s: %s; the others are not used: %s (kedro corpus validate %s "
            "lists all)",
            folder.name, found.words(), enumerated(problems, _LISTED, "; "), folder.name,
        )  # fmt: skip
    lock = next((store.lock for store in stores if store.lock), None)
    if not found.unbound or lock is None:
        return
    corpus = digest_of(folder.digests(params.read_files()))
    try:
        lock.bind(found.unbound, corpus)
    except OSError as error:
        logger.warning("%s cannot be written (%s): answers cannot go stale", lock.path, error)
        return
    logger.info(
        "%d recorded answers are bound to %s: %s", len(found.unbound), folder.name, lock.path
    )


@contextmanager
def held(stores: Iterable[ResponseStore]) -> Iterator[None]:
    """Keep other processes from adding answers, from the plan until all is written.

    Args:
        stores: Their files are locked, and read up to what has been added.
    """
    with ExitStack() as stack:
        files = {file for s in stores for file in (s.path, s.lock and s.lock.path) if file}
        # In one order: two renamings never wait for each other.
        for file in sorted(file for file in files if file.is_file()):
            stack.enter_context(changing(file))
        for store in stores:
            store.refresh()
        yield
