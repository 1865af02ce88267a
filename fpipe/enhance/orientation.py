"""Orientation of the ridges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.conventions import wrap_orientation
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask

_REDUCE = 4
"""The field is smooth: tensors are averaged on a picture reduced by this factor."""


@dataclass(frozen=True, slots=True)
class StructureTensor(Params):
    """Orientation from the structure tensor over several scales.

    Each scale gives tensors of trace one; they are added with the weight coherence^power, so that the finest
    scale that is sure of itself decides (cores, deltas) and coarse ones fill in where it is not (scars, smudges).
    Idea of the scale by coherence: GBFOE in pyfing (Cappelli); tensor: Bigun and Granlund 1987.

    fine_px, coarse_px : sigma of the finest and the coarsest averaging, px
    scales : how many, in geometric steps
    power : of the coherence
    """

    blur_px: float = 1.5
    fine_px: float = 7.0
    coarse_px: float = 28.0
    scales: int = 3
    power: float = 2.0

    def __call__(self, contrast: FloatMap, mask: Mask) -> tuple[FloatMap, FloatMap]:
        """Return the field and how sure it is.

        Parameters
        ----------
        contrast : (H, W) float32, of even contrast, 0 outside the mask
        mask : (H, W) bool

        Returns
        -------
        orientation : (H, W) float32, rad, [0, pi), counter-clockwise on the screen, NaN outside the mask
        coherence : (H, W) float32, 0..1, of the finest scale, 0 outside the mask
        """
        height, width = contrast.shape
        smooth = cv2.GaussianBlur(contrast, (0, 0), self.blur_px)
        # the edge of the mask is an edge in the picture: gradients there are not of ridges
        inner = cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1).astype(np.float32)
        dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) * inner, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) * inner
        size = (-(-width // _REDUCE), -(-height // _REDUCE))
        parts = [
            cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            for part in (dx * dx - dy * dy, -2.0 * dx * dy, dx * dx + dy * dy)
        ]
        cos2 = np.zeros(parts[0].shape, np.float32)
        sin2 = np.zeros_like(cos2)
        coherence = np.zeros_like(cos2)
        for index, sigma in enumerate(np.geomspace(self.coarse_px, self.fine_px, self.scales)):
            a, b, energy = (cv2.GaussianBlur(part, (0, 0), float(sigma) / _REDUCE) for part in parts)
            a, b = a / np.maximum(energy, 1e-6), b / np.maximum(energy, 1e-6)
            coherence = np.asarray(cv2.magnitude(a, b), np.float32)
            weight = coherence ** (self.power - 1.0) if index else coherence * 0.1
            cos2 += weight * a
            sin2 += weight * b
        full = [
            np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
            for part in (cos2, sin2, coherence)
        ]
        orientation = wrap_orientation(np.asarray(0.5 * np.arctan2(full[1], full[0]) + np.pi / 2, np.float32))
        orientation[~mask] = np.nan
        return orientation, np.asarray(np.clip(full[2], 0.0, 1.0) * mask, np.float32)
