"""Ridges grown from random seeds by filters that follow an orientation and a period field, as SFinGe does.

Source: Cappelli, Maio and Maltoni 2002: iterated, the filters let minutiae emerge where ridges grown from different
seeds meet out of phase.  The growth runs at half resolution, where a filter has a quarter of the taps and the picture
a quarter of the pixels; the last rounds, which settle form and place of the minutiae, at full resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.types import FloatMap, Mask
from fpipe.synth.fields import shrunk

jitcache.prepare()
from numba import njit  # noqa: E402

ANGLES = 96
"""Orientations of a filter bank."""
SHORTEST_PX, LONGEST_PX, STEP_PX = 6.0, 14.0, 0.25
"""Ridge periods of the filter bank, px at 500 ppi."""

GAIN = 2.5
"""Above one, so that ridges grow into bare skin; clipping keeps those that have grown."""
_SHORTEST_LINE_PX = 17.0
"""A ridge or valley shorter than this is a dot or a pore's ring, not a line with two minutiae."""


@dataclass(frozen=True, slots=True, eq=False)
class _Bank:
    """Gabor filters, (periods, angles, side, taps) float32: rows padded with zeros to a vector register's length."""

    filters: NDArray[np.float32]
    radius: int


@lru_cache(maxsize=2)
def _bank(scale: float, radius: int) -> _Bank:
    """Zero-mean Gabor filters with unit gain on their own sinusoid, for a picture shrunk by ``scale``."""
    side = np.arange(-radius, radius + 1)
    x, y = np.meshgrid(side, side)
    periods = np.arange(SHORTEST_PX, LONGEST_PX + STEP_PX / 2, STEP_PX) / scale
    taps = -(-len(side) // 8) * 8
    filters = np.zeros((len(periods), ANGLES, len(side), taps), np.float32)
    for i, period in enumerate(periods):
        sigma = period * np.sqrt(9 / (8 * -np.log(0.001)))  # SFinGe: three peaks under the bell
        bell = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        for k in range(ANGLES):
            theta = np.pi * k / ANGLES
            wave = np.cos(2 * np.pi / period * (x * np.sin(theta) + y * np.cos(theta)))
            wavelet = bell * (wave - (bell * wave).sum() / bell.sum())
            filters[i, k, :, : len(side)] = wavelet / (wavelet * wave).sum()
    return _Bank(filters, radius)


def grow(start: FloatMap, orientation: FloatMap, period: FloatMap, mask: Mask, rounds: int) -> FloatMap:
    """Ridges all over the mask.

    start : (H, W) float32, 0 bare skin, other values seeds
    orientation, period : (H, W) float32, rad and px
    rounds : of growth at half resolution
    Returns (H, W) float32, [-1, 1], positive on ridges, 0 outside the mask.
    """
    height, width = start.shape
    half = (-(-width // 2), -(-height // 2))
    small_mask = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_AREA) > 0
    doubled = [shrunk(f(2 * orientation), half) for f in (np.cos, np.sin)]
    small_orientation = (np.arctan2(doubled[1], doubled[0]) / 2 % np.pi).astype(np.float32)
    small_period = shrunk(period, half)
    seeds = 4 * shrunk(start, half)
    ridges = _iterate(seeds, small_orientation, small_period, small_mask, _bank(2.0, 7), rounds)
    doubled_size = cv2.resize(ridges, (2 * half[0], 2 * half[1]), interpolation=cv2.INTER_CUBIC)
    ridges = doubled_size[:height, :width].astype(np.float32)
    full = _bank(1.0, 11)
    ridges = without_dots(_iterate(ridges, orientation, period, mask, full, 2), mask)
    return _iterate(ridges, orientation, period, mask, full, 2)


def _iterate(
    field: FloatMap, orientation: FloatMap, period: FloatMap, mask: Mask, bank: _Bank, rounds: int
) -> FloatMap:
    angle = (np.rint(orientation * (ANGLES / np.pi)).astype(np.int32) % ANGLES).astype(np.int16)
    spacing = np.clip(np.rint((period - SHORTEST_PX) / STEP_PX), 0, bank.filters.shape[0] - 1).astype(np.int16)
    radius, (height, width) = bank.radius, field.shape
    padded = np.zeros((height + 2 * radius, width + bank.filters.shape[3]), np.float32)
    inside = padded[radius : radius + height, radius : radius + width]
    inside[:] = field
    for _ in range(rounds):
        response = _filtered(padded, angle, spacing, mask, bank.filters)
        np.clip(GAIN * response, -1, 1, out=inside)
    return inside.copy()


def isotropic_filter(period: float) -> FloatMap:
    """The mean of a period's filters over all orientations, (23, 23) float32, with unit gain on its own waves."""
    bank = _bank(1.0, 11)
    place = int(np.clip(round((period - SHORTEST_PX) / STEP_PX), 0, bank.filters.shape[0] - 1))
    kernel: FloatMap = bank.filters[place].mean(0)[:, : 2 * bank.radius + 1]
    wave = np.cos(2 * np.pi / period * np.arange(-bank.radius, bank.radius + 1))
    return kernel / np.float32((kernel * wave).sum())


@njit(cache=True, fastmath=True)
def _filtered(padded: Any, angle: Any, spacing: Any, mask: Any, filters: Any) -> Any:  # pragma: no cover
    height, width = angle.shape
    side, taps = filters.shape[2], filters.shape[3]
    out = np.zeros((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            if mask[row, column]:
                kernel = filters[spacing[row, column], angle[row, column]]
                total = np.float32(0)
                for i in range(side):
                    for j in range(taps):
                        total += kernel[i, j] * padded[row + i, column + j]
                out[row, column] = total
    return out


def without_dots(ridges: FloatMap, mask: Mask) -> FloatMap:
    """Fill the islands and lakes that are too short to be lines; those cut by the skin's border may be longer."""
    out = ridges.copy()
    border = mask & ~(cv2.erode(np.pad(mask.astype(np.uint8), 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0)
    for sign in (1, -1):
        phase = ((sign * ridges > 0) & mask).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(phase, connectivity=8 if sign > 0 else 4)
        extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        short = extent < _SHORTEST_LINE_PX
        short[0] = False
        short[np.unique(labels[border])] = False
        out[short[labels]] = -sign
    return out
