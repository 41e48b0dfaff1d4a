"""Label Parquet files of sentences, in one process or on Ray Data.

One batch of rows is in memory at a time. A file of labels is written under a temporary name and
moved when it is complete, with a digest of its inputs in its metadata; so an interrupted run
resumes with the files that are not done, on any number of workers.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tkre.core.params import did_you_mean
from tkre.core.provenance import LINEAGE_FILE
from tkre.corpora.reading import listed
from tkre.corpora.records import KEYS
from tkre.corpora.unlabelled import validate_batch
from tkre.modeling.weights import file_digest
from tkre.serving.extractor import RelationExtractor
from tkre.training.onnx_classifier import RECORD_FILE

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("answer", pa.string()),
        ("probability", pa.float64()),
        ("predicted", pa.string()),
        ("truncated", pa.bool_()),
        ("problem", pa.string()),
    ]
)
STAMP = b"tkre"  # key in the metadata of a file


class PartitionError(ValueError):
    """Files that cannot be labelled; the message names them."""


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
    rows: int = 2048
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
        """Digests of the inputs of a file's labels, and the columns."""
        folder = Path(self.classifier)
        made_of = [folder / LINEAGE_FILE, source]
        made_of += [record] if (record := folder / RECORD_FILE).is_file() else []  # int8 or not
        made_of += [Path(self.calibrator)] if self.calibrator else []
        parts = [file_digest(file) for file in made_of]
        return json.dumps([*parts, self.wanted_precision, self.natural, SCHEMA.names])


@dataclass(frozen=True)
class Done:
    """Counts of a labelled file.

    Attributes:
        file: Name of the file.
        rows: Number of sentences.
        withheld: Number of sentences without an answer.
        problems: Number of rows that could not be read; the column ``problem`` has the reasons.
        seconds: Seconds it took; 0 for a file that was done before.
    """

    file: str
    rows: int
    withheld: int
    problems: int
    seconds: float


def partitions(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """The files of a folder and where their labels go.

    Raises:
        PartitionError: There are none, or some have other columns than a record has keys
            (``corpora.records``), or no column of sentences; all are named.
    """
    files = sorted(source.rglob("*.parquet"))
    if not files:
        raise PartitionError(f"no .parquet file in {source}")
    problems = ((file, _problem(file)) for file in files)
    bad = [f"  {file}: {problem}" for file, problem in problems if problem]
    if bad:
        lines = listed(bad)
        raise PartitionError("\n".join([f"{len(bad)} file(s) cannot be labelled:", *lines]))
    return [(file, target / file.relative_to(source)) for file in files]


def _problem(file: Path) -> str | None:
    try:
        names = pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        return f"no Parquet file, or a torn one: {error}"
    for name in names:
        if name not in KEYS:
            return (
                f"unknown key {name!r}{did_you_mean(name, KEYS)}; a column of another meaning is "
                "to be left out of the file"
            )
    if "sentence" in names or "text" in names:
        return None
    return f"no column 'sentence' (tagged) or 'text' (with spans): columns {', '.join(names)}"


def label_here(labeller: Labeller, files: Sequence[tuple[Path, Path]]) -> Iterator[Done]:
    """Label files, pairs of ``partitions``, one after the other in this process."""
    worker = _Worker(labeller)
    for source, target in files:
        yield Done(**worker({"source": str(source), "target": str(target)}))


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
            yield Done(**row)
    finally:
        ray.shutdown()


def gpu_share(gpus: float, workers: int) -> float:
    """Share of a GPU per worker; workers share GPUs where there are fewer."""
    return min(1.0, math.floor(1000 * gpus / workers) / 1000)


class _Worker:
    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._extractor: RelationExtractor | None = None

    def __call__(self, item: dict[str, str]) -> dict[str, Any]:
        source, target = Path(item["source"]), Path(item["target"])
        stamp = self._labeller.stamp(source).encode()
        if target.is_file() and (pq.read_schema(target).metadata or {}).get(STAMP) == stamp:
            return _counts(source, target, 0.0)
        begun = time.perf_counter()
        self._extractor = self._extractor or self._labeller.extractor()
        unfinished = target.with_name(f".{target.name}.unfinished")
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(unfinished, SCHEMA.with_metadata({STAMP: stamp})) as writer:
            number = 0
            taken: dict[str, str] = {}
            for rows in _batches(source, self._labeller.rows):
                writer.write_table(label_rows(rows, self._extractor, number, taken))
                number += len(rows)
        unfinished.replace(target)
        return _counts(source, target, time.perf_counter() - begun)


def _batches(source: Path, rows: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of a file; the error of a damaged one names it."""
    read = 0
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(rows):
                found = batch.to_pylist()
                yield found
                read += len(found)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise PartitionError(f"{source} is damaged behind row {read}: {error}") from None


def _counts(source: Path, target: Path, seconds: float) -> dict[str, Any]:
    """Fields of ``Done``, counted batch by batch."""
    rows = answers = problems = 0
    with pq.ParquetFile(target) as labels:
        for batch in labels.iter_batches(columns=["answer", "problem"]):
            rows += batch.num_rows
            answers += batch.num_rows - batch["answer"].null_count
            problems += batch.num_rows - batch["problem"].null_count
    return {
        "file": source.name,
        "rows": rows,
        "withheld": rows - answers - problems,
        "problems": problems,
        "seconds": seconds,
    }


def label_rows(
    rows: Sequence[dict[str, Any]],
    extractor: RelationExtractor,
    first: int = 0,
    taken: dict[str, str] | None = None,
) -> pa.Table:
    """Label rows; a row that is no sentence with one head and one tail gets the reason instead.

    Args:
        rows: Records (``corpora.records.unlabelled_record``).
        extractor: The classifier.
        first: Number of the first row in its file; rows without an id get their number.
        taken: Ids of the rows of the file before, with their places; those of ``rows`` are added.

    Returns:
        A row for each, in order: ``id``, ``answer`` (null where withheld), ``probability``,
        ``predicted``, ``truncated``, ``problem``.
    """
    read, problems = validate_batch(rows, extractor.entity_types, first, taken)
    labels: dict[int, dict[str, Any]] = {
        n: {"id": str(n if row.get("id") is None else row["id"]), "problem": problems.get(n)}
        for n, row in enumerate(rows, first)
    }
    for n, prediction in zip(read, extractor(list(read.values())), strict=True):
        labels[n] |= {
            "answer": prediction.relation,
            "probability": prediction.probability,
            "predicted": prediction.guess,
            "truncated": prediction.truncated,
        }
    return pa.Table.from_pylist(list(labels.values()), schema=SCHEMA)
