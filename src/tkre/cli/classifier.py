"""``kedro classifier``: trained classifiers, served, exported, published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import click
from kedro.io import CatalogProtocol

from tkre.cli.frame import FramedGroup
from tkre.cli.session import Project, env_option, require_corpus, session
from tkre.core.cells import Cell, parse_cell
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say_next
from tkre.datasets import load_path
from tkre.evaluation.calibrator import Calibrator
from tkre.modeling.settings import ClassifierSettings
from tkre.pipelines.namespaces import LEDGER
from tkre.project.config import ExperimentConfig
from tkre.project.config_loader import read_config
from tkre.serving.api.limits import ServiceParams, limit_options

EXAMPLE = "newsroom.k8.s13.tkre_plus"
# Model cards by the rows of their scores; the card of the test split is preferred.
CARDS = ("test_model_card", "development_model_card")
precision_option = click.option(
    "--wanted-precision", type=float, default=None, help="Withhold answers below it."
)
balanced_option = click.option(
    "--balanced", is_flag=True, help="Without the prior of natural text: labels were chosen."
)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


class TrainedCell(NamedTuple):
    """Folder of the newest classifier of a cell, file of its calibrator, schema of its labels."""

    classifier: Path
    calibrator: Path
    schema: RelationSchema


def find_trained(catalog: CatalogProtocol, cell: str, *, balanced: bool = False) -> TrainedCell:
    """The newest classifier of a cell.

    Args:
        catalog: Catalog of the project.
        cell: Name of the cell.
        balanced: Take the calibrator of balanced text where there are two.

    Raises:
        FileNotFoundError: The cell has no classifier yet.
        LookupError: There is no such corpus.
        ValueError: The name is no cell, its classifier is never saved, or the relations of the
            corpus have changed since.
    """
    corpus = named_cell(cell).sample.corpus
    folder, calibrator = (
        newest(catalog, f"{cell}.{part}") for part in ("classifier", "calibrator")
    )
    if balanced:
        calibrator = newest(catalog, f"{cell}.balanced_calibrator") or calibrator
    if folder is None or calibrator is None:
        raise _missing(cell)
    schema: RelationSchema = catalog.load(f"{corpus}.schema")
    labels = ClassifierSettings.read(folder).label2id
    if changed := sorted({*labels} ^ {*schema.relations}):
        raise ValueError(
            f"{corpus} has other relations than the classifier of {cell} ({', '.join(changed)}): "
            f"kedro run --to-outputs {cell}.calibrator"
        )
    return TrainedCell(folder, calibrator, schema)


def newest(catalog: CatalogProtocol, name: str) -> Path | None:
    """Path of the newest version of a dataset; None if there is none."""
    return load_path(catalog.get(name)) if catalog.exists(name) else None


def named_cell(cell: str) -> Cell:
    """The cell of a name.

    Raises:
        ValueError: It is no such name; the message says what would be one.
    """
    try:
        return parse_cell(cell)
    except ValueError:
        if Path(cell).is_dir():
            raise ValueError(
                f"{cell!r} is a folder; give the name of a cell, such as {EXAMPLE}; "
                f"`python -m tkre.serving.api {cell}` serves a folder, "
                f"`kedro label --classifier {cell}` labels with it"
            ) from None
        raise ValueError(
            f"{cell!r} is neither a folder nor the name of a cell such as {EXAMPLE}"
        ) from None


def preferred_cell(
    project: Project,
    given: str | None,
    fits: Callable[[Cell], bool],
    made: Callable[[Cell], bool],
) -> Cell | None:
    """The cell that an option names, that of ``inference.classifier``, or the newest one.

    Args:
        project: The project.
        given: Value of the option.
        fits: Whether a cell may be taken.
        made: Whether what is wanted of a cell has been made.

    Returns:
        The cell; None if what is wanted has been made of none.
    """
    named = named_cell(given or project.config.parameters.inference.classifier)
    grids = (project.config.cells(experiment) for experiment in project.config.experiments)
    trained = trained_cells(project)
    cells = [named] if given else [named, *trained, *(cell for grid in grids for cell in grid)]
    fitting = [cell for cell in dict.fromkeys(cells) if fits(cell) and made(cell)]
    return named if named in fitting else next(iter(fitting), None)


def trained_cells(project: Project) -> list[Cell]:
    """Cells with a classifier, those of the last run first.

    The steps of a run end in any order. So of the cells of one run the one comes first that an
    experiment lists last: lists begin with the baseline.
    """
    listed: dict[Cell, int] = {}
    for experiment in project.config.experiments:
        for place, cell in enumerate(project.config.cells(experiment)):
            listed.setdefault(cell, place)
    trained = []
    for name in project.catalog.load(LEDGER).made("classifier"):
        cell = parse_cell(name.rpartition(".")[0])
        if (path := newest(project.catalog, name)) is not None:
            run = path.parent.name  # the version: all that a run saves has that of its session
            trained.append((run, listed.get(cell, -1), cell))
    return [cell for *_, cell in sorted(trained, key=lambda found: found[:2], reverse=True)]


def experiment_with(config: ExperimentConfig, fits: Callable[[Cell], bool]) -> str | None:
    """Command that runs the first experiment with a fitting cell; None if there is no such one."""
    for experiment in config.experiments:
        if any(map(fits, config.cells(experiment))):
            return f"kedro run --pipelines {experiment}"
    return None


def _missing(cell: str) -> Exception:
    """Reason why a cell has no classifier, with the way out.

    Raises:
        LookupError: There is no such corpus.
    """
    config, named = read_config(), named_cell(cell)
    require_corpus(config, named.sample.corpus)
    variants, variant = config.parameters.variants, named.variant
    if variant not in variants:
        return ValueError(
            f"{cell}: there is no variant {variant!r}{did_you_mean(variant, variants)}"
        )
    if variants[variant].finetuning is None:
        return ValueError(
            f"{cell}: {variant} is scored and not saved; take a variant with finetuning"
        )
    return FileNotFoundError(
        f"{cell} has no classifier yet: kedro run --to-outputs {cell}.calibrator"
    )


@click.group(cls=FramedGroup)
def classifier() -> None:
    """Trained classifiers: serve, export, publish."""


@classifier.command("serve")
@click.argument("cell")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: all interfaces.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one."
)
@precision_option
@balanced_option
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Threads of torch.")
@limit_options
@env_option
def serve_command(
    cell: str,
    host: str,
    port: int,
    wanted_precision: float | None,
    balanced: bool,
    threads: int | None,
    env: str | None,
    **limits: Any,
) -> None:
    """Serve a classifier over HTTP.

    Serves the newest classifier of CELL (newsroom.k8.s13.tkre_plus) until it is stopped: POST
    /predict, GET /relations, /health, and /docs for a browser (extra serve).
    """
    with session(env) as project:
        try:
            from tkre.serving.api import server
        except ModuleNotFoundError as error:
            raise RuntimeError(f"{error}: pip install 'tkre[serve]'") from None
        found = find_trained(project.catalog, cell, balanced=balanced)
        server.require_free(host, port)
        extractor = server.load_extractor(
            found.classifier, found.calibrator, wanted_precision, found.schema, threads,
            False if balanced else None,
        )  # fmt: skip
        server.serve(extractor, ServiceParams(**limits), host, port)


@classifier.command("export")
@click.argument("cell")
@click.argument("folder", type=NEW_FOLDER)
@click.option(
    "--int8", is_flag=True, help="Multiply in int8: faster, with nearly the same answers."
)
@env_option
def export_command(cell: str, folder: Path, int8: bool, env: str | None) -> None:
    """Export a classifier for ONNX Runtime.

    Writes the newest classifier of CELL (newsroom.k8.s13.tkre_plus), its calibrator and its
    relations to FOLDER, which is new or empty. RelationExtractor and python -m tkre.serving.api
    load the folder in a second, without torch.
    """
    from tkre.serving.export import require_empty
    from tkre.serving.extractor import save_artifacts

    with session(env) as project:
        found = find_trained(project.catalog, cell)
        require_empty(folder)
        checkpoint = project.catalog.load(f"{cell}.classifier")
        Calibrator.read(found.calibrator).require(checkpoint.lineage.weights)
        from tkre.training.onnx_export import export_onnx

        export_onnx(checkpoint, folder, int8=int8)
        save_artifacts(folder, found.calibrator, found.schema)
    click.echo(folder)
    say_next(f"python -m tkre.serving.api {quote(str(folder))}")


@classifier.command("publish")
@click.argument("cell")
@click.argument("folder", type=NEW_FOLDER)
@env_option
def publish_command(cell: str, folder: Path, env: str | None) -> None:
    """Assemble a folder for the Hub.

    Copies the newest classifier of CELL, its model card, its calibrator and its relations to
    FOLDER, which is new or empty.
    """
    from tkre.serving.export import assemble

    with session(env) as project:
        found = find_trained(project.catalog, cell)
        cards = (newest(project.catalog, f"{cell}.{name}") for name in CARDS)
        card = next((path for path in cards if path is not None), None)
        if card is None:
            raise FileNotFoundError(
                f"{cell} has no card yet, an experiment writes it: "
                f"kedro run --to-outputs {cell}.{CARDS[0]}"
            )
        text = card.read_text(encoding="utf-8")
        files = assemble(found.classifier, found.calibrator, found.schema, text, folder)
    for file in files:
        click.echo(folder / file)
    say_next(f"python -m tkre.serving.api {quote(str(folder))}")
