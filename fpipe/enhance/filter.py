"""Ridges made clear: smoothed along their flow, band-passed across it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask

jitcache.prepare()
from numba import njit  # noqa: E402


@dataclass(frozen=True, slots=True)
class FlowGabor(Params):
    """A Gabor filter taken apart: a Gaussian along the ridge, then a cosine under a Gaussian across it.

    Orientation and period are used as they are at every pixel, not to the nearest filter of a bank, and the Gaussian
    follows the flow around curves.  The widths are those of GBFEN (Cappelli, pyfing): 5/12 of the period.
    """

    along: float = 0.55  # sigma along the ridge, in periods
    across: float = 0.42  # sigma across it, in periods
    even_px: float = 12.0  # px, Gaussian sigma of the final evening out

    def __call__(self, contrast: FloatMap, mask: Mask, orientation: FloatMap, period: FloatMap) -> FloatMap:
        """Enhance.

        contrast : (H, W) float32, ridges positive
        mask : (H, W) bool; orientation : (H, W) float32 rad; period : (H, W) float32 px, both NaN outside the mask

        Returns (H, W) float32, -1..1, ridges positive, 0 outside the mask.
        """
        smoothed = _along(contrast, orientation, period, self.along)
        banded = _across(smoothed, orientation, period, self.across)
        inside = mask.astype(np.float32)
        weight = cv2.GaussianBlur(inside, (0, 0), self.even_px)
        energy = cv2.GaussianBlur(banded * banded, (0, 0), self.even_px) / np.maximum(weight, 1e-3)
        even = banded / (1.5 * np.sqrt(energy) + 1e-3)
        return np.asarray(np.clip(even, -1, 1) * inside, np.float32)


@njit(cache=True)
def _at(image, x, y):  # type: ignore[no-untyped-def]
    """Bilinear; the border's value outside."""
    height, width = image.shape
    x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
    c, r = int(x), int(y)
    fx, fy = x - c, y - r
    top = image[r, c] * (1 - fx) + image[r, c + 1] * fx
    low = image[r + 1, c] * (1 - fx) + image[r + 1, c + 1] * fx
    return top * (1 - fy) + low * fy


@njit(cache=True)
def _along(
    image: NDArray[np.float32], orientation: NDArray[np.float32], period: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Gaussian mean along the line of flow through every pixel."""
    height, width = image.shape
    out = np.zeros_like(image)
    cosine, sine = np.cos(orientation), -np.sin(orientation)
    for r in range(height):
        for c in range(width):
            if math.isnan(orientation[r, c]):
                continue
            sigma = share * period[r, c]
            reach = math.ceil(2.5 * sigma)
            total, norm = float(image[r, c]), 1.0
            for side in (-1.0, 1.0):
                x, y = float(c), float(r)
                dx, dy = side * cosine[r, c], side * sine[r, c]
                for k in range(1, reach + 1):
                    x += dx
                    y += dy
                    row, column = round(y), round(x)
                    if row < 0 or row >= height or column < 0 or column >= width:
                        break
                    if math.isnan(orientation[row, column]):
                        break
                    g = math.exp(-0.5 * (k / sigma) ** 2)
                    total += g * _at(image, x, y)
                    norm += g
                    ex, ey = cosine[row, column], sine[row, column]
                    if ex * dx + ey * dy < 0:
                        ex, ey = -ex, -ey
                    dx, dy = ex, ey
            out[r, c] = total / norm
    return out


@njit(cache=True)
def _across(
    image: NDArray[np.float32], orientation: NDArray[np.float32], period: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Cosine of the local period under a Gaussian, without response to a constant."""
    height, width = image.shape
    out = np.zeros_like(image)
    for r in range(height):
        for c in range(width):
            angle = orientation[r, c]
            if math.isnan(angle):
                continue
            nx, ny = math.sin(angle), math.cos(angle)
            t = period[r, c]
            sigma = share * t
            reach = math.ceil(2.5 * sigma)
            wave, flat, norm, values = 1.0, 1.0, 1.0, float(image[r, c])
            total = values
            for k in range(1, reach + 1):
                g = math.exp(-0.5 * (k / sigma) ** 2)
                w = g * math.cos(2 * math.pi * k / t)
                both = _at(image, c + k * nx, r + k * ny) + _at(image, c - k * nx, r - k * ny)
                total += w * both
                values += g * both
                wave += 2 * w
                flat += 2 * g
                norm += 2 * abs(w)
            out[r, c] = (total - wave / flat * values) / norm
    return out
