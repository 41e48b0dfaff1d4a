"""Modes of files: what the project writes follows the umask; what it cannot read is named so."""

from __future__ import annotations

import os
from pathlib import Path


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


def _not_readable(path: Path) -> PermissionError:
    status = path.stat()
    try:
        owner = f"{path.owner()} ({status.st_uid})"
    except (KeyError, NotImplementedError):  # the user of a container has no name
        owner = str(status.st_uid)
    user = f" is user {os.geteuid()}" if hasattr(os, "geteuid") else " may not read it"
    return PermissionError(
        f"{path} is not readable: mode {status.st_mode & 0o7777:04o}, owner {owner}, this process"
        f"{user}; its owner can change that: chmod -R a+rX {path}"
    )
