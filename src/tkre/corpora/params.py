"""Parameters of a corpus: its entry under ``corpora`` in ``conf/base/parameters_corpora.yml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from tkre.core.params import Params, Registry

if TYPE_CHECKING:
    from tkre.corpora.formats import Format

FORMATS: Registry[Format] = Registry(
    "tkre.formats",
    {
        "native": "tkre.corpora.formats:native_rows",
        "scibert": "tkre.corpora.formats:scibert_rows",
        "semeval": "tkre.corpora.formats:semeval_rows",
        "tacred": "tkre.corpora.formats:tacred_rows",
    },
)


class LabelFiles(Params):
    """Label corrections for the splits of a corpus (``corpora.labels``).

    Attributes:
        drop_unlisted: Rows that a label file does not name are left out (Re-TACRED) rather than
            kept as they are (TACREV).
    """

    train: str | None = None
    dev: str | None = None
    test: str | None = None
    drop_unlisted: bool


class CorpusParams(Params):
    """Which files make a corpus and how they are read.

    Attributes:
        format: An entry of ``FORMATS``; other packages may add to it (``tkre.core.params``).
        train: File within the corpus's folder; ``../other/file`` reaches another corpus's.
        dev: None where the corpus has none: validation rows then come from ``train``.
        test: None where there is nothing to score on.
        labels: Label corrections laid over the files.
        on_bad_row: ``stop`` refuses a corpus with a row that is no instance of its schema;
            ``skip`` leaves such rows out and counts them in the report.
        on_type_mismatch: What to do about a row whose entity types its relation does not allow
            according to the schema: a bad row, or counted and kept as annotated.
        on_leakage: What to do about a test instance that is in a support set: ``stop``, or
            ``set_aside``: that sample is not scored on it, and the table of samples counts it.
        head_first: Whether the head precedes the tail in every sentence; synthetic ones then do so
            too.
        official_metric: ``micro`` (without the negative relation, as TACRED's scorer) or
            ``semeval`` (macro-F1 over relations with their directions joined).
    """

    format: Annotated[str, AfterValidator(FORMATS.check)]
    train: str
    dev: str | None = None
    test: str | None = None
    labels: LabelFiles | None = None
    on_bad_row: Literal["stop", "skip"] = "stop"
    on_type_mismatch: Literal["bad_row", "keep"] = "bad_row"
    on_leakage: Literal["stop", "set_aside"] = "stop"
    head_first: bool = False
    official_metric: Literal["micro", "semeval"] = "micro"

    def files(self) -> dict[str, str]:
        """The files of the splits that there are, by split."""
        splits = {"train": self.train, "dev": self.dev, "test": self.test}
        return {split: file for split, file in splits.items() if file is not None}

    def read_files(self) -> list[str]:
        """All files that reading the corpus reads, label corrections included."""
        labels = self.labels or LabelFiles(drop_unlisted=False)
        corrections = (labels.train, labels.dev, labels.test)
        return [*self.files().values(), *(file for file in corrections if file is not None)]
