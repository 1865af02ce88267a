"""BMP: Windows and OS/2 headers, 1 to 32 bits, palettes, bit fields, run lengths, bottom-up and top-down."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.core.types import GrayImage
from fpipe.formats.colour import luma, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.resolution import UNSTATED, Resolution, per_metre

_RGB, _RLE8, _RLE4, _FIELDS, _ALPHA_FIELDS = 0, 1, 2, 3, 6


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    top_down: bool
    bits: int
    packing: int
    resolution: Resolution
    palette: NDArray[np.uint8]
    masks: tuple[int, int, int, int]
    pixels_at: int


def decode(data: bytes, where: str) -> Decoded:
    """A BMP file."""
    header = _read_header(data, where)
    check_size(header.width, header.height, where)
    if header.packing in (_RLE8, _RLE4):
        gray = _coloured(_run_lengths(data, header, where), header, where)
    else:
        stride = (header.width * header.bits + 31) // 32 * 4
        size = stride * header.height
        if header.pixels_at + size > len(data):
            left = max(0, len(data) - header.pixels_at)
            raise Truncated(
                where=where, reason=f"{size} bytes of pixels expected at byte {header.pixels_at}, {left} left"
            )
        rows = np.frombuffer(data, np.uint8, size, header.pixels_at).reshape(header.height, stride)
        gray = _from_rows(rows, header, where)
    bits = {16: 5, 24: 8, 32: 8}.get(header.bits, header.bits)
    return Decoded(np.ascontiguousarray(gray if header.top_down else gray[::-1]), bits, header.resolution)


def _read_header(data: bytes, where: str) -> _Header:
    if len(data) < 26:
        raise Truncated(where=where, reason=f"a BMP header needs 26 bytes, there are {len(data)}")
    pixels_at, size = struct.unpack_from("<II", data, 10)
    if size != 12 and not 16 <= size <= 124:
        raise Damaged(where=where, reason=f"a BMP header of {size} bytes does not exist")
    if 14 + size > len(data):
        raise Truncated(where=where, reason=f"a header of {size} bytes announced, {len(data) - 14} left")
    packing, x, y, used, masks = _RGB, 0, 0, 0, (0, 0, 0, 0)
    if size == 12:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        fields = data[18 : 14 + size].ljust(36, b"\0")
        width, height, planes, bits, packing, _, x, y, used = struct.unpack_from("<iiHHIIiiI", fields)
    if planes != 1 or bits not in (1, 2, 4, 8, 16, 24, 32):
        raise Damaged(where=where, reason=f"{planes} planes of {bits} bits do not exist")
    _check_packing(packing, bits, size, where)
    table_at = 14 + size
    if packing in (_FIELDS, _ALPHA_FIELDS):
        number = 3 if packing == _FIELDS else 4
        if size == 40:
            table_at += 4 * number
        elif size >= 56:
            number = 4
        if 54 + 4 * number > len(data):
            raise Truncated(where=where, reason="the colour masks are missing")
        masks = (*struct.unpack_from(f"<{number}I", data, 54), 0)[:4]
    elif bits == 16:
        masks = (0x7C00, 0x03E0, 0x001F, 0)
    elif bits == 32:
        masks = (0xFF0000, 0xFF00, 0xFF, 0)
    palette = _palette(data, table_at, pixels_at, bits, used, 3 if size == 12 else 4, where)
    resolution = per_metre(x, y) if x or y else UNSTATED
    return _Header(width, abs(height), height < 0, bits, packing, resolution, palette, masks, pixels_at)


def _check_packing(packing: int, bits: int, size: int, where: str) -> None:
    if packing in (4, 5):
        raise Unsupported(where=where, reason="a BMP that wraps a JPEG or PNG picture is not read; unwrap it first")
    if size == 64 and packing in (3, 4):
        raise Unsupported(where=where, reason="an OS/2 BMP with Huffman or 24-bit run-length packing is not read")
    fits = {_RGB: True, _RLE8: bits == 8, _RLE4: bits == 4, _FIELDS: bits in (16, 32), _ALPHA_FIELDS: bits in (16, 32)}
    if not fits.get(packing, False):
        raise Damaged(where=where, reason=f"packing {packing} with {bits} bits does not exist")


def _palette(data: bytes, at: int, pixels_at: int, bits: int, used: int, step: int, where: str) -> NDArray[np.uint8]:
    """(N,) gray of the palette's colours; empty above 8 bits."""
    if bits > 8:
        return np.zeros(0, np.uint8)
    number = used or 2**bits
    if pixels_at > at:
        number = min(number, (pixels_at - at) // step)
    if not 1 <= number <= 256 or at + number * step > len(data):
        raise Damaged(where=where, reason=f"a palette of {number} colours at byte {at} does not fit")
    table = np.frombuffer(data, np.uint8, number * step, at).reshape(number, step)
    return luma(table[:, 2], table[:, 1], table[:, 0]).astype(np.uint8)


def _coloured(index: NDArray[np.uint8], header: _Header, where: str) -> GrayImage:
    if index.max() >= len(header.palette):
        raise Damaged(where=where, reason=f"a pixel of colour {index.max()}, the palette has {len(header.palette)}")
    return np.take(header.palette, index)


def _from_rows(rows: NDArray[np.uint8], header: _Header, where: str) -> GrayImage:
    width, bits = header.width, header.bits
    if bits <= 8:
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        index = (rows[:, :, None] >> shifts & (2**bits - 1)).reshape(len(rows), -1)[:, :width]
        return _coloured(index, header, where)
    if bits == 24:
        pixels = rows[:, : 3 * width].reshape(len(rows), width, 3)
        return to_gray(pixels[..., ::-1], 255, "rgb")
    values = rows[:, : width * bits // 8].copy().view("<u2" if bits == 16 else "<u4").astype(np.int64)
    red, green, blue = (_field(values, mask, where) for mask in header.masks[:3])
    gray = luma(red, green, blue)
    if header.masks[3]:
        cover = _field(values, header.masks[3], where)
        if cover.any():  # a channel of zeros throughout was never filled
            gray = (gray * cover + 255 * (255 - cover) + 127) // 255
    return gray.astype(np.uint8)


def _field(values: NDArray[np.int64], mask: int, where: str) -> NDArray[np.int64]:
    """The bits under a mask, scaled to 0..255."""
    low = mask & -mask
    largest = mask // low if low else 0
    if not largest or largest & (largest + 1):
        raise Damaged(where=where, reason=f"the colour mask {mask:#x} is empty or has holes")
    return ((values & mask) // low * 510 + largest) // (2 * largest)


def _run_lengths(data: bytes, header: _Header, where: str) -> NDArray[np.uint8]:
    """RLE8 and RLE4: pairs of (count, colour); count 0 escapes to ends, jumps and literal runs."""
    out = np.zeros((header.height, header.width), np.uint8)
    nibbles = header.packing == _RLE4
    at, x, y = header.pixels_at, 0, 0
    while True:
        if at + 2 > len(data):
            raise Truncated(where=where, reason=f"its run lengths end in row {y} without an end mark")
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 1:
            return out
        if count == 0 and value == 0:
            x, y = 0, y + 1
            continue
        if count == 0 and value == 2:
            if at + 2 > len(data):
                raise Truncated(where=where, reason="its run lengths end inside a jump")
            x, y, at = x + data[at], y + data[at + 1], at + 2
            continue
        if count:
            pair = (value >> 4, value & 15) if nibbles else (value, value)
            run = np.resize(np.array(pair, np.uint8), count)
        else:
            count, length = value, ((value + 1) // 2 if nibbles else value)
            if at + length > len(data):
                raise Truncated(where=where, reason="its run lengths end inside a literal run")
            run = np.frombuffer(data, np.uint8, length, at)
            run = np.stack((run >> 4, run & 15), 1).ravel()[:count] if nibbles else run
            at += length + length % 2
        if y >= header.height or x + count > header.width:
            raise Damaged(where=where, reason=f"a run of {count} pixels at ({x}, {y}) leaves the picture")
        out[y, x : x + count] = run
        x += count
