"""Local contrast: gray picture -> ridges positive, valleys negative, everywhere about as strong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask

_REDUCE = 2


@dataclass(frozen=True, slots=True)
class LocalContrast(Params):
    """Subtract the local mean, divide by the local deviation, both over the print alone.

    What lies outside the mask never enters the statistics: the edge of padding or paper leaves no step.

    window_px : sigma of the Gaussian window, px
    floor : deviations below this share of the print's own are not raised further
    limit : values are clipped to +-limit
    """

    window_px: float = 9.0
    floor: float = 0.35
    limit: float = 2.0

    def __call__(self, image: GrayImage, mask: Mask) -> FloatMap:
        """Return the picture in units of its local deviation.

        Parameters
        ----------
        image : (H, W) uint8, ridges dark
        mask : (H, W) bool

        Returns
        -------
        (H, W) float32, -limit..limit, ridges positive; 0 outside the mask
        """
        height, width = image.shape
        if not mask.any():
            return np.zeros((height, width), np.float32)
        inside = mask.astype(np.float32)
        dark = (255.0 - image.astype(np.float32)) * inside
        size = (-(-width // _REDUCE), -(-height // _REDUCE))
        sigma = self.window_px / _REDUCE

        def averaged(values: FloatMap) -> FloatMap:
            small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
            return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma), np.float32)

        weight = averaged(inside)
        np.maximum(weight, 1e-3, out=weight)
        mean = averaged(dark) / weight
        deviation = np.sqrt(np.maximum(averaged(dark * dark) / weight - mean * mean, 0.0))
        typical = float(np.median(deviation[weight > 0.5])) if (weight > 0.5).any() else 0.0
        np.maximum(deviation, max(self.floor * typical, 1.0), out=deviation)
        shape = (width, height)
        level = cv2.resize(mean, shape, interpolation=cv2.INTER_LINEAR)
        spread = cv2.resize(deviation, shape, interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.clip((dark - level) / spread, -self.limit, self.limit) * inside, np.float32)
