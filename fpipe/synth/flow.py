"""How the ridges of a finger run: orientation fields of the five classes, their cores and deltas.

Sources: Sherlock and Monro 1993 (zero-pole model), Vizcaya and Gerhardt 1996 (corrections to it), Cappelli, Maio and
Maltoni 2002 (SFinGe: an arch as a sine; natural proportions of the classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import wrap_direction, wrap_orientation
from fpipe.core.types import FloatMap
from fpipe.synth.fields import smooth_noise

Pattern = Literal["arch", "tented_arch", "left_loop", "right_loop", "whorl", "double_loop"]
"""A double loop counts as a whorl where there are five classes."""

SHARES: dict[Pattern, float] = {
    "arch": 0.037,
    "tented_arch": 0.029,
    "left_loop": 0.338,
    "right_loop": 0.317,
    "whorl": 0.219,
    "double_loop": 0.06,
}
"""Natural proportions: SFinGe's of the five classes, about a fifth of the whorls double loops."""
CORE, DELTA = 0, 1
_LEGS_PX = 130.0
"""How far from a core a loop's legs are bent parallel."""


@dataclass(frozen=True, slots=True, eq=False)
class SingularPoints:
    """Cores and deltas as columns.

    x, y : (N,) float32 px
    kind : (N,) uint8, CORE or DELTA
    direction : (N,) float32 rad, [0, 2 pi): of a core, the way its loop opens; of a delta, the one of its three arms
        that points most nearly to the finger's base
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    kind: NDArray[np.uint8]
    direction: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray[np.bool_]) -> SingularPoints:
        """Those of a boolean array."""
        return SingularPoints(self.x[rows], self.y[rows], self.kind[rows], self.direction[rows])


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a pattern's cores and deltas lie around its centre (v upwards), and how its ridges bend.

    roundness : how much the ridges over the pattern bend around the finger's tip
    slender : 0..1, how parallel the ridges under a core run to the loop's axis
    twist : rad, by which ridges spiral around the centre
    """

    cores: tuple[tuple[float, float], ...]
    deltas: tuple[tuple[float, float], ...]
    roundness: float
    slender: float = 0.8
    twist: float = 0.0


def draw_pattern(rng: np.random.Generator) -> Pattern:
    """A pattern in natural proportions."""
    names = list(SHARES)
    return names[int(rng.choice(len(names), p=list(SHARES.values())))]


def orientation_field(
    rng: np.random.Generator, pattern: Pattern, u: FloatMap, v: FloatMap
) -> tuple[FloatMap, SingularPoints]:
    """A pattern around its centre.

    u, v : (H, W) float32 px from the centre, rightwards and upwards
    Returns the orientation, (H, W) float32 rad in [0, pi), and the singular points in pixels of the picture.
    """
    shape = (u.shape[0], u.shape[1])
    plan = _plan(rng, pattern)
    u, v = _bent(rng, u, v)
    theta: Any = _arch(rng, u, v) if pattern == "arch" else _zero_pole(u, v, plan)
    above = 1 / (1 + np.exp(-(v - rng.normal(0, 20)) / rng.uniform(35, 75)))
    theta = theta - np.arctan(plan.roundness * rng.uniform(0.7, 1.3) * u / rng.uniform(90, 140)) * above
    theta = theta + plan.twist * np.exp(-(u**2 + (v + 20) ** 2) / (2 * 55**2))
    theta = theta + np.deg2rad(rng.uniform(3.5, 7)) * smooth_noise(rng, shape, rng.uniform(60, 110))
    theta = theta + np.deg2rad(1.2) * smooth_noise(rng, shape, 34) + rng.normal(0, np.deg2rad(4))
    orientation = wrap_orientation(theta.astype(np.float32))
    return orientation, _singular_points(plan, orientation, u, v)


def _bent(rng: np.random.Generator, u: FloatMap, v: FloatMap) -> tuple[FloatMap, FloatMap]:
    """Fingers are broad or slender, lean, and are not symmetric: the plan's coordinates, stretched and bent."""
    shape = (u.shape[0], u.shape[1])
    broad, tall = np.clip(rng.normal(1, 0.13, 2), 0.72, 1.35)
    lean = rng.normal(0, 0.12)
    bend = [np.float32(rng.uniform(4, 14)) * smooth_noise(rng, shape, rng.uniform(90, 150)) for _ in range(2)]
    bent_u = np.float32(broad) * (u + np.float32(lean) * v) + bend[0]
    bent_v = np.float32(tall) * v + bend[1]
    return bent_u.astype(np.float32), bent_v.astype(np.float32)


