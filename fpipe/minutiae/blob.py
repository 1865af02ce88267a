"""The template's own binary format: what galleries store and ``.fpt`` files hold.

Little-endian: header, the minutiae as columns (x and y in 1/8 px, direction in 65536ths of a turn, type, quality),
the optional parts (mask as packed bits; orientation in 255ths of a half turn with 255 for "absent"; the weak minutiae,
as the others), the source as UTF-8 and the crc32 of all before it.  Equal templates give equal bytes;
``decode(encode(t))`` is ``quantised(t)``.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import TWO_PI, grid_shape
from fpipe.core.errors import BadTemplate
from fpipe.core.types import KIND_NAMES, Minutiae, Template

MAGIC = b"FPT\x1a"
VERSION = 1
"""Raised when the layout changes; part of a gallery's comparison digest."""

STEPS_PX = 8
"""Steps a pixel of a stored position."""
DIRECTION_STEPS = 65536
"""Steps a turn of a stored direction."""
ORIENTATION_STEPS = 255
"""Steps a half turn of a stored orientation; this value itself means "absent"."""
MOST_PX = 8191
"""Longest side, px at 500 ppi: what 16 bits of 1/8 px hold."""
MOST_MINUTIAE = 65535

_HEADER = struct.Struct("<4sBBHHHH")  # magic, version, flags, width, height, minutiae, bytes of the source
_COUNT = struct.Struct("<H")  # weak minutiae, where there are any
_CRC = struct.Struct("<I")
_HAS_MASK, _HAS_ORIENTATION, _HAS_WEAK = 1, 2, 4
_BYTES_A_MINUTIA = 8


def encode(template: Template) -> bytes:
    """Template -> bytes.

    Positions up to one pixel outside the picture are moved onto its border (rounding puts them there).

    Raises BadTemplate where the template holds what the format can't: a side over ``MOST_PX``, a minutia elsewhere than
    in the picture, a number that is not finite, an unknown type, a quality over 100.
    """
    source = template.source.encode()
    reason = _unstorable(template, source)
    if reason:
        raise BadTemplate(where=template.source or "template", format="fpipe", reason=reason)
    flags = (template.mask is not None) * _HAS_MASK | (template.orientation is not None) * _HAS_ORIENTATION
    flags |= (len(template.weak) > 0) * _HAS_WEAK
    size = template.width, template.height
    parts = [_HEADER.pack(MAGIC, VERSION, flags, *size, len(template.minutiae), len(source))]
    if len(template.weak):
        parts.append(_COUNT.pack(len(template.weak)))
    parts.append(_columns(template.minutiae, *size))
    if template.mask is not None:
        parts.append(np.packbits(template.mask).tobytes())
    if template.orientation is not None:
        absent = np.isnan(template.orientation)
        steps = _angle_steps(np.where(absent, 0, template.orientation), np.pi, ORIENTATION_STEPS)
        parts.append(np.where(absent, ORIENTATION_STEPS, steps).astype(np.uint8).tobytes())
    body = b"".join([*parts, _columns(template.weak, *size), source])
    return body + _CRC.pack(zlib.crc32(body))


