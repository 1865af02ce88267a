"""Stored crops -> batches: each time another symmetry and another look, with the truth carried along."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from crops import NAMES
from looks import Bank, changed_look
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.types import KIND_BIFURCATION
from fpipe.enhance.learned import STRIDE, network_input

SPREAD_CELLS = 0.8
"""Sigma of the heat around a minutia, cells: a network that is a cell off is not punished as for a false minutia."""

BLIND = 0.4
"""Share of crops without their gray levels: a network that knows them too well knows our synthesis, not prints."""

HARD, OF = 2, 4
"""Crops of a batch that are taken again for being hard: each the hardest of so many drawn at random.  No more: the very
hardest are marks that nobody could read."""

_DOUBLED = np.zeros((2, 181), np.float32)  # orientation byte -> cos 2t, sin 2t
_DOUBLED[0, 1:], _DOUBLED[1, 1:] = (f(2 * np.deg2rad(np.arange(180) + 0.5)) for f in (np.cos, np.sin))


class Hardness:
    """How wrong the network was about each crop when it last saw it; nothing is known at first."""

    def __init__(self, crops: int) -> None:
        self.last = np.zeros(crops, np.float32)

    def drawn(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of ``count`` crops, each the hardest of ``OF``."""
        drawn = rng.integers(len(self.last), size=(count, OF))
        return np.take_along_axis(drawn, self.last[drawn].argmax(1)[:, None], 1)[:, 0]


def stored_crops(folder: Path) -> dict[str, NDArray[Any]]:
    """What ``crops.draw`` left, not read yet."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}


def batches(
    stored: dict[str, NDArray[Any]], hardness: Hardness, size: int, seed: int, step: int
) -> Iterator[tuple[NDArray[np.int64], dict[str, Tensor]]]:
    """Batches for ever, from ``step`` on, with their rows: crops in a new order every round, and hard ones again.

    The same seed and hardness, the same batches.
    """
    count, new = len(stored["picture"]), size - HARD
    each = count // new
    bank = np.random.default_rng([seed, 1]).standard_normal((1024, 1024), np.float32)
    while True:
        order = np.random.default_rng([seed, 2, step // each]).permutation(count)
        place = step % each
        rng = np.random.default_rng([seed, 3, step])
        rows = np.concatenate([order[place * new : (place + 1) * new], hardness.drawn(HARD, rng)])
        crops = []
        for row, beside in zip(rows, np.roll(rows, 1), strict=True):
            crop = {name: np.asarray(stored[name][row]) for name in NAMES}
            crops.append(changed(crop, np.asarray(stored["picture"][beside]), rng, bank))
        yield rows, {name: torch.from_numpy(np.stack([c[name] for c in crops])) for name in crops[0]}
        step += 1


def changed(
    crop: dict[str, NDArray[Any]], other: NDArray[np.uint8], rng: np.random.Generator, bank: Bank
) -> dict[str, Any]:
    """One crop under one of the eight symmetries, its look changed, as the losses take it; cells of ``STRIDE`` px.

    crop : of ``crops.drawn``; other : the picture of another

    Returns input (2, H, W) float32; ridges (1, H, W) uint8; mask and period (1, h, w) uint8, period in 8ths of a px;
    orientation (2, h, w) float32, cosine and sine of the doubled angle; points (7, h, w) float32, see ``_place``.
    """
    planes = [crop["picture"], np.unpackbits(crop["ridges"], axis=1), crop["mask"], crop["period"]]
    minutiae = crop["minutiae"][crop["minutiae"][:, 3] > 0].astype(np.float32)
    doubled = _DOUBLED[:, crop["orientation"]]
    size = crop["picture"].shape[0]
    if rng.integers(2):
        planes, doubled = [p[:, ::-1] for p in planes], doubled[:, :, ::-1] * np.array([[[1]], [[-1]]], np.float32)
        minutiae[:, 0], minutiae[:, 2] = size - 1 - minutiae[:, 0], np.pi - minutiae[:, 2]
    quarter = int(rng.integers(4))
    planes, doubled = [np.rot90(p, quarter) for p in planes], np.rot90(doubled, quarter, (1, 2)) * (-1) ** quarter
    for _ in range(quarter):
        minutiae[:, :2] = np.column_stack([minutiae[:, 1], size - 1 - minutiae[:, 0]])
    minutiae[:, 2] += quarter * np.pi / 2
    picture, ridges, mask, period = (np.ascontiguousarray(p) for p in planes)
    points = np.zeros((7, size // STRIDE, size // STRIDE), np.float32)
    _place(minutiae, points)
    seen = network_input(changed_look(picture, other, mask, rng, bank))
    if rng.random() < BLIND:
        seen[1] = 0
    return {
        "input": seen,
        "ridges": ridges[None],
        "mask": mask[None],
        "period": period[None],
        "orientation": np.ascontiguousarray(doubled, np.float32),
        "points": points,
    }


@njit(cache=True)
def _place(minutiae, points):  # type: ignore[no-untyped-def]
    """Fill (7, rows, columns): heat, weight, bifurcation, cos, sin of the direction, offset x, y in cells.

    The last five are those of the nearest minutia, the weight the heat where it is near enough to say so.
    """
    rows, columns = points.shape[1:]
    for m in range(len(minutiae)):
        u, v = (minutiae[m, 0] + 0.5) / STRIDE - 0.5, (minutiae[m, 1] + 0.5) / STRIDE - 0.5
        column, row = round(u), round(v)
        for r in range(max(row - 2, 0), min(row + 3, rows)):
            for c in range(max(column - 2, 0), min(column + 3, columns)):
                near = math.exp(-((r - v) ** 2 + (c - u) ** 2) / (2 * SPREAD_CELLS**2))
                if r == row and c == column:
                    near = 1.0
                if near <= points[0, r, c]:
                    continue
                points[0, r, c] = near
                if abs(r - row) <= 1 and abs(c - column) <= 1:
                    points[1, r, c] = near
                    points[2, r, c] = minutiae[m, 3] == KIND_BIFURCATION
                    points[3, r, c], points[4, r, c] = math.cos(minutiae[m, 2]), math.sin(minutiae[m, 2])
                    points[5, r, c], points[6, r, c] = u - c, v - r
