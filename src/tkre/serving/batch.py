"""Label files of sentences, in one process or on Ray Data; ``inference`` labels with the same code.

One batch of rows is in memory at a time. A file of labels is written under a name of its run and
moved when it is complete, and with it the counts of its rows and a digest of what it was made of;
so an interrupted run resumes with the files that are not done, on any number of workers.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tkre.core.documents import read_json
from tkre.core.errors import UserError, listed
from tkre.core.files import replacing, visible_files
from tkre.core.provenance import LINEAGE_FILE, digest_of
from tkre.corpora.reading import RELATIONS_FILE
from tkre.corpora.row_files import (
    BATCH,
    READERS,
    WRITTEN,
    TableError,
    columns_of,
    read_rows,
    require_rows,
    require_writable,
    suffix_of,
    writer,
)
from tkre.corpora.tool_files import where_to_label
from tkre.modeling.weights import file_digest
from tkre.serving.extractor import RelationExtractor
from tkre.serving.labelling import ANSWER, Counts, label_rows, labelled_columns
from tkre.training.onnx_classifier import RECORD_FILE

COUNTS = ".counts.json"  # behind the name of a file of labels


@dataclass(frozen=True)
class Labeller:
    """Settings of labelling.

    Attributes:
        classifier: Folder of the classifier.
        calibrator: File of its calibrator record; None leaves probabilities uncalibrated.
        wanted_precision: Answers below its threshold are withheld; None withholds none.
        rows: Sentences in memory at a time.
        natural: Whether the sentences are natural text (``RelationExtractor``).
    """

    classifier: str
    calibrator: str | None = None
    wanted_precision: float | None = None
    rows: int = BATCH
    natural: bool | None = None

    def extractor(self) -> RelationExtractor:
        """Load the classifier."""
        return RelationExtractor.from_pretrained(
            self.classifier,
            calibrator=self.calibrator or False,
            wanted_precision=self.wanted_precision,
            natural=self.natural,
        )

    def stamp(self, source: Path) -> str:
        """Digest of what a file's labels are made of."""
        folder = Path(self.classifier)
        made_of = [folder / LINEAGE_FILE, source]
        # int8 or not; the types that are refused
        made_of += [f for name in (RECORD_FILE, RELATIONS_FILE) if (f := folder / name).is_file()]
        made_of += [Path(self.calibrator)] if self.calibrator else []
        parts = [file_digest(file) for file in made_of]
        return digest_of([*parts, self.wanted_precision, self.natural, [*ANSWER]])


@dataclass(frozen=True)
class Done:
    """A labelled file.

    Attributes:
        source: The file.
        target: Its labels.
        counts: Counts of its rows.
        seconds: Seconds it took; 0 for a file that was done before.
    """

    source: str
    target: str
    counts: Counts
    seconds: float


