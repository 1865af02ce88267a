"""BMP in its varieties, written byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from drawing import bmp, packed, ridges

from fpipe.core.errors import Damaged, InputRefused, TooLarge, Truncated, Unsupported
from fpipe.formats import read_picture

GRAY = [(v, v, v) for v in range(256)]


def rows_of(values: np.ndarray, bits: int = 8) -> list[bytes]:
    """Bottom row first."""
    return [packed(row[None], bits) for row in values[::-1]]


@pytest.mark.parametrize("size", [12, 40, 108, 124])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes(size: int, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (21, 37))
    palette = [(v, 255 - v, v // 2) for v in np.linspace(3, 250, 2**bits).astype(int).tolist()]
    picture = read_picture(bmp(rows_of(values, bits), 37, 21, bits, palette=palette, size=size))
    expected = np.array([0.299 * r + 0.587 * g + 0.114 * b for r, g, b in palette])[values]
    assert np.abs(picture.pixels - expected).max() <= 0.51
    assert (picture.bits, picture.format) == (bits, "BMP")
    assert picture.ppi == (None if size == 12 else pytest.approx(500, abs=0.01))


def test_top_down_and_inverted_palette() -> None:
    pixels = ridges()
    picture = read_picture(bmp(rows_of(pixels)[::-1], 51, -40, 8, palette=GRAY))
    assert (picture.pixels == pixels).all()
    picture = read_picture(bmp(rows_of(pixels), 51, 40, 8, palette=GRAY[::-1]))
    assert (picture.pixels == 255 - pixels).all()


@pytest.mark.parametrize("bits", [24, 32])
def test_colour_is_blue_green_red_and_the_fourth_byte_nothing(bits: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (9, 13, 3))
    layers = rgb[..., ::-1] if bits == 24 else np.concatenate([rgb[..., ::-1], np.full((9, 13, 1), 7)], 2)
    picture = read_picture(bmp([row.astype(np.uint8).tobytes() for row in layers[::-1]], 13, 9, bits))
    assert np.abs(picture.pixels - (rgb * [0.299, 0.587, 0.114]).sum(2)).max() <= 0.51
    assert picture.bits == 8


def test_16_bits_plain_and_with_masks() -> None:
    level = np.random.default_rng(2).integers(0, 32, (8, 11))
    values = level << 10 | level << 5 | level
    expected = np.rint(level * 255 / 31)
    assert (read_picture(bmp(rows_of(values, 16), 11, 8, 16)).pixels == expected).all()
    values = level << 11 | (level * 63 // 31) << 5 | level
    found = read_picture(bmp(rows_of(values, 16), 11, 8, 16, packing=3, masks=(0xF800, 0x7E0, 0x1F))).pixels
    assert np.abs(found - expected).max() <= 3


def test_alpha_of_the_masks_lies_on_paper() -> None:
    level = np.arange(256).reshape(16, 16)
    values = level << 16 | level << 8 | level | np.int64(128) << 24
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    found = read_picture(bmp(rows_of(values, 32), 16, 16, 32, packing=3, masks=masks, size=108)).pixels
    assert np.abs(found - (level * 128 / 255 + 127)).max() <= 1
    values = values & 0xFFFFFF  # an alpha channel that nobody filled
    found = read_picture(bmp(rows_of(values, 32), 16, 16, 32, packing=3, masks=masks, size=108)).pixels
    assert (found == level).all()


def test_run_lengths() -> None:
    # rows from the bottom: a run and a literal run of odd length; a jump; a run in the row above
    data = bytes([3, 9, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 2, 1, 2, 7, 0, 1])
    found = read_picture(bmp([data], 6, 3, 8, packing=1, palette=GRAY)).pixels
    assert found.tolist() == [[0, 0, 7, 7, 0, 0], [0] * 6, [9, 9, 9, 1, 2, 3]]
    data = bytes([5, 0x12, 0, 0, 0, 3, 0x34, 0x50, 2, 0x66, 0, 1])
    found = read_picture(bmp([data], 5, 2, 4, packing=2, palette=GRAY[:16])).pixels
    assert found.tolist() == [[3, 4, 5, 6, 6], [1, 2, 1, 2, 1]]


@pytest.mark.parametrize(
    ("dots", "ppi"), [(19685, 500), (39370, 1000), (2835, None), (3780, None), (3779, None), (0, None), (1, None)]
)
def test_resolution_is_dots_a_metre(dots: int, ppi: float | None) -> None:
    picture = read_picture(bmp(rows_of(ridges()), 51, 40, 8, palette=GRAY, ppm=dots))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.01))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"width": 0}, Damaged),
        ({"height": 0}, Damaged),
        ({"width": -5}, Damaged),
        ({"width": 2**31 - 1, "height": 2**31 - 1}, TooLarge),
        ({"height": -(2**31)}, TooLarge),
        ({"height": 41}, Truncated),
        ({"bits": 5}, Damaged),
        ({"packing": 4}, Unsupported),
        ({"packing": 9}, Damaged),
        ({"palette": GRAY[:5]}, Damaged),
        ({"bits": 16, "packing": 3, "masks": (0, 0, 0), "width": 25}, Damaged),
        ({"bits": 16, "packing": 3, "masks": (5, 5, 5), "width": 25}, Damaged),
    ],
)
def test_headers_that_can_not_be(change: dict[str, object], kind: type[InputRefused]) -> None:
    fields: dict[str, object] = {"width": 51, "height": 40, "bits": 8, "palette": GRAY} | change
    with pytest.raises(kind):
        read_picture(bmp(rows_of(ridges()), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [bytes([200, 1, 0, 1]), bytes([0, 9, 1]), bytes([3, 1]), bytes([0, 2, 9])])
def test_run_lengths_that_leave_the_picture_or_end(data: bytes) -> None:
    with pytest.raises((Damaged, Truncated)):
        read_picture(bmp([data], 6, 3, 8, packing=1, palette=GRAY))
