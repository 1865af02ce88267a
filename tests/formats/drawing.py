"""Picture files written byte by byte, so that a reader is not tested with the library it may be built on."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np


def ridges(height: int = 40, width: int = 51) -> np.ndarray:
    """(H, W) uint8, no two rows or columns alike, no symmetry that a wrong turn could hide behind."""
    y, x = np.mgrid[:height, :width].astype(float)
    return np.rint(127 + 90 * np.sin(x * 0.7 + y * y * 0.01) + y * 0.8 - x * 0.2).clip(0, 255).astype(np.uint8)


def packed(values: np.ndarray, bits: int, order: str = "<") -> bytes:
    """(H, N) numbers of ``bits`` bits, rows padded to whole bytes."""
    if bits in (8, 16, 32):
        return values.astype(f"{order}u{bits // 8}").tobytes()
    digits = (values[:, :, None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


Tag = tuple[int, int, Sequence[object]]
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d", 16: "Q"}


def tiff(
    pages: Sequence[tuple[dict[int, Tag | tuple[int, Sequence[object]]], list[bytes]]],
    order: str = "<",
    big: bool = False,
) -> bytes:
    """A TIFF file; each page is (tag -> (type, values), strips or tiles).  Fractions are flat lists."""
    pointer, head, entry, slot = ("Q", "Q", "HHQ", 8) if big else ("I", "H", "HHI", 4)
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
    link = len(out) - (8 if big else 4)
    for tags, chunks in pages:
        places = []
        for chunk in chunks:
            places.append(len(out))
            out += chunk
            out += bytes(len(out) % 2)
        filled = dict(tags)
        tiled = 322 in filled
        filled.setdefault(324 if tiled else 273, (4, places))
        filled.setdefault(325 if tiled else 279, (4, [len(c) for c in chunks]))
        body = bytearray()
        for tag in sorted(filled):
            kind, values = filled[tag]
            data = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
            count = len(values) // 2 if kind in (5, 10) else len(values)
            body += struct.pack(f"{order}{entry}", tag, kind, count)
            if len(data) <= slot:
                body += data.ljust(slot, b"\0")
            else:
                body += struct.pack(order + pointer, len(out))
                out += data + bytes(len(data) % 2)
        struct.pack_into(order + pointer, out, link, len(out))
        out += struct.pack(order + head, len(filled)) + body
        link = len(out)
        out += struct.pack(order + pointer, 0)
    return bytes(out)


def gray_tiff(
    pixels: np.ndarray,
    *,
    order: str = "<",
    bits: int = 8,
    big: bool = False,
    chunks: list[bytes] | None = None,
    **tags: object,
) -> bytes:
    """One gray page; ``tags`` as t296=(3, [2]) replace or add."""
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    page: dict[int, tuple[int, Sequence[object]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [1]),
        262: (3, [1]),
        277: (3, [samples]),
        278: (4, [height]),
    }
    page |= {int(name[1:]): value for name, value in tags.items()}  # type: ignore[misc]
    page = {tag: value for tag, value in page.items() if value is not None}
    return tiff([(page, chunks or [packed(pixels.reshape(height, -1), bits, order)])], order, big)


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def _filtered(rows: bytes, height: int, distance: int, kinds: Sequence[int]) -> bytes:
    """PNG row filters, pixel by pixel as the standard states them."""
    if not height:
        return b""
    stride = len(rows) // height
    out, above = bytearray(), bytes(stride)
    for r in range(height):
        row, kind = rows[r * stride : (r + 1) * stride], kinds[r % len(kinds)]
        out.append(kind)
        for i in range(stride):
            a = row[i - distance] if i >= distance else 0
            b = above[i]
            c = above[i - distance] if i >= distance else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((row[i] - (0, a, b, (a + b) // 2, nearest)[kind]) & 255)
        above = row
    return bytes(out)


def png(
    samples: np.ndarray,
    bits: int,
    colour: int,
    *,
    interlaced: bool = False,
    before: Sequence[tuple[bytes, bytes]] = (),
    kinds: Sequence[int] = (0, 1, 2, 3, 4),
) -> bytes:
    """(H, W, C) samples as PNG, the row filters ``kinds`` in turn, further chunks before the pixels."""
    height, width, channels = samples.shape
    data = b""
    for r, c, dr, dc in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[r::dr, c::dc]
        if part.size:
            flat = packed(part.reshape(len(part), -1), bits, ">")
            data += _filtered(flat, len(part), max(1, channels * bits // 8), kinds)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    squeezed = zlib.compress(data)
    half = len(squeezed) // 2
    parts = [(b"IHDR", header), *before, (b"IDAT", squeezed[:half]), (b"IDAT", squeezed[half:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def bmp(
    rows: list[bytes],
    width: int,
    height: int,
    bits: int,
    *,
    packing: int = 0,
    palette: Sequence[tuple[int, int, int]] = (),
    masks: Sequence[int] = (),
    ppm: int = 19685,
    size: int = 40,
) -> bytes:
    """A BMP; ``rows`` as they lie in the file, unpadded; a negative height is top-down."""
    body = b"".join(row + bytes(-len(row) % 4) for row in rows) if packing not in (1, 2) else rows[0]
    table = b"".join(struct.pack("BBBx" if size != 12 else "BBB", b, g, r) for r, g, b in palette)
    if size == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, packing, len(body), ppm, ppm, len(palette), 0)
        head += struct.pack(f"<{len(masks)}I", *masks)
        head = head.ljust(max(size, len(head)), b"\0")
    at = 14 + len(head) + len(table)
    return struct.pack("<2sIHHI", b"BM", at + len(body), 0, 0, at) + head + table + body


def exif_block(order: str = "<", **tags: object) -> bytes:
    """An EXIF block with the tags of gray_tiff's notation."""
    entries = {int(name[1:]): value for name, value in tags.items()}
    return tiff([({**entries, 273: (4, [0]), 279: (4, [0])}, [])], order)  # type: ignore[dict-item]


def jpeg_with(data: bytes, *, jfif: tuple[int, int, int] | None = None, exif: bytes | None = None) -> bytes:
    """A JPEG with its JFIF and EXIF segments replaced: density (unit, x, y), EXIF block."""
    at = 2
    while data[at + 1] in (0xE0, 0xE1):
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    out = b"\xff\xd8"
    if jfif:
        out += struct.pack(">2sH5sHBHHBB", b"\xff\xe0", 16, b"JFIF\0", 0x102, *jfif, 0, 0)
    if exif is not None:
        out += struct.pack(">2sH6s", b"\xff\xe1", len(exif) + 8, b"Exif\0\0") + exif
    return out + data[at:]


def box(kind: bytes, content: bytes) -> bytes:
    """One JP2 box."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def jp2_with_resolution(data: bytes, kind: bytes, down: tuple[int, int, int], across: tuple[int, int, int]) -> bytes:
    """A JP2 with a resolution box in its header: (numerator, denominator, power of ten), dots a metre."""
    content = struct.pack(">HHHHbb", down[0], down[1], across[0], across[1], down[2], across[2])
    at, out = 0, b""
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        size = size or len(data) - at
        whole = data[at : at + size]
        out += box(b"jp2h", whole[8:] + box(b"res ", box(kind, content))) if name == b"jp2h" else whole
        at += size
    return out