def partitions(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """The files to label, a single one or all of a folder, and where their labels go.

    Hidden folders are left out, and labels that lie in the folder.

    Raises:
        TableError: There are none, some have no column of sentences, or a target is no new file
            and none of an earlier run; all are named.
    """
    if source.is_file():
        pairs = [(source, target)]
    elif source.resolve() == target.resolve():
        raise TableError(f"{target} has the sentences: name another folder for their labels")
    else:
        files = [file for file in _files(source, target) if suffix_of(file) in READERS]
        pairs = [(file, target / _named(file.relative_to(source))) for file in files]
    if not pairs:
        other = where_to_label(source)
        raise TableError(
            other or f"no file to label in {source}: they end with {', '.join(READERS)}"
        )
    problems = ((pair, _problem(*pair)) for pair in pairs)
    if bad := [f"  {problem}" for _, problem in problems if problem]:
        lines = listed(bad)
        raise TableError("\n".join([f"{len(bad)} file(s) cannot be labelled:", *lines]))
    if len({to for _, to in pairs}) < len(pairs):
        raise TableError(f"{source}: files of one name, and so of one file of labels; rename some")
    return pairs


def passed_over(source: Path, target: Path) -> list[str]:
    """Files of a folder that ``partitions`` leaves out by their suffix, as named from there."""
    files = _files(source, target) if source.is_dir() else ()
    return [str(file.relative_to(source)) for file in files if suffix_of(file) not in READERS]


def _files(source: Path, target: Path) -> list[Path]:
    """The visible files of a folder, without those of a folder of labels in it."""
    labels = target.resolve() if source.resolve() in target.resolve().parents else None
    return [file for file in visible_files(source) if labels not in file.resolve().parents]


def _named(file: Path) -> Path:
    return file if suffix_of(file) in WRITTEN else file.with_suffix(".jsonl")


def _problem(source: Path, target: Path) -> str | None:
    try:
        require_writable(target)
        require_rows(source)
    except UserError as error:
        return str(error)
    if target.exists() and not _counts_file(target).is_file():
        return f"{target} is there, and not of a labelling: nothing is written over it"
    return None


def _counts_file(target: Path) -> Path:
    return target.with_name(target.name + COUNTS)


def label_here(
    labeller: Labeller,
    files: Sequence[tuple[Path, Path]],
    extractor: RelationExtractor | None = None,
) -> Iterator[Done]:
    """Label files one after the other in this process.

    Args:
        labeller: Settings.
        files: Pairs from ``partitions``.
        extractor: Its classifier, if it is loaded; None loads it for the first file to label.
    """
    worker = _Worker(labeller, extractor)
    for source, target in files:
        yield worker({"source": str(source), "target": str(target)})["done"]


def label_on_ray(
    labeller: Labeller,
    files: Sequence[tuple[Path, Path]],
    workers: int,
    address: str | None = None,
) -> Iterator[Done]:
    """Label files on Ray Data; each worker loads the classifier once.

    A file whose worker is lost is labelled again by another one. Where the cluster has GPUs, the
    workers compute there.

    Args:
        labeller: Settings; all workers must reach its files and the partitions.
        files: Pairs from ``partitions``.
        workers: Number of workers.
        address: Address of a cluster; None starts one on this machine.

    Raises:
        RuntimeError: Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise RuntimeError("more than one worker needs Ray: pip install 'tkre[scale]'") from None
    ray.init(
        address=address, num_cpus=None if address else workers, include_dashboard=False,
        ignore_reinit_error=True,
    )  # fmt: skip
    gpus = gpu_share(ray.cluster_resources().get("GPU", 0), workers)
    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [{"source": str(source), "target": str(target)} for source, target in files]
    labelled = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _Worker,  # type: ignore[arg-type]
        fn_constructor_args=(labeller,),
        concurrency=workers,
        num_cpus=1,
        num_gpus=gpus or None,  # Ray hides the GPUs from tasks that request none
    )
    try:
        for row in labelled.iter_rows():
            yield row["done"]
    finally:
        ray.shutdown()


def gpu_share(gpus: float, workers: int) -> float:
    """Share of a GPU per worker; workers share GPUs where there are fewer."""
    return min(1.0, math.floor(1000 * gpus / workers) / 1000)


class _Worker:
    def __init__(self, labeller: Labeller, extractor: RelationExtractor | None = None) -> None:
        self._labeller = labeller
        self._extractor = extractor

    def __call__(self, item: dict[str, str]) -> dict[str, Done]:
        source, target = Path(item["source"]), Path(item["target"])
        stamp = self._labeller.stamp(source)
        if (before := _done_before(target, stamp)) is not None:
            return {"done": Done(item["source"], item["target"], before, 0.0)}
        begun = time.perf_counter()
        self._extractor = self._extractor or self._labeller.extractor()
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as unfinished:
            counts = self._label(source, unfinished, suffix_of(target), self._extractor)
            record = counts.record() | {
                "source": item["source"],
                "classifier": self._labeller.classifier,
                "weights": self._extractor.digest,
                "wanted_precision": self._labeller.wanted_precision,
                "natural": self._extractor.natural,
                "labels": file_digest(unfinished),
                "made_of": stamp,
            }
            text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
            # Before the labels: without counts they would not be those of a labelling.
            _counts_file(target).write_text(text, encoding="utf-8")
        return {"done": Done(item["source"], item["target"], counts, time.perf_counter() - begun)}

    def _label(
        self, source: Path, target: Path, suffix: str, extractor: RelationExtractor
    ) -> Counts:
        columns = labelled_columns(columns_of(source), extractor, str(source))
        counts, taken = Counts(), dict[str, str]()
        with writer(target, suffix, columns) as write:
            waiting = read_rows(source)
            while rows := list(islice(waiting, self._labeller.rows)):
                write(label_rows(rows, extractor, counts, taken))
        return counts


def _done_before(target: Path, stamp: str) -> Counts | None:
    """Counts of a file that is labelled already; None for another one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = read_json(_counts_file(target))
        if record["made_of"] == stamp and record["labels"] == file_digest(target):
            found = {name: record[name] for name in Counts.__dataclass_fields__}
            return Counts(**found | {"answers": Counter(found["answers"])})
    return None
