"""Cells of an experiment made again in a scratch folder, and compared with its manifest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol

from tkre.core.cells import Cell
from tkre.core.errors import UserError
from tkre.core.provenance import frame_digest
from tkre.evaluation.manifest import Differences, Manifest, changed_answers, differences
from tkre.pipelines.reporting import nodes
from tkre.project.config import ExperimentConfig


class VerificationError(UserError, RuntimeError):
    """Cells that cannot be made again; the message says why."""


def recorded_inputs(
    experiment: str, config: ExperimentConfig, cells: Sequence[Cell]
) -> dict[str, str]:
    """Datasets that the manifest of some cells is made from, by argument of its node."""
    [node] = [n for n in pipelines[experiment].nodes if n.func is nodes.write_manifest]
    places = {cell.name for cell in cells}
    for cell in cells:
        chain = config.encoder(cell)
        samples = [cell.sample, *(chain.samples if chain else [])]
        places |= {s.plain.name for s in samples} | {cell.sample.with_annotations.name}
        places |= {cell.sample.corpus, f"params:corpora.{cell.sample.corpus}"}
    assert isinstance(node._inputs, Mapping)
    return {
        argument: dataset
        for argument, dataset in node._inputs.items()
        if dataset in places
        or dataset.rpartition(".")[0] in places
        or (dataset.startswith("params:") and "." not in dataset)
    }


def verify(
    experiment: str,
    cells: Sequence[Cell],
    project: Path,
    catalog: CatalogProtocol,
    config: ExperimentConfig,
    env: str | None,
    params: tuple[str, dict[str, Any]],
) -> Iterator[tuple[str, Differences, str | None]]:
    """Makes cells again with the configuration as it is, and compares them with the manifest.

    Corpora are read where they are, and so are the stores of live language models: what they are
    asked on the way is kept there, as by any run. The number of threads is that of the manifest.

    Args:
        experiment: Name.
        cells: Which of its cells.
        project: Folder of the project.
        catalog: Holds the manifest.
        config: Configuration as it is.
        env: Environment of the configuration.
        params: Parameters that override those of ``conf/``: as text, and as values.

    Yields:
        Name of each cell, what differs, and how far apart the answers are; None where they are
        the same, or those of the manifest have been replaced since.

    Raises:
        FileNotFoundError: There is no manifest.
        VerificationError: The run of the cells has failed.
    """
    then = _manifest(experiment, catalog)
    if missing := [cell.name for cell in cells if cell.name not in then.cells]:
        raise LookupError(f"the manifest of {experiment} has no {', '.join(missing)}")
    inputs = recorded_inputs(experiment, config, cells)
    threads = next((e.threads for c in cells if (e := then.cells[c.name].environment)), None)
    with _scratch(project, config.parameters.corpora) as folder:
        _run(folder, project, experiment, inputs, env, params[0], threads)
        with KedroSession.create(folder, env=env, runtime_params=params[1]) as session:
            again = session.load_context().catalog
            loaded = {argument: again.load(dataset) for argument, dataset in inputs.items()}
            now = nodes.write_manifest(**loaded)
            for argument, cell in loaded.items():
                if isinstance(cell, Cell):
                    place = inputs[argument.replace("cell_", "predictions_")]
                    predictions = loaded[argument.replace("cell_", "predictions_")]
                    apart = _apart(then, cell.name, catalog, place, predictions)
                    yield cell.name, differences(then, now, cell.name), apart


def _manifest(experiment: str, catalog: CatalogProtocol) -> Manifest:
    if not catalog.exists(f"{experiment}.manifest"):
        raise FileNotFoundError(
            f"{experiment} has no manifest: kedro run --pipelines {experiment} writes it"
        )
    manifest: Manifest = catalog.load(f"{experiment}.manifest")
    return manifest


@contextmanager
def _scratch(project: Path, corpora: Iterable[str]) -> Iterator[Path]:
    """A copy of the project without its outputs: configuration, corpora and stores are links."""
    with TemporaryDirectory(prefix="tkre-verify-") as name:
        folder = Path(name)
        for file in ("pyproject.toml", ".telemetry"):  # without the latter, Kedro reports the run
            shutil.copy(project / file, folder)
        for part in ("conf", "data/01_raw"):
            (folder / part).parent.mkdir(exist_ok=True)
            (folder / part).symlink_to(project / part, target_is_directory=True)
        for part in ("src", "data/08_reporting"):
            (folder / part).mkdir()
        for corpus in corpora:
            store = Path("data/02_intermediate", corpus, "responses.jsonl")
            (folder / store).parent.mkdir(parents=True)
            (folder / store).symlink_to(project / store)  # which need not exist yet
        yield folder


def _run(
    folder: Path,
    project: Path,
    experiment: str,
    inputs: Mapping[str, str],
    env: str | None,
    params: str,
    threads: int | None,
) -> None:
    pipeline = pipelines[experiment]
    wanted = sorted(set(inputs.values()) & pipeline.all_outputs())
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", experiment,
               "--to-outputs", ",".join(wanted)]  # fmt: skip
    command += ["--env", env] if env else []
    command += ["--params", params] if params else []
    path = os.pathsep.join(filter(None, [str(project / "src"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    if raw := os.environ.get("TKRE_DATA"):
        environment["TKRE_DATA"] = str(project / raw)
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode:
        raise VerificationError(f"the run of these cells has failed: {' '.join(command[2:])}")


def _apart(
    then: Manifest, cell: str, catalog: CatalogProtocol, place: str, predictions: Any
) -> str | None:
    """How far apart old and new predictions are; None where they are equal or the old ones gone."""
    if frame_digest(predictions) == then.cells[cell].predictions or not catalog.exists(place):
        return None
    old = catalog.load(place)
    if frame_digest(old) != then.cells[cell].predictions:
        return None
    return changed_answers(old, predictions)
