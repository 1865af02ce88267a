"""Image file directories: the tag lists of TIFF, BigTIFF and EXIF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from fpipe.core.errors import Damaged, Truncated
from fpipe.formats.resolution import UNSTATED, Resolution, per_centimetre, per_inch, unusable

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296

_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
_TYPES |= {16: "Q", 17: "q", 18: "Q"}
"""Field type -> struct code of one value; two codes are a fraction."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory; values are read when asked for, so that a broken tag nobody needs hurts nobody."""

    data: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]
    where: str

    def numbers(self, tag: int, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        """A tag's values, fractions divided out (x/0 is infinite, 0/0 not a number); ``default`` where it is absent."""
        if tag not in self.entries:
            return default
        kind, count, offset = self.entries[tag]
        if kind not in _TYPES:
            raise Damaged(where=self.where, reason=f"tag {tag} has the unknown field type {kind}")
        codes = _TYPES[kind]
        size = struct.calcsize(self.order + codes) * count
        if offset + size > len(self.data):
            raise Truncated(
                where=self.where,
                reason=f"tag {tag} has {size} bytes at {offset}, the file has {len(self.data)}",
            )
        values = struct.unpack_from(f"{self.order}{len(codes) * count}{codes[0]}", self.data, offset)
        if len(codes) == 1:
            return values
        return tuple(_divided(n, d) for n, d in zip(values[::2], values[1::2], strict=True))

    def integers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A tag's values where only whole numbers make sense."""
        values = self.numbers(tag, default)
        if any(value != value or value in (float("inf"), float("-inf")) or value != int(value) for value in values):
            raise Damaged(where=self.where, reason=f"tag {tag} holds {values[:4]}, expected whole numbers")
        return tuple(int(value) for value in values)

    def integer(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        values = self.integers(tag, (default,))
        return values[0] if values else default

    def raw(self, tag: int) -> bytes:
        """A tag's bytes; empty where it is absent."""
        if tag not in self.entries:
            return b""
        _, count, offset = self.entries[tag]
        if offset + count > len(self.data):
            raise Truncated(where=self.where, reason=f"tag {tag} has {count} bytes at {offset}, beyond the file")
        return self.data[offset : offset + count]

    def orientation(self) -> int:
        """1..8; anything else, 0 above all, means that nobody set it."""
        value = self.integer(ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    def resolution(self) -> Resolution:
        """Of the three resolution tags, their unit respected: inch where the tag is missing, as the standard says."""
        x, y = self.numbers(X_RESOLUTION), self.numbers(Y_RESOLUTION)
        if not x and not y:
            return UNSTATED
        across, down = (x or y)[0], (y or x)[0]
        unit = self.integer(RESOLUTION_UNIT, 2)
        if unit == 2:
            return per_inch(across, down)
        if unit == 3:
            return per_centimetre(across, down)
        return unusable(f"the file states {across:.6g} x {down:.6g} without a unit of length")


def _divided(numerator: int, denominator: int) -> float:
    if denominator:
        return float(numerator / denominator)
    return float("inf") if numerator else float("nan")


def read_directories(data: bytes, where: str, most: int = 10_000) -> Iterator[Directory]:
    """The directories of a TIFF file or EXIF block in their order.

    Raises Damaged or Truncated where the chain leaves the file or turns back on itself.
    """
    if len(data) < 8:
        raise Truncated(where=where, reason=f"a TIFF header needs 8 bytes, there are {len(data)}")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    magic = struct.unpack_from(f"{order}H", data, 2)[0] if order else None
    if order is None or magic not in (42, 43):
        raise Damaged(where=where, reason=f"a TIFF header begins with {data[:4].hex()}")
    big = magic == 43
    head, entry, pointer = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    at = 8 if big else 4
    seen: set[int] = set()
    while True:
        offset = _unpack(order + pointer, data, at, where)[0]
        if offset == 0:
            if not seen:
                raise Damaged(where=where, reason="no picture directory")
            return
        if offset in seen or len(seen) >= most:
            raise Damaged(where=where, reason="the picture directories follow each other in a circle")
        seen.add(offset)
        count = _unpack(order + head, data, offset, where)[0]
        first, step = offset + struct.calcsize(order + head), struct.calcsize(order + entry)
        _unpack(f"{order}{step * count}s", data, first, where)
        yield Directory(data, order, _entries(data, order, entry, first, step, count), where)
        at = first + step * count


def _entries(data: bytes, order: str, entry: str, first: int, step: int, count: int) -> dict[int, tuple[int, int, int]]:
    """Tag -> (type, count, where its values lie): in the entry itself where they fit."""
    inline = struct.calcsize(order + entry[-1])
    found: dict[int, tuple[int, int, int]] = {}
    for at in range(first, first + step * count, step):
        tag, kind, number, offset = struct.unpack_from(order + entry, data, at)
        size = struct.calcsize(order + _TYPES.get(kind, "B")) * number
        found.setdefault(tag, (kind, number, at + step - inline if size <= inline else offset))
    return found


def _unpack(code: str, data: bytes, at: int, where: str) -> tuple[int, ...]:
    if at + struct.calcsize(code) > len(data):
        raise Truncated(where=where, reason=f"a picture directory at byte {at}, the file has {len(data)}")
    return struct.unpack_from(code, data, at)


def exif(block: bytes, where: str) -> tuple[int, Resolution, str]:
    """(orientation, resolution, notice) of an EXIF block; a broken block is named, not guessed at."""
    try:
        directory = next(read_directories(block, where))
        return directory.orientation(), directory.resolution(), ""
    except (Damaged, Truncated):
        return 1, UNSTATED, "its EXIF block is damaged: orientation and resolution in it could not be read"
