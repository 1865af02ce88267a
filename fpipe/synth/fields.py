"""Smooth random fields, textures and plastic distortion: what masters, impressions and latents share."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fpipe.core.types import FloatMap


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The random numbers of one purpose: independent of what else a seed is used for."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode()])))


def blurred(image: Any, sigma_px: float) -> FloatMap:
    """Gaussian blur; (H, W) in, float32 out."""
    soft: FloatMap = cv2.GaussianBlur(image.astype(np.float32, copy=False), (0, 0), sigma_px).astype(np.float32)
    return soft


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> FloatMap:
    """Gaussian noise whose features are about ``scale_px`` wide.

    Returns (H, W) float32 with mean 0 and standard deviation 1 over many fields.
    """
    height, width = shape
    if scale_px >= 24:  # drawn on every fourth pixel: between them it is as good as straight, and much quicker
        small = smooth_noise(rng, (-(-height // 4) + 1, -(-width // 4) + 1), scale_px / 4)
        size = (4 * small.shape[1], 4 * small.shape[0])
        wide = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(wide[2 : 2 + height, 2 : 2 + width], np.float32)
    rows, columns = int(np.ceil(height / scale_px)) + 3, int(np.ceil(width / scale_px)) + 3
    coarse = rng.standard_normal((rows, columns), np.float32)
    fine = cv2.resize(coarse, (round(columns * scale_px), round(rows * scale_px)), interpolation=cv2.INTER_CUBIC)
    top, left = round(scale_px), round(scale_px)
    return np.ascontiguousarray(fine[top : top + height, left : left + width]) * np.float32(1.3)


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> FloatMap:
    """White Gaussian noise, (H, W) float32, standard deviation 1."""
    return rng.standard_normal(shape, np.float32)


def sigmoid(values: Any) -> FloatMap:
    """Logistic function, in float32."""
    bounded = np.clip(values, -30, 30).astype(np.float32, copy=False)
    out: FloatMap = (1 / (1 + np.exp(-bounded))).astype(np.float32, copy=False)
    return out


def shrunk(field: FloatMap, size: tuple[int, int]) -> FloatMap:
    """A field at the size (width, height), averaged."""
    return cv2.resize(field, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def sampled(
    field: FloatMap, x: FloatMap, y: FloatMap, *, cubic: bool = False, outside: float | None = None
) -> FloatMap:
    """A field at the points (x, y), between its pixels; ``outside`` it the value given, or that of the border."""
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    value = 0.0 if outside is None else outside
    return cv2.remap(field, x, y, how, borderMode=border, borderValue=value).astype(np.float32, copy=False)


def texture(rng: np.random.Generator, shape: tuple[int, int], coarsest_px: float, finest_px: float = 1.5) -> FloatMap:
    """Noise of all scales between two, the coarse ones stronger (about 1/f): paper, powder, skin.

    Returns (H, W) float32, standard deviation about 1.
    """
    total = np.zeros(shape, np.float32)
    power = 0.0
    scale = coarsest_px
    while scale >= finest_px:
        weight = float(np.sqrt(scale / coarsest_px))
        total += np.float32(weight) * smooth_noise(rng, shape, scale)
        power += weight * weight
        scale /= 2
    return total / np.float32(np.sqrt(power))
