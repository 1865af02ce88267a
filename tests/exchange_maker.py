"""Small exchange files for tests: drawn prints, and bytes put together by hand where the writer would refuse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpipe.formats.exchange.building import Envelope, Print, Subject

ENVELOPE = Envelope("LFS", "20260101", "TESTDAI", "TESTORI", "CASE0001", time="20260101120000Z", domain="TEST")
NAMED = Subject({18: "اختبار بصمة", 900: "A12"})
"""A test name in Arabic."""


def whorl(height: int = 140, width: int = 120) -> np.ndarray:
    """(H, W) uint8, no finger's ridges."""
    y, x = np.mgrid[:height, :width]
    return np.rint(127 + 100 * np.sin(np.hypot(x - width / 2, y - height / 2) * 0.7)).astype(np.uint8)


def a_print(finger: int = 2, impression: int = 0, ppi: float | None = 500, **facts: object) -> Print:
    return Print(whorl(), ppi, finger, impression, **facts)  # type: ignore[arg-type]


def tagged(type: int, fields: Sequence[tuple[int, bytes]], length: int | None = None) -> bytes:
    """A record as it comes, its length counted or told."""
    body = b"".join(b"\x1d%d.%03d:" % (type, number) + value for number, value in fields) + b"\x1c"
    for guess in range(len(body), len(body) + 30):
        head = b"%d.001:%d" % (type, guess)
        if len(head) + len(body) == guess:
            return b"%d.001:%d" % (type, guess if length is None else length) + body
    raise AssertionError


def header(
    announced: bytes, *more: tuple[int, bytes], native: bytes = b"00.00", transmitted: bytes = b"00.00"
) -> bytes:
    """A Type-1 record; ``announced`` is field 1.003 with spaces for the separators of items and commas of subfields."""
    counted = announced.replace(b" ", b"\x1f").replace(b",", b"\x1e")
    fields = [(2, b"0502"), (3, counted), (4, b"LFS"), (11, native), (12, transmitted), *more]
    return tagged(1, fields)


def fixed(
    pixels: bytes, width: int, height: int, *, idc: int = 1, finger: int = 2, scanning: int = 0, code: int = 0
) -> bytes:
    """A Type-4 record of a rolled print."""
    head = bytes([idc, 3, finger, 255, 255, 255, 255, 255, scanning])
    sizes = width.to_bytes(2, "big") + height.to_bytes(2, "big")
    return (18 + len(pixels)).to_bytes(4, "big") + head + sizes + bytes([code]) + pixels
