"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fpipe.core.errors import DiskFull

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def sha256_hex(data: bytes) -> str:
    """Hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def split_choice(path: Path) -> tuple[Path, str]:
    """A file and which of its pictures is meant: ``card.an2#7`` -> (card.an2, "7"); "" where nothing is said.

    A file of that very name comes first.
    """
    name, mark, choice = path.name.rpartition("#")
    try:
        there = path.exists()
    except OSError:  # opening it will say what is wrong
        there = True
    return (path, "") if there or not mark or not name else (path.with_name(name), choice)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
"""Modes of what a gallery or a backup is made of: nobody but its owner reads it.  Windows has none."""


def open_private(path: Path, *, new: bool = False) -> BinaryIO:
    """A file for reading and writing, made readable to nobody else where it is not there.

    new : begin with an empty one
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if new else 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, PRIVATE_FILE), "r+b")


def make_private(folder: Path) -> None:
    """A folder that nobody else looks into, with those above it where they are not there."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(PRIVATE_FOLDER)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable.  Windows has no such call and needs none: NTFS journals them."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write, fsync, rename into place, fsync the folder.

    private : nobody else may read it; else it is as any other file

    Raises DiskFull when the medium refuses; the file that was there before is then untouched.
    """
    with disk_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if sys.platform != "win32" and not private:  # mkstemp's are
                temporary.chmod(0o666 & ~_umask())  # as any other file: colleagues read reports on a shared folder
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


@contextlib.contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn a full or refusing disk into an error that says which file and why."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            raise DiskFull(where=str(where), reason=error.strerror or str(error)) from error
        raise
