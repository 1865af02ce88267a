"""The minutiae of Type-9 records in the picture's own pixels: four blocks of fields that say the same in four ways.

================  ==========  ============================================================================
block             fields      position and direction
================  ==========  ============================================================================
standard          9.005-.012  0.01 mm, origin bottom left; away from the ridge (1-2007 and before)
fbi               9.013-.030  0.01 mm, origin top left; along the ridge (EFTS 7.1, Appendix J)
incits378 ("M1")  9.126-.150  px, origin top left; along the ridge, in 2 degrees
efs               9.300-.399  0.01 mm from the top left corner of the region of interest; along the ridge
================  ==========  ============================================================================

What the first two mean was checked against NIST's reference files, which hold one pair of prints in three of the ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import (
    PPI,
    degrees_to_direction,
    hundredths_to_px,
    incits_to_direction,
    itl_to_ours,
)
from fpipe.core.errors import Damaged
from fpipe.formats.exchange.efs import FULL_TURN, Efs, read_efs
from fpipe.formats.exchange.pictures import RecordPicture, pictures_of
from fpipe.formats.exchange.records import ExchangeFile, Record
from fpipe.formats.exchange.tables import EFS_KINDS, MINUTIA_KINDS
from fpipe.formats.resolution import UNSTATED, credible, per_centimetre, per_inch

Block = Literal["standard", "fbi", "incits378", "efs"]
_PACKED = (11, 13)
"""Digits of XXXXYYYYTTT, and of a palm's XXXXXYYYYYTTT."""
_MOST = 99_999
"""No position of an impression is larger, in px or 0.01 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The minutiae of one block.

    finger : position, None where neither the block nor the picture says it
    width, height : of the picture they are on, px; None where there is none
    ppi : pixels an inch of the positions
    x, y : (N,) float64, px, origin at the top left; direction : (N,) float64, rad, [0, 2 pi)
    kind : (N,) uint8, as ISO numbers them; quality : (N,) uint8, 1..100, 0 = not reported
    radius : (N,) float64, px, within which each lies; spread : (N,) float64, degrees, of its direction; NaN unsaid
    cores, deltas : (x, y), px
    efs : the whole markup, of block "efs"
    """

    record: Record
    block: Block
    finger: int | None
    width: int | None
    height: int | None
    ppi: float | None
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    direction: NDArray[np.float64]
    kind: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    radius: NDArray[np.float64]
    spread: NDArray[np.float64]
    cores: tuple[tuple[float, float], ...] = ()
    deltas: tuple[tuple[float, float], ...] = ()
    efs: Efs | None = None
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the positions of a record refer to: the picture of the same IDC, if there is one."""

    finger: int | None = None
    width: int | None = None
    height: int | None = None
    ppi: float | None = None
    found: bool = False
    notices: tuple[str, ...] = ()


def marks_of(file: ExchangeFile, where: str) -> list[Marks]:
    """The minutiae of all Type-9 records, block by block.

    Raises Damaged, naming record, field and entry, where a block is not what it must be.
    """
    pictures = pictures_of(file)
    return [marks for record in file.records if record.type == 9 for marks in marks_in(record, pictures, where)]


def marks_in(record: Record, pictures: list[RecordPicture], where: str) -> list[Marks]:
    """The same of one Type-9 record; ``pictures`` of its file."""
    at = f"{where}: Type-9 record (IDC {record.idc})"
    frame = _frame(record, pictures)
    found = [read(record, frame, at) for read in (_standard, _fbi, _incits, _efs)]
    return [marks for marks in found if marks is not None]


def _frame(record: Record, pictures: list[RecordPicture]) -> _Frame:
    found = [picture for picture in pictures if picture.record.idc == record.idc and record.idc is not None]
    if not found:
        return _Frame()
    first, ppi = found[0], credible(found[0].resolution)[0]
    told = (f"{len(found)} pictures of this IDC: taken as of the first, {first.name}",) * (len(found) > 1)
    return _Frame(first.finger, first.width or None, first.height or None, ppi, found=True, notices=told)


def _standard(record: Record, frame: _Frame, where: str) -> Marks | None:
    """Field 9.012, with the finger of 9.006, cores and deltas of 9.008 and 9.009."""
    rows = record.entries(12)
    if not rows:
        return None
    notices, scale = [], frame.ppi or float(PPI)
    points = [_packed(items, 9, 12, i, where) for i, items in enumerate(rows, 1)]
    height = frame.height
    if height is None or frame.ppi is None:
        notices.append(_unframed(frame, "the highest of them" if height is None else ""))
    if height is None:
        top = max((y for _, y, _ in points), default=0)
        height = round(top * scale / 2540) + 1
    x, up, degrees = _columns(points)
    y, direction = itl_to_ours(up, degrees, height, scale)
    kinds = [MINUTIA_KINDS.get(items[3].strip().upper()[:1] if len(items) > 3 else "", 0) for items in rows]
    quality = [_standard_quality(items[2] if len(items) > 2 else "") for items in rows]

    def places(number: int) -> tuple[tuple[float, float], ...]:
        found = [
            _digits(items[0], 8, 9, number, i, where) for i, items in enumerate(record.entries(number), 1) if items[0]
        ]
        rows = [height - 0.5 - int(text[4:]) * scale / 2540 for text in found]
        return tuple((int(text[:4]) * scale / 2540, row) for text, row in zip(found, rows, strict=True))

    return _marks(
        record, "standard", _finger(record, 6, frame), frame, scale, hundredths_to_px(x, scale), y, direction,
        kinds, quality, cores=places(8), deltas=places(9), notices=notices,
    )  # fmt: skip


def _fbi(record: Record, frame: _Frame, where: str) -> Marks | None:
    """Field 9.023, with the finger of 9.014."""
    rows = record.entries(23)
    if not rows:
        return None
    scale = frame.ppi or float(PPI)
    notices = [] if frame.ppi is not None else [_unframed(frame, "")]
    x, y, degrees = _columns([_packed(items, 9, 23, i, where) for i, items in enumerate(rows, 1)])
    kinds = [MINUTIA_KINDS.get(items[3].strip().upper()[:1] if len(items) > 3 else "", 0) for items in rows]
    quality = [_standard_quality(items[2] if len(items) > 2 else "") for items in rows]
    return _marks(
        record, "fbi", _finger(record, 14, frame), frame, scale, hundredths_to_px(x, scale),
        hundredths_to_px(y, scale), degrees_to_direction(degrees), kinds, quality, notices=notices,
    )  # fmt: skip


def _incits(record: Record, frame: _Frame, where: str) -> Marks | None:
    """Field 9.137, with the picture's size and scale of 9.128 to 9.132, the finger of 9.134, cores and deltas."""
    rows = record.entries(137)
    if not rows and record.field(136) is None:
        return None
    values = np.array(
        [[_number(items, at, 137, i, where) for at in range(1, 6)] for i, items in enumerate(rows, 1)], np.int64
    ).reshape(-1, 5)
    if (values[:, 2] > 179).any():
        entry = int(np.argmax(values[:, 2] > 179)) + 1
        got = int(values[entry - 1, 2])
        raise Damaged(where=where, reason=f"field 9.137, entry {entry}, item 4: {got}, expected 0 to 179")
    unit, across, down = record.integer(130), record.integer(131), record.integer(132)
    stated = (per_inch if unit == 1 else per_centimetre)(across, down) if across and down and unit else UNSTATED
    ppi, doubt = credible(stated)
    width, height = record.integer(128), record.integer(129)
    notices = [] if stated is UNSTATED or ppi else [f"fields 9.131 and 9.132: {doubt}"]
    if ppi and frame.ppi and abs(ppi - frame.ppi) > 0.005 * ppi:
        notices.append(f"fields 9.130 to 9.132 say {ppi:.6g} ppi, the picture's record {frame.ppi:.6g}")
    count = record.integer(136)
    if count is not None and count != len(rows):
        notices.append(f"field 9.136 says {count} minutiae, field 9.137 has {len(rows)}")
    if frame.found and (width, height) != (frame.width, frame.height):
        notices.append(
            f"fields 9.128 and 9.129 say {width} x {height} px, the picture has {frame.width} x {frame.height}"
        )
    frame = replace(frame, width=width or frame.width, height=height or frame.height, ppi=ppi or frame.ppi)

    def places(number: int) -> tuple[tuple[float, float], ...]:
        entries = enumerate(record.entries(number), 1)
        return tuple(
            (float(_number(e, 0, number, i, where)), float(_number(e, 1, number, i, where))) for i, e in entries
        )

    kinds = np.where(values[:, 3] > 2, 0, values[:, 3])
    quality = np.where(values[:, 4] > 100, 0, values[:, 4])
    direction = incits_to_direction(values[:, 2].astype(np.uint8)).astype(np.float64)
    return _marks(
        record, "incits378", _finger(record, 134, frame), frame, frame.ppi, values[:, 0].astype(np.float64),
        values[:, 1].astype(np.float64), direction, kinds, quality, cores=places(139), deltas=places(140),
        notices=notices,
    )  # fmt: skip


