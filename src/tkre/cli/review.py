"""``kedro corpus review``: labels of a language model, checked by a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from kedro.io import CatalogProtocol

from tkre.cli.classifier import experiment_with, named_cell, newest, preferred_cell
from tkre.cli.session import Project, env_option, require_corpus, session
from tkre.core.cells import Cell
from tkre.core.files import read_text, write_whole
from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say, say_next
from tkre.corpora.pool import read_pool
from tkre.corpora.reviewed import (
    LABEL,
    Accepted,
    accept,
    read_answers,
    read_reviewed,
    same_ends,
    table,
    writable,
)
from tkre.generation.annotation import ANNOTATIONS, Annotation, instances_of
from tkre.report.review import ORDERS, Floats, first_rows, review_page, review_rows

FOLDER = Path("data/08_reporting/review")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("review")
@click.argument("name")
@click.option("--classifier", "cell", default=None,
              help="Cell of the rows and of the classifier; inference.classifier, or the newest "
              "one with annotated rows, if none.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1), default=40, show_default=True,
              help="Number of rows.")  # fmt: skip
@click.option("--order", type=click.Choice(list(ORDERS)), default="both", show_default=True,
              help="Rows on which language model and classifier disagree, that the language model "
              "doubts, or both.")  # fmt: skip
@click.option("--accept", "answers", type=FILE, default=None,
              help="Reads back a file that the page exported, or the filled CSV.")  # fmt: skip
@env_option
def review_command(
    name: str, cell: str | None, rows: int, order: str, answers: Path | None, env: str | None
) -> None:
    """Check labels of the language model.

    Writes the annotated rows of the corpus NAME that are most likely to be wrong as a page, which
    works from the disk, and as a CSV file with a column to fill in. With --accept, answers are
    checked and added to reviewed.jsonl of the corpus: the next run trains with them.
    """
    with session(env) as project:
        require_corpus(project.config, name)
        if project.config.parameters.corpora[name].unlabelled is None:
            raise LookupError(
                f"corpora.{name} has no entry `unlabelled`: there is nothing that a language model "
                "has annotated"
            )
        if answers is not None:
            _accept(project, name, answers)
        else:
            _write(project, name, cell, rows, order)


def _accept(project: Project, name: str, file: Path) -> None:
    params, folder = project.config.parameters.corpora[name], project.folder(name)
    text = read_text(file, utf16=True)
    schema = folder.schema()
    accepted = accept(
        str(file),
        text,
        read_pool(folder.read, schema, params),
        folder,
        schema,
        params,
        annotation_ids=ANNOTATIONS.request_id(name, ""),
        today=datetime.now(UTC).date().isoformat(),
    )
    target = folder.find(params.reviewed) or folder.path(params.reviewed)
    if accepted.lines:
        _append(target, accepted.lines)
    _print_accepted(accepted, target, file)
    if accepted.lines:
        say_next(_way_out(project, name))


def _append(target: Path, lines: list[str]) -> None:
    before = read_text(target) if target.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(target, before + "".join(f"{line}\n" for line in lines))


def _print_accepted(accepted: Accepted, target: Path, file: Path) -> None:
    if not accepted.lines and not accepted.unchanged:
        raise ValueError(f"{file} holds no answer: nothing is written")
    decisions = Counter(accepted.decisions)
    for number, what in (
        (decisions["accepted"], "labels accepted"),
        (decisions["corrected"], "labels corrected"),
        (accepted.unchanged, "answers there already"),
        (accepted.empty, "rows without an answer"),
    ):
        if number:
            say(f"{what}: {number:,}")
    say(f"{len(accepted.lines):,} rows added to {target}")


def _write(project: Project, name: str, given: str | None, most: int, order: str) -> None:
    catalog, folder = project.catalog, project.folder(name)
    cell = _cell(project, name, given)
    sample = cell.sample
    annotated: list[Annotation] = catalog.load(f"{sample.with_annotations.name}.unreviewed")
    schema = folder.schema()
    reviewed = read_reviewed(folder, schema, project.config.parameters.corpora[name])
    done = {(row.text, row.head, row.tail) for row in reviewed}
    left = [
        annotation
        for annotation in annotated
        if (row := annotation.instance) and (row.text, row.head, row.tail) not in done
    ]
    offered = [annotation for annotation in left if writable(annotation.instance)]
    if not offered:
        raise LookupError(f"{sample.name}: all {len(annotated):,} annotated rows are reviewed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    page, csv = FOLDER / f"{name}.html", FOLDER / f"{name}.csv"
    _keep_filled(csv, name, {same_ends(to_tagged(row)) for row in reviewed})
    probabilities, judge = _judge(project, cell, offered, reviewed, schema)
    rows = first_rows(review_rows(offered, schema, probabilities), order, most)
    page.write_text(review_page(rows, schema, judge), encoding="utf-8", newline="\n")
    # Excel reads UTF-8 only with the mark.
    csv.write_text(table(row.record for row in rows), encoding="utf-8-sig", newline="")
    say(f"{len(rows)} of {len(left):,} rows to be reviewed; {len(reviewed):,} are reviewed")
    if unwritable := len(left) - len(offered):
        say(f"rows left out, their text holds a tag of its own: {unwritable:,}")
    say(f"open {page}, or fill in the column `relation` of {csv}")
    say_next(f"kedro corpus review {name} --accept <exported file, or {csv}>")


def _keep_filled(csv: Path, name: str, reviewed: Collection[str]) -> None:
    """Refuse to overwrite a table with answers that are not read back yet."""
    if not csv.is_file():
        return
    problems: list[str] = []
    text = csv.read_bytes().decode("utf-8-sig", errors="replace")
    records = [record for _, record in read_answers(csv.name, text, problems)]
    answered = [str(record.get("sentence")) for record in records if record.get(LABEL)]
    if problems or any(same_ends(sentence) not in reviewed for sentence in answered):
        raise FileExistsError(
            f"{csv} has answers, and is not overwritten: kedro corpus review {name} --accept "
            f"{csv}, or delete it"
        )


def _cell(project: Project, name: str, given: str | None) -> Cell:
    """The cell that an option names, that of ``inference.classifier``, or the newest one.

    Raises:
        ValueError: The named cell is none of the corpus with annotated rows.
        FileNotFoundError: There are no annotated rows yet.
    """

    def fits(cell: Cell) -> bool:
        return cell.sample.corpus == name and cell.sample.annotated > 0

    if given and not fits(named_cell(given)):
        raise ValueError(
            f"--classifier {given} is no cell of {name} with annotated rows, such as "
            f"{name}.k8a300.s13.tkre_annotated"
        )

    def annotated(cell: Cell) -> bool:
        rows = f"{cell.sample.with_annotations.name}.unreviewed"
        return newest(project.catalog, rows) is not None

    cell = preferred_cell(project, given, fits, annotated)
    if cell is None:
        raise FileNotFoundError(f"{name} has no annotated rows yet: {_way_out(project, name)}")
    return cell


def _way_out(project: Project, name: str) -> str:
    """How rows of a corpus are annotated, and trained with."""
    command = experiment_with(
        project.config, lambda cell: cell.sample.corpus == name and cell.sample.annotated > 0
    )
    advice = f"run an experiment with corpora: [{name}] and annotated: 300 (docs/own-relations.md)"
    return command or advice


def _judge(
    project: Project,
    cell: Cell,
    annotated: Sequence[Annotation],
    reviewed: Sequence[Instance],
    schema: RelationSchema,
) -> tuple[Floats, str]:
    """Probabilities of relations by a classifier that was not trained on the row, and its name.

    A classifier remembers the rows that it was trained on: it judges the others only. Its training
    rows are judged by the cross-fitted classifier that finds label errors, fold by fold.
    """
    from tkre.training.cross_fitting import judge

    catalog, params = project.catalog, project.config.parameters.generation.filtering
    rows = instances_of(annotated)
    support: list[Instance] = catalog.load(f"{cell.sample.plain.name}.support")
    probabilities_NR = judge(
        catalog.load(f"backbones.{params.backbone}"),
        [*support, *reviewed],
        rows,
        schema,
        params.crossfit,
        judged="annotated",
        seed=cell.sample.seed,
    )
    names = "a logistic regression on the other rows"
    trained = [newest(catalog, f"{cell.name}.{part}") for part in ("classifier", "training_rows")]
    if None not in trained:
        seen = {row.id for row in catalog.load(f"{cell.name}.training_rows")}
        unseen = [n for n, row in enumerate(rows) if row.id not in seen]
        if unseen:
            predicted = _predict(catalog, cell, [rows[n] for n in unseen], schema)
            probabilities_NR[unseen] = predicted
            names = f"{cell.name}; for rows that it was trained on, {names}"
    return probabilities_NR, names


def _predict(
    catalog: CatalogProtocol, cell: Cell, rows: Sequence[Instance], schema: RelationSchema
) -> Floats:
    """Probabilities of the saved classifier, in the order of the schema's names."""
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import predict

    checkpoint = catalog.load(f"{cell.name}.classifier")
    labels = list(checkpoint.model.config.id2label.values())
    if changed := sorted({*labels} ^ {*schema.names}):
        raise ValueError(
            f"{cell.sample.corpus} has other relations than the classifier of {cell.name} "
            f"({', '.join(changed)}): train it again"
        )
    with on_device(checkpoint.model):
        probabilities_NR = predict(checkpoint.model, checkpoint.tokenizer, rows, natural=True)
    return probabilities_NR[:, [labels.index(name) for name in schema.names]]
