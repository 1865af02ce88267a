"""A chained log in a file of its own, for what many processes note at once while another holds the database for days.

A line an entry: number, salt, content, chain (hex), payload (JSON), with a space between them.  Lines are only
appended, fsynced one by one under a lock held for milliseconds, and overwritten in place when they are to be forgotten:
no byte of them stays, and every byte that is there is covered by the chain.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from fpipe.core.errors import IntegrityError, Locked
from fpipe.core.files import disk_errors, sync_folder
from fpipe.store.chain import SALT_BYTES, Entry, chained, content_of, parsed, seal

WAIT_S = 10.0
"""How long an entry waits for the entries of other processes."""
_ERASED = b"-"
_PRIVATE = 0o600
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    salt: bytes | None
    content: bytes
    chain: bytes
    text: str | None


class Journal:
    """The log in the file ``path``, which the first entry makes.

    Raises DiskFull where it can't be written, Locked where other processes do not let go of it, IntegrityError where it
    is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, payload: dict[str, Any]) -> int:
        """Add an entry, with who wrote it and when; durable when this returns its number."""
        with self._held(), disk_errors(self.path):
            new = not self.path.exists()
            with _open_private(self.path) as stream:
                last, end = self._last(stream)
                entry = seal(payload, last.number + 1 if last else 1, last.chain if last else b"")
                stream.seek(end)
                stream.truncate()  # half a line, of a process that died: nobody was told that it is there
                stream.write(_rendered(_Line(entry.number, entry.salt, entry.content, entry.chain, entry.text)))
                _sync(stream)
            if new:
                sync_folder(self.path.parent)
        return entry.number

    def _last(self, stream: BinaryIO) -> tuple[_Line | None, int]:
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

    def entries(self) -> Iterator[Entry]:
        """All readable entries, oldest first."""
        for data, _ in self._lines():
            if (line := _read(data)) is not None:
                yield Entry(line.number, parsed(line.text), line.chain.hex())

    def head(self) -> tuple[int, str]:
        """Number and chain (hex) of the last entry; (0, "") where there is none."""
        if not self.path.exists():
            return 0, ""
        with disk_errors(self.path), self.path.open("rb") as stream:
            last, _ = self._last(stream)
        return (last.number, last.chain.hex()) if last else (0, "")

    def forget(self, unwanted: Callable[[dict[str, Any]], bool]) -> int:
        """Erase what those entries said that ``unwanted`` says of; returns their number."""
        if not self.path.exists():
            return 0
        count = 0
        with self._held(), disk_errors(self.path), self.path.open("r+b") as stream:
            for data, at in list(self._lines()):
                line = _read(data)
                said = parsed(line.text) if line else None
                if line is not None and said is not None and unwanted(said):
                    stream.seek(at)
                    stream.write(_rendered(_erased(line)))
                    count += 1
            _sync(stream)
        return count

    def problems(self) -> list[str]:
        """Entries that do not fit their hash or the chain, and bytes that are no entry."""
        found, before, expected = [], b"", 1
        for data, at in self._lines():
            line = _read(data)
            if line is None:
                found.append(f"{self.path.name}: entry {expected} is unreadable (byte {at})")
                break
            if line.number != expected:
                found.append(f"{self.path.name}: entry {expected} is missing")
            if line.salt is not None and not _fits(line):
                found.append(f"{self.path.name}: entry {line.number} was changed")
            if chained(before, line.number, line.content) != line.chain:
                found.append(f"{self.path.name}: the chain is broken at entry {line.number}")
            before, expected = line.chain, line.number + 1
        return found or self._tail()

    def _tail(self) -> list[str]:
        """Half a line at the end is of a process that died; a whole one without its end was changed."""
        data = self.path.read_bytes()[-(1 << 24) :] if self.path.exists() else b""
        tail = data[data.rfind(b"\n") + 1 :]
        line = _read(tail[:-1])
        whole = line is not None and (line.salt is None or _fits(line))
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
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=WAIT_S, mode=_PRIVATE)
        try:
            with disk_errors(self.path):
                lock.acquire()
        except Timeout as error:
            raise Locked(where=str(self.path), reason="another fpipe command is writing to it") from error
        try:
            yield
        finally:
            lock.release()


def _open_private(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, _PRIVATE), "r+b")


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _rendered(line: _Line) -> bytes:
    salt = _ERASED * 2 * SALT_BYTES if line.salt is None else line.salt.hex().encode()
    text = b"" if line.text is None else line.text.encode()
    return b" ".join((b"%d" % line.number, salt, line.content.hex().encode(), line.chain.hex().encode(), text)) + b"\n"


def _erased(line: _Line) -> _Line:
    """The line of the same length that says nothing."""
    length = len((line.text or "").encode())
    return _Line(line.number, None, line.content, line.chain, _ERASED.decode() * length)


def _fits(line: _Line) -> bool:
    return line.salt is not None and line.text is not None and content_of(line.salt, line.text) == line.content


def _read(data: bytes) -> _Line | None:
    """A line without its end; None where it is not exactly as an entry is written."""
    try:
        number, salt, content, chain, text = data.decode().split(" ", 4)
        erased = salt == _ERASED.decode() * 2 * SALT_BYTES
        line = _Line(
            int(number), None if erased else bytes.fromhex(salt), bytes.fromhex(content), bytes.fromhex(chain), text
        )
    except ValueError:
        return None
    sizes = {len(line.content), len(line.chain), *([] if erased else [len(line.salt or b"")])}
    whole = line.number > 0 and sizes == {SALT_BYTES} and (not erased or set(text) <= {_ERASED.decode()})
    return line if whole and _rendered(line) == data + b"\n" else None
