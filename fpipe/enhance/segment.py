"""Where the print is: picture -> mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask

_REDUCE = 4
"""The mask is found on a picture reduced by this factor: its border is smooth on that scale anyhow."""


@dataclass(frozen=True, slots=True)
class GradientMask(Params):
    """Print = where the gradient is strong on the average over about a ridge period.

    After GMFS (Cappelli, "Exploring the power of simultaneous multi-region segmentation", as in pyfing), with the
    strength capped so that one black pen stroke or the edge of the paper does not set the threshold.

    smooth_px : sigma of the averaging, px
    share : threshold as a share of the typical strong gradient (its 95th percentile)
    least : least threshold, gray levels a px: under it there is nothing but the noise of a sensor
    close_px, open_px : gaps narrower than this are closed, bridges and strips narrower than this are cut
    least_area_px : smaller pieces are dropped, px^2
    piece_share : pieces smaller than this share of the largest are dropped, too
    pad_px : rim around padding that is not believed, px; pad_share : share of the picture from which on a flat area of
        pure black or white is padding, as a rotation, a scanner or a saturated sensor leaves it
    """

    smooth_px: float = 4.5
    share: float = 0.25
    least: float = 3.0
    close_px: int = 32
    open_px: int = 48
    least_area_px: int = 4000
    piece_share: float = 0.35
    pad_px: int = 4
    pad_share: float = 0.01

    def __call__(self, image: GrayImage) -> Mask:
        """Return the mask.

        Parameters
        ----------
        image : (H, W) uint8, 500 ppi

        Returns
        -------
        (H, W) bool, True = print; all False where nothing stands out
        """
        height, width = image.shape
        believed = ~self._padding(image)
        if not believed.any():
            return np.zeros(image.shape, bool)
        strength = self._strength(image, believed)
        threshold = max(self.share * float(np.percentile(strength, 95)), self.least)
        found = (strength > threshold).astype(np.uint8)
        pad = self.close_px // _REDUCE + self.open_px // _REDUCE + 2
        padded = cv2.copyMakeBorder(found, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(self.close_px / _REDUCE))
        opened = cv2.morphologyEx(_fill_holes(closed), cv2.MORPH_OPEN, _disc(self.open_px / _REDUCE))
        found = _pieces(opened[pad:-pad, pad:-pad], self.least_area_px / _REDUCE**2, self.piece_share)
        full = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray((full > 0.5) & believed)

    def _strength(self, image: GrayImage, believed: Mask) -> FloatMap:
        """Averaged gradient, reduced by _REDUCE."""
        smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)
        dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.25)
        dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.25)
        size = (max(image.shape[1] // _REDUCE, 1), max(image.shape[0] // _REDUCE, 1))
        strength = cv2.resize(cv2.magnitude(dx, dy) * believed, size, interpolation=cv2.INTER_AREA)
        weight = cv2.resize(believed.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        sigma = self.smooth_px / _REDUCE
        strength = cv2.GaussianBlur(strength, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 0.25)
        return np.asarray(strength, np.float32)

    def _padding(self, image: GrayImage) -> Mask:
        """Large flat areas of pure black or white, and a rim around them."""
        padding = np.zeros(image.shape, np.uint8)
        for value in (0, 255):
            flat = cv2.erode((image == value).astype(np.uint8), np.ones((5, 5), np.uint8))
            _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
            large = stats[:, cv2.CC_STAT_AREA] >= self.pad_share * image.size
            large[0] = False
            padding |= large[labels]
        side = 2 * (self.pad_px + 2) + 1
        return np.asarray(cv2.dilate(padding, np.ones((side, side), np.uint8)) > 0)


def _disc(diameter: float) -> GrayImage:
    side = max(round(diameter), 1) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _fill_holes(found: NDArray[Any]) -> GrayImage:
    """Everything that is not connected to the outside becomes print."""
    outside = cv2.copyMakeBorder(found, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] != 2, np.uint8)


def _pieces(found: NDArray[Any], least_area: float, share: float) -> GrayImage:
    """The pieces that are large enough, in themselves and beside the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    if count < 2:
        return np.zeros(found.shape, np.uint8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas >= max(least_area, share * float(areas.max()))
    return np.asarray(keep[labels], np.uint8)
