"""PNG in every depth, colour, interlace and transparency, drawn by hand; expected values by the standard's rules."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from drawing import chunk, exif_block, png, ridges

from fpipe.core.errors import Damaged, FpipeError, InputRefused, TooLarge, Truncated, Unsupported
from fpipe.formats import read_picture

SIZES = [(40, 51), (1, 1), (3, 5), (9, 8), (33, 17)]


def luma(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 in floating point."""
    return rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114


def noise(height: int, width: int, channels: int, bits: int) -> np.ndarray:
    rng = np.random.default_rng(bits * 100 + channels)
    return rng.integers(0, 2**bits, (height, width, channels))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_gray_is_scaled_to_the_full_range(size: tuple[int, int], interlaced: bool, bits: int) -> None:
    values = noise(*size, 1, bits)
    picture = read_picture(png(values, bits, 0, interlaced=interlaced))
    expected = np.rint(values[..., 0] * 255.0 / (2**bits - 1))
    assert (picture.pixels == expected).all()
    assert (picture.bits, picture.format, picture.ppi, picture.ppi_origin) == (bits, "PNG", None, "unknown")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("colour", [2, 4, 6])
def test_colour_and_transparency(interlaced: bool, bits: int, colour: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[colour]
    values = noise(21, 19, channels, bits)
    picture = read_picture(png(values, bits, colour, interlaced=interlaced))
    share = values / (2**bits - 1)
    light = luma(share) if channels >= 3 else share[..., 0]
    if colour in (4, 6):
        light = light * share[..., -1] + 1 - share[..., -1]
    assert np.abs(picture.pixels - light * 255).max() <= 1


def test_opaque_gray_in_colour_is_exactly_that_gray() -> None:
    pixels = ridges()
    for colour, extra in ((2, 0), (6, 1), (4, 1)):
        layers = [pixels] * (1 if colour == 4 else 3) + [np.full_like(pixels, 255)] * extra
        assert (read_picture(png(np.stack(layers, 2), 8, colour)).pixels == pixels).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_with_transparent_entries(bits: int) -> None:
    values = noise(17, 23, 1, bits)
    number = 2**bits
    rng = np.random.default_rng(3)
    table = rng.integers(0, 256, (number, 3))
    clear = [0, 128][: min(2, number)]
    data = png(values, bits, 3, before=[(b"PLTE", table.astype(np.uint8).tobytes()), (b"tRNS", bytes(clear))])
    cover = np.full(number, 255)
    cover[: len(clear)] = clear
    expected = luma(table) * cover / 255 + 255 - cover
    assert np.abs(read_picture(data).pixels - expected[values[..., 0]]).max() <= 1


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_transparent_gray_becomes_paper(bits: int) -> None:
    values = noise(9, 9, 1, bits)
    key = int(values[0, 0, 0])
    pixels = read_picture(png(values, bits, 0, before=[(b"tRNS", struct.pack(">H", key))])).pixels
    assert (pixels[values[..., 0] == key] == 255).all()


def phys(x: int, y: int, unit: int) -> list[tuple[bytes, bytes]]:
    return [(b"pHYs", struct.pack(">IIB", x, y, unit))]


@pytest.mark.parametrize(
    ("stated", "ppi"),
    [
        ((19685, 19685, 1), 500),
        ((39370, 39370, 1), 1000),
        ((20079, 20079, 1), 510.0066),
        ((15748, 15748, 1), 400),
        ((19685, 19685, 0), None),
        ((1, 1, 0), None),
        ((2835, 2835, 1), None),
        ((2834, 2834, 1), None),
        ((3779, 3779, 1), None),
        ((3780, 3780, 1), None),
        ((0, 0, 1), None),
        ((1, 1, 1), None),
        ((4294967295, 4294967295, 1), None),
        ((19685, 39370, 1), None),
        ((19685, 19700, 1), 500.18),
        ((19685, 19685, 7), None),
    ],
)
def test_resolution(stated: tuple[int, int, int], ppi: float | None) -> None:
    picture = read_picture(png(ridges()[..., None], 8, 0, before=phys(*stated)))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.02))
    assert picture.ppi_origin == ("unknown" if ppi is None else "file")
    assert bool(picture.notices) == (ppi is None)


def test_orientation_of_its_exif_chunk() -> None:
    pixels = ridges()
    data = png(pixels[..., None], 8, 0, before=[(b"eXIf", exif_block(t274=(3, [6])))])
    assert (read_picture(data).pixels == np.rot90(pixels, -1)).all()


def test_animation_is_said() -> None:
    data = png(ridges()[..., None], 8, 0, before=[(b"acTL", struct.pack(">II", 4, 0))])
    picture = read_picture(data)
    assert picture.pages == 4
    assert any("4 pictures" in notice for notice in picture.notices)


def test_bytes_after_the_end_are_said() -> None:
    picture = read_picture(png(ridges()[..., None], 8, 0) + b"more")
    assert any("4 bytes" in notice for notice in picture.notices)


def test_every_cut_is_an_error() -> None:
    data = png(ridges(9, 7)[..., None], 8, 0, before=phys(19685, 19685, 1))
    for length in range(len(data)):
        with pytest.raises(InputRefused):
            read_picture(data[:length])


def test_every_flipped_bit_is_an_error() -> None:
    data = png(ridges(9, 7)[..., None], 8, 0, before=phys(19685, 19685, 1))
    for at in range(8 * len(data)):
        broken = bytearray(data)
        broken[at // 8] ^= 1 << at % 8
        with pytest.raises(InputRefused):
            read_picture(bytes(broken))


def test_headers_that_can_not_be() -> None:
    data = png(ridges(9, 7)[..., None], 8, 0)
    rest = data[8 + 25 :]

    def with_header(*fields: int) -> bytes:
        return data[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + rest

    cases: list[tuple[tuple[int, ...], type[FpipeError]]] = [
        ((0, 9, 8, 0, 0, 0, 0), Damaged),
        ((7, 0, 8, 0, 0, 0, 0), Damaged),
        ((2**31, 2**31, 8, 0, 0, 0, 0), TooLarge),
        ((100_000, 100_000, 1, 0, 0, 0, 0), TooLarge),
        ((7, 9, 3, 0, 0, 0, 0), Damaged),
        ((7, 9, 8, 5, 0, 0, 0), Damaged),
        ((7, 9, 8, 3, 0, 0, 0), Damaged),
        ((7, 9, 8, 0, 1, 0, 0), Damaged),
        ((7, 9, 8, 0, 0, 0, 2), Damaged),
        ((7, 10, 8, 0, 0, 0, 0), Truncated),
        ((7, 8, 8, 0, 0, 0, 0), Damaged),
    ]
    for fields, kind in cases:
        with pytest.raises(kind):
            read_picture(with_header(*fields))


def test_unknown_critical_chunk_and_wrong_palette_index() -> None:
    with pytest.raises(Unsupported, match="XxXx"):
        read_picture(png(ridges()[..., None], 8, 0, before=[(b"XxXx", b"")]))
    with pytest.raises(Damaged, match="palette"):
        read_picture(png(np.full((5, 5, 1), 9), 8, 3, before=[(b"PLTE", bytes(6))]))
