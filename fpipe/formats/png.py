"""PNG (ISO/IEC 15948): every chunk's checksum is verified before anything is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.core.types import GrayImage
from fpipe.formats.colour import Model, luma, scaled, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.resolution import UNSTATED, Resolution, per_metre, unusable
from fpipe.formats.tags import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KNOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""Passes of an interlaced picture: first row, first column, step of rows, step of columns."""


@dataclass(slots=True)
class _Chunks:
    """The chunks that matter; of repeated ones the first, image data joined."""

    first: dict[bytes, bytes] = field(default_factory=dict)
    image: bytearray = field(default_factory=bytearray)
    trailing: int = 0


def decode(data: bytes, where: str) -> Decoded:
    """A PNG file; of an animated one the picture that every viewer shows."""
    chunks = _read_chunks(data, where)
    width, height, depth, colour, packing, filtering, interlace = _header(chunks, where)
    check_size(width, height, where)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise Damaged(
            where=where, reason=f"bit depth {depth}, colour type {colour}, interlace {interlace} do not exist"
        )
    if colour == 3 and len(chunks.first.get(b"PLTE", b"")) % 3 + (b"PLTE" not in chunks.first):
        raise Damaged(where=where, reason="a palette picture without a whole palette")
    samples = _samples(chunks, width, height, depth, colour, interlace, where)
    orientation, resolution, notices = 1, _resolution(chunks), []
    if b"eXIf" in chunks.first:
        orientation, stated, notice = exif(chunks.first[b"eXIf"], where)
        notices += [notice] if notice else []
        resolution = stated if resolution is UNSTATED else resolution
    if chunks.trailing:
        notices.append(f"{chunks.trailing} bytes follow the end of the picture and were ignored")
    pages = 1
    if len(animation := chunks.first.get(b"acTL", b"")) >= 4:
        pages = max(1, struct.unpack(">I", animation[:4])[0])
    return Decoded(_gray(samples, depth, colour, chunks, where), depth, resolution, orientation, pages, notices)


def _read_chunks(data: bytes, where: str) -> _Chunks:
    chunks, at = _Chunks(), len(SIGNATURE)
    while True:
        if at + 12 > len(data):
            raise Truncated(
                where=where, reason=f"at byte {at}: a chunk needs 12 bytes, {len(data) - at} left, no end mark"
            )
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise Truncated(
                where=where, reason=f"at byte {at}: a chunk of {size} bytes announced, {len(data) - at - 12} left"
            )
        content = data[at + 8 : end - 4]
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise Damaged(where=where, reason=f"at byte {at}: the checksum of chunk {kind!r} is wrong")
        if kind == b"IDAT":
            chunks.image += content
        elif kind not in _KNOWN and not kind[0] & 0x20:
            raise Unsupported(where=where, reason=f"the PNG chunk {kind!r} is needed to decode it and not known")
        else:
            chunks.first.setdefault(kind, content)
        at = end
        if kind == b"IEND":
            chunks.trailing = len(data) - at
            return chunks


def _header(chunks: _Chunks, where: str) -> tuple[int, ...]:
    if next(iter(chunks.first)) != b"IHDR" or len(chunks.first[b"IHDR"]) != 13:
        raise Damaged(where=where, reason="no PNG header of 13 bytes at its beginning")
    return struct.unpack(">IIBBBBB", chunks.first[b"IHDR"])


def _resolution(chunks: _Chunks) -> Resolution:
    stated = chunks.first.get(b"pHYs", b"")
    if len(stated) != 9:
        return UNSTATED
    x, y, unit = struct.unpack(">IIB", stated)
    return per_metre(x, y) if unit == 1 else unusable("the file states the shape of its pixels only, not their size")


