"""Ridge period: distance between neighbouring ridges."""

from __future__ import annotations

from dataclasses import dataclass

from fpipe.core import jitcache

jitcache.prepare()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numba import njit  # noqa: E402

from fpipe.core.params import Params  # noqa: E402
from fpipe.core.types import FloatMap, Mask  # noqa: E402


@dataclass(frozen=True, slots=True)
class Signature(Params):
    """Period of the profile across the ridges, averaged along them (the x-signature of Hong, Wan and Jain 1998).

    Of each profile the strongest of the candidate periods is taken, weighed with a broad prior (hollow ridges and
    doubled ones look like half the period and twice), then smoothed over the print with the weight of its clarity.

    step_px : distance of the grid points
    half_length_px, half_width_px : of the window across and along the ridges
    least_px, most_px : range of periods; candidates : how many between, in geometric steps
    usual_px, spread : the prior, a Gaussian in ln(period)
    smooth_px : sigma of the smoothing
    """

    step_px: int = 8
    half_length_px: int = 30
    half_width_px: int = 10
    least_px: float = 4.5
    most_px: float = 18.0
    candidates: int = 29
    usual_px: float = 9.0
    spread: float = 0.5
    smooth_px: float = 30.0

    def __call__(self, contrast: FloatMap, mask: Mask, orientation: FloatMap) -> FloatMap:
        """Return the period at every pixel.

        Parameters
        ----------
        contrast : (H, W) float32, 0 outside the mask
        mask : (H, W) bool
        orientation : (H, W) float32, rad, NaN outside the mask

        Returns
        -------
        (H, W) float32, px, least_px..most_px, NaN outside the mask
        """
        height, width = contrast.shape
        periods = np.geomspace(self.least_px, self.most_px, self.candidates)
        prior = np.exp(-0.5 * (np.log(periods / self.usual_px) / self.spread) ** 2)
        place = np.arange(-self.half_length_px, self.half_length_px + 1)
        taper = np.cos(np.pi / 2 * place / (self.half_length_px + 1)) ** 2
        waves = np.exp(2j * np.pi * place[None, :] / periods[:, None]) * taper
        # each wave without its mean under the taper, so that what is left of a slope counts for no period
        waves -= waves.sum(1, keepdims=True) * (taper / taper.sum())
        rows = np.arange(self.step_px // 2, height, self.step_px)
        columns = np.arange(self.step_px // 2, width, self.step_px)
        if not len(rows) or not len(columns) or not mask.any():
            return np.where(mask, np.float32(self.usual_px), np.float32(np.nan))
        found, clarity = _profile_periods(
            contrast,
            np.nan_to_num(orientation),
            mask,
            rows,
            columns,
            taper.astype(np.float64),
            waves.real.copy(),
            waves.imag.copy(),
            np.log(periods),
            prior,
            self.half_width_px,
        )
        logs = _smoothed(found, clarity, np.log(self.usual_px), self.smooth_px / self.step_px)
        grid = np.ascontiguousarray(np.exp(logs), np.float32)
        across, down = np.meshgrid(
            (np.arange(width, dtype=np.float32) - self.step_px // 2) / self.step_px,
            (np.arange(height, dtype=np.float32) - self.step_px // 2) / self.step_px,
        )
        full = cv2.remap(grid, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        full[~mask] = np.nan
        return np.asarray(full, np.float32)


def _smoothed(found: np.ndarray, clarity: np.ndarray, usual: float, sigma: float) -> np.ndarray:
    """ln(period) on the grid, smoothed by clarity; a second time without what lies far off the first."""
    weight = clarity**2
    logs = np.zeros_like(found)
    for _ in range(2):
        # a little of the print's own mean, so that a region without any clear ridge gets that
        total = float(weight.sum())
        mean = float((weight * found).sum()) / total if total > 1e-9 else usual
        above = cv2.GaussianBlur(weight * found, (0, 0), sigma) + 1e-4 * mean
        logs = above / (cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4)
        weight = weight * np.exp(-0.5 * ((found - logs) / 0.2) ** 2)
    return logs


@njit(cache=True)
def _profile_periods(contrast, orientation, mask, rows, columns, taper, real, imag, logs, prior, half_width):  # type: ignore[no-untyped-def]
    """Grid of ln(period) and of clarity (share of the profile's energy in that period, 0..1)."""
    height, width = contrast.shape
    reach = (len(taper) - 1) // 2
    count = len(logs)
    found = np.zeros((len(rows), len(columns)), np.float64)
    clarity = np.zeros((len(rows), len(columns)), np.float64)
    profile = np.zeros(2 * reach + 1, np.float64)
    power = np.zeros(count, np.float64)
    for i in range(len(rows)):
        for j in range(len(columns)):
            y0, x0 = rows[i], columns[j]
            if not mask[y0, x0]:
                continue
            tx, ty = np.cos(orientation[y0, x0]), -np.sin(orientation[y0, x0])
            inside = 0
            for k in range(-reach, reach + 1):
                total = 0.0
                for m in range(-half_width, half_width + 1, 2):
                    x = int(np.floor(x0 - k * ty + m * tx + 0.5))
                    y = int(np.floor(y0 + k * tx + m * ty + 0.5))
                    if 0 <= x < width and 0 <= y < height:
                        total += contrast[y, x]
                        if mask[y, x]:
                            inside += 1
                profile[k + reach] = total / (half_width + 1)
            mean = 0.0
            weight = 0.0
            for k in range(2 * reach + 1):
                mean += profile[k] * taper[k]
                weight += taper[k]
            mean /= weight
            energy = 0.0
            for k in range(2 * reach + 1):
                profile[k] -= mean
                energy += profile[k] * profile[k] * taper[k]
            best = 0
            for c in range(count):
                a, b = 0.0, 0.0
                for k in range(2 * reach + 1):
                    a += real[c, k] * profile[k]
                    b += imag[c, k] * profile[k]
                power[c] = (a * a + b * b) * prior[c]
                if power[c] > power[best]:
                    best = c
            value = logs[best]
            if 0 < best < count - 1:
                low, mid, high = power[best - 1], power[best], power[best + 1]
                bend = low - 2 * mid + high
                if bend < 0:
                    value += 0.5 * (low - high) / bend * (logs[1] - logs[0])
            found[i, j] = value
            share = 2.0 * power[best] / prior[best] / (weight * energy + 1e-9)
            # a flat profile has no period, however pure: its energy counts too
            strength = energy / weight
            clarity[i, j] = (
                min(share, 1.0) * strength / (strength + 0.1) * inside / ((2 * reach + 1) * (half_width + 1))
            )
    return found, clarity
