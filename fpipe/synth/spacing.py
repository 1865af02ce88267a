"""Ridge period: how far the ridges of a finger lie apart, given how they run.

Where ridges spread, the space between them grows or new ridges must begin.  Skin does some of both: the period follows
the spreading as far as it may, so that the minutia density is not what the flow alone would force.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import spsolve

from fpipe.core.types import FloatMap
from fpipe.synth.fields import shrunk, smooth_noise
from fpipe.synth.growth import LONGEST_PX, SHORTEST_PX

_STEP = 8
"""Grid on which the period is solved for, px."""
_STIFF = 0.35
"""How dear a change of period in any direction is, against ridges that begin or end."""
_MOST = 0.18
"""The spreading changes the logarithm of the period by no more."""


def ridge_period(rng: np.random.Generator, mean: float, flow: FloatMap, v: FloatMap) -> FloatMap:
    """A period map, (H, W) float32 px: wider towards the finger's base, narrower over the core, uneven.

    flow : (H, W) float32 rad
    v : (H, W) float32 px upwards from the pattern's centre
    """
    shape = (flow.shape[0], flow.shape[1])
    base, tip = rng.normal(0.10, 0.04), rng.normal(0.05, 0.03)
    slope = 1 + base / (1 + np.exp((v + rng.normal(110, 30)) / rng.uniform(20, 60)))
    slope -= tip / (1 + np.exp((rng.normal(60, 30) - v) / rng.uniform(20, 60)))
    uneven = 1 + rng.uniform(0.02, 0.04) * smooth_noise(rng, shape, rng.uniform(50, 110))
    spread = np.exp(rng.uniform(0.6, 1.0) * _spreading(flow))
    period: FloatMap = np.clip(mean * slope * uneven * spread, SHORTEST_PX + 0.5, LONGEST_PX - 0.5).astype(np.float32)
    return period


def _spreading(flow: FloatMap) -> FloatMap:
    """Logarithm of the period that lets the ridges run on without minutiae, as far as ``_STIFF`` allows; mean 0.

    With ridges along t and normal n, the wave vector n / T has the curl (curl n + t . grad log T) / T, and that is the
    density of ridges that begin or end.  Least squares for log T on a coarse grid.
    """
    height, width = flow.shape
    size = (-(-width // _STEP), -(-height // _STEP))
    doubled = shrunk(np.cos(2 * flow), size) + 1j * shrunk(np.sin(2 * flow), size)
    doubled = doubled / (np.abs(doubled) + 1e-6)
    cos2, sin2 = doubled.real, doubled.imag
    turn_y, turn_x = (
        (cos2 * ds - sin2 * dc) / (2 * _STEP) for ds, dc in zip(np.gradient(sin2), np.gradient(cos2), strict=True)
    )
    theta = np.arctan2(sin2, cos2) / 2
    cos, sin = np.cos(theta), np.sin(theta)
    bend: Any = np.clip(sin * turn_x + cos * turn_y, -0.02, 0.02)
    along: Any = _derivatives(-cos / (2 * _STEP), sin / (2 * _STEP))
    level, plumb = np.full(cos.shape, _STIFF / (2 * _STEP)), np.zeros(cos.shape)
    stiff = [_derivatives(level, plumb), _derivatives(plumb, level)]
    system = along.T @ along + sum(m.T @ m for m in stiff)
    system = system + csr_matrix((np.full(cos.size, 1e-8), (np.arange(cos.size),) * 2))
    solved: Any = spsolve(system.tocsc(), along.T @ bend.ravel()).reshape(cos.shape)
    solved = _MOST * np.tanh((solved - solved.mean()) / _MOST)
    fine = cv2.resize(solved.astype(np.float32), (size[0] * _STEP, size[1] * _STEP), interpolation=cv2.INTER_CUBIC)
    smooth: FloatMap = cv2.GaussianBlur(fine, (0, 0), 4)[:height, :width].astype(np.float32)
    return smooth


def _derivatives(x: Any, y: Any) -> Any:
    """The operator x d/dcolumn + y d/drow by central differences (x, y already halved), one-sided at the border."""
    rows, columns = np.indices(x.shape)
    number = np.arange(x.size).reshape(x.shape)
    left, right = number[rows, np.maximum(columns - 1, 0)], number[rows, np.minimum(columns + 1, x.shape[1] - 1)]
    above, below = number[np.maximum(rows - 1, 0), columns], number[np.minimum(rows + 1, x.shape[0] - 1), columns]
    data = np.concatenate([x.ravel(), -x.ravel(), y.ravel(), -y.ravel()])
    at = np.concatenate([right.ravel(), left.ravel(), below.ravel(), above.ravel()])
    return coo_matrix((data, (np.tile(number.ravel(), 4), at)), (x.size, x.size)).tocsr()
