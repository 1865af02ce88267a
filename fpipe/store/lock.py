"""One writer at a time, and only on a disk where that can be promised."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from fpipe.core.errors import Locked, NetworkDisk
from fpipe.core.files import disk_errors, private_mode

WAIT_S = 1.0
"""How long a command waits for one that is just ending."""

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "davfs",
    "fuse.davfs2",
}


@contextlib.contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's writer lock; the system frees it when the process ends, however it ends.

    Raises Locked while another process holds it, NetworkDisk, DiskFull on read-only media.
    """
    kind = network_disk(folder)
    if kind:
        raise NetworkDisk(where=str(folder), reason=f"it is on a network disk ({kind})")
    with held(folder, private=True):
        yield


@contextlib.contextmanager
def held(folder: Path, *, private: bool = False) -> Iterator[None]:
    """Hold the folder against other fpipe commands that write to it; on network disks this is a courtesy, no promise.

    private : nobody else may read the file that is locked, where it is made

    Raises Locked while another process holds it, DiskFull on read-only media.
    """
    try:
        with disk_errors(folder):
            lock = FileLock(folder / "lock", timeout=WAIT_S, mode=private_mode(folder) if private else 0o644)
            lock.acquire()
    except Timeout as error:
        raise Locked(where=str(folder), reason="another fpipe command is writing to it") from error
    try:
        yield
    finally:
        lock.release()


def network_disk(folder: Path) -> str:
    """The kind of network file system a folder is on, empty for a local one.

    Linux names it in its table of mounts; on Windows a share's path begins with two backslashes.
    """
    place = folder.resolve()
    if sys.platform == "win32":
        return "a Windows share" if str(place).startswith("\\\\") else ""
    table = Path("/proc/self/mounts")
    if not table.exists():
        return ""
    mounts = [line.split()[1:3] for line in table.read_text("utf-8", "surrogateescape").splitlines()]
    points = [(point.replace("\\040", " "), kind) for point, kind in mounts]
    inside = [(len(point), kind) for point, kind in points if place.is_relative_to(point)]
    kind = max(inside, key=lambda item: item[0], default=(0, ""))[1]
    return kind if kind in _NETWORK else ""
