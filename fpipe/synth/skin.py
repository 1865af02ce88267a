"""Skin on a surface: how much of it the ridges touch, given moisture, pressure, pores, creases and wear.

All functions return (H, W) float32, 0 untouched .. 1 covered, unless they say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap
from fpipe.synth.fields import blurred, grain, sampled, sigmoid, smooth_noise, texture
from fpipe.synth.touch import Laid


@dataclass(frozen=True, slots=True)
class Skin(Params):
    """The state of the skin.

    moisture : -1 dry (thin ridges, broken into dots) .. 0 .. 1.5 wet (ridges that run together)
    unevenness : standard deviation of moisture and pressure over the print
    roughness : of the ridges' edges
    pores : how plainly they show, 0..1
    hollow : how much lighter ridges are along their middle, 0..1
    wear : 0..1, how much of the print is worn off or was not touched
    creases : fine white lines across the print
    broad_creases : white lines as wide as a ridge and more
    base_crease : whether the crease of the finger's joint shows below the pattern
    edge : how suddenly the contact ends: 55 within a ridge, 6 over several
    """

    moisture: float = 0.0
    unevenness: float = 0.25
    roughness: float = 0.25
    pores: float = 0.5
    hollow: float = 0.0
    wear: float = 0.0
    creases: int = 2
    broad_creases: int = 0
    base_crease: bool = False
    edge: float = 55.0


def touched(rng: np.random.Generator, laid: Laid, skin: Skin) -> FloatMap:
    """What of the surface the skin touches: the more pressure and moisture, the further down a ridge's flanks.

    At the edge of the contact only the crests touch, then nothing.
    """
    shape = laid.shape
    press = np.minimum(3.5 * laid.contact, 0.3) - 0.2 + 0.55 * skin.moisture
    press = press + np.float32(skin.unevenness) * texture(rng, shape, 130, 30)
    dry = max(0.0, -skin.moisture)
    press = press + np.float32(skin.roughness) * texture(rng, shape, 4, 1.2)
    press = press + np.float32(0.3 * dry) * texture(rng, shape, 8, 3)
    if skin.wear > 0:  # pressed less and less: ridges thin out, break into dots and are gone
        press = press - np.float32(2.2) * worn(rng, shape, skin.wear)
    level = laid.relief + press.astype(np.float32)
    if skin.pores > 0:  # in dry prints they break the ridges into beads
        level -= np.float32(skin.pores * (0.9 + 0.8 * dry)) * sampled(laid.master.pores, laid.x, laid.y)
    cover = sigmoid(np.float32(7.0) * level) * sigmoid(np.float32(skin.edge) * laid.contact)
    if skin.hollow > 0:
        where = np.clip(0.6 + 0.8 * smooth_noise(rng, shape, 60), 0, 1)
        cover *= 1 - np.float32(skin.hollow) * where * sigmoid(np.float32(9) * (laid.relief - 0.55))
    bare = 1 - creases(rng, laid, skin)
    return cover * bare


def worn(rng: np.random.Generator, shape: tuple[int, int], amount: float) -> FloatMap:
    """1 in patches where the skin is worn or was lifted, 0 where it is whole, soft between."""
    field = texture(rng, shape, 70, 10)
    return sigmoid(np.float32(2.5) * (field - np.float32(2.0 - 2.2 * amount)))


def creases(rng: np.random.Generator, laid: Laid, skin: Skin) -> FloatMap:
    """White lines: fine creases and scratches, broad ones, and the joint's."""
    shape = laid.shape
    height, width = shape
    bare = np.zeros(shape, np.float32)
    if skin.creases or skin.broad_creases:
        lines = np.zeros(shape, np.uint8)
        for number in range(skin.creases + skin.broad_creases):
            x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
            broad = number >= skin.creases
            angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.0018)
            length = rng.uniform(60, 260) if broad else rng.uniform(20, 130)
            along = np.linspace(-length / 2, length / 2, 24)
            across = bend * along**2 + rng.normal(0, 0.5, 24)
            points = np.column_stack(
                [x + along * np.cos(angle) - across * np.sin(angle), y + along * np.sin(angle) + across * np.cos(angle)]
            )
            thickness = int(rng.integers(3, 9)) if broad else 1
            cv2.polylines(lines, [np.rint(points * 8).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 3)
        # a crease is bridged here and there, and its edges are ragged
        ragged = np.clip(0.9 + 0.5 * texture(rng, shape, 20, 2.5), 0, 1.3)
        bare = np.clip(blurred(lines.astype(np.float32) / 255, 0.8) * 1.7 * ragged, 0, 1).astype(np.float32)
    if skin.base_crease:
        below = laid.y - np.float32(laid.master.centre[1] + rng.uniform(150, 185))
        below = below + 9 * smooth_noise(rng, shape, 60) + 2 * texture(rng, shape, 12, 3)
        bare = np.maximum(bare, sigmoid(np.float32(1.1) * (rng.uniform(4, 10) - np.abs(below))))
    return bare


def ghost(rng: np.random.Generator, laid: Laid) -> FloatMap:
    """Another print, of no one: the same ridges mirrored, turned and moved, so that nothing of the finger shows twice.

    Stands for the traces of an earlier finger on a sensor, and for a second print under or over a latent.
    """
    master = laid.master
    height, width = laid.shape
    rows, columns = np.indices(laid.shape, dtype=np.float32)
    angle = rng.uniform(-np.pi, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = columns - np.float32(width / 2 + rng.normal(0, 40)), rows - np.float32(height / 2 + rng.normal(0, 50))
    x = np.float32(master.centre[0]) - (cos * u - sin * v)
    y = np.float32(master.centre[1] + 20) + sin * u + cos * v
    relief = sampled(master.relief, x, y, outside=-1)
    centre = (master.centre[0], master.centre[1] + 20)
    reach = ((x - centre[0]) / 120) ** 2 + ((y - centre[1]) / 150) ** 2
    faint = sigmoid(np.float32(4) * (relief + 0.3 * texture(rng, laid.shape, 40, 2)))
    return (faint * sigmoid(np.float32(8) * (1 - reach.astype(np.float32)))).astype(np.float32)


def smeared(image: FloatMap, length_px: float, angle: float) -> FloatMap:
    """A slide of the finger: the picture averaged along a line."""
    if length_px < 1:
        return image
    half = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length_px / 2
    ends = np.rint((half + np.array([-reach, reach])) * 8).astype(np.int32)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_AA, 3)
    return cv2.filter2D(image, -1, kernel / kernel.sum()).astype(np.float32, copy=False)


def noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> FloatMap:
    """Noise of a camera or a scanner, gray levels."""
    return np.float32(sigma) * grain(rng, shape)
