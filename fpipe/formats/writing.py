"""Gray pictures as lossless PNG or TIFF, or as WSQ; their resolution kept and an unknown one left out."""

from __future__ import annotations

import re
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from fpipe.core.errors import MissingLibrary, UsageError
from fpipe.core.files import write_atomic
from fpipe.core.types import GrayImage
from fpipe.formats.png import SIGNATURE
from fpipe.formats.wsq import COMMENT

ENDINGS = (".png", ".tif", ".tiff", ".wsq")
"""Endings that pictures are written with; all but .wsq lossless."""


def write_picture(path: Path, pixels: GrayImage, ppi: float | None) -> None:
    """Write (H, W) uint8 pixels atomically as the ending of ``path`` says: .png, .tif, .tiff or .wsq.

    Raises UsageError for another ending, MissingLibrary where WSQ can't be written, DiskFull where the medium refuses.
    """
    ending = path.suffix.lower()
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"write_picture: {pixels.dtype} of shape {pixels.shape}, expected (H, W) uint8")
    if ending not in ENDINGS:
        raise UsageError(
            reason=f"{path.as_posix()}: can't write {ending or 'a file without ending'}; expected .png, .tif or .wsq"
        )
    encode = {".png": encode_png, ".wsq": _wsq}.get(ending, _tiff)
    write_atomic(path, encode(pixels, ppi))


def encode_png(pixels: GrayImage, ppi: float | None) -> bytes:
    """A PNG file, its rows filtered by differences to the row above: prints are smooth enough for it to pay."""
    height, width = pixels.shape
    rows = np.full((height, width + 1), 2, np.uint8)
    rows[0, 1:], rows[1:, 1:] = pixels[0], pixels[1:] - pixels[:-1]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    if ppi is not None:
        dots = round(ppi / 0.0254)
        chunks.append((b"pHYs", struct.pack(">IIB", dots, dots, 1)))
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _tiff(pixels: GrayImage, ppi: float | None) -> bytes:
    """One uncompressed strip, black is zero."""
    height, width = pixels.shape
    data = pixels.tobytes()
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 0)]
    entries += [(277, 3, 1), (278, 4, height), (279, 4, len(data))]
    if ppi is not None:
        entries += [(282, 5, 0), (283, 5, 0)]
    entries.append((296, 3, 1 if ppi is None else 2))
    fraction_at = 8 + 2 + 12 * len(entries) + 4
    fraction = Fraction(ppi).limit_denominator(10_000) if ppi is not None else Fraction(0)
    pixels_at = fraction_at + 8
    places = {273: pixels_at, 282: fraction_at, 283: fraction_at}
    body = b"".join(struct.pack("<HHII", tag, kind, 1, places.get(tag, value)) for tag, kind, value in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    return head + body + bytes(4) + struct.pack("<II", fraction.numerator, fraction.denominator) + data


def _wsq(pixels: GrayImage, ppi: float | None) -> bytes:
    """NBIS's encoder at its usual rate (about 15:1, lossy); the resolution goes into the NIST comment."""
    try:
        import _wsq as nbis  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise MissingLibrary(where="writing WSQ", package="wsq", what_to_do="pip install wsq, or write .png") from error
    height, width = pixels.shape
    data: bytes = nbis.compress(np.ascontiguousarray(pixels).tobytes(), height, width, 0.75)
    marker, length = struct.unpack_from(">HH", data, 2)
    if marker != COMMENT:
        raise RuntimeError(f"the WSQ encoder wrote marker {marker:#06x} where its comment belongs")
    comment = re.sub(rb"(?m)^PPI .*$", b"PPI %d" % (-1 if ppi is None else round(ppi)), data[6 : 4 + length])
    return data[:2] + struct.pack(">HH", COMMENT, len(comment) + 2) + comment + data[4 + length :]
