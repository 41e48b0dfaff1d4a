"""Parameters of a corpus: its entry under ``corpora`` in ``conf/base/parameters_corpora.yml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

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
        "csv": "tkre.corpora.pairs:csv_rows",
        "opennre": "tkre.corpora.pairs:opennre_rows",
        "fewrel": "tkre.corpora.pairs:fewrel_rows",
        # Documents: the pairs of their sentences that have a relation. `kedro corpus import` also
        # makes rows without one.
        "doccano": "tkre.corpora.annotations:doccano_rows",
        "label_studio": "tkre.corpora.annotations:label_studio_rows",
        "prodigy": "tkre.corpora.annotations:prodigy_rows",
        "spert": "tkre.corpora.annotations:spert_rows",
        "glirel": "tkre.corpora.annotations:glirel_rows",
        "docred": "tkre.corpora.annotations:docred_rows",
        "rebel": "tkre.corpora.exchange:rebel_rows",
        "bioc": "tkre.corpora.exchange:bioc_rows",
    },
)


NATURAL_TEST = "natural_test"  # split of labelled raw text


class LabelFiles(Params):
    """Files of label corrections by split (``corpora.reading.relabel``).

    Attributes:
        drop_unlisted: Drop rows that a label file does not name (Re-TACRED) instead of keeping
            their label (TACREV).
    """

    train: str | None = None
    dev: str | None = None
    test: str | None = None
    drop_unlisted: bool


class NaturalTest(Params):
    """Labelled pairs of raw text, with its own shares of relations; scored, never trained on.

    Attributes:
        file: File of the rows.
        format: A name of ``FORMATS``; None for that of the corpus.
    """

    file: str
    format: Annotated[str, AfterValidator(FORMATS.check)] | None = None


class PoolParams(Params):
    """Unlabelled text of a corpus (``corpora.pool``): a file, or rows of the training split.

    Attributes:
        file: File of sentences with marked pairs.
        format: A name of ``FORMATS`` whose labels are dropped; None for JSON Lines in the native
            format without ``relation``, as written by ``kedro corpus candidates``.
        train_ids: File with one id of a training row a line; the labels of these rows are dropped.
        other_train: Whether the other training rows are text that a language model does not read,
            only a classifier that teaches another one (``finetuning.distilled_from``).
    """

    file: str | None = None
    format: Annotated[str, AfterValidator(FORMATS.check)] | None = None
    train_ids: str | None = None
    other_train: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.file is None) == (self.train_ids is None):
            raise ValueError("unlabelled text is a file or train_ids: give one of them")
        if self.other_train and self.train_ids is None:
            raise ValueError("other_train: only with train_ids are there other training rows")
        return self


class CorpusParams(Params):
    """Files of a corpus and how to read them.

    Attributes:
        format: A name of ``FORMATS``; other packages may add to it (``tkre.core.params``).
        train: File within the folder of the corpus; ``../other/file`` is one of another corpus.
        dev: Development file; without it validation rows come from ``train``.
        test: Test file; without it nothing is scored.
        natural_test: Labelled raw text, scored beside the test file; None without any.
        test_labels: ``natural`` if the test file has the shares of labels of running text,
            ``balanced`` if they were chosen.
        labels: Label corrections applied to the files.
        unlabelled: Text that a language model may label; None for a corpus without any.
        reviewed: File of unlabelled rows with the labels of a person, written by
            ``kedro corpus review --accept``; it need not exist.
        on_bad_row: ``stop`` refuses a corpus with rows that are no instances of its schema;
            ``skip`` drops such rows and counts them in the report.
        on_type_mismatch: Treatment of a row whose entity types the schema does not allow for its
            relation: ``bad_row``, or ``keep`` (as annotated, and counted).
        on_leakage: Treatment of a test instance that is in a support set: ``stop``, or
            ``set_aside``: the sample is not scored on it, and the table of samples counts it.
        head_first: The head precedes the tail in every sentence, as where relations name the order
            of their mentions. It is asked for in synthetic sentences, too, and the parts of
            classifiers that tell the order are off (``FinetuningParams.of_the_order``).
        official_metric: ``micro`` (without the negative relation, as TACRED's scorer), ``macro``
            (mean F1 of its relations) or ``semeval`` (the same with both directions joined).
    """

    format: Annotated[str, AfterValidator(FORMATS.check)]
    train: str
    dev: str | None = None
    test: str | None = None
    natural_test: NaturalTest | None = None
    test_labels: Literal["balanced", "natural"] = "balanced"
    labels: LabelFiles | None = None
    unlabelled: PoolParams | None = None
    reviewed: str = "reviewed.jsonl"
    on_bad_row: Literal["stop", "skip"] = "stop"
    on_type_mismatch: Literal["bad_row", "keep"] = "bad_row"
    on_leakage: Literal["stop", "set_aside"] = "stop"
    head_first: bool = False
    official_metric: Literal["micro", "semeval", "macro"] = "micro"

    def files(self) -> dict[str, str]:
        """Files by split, without splits that have no file."""
        natural = self.natural_test.file if self.natural_test else None
        splits = {"train": self.train, "dev": self.dev, "test": self.test, NATURAL_TEST: natural}
        return {split: file for split, file in splits.items() if file is not None}

    def format_of(self, split: str) -> str:
        """Format of the file of a split."""
        own = self.natural_test.format if self.natural_test and split == NATURAL_TEST else None
        return own or self.format

    def read_files(self) -> list[str]:
        """All files that the corpus must have: splits, label corrections, unlabelled text."""
        labels = self.labels or LabelFiles(drop_unlisted=False)
        more = [labels.train, labels.dev, labels.test]
        if self.unlabelled is not None:
            more += [self.unlabelled.file, self.unlabelled.train_ids]
        return [*self.files().values(), *(file for file in more if file is not None)]
