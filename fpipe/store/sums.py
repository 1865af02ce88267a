"""Digests of the pieces of a database file, beside it: so that a flipped byte anywhere in it is found.

SQLite notices a damaged structure, and the log a damaged record; what lies in unused space or in a number that nobody
compares, neither would.  A database file changes only where its writer moves pages from the write-ahead log into it (a
checkpoint).  So before each, the pieces that will change are noted as unknown, and when the writer ends they are read
again: what is known is right at every moment, and a command costs as much as it changed, whatever the size of the file.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from fpipe.core.errors import DiskFull
from fpipe.core.files import disk_errors, write_atomic

PIECE = 1 << 16
"""Bytes of the database to a digest."""
_SIZE = 16
_UNKNOWN = bytes(_SIZE)
_HEAD = struct.Struct("<8sIQ")  # magic, bytes a piece, pieces
_MAGIC = b"FPIPESUM"
_WAL_HEAD = struct.Struct(">II I I 8s II")  # magic, version, page size, sequence, salts, checksum
_FRAME = struct.Struct(">II 8s II")  # page, pages of the database, salts, checksum


class Sums:
    """The digests of one database file; to be used by its writer alone, but for ``problems``."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.path = database.with_name(f"{database.name}-sums")
        self.log = database.with_name(f"{database.name}-wal")
        self._pieces = self._load() or []
        self._seen = b"", 0  # salts of the log and how far it is in use, as far as that was looked at

    def _load(self) -> list[bytes] | None:
        """What the file says; None where it is missing or damaged."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        body, end = data[:-32], data[-32:]
        if len(data) < _HEAD.size + 32 or hashlib.sha256(body).digest() != end:
            return None
        magic, piece, count = _HEAD.unpack_from(body)
        if (magic, piece, len(body)) != (_MAGIC, PIECE, _HEAD.size + count * _SIZE):
            return None
        return [body[at : at + _SIZE] for at in range(_HEAD.size, len(body), _SIZE)]

    def expect(self) -> None:
        """Note that the pages in the write-ahead log are about to be moved into the file; durable when this returns."""
        changing = {(page - 1) * size // PIECE for page, size in self._frames()}
        if not changing:
            return
        before = list(self._pieces)
        self._pieces += [_UNKNOWN] * (max(changing) + 1 - len(self._pieces))
        for piece in changing:
            self._pieces[piece] = _UNKNOWN
        if self._pieces == before:
            return
        try:
            self._save()
        except DiskFull:  # to say nothing of any piece takes no room
            self.forget()

    def log_bytes(self) -> int:
        """About how many bytes of the write-ahead log are in use; its file may be longer, of an earlier use."""
        for _ in self._frames(again=False):
            pass
        return self._seen[1]

    def _frames(self, *, again: bool = True) -> Iterator[tuple[int, int]]:
        """Pages (from 1) that the log has, with their size, and perhaps some that it had.

        again : from its beginning: what was seen after its end may have been written over
        """
        if not self.log.exists():
            return
        with self.log.open("rb") as stream:
            head = stream.read(_WAL_HEAD.size)
            if len(head) < _WAL_HEAD.size:
                return
            _, _, size, _, salts, _, _ = _WAL_HEAD.unpack(head)
            at = self._seen[1] if self._seen[0] == salts and not again else _WAL_HEAD.size
            stream.seek(at)
            while len(frame := stream.read(_FRAME.size)) == _FRAME.size:
                page, _, of, _, _ = _FRAME.unpack(frame)
                if of != salts:
                    break
                yield page, size
                at = stream.seek(size, os.SEEK_CUR)
        self._seen = salts, at

    def renew(self) -> None:
        """Read unknown pieces; the log must have been moved into the file wholly."""
        with disk_errors(self.database), self.database.open("rb") as stream:
            before = list(self._pieces)
            count = -(-self.database.stat().st_size // PIECE)
            self._pieces = (self._pieces + [_UNKNOWN] * count)[:count]
            for number, digest in enumerate(self._pieces):
                if digest == _UNKNOWN:
                    stream.seek(number * PIECE)
                    self._pieces[number] = _digest(stream.read(PIECE))
        if self._pieces != before or not self.path.exists():
            self._save()

    def forget(self) -> None:
        """Say nothing of any piece."""
        self._pieces = []
        with disk_errors(self.path):
            self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        for left in self.path.parent.glob(f".{self.path.name}.*.tmp"):  # of a process that died
            left.unlink(missing_ok=True)
        body = _HEAD.pack(_MAGIC, PIECE, len(self._pieces)) + b"".join(self._pieces)
        write_atomic(self.path, body + hashlib.sha256(body).digest(), private=True)

    def problems(self) -> list[str]:
        """Pieces that are not what was written.  While there is a writer, the answer means nothing."""
        if not self.path.exists():
            return []
        pieces = self._load()
        if pieces is None:
            return [f"{self.path.name}: damaged"]
        found, number = [], 0
        with disk_errors(self.database), self.database.open("rb") as stream:
            while (data := stream.read(PIECE)) or number < len(pieces):
                known = pieces[number] if number < len(pieces) else b""
                if known not in (_UNKNOWN, _digest(data)):
                    first = number * PIECE
                    found.append(f"{self.database.name}: bytes {first} to {first + PIECE - 1} are not what was written")
                number += 1
        return found

    def unknown(self) -> bool:
        """Whether some pieces can't be compared: a command was interrupted, or another program wrote to the file."""
        pieces = self._load()
        return pieces is None or _UNKNOWN in pieces


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SIZE]
