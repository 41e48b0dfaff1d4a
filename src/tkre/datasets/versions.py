"""What a run saves: whole or not at all, and as a version newer than all that are there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, AbstractVersionedDataset, DataCatalog, DatasetError, Version
from kedro.io.core import VERSION_FORMAT, generate_timestamp

from tkre.core.errors import UserError

logger = logging.getLogger(__name__)


class ChangedInput(UserError, RuntimeError):
    """What a run has read or made is something else now; the message names the way out."""

    def __init__(self, name: str, dataset: AbstractDataset[Any, Any] | None) -> None:
        place = getattr(dataset, "_filepath", None)
        super().__init__(
            f"{name}{f' ({place})' if place else ''} has changed since this run read or made it: "
            "another run with other parameters works in the same folder, or the file was edited. "
            "This run stops, since its results would mix both. Run it again when the other has "
            "ended: what it has finished and still holds is not done again"
        )


class Catalog(DataCatalog):
    """Kedro's catalog, whose files other processes see when they are whole.

    A file or folder is written to ``.<name>.unfinished`` beside its place and moved there. What a
    killed process has left in it goes with the next save. A version is newer than every other one,
    so that the newest is what was saved last, whatever the clock says; it is the one that this
    catalog loads from then on.
    """

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """Loads data; what a dataset refuses in words is raised as it is, not as Kedro wraps it."""
        with _unwrapped():
            return super().load(ds_name, version)

    def save(self, ds_name: str, data: Any) -> None:
        """Saves data, whole or not at all."""
        dataset = self[ds_name]
        with _unwrapped(), _written_whole(dataset) if _is_local_file(dataset) else nullcontext():
            super().save(ds_name, data)


@contextmanager
def _unwrapped() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        cause: BaseException | None = error
        while isinstance(cause, DatasetError):  # that of the dataset in that of the catalog
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        raise


def pin(dataset: AbstractDataset[Any, Any] | None, version: str | None = None) -> str | None:
    """Loads a version of a dataset from now on, whatever other processes save.

    Args:
        dataset: A dataset, with versions or without.
        version: Its name; None for the one that would be loaded now.

    Returns:
        The version; None where there are none.
    """
    current: Version | None = getattr(dataset, "_version", None)
    if current is None or dataset is None:
        return None
    version = version or dataset.resolve_load_version()
    dataset._version = Version(version, current.save)
    return version


def unpin(dataset: AbstractDataset[Any, Any] | None) -> None:
    """Loads the newest version of a dataset again."""
    current: Version | None = getattr(dataset, "_version", None)
    if current is not None and dataset is not None:
        dataset._version = Version(None, current.save)


def _is_local_file(dataset: AbstractDataset[Any, Any]) -> bool:
    is_file = isinstance(dataset, AbstractVersionedDataset)
    return is_file and getattr(dataset, "_protocol", "file") == "file"


@contextmanager
def _written_whole(dataset: Any) -> Iterator[None]:
    """What is saved meanwhile lands beside its place, and is moved there at the end."""
    kept, version = dataset._filepath, dataset._version
    target = Path(kept)
    place = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(place, ignore_errors=True)
    written = place / target.name
    if version is not None:
        new = _newer(target, version.save or generate_timestamp())
        written, target = written / new, target / new
        dataset._version = Version(new, new)
    dataset._filepath = PurePosixPath(place / kept.name)
    try:
        yield
        if version is None and target.is_dir():
            shutil.rmtree(target)
        elif target.parent.is_file():  # of the time before there were versions
            target.parent.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        written.replace(target)
        version = version and Version(new, version.save)
    finally:
        dataset._filepath, dataset._version = kept, version
        dataset.release()
        shutil.rmtree(place, ignore_errors=True)


def _newer(versions: Path, wanted: str) -> str:
    """The wanted version if it is newer than all that are there, else the next after the newest."""
    there = (path.name for path in versions.glob("[!.]*")) if versions.is_dir() else ()
    newest = max(there, default="")
    if wanted > newest:
        return wanted
    if newest > generate_timestamp():
        logger.warning(
            "%s has the version %s, later than the clock of this machine says it is now: the "
            "next one is named after it, and not by the time",
            versions, newest,
        )  # fmt: skip
    with suppress(ValueError):
        after = datetime.strptime(newest, VERSION_FORMAT) + timedelta(milliseconds=1)
        return f"{after.strftime(VERSION_FORMAT)[:-4]}Z"
    return f"{newest}_"  # a name that somebody chose
