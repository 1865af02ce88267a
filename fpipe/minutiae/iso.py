"""ISO/IEC 19794-2 finger minutiae records: 2005 read and written, 2011 read."""

from __future__ import annotations

import struct

import numpy as np

from fpipe.core.conventions import PPI, direction_to_iso, iso_to_direction
from fpipe.core.errors import BadTemplate
from fpipe.core.types import Template
from fpipe.minutiae.views import CM_PER_INCH, Bytes, Record, View

NAME_2005, NAME_2011 = "ISO/IEC 19794-2:2005", "ISO/IEC 19794-2:2011"
MOST_MINUTIAE = 255
"""A view's count is one byte."""
MOST_POSITION = (1 << 14) - 1
"""A position has 14 bits."""
_MINUTIA_BYTES = 6


def read_2005(data: bytes, where: str) -> Record:
    """All views of a 2005 record; extended data are skipped, wrong lengths of the whole are noticed.

    Raises BadTemplate where it is cut short.
    """
    file = Bytes(data, where, NAME_2005)
    file.take(8, "the magic bytes and the version")
    declared = file.number(4, "the record's length")
    file.take(2, "the capture device")
    width, height = file.number(2, "the width"), file.number(2, "the height")
    ppi_x, ppi_y = pixels_an_inch(file), pixels_an_inch(file)
    count = file.number(1, "the number of views")
    file.take(1, "a reserved byte")
    views = []
    for number in range(1, count + 1):
        finger = file.number(1, f"view {number}")
        file.take(2, f"view {number}")
        minutiae = file.number(1, f"view {number}'s number of minutiae")
        block = file.take(minutiae * _MINUTIA_BYTES, f"view {number} with {minutiae} minutiae")
        views.append(view_of(block, _MINUTIA_BYTES, finger, (width, height), (ppi_x, ppi_y)))
        file.take(file.number(2, "the length of the extended data"), "the extended data")
    return file.record(declared, views)


def is_2011(data: bytes) -> bool:
    """Whether a version 030 record is ISO's and not INCITS 378-2009: its representations' lengths fit the file."""
    count, at = int.from_bytes(data[12:14], "big"), 15
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 36 or at + length > len(data):
            return False
        at += length
    return count > 0


def read_2011(data: bytes, where: str) -> Record:
    """All representations of a 2011 record.

    Raises BadTemplate where its lengths contradict each other.
    """
    file = Bytes(data, where, NAME_2011)
    file.take(8, "the magic bytes and the version")
    declared = file.number(4, "the record's length")
    count = file.number(2, "the number of representations")
    certified = file.number(1, "the certification flag")
    views = []
    for number in range(1, count + 1):
        what, start = f"representation {number}", file.at
        length = file.number(4, what)
        file.take(14, f"{what}: date and device")
        file.take(5 * file.number(1, what), f"{what}: quality blocks")
        if certified:
            file.take(3 * file.number(1, what), f"{what}: certification blocks")
        finger = file.number(1, what)
        file.take(1, what)
        ppi = pixels_an_inch(file), pixels_an_inch(file)
        file.take(1, what)
        size = file.number(2, f"{what}: width"), file.number(2, f"{what}: height")
        field = file.number(1, what) >> 4
        if field not in (5, 6):
            raise file.bad(f"at byte {file.at - 1}: minutiae of {field} bytes, expected 5 or 6")
        minutiae = file.number(1, f"{what}: number of minutiae")
        block = file.take(minutiae * field, f"{what} with {minutiae} minutiae")
        views.append(view_of(block, field, finger, size, ppi))
        file.take(file.number(2, "the length of the extended data"), "the extended data")
        if file.at != start + length:
            raise file.bad(f"{what} declares {length} bytes and has {file.at - start}")
    return file.record(declared, views)


def write(template: Template, *, ppi: float = PPI, finger: int = 0) -> tuple[bytes, tuple[str, ...]]:
    """Template -> a 2005 record of one view, and what was lost on the way.

    ppi : resolution of the positions in the file
    Of more than 255 minutiae those of the best quality are kept, in their order.

    Raises BadTemplate where a position does not fit into 14 bits at this resolution.
    """
    m, notices = template.minutiae, []
    if len(m) > MOST_MINUTIAE:
        best = np.argsort(-m.quality.astype(np.int64), kind="stable")[:MOST_MINUTIAE]
        notices.append(f"{len(m)} minutiae, {NAME_2005} holds {MOST_MINUTIAE}: those of the best quality were kept")
        m = m.take(np.sort(best))
    scale = ppi / PPI
    width, height = round(template.width * scale), round(template.height * scale)
    per_cm = round(ppi / CM_PER_INCH)
    x = np.clip(np.rint(m.x.astype(np.float64) * scale), 0, max(width - 1, 0)).astype(np.int64)
    y = np.clip(np.rint(m.y.astype(np.float64) * scale), 0, max(height - 1, 0)).astype(np.int64)
    if max(width, height) > 65535 or max(x.max(initial=0), y.max(initial=0)) > MOST_POSITION or per_cm > 65535:
        reason = f"{width} x {height} px at {ppi:g} ppi, expected positions up to {MOST_POSITION}; write a smaller ppi"
        raise BadTemplate(where=template.source or "template", format=NAME_2005, reason=reason)
    rows = np.zeros(len(m), np.dtype([("x", ">u2"), ("y", ">u2"), ("direction", "u1"), ("quality", "u1")]))
    rows["x"] = m.kind.astype(np.int64) << 14 | x
    rows["y"] = y
    rows["direction"] = direction_to_iso(m.direction)
    rows["quality"] = m.quality
    reported = m.quality[m.quality > 0]
    quality = round(float(reported.mean())) if len(reported) else 0
    view = struct.pack(">BBBB", finger, 0, quality, len(m)) + rows.tobytes() + struct.pack(">H", 0)
    length = 24 + len(view)
    header = struct.pack(">4s4sIHHHHHBB", b"FMR\0", b" 20\0", length, 0, width, height, per_cm, per_cm, 1, 0)
    return header + view, tuple(notices)


def pixels_an_inch(file: Bytes) -> float | None:
    """The next two bytes, pixels a centimetre, in pixels an inch; 0 means unknown."""
    return file.number(2, "the resolution") * CM_PER_INCH or None


def view_of(
    block: bytes, stride: int, finger: int, size: tuple[int, int], ppi: tuple[float | None, float | None]
) -> View:
    """The view of a block of minutiae of 5 bytes, or 6 with quality; directions in ISO's unit."""
    rows = np.frombuffer(block, np.uint8).reshape(-1, stride)
    x = rows[:, 0].astype(np.int64) << 8 | rows[:, 1]
    y = rows[:, 2].astype(np.int64) << 8 | rows[:, 3]
    return View(
        finger=finger,
        width=size[0],
        height=size[1],
        ppi_x=ppi[0],
        ppi_y=ppi[1],
        x=(x & MOST_POSITION).astype(np.float64),
        y=(y & MOST_POSITION).astype(np.float64),
        direction=iso_to_direction(rows[:, 4]).astype(np.float64),
        kind=(x >> 14).astype(np.uint8),
        quality=rows[:, 5].copy() if stride == _MINUTIA_BYTES else np.zeros(len(rows), np.uint8),
    )
