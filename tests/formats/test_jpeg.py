"""JPEG and JPEG 2000: pixels coded by Pillow, markers and boxes written by hand."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from drawing import exif_block, jp2_with_resolution, jpeg_with, ridges
from PIL import Image

from fpipe.core.errors import Damaged, InputRefused, TooLarge, Truncated, Unsupported
from fpipe.formats import read_picture


def coded(pixels: np.ndarray, kind: str = "JPEG", mode: str | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, kind, **options)
    return out.getvalue()


SMOOTH = np.tile(np.rint(127 + 100 * np.sin(np.arange(64) / 9)), (48, 1)).astype(np.uint8)
SMOOTH[:10] //= 2
GOOD = coded(SMOOTH, quality=95)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_colour_models(progressive: bool, mode: str) -> None:
    picture = read_picture(coded(SMOOTH, quality=97, progressive=progressive, mode="L"))
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 12
    out = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(out, "JPEG", quality=97, progressive=progressive)
    picture = read_picture(out.getvalue())
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 12
    assert (picture.format, picture.bits) == ("JPEG", 8)


def test_cmyk_with_black_ink_only() -> None:
    ink = np.zeros((48, 64, 4), np.uint8)
    ink[..., 3] = 255 - SMOOTH
    out = io.BytesIO()
    Image.frombytes("CMYK", (64, 48), ink.tobytes()).save(out, "JPEG", quality=97)  # with Adobe's marker, turned around
    assert np.abs(read_picture(out.getvalue()).pixels.astype(int) - SMOOTH).max() <= 12


TURNS = [
    lambda a: a,
    np.fliplr,
    lambda a: np.rot90(a, 2),
    np.flipud,
    lambda a: a.T,
    lambda a: np.rot90(a, -1),
    lambda a: np.rot90(a, 2).T,
    lambda a: np.rot90(a, 1),
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation(order: str, orientation: int) -> None:
    plain = read_picture(GOOD).pixels
    data = jpeg_with(GOOD, exif=exif_block(order, t274=(3, [orientation])))
    turn = TURNS[orientation - 1] if 1 <= orientation <= 8 else TURNS[0]
    assert (read_picture(data).pixels == turn(plain)).all()


def exif_resolution(x: int, unit: int | None) -> bytes:
    tags: dict[str, object] = {"t282": (5, [x, 1]), "t283": (5, [x, 1])}
    if unit is not None:
        tags["t296"] = (3, [unit])
    return exif_block(**tags)


@pytest.mark.parametrize(
    ("jfif", "exif", "ppi"),
    [
        ((1, 500, 500), None, 500),
        ((2, 197, 197), None, 500.38),
        ((2, 394, 394), None, 1000.76),
        ((0, 500, 500), None, None),
        ((0, 1, 1), None, None),
        ((1, 72, 72), None, None),
        ((1, 96, 96), None, None),
        ((2, 28, 28), None, None),
        ((2, 38, 38), None, None),
        ((1, 1, 1), None, None),
        ((1, 0, 0), None, None),
        ((1, 500, 1000), None, None),
        (None, None, None),
        (None, (500, 2), 500),
        (None, (500, None), 500),
        (None, (197, 3), 500.38),
        (None, (72, 2), None),
        (None, (500, 1), None),
        ((1, 72, 72), (500, 2), 500),
        ((0, 1, 1), (500, 2), 500),
        ((1, 500, 500), (72, 2), 500),
        ((1, 500, 500), (500, 2), 500),
        ((1, 500, 500), (1000, 2), 500),
    ],
)
def test_resolution(jfif: tuple[int, int, int] | None, exif: tuple[int, int | None] | None, ppi: float | None) -> None:
    picture = read_picture(jpeg_with(GOOD, jfif=jfif, exif=exif_resolution(*exif) if exif else None))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.01))
    assert picture.ppi_origin == ("unknown" if ppi is None else "file")
    if exif == (1000, 2):
        assert any("EXIF 1000" in notice for notice in picture.notices)


def test_broken_exif_is_said() -> None:
    picture = read_picture(jpeg_with(GOOD, exif=b"II*\0\xff\xff\xff\xff"))
    assert any("EXIF" in notice for notice in picture.notices)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_cut_with_an_end_mark_put_back_is_an_error(progressive: bool, mode: str) -> None:
    out = io.BytesIO()
    Image.fromarray(ridges(64, 64)).convert(mode).save(out, "JPEG", progressive=progressive)
    for share in (0.6, 0.8, 0.95):
        with pytest.raises((Truncated, Damaged)):
            read_picture(out.getvalue()[: int(len(out.getvalue()) * share)] + b"\xff\xd9")


def test_bytes_after_the_end_are_said() -> None:
    picture = read_picture(GOOD + b"xyz")
    assert any("3 bytes follow" in notice for notice in picture.notices)


def test_headers_that_can_not_be() -> None:
    frame = GOOD.index(b"\xff\xc0")

    def with_frame(precision: int, height: int, width: int, marker: int = 0xC0) -> bytes:
        return GOOD[: frame + 1] + struct.pack(">BHBHH", marker, 11, precision, height, width) + GOOD[frame + 9 :]

    cases: list[tuple[bytes, type[InputRefused]]] = [
        (with_frame(8, 0, 64), Damaged),
        (with_frame(8, 48, 0), Damaged),
        (with_frame(8, 65535, 65535), TooLarge),
        (with_frame(12, 48, 64), Unsupported),
        (with_frame(8, 48, 64, 0xC3), Damaged),  # lossless, with code tables that are not
        (with_frame(8, 48, 64, 0xCB), Unsupported),
        (b"\xff\xd8\xff\xd9", Damaged),
        (GOOD[:frame] + GOOD[GOOD.index(b"\xff\xda") :], Damaged),
        (GOOD[:20], Truncated),
        (GOOD[:-200], Truncated),
    ]
    for data, kind in cases:
        with pytest.raises(kind):
            read_picture(data)


# -- JPEG 2000 -------------------------------------------------------------------------------------------------------


def lossless(pixels: np.ndarray, **options: Any) -> bytes:
    return coded(pixels, "JPEG2000", **options)


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"tile_size": (32, 32)}])
def test_jpeg2000_gray_colour_and_depth(options: dict[str, Any]) -> None:
    pixels = ridges()
    picture = read_picture(lossless(pixels, **options))
    assert (picture.pixels == pixels).all()
    assert (picture.format, picture.bits, picture.ppi) == ("JPEG 2000", 8, None)
    assert (read_picture(lossless(np.stack([pixels] * 3, 2), **options)).pixels == pixels).all()
    if "tile_size" in options:
        return  # Pillow's encoder gets 16-bit tiles wrong, so there is nothing to compare with
    deep = pixels.astype(np.uint16) * 201
    picture = read_picture(lossless(deep, **options))
    assert (picture.pixels == np.rint(deep * (255.0 / 65535.0))).all()
    assert picture.bits == 16


def test_jpeg2000_alpha_on_paper() -> None:
    pixels = ridges()
    layers = np.stack([pixels, pixels, pixels, np.full_like(pixels, 100)], 2)
    found = read_picture(lossless(layers)).pixels
    assert np.abs(found - (pixels * (100 / 255) + 155)).max() <= 1


def test_jpeg2000_deep_colour() -> None:
    """Drawn with OpenCV, since Pillow writes 8 bits of colour only; the top levels are where Pillow's reading wraps."""
    deep = ridges(70, 64).astype(np.uint16) * 257
    colour = np.stack([deep // 3, deep // 2, deep], 2)  # blue, green, red
    data = cv2.imencode(".jp2", colour, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1].tobytes()
    picture = read_picture(data)
    expected = (colour * [0.114, 0.587, 0.299]).sum(2) / 257
    assert np.abs(picture.pixels - expected).max() <= 1
    assert (picture.bits, picture.notices) == (16, ())
    white = np.full((64, 64, 3), 65535, np.uint16)
    white[:32] = 0
    pixels = read_picture(cv2.imencode(".jp2", white)[1].tobytes()).pixels
    assert pixels[40:].min() > 250
    assert pixels[:24].max() < 5


@pytest.mark.parametrize("kind", [b"resc", b"resd"])
@pytest.mark.parametrize(
    ("down", "across", "ppi"),
    [
        ((19685, 1, 0), (19685, 1, 0), 500),
        ((39370, 1, 0), (39370, 1, 0), 1000),
        ((19685, 10, 1), (19685, 10, 1), 500),
        ((1969, 1000, 4), (1969, 1000, 4), 500.1),
        ((500, 254, 4), (500, 254, 4), 500),
        ((2835, 1, 0), (2835, 1, 0), None),
        ((0, 1, 0), (0, 1, 0), None),
        ((1, 0, 0), (1, 0, 0), None),
        ((19685, 1, 0), (39370, 1, 0), None),
    ],
)
def test_jpeg2000_resolution(
    kind: bytes, down: tuple[int, int, int], across: tuple[int, int, int], ppi: float | None
) -> None:
    picture = read_picture(jp2_with_resolution(lossless(ridges()), kind, down, across))
    assert (picture.pixels == ridges()).all()
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.1))


