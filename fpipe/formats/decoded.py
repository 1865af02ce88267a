"""What every decoder returns, and the limits every decoder checks before it decodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from fpipe.core.errors import Damaged, TooLarge
from fpipe.core.types import GrayImage
from fpipe.formats.resolution import UNSTATED, Resolution

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded: a ten-print card of 8 x 8 inches at 1000 ppi has 64 million."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture as it lies in the file.

    gray : (H, W) uint8, before the orientation tag is applied
    bits : bits a sample in the file
    orientation : 1..8, as TIFF and EXIF number it
    pages : pictures in the file; this is the first
    """

    gray: GrayImage
    bits: int
    resolution: Resolution = UNSTATED
    orientation: int = 1
    pages: int = 1
    notices: list[str] = field(default_factory=list)


def check_size(width: int, height: int, where: str) -> None:
    """Judge the size a header declares, before anything is allocated for it."""
    if width < 1 or height < 1:
        raise Damaged(where=where, reason=f"the header declares {width} x {height} px")
    if width * height > MAX_PIXELS:
        raise TooLarge(where=where, width=width, height=height, most=f"{MAX_PIXELS // 1_000_000} million pixels")
