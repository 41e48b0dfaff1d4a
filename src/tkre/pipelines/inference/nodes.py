"""New sentences from a file (CPU)."""

from __future__ import annotations

import pandas as pd

from tkre.corpora.unlabelled import read_unlabelled
from tkre.records import to_frame


def read_sentences(sentences: str) -> pd.DataFrame:
    """Reads tagged sentences, one JSON object a line; they need no relation and no id."""
    return to_frame(read_unlabelled(sentences, "the file of sentences"))
