"""TIFF in its varieties, written byte by byte; packed by libtiff only where the packing is the thing read."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from drawing import gray_tiff, packed, ridges, tiff
from PIL import Image

from fpipe.core.errors import Damaged, InputRefused, TooLarge, Truncated, Unsupported
from fpipe.formats import read_picture


def values_of(bits: int, height: int = 37, width: int = 53) -> np.ndarray:
    return np.random.default_rng(bits).integers(0, 2**bits, (height, width))


def scaled(values: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(values * 255.0 / (2**bits - 1)).astype(int)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 16, 32])
@pytest.mark.parametrize("photometric", [0, 1])
def test_depths_orders_and_polarity(big: bool, order: str, bits: int, photometric: int) -> None:
    values = values_of(bits)
    picture = read_picture(gray_tiff(values, order=order, bits=bits, big=big, t262=(3, [photometric])))
    expected = scaled(values if photometric else 2**bits - 1 - values, bits)
    assert (picture.pixels == expected).all()
    assert (picture.bits, picture.format) == (bits, "TIFF")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_reversed_bit_order(bits: int) -> None:
    values = values_of(bits)
    turned = bytes(int(f"{b:08b}"[::-1], 2) for b in packed(values, bits))
    picture = read_picture(gray_tiff(values, bits=bits, chunks=[turned], t266=(3, [2])))
    assert (picture.pixels == scaled(values, bits)).all()


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("rows", [1, 7, 37, 100, 2**32 - 1])
def test_strips(bits: int, rows: int) -> None:
    values = values_of(bits)
    chunks = [packed(values[r : r + rows], bits) for r in range(0, len(values), rows)]
    picture = read_picture(gray_tiff(values, bits=bits, chunks=chunks, t278=(4, [rows])))
    assert (picture.pixels == scaled(values, bits)).all()


def tiles_of(values: np.ndarray, side: tuple[int, int]) -> list[np.ndarray]:
    height, width = values.shape[:2]
    down, across = -(-height // side[0]), -(-width // side[1])
    whole = np.zeros((down * side[0], across * side[1], *values.shape[2:]), values.dtype)
    whole[:height, :width] = values
    return [
        whole[r * side[0] : (r + 1) * side[0], c * side[1] : (c + 1) * side[1]]
        for r in range(down)
        for c in range(across)
    ]


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("side", [(16, 16), (16, 32), (48, 64)])
def test_tiles_that_do_not_divide_the_picture(bits: int, side: tuple[int, int]) -> None:
    values = values_of(bits)
    chunks = [packed(tile, bits) for tile in tiles_of(values, side)]
    picture = read_picture(gray_tiff(values, bits=bits, chunks=chunks, t322=(4, [side[1]]), t323=(4, [side[0]])))
    assert (picture.pixels == scaled(values, bits)).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("compression", "bits"), [(8, 8), (8, 16), (32946, 8), (8, 32)])
def test_deflate_with_differences(order: str, compression: int, bits: int) -> None:
    values = values_of(bits).astype(np.int64)
    differences = np.diff(values, axis=1, prepend=0) % 2**bits
    data = zlib.compress(packed(differences, bits, order))
    picture = read_picture(
        gray_tiff(values, order=order, bits=bits, chunks=[data], t259=(3, [compression]), t317=(3, [2]))
    )
    assert (picture.pixels == scaled(values, bits)).all()


def by_libtiff(pixels: np.ndarray, compression: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "TIFF", compression=compression, **options)
    return out.getvalue()


PACKINGS = ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate")


@pytest.mark.parametrize(
    ("compression", "bilevel"),
    [(name, False) for name in PACKINGS] + [(name, True) for name in (*PACKINGS, "group3", "group4", "tiff_ccitt")],
)
def test_packings_of_libtiff(compression: str, bilevel: bool) -> None:
    pixels = ridges(61, 45)
    stored = (pixels > 127).astype(bool) if bilevel else pixels
    expected = stored.astype(np.uint8) * 255 if bilevel else pixels
    assert (read_picture(by_libtiff(stored, compression)).pixels == expected).all()


def test_lzw_of_16_bits_and_of_colour_with_differences() -> None:
    deep = values_of(16).astype(np.uint16)
    assert (read_picture(by_libtiff(deep, "tiff_lzw")).pixels == scaled(deep, 16)).all()
    gray = ridges(64, 50)
    data = by_libtiff(np.stack([gray] * 3, 2), "tiff_lzw", tiffinfo={317: 2})
    assert (read_picture(data).pixels == gray).all()


def test_jpeg_strips_in_gray_and_colour() -> None:
    gray = ridges(64, 48)
    assert np.abs(read_picture(by_libtiff(gray, "jpeg", quality=95)).pixels.astype(int) - gray).max() <= 12
    colour = np.stack([gray, gray // 2, 255 - gray], 2)
    expected = gray * 0.299 + (gray // 2) * 0.587 + (255 - gray) * 0.114
    assert np.abs(read_picture(by_libtiff(colour, "jpeg", quality=95)).pixels - expected).mean() <= 4


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_rgb_and_planes(planar: int, bits: int) -> None:
    values = np.random.default_rng(4).integers(0, 2**bits, (20, 31, 3))
    layers = [values[..., i] for i in range(3)]
    chunks = [packed(layer, bits) for layer in layers] if planar == 2 else None
    data = gray_tiff(values, bits=bits, chunks=chunks, t262=(3, [2]), t284=(3, [planar]))
    expected = (values * [0.299, 0.587, 0.114]).sum(2) * 255 / (2**bits - 1)
    assert np.abs(read_picture(data).pixels - expected).max() <= 1


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_alpha_on_paper(kind: int) -> None:
    gray, cover = ridges().astype(int), np.tile(np.arange(51) * 5, (40, 1))
    stored = gray * cover // 255 if kind == 1 else gray
    data = gray_tiff(np.stack([stored, cover], 2), t338=(3, [kind]))
    expected = gray if kind == 0 else gray * cover / 255 + 255 - cover
    assert np.abs(read_picture(data).pixels - expected).max() <= 1


def test_miniswhite_with_alpha() -> None:
    gray, cover = ridges(), np.tile(np.arange(51) * 5, (40, 1))
    data = gray_tiff(np.stack([255 - gray, cover], 2), t262=(3, [0]), t338=(3, [2]))
    assert np.abs(read_picture(data).pixels - (gray * (cover / 255) + 255 - cover)).max() <= 1


@pytest.mark.parametrize("layer", ["k", "cmy"])
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_is_ink(layer: str, bits: int) -> None:
    gray = ridges()
    ink, none = (255 - gray.astype(int)) * (1 if bits == 8 else 257), np.zeros(gray.shape, int)
    layers = [none, none, none, ink] if layer == "k" else [ink, ink, ink, none]
    assert (read_picture(gray_tiff(np.stack(layers, 2), bits=bits, t262=(3, [5]))).pixels == gray).all()


@pytest.mark.parametrize("depth", ["16 bits", "16 bits, low byte empty", "8 bits"])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes(depth: str, bits: int) -> None:
    gray = np.linspace(250, 5, 2**bits).astype(int)
    table = np.tile(gray * {"16 bits": 257, "16 bits, low byte empty": 256, "8 bits": 1}[depth], 3)
    values = values_of(bits)
    data = gray_tiff(values, bits=bits, t262=(3, [3]), t320=(3, table.tolist()))
    assert (read_picture(data).pixels == gray[values]).all()


TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("bits", [1, 8])
@pytest.mark.parametrize("orientation", [0, *TURNS, 9])
def test_orientation(bits: int, orientation: int) -> None:
    values = values_of(bits)
    picture = read_picture(gray_tiff(values, bits=bits, t274=(3, [orientation])))
    assert (picture.pixels == TURNS.get(orientation, TURNS[1])(scaled(values, bits))).all()


@pytest.mark.parametrize(
    ("tags", "ppi"),
    [
        ({"t282": (5, [500, 1]), "t283": (5, [500, 1]), "t296": (3, [2])}, 500),
        ({"t282": (5, [500, 1]), "t283": (5, [500, 1])}, 500),
        ({"t282": (5, [5_000_000, 10_000]), "t283": (5, [5_000_000, 10_000])}, 500),
        ({"t282": (5, [1, 1]), "t283": (5, [1, 1]), "t296": (3, [2])}, None),
        ({"t282": (5, [4_294_967_295, 8_589_934]), "t283": (5, [4_294_967_295, 8_589_934])}, 500),
        ({"t282": (5, [19685, 100]), "t283": (5, [19685, 100]), "t296": (3, [3])}, 500),
        ({"t282": (5, [39370, 100]), "t283": (5, [39370, 100]), "t296": (3, [3])}, 1000),
        ({"t282": (5, [500, 1]), "t283": (5, [500, 1]), "t296": (3, [1])}, None),
        ({"t282": (5, [500, 1]), "t283": (5, [500, 1]), "t296": (3, [9])}, None),
        ({"t282": (5, [500, 0]), "t283": (5, [500, 0]), "t296": (3, [2])}, None),
        ({"t282": (5, [0, 0]), "t283": (5, [0, 0]), "t296": (3, [2])}, None),
        ({"t282": (5, [0, 1]), "t283": (5, [0, 1]), "t296": (3, [2])}, None),
        ({"t282": (5, [500, 1])}, 500),
        ({"t283": (5, [500, 1])}, 500),
        ({"t282": (11, [500.0]), "t283": (11, [500.0])}, 500),
        ({"t282": (12, [499.5]), "t283": (12, [499.5])}, 499.5),
        ({"t282": (3, [500]), "t283": (3, [500])}, 500),
        ({"t282": (10, [500, 1]), "t283": (10, [500, 1])}, 500),
        ({"t282": (10, [-500, 1]), "t283": (10, [-500, 1])}, None),
        ({"t282": (5, [96, 1]), "t283": (5, [96, 1])}, None),
        ({"t282": (5, [2835, 100]), "t283": (5, [2835, 100]), "t296": (3, [3])}, None),
        ({"t282": (5, [1000, 1]), "t283": (5, [500, 1])}, None),
        ({"t282": (5, [1250, 1]), "t283": (5, [1250, 1])}, 1250),
        ({"t282": (5, [508, 1]), "t283": (5, [508, 1])}, 508),
        ({}, None),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_resolution(tags: dict[str, Any], ppi: float | None, order: str) -> None:
    picture = read_picture(gray_tiff(ridges(), order=order, **tags))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.01))
    assert picture.ppi_origin == ("unknown" if ppi is None else "file")
    assert bool(picture.notices) == (ppi is None and bool(tags)), "what is stated and not believed is said"


def page(pixels: np.ndarray, subfile: int = 0) -> tuple[dict[int, Any], list[bytes]]:
    height, width = pixels.shape
    tags = {254: (4, [subfile]), 256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 262: (3, [1])}
    return tags, [pixels.tobytes()]


def test_pages_are_counted_and_thumbnails_are_not() -> None:
    first, second = ridges(), ridges(30, 20)
    picture = read_picture(tiff([page(first), page(second), page(first)]))
    assert (picture.pixels == first).all()
    assert picture.pages == 3
    assert any("3 pictures" in notice for notice in picture.notices)
    picture = read_picture(tiff([page(second, 1), page(first)]))
    assert (picture.pixels == first).all()
    assert picture.pages == 1


def test_a_circle_of_pages() -> None:
    data = bytearray(tiff([page(ridges())]))
    at = struct.unpack_from("<I", data, 4)[0]
    end = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
    struct.pack_into("<I", data, end, at)
    with pytest.raises(Damaged, match="circle"):
        read_picture(bytes(data))


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"t256": (4, [0])}, Damaged),
        ({"t257": (4, [0])}, Damaged),
        ({"t256": None}, Damaged),
        ({"t256": (4, [2**32 - 1]), "t257": (4, [2**32 - 1])}, TooLarge),
        ({"t257": (4, [41])}, InputRefused),
        ({"t256": (4, [52])}, Truncated),
        ({"t339": (3, [3])}, Unsupported),
        ({"t339": (3, [2])}, Unsupported),
        ({"t259": (3, [6])}, Unsupported),
        ({"t259": (3, [50000])}, Unsupported),
        ({"t259": (3, [777])}, Unsupported),
        ({"t262": (3, [8])}, Unsupported),
        ({"t262": (3, [3])}, Damaged),
        ({"t258": (3, [64])}, Unsupported),
        ({"t277": (3, [0])}, Unsupported),
        ({"t322": (4, [0]), "t323": (4, [0])}, Damaged),
        ({"t322": (4, [2**31]), "t323": (4, [2**31])}, Damaged),
        ({"t273": (4, [2**32 - 1])}, Truncated),
        ({"t279": (4, [2**32 - 1])}, Truncated),
        ({"t259": (3, [8])}, Damaged),
        ({"t259": (3, [5])}, InputRefused),
        ({"t259": (3, [7])}, InputRefused),
        ({"t259": (3, [4])}, InputRefused),
    ],
)
def test_tags_that_can_not_be(tags: dict[str, Any], kind: type[InputRefused]) -> None:
    with pytest.raises(kind):
        read_picture(gray_tiff(ridges(), **tags))


def test_floating_point_is_refused_with_the_way_out() -> None:
    pixels = ridges().astype(np.float32)
    data = gray_tiff(ridges(), bits=32, chunks=[pixels.tobytes()], t339=(3, [3]))
    with pytest.raises(Unsupported, match="save it as 8 or 16 bits"):
        read_picture(data)


def test_a_jpeg_strip_that_states_more_than_the_picture_is_refused_before_it_is_decoded() -> None:
    file = io.BytesIO()
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))).save(file, "TIFF", compression="jpeg")
    data = file.getvalue()
    frame = data.index(b"\xff\xc0") + 5
    assert read_picture(data).pixels.shape == (48, 64)
    for at in (frame, frame + 2):
        with pytest.raises(Damaged, match="a JPEG strip that states"):
            read_picture(data[:at] + b"\xff\x00" + data[at + 2 :])
