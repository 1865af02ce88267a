"""Master prints: a finger's skin as nobody ever sees it, whole, clean and undistorted, with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask, Minutiae
from fpipe.synth.fields import generator
from fpipe.synth.flow import Pattern, SingularPoints, draw_pattern, orientation_field
from fpipe.synth.growth import grow, without_dots
from fpipe.synth.lines import firm_lines, minutiae_of, without_stubs
from fpipe.synth.singular import settled
from fpipe.synth.spacing import ridge_period

_SEEDS_PER_PX = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Master:
    """What a finger's skin looks like: no contact, no noise.

    ridges : (H, W) float32, [-1, 1], positive on ridges, 0 outside the mask
    orientation : (H, W) float32, rad, [0, pi): of the ridges as they are
    period : (H, W) float32, px at 500 ppi
    mask : (H, W) bool, the finger's shape
    centre : (x, y), px, of the pattern: the upper core, or the top of an arch's bend
    minutiae : of the ridges, sub-pixel
    singular_points : cores and deltas
    relief : (H, W) float32, [-1, 1], the skin's height: as ``ridges``, but falling all the way from crest to furrow
    touchable : (H, W) float32, 1 where skin can touch a surface: the outermost never does, so that no line ends in a
        print because the drawn skin does
    pores : (H, W) float32, 0..1: sweat pores along the crests, one in about eight pixels of ridge
    doubled : (H, W, 2) float32, cosine and sine of the doubled orientation, which can be interpolated
    """

    pattern: Pattern
    ridges: FloatMap
    orientation: FloatMap
    period: FloatMap
    mask: Mask
    centre: tuple[float, float]
    minutiae: Minutiae
    singular_points: SingularPoints
    relief: FloatMap
    touchable: FloatMap
    pores: FloatMap
    doubled: FloatMap


@dataclass(frozen=True, slots=True)
class MasterPrint(Params):
    """Grow a master print.

    pattern : class of the print; "" draws one in natural proportions
    height, width : px at 500 ppi
    period_px : mean ridge period, px; 0 draws one
    rounds : of growth at half resolution: the fewer, the more minutiae have not met and vanished; 0 draws them
    """

    pattern: Pattern | str = ""
    height: int = 560
    width: int = 416
    period_px: float = 0.0
    rounds: int = 0

    def __call__(self, seed: int, ridge_seed: int | None = None) -> Master:
        """Return the master print of a seed: the same seed, the same print.

        ridge_seed : where given, ridges grow from other seeds in the same flow: a close non-match, which shares class,
            cores, deltas, orientation and period with the print of ``seed`` but not its minutiae
        """
        rng = generator(seed, "master")
        shape = (self.height, self.width)
        pattern: Pattern = self.pattern or draw_pattern(rng)  # type: ignore[assignment]
        centre = (self.width / 2 + rng.normal(0, 6), self.height * 0.43 + rng.normal(0, 8))
        columns, rows = np.meshgrid(np.arange(self.width, dtype=np.float32), np.arange(self.height, dtype=np.float32))
        u, v = columns - np.float32(centre[0]), np.float32(centre[1]) - rows  # v points up
        flow, points = orientation_field(rng, pattern, u, v)
        mean = self.period_px or float(np.clip(rng.normal(8.6, 0.85), 6.9, 11.2))
        period = ridge_period(rng, mean, flow, v)
        mask = _shape(rng, columns, rows)
        rounds = self.rounds or int(rng.integers(12, 26))
        if ridge_seed is not None:
            rng = generator(ridge_seed, "ridges")
        start = np.where(rng.random(shape) < _SEEDS_PER_PX, 1.0, 0.0).astype(np.float32) * mask
        ridges = _tidied(grow(start, flow, period, mask, rounds), points, period, mask)
        orientation = _as_grown(ridges, flow)
        relief = np.clip(1.35 * cv2.GaussianBlur(ridges, (0, 0), 1.8), -1, 1)
        return Master(
            pattern=pattern,
            ridges=ridges,
            orientation=orientation,
            period=period,
            mask=mask,
            centre=centre,
            minutiae=minutiae_of(ridges, period, mask),
            singular_points=points,
            relief=relief,
            touchable=_without_border(mask),
            pores=_pores(generator(seed if ridge_seed is None else ridge_seed, "pores"), relief),
            doubled=np.stack([np.cos(2 * orientation), np.sin(2 * orientation)], -1),
        )


def _shape(rng: np.random.Generator, x: FloatMap, y: FloatMap) -> Mask:
    """A finger's outline: a half ellipse on top, a longer one below."""
    height, width = x.shape
    middle = 0.45 * height
    half = np.where(y < middle, middle - 2, height - middle - 2)
    breadth = (width / 2 - 2) * min(1.0, rng.normal(0.96, 0.04))
    inside: Mask = ((x - width / 2) / breadth) ** 2 + (np.abs(y - middle) / half) ** 2.6 <= 1
    return inside


def _tidied(ridges: FloatMap, points: SingularPoints, period: FloatMap, mask: Mask) -> FloatMap:
    """Ridges on whose minutiae any two careful readers agree: no stubs, no dots, no line that hangs by a hair."""
    ridges = settled(ridges, points, period, mask)
    for _ in range(2):
        ridges = without_dots(without_stubs(ridges, mask), mask)
        ridges = np.clip(1.2 * cv2.GaussianBlur(ridges, (0, 0), 0.9), -1, 1)
    ridges = firm_lines(without_dots(without_stubs(ridges, mask), mask), mask)
    return without_dots(without_stubs(ridges, mask), mask) * mask


def _without_border(mask: Mask) -> FloatMap:
    inner = cv2.erode(np.pad(mask.astype(np.uint8), 1), np.ones((19, 19), np.uint8))[1:-1, 1:-1]
    return inner.astype(np.float32)


def _pores(rng: np.random.Generator, relief: FloatMap) -> FloatMap:
    """Spots on the crests, spaced as the peaks of smooth noise are, not as chance would have it."""
    field = cv2.GaussianBlur(rng.standard_normal(relief.shape, np.float32), (0, 0), 1.6)
    peaks = (field == cv2.dilate(field, np.ones((7, 7), np.uint8))) & (relief > 0.6)
    strength = peaks * rng.uniform(0.5, 1, relief.shape).astype(np.float32)
    spots: FloatMap = np.clip(cv2.GaussianBlur(strength, (0, 0), 1.0) * 6, 0, 1).astype(np.float32)
    return spots


def _as_grown(ridges: FloatMap, flow: FloatMap) -> FloatMap:
    """Orientation of the ridges as they are: the structure tensor of the clean ridges, the flow where that is weak."""
    gx, gy = cv2.Sobel(ridges, cv2.CV_32F, 1, 0), cv2.Sobel(ridges, cv2.CV_32F, 0, 1)
    cos = cv2.GaussianBlur(gy * gy - gx * gx, (0, 0), 4.0)
    sin = cv2.GaussianBlur(2 * gx * gy, (0, 0), 4.0)
    weak = 0.1 * float(np.median(np.hypot(cos, sin)))
    angle = np.arctan2(sin + weak * np.sin(2 * flow), cos + weak * np.cos(2 * flow)) / 2
    return np.mod(angle, np.pi).astype(np.float32)
