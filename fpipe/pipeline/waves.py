"""The strongest wave in every square of a picture: what ridges look like before anything is known of them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from fpipe.core.types import FloatMap, GrayImage


class Waves(NamedTuple):
    """Square by square, (h, w) float32 each, from the top left; the squares' middles are ``step`` px apart.

    share : 0..1, of the square's energy that is in its strongest wave; a pure wave has about 0.9, writing 0.2
    period : px, of that wave
    strength : gray levels, its standard deviation
    """

    share: FloatMap
    period: FloatMap
    strength: FloatMap


def strongest_waves(image: GrayImage, side: int, step: int, least_px: float, most_px: float) -> Waves:
    """Spectrum of every square.

    side : px, of a square; step : px between their middles
    least_px, most_px : periods that are looked for; the picture's other waves count as energy only
    """
    half = side // 2
    padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE).astype(np.float32)
    squares = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[step // 2 :: step, step // 2 :: step]
    taper = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]).astype(np.float32)
    wanted = (f >= 1 / most_px) & (f <= 1 / least_px)
    found = np.zeros((3, *squares.shape[:2]), np.float32)
    for i, row in enumerate(squares):  # one row of squares at a time: memory stays small
        waves = (row - row.mean((1, 2), keepdims=True)) * taper
        power = np.abs(np.fft.rfft2(waves)).astype(np.float32) ** 2
        power[:, f < 1 / (2 * side)] = 0
        total = power.sum((1, 2)) + 1e-6
        near = np.stack([_around(one) for one in power])
        best = (near * wanted).reshape(len(power), -1).argmax(1)
        strongest = near.reshape(len(power), -1)[np.arange(len(power)), best]
        mean = np.stack([_around(one) for one in power * f]).reshape(len(power), -1)[np.arange(len(power)), best]
        found[0, i] = np.minimum(strongest / total, 1.0)
        found[1, i] = strongest / np.maximum(mean, 1e-9)  # the mean frequency of the bins about it
        found[2, i] = np.sqrt(2 * strongest) / float(taper.sum())
    return Waves(*found)


def _around(power: FloatMap) -> FloatMap:
    """Sums of 3 x 3 bins: a wave that is no whole number of periods lies between bins.

    Left of the first column lie the waves of the second again, mirrored, so the border is a mirror.
    """
    return np.asarray(cv2.boxFilter(power, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REFLECT_101), np.float32)
