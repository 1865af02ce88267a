"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fpipe.core.errors import DiskFull, DiskGone, NoAccess, ReadOnly

_KINDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), DiskFull),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), ReadOnly),
    **dict.fromkeys((errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP), DiskGone),
}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.EINVAL}
"""What `stat` says where there can be no such file."""


def sha256_hex(data: bytes) -> str:
    """Hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_there(path: Path) -> bool:
    """Whether there is such a file.

    Raises NoAccess where this account may not look.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)  # `is_file` takes what it may not look at for absent in newer Pythons
    except PermissionError as error:
        raise NoAccess(where=str(path.parent), reason=error.strerror) from error
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise


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
"""Modes of what a gallery or a backup is made of: nobody but its owner reads it, and a group that its folder was opened
to.  Windows has none, but takes 0700 of a new folder for an access list: for this account alone."""
_INSIDE = 0o777 if sys.platform == "win32" else PRIVATE_FOLDER
"""Of a new folder inside those: on Windows it takes over the list of the one above, which may be shared."""
_GROUP = 0o2070


def private_mode(folder: Path) -> int:
    """The mode of files in a folder: for their owner alone, and for the folder's group where the folder is, too."""
    return PRIVATE_FILE | _opened_to_group(folder) & 0o060


def _opened_to_group(folder: Path) -> int:
    """The bits of a folder's mode that are for its group, or the limit of its access list; none where everybody may
    look into it: then nobody has thought of the group."""
    mode = 0o777 if sys.platform == "win32" else folder.stat().st_mode
    return 0 if mode & 0o007 else mode & _GROUP


def open_private(path: Path, *, new: bool = False) -> BinaryIO:
    """A file for reading and writing, made readable to nobody else (``private_mode``) where it is not there.

    new : begin with an empty one
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if new else 0) | getattr(os, "O_BINARY", 0)
    mode = private_mode(path.parent)
    stream = os.fdopen(os.open(path, flags, mode), "r+b")
    if mode != PRIVATE_FILE and sys.platform != "win32":  # the process's mask may hold the group off
        with contextlib.suppress(PermissionError):  # another account's, who did that
            os.fchmod(stream.fileno(), mode)
    return stream


def make_private(folder: Path) -> None:
    """A folder for whom the one above is for, with those above where they are not there."""
    if not folder.is_dir():
        make_private(folder.parent)
        try:
            folder.mkdir(_INSIDE)
        except FileExistsError:  # another command made it meanwhile
            if folder.is_dir():
                return
            raise
        if group := _opened_to_group(folder.parent):
            folder.chmod(PRIVATE_FOLDER | group)


def open_like(folder: Path, model: Path) -> None:
    """Give a folder the group, mode and access lists of another one, unless everybody may look into that one."""
    if sys.platform == "win32" or model.stat().st_mode & 0o007:
        return
    with contextlib.suppress(OSError):  # not an account of that group, or no such disk: then it is opened to nobody
        os.chown(folder, -1, model.stat().st_gid)
        if sys.platform == "linux":
            for name, value in _access_lists(model).items():
                os.setxattr(folder, name, value)
        folder.chmod(stat.S_IMODE(model.stat().st_mode))


def make_all_private(folder: Path) -> None:
    """A folder and all that is in it, where everybody may look into it: older versions made such ones.

    What is opened to a group or by an access list, and what is another account's, stays as it is.
    """
    if sys.platform == "win32" or not folder.stat().st_mode & 0o007 or _has_access_list(folder):
        return
    with contextlib.suppress(PermissionError):  # another account's, or there are no modes
        _close_to_others(folder)


def _close_to_others(folder: Path) -> None:
    """The folder itself last, so that it is done again where it was interrupted."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _close_to_others(Path(entry))
        elif not entry.is_symlink():
            Path(entry).chmod(PRIVATE_FILE)
            if Path(entry).stat().st_mode & 0o077:
                raise PermissionError(errno.EPERM, "this disk keeps no modes")
    folder.chmod(PRIVATE_FOLDER)


def _has_access_list(folder: Path) -> bool:
    """Whether Linux keeps a list of who may do what beside the mode, whose bits for the group are its limit then."""
    return _ACCESS_LIST in _access_lists(folder)


_ACCESS_LIST = "system.posix_acl_access"


def _access_lists(folder: Path) -> dict[str, bytes]:
    """The list of a folder, and that which is for what is made in it; on Linux alone."""
    found: dict[str, bytes] = {}
    if sys.platform == "linux":
        for name in (_ACCESS_LIST, "system.posix_acl_default"):
            with contextlib.suppress(OSError):  # there is none, or there are none on this disk
                found[name] = os.getxattr(folder, name)
    return found


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable.  Windows has no such call and needs none: NTFS journals them."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_SYNCS = 16
"""Files that are waited for at once."""


def sync_files(paths: Iterable[Path]) -> None:
    """Make written files durable.  The waits overlap: a disk takes hardly longer for many than for one."""
    waiting = iter(paths)
    with ThreadPoolExecutor(_SYNCS) as pool:
        while some := list(islice(waiting, 64 * _SYNCS)):
            list(pool.map(_sync_file, some))


def _sync_file(path: Path) -> None:
    with path.open("r+b") as stream:  # Windows syncs what may be written only
        os.fsync(stream.fileno())


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write, fsync, rename into place, fsync the folder.

    private : nobody else may read it (``private_mode``); else it is as any other file

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
            if sys.platform != "win32":  # as any other file: colleagues read reports on a shared folder
                mode = private_mode(path.parent) if private else 0o666 & ~_umask()
                if mode != PRIVATE_FILE:  # which it has; there are disks that refuse to be told
                    temporary.chmod(mode)
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
        kind = _KINDS.get(error.errno or 0)
        if kind is None:
            raise
        raise kind(where=str(where), reason=error.strerror or str(error)) from error
