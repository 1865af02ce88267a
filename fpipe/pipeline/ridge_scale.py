"""A picture's resolution estimated from its ridges: the last resort where nobody knows it.

Ridges lie about 0.46 mm apart, which is 9 px at 500 ppi; but fingers differ, so an estimate is wrong by as much as the
finger is unusual.  It is marked as what it is wherever it goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.conventions import PPI
from fpipe.core.errors import UnknownResolution
from fpipe.core.types import GrayImage
from fpipe.pipeline.waves import strongest_waves

USUAL_PX = 9.0
"""Ridge period at 500 ppi of the mean finger."""
SPREAD = 0.14
"""Root mean square of ln(estimate / truth): benchmarks/ridge_scale.py."""
LIKELY = 1.96
"""Standard deviations of the range that is stated: 95 of 100 fingers lie in it."""
_SIDE, _STEP = 40, 10
_LEAST_PX, _MOST_PX = 4.5, 16.0
_SCALES = (1.0, 1.6, 2.56, 4.1, 6.55, 10.5)
"""Reductions at which ridges are looked for: 250 to 5000 ppi."""
_LEAST_SHARE, _LEAST_STRENGTH = 0.35, 3.0
_WIDTH = 0.08
"""Width of a peak of ln(period)."""
_LEAST_AREA = 12
"""Squares' worth of ridges that are needed, of one period squared each."""


@dataclass(frozen=True, slots=True)
class RidgeScale:
    """ppi : the estimate; low, high : the range in which the truth most likely is; period_px : in the picture."""

    ppi: float
    low: float
    high: float
    period_px: float

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"resolution estimated from the ridges ({self.period_px:.1f} px apart): {self.ppi:.0f} ppi, most likely "
            f"{self.low:.0f} to {self.high:.0f}; lengths and scores depend on it"
        )


def estimate_ppi(pixels: GrayImage, where: str) -> RidgeScale:
    """Estimate the resolution of (H, W) uint8 pixels from the ridges in them.

    Raises UnknownResolution where no ridges are clear enough.
    """
    logs, weights = _votes(pixels)
    grid = np.arange(np.log(_LEAST_PX), np.log(_MOST_PX * _SCALES[-1]), _WIDTH / 4)
    if not len(logs):
        raise UnknownResolution(where=where, reason="no ridges clear enough to estimate it from")
    density = np.array([(weights * np.exp(-0.5 * ((logs - at) / _WIDTH) ** 2)).sum() for at in grid])
    mode = grid[int(np.argmax(density))]
    near = np.abs(logs - mode) < 3 * _WIDTH
    period = float(np.exp(np.average(logs[near], weights=weights[near])))
    if weights[near].sum() < _LEAST_AREA * period**2:
        raise UnknownResolution(where=where, reason="too few ridges to estimate it from")
    ppi = PPI * period / USUAL_PX
    range_ = float(np.exp(LIKELY * SPREAD))
    return RidgeScale(ppi, ppi / range_, ppi * range_, period)


def _votes(pixels: GrayImage) -> tuple[np.ndarray, np.ndarray]:
    """ln(period in the picture's px) and weight, px^2 of clear ridges, of the squares of all reductions."""
    logs, weights = [np.zeros(0)], [np.zeros(0)]
    for scale in _SCALES:
        height, width = (round(side / scale) for side in pixels.shape)
        if min(height, width) < 2 * _SIDE:
            break
        small = pixels if scale == 1.0 else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        waves = strongest_waves(np.asarray(small, np.uint8), _SIDE, _STEP, _LEAST_PX, _MOST_PX)
        clear = (waves.share > _LEAST_SHARE) & (waves.strength > _LEAST_STRENGTH)
        logs.append(np.log(waves.period[clear].astype(np.float64) * scale))
        weights.append((waves.share[clear] - _LEAST_SHARE).astype(np.float64) * (_STEP * scale) ** 2)
    return np.concatenate(logs), np.concatenate(weights)
