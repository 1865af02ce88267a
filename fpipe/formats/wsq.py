"""WSQ (FBI IAFIS-IC-0110): segments are walked here, pixels decoded in the worker by NBIS."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import Damaged, Truncated
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.isolation import decode_apart
from fpipe.formats.resolution import UNSTATED, Resolution, per_inch
from fpipe.formats.wsq_codes import code_tables, coefficients, expected_coefficients

START, END, FRAME, BLOCK, COMMENT = 0xFFA0, 0xFFA1, 0xFFA2, 0xFFA3, 0xFFA8
TRANSFORM, QUANTISATION, CODE_TABLES = 0xFFA4, 0xFFA5, 0xFFA6
BLOCKS = 3
"""Coded blocks of every WSQ picture."""


def decode(data: bytes, where: str) -> Decoded:
    """A WSQ file."""
    segments = list(_segments(data, where))
    frames = [content for marker, content, _ in segments if marker == FRAME]
    blocks = sum(marker == BLOCK for marker, _, _ in segments)
    if len(frames) != 1 or len(frames[0]) < 6:
        raise Damaged(where=where, reason=f"{len(frames)} frame headers, expected one")
    if blocks < BLOCKS:
        raise Truncated(where=where, reason=f"{blocks} coded blocks, expected {BLOCKS}")
    height, width = struct.unpack_from(">HH", frames[0], 2)
    check_size(width, height, where)
    _count(segments, width, height, where)
    raw = decode_apart("wsq", data, where)
    if (raw.width, raw.height) != (width, height) or len(raw.data) != width * height:
        raise Damaged(where=where, reason=f"decoded to {raw.width} x {raw.height} px, declared {width} x {height}")
    gray = np.frombuffer(raw.data, np.uint8).reshape(height, width)
    notices = [f"the WSQ decoder says: {raw.printed}"] if raw.printed else []
    return Decoded(gray, 8, _resolution([c for m, c, _ in segments if m == COMMENT]), notices=notices)


def _count(segments: list[tuple[int, bytes, bytes]], width: int, height: int, where: str) -> None:
    """Compare the coefficients that are there with those that must be."""
    tables: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
    quantisation, least, most = b"", 0, 0
    for marker, content, codes in segments:
        if marker == QUANTISATION:
            quantisation = content
        elif marker == CODE_TABLES:
            tables |= code_tables(content, where)
        elif marker == BLOCK:
            if not content or content[0] not in tables:
                raise Damaged(where=where, reason="a coded block names a code table that is not there")
            without_fill, with_fill = coefficients(codes, tables[content[0]])
            least, most = least + without_fill, most + with_fill
    expected = expected_coefficients(width, height, quantisation, where)
    if most < expected:
        raise Truncated(where=where, reason=f"{most} wavelet coefficients, expected {expected}")
    if least > expected:
        raise Damaged(where=where, reason=f"{least} wavelet coefficients, expected {expected}")


def _segments(data: bytes, where: str) -> Iterator[tuple[int, bytes, bytes]]:
    """(marker, content, codes that follow a block's header) up to the end mark."""
    at = 2
    while True:
        if at + 2 > len(data):
            raise Truncated(where=where, reason="no end mark")
        marker = struct.unpack_from(">H", data, at)[0]
        if marker == END:
            return
        if marker not in (FRAME, BLOCK, COMMENT, TRANSFORM, QUANTISATION, CODE_TABLES):
            raise Damaged(where=where, reason=f"at byte {at}: {marker:#06x} is no marker")
        size = struct.unpack_from(">H", data, at + 2)[0] if at + 4 <= len(data) else 0
        left = len(data) - at - 2
        if max(size, 2) > left:
            raise Truncated(where=where, reason=f"at byte {at}: a segment of {size} bytes announced, {left} left")
        if size < 2:
            raise Damaged(where=where, reason=f"at byte {at}: a segment of {size} bytes")
        content = data[at + 4 : at + 2 + size]
        at += 2 + size
        end = _end_of_codes(data, at, where) if marker == BLOCK else at
        yield marker, content, data[at:end]
        at = end


def _end_of_codes(data: bytes, at: int, where: str) -> int:
    """Coded bytes reach to the next marker; 0xFF in them is followed by 0."""
    found = _MARKER.search(data, at)
    if found is None:
        raise Truncated(where=where, reason="it ends inside a coded block")
    return found.start()


_MARKER = re.compile(rb"\xff[^\x00]", re.DOTALL)


def _resolution(comments: list[bytes]) -> Resolution:
    """PPI of the NIST comment, the only place that a WSQ file has for it."""
    for comment in comments:
        if comment.startswith(b"NIST_COM"):
            stated = re.search(rb"(?m)^PPI[ \t]+(-?[0-9.]+)\s*$", comment)
            try:
                return per_inch(float(stated[1]), float(stated[1])) if stated else UNSTATED
            except ValueError:
                return UNSTATED
    return UNSTATED