def decode(data: bytes, where: str) -> Template:
    """Bytes -> template; ``where`` names their place in an error.

    Raises BadTemplate on any damage: every cut and every flipped bit is noticed.
    """

    def bad(reason: str) -> BadTemplate:
        return BadTemplate(where=where, format="fpipe", reason=reason)

    if len(data) < _HEADER.size + _CRC.size:
        raise bad(f"{len(data)} bytes, expected at least {_HEADER.size + _CRC.size}; it is cut short")
    magic, version, flags, width, height, count, source_bytes = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise bad(f"it begins with {magic!r}, expected {MAGIC!r}")
    if version != VERSION:
        raise bad(f"it has version {version}, this fpipe reads {VERSION}")
    start, weak_count = _HEADER.size, 0
    if flags & _HAS_WEAK:
        start, weak_count = start + _COUNT.size, _COUNT.unpack_from(data, start)[0]
    rows, columns = grid_shape(height, width)
    cells = rows * columns
    sizes = [_BYTES_A_MINUTIA * count, -(-cells // 8) if flags & _HAS_MASK else 0]
    sizes += [cells if flags & _HAS_ORIENTATION else 0, _BYTES_A_MINUTIA * weak_count, source_bytes]
    if len(data) != start + sum(sizes) + _CRC.size:
        raise bad(f"{len(data)} bytes, its header announces {start + sum(sizes) + _CRC.size}")
    if zlib.crc32(data[: -_CRC.size]) != _CRC.unpack_from(data, len(data) - _CRC.size)[0]:
        raise bad("the checksum does not fit; bytes were changed")
    offsets = np.cumsum([start, *sizes])
    minutiae, mask, orientation, weak, source = (data[first:end] for first, end in pairwise(offsets))
    try:
        template = Template(
            minutiae=_minutiae(minutiae, count),
            width=width,
            height=height,
            mask=_mask(mask, rows, columns) if flags & _HAS_MASK else None,
            orientation=_orientation(orientation, rows, columns) if flags & _HAS_ORIENTATION else None,
            source=source.decode(),
            weak=_minutiae(weak, weak_count),
        )
    except UnicodeDecodeError as error:
        raise bad(f"its source is not UTF-8: {error}") from error
    reason = _unstorable(template, source)
    if reason or flags & ~(_HAS_MASK | _HAS_ORIENTATION | _HAS_WEAK):
        raise bad(reason or f"unknown parts, flags {flags:#x}")
    return template


def quantised(template: Template) -> Template:
    """The template as a gallery gives it back: positions to 1/8 px, angles to their steps."""
    return decode(encode(template), template.source or "template")


def _unstorable(template: Template, source: bytes) -> str:
    if not (1 <= template.width <= MOST_PX and 1 <= template.height <= MOST_PX):
        return f"{template.width} x {template.height} px, expected 1 to {MOST_PX} each"
    if max(len(template.minutiae), len(template.weak)) > MOST_MINUTIAE or len(source) > 65535:
        count = max(len(template.minutiae), len(template.weak))
        return f"{count} minutiae and a source of {len(source)} bytes, expected at most {MOST_MINUTIAE} each"
    return next(filter(None, (_misplaced(m, template) for m in (template.minutiae, template.weak))), "")


def _misplaced(m: Minutiae, template: Template) -> str:
    if not all(np.isfinite(column).all() for column in (m.x, m.y, m.direction)):
        return "a minutia's position or direction is not a finite number"
    outside = (m.x < -1) | (m.y < -1) | (m.x > template.width) | (m.y > template.height)
    if outside.any():
        row = int(np.argmax(outside))
        place = f"({m.x[row]:.1f}, {m.y[row]:.1f})"
        return f"minutia {row} at {place} is outside the picture of {template.width} x {template.height} px"
    if (m.kind >= len(KIND_NAMES)).any() or (m.quality > 100).any():
        return "a minutia's type is not 0, 1 or 2, or its quality is over 100"
    return ""


def _columns(m: Minutiae, width: int, height: int) -> bytes:
    direction = _angle_steps(m.direction, TWO_PI, DIRECTION_STEPS).astype("<u2")
    place = _position_steps(m.x, width), _position_steps(m.y, height)
    columns = (*place, direction, m.kind.astype(np.uint8), m.quality.astype(np.uint8))
    return b"".join(column.tobytes() for column in columns)


def _minutiae(data: bytes, count: int) -> Minutiae:
    x, y, direction = (np.frombuffer(data, "<u2", count, 2 * count * i) for i in range(3))
    kind, quality = (np.frombuffer(data, np.uint8, count, (6 + i) * count).copy() for i in range(2))
    return Minutiae(
        x=x * np.float32(1 / STEPS_PX),
        y=y * np.float32(1 / STEPS_PX),
        direction=(direction * (TWO_PI / DIRECTION_STEPS)).astype(np.float32),
        kind=kind,
        quality=quality,
    )


def _position_steps(values: NDArray[np.float32], side: int) -> NDArray[np.uint16]:
    return np.rint(np.clip(values.astype(np.float64), 0, side - 1) * STEPS_PX).astype("<u2")


def _angle_steps(angle: NDArray[Any], period: float, steps: int) -> NDArray[np.int64]:
    return np.rint(np.asarray(angle, np.float64) * (steps / period)).astype(np.int64) % steps


def _mask(data: bytes, rows: int, columns: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(data, np.uint8), count=rows * columns).reshape(rows, columns).astype(bool)


def _orientation(data: bytes, rows: int, columns: int) -> NDArray[np.float32]:
    steps = np.frombuffer(data, np.uint8).reshape(rows, columns)
    angle = steps * (np.pi / ORIENTATION_STEPS)
    return np.where(steps == ORIENTATION_STEPS, np.nan, angle).astype(np.float32)
