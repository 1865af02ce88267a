"""ISO/IEC 19794-2 finger minutiae records of 2005 and 2011, read; ``records`` writes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpipe.core.conventions import iso_to_direction
from fpipe.minutiae.views import CM_PER_INCH, NOT_REPORTED, Bytes, Record, View, old_impression

NAME_2005, NAME_2011 = "ISO/IEC 19794-2:2005", "ISO/IEC 19794-2:2011"
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
        impression = old_impression(file.number(1, f"view {number}"))
        quality = file.number(1, f"view {number}")
        minutiae = file.number(1, f"view {number}'s number of minutiae")
        block = file.take(minutiae * _MINUTIA_BYTES, f"view {number} with {minutiae} minutiae")
        view = view_of(block, _MINUTIA_BYTES, finger, (width, height), (ppi_x, ppi_y))
        views.append(replace(view, impression=impression, finger_quality=quality, extended=extended_data(file)))
    return file.record(declared, views)


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
        qualities = file.take(5 * file.number(1, what), f"{what}: quality blocks")
        if certified:
            file.take(3 * file.number(1, what), f"{what}: certification blocks")
        finger = file.number(1, what)
        file.take(1, what)
        ppi = pixels_an_inch(file), pixels_an_inch(file)
        impression = file.number(1, what)
        size = file.number(2, f"{what}: width"), file.number(2, f"{what}: height")
        field = file.number(1, what) >> 4
        if field not in (5, 6):
            raise file.bad(f"at byte {file.at - 1}: minutiae of {field} bytes, expected 5 or 6")
        minutiae = file.number(1, f"{what}: number of minutiae")
        block = file.take(minutiae * field, f"{what} with {minutiae} minutiae")
        quality = qualities[0] if qualities and qualities[0] <= 100 else None
        view = view_of(block, field, finger, size, ppi, unreported=NOT_REPORTED)
        views.append(replace(view, impression=impression, finger_quality=quality, extended=extended_data(file)))
        if file.at != start + length:
            raise file.bad(f"{what} declares {length} bytes and has {file.at - start}")
    return file.record(declared, views)


def pixels_an_inch(file: Bytes) -> float | None:
    """The next two bytes, pixels a centimetre, in pixels an inch; 0 means unknown."""
    return file.number(2, "the resolution") * CM_PER_INCH or None


def extended_data(file: Bytes) -> int:
    """Skip a view's extended data; returns their bytes."""
    return len(file.take(file.number(2, "the length of the extended data"), "the extended data"))


def view_of(
    block: bytes,
    stride: int,
    finger: int,
    size: tuple[int, int],
    ppi: tuple[float | None, float | None],
    unreported: int = 0,
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
        quality=rows[:, 5].copy() if stride == _MINUTIA_BYTES else np.full(len(rows), unreported, np.uint8),
        unreported=unreported,
    )
