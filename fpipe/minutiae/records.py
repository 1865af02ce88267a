"""Views to ISO/IEC 19794-2 and INCITS 378 records: four formats that differ in their headers and in two units.

What none of them has a place for is said: one view's 256th minutia, more than one size or resolution in the formats of
2004 and 2005, which have one header for all views.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import direction_to_incits, direction_to_iso
from fpipe.core.errors import BadTemplate
from fpipe.minutiae.incits import NAME_2004, NAME_2009
from fpipe.minutiae.iso import MOST_POSITION, NAME_2005, NAME_2011
from fpipe.minutiae.views import CM_PER_INCH, CONTACTLESS, CONTACTLESS_2004, MOST_FINGER, NOT_REPORTED, View

MOST_MINUTIAE = 255
"""A view's count is one byte."""
_MOST_VIEWS = {"iso2005": 255, "iso2011": 65535, "incits2004": 255, "incits2009": 255}
_HELD = {
    "iso2005": frozenset({0, 1, 2, 3, 8}),
    "iso2011": frozenset({*range(10), 24, 28, 29}),
    "incits2004": frozenset({0, 1, 2, 3, 8, CONTACTLESS}),
    "incits2009": frozenset({0, 1, 2, 3, 8, 10, 11, *range(20, 30)}),
}
"""Impression types that a format has, by the codes since 2009."""
_NEAREST = {
    **dict.fromkeys(range(4, 8), (28, 2)),  # latents
    9: (28, 1),  # a vertical roll
    **{code: (code % 2,) for code in range(20, 24)},  # even: plain, odd: rolled
    **{code: (CONTACTLESS, code % 2) for code in range(24, 28)},
}
"""What stands for an impression type that a format lacks; without one, 28 (other) or 0."""
_UNKNOWN_OWNER = 0x0103
"""CBEFF's organisation for "unknown": INCITS 378 allows no zero."""
_NO_DATE = b"\xff" * 9


@dataclass(frozen=True, slots=True)
class Format:
    """One of the record formats.

    name : the standard and its year
    step_degrees : of a direction; unreported : the quality that says nothing
    shared : whether all views share one size and resolution
    """

    name: str
    angle: Callable[[NDArray[np.float64]], NDArray[np.uint8]]
    step_degrees: float
    unreported: int
    shared: bool


RECORDS = {
    "iso2005": Format(NAME_2005, direction_to_iso, 360 / 256, 0, shared=True),
    "iso2011": Format(NAME_2011, direction_to_iso, 360 / 256, NOT_REPORTED, shared=False),
    "incits2004": Format(NAME_2004, direction_to_incits, 2.0, 0, shared=True),
    "incits2009": Format(NAME_2009, direction_to_incits, 2.0, NOT_REPORTED, shared=False),
}
"""Short name -> format."""


def write_record(views: Sequence[View], format: str, where: str = "template") -> tuple[bytes, tuple[str, ...]]:
    """Views in whole pixels -> a record of the format (a key of RECORDS), and what was lost on the way, one line each.

    Of more than 255 minutiae those of the best quality are kept, in their order.

    Raises BadTemplate where a view's position, size or resolution has no place in the format.
    """
    chosen, notices = RECORDS[format], list[str]()
    parts, seen = [], dict[int, int]()
    for number, view in enumerate(views, 1):
        _check(view, chosen, where)
        best = _best(view)
        if len(best) < len(view.x):
            kept = f"{chosen.name} holds {MOST_MINUTIAE}: those of the best quality were kept"
            notices.append(f"view {number}: {len(view.x)} minutiae, {kept}")
        finger = view.finger if 0 <= view.finger <= MOST_FINGER else 0
        if finger != view.finger:
            notices.append(f"view {number}: {chosen.name} has no finger position {view.finger}; written as unknown")
        count = seen[finger] = seen.get(finger, -1) + 1
        impression = _impression(view.impression, _HELD[format])
        if impression != view.impression:
            told = f"has no impression type {view.impression}; written as {impression}"
            notices.append(f"view {number}: {chosen.name} {told}")
        parts.append((view, finger, count, impression, _rows(view, best, chosen)))
    if not 1 <= len(parts) <= _MOST_VIEWS[format]:
        reason = f"{len(parts) or 'no'} views, expected 1 to {_MOST_VIEWS[format]}"
        raise BadTemplate(where=where, format=chosen.name, reason=reason)
    if chosen.shared:
        notices += _shared(views, chosen, where)
    return _WRITERS[format](parts), tuple(notices)


