"""Files of a new corpus, from the templates in ``templates/``, with placeholders for its author."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

import yaml

from tkre.core.documents import repeated, shown
from tkre.core.errors import UserError
from tkre.core.instance import Instance
from tkre.core.schema import name_problem
from tkre.corpora.formats import json_object, numbered_lines
from tkre.corpora.reading import RELATIONS_FILE
from tkre.corpora.records import RowError

ROWS_FILE = "train.jsonl"
# A text that is this word, or begins with it and a colon, is still to be written.
PLACEHOLDER = "TODO"
EXAMPLE = (
    f"{PLACEHOLDER}: a sentence of yours with <head>one mention</head> and "
    "<tail>another one</tail> in it."
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class ScaffoldError(UserError, ValueError):
    """Impossible names of a corpus, its relations or its types."""


_DRAFT = "The head and the tail are in the relation"


def is_draft(definition: str) -> bool:
    """Whether a definition only repeats the name of its relation, as ``Seen`` writes it."""
    return definition.startswith(_DRAFT)


def words_of(label: str) -> str:
    """A label in words: ``/people/person/place_of_birth`` is "place of birth"."""
    last = re.split(r"[/:]", label.rstrip("/:"))[-1] or label
    return " ".join(re.sub(r"[_-]+", " ", re.sub("([a-z])([A-Z])", r"\1 \2", last)).lower().split())


@dataclass(frozen=True)
class Seen:
    """What the rows of an imported corpus say about a relation.

    Attributes:
        rows: Number of its rows.
        example: Mentions of one of them.
        head_types: Types of its heads; empty for untyped mentions.
        tail_types: Types of its tails.
        definition: Its definition, where the imported files have one.
    """

    rows: int
    example: tuple[str, str]
    head_types: tuple[str, ...] = ()
    tail_types: tuple[str, ...] = ()
    definition: str = ""


def seen_in(rows: Iterable[Instance], definitions: Mapping[str, str]) -> dict[str, Seen]:
    """Relations of rows, the most frequent first, with what the rows say about them.

    Args:
        rows: Labelled rows.
        definitions: Definitions by relation, where they are known.
    """
    by_label: dict[str, list[Instance]] = {}
    for row in rows:
        by_label.setdefault(str(row.relation), []).append(row)
    return {
        label: Seen(
            len(same),
            (same[0].head_text, same[0].tail_text),
            tuple(dict.fromkeys(row.head_type for row in same if row.head_type)),
            tuple(dict.fromkeys(row.tail_type for row in same if row.tail_type)),
            definitions.get(label, ""),
        )
        for label, same in sorted(by_label.items(), key=lambda item: -len(item[1]))
    }


def names_in(rows: str, file: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Relations and entity types in rows of the native format, in order of appearance.

    Args:
        rows: JSON Lines; bad lines are skipped, ``kedro corpus validate`` names them.
        file: Their file, for the message.

    Raises:
        ScaffoldError: No line can be read; the message has the first one.
    """
    relations: dict[str, None] = {}
    types: dict[str, None] = {}
    read, first = 0, ""
    for number, line in numbered_lines(rows):
        try:
            record = json_object(line)
        except RowError as error:
            first = first or f"{file}, line {number}: {error}"
            continue
        read += 1
        for key, found in (("relation", relations), ("head_type", types), ("tail_type", types)):
            if isinstance(name := record.get(key), str) and name.strip():
                found[name] = None
    if first and not read:
        raise ScaffoldError(f"{first}; no line of it can be read: one JSON object a line")
    return tuple(relations), tuple(types)


