"""Files: their text, their modes, and what cannot be read, named so."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tkre.core.errors import UserError


class EncodingError(UserError, ValueError):
    """A text that is not UTF-8; the message has its file and line."""


# Files that hold rows, but not as text: by their first bytes, which no text has.
_PACKED = {
    b"PK\x03\x04": "a zip file, or one of Excel or Word: unpack it, or save its sheet as CSV",
    b"\x1f\x8b": "packed by gzip: unpack it",
    b"PAR1\x15": "a Parquet file: write its rows as JSON Lines or CSV",
    b"SQLite format 3\0": "a database: write its rows as JSON Lines or CSV",
}


def decoded(content: bytes, place: object, line: int = 1, *, utf16: bool = False) -> str:
    """A text in UTF-8, without its byte-order mark.

    Args:
        content: The text as it was read.
        place: Its file, for the message.
        line: Number of its first line.
        utf16: Read UTF-16, too, as spreadsheets and Windows write it with a mark.

    Raises:
        EncodingError: It is none.
    """
    if content.startswith(tuple(_PACKED)):
        kind = next(kind for sign, kind in _PACKED.items() if content.startswith(sign))
        raise EncodingError(f"{place}, line {line}: {kind}")
    wide = utf16 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # Not read_text: it would make "\n" of every line end, and offsets count them as they are.
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line += content[: error.start].count(b"\n")
        raise EncodingError(f"{place}, line {line}: {not_utf8(error)}; save it as UTF-8") from None
    if (at := text.find("\0")) >= 0:  # UTF-8 by its bytes, and no text
        line += text.count("\n", 0, at)
        reason = "a NUL character, as in UTF-16 without a mark and in files that are no text"
        raise EncodingError(f"{place}, line {line}: {reason}; save it as UTF-8")
    return text


def read_text(file: Path, *, utf16: bool = False) -> str:
    """Text of a file; see ``decoded``.

    Raises:
        EncodingError: It is none.
        OSError: It cannot be read.
    """
    return decoded(file.read_bytes(), file, utf16=utf16)


def not_utf8(error: UnicodeDecodeError) -> str:
    """The reason why bytes are no text."""
    return f"not UTF-8 ({error.reason})"


def text_lines(file: Path) -> Iterator[str]:
    """Lines of a file with their ends, without byte-order marks; few are in memory at a time.

    A line may end with a carriage return alone, as of Excel for Macintosh.

    Raises:
        EncodingError: One is not UTF-8.
        PermissionError: The file cannot be read.
    """
    require_readable(file)
    with file.open("rb") as lines:
        # Of bytes, splitlines() knows these line ends alone.
        parts = (part for line in lines for part in line.splitlines(keepends=True))
        for number, line in enumerate(parts, start=1):
            yield decoded(line, file, number)


def visible_files(folder: Path) -> list[Path]:
    """The files of a folder and its subfolders, sorted; without hidden ones.

    Editors and notebooks keep copies in hidden folders.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A file to write beside another one, whose place it takes at the end.

    An error removes it, and one that is removed within leaves the other one as it is. Its name is
    of this process alone: another one may write the same file.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield unfinished
        if unfinished.exists():
            unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Write a text in UTF-8 at once or not at all, whatever other processes do."""
    with replacing(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def follow_umask(folder: Path, beside: str) -> None:
    """Give the files of a folder the mode of one that was opened for writing, as the umask says.

    Libraries that write to a temporary file first leave its mode, 0600: another user, such as that
    of a container, cannot read it.

    Args:
        folder: A folder of files that were all written now.
        beside: Name of the file in it that has the right mode.
    """
    mode = (folder / beside).stat().st_mode & 0o777
    for file in folder.iterdir():
        if file.is_file() and file.stat().st_mode & 0o777 != mode:
            file.chmod(mode)


def require_readable(path: Path) -> None:
    """Refuse a file, or a folder of files, that is there and cannot be read.

    Some libraries report such files as missing.

    Raises:
        PermissionError: The message has the file, its mode and its owner.
    """
    for folder in reversed(path.absolute().parents):
        if folder.is_dir() and not os.access(folder, os.X_OK):
            raise _not_readable(folder)
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise _not_readable(path)
    for file in path.iterdir() if path.is_dir() else [path]:
        if file.exists() and not os.access(file, os.R_OK):
            raise _not_readable(file)


def require_writable_places(paths: Iterable[Path]) -> None:
    """Refuse files that could not be written: to their folders, or the next ones that are there.

    Raises:
        PermissionError: The message has the uppermost folder, its mode and its owner.
    """
    places = {path.absolute().parent for path in paths}
    there = {next(f for f in (place, *place.parents) if f.is_dir()) for place in places}
    if denied := [folder for folder in there if not os.access(folder, os.W_OK | os.X_OK)]:
        raise _denied(min(denied), "is not writable", "u+w")


def _not_readable(path: Path) -> PermissionError:
    return _denied(path, "is not readable", "a+rX")


def _denied(path: Path, what: str, change: str) -> PermissionError:
    status = path.stat()
    try:
        owner = f"{path.owner()} ({status.st_uid})"
    except (KeyError, NotImplementedError):  # the user of a container has no name
        owner = str(status.st_uid)
    user = f" is user {os.geteuid()}" if hasattr(os, "geteuid") else " may not do it"
    return PermissionError(
        f"{path} {what}: mode {status.st_mode & 0o7777:04o}, owner {owner}, this process"
        f"{user}; its owner can change that: chmod -R {change} {path}"
    )
