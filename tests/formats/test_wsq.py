"""WSQ: comments, resolution, empty and cut blocks; coded by NBIS, markers written by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import Damaged, InputRefused, TooLarge, Truncated
from fpipe.formats import read_picture

wsq = pytest.importorskip("_wsq", reason="no WSQ codec on this platform")


def whorl(height: int = 144, width: int = 128) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.rint(127 + 100 * np.sin(np.hypot(x - 50, y - 80) * 0.7)).astype(np.uint8)


def with_comments(*comments: bytes) -> bytes:
    """A WSQ file whose comments are these."""
    data = wsq.compress(whorl().tobytes(), 144, 128, 12)
    at = 2
    while data[at : at + 2] == b"\xff\xa8":
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    body = b"".join(b"\xff\xa8" + struct.pack(">H", len(text) + 2) + text for text in comments)
    return data[:2] + body + data[at:]


NIST = b"NIST_COM 8\nPIX_WIDTH 128\nPIX_HEIGHT 144\nPIX_DEPTH 8\nPPI %s\nLOSSY 1\nCOLORSPACE GRAY\nCOMPRESSION WSQ\n"


@pytest.mark.parametrize(
    ("comments", "ppi"),
    [
        ((), None),
        ((NIST % b"500",), 500),
        ((NIST % b"1000",), 1000),
        ((NIST % b"508.0",), 508),
        ((NIST % b"-1",), None),
        ((NIST % b"0",), None),
        ((NIST % b"unknown",), None),
        ((NIST % b"1.2.3",), None),
        ((NIST % b"",), None),
        ((b"scanned by hand", NIST % b"500"), 500),
        ((NIST % b"500", b"scanned by hand"), 500),
        ((b"PPI 500\n",), None),
        ((b"",), None),
        ((b"NIST_COM 1\nPPI 500",), 500),
        ((b"NIST_COM 2\r\nPPI 500\r\n",), 500),
        ((b"NIST_COM 3\nPPI_OLD 300\nPPI 500\n",), 500),
        ((bytes(range(256)),), None),
    ],
)
def test_resolution_of_the_comment(comments: tuple[bytes, ...], ppi: float | None) -> None:
    picture = read_picture(with_comments(*comments))
    assert picture.ppi == ppi
    assert picture.ppi_origin == ("unknown" if ppi is None else "file")
    assert (picture.format, picture.bits, picture.pixels.shape) == ("WSQ", 8, (144, 128))
    assert np.corrcoef(picture.pixels.ravel(), whorl().ravel())[0, 1] > 0.9


def test_every_cut_is_an_error() -> None:
    data = with_comments(NIST % b"500")
    for length in range(0, len(data), 7):
        with pytest.raises(InputRefused):
            read_picture(data[:length])
    for length in range(len(data) - 40, len(data)):
        with pytest.raises(Truncated):
            read_picture(data[:length])


def test_a_cut_block_with_an_end_mark_put_back_is_an_error() -> None:
    data = with_comments()
    for left in range(3, 300, 3):
        with pytest.raises(InputRefused):
            read_picture(data[:-left] + b"\xff\xa1")


def test_sizes_of_all_parities_hold_the_coefficients_the_standard_counts() -> None:
    rng = np.random.default_rng(1)
    for height in range(96, 104):
        for width in range(112, 128):
            noise = rng.integers(60, 190, (height, width)).astype(np.uint8)
            assert read_picture(wsq.compress(noise.tobytes(), height, width, 12)).pixels.shape == (height, width)


def test_a_flip_that_loses_the_place_in_the_codes_is_an_error() -> None:
    data = with_comments()
    at = data.rindex(b"\xff\xa3") - 200
    errors = 0
    for i in range(100):
        broken = bytearray(data)
        broken[at + i] ^= 0x10
        try:
            assert read_picture(bytes(broken)).pixels.shape == (144, 128)
        except InputRefused:
            errors += 1
    assert errors > 50


def test_headers_that_can_not_be() -> None:
    data = with_comments()
    frame = data.index(b"\xff\xa2") + 6
    for size, kind in (((0, 128), Damaged), ((144, 0), Damaged), ((65535, 65535), TooLarge)):
        with pytest.raises(kind):
            read_picture(data[:frame] + struct.pack(">HH", *size) + data[frame + 4 :])


@pytest.mark.real
def test_pictures_decoded_by_others(data: Path) -> None:
    folder = data / "formats" / "wsq"
    for coded, plain in (("sample.wsq", "sample.png"), ("wsq-original.wsq", "wsq-converted.png")):
        ours, theirs = read_picture(folder / coded), read_picture(folder / plain)
        assert np.abs(ours.pixels.astype(int) - theirs.pixels).max() <= 1
        assert ours.ppi == 500