def _efs(record: Record, frame: _Frame, where: str) -> Marks | None:
    """The extended feature set; also where it has no minutiae."""
    efs = read_efs(record, where)
    if efs is None:
        return None
    scale = frame.ppi or float(PPI)
    notices = [] if frame.ppi is not None else [_unframed(frame, "")]
    if efs.region is None:
        notices.append("no region of interest (9.300): positions are taken from the picture's corner")
    left, top = (efs.region.x, efs.region.y) if efs.region is not None else (0, 0)
    x, y, degrees = _columns([(m.x + left, m.y + top, m.direction) for m in efs.minutiae])

    def px(points: list[tuple[int, int]]) -> tuple[tuple[float, float], ...]:
        return tuple(((a + left) * scale / 2540, (b + top) * scale / 2540) for a, b in points)

    radius = np.array([np.nan if m.radius is None else m.radius * scale / 2540 for m in efs.minutiae], np.float64)
    spread = [np.nan if m.direction_uncertainty is None else m.direction_uncertainty for m in efs.minutiae]
    return _marks(
        record, "efs", efs.positions[0].code if efs.positions else frame.finger, frame, scale,
        hundredths_to_px(x, scale), hundredths_to_px(y, scale), degrees_to_direction(degrees),
        [EFS_KINDS[m.type] for m in efs.minutiae], [0] * len(efs.minutiae), radius=radius,
        spread=np.array(spread, np.float64), cores=px([(c.x, c.y) for c in efs.cores]),
        deltas=px([(d.x, d.y) for d in efs.deltas]), efs=efs, notices=notices,
    )  # fmt: skip


