"""One file format a module: each turns the text of one split's file into rows.

A format is a function ``rows(text, split)`` that yields, for every row of the file, where it
stands (``line 12``) and a function that parses it. Parsing is put off so that a row that cannot be
parsed is reported by its place and the rest of the file is read all the same. Other packages may
add formats of theirs (``tkre.extensions``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tkre.corpora.formats import native, scibert, semeval, tacred
from tkre.corpora.formats.row import Row
from tkre.extensions import Parts

Format = Callable[[str, str], Iterator[Row]]
FORMATS: Parts[Format] = Parts(
    __name__,
    {
        "native": native.rows,
        "scibert": scibert.rows,
        "semeval": semeval.rows,
        "tacred": tacred.rows,
    },
)
