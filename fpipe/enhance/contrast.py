"""Even contrast: every later stage sees ridges of the same strength, wet or dry, in the light or in the shade."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage


@dataclass(frozen=True, slots=True)
class LocalNormal(Params):
    """Minus the local mean, over the local deviation plus a floor; squashed, so that a pen stroke counts like a ridge.

    After Hong, Wan and Jain (1998), with Gaussian windows.
    """

    mean_px: float = 8.0  # px, Gaussian sigma of the mean: about one ridge period
    deviation_px: float = 12.0  # px, of the deviation
    floor_gray: float = 4.0  # gray levels added to the deviation: what is flatter stays flat
    fine_px: float = 0.7  # px, of a first smoothing against sensor noise
    limit: float = 2.0  # deviations at which the squash bends

    def __call__(self, image: GrayImage) -> FloatMap:
        """Normalise.

        image : (H, W) uint8, ridges dark

        Returns (H, W) float32, about -limit..limit, ridges *positive*.
        """
        gray = cv2.GaussianBlur(image.astype(np.float32), (0, 0), self.fine_px)
        gray = gray - cv2.GaussianBlur(gray, (0, 0), self.mean_px)
        deviation = np.sqrt(cv2.GaussianBlur(gray * gray, (0, 0), self.deviation_px))
        scaled = -gray / (deviation + self.floor_gray)
        return np.asarray(self.limit * np.tanh(scaled / self.limit), np.float32)