def losses(views: Sequence[View], format: str) -> list[str]:
    """What a conversion of views to this format gives up beyond what write_record says, one line each."""
    chosen, lost = RECORDS[format], list[str]()
    turns = [_turn(view.direction, chosen) for view in views if len(view.x)]
    if max(turns, default=0.0) > 0.01:
        lost.append(f"directions rounded by up to {max(turns):.2f} degrees: {chosen.name} has steps of "
                    f"{chosen.step_degrees:g}")  # fmt: skip
    extended = sum(view.extended for view in views)
    if extended:
        lost.append(f"{extended} bytes of extended data (ridge counts, cores, deltas or a maker's own) are left out")
    return lost


def _turn(direction: NDArray[np.float64], format: Format) -> float:
    """Largest difference, degrees, to the direction as written."""
    written = format.angle(direction).astype(np.float64) * format.step_degrees
    return float(np.abs((written - np.rad2deg(direction) + 180.0) % 360.0 - 180.0).max())


Part = tuple[View, int, int, int, bytes]
"""A view, its finger, its number among that finger's views, its impression type, its minutiae as bytes."""


def _check(view: View, format: Format, where: str) -> None:
    if view.width is None or view.height is None:
        raise BadTemplate(where=where, format=format.name, reason="the size of the picture is not known")
    reach = max(view.x.max(initial=0), view.y.max(initial=0))
    most = max(view.width, view.height)
    if most > 65535 or reach > MOST_POSITION or max(_per_cm(view)) > 65535:
        facts = f"{view.width} x {view.height} px at {view.ppi_x or 0:g} ppi, a position of {reach:g}"
        reason = f"{facts}; expected positions up to {MOST_POSITION}; write a smaller ppi"
        raise BadTemplate(where=where, format=format.name, reason=reason)


def _shared(views: Sequence[View], format: Format, where: str) -> list[str]:
    """The formats with one header: other resolutions are refused, of several sizes the largest is taken and said."""
    if len({_per_cm(view) for view in views}) > 1:
        reason = "its views have different resolutions, this format has one for all; iso2011 and incits2009 hold them"
        raise BadTemplate(where=where, format=format.name, reason=reason)
    if len({(view.width, view.height) for view in views}) > 1:
        return [f"the views have pictures of different sizes, {format.name} has one for all: the largest is written"]
    return []


def _best(view: View) -> NDArray[np.int64]:
    order = np.argsort(-view.reported().astype(np.int64), kind="stable")
    return np.sort(order[:MOST_MINUTIAE])


def _impression(code: int, held: frozenset[int]) -> int:
    return next(found for found in (code, *_NEAREST.get(code, ()), 28, 0) if found in held)


def _rows(view: View, rows: NDArray[np.int64], format: Format) -> bytes:
    quality = view.reported()[rows]
    table = np.zeros(len(rows), np.dtype([("x", ">u2"), ("y", ">u2"), ("direction", "u1"), ("quality", "u1")]))
    kind = np.where(view.kind > 2, 0, view.kind).astype(np.int64)
    table["x"] = kind[rows] << 14 | np.rint(view.x[rows]).astype(np.int64)
    table["y"] = np.rint(view.y[rows]).astype(np.int64)
    table["direction"] = format.angle(view.direction[rows])
    table["quality"] = np.where(quality == 0, format.unreported, quality)
    return table.tobytes()


