"""Master prints: ridges grown from random seeds along an orientation field, as SFinGe does.

Sources: Sherlock and Monro 1993 (zero-pole orientation), Cappelli, Maio and Maltoni 2002 (SFinGe: filters that follow
orientation and period, iterated, let minutiae emerge where ridges grown from different seeds meet out of phase).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.conventions import wrap_orientation
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, Mask
from fpipe.synth.fields import generator, smooth_noise

jitcache.prepare()
from numba import njit  # noqa: E402

Pattern = Literal["arch", "tented_arch", "left_loop", "right_loop", "whorl", "double_loop"]

ANGLES = 96
"""Orientations of the filter bank."""
PERIODS = np.arange(6.5, 13.01, 0.25)
"""Ridge periods of the filter bank, px at 500 ppi."""
RADIUS = 12
"""Of the filters, px: three standard deviations at the usual period."""


@dataclass(frozen=True, slots=True, eq=False)
class Master:
    """What a finger's skin looks like: no contact, no noise.

    ridges : (H, W) float32, [-1, 1], positive on ridges, 0 outside the mask
    orientation : (H, W) float32, rad, [0, pi)
    period : (H, W) float32, px at 500 ppi
    mask : (H, W) bool, the finger's shape
    centre : (x, y), px, of the pattern: the upper core, or the top of an arch's bend
    """

    ridges: FloatMap
    orientation: FloatMap
    period: FloatMap
    mask: Mask
    centre: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MasterPrint(Params):
    """Grow a master print.

    pattern : class of the print
    height, width : px at 500 ppi
    period_px : mean ridge period, px
    seeds_per_px : share of pixels that ridges grow from: more of them, more minutiae
    iterations : of the filter; growth has long settled after 40
    """

    pattern: Pattern = "right_loop"
    height: int = 540
    width: int = 400
    period_px: float = 9.2
    seeds_per_px: float = 0.0008
    iterations: int = 45

    def __call__(self, seed: int) -> Master:
        """Return the master print of a seed: the same seed, the same print."""
        rng = generator(seed, "master")
        shape = (self.height, self.width)
        centre = (self.width / 2 + rng.normal(0, 5), self.height * 0.43 + rng.normal(0, 6))
        columns, rows = np.meshgrid(np.arange(self.width, dtype=np.float32), np.arange(self.height, dtype=np.float32))
        u, v = columns - np.float32(centre[0]), np.float32(centre[1]) - rows  # v points up
        orientation = _orientation(rng, self.pattern, u, v)
        period = _period(rng, self.period_px, v, shape)
        mask = _shape(columns, rows, self.height, self.width)
        start = np.where(rng.random(shape) < self.seeds_per_px, 1.0, 0.0).astype(np.float32) * mask
        ridges = _grow(start, orientation, period, mask, self.iterations)
        return Master(ridges, orientation, period, mask, centre)


def _shape(x: FloatMap, y: FloatMap, height: int, width: int) -> Mask:
    """A finger's outline: a half ellipse on top, a longer one below."""
    middle = 0.45 * height
    half = np.where(y < middle, middle - 2, height - middle - 2)
    inside: Mask = ((x - width / 2) / (width / 2 - 2)) ** 2 + (np.abs(y - middle) / half) ** 2.6 <= 1
    return inside


def _orientation(rng: np.random.Generator, pattern: Pattern, u: FloatMap, v: FloatMap) -> FloatMap:
    """Orientation field of a pattern around its centre (0, 0), v upwards: (H, W) float32, rad, [0, pi)."""
    above = 1 / (1 + np.exp(-v / 50))
    cores: list[tuple[float, float]] = []
    deltas: list[tuple[float, float]] = []
    low = -rng.uniform(125, 165)
    aside = rng.uniform(75, 110)
    if pattern == "arch":
        hill, hill_width = rng.uniform(0.7, 1.1), rng.uniform(55, 80)
        s = u / hill_width
        theta = np.arctan(-hill * 1.65 * s * np.exp(-(s**2) / 2) * np.exp(-(((v + 20) / 140) ** 2)))
        roundness = 0.55
    else:
        if pattern == "tented_arch":
            cores, deltas, roundness = [(0, 0)], [(rng.normal(0, 4), -rng.uniform(75, 105))], 0.55
        elif pattern in ("left_loop", "right_loop"):
            side = 1 if pattern == "left_loop" else -1  # a right loop opens to the right, its delta lies on the left
            cores, deltas, roundness = [(0, 0)], [(side * aside, low)], 0.35
        else:
            gap, lean = (rng.uniform(22, 40), rng.normal(0, 5)) if pattern == "whorl" else (rng.uniform(45, 60), 32.0)
            lean *= rng.choice([-1, 1])
            cores = [(-lean / 2, 0), (lean / 2, -gap)]
            deltas = [(-aside, low + rng.normal(0, 10)), (rng.uniform(75, 110), low + rng.normal(0, 10))]
            roundness = 0.12
        theta = _zero_pole(u, v, cores, deltas, slender=0.25 if pattern == "whorl" else 0.8)
    theta = theta - np.arctan(roundness * u / 110) * above  # ridges over the pattern bend around the finger's tip
    theta = theta + np.deg2rad(4) * smooth_noise(rng, (u.shape[0], u.shape[1]), 70) + rng.normal(0, np.deg2rad(3))
    return wrap_orientation(theta.astype(np.float32))


