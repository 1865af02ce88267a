"""Where the print is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from fpipe.core.params import Params
from fpipe.core.types import GrayImage, Mask


@dataclass(frozen=True, slots=True)
class GradientMask(Params):
    """The print is where the gradient is strong on average, in one piece without holes.

    The idea and scale are those of GMFS (Cappelli, pyfing): smoothed gradient over a share of its own high percentile.
    """

    smooth_px: float = 6.0  # px, Gaussian sigma of the mean gradient
    percentile: float = 95.0  # of the smoothed gradient: what "strong" is in this picture
    share: float = 0.25  # of that, from which on it is print
    least_gray: float = 2.0  # gray levels a px: a flatter picture holds no ridges at all
    close_px: int = 12  # px, gaps up to twice this are print
    open_px: int = 12  # px, appendices thinner than twice this are not
    least_part: float = 0.2  # of the largest piece: smaller pieces are left out
    pad_px: int = 5  # px, around flat padding (pure black or white areas) that are not believed
    pad_least: float = 0.01  # of the picture: a smaller flat area is no padding

    def __call__(self, image: GrayImage) -> Mask:
        """Segment.

        image : (H, W) uint8

        Returns (H, W) bool, True = print; all False where nothing stands out.
        """
        believed = ~self._padding(image)
        gray = image.astype(np.float32)
        strength = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) / 8
        strength *= believed
        weight = cv2.GaussianBlur(believed.astype(np.float32), (0, 0), self.smooth_px)
        strength = cv2.GaussianBlur(strength, (0, 0), self.smooth_px) / np.maximum(weight, 0.25)
        strong = float(np.percentile(strength[believed], self.percentile)) if believed.any() else 0.0
        if strong < self.least_gray:
            return np.zeros(image.shape, bool)
        mask = ((strength > self.share * strong) & believed).astype(np.uint8)
        mask = _morph(mask, cv2.MORPH_CLOSE, self.close_px)
        mask = ndimage.binary_fill_holes(mask).astype(np.uint8)
        mask = _morph(mask, cv2.MORPH_OPEN, self.open_px)
        return self._large_parts(mask) & believed

    def _padding(self, image: GrayImage) -> Mask:
        """Areas of pure black or white as a rotation or a scanner leaves them, and a rim around them."""
        padding = np.zeros(image.shape, np.uint8)
        for value in (0, 255):
            flat = cv2.erode((image == value).astype(np.uint8), np.ones((5, 5), np.uint8))
            count, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
            for part in range(1, count):
                if stats[part, cv2.CC_STAT_AREA] >= self.pad_least * image.size:
                    padding[labels == part] = 1
        side = 2 * (self.pad_px + 2) + 1
        return cv2.dilate(padding, np.ones((side, side), np.uint8)).astype(bool)

    def _large_parts(self, mask: GrayImage) -> Mask:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        areas = stats[1:count, cv2.CC_STAT_AREA]
        if not len(areas):
            return np.zeros(mask.shape, bool)
        keep = np.r_[False, areas >= self.least_part * areas.max()]
        kept: Mask = keep[labels]
        return kept


def _morph(mask: GrayImage, operation: int, radius: int) -> GrayImage:
    """With a disc; the border is repeated outwards, so that a print cut by it keeps its edge."""
    if radius < 1:
        return mask
    padded = cv2.copyMakeBorder(mask, 2 * radius, 2 * radius, 2 * radius, 2 * radius, cv2.BORDER_REPLICATE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    inner = cv2.morphologyEx(padded, operation, disc)[2 * radius : -2 * radius, 2 * radius : -2 * radius]
    return np.ascontiguousarray(inner, np.uint8)
