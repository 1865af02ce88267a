"""ANSI INCITS 378 finger minutiae records of 2004 and 2009, read; ``records`` writes them.

They differ from ISO/IEC 19794-2 in their headers and in the unit of the direction, 2 degrees instead of 360/256.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpipe.core.conventions import incits_to_direction
from fpipe.minutiae.iso import extended_data, pixels_an_inch, view_of
from fpipe.minutiae.layouts import length_bytes
from fpipe.minutiae.views import NOT_REPORTED, Bytes, Record, View, old_impression

NAME_2004, NAME_2009 = "INCITS 378-2004", "INCITS 378-2009"
_MINUTIA_BYTES = 6
_DIRECTION_STEPS = 180


def read_2004(data: bytes, where: str) -> Record:
    """All views; extended data are skipped, wrong lengths of the whole are noticed.

    Raises BadTemplate where it is cut short.
    """
    file = Bytes(data, where, NAME_2004)
    file.take(8, "the magic bytes and the version")
    declared = int.from_bytes(file.take(length_bytes(data), "the record's length"), "big")
    file.take(6, "the product and the capture device")
    size = file.number(2, "the width"), file.number(2, "the height")
    ppi = pixels_an_inch(file), pixels_an_inch(file)
    count = file.number(1, "the number of views")
    file.take(1, "a reserved byte")
    views = []
    for number in range(1, count + 1):
        finger = file.number(1, f"view {number}")
        impression = old_impression(file.number(1, f"view {number}"))
        quality = file.number(1, f"view {number}")
        view = _view(file, number, finger, size, ppi)
        views.append(replace(view, impression=impression, finger_quality=quality))
    return file.record(declared, views)


def read_2009(data: bytes, where: str) -> Record:
    """All views, each with its own size and resolution; else as read_2004.  Amendment 1 (version 035) has the same."""
    file = Bytes(data, where, NAME_2009)
    file.take(8, "the magic bytes and the version")
    declared = file.number(4, "the record's length")
    file.take(7, "the product and the capture device")
    count = file.number(1, "the number of views")
    file.take(1, "a reserved byte")
    views = []
    for number in range(1, count + 1):
        finger = file.number(1, f"view {number}")
        _, impression, quality, *_ = file.take(7, f"view {number}: number, impression and quality")
        size = file.number(2, f"view {number}: width"), file.number(2, f"view {number}: height")
        ppi = pixels_an_inch(file), pixels_an_inch(file)
        view = _view(file, number, finger, size, ppi, NOT_REPORTED)
        stated = quality if quality <= 100 else None
        views.append(replace(view, impression=impression, finger_quality=stated))
    return file.record(declared, views)


def _view(
    file: Bytes,
    number: int,
    finger: int,
    size: tuple[int, int],
    ppi: tuple[float | None, float | None],
    unreported: int = 0,
) -> View:
    minutiae = file.number(1, f"view {number}'s number of minutiae")
    block = file.take(minutiae * _MINUTIA_BYTES, f"view {number} with {minutiae} minutiae")
    extended = extended_data(file)
    angles = np.frombuffer(block, np.uint8)[4::_MINUTIA_BYTES]
    if (angles >= _DIRECTION_STEPS).any():
        file.notices.append(f"view {number}: directions over {_DIRECTION_STEPS - 1}, taken modulo {_DIRECTION_STEPS}")
    view = view_of(block, _MINUTIA_BYTES, finger, size, ppi, unreported)
    direction = incits_to_direction(angles % _DIRECTION_STEPS).astype(np.float64)
    return replace(view, direction=direction, extended=extended)
