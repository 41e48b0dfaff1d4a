"""The files that a corpus of one's own starts from, with placeholders where its author writes."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import yaml

from tkre.corpora.formats import RowError, json_lines, json_object
from tkre.corpora.reading import RELATIONS_FILE

ROWS_FILE = "train.jsonl"
# A text that is, or begins with, this word has still to be written; ``checkup`` names every one.
PLACEHOLDER = "TODO"
EXAMPLE = (
    f"{PLACEHOLDER}: a sentence of yours with <head>one mention</head> and "
    "<tail>another one</tail> in it."
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What pandas takes for a missing value when it reads a table back.
READ_AS_MISSING = frozenset(("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "<NA>"))


class ScaffoldError(ValueError):
    """Names that a corpus, its relations or its types cannot have."""


def names_in(rows: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The relations and the entity types that rows in the native format name, as they come.

    Args:
        rows: JSON Lines; a line that cannot be read is passed over, ``checkup`` will name it.
    """
    relations: dict[str, None] = {}
    types: dict[str, None] = {}
    for _, line in json_lines(rows):
        with suppress(RowError):
            record = json_object(line)
            for key, found in (("relation", relations), ("head_type", types), ("tail_type", types)):
                if isinstance(name := record.get(key), str) and name.strip():
                    found[name] = None
    return tuple(relations), tuple(types)


@dataclass(frozen=True)
class Scaffold:
    """What a new corpus is to hold.

    Attributes:
        name: Of the corpus: a folder, a namespace and a pipeline.
        relations: Names, the negative one not among them.
        types: Entity types; empty where mentions have none.
        negative: Name of the relation that says "none of the others"; None for a corpus without.

    Raises:
        ScaffoldError: A name cannot be used, or stands twice.
    """

    name: str
    relations: tuple[str, ...]
    types: tuple[str, ...] = ()
    negative: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        labels = [*self.relations, *([self.negative] if self.negative else [])]
        if len(labels) < 2:
            raise ScaffoldError(
                "a corpus needs at least two relations, the negative one included: "
                "--relations owns,lives_in --negative none"
            )
        for what, names in (("relation", labels), ("entity type", self.types)):
            if twice := sorted({name for name in names if list(names).count(name) > 1}):
                raise ScaffoldError(f"{what} {', '.join(twice)} stands more than once")
            for name in names:
                check_label(what, name)

    def files(self) -> dict[str, str]:
        """The content of the files of its folder, by name."""
        return {RELATIONS_FILE: self._relations(), ROWS_FILE: self._rows()}

    def configuration(self, files: Container[str] = ()) -> dict[str, str]:
        """The content of the files that make it known to Kedro, by name within ``conf/base``.

        Files of its own: Kedro puts together what ``parameters*`` and ``experiments*`` hold.

        Args:
            files: Of its folder that are there already: a ``test.jsonl`` among them is read.
        """
        signs = {split: "" if f"{split}.jsonl" in files else "# " for split in ("dev", "test")}
        return {
            f"parameters_corpora_{self.name}.yml": _CORPUS.format(name=self.name, **signs),
            f"experiments_{self.name}.yml": _EXPERIMENT.format(name=self.name),
        }

    def _relations(self) -> str:
        head = _TYPED_HEAD if self.types else _UNTYPED_HEAD
        parts = [head.format(name=self.name, types=_flow(self.types))]
        parts += [self._relation(name) for name in self.relations]
        if self.negative:
            parts.append(_NEGATIVE.format(name=_scalar(self.negative)))
        return "".join(parts)

    def _relation(self, name: str) -> str:
        kinds = ""
        if self.types:
            hint = f"  # some of {', '.join(self.types)}"
            kinds = (
                f"    head_types: [{PLACEHOLDER}]{hint}\n    tail_types: [{PLACEHOLDER}]{hint}\n"
            )
        return _RELATION.format(name=_scalar(name), kinds=kinds)

    def _rows(self) -> str:
        """One row a relation to write over: it shows how keys, tags and names must be."""
        kinds = {"head_type": PLACEHOLDER, "tail_type": PLACEHOLDER} if self.types else {}
        labels = [*self.relations, *([self.negative] if self.negative else [])]
        rows = [
            {"id": f"train-{n:04d}", "sentence": EXAMPLE, **kinds, "relation": name}
            for n, name in enumerate(labels, start=1)
        ]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def is_placeholder(text: object) -> bool:
    """Whether a text has still to be written."""
    return isinstance(text, str) and (
        text.strip() == PLACEHOLDER or text.lstrip().startswith(f"{PLACEHOLDER}:")
    )


