"""Latents: a part of a print, developed faintly on a surface that has a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage
from fpipe.synth.fields import blurred, generator, smooth_noise, texture, to_gray
from fpipe.synth.impression import Touch, inked
from fpipe.synth.master import Master

Surface = Literal["paper", "ruled", "printed", "wood"]

_TEXT = (
    "RECEIVED 14 MAR",
    "PAY THE BEARER",
    "No. 40 77 193",
    "TOTAL 1,250.00",
    "SERIES B  0061",
    "KEEP DRY - THIS SIDE UP",
)


CHANCE = Touch(
    height=360, width=320, rotation_rad=0.35, offset_px=8, shift_px=11, twist_rad=0.06, reach_x_px=105, reach_y_px=120
)
"""A touch by chance: smaller, more turned and more distorted than on a sensor."""


@dataclass(frozen=True, slots=True)
class Latent(Params):
    """A print left by chance and made visible.

    touch : how the finger met the surface; a latent is small, turned and smeared out of shape
    surface : what it lies on
    contrast : of the ridges, gray levels
    patchiness : how unevenly the developer took, 0 even .. 1 with holes
    smear_px : length of the slide that blurred it, px
    """

    touch: Touch = CHANCE
    surface: Surface = "paper"
    contrast: float = 70.0
    patchiness: float = 0.5
    smear_px: float = 0.0

    def __call__(self, master: Master, seed: int) -> GrayImage:
        """Return (H, W) uint8, ridges dark, 500 ppi."""
        rng = generator(seed, "latent")
        ridges, contact = self.touch(master, rng)
        shape = (ridges.shape[0], ridges.shape[1])
        ink = inked(rng, ridges, contact, rng.normal(-0.1, 0.15), 1.3)
        ink *= 1 - self.patchiness * np.clip(0.4 + 0.6 * texture(rng, shape, 50, 8), 0, 1)
        ink *= np.clip(1 + 0.35 * rng.standard_normal(shape), 0, 2)  # grains of powder
        ink = _smeared(ink.astype(np.float32), self.smear_px, rng.uniform(0, np.pi))
        gray = _surface(rng, self.surface, shape)
        gray = gray - self.contrast * blurred(ink, 0.8)
        gray = gray + 3 * rng.standard_normal(shape).astype(np.float32)
        return to_gray(gray)


def _smeared(ink: FloatMap, length_px: float, angle: float) -> FloatMap:
    if length_px < 1:
        return ink
    half = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach_x, reach_y = length_px / 2 * np.cos(angle), length_px / 2 * np.sin(angle)
    ends = np.rint(np.array([[half - reach_x, half - reach_y], [half + reach_x, half + reach_y]]) * 8).astype(np.int32)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_AA, 3)
    return cv2.filter2D(ink, -1, kernel / kernel.sum()).astype(np.float32, copy=False)


def _surface(rng: np.random.Generator, surface: Surface, shape: tuple[int, int]) -> FloatMap:
    """The surface without the print: (H, W) float32, gray levels."""
    height, width = shape
    columns, rows = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    light = rng.normal(0, 12) * columns + rng.normal(0, 12) * rows
    gray: FloatMap = (rng.uniform(182, 205) + light + 5 * texture(rng, shape, 90, 1.5)).astype(np.float32)
    gray -= 18 * np.clip(smooth_noise(rng, shape, 70) - 1, 0, 2)  # stains
    if surface == "ruled":
        gray -= _ruled(rng, shape)
    elif surface == "printed":
        gray -= _printed(rng, shape)
    elif surface == "wood":
        warped = columns * width / 2 + 26 * smooth_noise(rng, shape, 120) + 0.2 * rows * height / 2
        gray += (9 * np.sin(warped / 7.5) + 6 * np.sin(warped / 2.9 + 1)).astype(np.float32)
    return gray


def _ruled(rng: np.random.Generator, shape: tuple[int, int]) -> FloatMap:
    lines = np.zeros(shape, np.uint8)
    slope, spacing = rng.normal(0, 0.05), rng.uniform(44, 58)
    for y in np.arange(-spacing, shape[0] + spacing, spacing):
        ends = np.rint(np.array([[0, y], [shape[1], y + slope * shape[1]]]) * 8).astype(np.int32)
        cv2.line(lines, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 60, 2, cv2.LINE_AA, 3)
    return blurred(lines.astype(np.float32), 0.8)


def _printed(rng: np.random.Generator, shape: tuple[int, int]) -> FloatMap:
    """Lines of print, upright or not, in faded ink."""
    page = np.zeros(shape, np.uint8)
    first = int(rng.integers(len(_TEXT)))
    for number, y in enumerate(range(38, shape[0], 66)):
        text = _TEXT[(first + number) % len(_TEXT)]
        place = (int(rng.integers(-40, 60)), y)
        cv2.putText(page, text, place, cv2.FONT_HERSHEY_COMPLEX, 1.0, 75, 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), float(rng.normal(0, 8)), 1)
    return blurred(cv2.warpAffine(page, turn, (shape[1], shape[0])).astype(np.float32), 0.9)
