"""Which decoder a picture's first bytes ask for, and how what it gave becomes a ``Picture``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fpipe.core.errors import BadParameter
from fpipe.core.types import GivenPpi, GrayImage, Picture, PpiOrigin
from fpipe.formats import bmp, jpeg, jpeg2000, png, tiff, wsq
from fpipe.formats.decoded import Decoded
from fpipe.formats.resolution import credible

Decoder = Callable[[bytes, str], Decoded]
DECODERS: tuple[tuple[bytes, str, Decoder], ...] = (
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
"""First bytes, name of the format, decoder."""


def decoder_of(data: bytes) -> tuple[str, Decoder] | None:
    """Name and decoder by the content; None where it is none of the formats."""
    return next(((name, decode) for signature, name, decode in DECODERS if data.startswith(signature)), None)


def check_ppi(ppi: float | None) -> None:
    """Raises BadParameter where a given resolution is no positive number."""
    if ppi is not None and not (math.isfinite(ppi) and ppi > 0):
        raise BadParameter(where="--ppi", name="ppi", got=ppi, expected="a positive number of pixels an inch")


def to_picture(found: Decoded, *, ppi: float | None, format: str, sha256: str) -> Picture:
    """What a decoder gave, upright, with its resolution judged.

    ppi : holds whatever the file says; its origin is then "option", or what a GivenPpi says
    """
    resolution, origin, notices = _resolution(found, ppi)
    if found.pages > 1:
        notices.append(f"the file holds {found.pages} pictures; this is the first")
    return Picture(
        pixels=np.ascontiguousarray(upright(found.gray, found.orientation)),
        ppi=resolution,
        ppi_origin=origin,
        format=format,
        bits=found.bits,
        sha256=sha256,
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


def _resolution(found: Decoded, ppi: float | None) -> tuple[float | None, PpiOrigin, list[str]]:
    stated, doubt = credible(found.resolution)
    notices = list(found.notices)
    if ppi is not None:
        if stated is not None and abs(stated - ppi) > 0.005 * ppi:
            notices.append(f"the file states {stated:.6g} ppi; the given {ppi:.6g} is used")
        elif "square" in doubt:
            notices.append(f"{doubt}; the given {ppi:.6g} is used for both axes")
        return float(ppi), ppi.origin if isinstance(ppi, GivenPpi) else "option", notices
    if stated is None:
        if found.resolution.x is not None or found.resolution.reason not in ("", "the file states none"):
            notices.append(f"resolution unknown: {doubt}")
        return None, "unknown", notices
    return stated, "file", notices
