"""How far apart the ridges are."""

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
class Signature(Params):
    """Period from the autocorrelation of the x-signature: the profile across the ridges, averaged along them.

    The x-signature is that of Hong, Wan and Jain (1998), the grid and the averaging those of XSFFE (Cappelli, pyfing);
    the autocorrelation replaces counting peaks, and its height says how far the value is to be believed.
    """

    step_px: int = 12  # px, between places that are measured
    across: int = 24  # px, half length of the profile
    along: int = 10  # px, half length of the averaging along the ridges
    least_px: float = 4.0  # px, periods looked for
    most_px: float = 18.0  # px
    usual_px: float = 9.0  # px, what a place without any signal falls back to
    smooth_px: float = 24.0  # px, Gaussian sigma of the averaging between places

    def __call__(self, contrast: FloatMap, mask: Mask, orientation: FloatMap) -> FloatMap:
        """Estimate.

        contrast : (H, W) float32; mask : (H, W) bool; orientation : (H, W) float32 rad, NaN outside the mask

        Returns (H, W) float32 px, NaN outside the mask.
        """
        height, width = mask.shape
        period, weight = _measure(
            contrast, orientation, self.step_px, self.across, self.along, self.least_px, self.most_px
        )
        sigma = self.smooth_px / self.step_px
        total = cv2.GaussianBlur(weight, (0, 0), sigma)
        field = (cv2.GaussianBlur(period * weight, (0, 0), sigma) + 1e-3 * self.usual_px) / (total + 1e-3)
        size = (period.shape[1] * self.step_px, period.shape[0] * self.step_px)
        full = cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)[:height, :width].copy()
        full[~mask] = np.nan
        return np.asarray(full, np.float32)


@njit(cache=True)
def _measure(
    contrast: NDArray[np.float32],
    orientation: NDArray[np.float32],
    step: int,
    across: int,
    along: int,
    least: float,
    most: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Period and belief at the middle of every cell of the grid; belief 0 where nothing was found."""
    height, width = contrast.shape
    rows, columns = (height + step - 1) // step, (width + step - 1) // step
    period, weight = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    length = 2 * across + 1
    profile, last = np.empty(length), int(most) + 2
    match = np.empty(last + 1)
    for r in range(rows):
        for c in range(columns):
            y, x = min(r * step + step // 2, height - 1), min(c * step + step // 2, width - 1)
            angle = orientation[y, x]
            if math.isnan(angle):
                continue
            ux, uy = math.cos(angle), -math.sin(angle)
            for i in range(length):
                total, n = 0.0, 0
                for k in range(-along, along + 1, 2):
                    px = round(x + (i - across) * uy + k * ux)
                    py = round(y - (i - across) * ux + k * uy)
                    if 0 <= px < width and 0 <= py < height:
                        total += contrast[py, px]
                        n += 1
                profile[i] = total / n if n else 0.0
            profile -= profile.mean()
            for lag in range(last + 1):
                count = length - lag
                match[lag] = (profile[:count] * profile[lag:]).sum() / count
            if match[0] < 1e-4:
                continue
            best, height_of_best = 0, 0.0
            for lag in range(int(least), last):
                peak = match[lag] >= match[lag - 1] and match[lag] > match[lag + 1]
                if (
                    peak and match[lag] > 1.15 * height_of_best
                ):  # a longer lag must be clearly better: multiples are not
                    best, height_of_best = lag, match[lag]
            if best == 0:
                continue
            a, b, d = match[best - 1], match[best], match[best + 1]
            exact = best + 0.5 * (a - d) / (a - 2 * b + d)
            if least <= exact <= most:
                period[r, c] = exact
                weight[r, c] = max(0.0, height_of_best / match[0]) ** 2
    return period, weight
