"""Impressions of a master print as a sensor or an ink card shows them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage
from fpipe.synth.fields import blurred, generator, plastic_distortion, smooth_noise, texture, to_gray
from fpipe.synth.master import Master


@dataclass(frozen=True, slots=True)
class Touch(Params):
    """How skin meets a surface: position, distortion and contact.

    height, width : of the picture, px at 500 ppi
    rotation_rad, offset_px : standard deviations of the finger's turn and place
    shift_px, twist_rad, wobble_px : of the plastic distortion
    reach_x_px, reach_y_px : half axes of the contact region
    """

    height: int = 420
    width: int = 320
    rotation_rad: float = 0.12
    offset_px: float = 12.0
    shift_px: float = 9.0
    twist_rad: float = 0.05
    wobble_px: float = 1.2
    reach_x_px: float = 128.0
    reach_y_px: float = 178.0

    def __call__(self, master: Master, rng: np.random.Generator) -> tuple[FloatMap, FloatMap]:
        """Lay the finger down.

        Returns ridges : (H, W) float32, [-1, 1], the skin's relief where it lies in the picture
        contact : (H, W) float32, about 1 inside the contact region, 0 on its uneven edge, negative outside
        """
        shape = (self.height, self.width)
        columns, rows = np.meshgrid(np.arange(self.width, dtype=np.float32), np.arange(self.height, dtype=np.float32))
        angle = rng.normal(0, self.rotation_rad)
        place = np.array([0.5 * self.width, 0.48 * self.height]) + rng.normal(0, self.offset_px, 2)
        u, v = columns - np.float32(place[0]), rows - np.float32(place[1])
        x = (np.cos(angle) * u - np.sin(angle) * v + master.centre[0]).astype(np.float32)
        y = (np.sin(angle) * u + np.cos(angle) * v + master.centre[1]).astype(np.float32)
        x, y = plastic_distortion(
            rng, x, y, master.centre, shift_px=self.shift_px, twist_rad=self.twist_rad, wobble_px=self.wobble_px
        )
        ridges = cv2.remap(master.ridges, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        reach = ((x - master.centre[0]) / self.reach_x_px) ** 2
        reach += np.abs((y - master.centre[1] - 12) / self.reach_y_px) ** 2.4
        contact = 1 - reach.astype(np.float32) + np.float32(0.10) * texture(rng, shape, 40, 5)
        on_skin = cv2.remap(master.mask.astype(np.float32), x, y, cv2.INTER_LINEAR)
        return np.clip(ridges, -1, 1), np.minimum(contact, on_skin * 4 - 2)


ON_SENSOR = Touch()
"""The usual touch of a finger that is held to a sensor."""


@dataclass(frozen=True, slots=True)
class Impression(Params):
    """A print taken on purpose.

    touch : how the finger was laid down
    moisture : -1 dry (thin, broken ridges) .. 1 wet (ridges that run together)
    scratches : how many creases and scratches cross it, on average
    grain : strength of the skin's and the sensor's unevenness, 1 = usual
    """

    touch: Touch = ON_SENSOR
    moisture: float = 0.0
    scratches: float = 2.0
    grain: float = 1.0

    def __call__(self, master: Master, seed: int) -> GrayImage:
        """Return (H, W) uint8, ridges dark, 500 ppi."""
        rng = generator(seed, "impression")
        ridges, contact = self.touch(master, rng)
        shape = (ridges.shape[0], ridges.shape[1])
        ink = inked(rng, ridges, contact, self.moisture, self.grain)
        ink *= 1 - _creases(rng, shape, rng.poisson(self.scratches), contact)
        depth = 165 + 14 * smooth_noise(rng, shape, 55) * self.grain
        gray = 246 - depth * blurred(ink, 0.75)
        gray += 2.5 * self.grain * rng.standard_normal(shape).astype(np.float32) * (0.3 + ink)
        return to_gray(gray)


def inked(rng: np.random.Generator, ridges: FloatMap, contact: FloatMap, moisture: float, grain: float) -> FloatMap:
    """How much of the surface the skin darkens: (H, W) float32, 0 bare .. 1 covered.

    The more pressure and moisture, the further down a ridge's flanks the surface is touched; at the edge of the
    contact only the crests touch, then nothing.
    """
    shape = (ridges.shape[0], ridges.shape[1])
    press = np.minimum(2.2 * contact, 0.25) + 0.30 * moisture
    press = press + grain * (0.13 * texture(rng, shape, 60, 15) + 0.24 * texture(rng, shape, 5, 1.3))
    spots = (rng.random(shape) < 0.004) & (ridges > 0.75)
    pores = blurred(spots.astype(np.float32), 0.9) * 5
    covered = 1 / (1 + np.exp(-np.clip(5.0 * (ridges + press - 0.12), -30, 30)))
    covered *= 1 / (1 + np.exp(-np.clip(14 * (contact + 0.02), -30, 30)))
    ink: FloatMap = (covered * (1 - np.clip(pores * (0.75 - 0.5 * moisture), 0, 0.9))).astype(np.float32)
    return ink


def _creases(rng: np.random.Generator, shape: tuple[int, int], count: int, contact: FloatMap) -> FloatMap:
    """Light lines across the print: (H, W) float32, 0 none .. 1 bare."""
    lines = np.zeros(shape, np.uint8)
    for _ in range(count):
        x, y = rng.uniform(0.2, 0.8) * shape[1], rng.uniform(0.2, 0.85) * shape[0]
        angle, bend, length = rng.uniform(0, np.pi), rng.normal(0, 0.0015), rng.uniform(40, 130)
        along = np.linspace(-length / 2, length / 2, 24)
        across = bend * along**2
        points = np.column_stack(
            [x + along * np.cos(angle) - across * np.sin(angle), y + along * np.sin(angle) + across * np.cos(angle)]
        )
        cv2.polylines(lines, [np.rint(points * 8).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 3)
    soft = blurred((lines / 255).astype(np.float32), 0.8) * 1.6
    bare: FloatMap = np.clip(soft, 0, 0.85).astype(np.float32)
    return bare
