"""Lossless JPEG (SOF3), coded here by the standard's rules: every predictor, restarts, cuts and flips."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import InputRefused, Truncated, Unsupported
from fpipe.formats import read_picture

CODES = 5
"""Bits of every code: 17 categories, none of them all ones."""


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def guess(v: np.ndarray, r: int, c: int, predictor: int, bits: int) -> int:
    """Table H.1, with the rules for the first row and column."""
    if r == 0 and c == 0:
        return 1 << (bits - 1)
    if r == 0:
        return int(v[r, c - 1])
    if c == 0:
        return int(v[r - 1, c])
    a, b, corner = int(v[r, c - 1]), int(v[r - 1, c]), int(v[r - 1, c - 1])
    return (a, b, corner, a + b - corner, a + ((b - corner) >> 1), b + ((a - corner) >> 1), (a + b) >> 1)[predictor - 1]


def coded(v: np.ndarray, predictor: int, bits: int) -> bytes:
    text = []
    for r, c in np.ndindex(*v.shape):
        difference = (int(v[r, c]) - guess(v, r, c, predictor, bits)) & 0xFFFF
        difference = difference - 65536 if difference > 32768 else difference
        category = abs(difference).bit_length()
        text.append(f"{category:0{CODES}b}")
        if 0 < category < 16:
            low = difference if difference > 0 else difference + (1 << category) - 1
            text.append(f"{low:0{category}b}")
    whole = "".join(text)
    whole += "1" * (-len(whole) % 8)
    return bytes(int(whole[i : i + 8], 2) for i in range(0, len(whole), 8)).replace(b"\xff", b"\xff\x00")


def lossless(
    v: np.ndarray, predictor: int = 1, bits: int = 8, shift: int = 0, rows: int = 0, components: int = 1
) -> bytes:
    height, width = v.shape
    v = v >> shift
    frame = struct.pack(">BHHB", bits, height, width, components) + b"\1\x11\0" * components
    table = bytes([0]) + bytes(17 if i == CODES else 0 for i in range(1, 17)) + bytes(range(17))
    parts = [b"\xff\xd8", segment(0xC4, table), segment(0xC3, frame)]
    bands = [v] if not rows else [v[i : i + rows] for i in range(0, height, rows)]
    if rows:
        parts.append(segment(0xDD, struct.pack(">H", rows * width)))
    parts.append(segment(0xDA, bytes([1, 1, 0, predictor, 0, shift])))
    for number, band in enumerate(bands):
        parts += [b"\xff" + bytes([0xD0 + (number - 1) % 8])] if number else []
        parts.append(coded(band, predictor, bits - shift))
    return b"".join(parts) + b"\xff\xd9"


RNG = np.random.default_rng(5)
PICTURE = RNG.integers(0, 256, (24, 31))


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor(predictor: int) -> None:
    picture = read_picture(lossless(PICTURE, predictor))
    np.testing.assert_array_equal(picture.pixels, PICTURE)
    assert (picture.format, picture.bits, picture.ppi) == ("JPEG", 8, None)
    np.testing.assert_array_equal(read_picture(lossless(PICTURE, predictor, rows=5)).pixels, PICTURE)


def test_sixteen_bits_and_the_point_transform() -> None:
    deep = np.tile(np.array([0, 65535, 257, 32768, 1]), (9, 3))
    picture = read_picture(lossless(deep, 4, bits=16))
    np.testing.assert_array_equal(picture.pixels, np.rint(deep / 257))
    assert picture.bits == 16
    np.testing.assert_array_equal(read_picture(lossless(PICTURE, 1, shift=2)).pixels, PICTURE >> 2 << 2)


def test_cuts_flips_and_what_is_not_read() -> None:
    data = lossless(PICTURE, 1)
    for length in range(3, len(data)):
        with pytest.raises(InputRefused):
            read_picture(data[:length])
    with pytest.raises(Truncated, match=r"it ends at pixel|no code at pixel"):
        read_picture(data[:-200] + b"\xff\xd9")
    with pytest.raises(Unsupported, match="3 components"):
        read_picture(lossless(PICTURE, components=3))
    for at in range(2, len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << int(RNG.integers(8))
        try:
            assert read_picture(bytes(broken)).pixels.size
        except InputRefused:
            continue


@pytest.mark.real
def test_one_of_nists_files(data: Path) -> None:
    """Decoded by others it can't be here: the ridges' spectrum says that nothing was lost on the way."""
    path = data / "formats" / "an2" / "type-10-14-17-piv-index-iris.an2"
    picture = read_picture(Path(f"{path}#2"))
    assert picture.pixels.shape == (512, 288)
    assert picture.format == "ANSI/NIST Type-14, JPEGL"
    rows = picture.pixels[100:400, 60:230].astype(float)
    assert np.corrcoef(rows[1:].ravel(), rows[:-1].ravel())[0, 1] > 0.5