def _samples(
    chunks: _Chunks, width: int, height: int, depth: int, colour: int, interlace: int, where: str
) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """(H, W, C) samples, palette indices as they are."""
    channels = _CHANNELS[colour]
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    sizes = [(-(-(height - r) // dr), -(-(width - c) // dc)) for r, c, dr, dc in passes]
    lengths = [rows * (1 + (columns * channels * depth + 7) // 8) if columns > 0 else 0 for rows, columns in sizes]
    stream = _inflate(bytes(chunks.image), sum(lengths), where)
    if depth == 16 and colour in (2, 4, 6):  # Pillow drops the low bytes of these
        out = np.empty((height, width, channels), np.uint16)
        at = 0
        for (r, c, dr, dc), (rows, columns), length in zip(passes, sizes, lengths, strict=True):
            if length:
                block = np.frombuffer(stream, np.uint8, length, at).reshape(rows, -1)
                plain = _unfiltered(block, 2 * channels, where)
                out[r::dr, c::dc] = plain.view(">u2").reshape(rows, columns, channels)
            at += length
        return out
    return _by_pillow(chunks, where).reshape(height, width, channels)


def _inflate(packed: bytes, size: int, where: str) -> bytes:
    """Image data of exactly the size that the header asks for."""
    unpacker = zlib.decompressobj()
    try:
        stream = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise Damaged(where=where, reason=f"its compressed data is broken ({error})") from error
    if len(stream) > size:
        raise Damaged(where=where, reason=f"more pixels than its header declares ({size} bytes expected)")
    if len(stream) < size or not unpacker.eof:
        raise Truncated(where=where, reason=f"{size} bytes of pixels expected, {len(stream)} found")
    return stream


def _by_pillow(chunks: _Chunks, where: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Pixels by Pillow's own filters and zlib, from a file of the verified parts alone."""
    from PIL import Image

    parts = [SIGNATURE]
    for kind, content in (
        (b"IHDR", chunks.first[b"IHDR"]),
        (b"PLTE", chunks.first.get(b"PLTE", b"")),
        (b"IDAT", bytes(chunks.image)),
        (b"IEND", b""),
    ):
        if content or kind == b"IEND":
            parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    try:
        with Image.open(io.BytesIO(b"".join(parts)), formats=["PNG"]) as image:
            image.load()
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise Damaged(where=where, reason=f"its pixels can't be decoded ({error})") from error
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    return pixels.astype(np.uint16) if pixels.dtype.itemsize > 1 else pixels.astype(np.uint8)


def _unfiltered(block: NDArray[np.uint8], distance: int, where: str) -> NDArray[np.uint8]:
    """(rows, 1 + bytes) filtered -> (rows, bytes); ISO/IEC 15948 section 9.

    Each pixel needs its left, upper and upper left neighbours, so the pixels of one anti-diagonal are done together.
    """
    kinds = block[:, 0]
    if kinds.max(initial=0) > 4:
        raise Damaged(where=where, reason=f"row filter {kinds.max()} does not exist")
    rows, columns = len(block), (block.shape[1] - 1) // distance
    source = block[:, 1:].reshape(rows, columns, distance).astype(np.int16)
    out = np.zeros((rows + 1, columns + 1, distance), np.int16)
    for diagonal in range(rows + columns - 1):
        r = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        c = diagonal - r
        left, up, corner = out[r + 1, c], out[r, c + 1], out[r, c]
        estimate = left + up - corner
        to_left, to_up, to_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
        paeth = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
        guess = np.choose(kinds[r][:, None], (np.zeros_like(left), left, up, (left + up) >> 1, paeth))
        out[r + 1, c + 1] = (source[r, c] + guess) & 255
    return out[1:, 1:].astype(np.uint8).reshape(rows, columns * distance)


def _gray(
    samples: NDArray[np.uint8] | NDArray[np.uint16], depth: int, colour: int, chunks: _Chunks, where: str
) -> GrayImage:
    largest = 2**depth - 1
    clear = chunks.first.get(b"tRNS", b"")
    if colour == 3:
        return _palette(samples[..., 0], chunks.first[b"PLTE"], clear, where)
    if colour == 0:
        spread = 255 if depth < 8 else largest  # Pillow has spread the small depths to 0..255 already
        gray = scaled(samples[..., 0], spread)
        if len(clear) == 2:
            gray[samples[..., 0] == (struct.unpack(">H", clear)[0] & largest) * spread // largest] = 255
        return gray
    model: Model = "gray" if colour == 4 else "rgb"
    gray = to_gray(samples, largest, model, "straight" if colour in (4, 6) else "none")
    if colour == 2 and len(clear) == 6:
        gray[(samples == np.array(struct.unpack(">HHH", clear))).all(axis=2)] = 255
    return gray


def _palette(index: NDArray[np.uint8] | NDArray[np.uint16], table: bytes, clear: bytes, where: str) -> GrayImage:
    colours = np.frombuffer(table, np.uint8).reshape(-1, 3)
    if index.max() >= len(colours):
        raise Damaged(where=where, reason=f"a pixel of colour {index.max()}, the palette has {len(colours)}")
    cover = np.full(len(colours), 255, np.int64)
    cover[: len(clear)] = np.frombuffer(clear, np.uint8)[: len(colours)]
    gray = luma(colours[:, 0], colours[:, 1], colours[:, 2])
    return np.take(((gray * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8), index)