def _per_cm(view: View) -> tuple[int, int]:
    """Pixels a centimetre, 0 where unknown."""
    return round((view.ppi_x or 0) / CM_PER_INCH), round((view.ppi_y or 0) / CM_PER_INCH)


def _quality(view: View, absent: int) -> int:
    """Of the whole view: as stated, or the mean of what its minutiae say."""
    if view.finger_quality is not None and view.finger_quality <= 100:
        return view.finger_quality
    known = view.reported()[view.reported() > 0]
    return round(float(known.mean())) if len(known) else absent


def _count(rows: bytes) -> int:
    return len(rows) // 6


def _common(parts: list[Part]) -> bytes:
    """Size, resolution and number of views, as the headers of 2004 and 2005 have them."""
    width, height = max(p[0].width or 0 for p in parts), max(p[0].height or 0 for p in parts)
    return struct.pack(">HHHHBB", width, height, *_per_cm(parts[0][0]), len(parts), 0)


def _small_views(parts: list[Part]) -> bytes:
    """Views of the formats of 2004 and 2005."""
    out = b""
    for view, finger, number, impression, rows in parts:
        code = CONTACTLESS_2004 if impression == CONTACTLESS else impression
        out += struct.pack(">BBBB", finger, (number & 15) << 4 | code, _quality(view, 0), _count(rows))
        out += rows + struct.pack(">H", 0)
    return out


def _write_iso_2005(parts: list[Part]) -> bytes:
    body = struct.pack(">H", 0) + _common(parts) + _small_views(parts)
    return b"FMR\0 20\0" + struct.pack(">I", 12 + len(body)) + body


def _write_incits_2004(parts: list[Part]) -> bytes:
    body = struct.pack(">HHH", _UNKNOWN_OWNER, 0, 0) + _common(parts) + _small_views(parts)
    length = 10 + len(body)  # two bytes hold it, or two zeros and four
    return b"FMR\0 20\0" + (struct.pack(">H", length) if length < 65536 else struct.pack(">HI", 0, length + 4)) + body


def _write_incits_2009(parts: list[Part]) -> bytes:
    body = struct.pack(">HHBHBB", _UNKNOWN_OWNER, 0, 0, 0, len(parts), 0)
    for view, finger, number, impression, rows in parts:
        quality = _quality(view, NOT_REPORTED)
        body += struct.pack(">BBBBHH", finger, number, impression, quality, _UNKNOWN_OWNER, 0)
        body += struct.pack(">HHHHB", view.width, view.height, *_per_cm(view), _count(rows))
        body += rows + struct.pack(">H", 0)
    return b"FMR\x00030\0" + struct.pack(">I", 12 + len(body)) + body


def _write_iso_2011(parts: list[Part]) -> bytes:
    body = struct.pack(">HB", len(parts), 0)
    for view, finger, number, impression, rows in parts:
        quality = _quality(view, NOT_REPORTED)
        blocks = struct.pack(">BHH", quality, 0, 0) if quality <= 100 else b""
        one = _NO_DATE + struct.pack(">BHHB", 0, 0, 0, len(blocks) // 5) + blocks
        one += struct.pack(">BBHHB", finger, number & 255, *_per_cm(view), impression)
        one += struct.pack(">HHBB", view.width, view.height, 6 << 4, _count(rows)) + rows + struct.pack(">H", 0)
        body += struct.pack(">I", 4 + len(one)) + one
    return b"FMR\x00030\0" + struct.pack(">I", 12 + len(body)) + body


_WRITERS: dict[str, Callable[[list[Part]], bytes]] = {
    "iso2005": _write_iso_2005,
    "iso2011": _write_iso_2011,
    "incits2004": _write_incits_2004,
    "incits2009": _write_incits_2009,
}
