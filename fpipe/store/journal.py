"""A chained log in a file of its own, for what many processes note at once while another holds the database for days.

A line an entry: number, salt, content, chain (hex), payload (JSON), with a space between them.  Lines are only
appended, fsynced one by one under a lock held for milliseconds, and overwritten in place when they are to be forgotten:
no byte of them stays, and every byte that is there is covered by the chain.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from fpipe.core.errors import IntegrityError, Locked
from fpipe.core.files import disk_errors, open_private, private_mode, sync_files, sync_folder
from fpipe.store import chain
from fpipe.store.chain import SALT_BYTES, Entry

WAIT_S = 60.0
"""How long an entry waits for the entries of other processes; each takes milliseconds, except on a starved machine."""
_ERASED = b"-"
_BLOCK = 1 << 16


class Journal:
    """The log in the file ``path``, which the first entry makes.

    Raises DiskFull where it can't be written, Locked where other processes do not let go of it, IntegrityError where it
    is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, int], tuple[int, str]] | None = None  # size and time of the file, its head then

    def append(self, payload: dict[str, Any]) -> int:
        """Add an entry, with who wrote it and when; durable when this returns its number."""
        with self._held(), disk_errors(self.path):
            new = not self.path.exists()
            with open_private(self.path) as stream:
                last, end = self._last(stream)
                entry = chain.seal(payload, last.number + 1 if last else 1, last.chain if last else b"")
                self._cut(stream, end)
                stream.write(_rendered(entry))
                _sync(stream)
            if new:
                sync_folder(self.path.parent)
        return entry.number

    def _cut(self, stream: BinaryIO, end: int) -> None:
        """Cut half a line away, of a process that died: nobody was told that it is there."""
        stream.seek(end)
        if _whole(stream.read()):
            raise IntegrityError(where=str(self.path), reason="the end of its last entry was changed")
        stream.seek(end)
        stream.truncate()

    def _last(self, stream: BinaryIO) -> tuple[Entry | None, int]:
        """The last whole line, and where it ends."""
        start = stream.seek(0, os.SEEK_END)
        data, end = b"", 0
        while start and data.count(b"\n") < 2:
            size = min(max(_BLOCK, len(data)), start)
            start = stream.seek(start - size)
            data = stream.read(size) + data
        if b"\n" not in data:
            return None, 0
        end = start + data.rindex(b"\n") + 1
        line = _read(data[: end - start].split(b"\n")[-2])
        if line is None:
            raise IntegrityError(where=str(self.path), reason="its last entry is unreadable")
        return line, end

    def entries(self) -> Iterator[Entry | None]:
        """All entries, oldest first; None for one that can't be read."""
        return (_read(data) for data, _ in self._lines())

    def head(self) -> tuple[int, str]:
        """Number and chain (hex) of the last entry; (0, "") where there is none."""
        if not self.path.exists():
            return 0, ""
        with disk_errors(self.path), self.path.open("rb") as stream:
            last, _ = self._last(stream)
        return (last.number, last.chain.hex()) if last else (0, "")

    def settled(self) -> tuple[int, str]:
        """Its head, durable when this returns, so that others may count on it; read again only where it has changed."""
        with disk_errors(self.path):
            try:
                facts = self.path.stat()
            except FileNotFoundError:
                return 0, ""
            stamp = facts.st_size, facts.st_mtime_ns
            if self._known is None or self._known[0] != stamp:
                head = self.head()
                sync_files([self.path])
                self._known = stamp, head
        return self._known[1]

    def forget(self, unwanted: Callable[[dict[str, Any]], bool]) -> int:
        """Erase what those entries said that ``unwanted`` says of; returns their number.

        Raises IntegrityError, and erases nothing, where an entry can't be read: it may be one of them.
        """
        if not self.path.exists():
            return 0
        count = 0
        with self._held(), disk_errors(self.path), self.path.open("r+b") as stream:
            lines = [(data, at, _read(data)) for data, at in self._lines()]
            if not all(entry for *_, entry in lines):
                raise IntegrityError(
                    where=str(self.path), reason="an entry is unreadable, so that nothing can be erased"
                )
            self._cut(stream, lines[-1][1] + len(lines[-1][0]) + 1 if lines else 0)
            for data, at, entry in lines:
                said = entry.payload if entry else None
                if said is not None and unwanted(said):
                    stream.seek(at)
                    stream.write(_erased(data))
                    count += 1
            _sync(stream)
        return count

    def problems(self) -> list[str]:
        """Entries that do not fit their hash or the chain, and bytes that are no entry."""
        return list(chain.problems(self.entries(), self.path.name)) or self._tail()

    def _tail(self) -> list[str]:
        """Half a line at the end is of a process that died; a whole one without its end was changed."""
        data = self.path.read_bytes()[-(1 << 24) :] if self.path.exists() else b""
        whole = _whole(data[data.rfind(b"\n") + 1 :])
        return [f"{self.path.name}: the end of the last entry was changed"] if whole else []

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        """Whole lines without their ends, and where they begin."""
        if not self.path.exists():
            return
        at = 0
        with disk_errors(self.path), self.path.open("rb") as stream:
            for data in stream:
                if data.endswith(b"\n"):
                    yield data[:-1], at
                at += len(data)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        place = self.path.with_name(f"{self.path.name}.lock")
        try:
            with disk_errors(self.path):
                lock = FileLock(place, timeout=WAIT_S, mode=private_mode(place.parent), poll_interval=0.01)
                lock.acquire()
        except Timeout as error:
            raise Locked(where=str(self.path), reason="another fpipe command is writing to it") from error
        try:
            yield
        finally:
            lock.release()


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _whole(tail: bytes) -> bool:
    """Whether what follows the last line is an entry whose end is another byte."""
    entry = _read(tail[:-1])
    return entry is not None and (entry.salt is None or entry.fits())


def _rendered(entry: Entry) -> bytes:
    words = (
        b"%d" % entry.number,
        _hex(entry.salt),
        _hex(entry.content),
        _hex(entry.chain),
        (entry.text or "").encode(),
    )
    return b" ".join(words) + b"\n"


def _hex(data: bytes | None) -> bytes:
    return _ERASED * 2 * SALT_BYTES if data is None else data.hex().encode()


def _erased(data: bytes) -> bytes:
    """The line of the same length that says nothing."""
    number, salt, content, head, text = data.split(b" ", 4)
    return b" ".join((number, _ERASED * len(salt), content, head, _ERASED * len(text)))


def _read(data: bytes) -> Entry | None:
    """A line without its end; None where it is not exactly as an entry is written."""
    try:
        number, salt, content, head, text = data.decode().split(" ", 4)
        erased = salt.encode() == _hex(None)
        entry = Entry(
            int(number), None if erased else bytes.fromhex(salt), text, bytes.fromhex(content), bytes.fromhex(head)
        )
    except ValueError:
        return None
    sizes = {len(part) for part in (entry.salt, entry.content, entry.chain) if part is not None}
    if entry.number < 1 or sizes != {SALT_BYTES} or _rendered(entry) != data + b"\n":
        return None
    if not erased:
        return entry
    return replace(entry, text=None) if text and set(text) == {_ERASED.decode()} else None
