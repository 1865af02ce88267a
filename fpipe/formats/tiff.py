"""TIFF 6.0 and BigTIFF: the layout is read here, so that sizes are checked and nothing is guessed.

Only the compression codes of strips and tiles that C libraries know best (LZW, fax, JPEG) go to the worker, one by one.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.core.types import GrayImage
from fpipe.formats.colour import CHANNELS, Alpha, Model, Samples, luma, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.isolation import decode_apart
from fpipe.formats.jpeg import decode_pixels, stated_size
from fpipe.formats.tags import Directory, read_directories

NONE, FAX_RLE, FAX_3, FAX_4, LZW, JPEG, DEFLATE, DEFLATE_OLD, PACKBITS = 1, 2, 3, 4, 5, 7, 8, 32946, 32773
_FAX = (FAX_RLE, FAX_3, FAX_4)
_NAMES = {6: "old JPEG", 34661: "JBIG", 34712: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP"}
_PHOTOMETRIC: dict[int, Model] = {0: "white_is_zero", 1: "gray", 2: "rgb", 5: "cmyk"}
_PALETTE, _YCBCR = 3, 6
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType: a thumbnail, a transparency mask."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the tags say about how samples lie in the file."""

    directory: Directory
    width: int
    height: int
    bits: int
    samples: int
    compression: int
    photometric: int
    planar: bool
    predictor: int
    reverse_bits: bool
    chunk_width: int
    chunk_height: int
    tiled: bool
    where: str
    notices: set[str] = field(default_factory=set)

    @property
    def chunk_samples(self) -> int:
        return 1 if self.planar else self.samples

    def row_bytes(self) -> int:
        return (self.chunk_width * self.chunk_samples * self.bits + 7) // 8


def decode(data: bytes, where: str) -> Decoded:
    """The first full picture of a TIFF file; thumbnails and masks do not count as pages."""
    directories = list(read_directories(data, where))
    full = [d for d in directories if not d.integer(254, 0) & (REDUCED | MASK)] or directories
    directory = full[0]
    layout = _layout(directory, where)
    if layout.photometric == _PALETTE:
        gray = _palette(_samples(layout), layout)
    else:
        model, alpha = _colours(layout)
        gray = to_gray(_samples(layout), 2**layout.bits - 1, model, alpha)
    turn, notices = directory.orientation(), sorted(layout.notices)[:3]
    return Decoded(gray, layout.bits, directory.resolution(), turn, len(full), notices)


def _layout(directory: Directory, where: str) -> _Layout:
    width, height = directory.integer(256, 0), directory.integer(257, 0)
    check_size(width, height, where)
    samples = directory.integer(277, 1)
    bits = directory.integers(258, (1,))
    if not 1 <= samples <= 16 or not bits or len(set(bits)) > 1 or not 1 <= bits[0] <= 32:
        raise Unsupported(where=where, reason=f"{samples} samples of {bits[:8]} bits; expected 1 to 32 bits, all alike")
    kind = directory.integer(339, 1)
    if kind not in (1, 4):
        name = {2: "signed numbers", 3: "floating point numbers"}.get(kind, f"samples of kind {kind}")
        raise Unsupported(
            where=where, reason=f"{name} have no agreed black and white; save it as 8 or 16 bits unsigned"
        )
    compression = directory.integer(259, NONE)
    fallback = 0 if compression in _FAX else 2 if samples >= 3 else 1
    tiled = 322 in directory.entries
    chunk_width = directory.integer(322, 0) if tiled else width
    chunk_height = directory.integer(323, 0) if tiled else min(directory.integer(278, height), height)
    if chunk_width < 1 or chunk_height < 1 or chunk_width * chunk_height > 4 * max(width * height, 1 << 20):
        raise Damaged(where=where, reason=f"strips or tiles of {chunk_width} x {chunk_height} px")
    return _Layout(
        directory,
        width,
        height,
        bits[0],
        samples,
        compression,
        directory.integer(262, fallback),
        directory.integer(284, 1) == 2 and samples > 1,
        directory.integer(317, 1) if compression in (LZW, DEFLATE, DEFLATE_OLD) else 1,
        directory.integer(266, 1) == 2,
        chunk_width,
        chunk_height,
        tiled,
        where,
    )


