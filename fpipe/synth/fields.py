"""Smooth random fields, textures and plastic distortion: what masters, impressions and latents share."""

from __future__ import annotations

import cv2
import numpy as np

from fpipe.core.types import FloatMap, GrayImage


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The random numbers of one purpose: independent of what else a seed is used for."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode()])))


def blurred(image: FloatMap, sigma_px: float) -> FloatMap:
    """Gaussian blur; (H, W) float32 in and out."""
    return cv2.GaussianBlur(image, (0, 0), sigma_px).astype(np.float32, copy=False)


def to_gray(levels: FloatMap) -> GrayImage:
    """Gray levels to uint8 in the 64 steps of a cheap sensor, which keeps the files small."""
    return (np.clip(np.rint(levels / 4), 0, 63) * 4).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> FloatMap:
    """Gaussian noise whose features are about ``scale_px`` wide.

    Returns (H, W) float32 with mean 0 and standard deviation 1 over many fields.
    """
    height, width = shape
    rows, columns = int(np.ceil(height / scale_px)) + 3, int(np.ceil(width / scale_px)) + 3
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    fine = cv2.resize(coarse, (round(columns * scale_px), round(rows * scale_px)), interpolation=cv2.INTER_CUBIC)
    top, left = round(scale_px), round(scale_px)
    return np.ascontiguousarray(fine[top : top + height, left : left + width]) * np.float32(1.3)


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


def plastic_distortion(
    rng: np.random.Generator,
    x: FloatMap,
    y: FloatMap,
    centre: tuple[float, float],
    *,
    shift_px: float,
    twist_rad: float,
    wobble_px: float,
) -> tuple[FloatMap, FloatMap]:
    """Skin that sticks in the middle of the contact and gives way around it (Cappelli, Maio, Maltoni 2001).

    x, y : (H, W) float32 px, where each pixel of the impression would read the undistorted print
    centre : of the contact, px
    shift_px, twist_rad : standard deviations of the finger's slide and turn after the middle has stuck
    wobble_px : standard deviation of a small local displacement
    Returns the distorted (x, y).
    """
    stuck_x, stuck_y = rng.uniform(45, 75), rng.uniform(55, 95)
    slide_x, slide_y = rng.normal(0, shift_px, 2)
    turn = rng.normal(0, twist_rad)
    u, v = x - centre[0], y - centre[1]
    beyond = np.hypot(u / stuck_x, v / stuck_y) - 1
    brake = np.where(beyond <= 0, 0, (1 - np.cos(np.pi * np.clip(beyond / 1.5, 0, 1))) / 2)
    moved_x = np.cos(turn) * u - np.sin(turn) * v + slide_x - u
    moved_y = np.sin(turn) * u + np.cos(turn) * v + slide_y - v
    wobble_x, wobble_y = (np.float32(wobble_px) * smooth_noise(rng, (x.shape[0], x.shape[1]), 70) for _ in range(2))
    return (
        (x + brake * moved_x + wobble_x).astype(np.float32),
        (y + brake * moved_y + wobble_y).astype(np.float32),
    )
