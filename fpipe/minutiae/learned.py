"""Minutiae from what a learned reader sees: the peaks of its heat map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.params import Params
from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, Minutiae, Reading


@dataclass(frozen=True, slots=True)
class Peaks(Params):
    """Cells whose confidence no neighbour exceeds; of two that are nearer than ``apart_px`` the surer one.

    cut : confidence from which on a minutia takes part in comparisons
    least : confidence from which on it is kept at all
    border_px : minutiae nearer to the mask's border are weak
    most : minutiae kept, the surest
    """

    cut: float = 0.3
    least: float = 0.1
    apart_px: float = 6.0
    border_px: float = 0.0
    most: int = 255

    def __call__(self, reading: Reading) -> tuple[Minutiae, Minutiae]:
        """Those that take part, and the weak ones; each sorted by y, then x.  Quality = confidence in percent."""
        heat = reading.minutia
        highest = np.asarray(cv2.dilate(heat, np.ones((3, 3), np.uint8)), np.float32)
        cells = np.argwhere((heat >= highest) & (heat >= self.least))
        cells = cells[np.argsort(-heat[cells[:, 0], cells[:, 1]], kind="stable")]
        x, y = _places(reading, cells)
        depth = _depth(reading, x, y)
        keep = _apart(x, y, self.apart_px) & (depth > 0)
        keep &= np.cumsum(keep) <= self.most
        at = cells[keep, 0], cells[keep, 1]
        found = Minutiae(
            x=x[keep],
            y=y[keep],
            direction=reading.direction[at],
            kind=np.where(reading.bifurcation[at] > 0.5, KIND_BIFURCATION, KIND_ENDING).astype(np.uint8),
            quality=np.clip(np.rint(100 * heat[at]), 1, 100).astype(np.uint8),
        )
        strong = (heat[at] >= self.cut) & (depth[keep] > self.border_px)
        order = np.lexsort((found.x, found.y))
        return found.take(order[strong[order]]), found.take(order[~strong[order]])


def _places(reading: Reading, cells: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x, y of the minutiae of these cells (rows, columns), inside the picture."""
    rows, columns = cells.T
    height, width = reading.mask.shape
    places = reading.stride * cells.T + (reading.stride - 1) / 2 + reading.offset[::-1, rows, columns]
    y, x = np.asarray(places, np.float32)
    return np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)


def _depth(reading: Reading, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance to the mask's border, px, 0 outside; the picture's border is none, skin may go on there."""
    distance = np.asarray(cv2.distanceTransform(reading.mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return np.asarray(distance[np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)])


def _apart(x: NDArray[np.float32], y: NDArray[np.float32], apart_px: float) -> NDArray[np.bool_]:
    """True where no kept one before it is nearer."""
    keep = np.ones(len(x), bool)
    near = (x[:, None] - x[None]) ** 2 + (y[:, None] - y[None]) ** 2 < apart_px**2
    for row in range(1, len(x)):
        keep[row] = not (near[row, :row] & keep[:row]).any()
    return keep
