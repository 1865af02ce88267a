"""A picture to 500 pixels an inch, the scale of everything that follows."""

from __future__ import annotations

import math

import numpy as np

from fpipe.core.conventions import PPI
from fpipe.core.errors import BlankImage, TooLarge, TooSmall, UnknownResolution
from fpipe.core.types import GrayImage, Picture

SAME = 0.5
"""ppi next to 500 that is left alone: whole dots a metre or centimetre can't say 500 (499.999, 500.38)."""
LEAST_PPI, MOST_PPI = 125.0, 5000.0
"""Below 125 ppi ridges 0.45 mm apart have 2.2 pixels and can't be told apart; above 5000 no device records prints."""
LEAST_PX = 64
"""px at 500 ppi, 3.3 mm: seven ridges across."""
MOST_PX = 4100
"""px at 500 ppi: the side of a ten-print card, 8 inches, and a little."""
SIGMA = 0.8475 / math.sqrt(3.0)
"""Blur of a pixel, in pixels.  Gaussian of sigma s blurs to s' by sqrt(s'^2 - s^2), so a reduction by f needs
SIGMA * sqrt(f^2 - 1): for 1000 to 500 ppi that is 0.8475 px, the filter of NISTIR 7839 and NIST SP 500-289."""
BLANK_LEVELS, BLANK_SHARE = 2, 0.001
"""Blank: fewer than one pixel in a thousand differs from the median by more than two gray levels."""


def to_500_ppi(picture: Picture, where: str) -> GrayImage:
    """The picture's pixels at 500 ppi, (H, W) uint8; untouched where they are there already.

    A Gaussian removes what 500 ppi can't carry before a reduction; both ways cubic interpolation between pixel centres.

    Raises UnknownResolution (also where it can't be true), TooSmall, TooLarge or BlankImage.
    """
    ppi = picture.ppi
    if ppi is None:
        reason = next((n.removeprefix("resolution unknown: ") for n in picture.notices if "unknown" in n), "")
        raise UnknownResolution(where=where, reason=reason or "the file states none")
    if not LEAST_PPI <= ppi <= MOST_PPI:
        source = "the file states" if picture.ppi_origin == "file" else "given are"
        raise UnknownResolution(
            where=where, reason=f"{source} {ppi:.6g} ppi, prints are recorded at {LEAST_PPI:.0f} to {MOST_PPI:.0f}"
        )
    factor = factor_to_500(ppi)
    height, width = picture.pixels.shape
    rows, columns = round(height / factor), round(width / factor)
    if min(rows, columns) < LEAST_PX:
        raise TooSmall(where=where, width=width, height=height, least=math.ceil(LEAST_PX * factor), ppi=f"{ppi:.6g}")
    if max(rows, columns) > MOST_PX:
        side = int(MOST_PX * factor)
        raise TooLarge(where=where, width=width, height=height, most=f"{side} x {side} px at {ppi:.6g} ppi")
    _refuse_blank(picture.pixels, where)
    return picture.pixels if factor == 1.0 else _resampled(picture.pixels, factor)


def factor_to_500(ppi: float) -> float:
    """Pixels of a picture of this resolution in one at 500 ppi; 1 where it is left alone."""
    return 1.0 if abs(ppi - PPI) <= SAME else ppi / PPI


def _refuse_blank(pixels: GrayImage, where: str) -> None:
    counts = np.bincount(pixels.ravel(), minlength=256)
    median = int(np.searchsorted(np.cumsum(counts), pixels.size / 2))
    near = counts[max(0, median - BLANK_LEVELS) : median + BLANK_LEVELS + 1].sum()
    if pixels.size - near < BLANK_SHARE * pixels.size:
        raise BlankImage(where=where, reason=f"all but {pixels.size - near} of its pixels have gray level {median}")


def _resampled(pixels: GrayImage, factor: float) -> GrayImage:
    import cv2

    image = pixels.astype(np.float32)
    if factor > 1.0:
        sigma = SIGMA * math.sqrt(factor * factor - 1.0)
        side = 2 * math.ceil(4.0 * sigma) + 1
        image = cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101).astype(np.float32)
    out = cv2.resize(image, None, fx=1.0 / factor, fy=1.0 / factor, interpolation=cv2.INTER_CUBIC)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
