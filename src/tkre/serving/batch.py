"""Large corpora: Parquet files of sentences labelled file by file, on one process or on Ray Data.

What is held in memory is one batch of rows, however large a file is. A file of labels is written
beside its place and moved there when it is whole, with a stamp of what it was made from; so a run
that was stopped goes on with the files that are not done, on as many workers as it then has.
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

from tkre.corpora.unlabelled import validate_batch
from tkre.modeling.weights import file_digest
from tkre.serving.extractor import RelationExtractor

COLUMNS = ("id", "sentence", "head_type", "tail_type")  # of which only the sentence must be there
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
STAMP = b"tkre"  # the key in a file's metadata


class PartitionError(ValueError):
    """Files that cannot be labelled; the message names them."""


@dataclass(frozen=True)
class Labeller:
    """How sentences are labelled.

    Attributes:
        classifier: Its folder.
        calibrator: Its calibrator record's file; None leaves probabilities as they are.
        wanted_precision: Answers that are not sure enough for it are withheld; None withholds none.
        rows: Sentences that are held in memory at a time.
    """

    classifier: str
    calibrator: str | None = None
    wanted_precision: float | None = None
    rows: int = 2048

    def extractor(self) -> RelationExtractor:
        """The classifier, loaded."""
        return RelationExtractor.from_pretrained(
            self.classifier,
            calibrator=self.calibrator or False,
            wanted_precision=self.wanted_precision,
        )

    def stamp(self, source: Path) -> str:
        """What the labels of a file depend on, its content included, and which columns they are."""
        made_of = [Path(self.classifier) / "lineage.json", source]
        made_of += [Path(self.calibrator)] if self.calibrator else []
        parts = [file_digest(file) for file in made_of]
        return json.dumps([*parts, self.wanted_precision, SCHEMA.names])


@dataclass(frozen=True)
class Done:
    """What became of a file.

    Attributes:
        file: Its name.
        rows: How many sentences.
        withheld: How many have no answer that is sure enough.
        problems: How many could not be read; the column ``problem`` says why.
        seconds: What it took; 0 where it was done already.
    """

    file: str
    rows: int
    withheld: int
    problems: int
    seconds: float


def partitions(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """The files of a folder and where their labels go.

    Raises:
        PartitionError: There are none, or some have no column of sentences; all are named.
    """
    files = sorted(source.rglob("*.parquet"))
    if not files:
        raise PartitionError(f"no .parquet file in {source}")
    bad = [
        f"  {file}: columns {', '.join(names)}"
        for file in files
        if "sentence" not in (names := pq.read_schema(file).names)
    ]
    if bad:
        raise PartitionError(
            "\n".join([f"{len(bad)} file(s) have no column 'sentence' (tagged text):", *bad[:10]])
        )
    return [(file, target / file.relative_to(source)) for file in files]


def label_here(labeller: Labeller, files: Sequence[tuple[Path, Path]]) -> Iterator[Done]:
    """Labels files one after the other in this process.

    Args:
        labeller: How.
        files: What ``partitions`` gives.
    """
    worker = _Worker(labeller)
    for source, target in files:
        yield Done(**worker({"source": str(source), "target": str(target)}))


def label_on_ray(
    labeller: Labeller,
    files: Sequence[tuple[Path, Path]],
    workers: int,
    address: str | None = None,
) -> Iterator[Done]:
    """Labels files on Ray Data: each worker loads the classifier once and takes file after file.

    A file whose worker is lost is labelled again by another one. Where the cluster has GPUs, the
    workers compute there.

    Args:
        labeller: Its files must lie where all workers reach them, as must the partitions.
        files: What ``partitions`` gives.
        workers: How many.
        address: Of a cluster; None starts one on this machine.

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
        num_gpus=gpus or None,  # Ray hides the GPUs from what does not ask for one
    )
    try:
        for row in labelled.iter_rows():
            yield Done(**row)
    finally:
        ray.shutdown()


def gpu_share(gpus: float, workers: int) -> float:
    """The part of a GPU that each of some workers has; several share one where there are fewer."""
    return min(1.0, math.floor(1000 * gpus / workers) / 1000)


class _Worker:
    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._extractor: RelationExtractor | None = None

    def __call__(self, item: dict[str, str]) -> dict[str, Any]:
        source, target = Path(item["source"]), Path(item["target"])
        stamp = self._labeller.stamp(source).encode()
        if target.is_file() and (pq.read_schema(target).metadata or {}).get(STAMP) == stamp:
            return _told(source, target, 0.0)
        begun = time.perf_counter()
        self._extractor = self._extractor or self._labeller.extractor()
        unfinished = target.with_name(f".{target.name}.unfinished")
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            pq.ParquetFile(source) as file,
            pq.ParquetWriter(unfinished, SCHEMA.with_metadata({STAMP: stamp})) as llm,
        ):
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            number = 0
            for batch in file.iter_batches(self._labeller.rows, columns=columns):
                llm.write_table(label_rows(batch.to_pylist(), self._extractor, number))
                number += batch.num_rows
        unfinished.replace(target)
        return _told(source, target, time.perf_counter() - begun)


def _told(source: Path, target: Path, seconds: float) -> dict[str, Any]:
    """What became of a file, counted batch by batch: labels are as many as sentences."""
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
    rows: Sequence[dict[str, Any]], extractor: RelationExtractor, first: int = 0
) -> pa.Table:
    """Labels rows; one that is no sentence with one head and one tail gets the reason instead.

    Args:
        rows: With the columns ``sentence`` and, if they are there, ``id`` and the types.
        extractor: The classifier.
        first: Number of the first row in its file, which is the id of rows without one.

    Returns:
        A row for each, in their order: ``id``, ``answer`` (None where it is withheld),
        ``probability``, ``predicted``, ``truncated`` (read in part), ``problem``.
    """
    read, problems = validate_batch(rows, extractor.entity_types)
    labels: list[dict[str, Any]] = [
        {"id": str(row.get("id") or first + n), "problem": problems.get(n)}
        for n, row in enumerate(rows)
    ]
    for n, prediction in zip(read, extractor(list(read.values())), strict=True):
        labels[n] |= {
            "answer": prediction.relation,
            "probability": prediction.probability,
            "predicted": prediction.guess,
            "truncated": prediction.truncated,
        }
    return pa.Table.from_pylist(labels, schema=SCHEMA)
