"""Where a template's print is: its mask, or what its minutiae say where it has none (imported templates)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import CELL_PX, grid_shape
from fpipe.core.types import Template


def foreground(template: Template, margin_px: float) -> NDArray[np.bool_]:
    """(rows, columns) bool on the CELL_PX grid, True = print.

    Without a mask: cells whose centre lies in the convex hull of the minutiae or within ``margin_px`` of it.  The grid
    covers the picture, and every minutia where a file states a size that does not hold them.
    """
    if template.mask is not None:
        return template.mask
    x, y = template.minutiae.x.astype(np.float64), template.minutiae.y.astype(np.float64)
    height, width = (max(side, int(at.max(initial=-1)) + 1) for side, at in ((template.height, y), (template.width, x)))
    rows, columns = grid_shape(height, width)
    cx = (np.arange(columns) + 0.5) * CELL_PX - 0.5
    cy = (np.arange(rows) + 0.5) * CELL_PX - 0.5
    px, py = np.meshgrid(cx, cy)
    return _near_hull(convex_hull(x, y), px, py, margin_px)


def convex_hull(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, 2) corners in one sense of rotation (monotone chain); one or two corners where all points are in line."""
    points = sorted(set(zip(x.tolist(), y.tolist(), strict=True)))
    if len(points) < 3:
        return np.array(points, np.float64).reshape(-1, 2)
    chains = []
    for ordered in (points, points[::-1]):
        chain: list[tuple[float, float]] = []
        for p in ordered:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1], np.float64)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _near_hull(
    hull: NDArray[np.float64], px: NDArray[np.float64], py: NDArray[np.float64], margin_px: float
) -> NDArray[np.bool_]:
    if not len(hull):
        return np.zeros(px.shape, np.bool_)
    inside = np.full(px.shape, len(hull) > 2)
    nearest = np.full(px.shape, np.inf)
    for (ax, ay), (bx, by) in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        along = np.clip(((px - ax) * ex + (py - ay) * ey) / max(ex * ex + ey * ey, 1e-9), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(px - ax - along * ex, py - ay - along * ey))
        inside &= ex * (py - ay) - ey * (px - ax) >= 0
    near: NDArray[np.bool_] = inside | (nearest <= margin_px)
    return near