def _plan(rng: np.random.Generator, pattern: Pattern) -> _Plan:
    low, aside = -rng.uniform(100, 172), rng.uniform(62, 120)
    if pattern == "arch":
        return _Plan((), (), 0.55)
    if pattern == "tented_arch":
        return _Plan(((0, 0),), ((rng.normal(0, 5), -rng.uniform(60, 105)),), 0.55, rng.uniform(0.6, 0.9))
    if pattern in ("left_loop", "right_loop"):
        side = 1 if pattern == "left_loop" else -1  # a right loop opens to the right, its delta lies on the left
        return _Plan(((0, 0),), ((side * aside, low),), rng.uniform(0.1, 0.55), rng.uniform(0.5, 0.95))
    deltas = ((-aside, low + rng.normal(0, 14)), (rng.uniform(72, 112), low + rng.normal(0, 14)))
    if pattern == "whorl":
        lean, gap = rng.normal(0, 7), rng.uniform(16, 46)
        return _Plan(((-lean / 2, 0), (lean / 2, -gap)), deltas, 0.12, 0.25, rng.normal(0, 0.22))
    side = rng.choice([-1, 1])
    lean, gap = side * rng.uniform(18, 40), rng.uniform(48, 70)
    return _Plan(((-lean / 2, 0), (lean / 2, -gap)), deltas, 0.12, 0.6, -side * rng.uniform(0.5, 0.9))


def _arch(rng: np.random.Generator, u: FloatMap, v: FloatMap) -> FloatMap:
    """A hill that flattens towards the tip and the base."""
    hill, hill_width = rng.uniform(0.6, 1.1), rng.uniform(55, 85)
    s = (u + rng.normal(0, 6)) / hill_width
    rise: FloatMap = np.arctan(-hill * 1.65 * s * np.exp(-(s**2) / 2) * np.exp(-(((v + 20) / 140) ** 2)))
    return rise


def _zero_pole(u: FloatMap, v: FloatMap, plan: _Plan) -> FloatMap:
    """Half the sum of the angles seen from the cores less those from the deltas (Sherlock and Monro).

    Under a core that field fans out like a fir; ``slender`` turns it parallel to the loop's axis there, in the manner
    of Vizcaya and Gerhardt.
    """
    theta = np.zeros_like(u)
    for x, y in plan.cores:
        others = sum(np.arctan2(y - b, x - a) for a, b in plan.cores if (a, b) != (x, y))
        axis = others - sum(np.arctan2(y - b, x - a) for a, b in plan.deltas)  # where the field points from the core
        seen = np.arctan2(v - y, u - x)
        near = np.exp(-(((u - x) ** 2 + (v - y) ** 2) / _LEGS_PX**2))
        theta += (seen - plan.slender * near * np.sin(seen - axis)) / 2
    for x, y in plan.deltas:
        theta -= np.arctan2(v - y, u - x) / 2
    return theta


def _singular_points(plan: _Plan, orientation: FloatMap, u: FloatMap, v: FloatMap) -> SingularPoints:
    """Where in the picture the plan's points lie, their directions read off the field: where on a circle around them
    ridges run radially."""
    points = [*plan.cores, *plan.deltas]
    kinds = np.repeat(np.array([CORE, DELTA], np.uint8), [len(plan.cores), len(plan.deltas)])
    turn = np.arange(0, 2 * np.pi, np.pi / 180)
    places, directions = [], []
    for (x, y), kind in zip(points, kinds, strict=True):
        column, row = _place_of(u, v, x, y)
        columns = np.clip(np.rint(column + 9 * np.cos(turn)), 0, u.shape[1] - 1).astype(int)
        rows = np.clip(np.rint(row - 9 * np.sin(turn)), 0, u.shape[0] - 1).astype(int)
        radial = np.cos(2 * (orientation[rows, columns] - turn))
        if kind == DELTA:
            radial += 0.5 * np.cos(turn + np.pi / 2)
        places.append((column, row))
        directions.append(turn[int(np.argmax(radial))])
    found = np.array(places, np.float32).reshape(-1, 2)
    return SingularPoints(found[:, 0], found[:, 1], kinds, wrap_direction(np.array(directions, np.float32)))


def _place_of(u: FloatMap, v: FloatMap, x: float, y: float) -> tuple[float, float]:
    """(column, row) at which the bent coordinates are (x, y); outside the picture as far as its border's slopes say."""
    row, column = np.unravel_index(int(np.argmin((u - x) ** 2 + (v - y) ** 2)), u.shape)
    r, c = min(max(int(row), 1), u.shape[0] - 2), min(max(int(column), 1), u.shape[1] - 2)
    slopes = np.array(
        [
            [u[r, c + 1] - u[r, c - 1], u[r + 1, c] - u[r - 1, c]],
            [v[r, c + 1] - v[r, c - 1], v[r + 1, c] - v[r - 1, c]],
        ],
        np.float64,
    )
    step = np.linalg.solve(slopes / 2, np.array([x - u[r, c], y - v[r, c]], np.float64))
    return float(c + step[0]), float(r + step[1])
