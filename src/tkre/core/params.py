"""Base of all parameter groups, suggestions for misspelt names, and the plug-in registry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tkre.core.documents import DocumentError, read_json, shown
from tkre.core.errors import UserError

# Language model of a cell that is not an entry of ``generation.llms``: that of
# ``generation.language_model``; none. Words, since pandas reads an empty text in a CSV file as a
# missing value, which ``groupby`` leaves out.
DEFAULT_LLM, NO_LLM = "default", "none"

_TRIED = 1000  # names that a misspelt one is compared with

# Entry-point groups of the project, each with the module that loads its entries. The digest of code
# that can reach a registry covers the code of all its entries (``runner.code``).
GROUPS = {
    "tkre.formats": "tkre.corpora.reading",
    "tkre.heads": "tkre.modeling.classifier",
    "tkre.losses": "tkre.training.pretraining",
    "tkre.stages": "tkre.training.pretraining",
    "tkre.llms": "tkre.generation.llm.registry",
    "tkre.metrics": "tkre.evaluation.results",
    "tkre.figures": "tkre.report.figures",
}


class Params(BaseModel):
    """A group of parameters: immutable; an unknown name is an error.

    They are built from ``conf/`` before a run starts, so a misspelt or impossible value stops the
    run before anything happens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """The group in a JSON file.

        Raises:
            DocumentError: The file does not hold such a group; the message names it.
            OSError: It cannot be read.
        """
        try:
            return cls.model_validate(read_json(file))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or cls.__name__
            found = f"{first['msg']} (it is {shown(first['input'])})"
            raise DocumentError(f"{file}: {name}: {found}") from None

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The group itself, since nothing changes it: Kedro copies parameters at each use."""
        return self


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, the known names where none is near, or an empty text."""
    names = [str(name) for name in islice(known, _TRIED)]
    near = get_close_matches(wrong[:200], names, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    listed = ", ".join(sorted(names)[:20]) + (", ..." if len(names) > 20 else "")
    return f" (known: {listed})" if names else ""


T = TypeVar("T")


class PluginError(UserError, RuntimeError):
    """An entry that cannot be loaded or in no group, or a name of two packages; both are named."""


class UnknownEntry(UserError, ValueError):
    """A name that no entry of a registry has; the message lists the known names."""


class Registry(Generic[T]):
    """Entries of one kind by name: the project's, and those of installed packages.

    Other packages add entries by entry points (docs/extending.md). Their names are known without
    an import, in workers and services too; an entry is imported when it is used.

    Args:
        group: Entry-point group of other packages' entries, e.g. ``tkre.formats``.
        entries: The project's entries by name; a text ``module:attribute`` is imported when it is
            used, so that names are known without torch.
    """

    def __init__(self, group: str, entries: Mapping[str, T | str]) -> None:
        self.group = group
        self.entries: dict[str, T | str] = dict(entries)

    def __getitem__(self, name: str) -> T:
        # Loaded by where it comes from, not by its class: the package importlib_metadata, once
        # imported, returns entry points of a class of its own.
        entry: Any = self.entries.get(self.check(name))
        if entry is None:
            entry = _load(plugins(self.group, self.entries)[name])
        elif isinstance(entry, str):
            entry = _load(EntryPoint(name, entry, self.group))
        loaded: T = entry
        return loaded

    def get(self, name: str) -> T | None:
        """The entry of a name; None for an unknown name."""
        return self[name] if name in self else None  # noqa: SIM401 - this is that ``get``

    def __contains__(self, name: str) -> bool:
        return name in list(self)

    def __iter__(self) -> Iterator[str]:
        return iter([*self.entries, *plugins(self.group, self.entries)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def check(self, name: str) -> str:
        """The name itself; imports nothing, so it can validate a parameter.

        Raises:
            UnknownEntry: No entry has the name.
        """
        if name not in self:
            raise UnknownEntry(
                f"there is no {name!r} in {self.group}{did_you_mean(name, self)}; if another "
                "package adds it, install that where this runs"
            )
        return name


def plugins(group: str, taken: Collection[str]) -> dict[str, EntryPoint]:
    """Entry points of other packages in a group, sorted by name; imports nothing.

    Args:
        group: Entry-point group.
        taken: Names of the project's own entries.

    Raises:
        PluginError: Two packages use one name, or one uses a name of the project's: the entry would
            depend on the installation order.
    """
    owners, found = dict.fromkeys(taken, "tkre"), {}
    for point in _installed().get(group, ()):
        if (owner := owners.setdefault(point.name, _package(point))) != _package(point):
            raise PluginError(
                f"{_package(point)} and {owner} both have a {point.name!r} in {group}: "
                "give one of them another name, or uninstall a package"
            )
        found[point.name] = point
    return dict(sorted(found.items()))


def plugin_modules(group: str) -> list[str]:
    """Modules that hold the entries of other packages in a group."""
    return sorted({point.module for point in _installed().get(group, ())})


@cache
def _installed() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of all installed packages by group, read once for a process."""
    found = entry_points()
    groups = {
        name: tuple(found.select(group=name)) for name in found.groups if name.startswith("tkre.")
    }
    for group in groups.keys() - GROUPS.keys():
        owner, known = _package(groups[group][0]), did_you_mean(group, GROUPS)
        raise PluginError(f"{owner} adds parts to {group}, and there is no such group{known}")
    return groups


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{_package(point)} names {point.value} as {point.name!r} in {point.group}, and it "
            f"cannot be loaded: {error}"
        ) from error
