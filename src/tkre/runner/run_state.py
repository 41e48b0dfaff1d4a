"""The record of what each node was last made of and gave, and whether that still holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from kedro.io import CatalogProtocol
from kedro.pipeline import Node

from tkre.core.documents import read_json
from tkre.core.files import write_whole
from tkre.datasets import ReadOnlyDataset
from tkre.datasets.versions import ChangedInput, pin, unpin
from tkre.runner import code
from tkre.runner import fingerprints as digests

# How the reason ends for what has never been made: it explains itself.
NOT_THERE = "is not there"


class Kept(NamedTuple):
    """What a run has read or made: its version, None without versions, and its digest."""

    version: str | None
    digest: str


class Ledger:
    """Records of nodes, a JSON file each.

    A node is up to date if its code, its parameters and the content of what it reads are those of
    its record, and what it wrote is there as it wrote it. Content decides, not time: a node above
    that was run again and gave the same changes nothing below it.

    A run reads what it has made or found itself, by version and digest: what another run saves
    meanwhile is not read, and where it has replaced an input, this run stops.

    Args:
        folder: Where the records lie.

    Attributes:
        kept: Version (None without versions) and digest of what this run has read or made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kept: dict[str, Kept] = {}
        self._code = code.CodeDigests(folder / "cache" / "code.json")

    def note_code(self, nodes: Iterable[Node]) -> None:
        """Takes the digests of the code of nodes: they are recorded with it, whenever they run.

        A source that is edited later in a long run is not what this process has loaded.
        """
        for node in nodes:
            self._code.of_function(node.func)

    def bring_up_to_date(
        self,
        node: Node,
        catalog: CatalogProtocol,
        run: Callable[[str], object],
        *,
        again: bool = False,
    ) -> str | None:
        """Runs a node if it must be run, and writes that down.

        Args:
            node: Which.
            catalog: What it reads and writes.
            run: Runs it; is given the reason.
            again: Run it even if it is up to date.

        Returns:
            Why it was run; None if it was not.
        """
        reason = self.reason_to_run(node, catalog) or ("wanted again" if again else None)
        if reason is not None:
            inputs = self._inputs(node, catalog)
            self._keep(inputs, catalog)
            self.note_code([node])
            for name in node.outputs:
                self.kept.pop(name, None)
                unpin(catalog.get(name))
            run(reason)
            self._inputs(node, catalog)  # what it was made of, if they are still the same
            self.record(node, catalog, inputs)
        return reason

    def reason_to_run(self, node: Node, catalog: CatalogProtocol) -> str | None:
        """Why a node must be run, in words; None if it is up to date, and its outputs are kept.

        Raises:
            ChangedInput: What this run has read or made before is something else now.
        """
        return next(self._reasons(node, catalog), None)

    def _reasons(self, node: Node, catalog: CatalogProtocol) -> Iterator[str]:
        """Whatever speaks against what a node has made; what is missing comes first."""
        outputs = self._digests(node.outputs, catalog)
        yield from (f"{_short(n)} {NOT_THERE}" for n in node.outputs if outputs[n] is None)
        record = self._read(node)
        if record is None:
            yield "nothing is known of the run that made it"
            return
        inputs = self._inputs(node, catalog)
        yield from (f"{_short(n)} is read anew every time" for n in inputs if inputs[n] is None)
        yield from (f"{_short(n)} has changed" for n in _changed(record["inputs"], inputs))
        if record["code"] != self._code.of_function(node.func):
            yield "its code or a library has changed"
        yield from (
            f"{_short(n)} is not what it wrote" for n in _changed(record["outputs"], outputs)
        )
        self._keep(inputs | outputs, catalog)  # it is up to date

    @contextmanager
    def claim(self, node: Node) -> Iterator[bool]:
        """Whether this process may work on a node: no other one does until this ends.

        A claim dies with its process, however that ends.
        """
        claims = self._folder / "claims"
        claims.mkdir(parents=True, exist_ok=True)
        lock = FileLock(claims / node.name, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def record(
        self, node: Node, catalog: CatalogProtocol, inputs: Mapping[str, str | None] | None = None
    ) -> None:
        """Writes down a node that has just been run: whole or not at all.

        Args:
            node: Which.
            catalog: What it has read and written.
            inputs: Digests of what it read, as of then; None takes those of now.
        """
        outputs = self._digests(node.outputs, catalog)
        self._keep(outputs, catalog)
        record = {
            "node": node.name,
            "code": self._code.of_function(node.func),
            "inputs": inputs or self._inputs(node, catalog),
            "outputs": outputs,
        }
        place = self._place(node)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps(record, indent=1))

    def forget(self, node: Node) -> None:
        """Removes the record of a node, which is run again."""
        self._place(node).unlink(missing_ok=True)

    def made(self, output: str) -> set[str]:
        """Names of the datasets that were made, those with a last part such as ``classifier``."""
        records = map(self._load, self._folder.glob("*.json"))
        names = (name for record in records if record for name in record["outputs"])
        return {name for name in names if name.rpartition(".")[2] == output}

    def written_since(self, node: Node, time: float) -> bool:
        """Whether the record of a node is younger than a time, in seconds since the epoch."""
        place = self._place(node)
        return place.is_file() and place.stat().st_mtime >= time

    def _inputs(self, node: Node, catalog: CatalogProtocol) -> dict[str, str | None]:
        """Digests of what a node reads.

        Raises:
            ChangedInput: One is not what this run has read or made before.
        """
        found = self._digests(node.inputs, catalog)
        for name, digest in found.items():
            if name in self.kept and self.kept[name].digest != digest:
                raise ChangedInput(name, catalog.get(name))
        return found

    def _keep(self, digests: Mapping[str, str | None], catalog: CatalogProtocol) -> None:
        """Remembers what this run has read or made; loads these versions from now on."""
        for name, digest in digests.items():
            if digest is not None:
                self.kept[name] = Kept(pin(catalog.get(name)), digest)

    def _digests(self, names: list[str], catalog: CatalogProtocol) -> dict[str, str | None]:
        for name in names:
            if name in self.kept and self.kept[name].version:
                pin(catalog.get(name), self.kept[name].version)
        return {name: digests.of_dataset(catalog, name) for name in names}

    def _place(self, node: Node) -> Path:
        return self._folder / f"{node.name}.json"

    def _read(self, node: Node) -> dict[str, Any] | None:
        return self._load(self._place(node))

    @staticmethod
    def _load(place: Path) -> dict[str, Any] | None:
        try:
            record = read_json(place)
            whole = isinstance(record["code"], str) and all(
                isinstance(record[key], dict) for key in ("inputs", "outputs")
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if whole else None


class LedgerDataset(ReadOnlyDataset[Ledger]):
    """The ledger as a catalog entry, so that its place is configuration like any other.

    Args:
        filepath: Its folder.
        metadata: Ignored; for kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Ledger:
        """The ledger; its folder need not exist yet."""
        return Ledger(self._folder)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}


def _changed(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    """The names whose digest is another, or that only one of the two has."""
    return [name for name in dict.fromkeys([*now, *then]) if then.get(name, "") != now.get(name)]


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1] if not name.startswith("params:") else name