def _marks(
    record: Record,
    block: Block,
    finger: int | None,
    frame: _Frame,
    ppi: float | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    direction: NDArray[np.float64],
    kinds: list[int] | NDArray[np.int64],
    quality: list[int] | NDArray[np.int64],
    *,
    radius: NDArray[np.float64] | None = None,
    spread: NDArray[np.float64] | None = None,
    cores: tuple[tuple[float, float], ...] = (),
    deltas: tuple[tuple[float, float], ...] = (),
    efs: Efs | None = None,
    notices: list[str],
) -> Marks:
    unsaid = np.full(len(x), np.nan)
    told = [f"Type-9 record (IDC {record.idc}): {notice}" for notice in (*frame.notices, *notices)]
    if frame.width and frame.height:
        outside = int(np.sum((x < 0) | (y < -0.5) | (x >= frame.width) | (y >= frame.height)))
        if outside:
            size = f"{frame.width} x {frame.height} px"
            told.append(f"Type-9 record (IDC {record.idc}): {outside} minutiae outside the picture of {size}")
    return Marks(
        record, block, finger, frame.width, frame.height, ppi, x, y, direction,
        np.asarray(kinds, np.uint8), np.asarray(quality, np.uint8), unsaid if radius is None else radius,
        unsaid if spread is None else spread, cores, deltas, efs, tuple(told),
    )  # fmt: skip


def _unframed(frame: _Frame, origin: str) -> str:
    what = "the picture's resolution is unknown" if frame.found else "no picture of this IDC"
    measured = f" and measured from {origin}" if origin else ""
    return f"{what}: positions are given at {PPI} ppi{measured}"


def _columns(
    points: list[tuple[int, int, int]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(points, np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _packed(items: list[str], type: int, number: int, entry: int, where: str) -> tuple[int, int, int]:
    """Item 2, XXXXYYYYTTT."""
    item = items[1] if len(items) > 1 else ""
    text = _digits(item, _PACKED[len(item.strip()) == _PACKED[1]], type, number, entry, where)
    half, degrees = (len(text) - 3) // 2, int(text[-3:])
    if degrees > FULL_TURN:
        reason = f"field {type}.{number:03d}, entry {entry}: a direction of {degrees}, expected 0 to 359"
        raise Damaged(where=where, reason=reason)
    return int(text[:half]), int(text[half:-3]), degrees


def _digits(text: str, count: int, type: int, number: int, entry: int, where: str) -> str:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) == count):
        reason = f"field {type}.{number:03d}, entry {entry}: {text!r}, expected {count} digits"
        raise Damaged(where=where, reason=reason)
    return text


def _number(items: list[str], at: int, number: int, entry: int, where: str) -> int:
    text = items[at].strip() if at < len(items) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= _MOST):
        reason = f"field 9.{number}, entry {entry}, item {at + 1}: {text!r}, expected a number of up to {_MOST}"
        raise Damaged(where=where, reason=reason)
    return int(text)


def _standard_quality(text: str) -> int:
    """0 set by hand, 1 not known, 2 (best) to 63 (worst) -> 100..1, 0 = not reported."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        return 0
    value = int(text)
    return round(100 - (value - 2) * 99 / 61) if 2 <= value <= 63 else 0


def _finger(record: Record, number: int, frame: _Frame) -> int | None:
    stated = record.integer(number)
    return frame.finger if stated is None or stated > 99 or (stated == 0 and frame.finger) else stated