def _zero_pole(
    u: FloatMap, v: FloatMap, cores: list[tuple[float, float]], deltas: list[tuple[float, float]], slender: float
) -> FloatMap:
    """Half the sum of the angles seen from the cores less those from the deltas (Sherlock and Monro).

    Under a core that field fans out like a fir; ``slender`` (0..1) turns it parallel to the loop's axis there, in the
    manner of Vizcaya and Gerhardt 1996.
    """
    theta = np.zeros_like(u)
    for x, y in cores:
        others = sum(np.arctan2(y - b, x - a) for a, b in cores if (a, b) != (x, y))
        axis = others - sum(np.arctan2(y - b, x - a) for a, b in deltas)  # where the field points away from the core
        seen = np.arctan2(v - y, u - x)
        near = np.exp(-(((u - x) ** 2 + (v - y) ** 2) / 130**2))
        theta += (seen - slender * near * np.sin(seen - axis)) / 2
    for x, y in deltas:
        theta -= np.arctan2(v - y, u - x) / 2
    return theta


def _period(rng: np.random.Generator, mean: float, v: FloatMap, shape: tuple[int, int]) -> FloatMap:
    """Ridge period: wider towards the finger's base, narrower over the core, uneven by 4 %."""
    slope = 1 + 0.16 / (1 + np.exp((v + 110) / 30)) - 0.07 / (1 + np.exp((60 - v) / 30))
    uneven = 1 + 0.04 * smooth_noise(rng, shape, 60)
    return np.clip(mean * slope * uneven, PERIODS[0], PERIODS[-1]).astype(np.float32)


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float32]:
    """(periods, angles, 2 R + 1, 2 R + 1): zero-mean Gabor filters with unit gain on their own sinusoid."""
    side = np.arange(-RADIUS, RADIUS + 1)
    x, y = np.meshgrid(side, side)
    filters = np.empty((len(PERIODS), ANGLES, len(side), len(side)))
    for i, period in enumerate(PERIODS):
        sigma = period * np.sqrt(9 / (8 * -np.log(0.001)))  # SFinGe: three peaks under the bell
        bell = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        for k in range(ANGLES):
            theta = np.pi * k / ANGLES
            wave = np.cos(2 * np.pi / period * (x * np.sin(theta) + y * np.cos(theta)))
            wavelet = bell * (wave - (bell * wave).sum() / bell.sum())
            filters[i, k] = wavelet / (wavelet * wave).sum()
    return filters.astype(np.float32)


def _grow(start: FloatMap, orientation: FloatMap, period: FloatMap, mask: Mask, iterations: int) -> FloatMap:
    """Iterate the space-variant filter until ridges cover the mask."""
    angle = np.rint(orientation * (ANGLES / np.pi)).astype(np.int32) % ANGLES
    spacing = np.rint((period - PERIODS[0]) / (PERIODS[1] - PERIODS[0])).astype(np.int32)
    field = np.pad(start, RADIUS)
    for _ in range(iterations):
        response = _filtered(field, angle, spacing, mask, _bank())
        # A gain above one makes ridges grow into bare skin; clipping keeps those that have grown.
        field[RADIUS:-RADIUS, RADIUS:-RADIUS] = np.clip(2.5 * response, -1, 1)
    grown: FloatMap = np.clip(_filtered(field, angle, spacing, mask, _bank()), -1, 1)
    return grown


@njit(cache=True)
def _filtered(field: Any, angle: Any, spacing: Any, mask: Any, bank: Any) -> Any:  # pragma: no cover
    height, width = angle.shape
    side = bank.shape[2]
    out = np.zeros((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            if mask[row, column]:
                kernel = bank[spacing[row, column], angle[row, column]]
                total = np.float32(0)
                for i in range(side):
                    for j in range(side):
                        total += kernel[i, j] * field[row + i, column + j]
                out[row, column] = total
    return out
