"""What every parameter group has in common; the groups themselves live beside what they steer.

The way out in an error message: the nearest of the names that would have been right.

Parts that other packages add (docs/extending.md): readers, heads, losses, backends, metrics.

A package names its parts in its metadata, as entry points. The group of an entry point is the
module that holds the project's own parts of that kind, such as ``tkre.corpora.formats``; its name
is what ``conf/`` calls it. So names are known without importing anything, and the graph loads
without torch; and they are known wherever the package is installed: in workers, and where a
classifier is loaded without any ``conf/``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

# Who wrote the knowledge of a cell, where that is not an entry of ``generation.llms``: the model
# of ``generation.language_model``; nobody. Words, since an empty text in a CSV file is read back
# as a missing value, which groups of rows leave out.
DEFAULT_LLM, NO_WRITER = "default", "none"


class Params(BaseModel):
    """A group of parameters: immutable, and a name it does not know is an error.

    Kedro builds these from ``conf/`` before a run starts, because node functions name them in
    their signatures; so a misspelt or impossible value stops the run before anything happens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, or the known names where none is near, or nothing."""
    names = [str(name) for name in known]
    near = get_close_matches(wrong, names, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    shown = ", ".join(sorted(names)[:20]) + (", ..." if len(names) > 20 else "")
    return f" (known: {shown})" if names else ""


T = TypeVar("T")


class ExtensionError(RuntimeError):
    """A part of another package that cannot be used; the message names the package."""


class UnknownPart(ValueError):
    """A name that no part has; the message says which there are."""


class Parts(Generic[T]):
    """The parts of one kind by name: the project's own, and those of others, loaded when wanted.

    Args:
        group: The module that holds these, and the group of others' entry points.
        own: The project's own.
    """

    def __init__(self, group: str, own: Mapping[str, T]) -> None:
        self._group = group
        self._own = own

    def __getitem__(self, name: str) -> T:
        if name in self._own:
            return self._own[name]
        part: T = _loaded(added(self._group, self._own)[self.known(name)])
        return part

    def get(self, name: str) -> T | None:
        """The part of a name; None where none has it."""
        known = name in self._own or name in added(self._group, self._own)
        return self[name] if known else None

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *added(self._group, self._own)])

    def known(self, name: str) -> str:
        """The name, if a part has it; as ``known_name``."""
        return known_name(self._group, name, self._own)


def added(group: str, own: Collection[str]) -> dict[str, EntryPoint]:
    """What other packages add to a group, by name; nothing is imported.

    Args:
        group: As in ``Parts``.
        own: Names of the project's own parts.

    Raises:
        ExtensionError: A name is taken: which part is meant would depend on chance.
    """
    taken, found = dict.fromkeys(own, "tkre"), {}
    for point in _installed().get(group, ()):
        if (other := taken.setdefault(point.name, _package(point))) != _package(point):
            raise ExtensionError(
                f"{_package(point)} and {other} both have a {point.name!r} in {group}: give one "
                "of them another name, or uninstall a package"
            )
        found[point.name] = point
    return dict(sorted(found.items()))


def known_name(group: str, name: str, own: Collection[str]) -> str:
    """The name, if a part has it; nothing is imported.

    Args:
        group: As in ``Parts``.
        name: As ``conf/`` has it.
        own: Names of the project's own parts.

    Raises:
        UnknownPart: None has it.
    """
    known = [*own, *added(group, own)]
    if name not in known:
        raise UnknownPart(
            f"there is no {name!r} in {group}{did_you_mean(name, known)}; if another package adds "
            "it, install that where this runs"
        )
    return name


def beside(module: str) -> list[str]:
    """The modules of other packages whose parts stand beside those that a module holds."""
    return sorted({point.module for point in _installed().get(module, ())})


@cache
def _installed() -> dict[str, tuple[EntryPoint, ...]]:
    """All parts of other packages, by group: one look at what is installed is enough."""
    found = entry_points()
    groups = [group for group in found.groups if group.startswith("tkre.")]
    return {group: tuple(found.select(group=group)) for group in groups}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ExtensionError(
            f"{_package(point)} names {point.value} as {point.name!r} in {point.group}, and it "
            f"cannot be loaded: {error}"
        ) from error
