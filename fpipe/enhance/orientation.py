"""Which way the ridges run."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.conventions import wrap_orientation
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask


@dataclass(frozen=True, slots=True)
class StructureTensor(Params):
    """Orientation from the smoothed structure tensor, smoothed the more the less the ridges agree.

    Coherence at a fine scale decides between that and coarser scales (the two passes of GBFOE, Cappelli, pyfing, as a
    continuous choice): cores keep their curvature, smudges take the flow of what surrounds them.
    """

    fine_px: float = 6.0  # px, Gaussian sigma of the finest tensor
    scales: int = 4  # tensors, each twice as wide as the last
    trust: float = 0.5  # coherence at which a scale is believed half
    steep: float = 12.0  # slope of that belief

    def __call__(self, contrast: FloatMap, mask: Mask) -> tuple[FloatMap, FloatMap]:
        """Estimate.

        contrast : (H, W) float32, ridges positive
        mask : (H, W) bool

        Returns orientation (H, W) float32, rad, [0, pi), NaN outside the mask, and coherence (H, W) float32, 0..1.
        """
        inside = mask.astype(np.float32)
        gx, gy = cv2.Sobel(contrast, cv2.CV_32F, 1, 0) * inside, cv2.Sobel(contrast, cv2.CV_32F, 0, 1) * inside
        parts = (gx * gx - gy * gy, 2 * gx * gy, gx * gx + gy * gy)
        chosen = [np.zeros_like(contrast) for _ in range(3)]
        left = np.ones_like(contrast)
        first = None
        for scale in range(self.scales):
            sigma = self.fine_px * 2**scale
            cos2, sin2, energy = (_smooth(part, sigma) for part in parts)
            strength = cv2.magnitude(cos2, sin2)
            coherence = strength / np.maximum(energy, 1e-6)
            first = coherence if first is None else first
            last = scale == self.scales - 1
            belief = left if last else left / (1 + np.exp(-self.steep * (coherence - self.trust)))
            scaled = belief / np.maximum(strength, 1e-6)
            chosen[0] += scaled * cos2
            chosen[1] += scaled * sin2
            left = left - belief
        # The tensor's main axis crosses the ridges; y points down, angles count counter-clockwise on the screen.
        field = wrap_orientation((np.pi / 2 - 0.5 * np.arctan2(chosen[1], chosen[0])).astype(np.float32))
        field[~mask] = np.nan
        assert first is not None
        return field, np.asarray(np.clip(first, 0, 1) * inside, np.float32)


def _smooth(part: FloatMap, sigma: float) -> FloatMap:
    """Gaussian; a wide one on a reduced picture, where it gives the same for a fraction of the time."""
    step = max(1, int(sigma // 6))
    if step == 1:
        return np.asarray(cv2.GaussianBlur(part, (0, 0), sigma), np.float32)
    height, width = part.shape
    small = cv2.resize(part, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