def _colours(layout: _Layout) -> tuple[Model, Alpha]:
    """Colour model and what the first further sample means."""
    photometric = layout.photometric
    if photometric == _YCBCR and layout.compression == JPEG:
        photometric = 2  # the JPEG decoder hands out RGB
    if photometric not in _PHOTOMETRIC:
        name = {_YCBCR: "YCbCr without JPEG", 4: "a mask", 8: "CIE Lab", 32803: "a camera's raw data"}.get(photometric)
        raise Unsupported(where=layout.where, reason=f"the colour model {name or photometric} is not read")
    model = _PHOTOMETRIC[photometric]
    if model == "cmyk" and layout.directory.integer(332, 1) != 1:
        raise Unsupported(where=layout.where, reason="inks other than cyan, magenta, yellow and black are not read")
    if layout.samples < CHANNELS[model]:
        raise Damaged(where=layout.where, reason=f"{layout.samples} samples a pixel for the colour model {model}")
    extra = layout.directory.integer(338, 0) if layout.samples > CHANNELS[model] else 0
    alphas: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
    return model, alphas.get(extra, "none")


def _palette(samples: Samples, layout: _Layout) -> GrayImage:
    index, table = samples[..., 0], np.array(layout.directory.integers(320), np.int64)
    if layout.bits > 16 or len(table) != 3 * 2**layout.bits or table.max(initial=0) > 65535 or table.min(initial=0) < 0:
        raise Damaged(where=layout.where, reason=f"a palette of {len(table)} values for {layout.bits} bits")
    if table.max() > 255:  # 16 bits as the standard asks, unless a writer stored 8
        table = table >> 8 if not (table & 255).any() else (table * 255 + 32767) // 65535
    red, green, blue = table.reshape(3, -1)
    return np.take(luma(red, green, blue).astype(np.uint8), index)


def _samples(layout: _Layout) -> Samples:
    """(H, W, samples) as the smallest unsigned type that holds them."""
    kind = np.uint8 if layout.bits <= 8 else np.uint16 if layout.bits <= 16 else np.uint32
    out = np.empty((layout.height, layout.width, layout.samples), kind)
    for plane, top, left, packed in _chunks(layout):
        rows = layout.chunk_height if layout.tiled else min(layout.chunk_height, layout.height - top)
        chunk = _unpacked(packed, rows, layout)
        target = out[top : top + rows, left : left + layout.chunk_width]
        target = target[..., plane : plane + 1] if layout.planar else target
        target[...] = chunk[: target.shape[0], : target.shape[1]]
    return out


def _chunks(layout: _Layout) -> Iterator[tuple[int, int, int, bytes]]:
    """(plane, top, left, bytes) of every strip or tile."""
    data, where = layout.directory.data, layout.where
    offsets = layout.directory.integers(324 if layout.tiled else 273)
    sizes = layout.directory.integers(325 if layout.tiled else 279)
    across = math.ceil(layout.width / layout.chunk_width)
    down = math.ceil(layout.height / layout.chunk_height)
    number = across * down * (layout.samples if layout.planar else 1)
    if not sizes and layout.compression == NONE:
        sizes = (layout.row_bytes() * layout.chunk_height,) * number
    if len(offsets) < number or len(sizes) < number:
        found = min(len(offsets), len(sizes))
        raise Damaged(where=where, reason=f"{number} strips or tiles expected, {found} listed")
    for i in range(number):
        offset, size = offsets[i], sizes[i]
        if offset + size > len(data):
            raise Truncated(
                where=where,
                reason=f"strip or tile {i + 1} of {number}: {size} bytes at {offset}, the file has {len(data)}",
            )
        packed = data[offset : offset + size]
        if layout.reverse_bits and layout.compression != JPEG:
            packed = packed.translate(_REVERSED)
        plane, place = divmod(i, across * down)
        yield plane, place // across * layout.chunk_height, place % across * layout.chunk_width, packed


