"""How clear the ridges are, and which part of the print is clear enough to be believed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask

_REDUCE = 4
_MEAN_OF_SINE = 2 / np.pi


@dataclass(frozen=True, slots=True)
class Amplitude(Params):
    """Clarity = root of the enhanced picture's amplitude, times the coherence of its orientation.

    The filter keeps the amplitude of what fits orientation and period, so noise and smudges come out weak; where
    they do not, neighbouring lines disagree about their orientation.

    smooth_px : sigma of the averaging, px
    least : clarity from which on the print is believed; the rest leaves the mask
    close_px, open_px : doubtful specks narrower than this stay, believed ones narrower than this do not
    """

    smooth_px: float = 15.0
    least: float = 0.4
    close_px: int = 20
    open_px: int = 32

    def __call__(self, enhanced: FloatMap, mask: Mask, coherence: FloatMap) -> tuple[FloatMap, Mask]:
        """Judge.

        Parameters
        ----------
        enhanced : (H, W) float32, -1..1, amplitude 1 = a clear sine
        mask : (H, W) bool
        coherence : (H, W) float32, 0..1

        Returns
        -------
        clarity : (H, W) float32, 0..1, 0 outside the mask
        believed : (H, W) bool, the part of the mask that is clear enough
        """
        height, width = mask.shape
        size = (-(-width // _REDUCE), -(-height // _REDUCE))

        def averaged(values: FloatMap) -> FloatMap:
            small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
            return np.asarray(cv2.GaussianBlur(small, (0, 0), self.smooth_px / _REDUCE), np.float32)

        inside = averaged(mask.astype(np.float32))
        np.maximum(inside, 0.05, out=inside)
        amplitude = averaged(np.abs(enhanced)) / inside / _MEAN_OF_SINE
        small = np.sqrt(np.minimum(amplitude, 1)) * averaged(coherence) / inside
        believed = (small > self.least).astype(np.uint8)
        for operation, side in ((cv2.MORPH_CLOSE, self.close_px), (cv2.MORPH_OPEN, self.open_px)):
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side // _REDUCE | 1, side // _REDUCE | 1))
            pad = side // _REDUCE + 1
            padded = cv2.copyMakeBorder(believed, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
            believed = np.asarray(cv2.morphologyEx(padded, operation, disc)[pad:-pad, pad:-pad], np.uint8)
        clarity = cv2.resize(np.clip(small, 0, 1), (width, height), interpolation=cv2.INTER_LINEAR)
        wide = cv2.resize(believed.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(clarity * mask, np.float32), np.asarray((wide > 0.5) & mask)
