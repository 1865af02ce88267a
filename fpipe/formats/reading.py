"""A file or its bytes to a ``Picture``: recognised by content, upright, gray, resolution judged."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fpipe.core.errors import BadParameter, EmptyFile, NotAnImage, NotFound, Unsupported
from fpipe.core.files import sha256_hex
from fpipe.core.types import GrayImage, Picture, PpiOrigin
from fpipe.formats import bmp, jpeg, jpeg2000, png, tiff, wsq
from fpipe.formats.decoded import Decoded
from fpipe.formats.resolution import credible

MAX_BYTES = 1 << 30
"""Largest file that is read: the largest picture accepted, 16 bits and three colours, has half of it."""

Decoder = Callable[[bytes, str], Decoded]
_READ: tuple[tuple[bytes, str, Decoder], ...] = (
    (png.SIGNATURE, "PNG", png.decode),
    (b"II*\0", "TIFF", tiff.decode),
    (b"MM\0*", "TIFF", tiff.decode),
    (b"II+\0", "TIFF", tiff.decode),
    (b"MM\0+", "TIFF", tiff.decode),
    (b"\xff\xd8\xff", "JPEG", jpeg.decode),
    (jpeg2000.FILE_SIGNATURE, "JPEG 2000", jpeg2000.decode),
    (jpeg2000.STREAM_SIGNATURE, "JPEG 2000", jpeg2000.decode),
    (b"\xff\xa0\xff", "WSQ", wsq.decode),
    (b"BM", "BMP", bmp.decode),
)
_NAMED = (
    (b"GIF8", "a GIF file"),
    (b"RIFF", "a WebP or other RIFF file"),
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive or office file"),
    (b"FMR\0", "a minutiae template"),
    (b"1.001:", "an ANSI/NIST file"),
    (b"1.01:", "an ANSI/NIST file"),
    (b"P5", "a PGM file"),
    (b"P6", "a PPM file"),
    (b"\x8aMNG", "an MNG file"),
)
"""What people also have lying about: named, so that they know what to do."""


def read_picture(source: Path | bytes, *, name: str = "", ppi: float | None = None) -> Picture:
    """Read a picture as the file means it: upright, ridges as in the file, before any resampling.

    source : file, or its bytes
    name : for messages; the path where absent
    ppi : pixels an inch that hold whatever the file says; its origin is then "option"

    Raises a subclass of InputRefused that says what is wrong with the file.
    """
    if ppi is not None and not (math.isfinite(ppi) and ppi > 0):
        raise BadParameter(where="--ppi", name="ppi", got=ppi, expected="a positive number of pixels an inch")
    where = name or (source.as_posix() if isinstance(source, Path) else "picture")
    data = source if isinstance(source, bytes) else _read_file(source, where)
    if not data:
        raise EmptyFile(where=where)
    format_name, decode = _recognise(data, where)
    found = decode(data, where)
    resolution, origin, notices = _resolution(found, ppi)
    if found.pages > 1:
        notices.append(f"the file holds {found.pages} pictures; this is the first")
    return Picture(
        pixels=np.ascontiguousarray(upright(found.gray, found.orientation)),
        ppi=resolution,
        ppi_origin=origin,
        format=format_name,
        bits=found.bits,
        sha256=sha256_hex(data),
        notices=tuple(notices),
        pages=found.pages,
    )


def upright(gray: GrayImage, orientation: int) -> GrayImage:
    """Apply the orientation tag of TIFF and EXIF, 1..8; mirrored ones too: a mirrored finger is another finger."""
    turned = gray.T if orientation >= 5 else gray
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return turned


def _read_file(path: Path, where: str) -> bytes:
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise NotFound(where=where, reason="is a folder, expected a file")
        if not stat.S_ISREG(facts.st_mode):
            raise NotFound(where=where, reason="is a device or pipe, expected a file")
        if facts.st_size > MAX_BYTES:
            raise Unsupported(where=where, reason=f"{facts.st_size} bytes, expected at most {MAX_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(where=where, reason="no such file") from error
    except PermissionError as error:
        raise NotFound(where=where, reason="no permission to read it") from error
    except (OSError, ValueError) as error:
        raise NotFound(where=where, reason=f"can't be opened: {error}") from error


def _recognise(data: bytes, where: str) -> tuple[str, Decoder]:
    for signature, name, decode in _READ:
        if data.startswith(signature):
            return name, decode
    for signature, name in _NAMED:
        if data.startswith(signature):
            raise NotAnImage(where=where, reason=f"it is {name}")
    if any(signature.startswith(data) for signature, _, _ in _READ):
        raise NotAnImage(where=where, reason=f"only {len(data)} bytes")
    raise NotAnImage(where=where, reason=f"it begins with {data[:8].hex(' ')}")


def _resolution(found: Decoded, ppi: float | None) -> tuple[float | None, PpiOrigin, list[str]]:
    stated, doubt = credible(found.resolution)
    notices = list(found.notices)
    if ppi is not None:
        if stated is not None and abs(stated - ppi) > 0.005 * ppi:
            notices.append(f"the file states {stated:.6g} ppi; the given {ppi:.6g} is used")
        elif "square" in doubt:
            notices.append(f"{doubt}; the given {ppi:.6g} is used for both axes")
        return float(ppi), "option", notices
    if stated is None:
        if found.resolution.x is not None or found.resolution.reason not in ("", "the file states none"):
            notices.append(f"resolution unknown: {doubt}")
        return None, "unknown", notices
    return stated, "file", notices