def _unpacked(packed: bytes, rows: int, layout: _Layout) -> Samples:
    """One strip or tile -> (rows, chunk width, samples of it)."""
    if layout.compression == JPEG:
        return _jpeg(packed, rows, layout)
    row_bytes = layout.row_bytes()
    plain = _decompressed(packed, rows, row_bytes, layout)
    if len(plain) < rows * row_bytes:
        raise Truncated(
            where=layout.where,
            reason=f"a strip or tile gives {len(plain)} bytes of pixels, expected {rows * row_bytes}",
        )
    lines = np.frombuffer(plain, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    values = _numbers(lines, layout).reshape(rows, layout.chunk_width, layout.chunk_samples)
    if layout.predictor == 2:
        if layout.bits not in (8, 16, 32):
            raise Unsupported(where=layout.where, reason=f"differences of {layout.bits} bits are not read")
        return np.cumsum(values, axis=1, dtype=values.dtype)
    if layout.predictor != 1:
        raise Unsupported(where=layout.where, reason=f"predictor {layout.predictor} is not read")
    return values


def _numbers(lines: Samples, layout: _Layout) -> Samples:
    """(rows, bytes) -> (rows, numbers) of ``bits`` bits each."""
    bits, number = layout.bits, layout.chunk_width * layout.chunk_samples
    if bits in (8, 16, 32):
        kind = np.dtype(f"{layout.directory.order}u{bits // 8}")
        return np.ascontiguousarray(lines).view(kind).astype(kind.newbyteorder("="), copy=False)
    if bits < 8 and 8 % bits == 0:
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        spread: Samples = np.right_shift(lines[:, :, None], shifts, dtype=np.uint8)
        return np.bitwise_and(spread, (1 << bits) - 1, dtype=np.uint8).reshape(len(lines), -1)[:, :number]
    single = np.unpackbits(lines, axis=1)[:, : number * bits].reshape(len(lines), number, bits)
    out = np.zeros(single.shape[:2], np.uint32)
    for i in range(bits):
        out = out << 1 | single[..., i]
    return out


def _decompressed(packed: bytes, rows: int, row_bytes: int, layout: _Layout) -> bytes:
    compression, where = layout.compression, layout.where
    if compression == NONE:
        return packed
    if compression == PACKBITS:
        return _packbits(packed, rows * row_bytes)
    if compression in (DEFLATE, DEFLATE_OLD):
        try:
            return zlib.decompressobj().decompress(packed, rows * row_bytes + 1)
        except zlib.error as error:
            raise Damaged(where=where, reason=f"its compressed data is broken ({error})") from error
    if compression == LZW:
        wrapped = _wrap(packed, row_bytes, rows, 8, compression)
    elif compression in _FAX:
        if layout.bits != 1 or layout.chunk_samples != 1:
            raise Damaged(where=where, reason=f"fax packing of {layout.samples} samples of {layout.bits} bits")
        options = layout.directory.integer(293 if compression == FAX_4 else 292, 0)
        wrapped = _wrap(packed, layout.chunk_width, rows, 1, compression, options)
    else:
        name = _NAMES.get(compression, f"number {compression}")
        raise Unsupported(where=where, reason=f"the TIFF compression {name} is not read; save it with another one")
    raw = decode_apart("tiff", wrapped, where)
    layout.notices.update([f"the TIFF decoder says: {raw.printed}"] if raw.printed else [])
    return raw.data


def _wrap(packed: bytes, width: int, rows: int, bits: int, compression: int, options: int = 0) -> bytes:
    """A gray one-strip TIFF around a strip or tile, whatever its samples mean."""
    entries = [(256, 4, width), (257, 4, rows), (258, 3, bits), (259, 3, compression), (262, 3, 1), (273, 4, 0)]
    entries += [(277, 3, 1), (278, 4, rows), (279, 4, len(packed))]
    if compression in (FAX_3, FAX_4):
        entries.append((292 if compression == FAX_3 else 293, 4, options))
    at = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, kind, 1, at if tag == 273 else value) for tag, kind, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + bytes(4) + packed


def _packbits(packed: bytes, size: int) -> bytes:
    """TIFF 6.0 section 9."""
    out, at = bytearray(), 0
    while at < len(packed) and len(out) < size:
        head = packed[at]
        if head < 128:
            out += packed[at + 1 : at + 2 + head]
            at += 2 + head
        else:
            if head > 128:
                out += packed[at + 1 : at + 2] * (257 - head)
            at += 2
    return bytes(out[:size])


def _jpeg(packed: bytes, rows: int, layout: _Layout) -> Samples:
    """A strip or tile that is a JPEG of its own, its tables kept in a tag; TIFF Technical Note 2."""
    where, samples = layout.where, layout.chunk_samples
    if layout.bits != 8 or packed[:2] != b"\xff\xd8":
        raise Unsupported(where=where, reason=f"JPEG strips of {layout.bits} bits, beginning with {packed[:2].hex()}")
    tables = layout.directory.raw(347)
    colour = b""
    if samples in (3, 4):  # says outright what JPEG decoders otherwise guess
        transform = 1 if layout.photometric == _YCBCR else 0
        colour = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    whole = b"\xff\xd8" + colour + tables[2:-2] + packed[2:]
    width, height = stated_size(whole, where)
    if width > max(layout.chunk_width, layout.width) or height > max(layout.chunk_height, layout.height):
        raise Damaged(
            where=where, reason=f"a JPEG strip that states {width} x {height} px"
        )  # nothing makes room for it
    raw, notices = decode_pixels(whole, where)
    layout.notices.update(notices)
    channels = {"L": 1, "RGB": 3, "CMYK": 4}.get(raw.mode)
    if channels != samples or raw.width < min(layout.chunk_width, layout.width) or raw.height < rows:
        raise Damaged(where=where, reason=f"a JPEG strip of {raw.width} x {raw.height} px, {raw.mode}")
    values = np.frombuffer(raw.data, np.uint8).reshape(raw.height, raw.width, channels)[:rows, : layout.chunk_width]
    return 255 - values if channels == 4 else values  # Pillow turns Adobe's ink around