def check_name(name: str, taken: Iterable[str] = ()) -> None:
    """Refuses a name that no corpus can have.

    Args:
        name: Of the corpus.
        taken: Names of pipelines and corpora that there are.

    Raises:
        ScaffoldError: It is not made of letters, digits and underscores, or it is taken.
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
    """Refuses a name of a relation or of an entity type that would get lost on its way.

    Raises:
        ScaffoldError: It is empty, has control characters or blanks around it, is the placeholder,
            or is a word that tables read as a missing value.
    """
    if name != name.strip() or not name.isprintable() or not name:
        raise ScaffoldError(f"{what} {name!r}: a name is not empty and has no blanks around it")
    if name in READ_AS_MISSING or is_placeholder(name):
        raise ScaffoldError(
            f"{what} {name!r}: a table that is read back from a file takes this for a missing "
            "value; choose another word"
        )


def _scalar(name: str) -> str:
    """A name as YAML must have it to read it as a text: ``no`` and ``1`` in quotes."""
    return str(yaml.safe_dump(name, allow_unicode=True, width=10**6)).split("\n", maxsplit=1)[0]


def _flow(names: Sequence[str]) -> str:
    return "[" + ", ".join(_scalar(name) for name in names) + "]"


_TYPED_HEAD = """\
# The relations of the corpus {name}. Write what stands behind every TODO; then
# `kedro corpus validate {name}` says what is still wrong, with file and line.
#
# definition   what holds between "the head" and "the tail", in a full sentence: language models
#              read it, and it sets the relation apart from the others
# phrase       reads naturally between head and tail: "was born in"
# head_types   which entity types the head may have, a list; tail_types likewise
# inverse      the relation that holds with head and tail exchanged; a symmetric relation names
#              itself; delete the line where there is none
corpus: {name}
entity_types: {types}
relations:
"""
_UNTYPED_HEAD = """\
# The relations of the corpus {name}. Write what stands behind every TODO; then
# `kedro corpus validate {name}` says what is still wrong, with file and line.
#
# definition   what holds between "the head" and "the tail", in a full sentence: language models
#              read it, and it sets the relation apart from the others
# phrase       reads naturally between head and tail: "was born in"
# inverse      the relation that holds with head and tail exchanged; a symmetric relation names
#              itself; delete the line where there is none
#
# Mentions have no entity types here. If yours have: `entity_types: [person, place]` below, and
# `head_types: [person]`, `tail_types: [place]` for every relation.
corpus: {name}
relations:
"""
_RELATION = """\
  {name}:
    definition: "TODO: The head is ... the tail ..."
    phrase: "TODO"
{kinds}    inverse: TODO  # or delete this line
"""
_NEGATIVE = """\
  {name}:
    definition: None of the other relations is stated between the head and the tail.
    phrase: is not related to
    negative: true  # what is answered where none of the others holds; at most one relation
"""
_CORPUS = """\
# The corpus {name}, whose files are in data/01_raw/{name}.
corpora:
  {name}:
    format: native
    train: train.jsonl
    # Take the # away once there is such a file:
    {dev}dev: dev.jsonl    # to choose an epoch and to calibrate on; else what is left of train
    {test}test: test.jsonl  # to score on
"""
_EXPERIMENT = """\
# What `kedro run --pipelines {name}` runs. These two variants learn from your sentences alone. Add
# tkre and tkre_plus once a language model has answered, or can be asked (docs/own-relations.md).
{name}:
  corpora: [{name}]
  shots: [8]
  seeds: [13]
  variants: [typ_marker, spans_golden]
"""
