"""Contextual filtering: what fits orientation and period stays."""

from __future__ import annotations

from dataclasses import dataclass

from fpipe.core import jitcache

jitcache.prepare()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numba import njit  # noqa: E402

from fpipe.core.params import Params  # noqa: E402
from fpipe.core.types import FloatMap, Mask  # noqa: E402

_PER_PX = 4
"""Kernels are made for every quarter of a pixel of period."""


@dataclass(frozen=True, slots=True)
class CurvedGabor(Params):
    """Gabor filter that bends with the ridges (Gottschlich 2012, "Curved-region-based ridge frequency estimation and
    curved Gabor filters"), in two passes: a wave of the local period across the ridges, then a Gaussian along the
    line that follows the orientation field.

    across : sigma across the ridges, in periods
    along_px : sigma along them, px
    """

    across: float = 0.42
    along_px: float = 5.0

    def __call__(self, contrast: FloatMap, mask: Mask, orientation: FloatMap, period: FloatMap) -> FloatMap:
        """Return the enhanced picture.

        Parameters
        ----------
        contrast : (H, W) float32, of local deviation about 1, ridges positive, 0 outside the mask
        mask : (H, W) bool
        orientation, period : (H, W) float32, rad and px, NaN outside the mask

        Returns
        -------
        (H, W) float32, -1..1, ridges positive, 0 outside the mask.  A clear sine has amplitude 1; less means less
        of the picture fits orientation and period: the amplitude tells how clear the ridges are.
        """
        if not mask.any():
            return np.zeros(contrast.shape, np.float32)
        angle = np.nan_to_num(orientation)
        tx, ty = np.cos(angle), -np.sin(angle)
        kernels, first = self._kernels(float(np.nanmin(period)), float(np.nanmax(period)))
        which = np.nan_to_num(np.rint(period * _PER_PX), nan=first).astype(np.int32) - first
        reach = (kernels.shape[1] - 1) // 2
        padded = cv2.copyMakeBorder(contrast, reach + 2, reach + 2, reach + 2, reach + 2, cv2.BORDER_CONSTANT, value=0)
        waves = _across(padded, mask, tx, ty, which, kernels)
        places = np.arange(1, int(np.ceil(2.5 * self.along_px)) + 1)
        weights = np.exp(-0.5 * (places / self.along_px) ** 2).astype(np.float32)
        return np.asarray(_along(waves, mask, tx, ty, weights), np.float32)

    def _kernels(self, shortest: float, longest: float) -> tuple[np.ndarray, int]:
        """(K, 2R + 1) float32 kernels for periods in quarters of a pixel, and the number of the first."""
        first, last = int(np.floor(shortest * _PER_PX)), int(np.ceil(longest * _PER_PX))
        reach = int(np.ceil(2.5 * self.across * longest))
        place = np.arange(-reach, reach + 1, dtype=np.float64)
        kernels = np.zeros((last - first + 1, 2 * reach + 1))
        for row in range(len(kernels)):
            period = (first + row) / _PER_PX
            bell = np.exp(-0.5 * (place / (self.across * period)) ** 2)
            wave = np.cos(2 * np.pi * place / period)
            kernel = bell * wave
            kernel -= bell * (kernel.sum() / bell.sum())
            kernels[row] = kernel / ((kernel * wave).sum() * np.sqrt(2.0))
        return kernels.astype(np.float32), first


@njit(cache=True)
def _across(padded, mask, tx, ty, which, kernels):  # type: ignore[no-untyped-def]
    """Wave filter across the ridges; ``padded`` is larger than the mask by a kernel's reach + 2 on every side."""
    height, width = mask.shape
    reach = (kernels.shape[1] - 1) // 2
    margin = reach + 2
    result = np.zeros((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            if not mask[y, x]:
                continue
            nx, ny = -ty[y, x], tx[y, x]
            kernel = kernels[which[y, x]]
            total = np.float32(0)
            for k in range(2 * reach + 1):
                w = kernel[k]
                if w == 0:
                    continue
                step = np.float32(k - reach)
                px = np.float32(x + margin) + step * nx
                py = np.float32(y + margin) + step * ny
                ix, iy = np.int32(px), np.int32(py)
                fx, fy = px - ix, py - iy
                top = padded[iy, ix] + fx * (padded[iy, ix + 1] - padded[iy, ix])
                low = padded[iy + 1, ix] + fx * (padded[iy + 1, ix + 1] - padded[iy + 1, ix])
                total += w * (top + fy * (low - top))
            result[y, x] = total
    return result


@njit(cache=True)
def _along(waves, mask, tx, ty, weights):  # type: ignore[no-untyped-def]
    """Weighted mean along the line that follows the field, both ways, until it leaves the mask."""
    height, width = mask.shape
    result = np.zeros((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            if not mask[y, x]:
                continue
            total = waves[y, x]
            norm = np.float32(1)
            for side in range(2):
                sx, sy = tx[y, x], ty[y, x]
                if side == 1:
                    sx, sy = -sx, -sy
                px, py = np.float32(x), np.float32(y)
                for k in range(len(weights)):
                    px += sx
                    py += sy
                    ix, iy = np.int32(np.floor(px)), np.int32(np.floor(py))
                    if ix < 0 or iy < 0 or ix >= width - 1 or iy >= height - 1:
                        break
                    fx, fy = px - ix, py - iy
                    cx, cy = ix + np.int32(fx >= 0.5), iy + np.int32(fy >= 0.5)
                    if not mask[cy, cx]:
                        break
                    top = waves[iy, ix] + fx * (waves[iy, ix + 1] - waves[iy, ix])
                    low = waves[iy + 1, ix] + fx * (waves[iy + 1, ix + 1] - waves[iy + 1, ix])
                    total += weights[k] * (top + fy * (low - top))
                    norm += weights[k]
                    dx, dy = tx[cy, cx], ty[cy, cx]
                    if dx * sx + dy * sy < 0:
                        dx, dy = -dx, -dy
                    sx, sy = dx, dy
            value = total / norm
            result[y, x] = min(max(value, np.float32(-1)), np.float32(1))
    return result
