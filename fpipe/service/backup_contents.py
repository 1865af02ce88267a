"""What a backup consists of: the pieces of its database, and the list of its files, itself an object of the folder.

A database changes a little from day to day, so it is cut into pieces that backups share.  New rows come at the end of
their tables, but a new name or hash may come into any page of an index, and these lie all over the file.  So each
window of it is two pieces: its pages of indexes, few, most of which change; and all others, of which hardly any does.

How much of the database of a gallery of 57,000 prints a backup copied, and the objects to a GB, ``--`` in one piece:

    window     0.1 % prints added    1 % added    1 % added, one removed    objects
    64 KiB                  0.4 %        4.0 %                     8.0 %     19,000
    256 KiB                 0.7 %        5.6 %                    16.2 %      6,500
    1 MiB                   1.7 %        8.4 %                    31.7 %      1,900
    1 MiB --               19.5 %       82.9 %                    99.7 %        960
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO

from fpipe.store.database import Database

WINDOW = 1 << 18
"""Bytes of a database that become at most two pieces, of the accesses one: they grow at their end."""
PAGE = 4096
"""Bytes of a page, SQLite's usual size.  Of a database of another one, less is shared."""
PRINTS = 8192
"""Ids of prints to a list of hashes: a new print changes the last list alone, a removal those of its prints."""
_INDEX = (2, 10)
"""First byte of a page of an index (SQLite's file format, 1.6)."""
_KEPT, _ELSEWHERE = "kept", "elsewhere"


@dataclass(frozen=True, slots=True)
class Window:
    """Some of a database's bytes, by the sha256 of the pieces that hold them; "" for an empty one.

    rest : pages that are of no index; index : those that are; mask : bit n is set where page n is of an index
    """

    rest: str
    index: str = ""
    mask: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """windows : of the database, in order; accesses : sha256 of the pieces of their log, in order
    segments : (sha256, generation); prints : sha256 of lists of hashes
    """

    windows: tuple[Window, ...]
    accesses: tuple[str, ...]
    segments: tuple[tuple[str, int], ...]
    prints: tuple[str, ...]

    def rendered(self) -> bytes:
        """As the bytes of an object."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def parsed(cls, data: bytes) -> Contents:
        """Of the bytes of an object, which were compared with its sha256.

        Raises ValueError, TypeError or KeyError where another version wrote them.
        """
        said = json.loads(data)
        windows = tuple(Window(**one) for one in said.pop("windows"))
        segments = tuple((sha256, number) for sha256, number in said.pop("segments"))
        return cls(windows=windows, segments=segments, **{name: tuple(hashes) for name, hashes in said.items()})

    def pieces(self) -> Iterator[str]:
        """sha256 of the database's pieces."""
        yield from (sha256 for window in self.windows for sha256 in (window.rest, window.index) if sha256)


def windows_of(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, a window's at a time."""
    while data := stream.read(WINDOW):
        yield data


def split(data: bytes) -> tuple[bytes, bytes, int]:
    """The bytes of a window -> its pages of no index, those of indexes, and the mask that says which are."""
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    mask = sum(1 << number for number, page in enumerate(pages) if page[0] in _INDEX)
    parts = [b"".join(page for n, page in enumerate(pages) if mask >> n & 1 == index) for index in (0, 1)]
    return parts[0], parts[1], mask


def joined(rest: bytes, index: bytes, mask: int) -> bytes:
    """What was split."""
    parts, at = (rest, index), [0, 0]
    found = []
    for number in range(-(-(len(rest) + len(index)) // PAGE)):
        of = mask >> number & 1
        found.append(parts[of][at[of] : at[of] + PAGE])
        at[of] += PAGE
    return b"".join(found)


def lists_of(database: Database) -> Iterator[bytes]:
    """The lists of the hashes of all prints, and whether the gallery keeps their files."""
    lines: dict[str, None] = {}
    begun = 0
    sql = "SELECT id, sha256, path IS NULL FROM prints WHERE print IS NOT NULL ORDER BY id"
    for number, sha256, kept in database.each(sql):
        if number // PRINTS != begun and lines:
            yield _list(lines)
            lines = {}
        begun = number // PRINTS
        lines[f"{sha256} {_KEPT if kept else _ELSEWHERE}\n"] = None
    if lines:
        yield _list(lines)


def _list(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode()


def kept_of(data: bytes) -> Iterator[str]:
    """The sha256 of the files in a list that the gallery keeps."""
    for line in data.decode().splitlines():
        sha256, _, where = line.partition(" ")
        if where == _KEPT:
            yield sha256
