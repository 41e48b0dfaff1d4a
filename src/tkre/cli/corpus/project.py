"""The project as the commands on a corpus see it: its session, its corpora, its folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession

from tkre import configuration
from tkre.book import Book
from tkre.checkup.corpus import CheckedCorpus, check_corpus
from tkre.checkup.rows import Likeness
from tkre.hooks import REFUSALS, Refusal
from tkre.suggest import did_you_mean
from tkre.variants import Variant

RAW, CONF = Path("data/01_raw"), Path("conf/base")


def in_project(env: str | None, do: Callable[[KedroContext], Any]) -> Any:
    """Runs a command in the project; what it refuses is shown without a traceback."""
    try:
        with KedroSession.create(env=env) as session:
            return do(session.load_context())
    except REFUSALS as error:
        raise Refusal(str(error)) from error


def variant_of(book: Book, name: str) -> Variant:
    """The variant of a name.

    Raises:
        LookupError: There is none.
    """
    variants = book.parameters.variants
    if name not in variants:
        raise LookupError(f"there is no variant {name!r}{did_you_mean(name, variants)}")
    return variants[name]


def require_corpus(book: Book, name: str) -> None:
    """Refuses a name that no corpus has.

    Raises:
        LookupError: With the way out.
    """
    if name in book.parameters.corpora:
        return
    if (RAW / name).is_dir():
        raise LookupError(
            f"{RAW / name} is there, but conf/ has no entry corpora.{name}: put one into "
            f"conf/base/parameters_corpora_{name}.yml (docs/data.md), or let `kedro corpus new` "
            "make all files"
        )
    raise LookupError(
        f"there is no corpus {name!r}{did_you_mean(name, book.parameters.corpora)}; "
        f"`kedro corpus new {name}` makes one"
    )


def checked_corpus(context: KedroContext, name: str, shots: int) -> CheckedCorpus:
    """The corpus of a name, checked.

    Raises:
        LookupError: There is none.
    """
    book = configuration.read_book()
    require_corpus(book, name)
    synthesis = book.parameters.generation.synthesis
    return check_corpus(
        context.catalog.load(f"{name}.folder"),
        book.parameters.corpora[name],
        Likeness(synthesis.overlap_words, synthesis.max_overlap),
        shots,
    )