@dataclass(frozen=True)
class Scaffold:
    """Content of a new corpus.

    Attributes:
        name: Name of the corpus: a folder, a namespace and a pipeline.
        relations: Names of the relations, without the negative one.
        types: Entity types; empty for untyped mentions.
        negative: Name of the relation "none of the others"; None for a corpus without one.
        seen: What is known of relations from rows, by name; the others are placeholders.

    Raises:
        ScaffoldError: A name is impossible, or stands twice.
    """

    name: str
    relations: tuple[str, ...]
    types: tuple[str, ...] = ()
    negative: str | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.labels) < 2:
            raise ScaffoldError(
                "a corpus needs at least two relations, the negative one included: "
                "--relations owns,lives_in --negative none"
            )
        for what, names in (("relation", self.labels), ("entity type", self.types)):
            if (twice := repeated(names)) is not None:
                raise ScaffoldError(f"{what} {twice} stands more than once")
            for name in names:
                check_label(what, name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all relations, the negative one last."""
        return (*self.relations, *([self.negative] if self.negative else []))

    def files(self) -> dict[str, str]:
        """Content of the files of the corpus folder, by file name."""
        return {RELATIONS_FILE: self._relations(), ROWS_FILE: self._rows()}

    def configuration(self, existing: Container[str] = ()) -> dict[str, str]:
        """Content of the configuration files, by name within ``conf/base``.

        Kedro merges all files ``parameters*`` and ``experiments*``, so a corpus has its own.

        Args:
            existing: Existing files of the corpus folder; a ``test.jsonl`` among them is declared.
        """
        signs = {split: "" if f"{split}.jsonl" in existing else "# " for split in ("dev", "test")}
        return {
            f"parameters_corpora_{self.name}.yml": _template(
                "parameters_corpora", name=self.name, **signs
            ),
            f"experiments_{self.name}.yml": _template("experiments", name=self.name),
        }

    def _relations(self) -> str:
        head = "relations_typed" if self.types else "relations_untyped"
        types = ", ".join(yaml_text(name) for name in self.types)
        hint = f"[{PLACEHOLDER}]  # some of {', '.join(self.types)}\n"
        kinds = f"    head_types: {hint}    tail_types: {hint}" if self.types else ""
        parts = [_template(head, name=self.name, types=f"[{types}]")]
        for relation in self.relations:
            seen, name = self.seen.get(relation), yaml_text(relation)
            parts.append(
                _template("relation", name=name, kinds=kinds) if seen is None
                else _template("relation_seen", **_filled(name, relation, seen))
            )  # fmt: skip
        if self.negative:
            parts.append(_template("negative", name=yaml_text(self.negative)))
        return "".join(parts)

    def _rows(self) -> str:
        """One example row for each relation, with its keys and tags."""
        kinds = {"head_type": PLACEHOLDER, "tail_type": PLACEHOLDER} if self.types else {}
        rows = [
            {"id": f"train-{n:04d}", "sentence": EXAMPLE, **kinds, "relation": name}
            for n, name in enumerate(self.labels, start=1)
        ]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _filled(name: str, relation: str, seen: Seen) -> dict[str, str]:
    """Fields of the template of a relation that rows have."""
    words = words_of(relation) or relation
    head, tail = (shown(mention, 40) for mention in seen.example)
    kinds = [
        f"    {key}: [{', '.join(map(yaml_text, types))}]"
        for key, types in (("head_types", seen.head_types), ("tail_types", seen.tail_types))
        if types
    ]
    return {
        "name": name,
        "seen": f"{seen.rows} row{'' if seen.rows == 1 else 's'}, e.g. {head}, {tail}",
        "definition": yaml_text(seen.definition or f'{_DRAFT} "{words}".'),
        "phrase": yaml_text(words),
        "kinds": "\n".join(kinds),
    }


def is_placeholder(text: object) -> bool:
    """Whether a text is still to be written."""
    return isinstance(text, str) and (
        text.strip() == PLACEHOLDER or text.lstrip().startswith(f"{PLACEHOLDER}:")
    )


def check_name(name: str, taken: Iterable[str] = ()) -> None:
    """Refuse an impossible name of a corpus.

    Args:
        name: Name of the corpus.
        taken: Names of existing pipelines and corpora.

    Raises:
        ScaffoldError: The name has other characters than letters, digits and underscores, or is
            taken.
    """
    if not _NAME.fullmatch(name):
        usable = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "my_relations"
        usable = usable if usable[0].isalpha() else f"corpus_{usable}"
        raise ScaffoldError(
            f"{name!r} cannot be the name of a corpus: it is a folder, a namespace and a pipeline, "
            "so it begins with a letter and has letters (a-z), digits and underscores only; "
            f"{usable!r} would do"
        )
    for other in taken:
        if name.lower() == other.lower():  # one folder, where a file system is blind to case
            raise ScaffoldError(
                f"the name {name!r} is taken: there is a corpus or a pipeline {other!r} "
                "(kedro registry list shows them all); choose another one"
            )


def check_label(what: str, name: str) -> None:
    """Refuse a name of a relation or of an entity type that is hardly one.

    Raises:
        ScaffoldError: The name is empty, has control characters or blanks around it, or is the
            placeholder.
    """
    if problem := name_problem(name):
        raise ScaffoldError(f"{what} {name!r}: {problem}")
    if is_placeholder(name):
        raise ScaffoldError(f"{what} {name!r}: this word marks what is still to be written")


def yaml_text(name: str) -> str:
    """A name as a YAML text: ``no`` and ``1`` in quotes."""
    if any(sign in name for sign in ",[]{}"):  # it may stand in a list
        return json.dumps(name, ensure_ascii=False)
    return str(yaml.safe_dump(name, allow_unicode=True, width=10**6)).split("\n", maxsplit=1)[0]


def _template(file: str, /, **values: str) -> str:
    """Content of a file of ``templates/`` with its fields filled in."""
    template = files(__package__).joinpath("templates", f"{file}.yml")
    return template.read_text(encoding="utf-8").format(**values)