def test_jpeg2000_every_cut_is_an_error_or_the_picture() -> None:
    pixels = ridges(24, 24)
    for data in (lossless(pixels), lossless(pixels, no_jp2=True)):
        for length in range(0, len(data), 3):
            with pytest.raises(InputRefused):
                read_picture(data[:length])


def test_jpeg2000_headers_that_can_not_be() -> None:
    data = lossless(ridges(), no_jp2=True)
    for fields, kind in (((2**32 - 1, 2**32 - 1), TooLarge), ((0, 40), Damaged)):
        with pytest.raises(kind):
            read_picture(data[:8] + struct.pack(">II", *fields) + data[16:])


@pytest.mark.parametrize("tile_size", [None, (32, 32)])
def test_jpeg2000_headers_that_announce_more_than_is_there(tile_size: tuple[int, int] | None) -> None:
    """The decoder would make room for it: gigabytes, for a file of a few kilobytes."""
    data = lossless(ridges(), **({"tile_size": tile_size} if tile_size else {}))
    announced, tile = data.index(b"ihdr") + 4, data.index(b"\xff\x4f\xff\x51") + 24
    height, width = read_picture(data).pixels.shape
    assert struct.unpack_from(">II", data, announced) == (height, width)
    for rows in (height + 1, 1 << 24):
        with pytest.raises(Damaged, match="its file's header says"):
            read_picture(data[:announced] + struct.pack(">I", rows) + data[announced + 4 :])
    for size in ((1, 1), (16, 16), (16, 32)):
        with pytest.raises(Damaged, match="tiles, expected"):
            read_picture(data[:tile] + struct.pack(">II", *size) + data[tile + 8 :])
    with pytest.raises(Damaged, match="tiles of 0 x"):
        read_picture(data[:tile] + bytes(4) + data[tile + 4 :])
