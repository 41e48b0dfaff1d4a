"""A corpus as a folder of files: raw files, ``relations.yml``, and recordings if there are any."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tkre.corpora.schema import RelationSchema

RELATIONS_FILE = "relations.yml"


class CorpusFileError(ValueError):
    """A file of a corpus that is missing or cannot be read; the message names it."""


class CorpusFolder:
    """The files of a corpus, looked up in one folder or the next, read when they are asked for.

    Args:
        name: Of the corpus.
        folders: In which a file is looked up, in this order; they need not exist.
    """

    def __init__(self, name: str, folders: list[Path]) -> None:
        self.name = name
        self._folders = folders

    def find(self, file: str) -> Path | None:
        """Where a file is; None if it is in none of the folders."""
        paths = (folder / file for folder in self._folders)
        return next((path for path in paths if path.is_file()), None)

    def read(self, file: str) -> str:
        """The text of a file, UTF-8.

        Args:
            file: Name within the folder; ``../other/file`` reaches another corpus's.

        Raises:
            CorpusFileError: It is in none of the folders, or not UTF-8.
        """
        path = self.find(file)
        if path is None:
            tried = " nor ".join(dict.fromkeys(str(folder / file) for folder in self._folders))
            raise CorpusFileError(
                f"corpus {self.name}: file {file!r} is missing; there is no {tried}. Put it "
                f"there, or set TKRE_DATA to the folder that holds {self.name}/."
            )
        content = path.read_bytes()
        try:
            # Not read_text: it would make line ends of "\r", and readers count lines by "\n".
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise CorpusFileError(f"{path}, line {line}: not UTF-8 ({error.reason})") from None

    def digests(self, files: Iterable[str]) -> dict[str, str]:
        """SHA-256 of files that are there and of ``relations.yml``, as ``sha256sum`` gives them."""
        found = {file: self.find(file) for file in (RELATIONS_FILE, *files)}
        return {
            file: hashlib.sha256(path.read_bytes()).hexdigest()
            for file, path in found.items()
            if path
        }

    def schema(self) -> RelationSchema:
        """The relations of the corpus.

        Raises:
            CorpusFileError: ``relations.yml`` is missing, or not YAML.
            SchemaError: It is no consistent schema.
        """
        text = self.read(RELATIONS_FILE)
        source = str(self.find(RELATIONS_FILE))
        try:
            raw: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CorpusFileError(f"{source} is not YAML: {error}") from None
        return RelationSchema.parse(raw, source)
