"""``kedro corpus new``, ``import`` and ``export``: a corpus begun, from and to other tools."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from kedro.framework.project import pipelines

from tkre.cli.session import CONF, RAW, Project, env_option, require_corpus, session
from tkre.core.errors import enumerated, listed
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say, say_next
from tkre.corpora.exporting import EXPORTS, native_lines
from tkre.corpora.importing import (
    NO_RELATION,
    Imported,
    begin_corpus,
    hold_out,
    import_files,
    left_out_lines,
)
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder, labels_command, read_corpus
from tkre.corpora.recognition import NAMES, other_format
from tkre.corpora.scaffold import ROWS_FILE, Scaffold, ScaffoldError, check_name, names_in, seen_in
from tkre.corpora.tool_files import check_format

LEFT_OUT_FILE = "not_imported.txt"
_SHOWN = 2  # places of each reason; the file has all
_UNSCORED = "no test rows, so nothing is scored: --test 0.2 makes some of a fifth of the sentences"

_EXAMPLES = ("first_relation", "second_relation")
_RESERVED = ("backbones", "ledger")  # first parts of other catalog names


def _names(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


@click.command("new")
@click.argument("name")
@click.option("--relations", default="", callback=_names, help="Their names: owns,lives_in.")
@click.option("--types", default="", callback=_names, help="Entity types: person,place.")
@click.option("--negative", default=None, help='The relation "none of these", e.g. none.')
@env_option
def new_command(
    name: str,
    relations: tuple[str, ...],
    types: tuple[str, ...],
    negative: str | None,
    env: str | None,
) -> None:
    """Make the files of a new corpus.

    The files of the corpus NAME have a placeholder wherever you are to write. An existing
    train.jsonl is kept; without --relations and --types they are read from it.
    """
    with session(env) as project:
        folder = project.folder(name)
        known = project.config.parameters.corpora
        if name in known and not folder.find(RELATIONS_FILE):
            raise ScaffoldError(
                f"{name} is in conf/ already. {labels_command(folder, known[name])}"
            )
        if name in known and (CONF / f"parameters_corpora_{name}.yml").is_file():
            raise ScaffoldError(_EXISTS.format(name=name, folder=RAW / name, conf=CONF))
        check_name(name, [*pipelines, *known, *_RESERVED])
        has_rows = folder.find(ROWS_FILE) is not None
        rows = folder.read(ROWS_FILE) if has_rows else ""
        if other := other_format(rows, "native", f"{name}/{ROWS_FILE}"):
            raise ScaffoldError(f"{RAW / name / ROWS_FILE}: {other}")
        found = names_in(rows, RAW / name / ROWS_FILE) if has_rows else (_EXAMPLES, ())
        labels = tuple(label for label in relations or found[0] if label != negative)
        files = _new_files(Scaffold(name, labels, types or found[1], negative), folder)
        _refuse_to_overwrite(files, folder)
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            say(f"made {path}")
    second = _KEPT if has_rows else _WRITE
    click.echo(_NEXT.format(name=name, folder=RAW / name, second=second))


def _new_files(scaffold: Scaffold, folder: CorpusFolder) -> dict[Path, str]:
    """Contents by path; existing rows are kept."""
    files = {RAW / scaffold.name / file: text for file, text in scaffold.files().items()}
    if folder.find(ROWS_FILE):
        del files[RAW / scaffold.name / ROWS_FILE]
    existing = {file for file in ("dev.jsonl", "test.jsonl") if folder.find(file)}
    return files | {CONF / file: text for file, text in scaffold.configuration(existing).items()}


def _refuse_to_overwrite(files: dict[Path, str], folder: CorpusFolder) -> None:
    taken = [str(path) for path in files if path.exists()]
    elsewhere = folder.find(RELATIONS_FILE)  # under TKRE_DATA
    if elsewhere is not None and not any(str(elsewhere).endswith(path) for path in taken):
        taken.append(str(elsewhere))
    if taken:
        raise FileExistsError(
            f"{', '.join(taken)}: there already, and nothing is written over. Take another name, "
            "or move what is there"
        )


_EXISTS = """\
there is a corpus {name} already. Another relation is another entry of {folder}/relations.yml with
rows in {folder}/train.jsonl; to begin anew, delete {folder}, {conf}/parameters_corpora_{name}.yml
and {conf}/experiments_{name}.yml"""
_NEXT = """\
Next:
  1. {folder}/relations.yml: define every relation (each TODO)
  2. {folder}/train.jsonl: {second}
  3. kedro corpus validate {name}
git passes over {folder} (.gitignore); `git add -f {folder}` if it is to be committed."""
_WRITE = "put your sentences there, 8 a relation, like the rows it has"
_KEPT = "it was there, and is unchanged"


@click.command("import")
@click.argument("source", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.argument("name", metavar="CORPUS")
@click.option("--format", "file_format", default=None,
              help="Name of the format (docs/data.md); else recognised.")  # fmt: skip
@click.option("--negative", default=NO_RELATION, show_default=True,
              help="Relation of entities that no relation joins.")  # fmt: skip
@click.option("--negatives", "ratio", type=click.FloatRange(0), default=1.0, show_default=True,
              help="Such rows for each row with a relation; 0 for none.")  # fmt: skip
@click.option("--test", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="Share of the sentences that become test rows.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=13, show_default=True,
              help="Seed of both choices.")  # fmt: skip
@env_option
def import_command(
    source: Path, name: str, file_format: str | None, negative: str, ratio: float, test: float,
    seed: int, env: str | None,
) -> None:  # fmt: skip
    """Make a corpus of annotated files.

    FILE is a file or a folder with train, dev and test in its names: CSV, Label Studio, doccano,
    Prodigy, brat, OpenNRE, FewRel, SpERT, DocRED, GLiREL and other formats. Pairs of mentions in
    one sentence become rows; what cannot be taken is counted and named.
    """
    with session(env) as project:
        folder, known = project.folder(name), project.config.parameters.corpora
        entry = known.get(name)
        if entry is None:
            check_name(name, [*pipelines, *known, *_RESERVED])
        schema = folder.schema() if folder.find(RELATIONS_FILE) else None
        if schema is not None:
            ratio, negative = (ratio, schema.negative) if schema.negative else (0.0, negative)
        found = import_files(source, check_format(file_format), negative, ratio, seed)
        if entry is None:
            begin_corpus(found)
        if test:
            hold_out(found, test, seed)
        formats = set(found.formats.values())
        in_place = entry is not None and formats == {entry.format} and _lies_in(source, folder)
        files = {} if in_place else _rows_files(found, name, entry)
        if schema is None:
            files |= _scaffolded(found, name, entry is None)
        elif entry is None:
            files |= _configuration(Scaffold(name, tuple(schema.names)), found)
        _print_found(found, schema)
        if entry is None and "test" not in found.splits:
            say(_UNSCORED)
        _write(files, source, name)
        _write_left_out(found, name)
    say_next(f"kedro corpus validate {name}")


def _lies_in(source: Path, folder: CorpusFolder) -> bool:
    inside = folder.find(source.name)
    return inside is not None and inside.resolve() == source.resolve()


def _rows_files(found: Imported, name: str, entry: CorpusParams | None) -> dict[Path, str]:
    """Rows by the file of their split."""
    if entry is not None and entry.format != "native":
        raise ScaffoldError(
            f"corpora.{name} in conf/ reads the format {entry.format}, and imported rows are "
            "native: set `format: native` and `train: train.jsonl` there, or take another name"
        )
    files = {}
    for split, rows in found.splits.items():
        file = (entry.files().get(split) if entry else None) or f"{split}.jsonl"
        files[RAW / name / file] = native_lines(rows)
    return files


def _scaffolded(found: Imported, name: str, new: bool) -> dict[Path, str]:
    """``relations.yml`` with what the rows say, and the entries of a new corpus."""
    seen = seen_in(found.rows, found.definitions)
    negative = found.negative
    relations = tuple(label for label in seen if label != negative)
    if len(seen) == 1 and negative is None:
        negative = NO_RELATION
    types = dict.fromkeys(k for r in found.rows for k in (r.head_type, r.tail_type) if k)
    scaffold = Scaffold(name, relations, tuple(types), negative, seen)
    files = {RAW / name / RELATIONS_FILE: scaffold.files()[RELATIONS_FILE]}
    return files | (_configuration(scaffold, found) if new else {})


def _configuration(scaffold: Scaffold, found: Imported) -> dict[Path, str]:
    existing = {f"{split}.jsonl" for split in found.splits}
    return {CONF / file: text for file, text in scaffold.configuration(existing).items()}


def _print_found(found: Imported, schema: RelationSchema | None) -> None:
    tally = found.tally
    for line in listed([f"read {f}: {NAMES.get(n, n)}" for f, n in found.formats.items()], 10):
        say(line)
    say("found " + ", ".join(f"{n:,} {what}" for what, n in tally.read.items() if n))
    for split, rows in found.splits.items():
        counts = _most_common(Counter(str(row.relation) for row in rows))
        say(f"{split}: {len(rows):,} rows: {counts}")
    kinds = Counter(k for r in found.rows for k in (r.head_type, r.tail_type) if k)
    if kinds:
        say(f"entity types: {_most_common(kinds)}")
    for note, number in tally.notes.items():
        say(f"{note}: {number:,}")
    for line in left_out_lines(tally, _SHOWN):
        say(line)
    if schema is not None:
        labels = {str(row.relation) for row in found.rows}
        if lacking := sorted(labels - set(schema.names)):
            say(f"relations.yml, which is kept, lacks: {', '.join(lacking)}")
    elif len({row.relation for row in found.rows}) == 1:
        say("there is one relation only: a classifier needs rows of a second one, such as "
                   "pairs without a relation (entities that no relation joins)")  # fmt: skip


def _most_common(counts: Counter[str], most: int = 12) -> str:
    return enumerated([f"{name} {n:,}" for name, n in counts.most_common()], most)


def _write(files: dict[Path, str], source: Path, name: str) -> None:
    """Write the files of the corpus; a source in the place of one is kept under another name."""
    taken = [path for path in files if path.exists() and not _is_source(path, source)]
    if taken:
        raise FileExistsError(
            f"{', '.join(map(str, taken))}: there already, and nothing is written over. Take "
            f"another name than {name}, or move what is there"
        )
    for path, text in files.items():
        if path.exists():
            kept = path.with_name(f"{path.stem}.source{path.suffix}")
            if kept.exists():
                raise FileExistsError(f"{kept}: there already, and {path} would become it")
            path.rename(kept)
            say(f"{path} is now {kept}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        say(f"made {path}")


def _is_source(path: Path, source: Path) -> bool:
    return source.resolve() in (path.resolve(), *path.resolve().parents) and path.suffix == ".jsonl"


def _write_left_out(found: Imported, name: str) -> None:
    """Write all places of what was left out, where the terminal has the first ones only."""
    if any(len(places) > _SHOWN for places in found.tally.left_out.values()):
        path = RAW / name / LEFT_OUT_FILE
        text = "\n".join(left_out_lines(found.tally, None)) + "\n"
        path.write_text(text, encoding="utf-8", newline="\n")
        say(f"made {path}: all that was left out")


@click.command("export")
@click.argument("name", metavar="CORPUS")
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--split", default=None, help="One split; else the rows of all.")
@env_option
def export_command(name: str, target: Path, split: str | None, env: str | None) -> None:
    """Write the rows of a corpus for other tools.

    FILE ends with .jsonl (the native format), .csv, .tsv, or .json (Label Studio).
    """
    with session(env) as project:
        require_corpus(project.config, name)
        rows = _rows_of(project, name, split)
        if target.suffix not in EXPORTS:
            raise ValueError(f"{target}: FILE ends with {', '.join(EXPORTS)}")
        if target.exists():
            raise FileExistsError(f"{target} exists and is not overwritten: name another FILE")
        target.parent.mkdir(parents=True, exist_ok=True)
        # A mark, by which spreadsheets tell UTF-8.
        encoding = "utf-8-sig" if target.suffix in (".csv", ".tsv") else "utf-8"
        target.write_text(EXPORTS[target.suffix](rows), encoding=encoding, newline="")
    say(f"{len(rows):,} rows in {target}")


def _rows_of(project: Project, name: str, split: str | None) -> list[Instance]:
    folder = project.folder(name)
    corpus = read_corpus(folder.read, folder.schema(), project.config.parameters.corpora[name])
    if split is not None and split not in corpus.splits:
        raise ValueError(f"there is no split {split!r}; {name} has {', '.join(corpus.splits)}")
    for line in corpus.dropped():
        say(line)
    return corpus.splits[split] if split else corpus.rows
