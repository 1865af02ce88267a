"""Ridges around cores and deltas, where an orientation field has no orientation.

There the oriented filters contradict each other and leave corners and blots.  An isotropic filter of the same period
lets lines bend, end and fork by themselves, as in a reaction and diffusion system; of several beginnings the one is
kept whose lines all have their proper width and length.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from fpipe.core.types import FloatMap, Mask
from fpipe.synth.flow import SingularPoints
from fpipe.synth.growth import GAIN, isotropic_filter, without_dots
from fpipe.synth.lines import without_stubs

_REACH_PX = 40
_ROUNDS = 8
_BEGINNINGS = tuple(itertools.product((9.0, 6.5, 12.0), (0.0, 2.0, -2.0)))
"""(how far the isotropic filter reaches, px; what is added at the point itself), tried in this order."""
_WIDEST = 0.46
"""Half the width of a line at a fork, in periods; a blot is wider."""


def settled(ridges: FloatMap, points: SingularPoints, period: FloatMap, mask: Mask) -> FloatMap:
    """Ridges grown anew close around every core and delta; as in ``grow``."""
    out = ridges.copy()
    for x, y in zip(points.x, points.y, strict=True):
        top, left = max(0, round(float(y)) - _REACH_PX), max(0, round(float(x)) - _REACH_PX)
        window = (slice(top, round(float(y)) + _REACH_PX), slice(left, round(float(x)) + _REACH_PX))
        if out[window].size:
            out[window] = _best(out[window], float(x) - left, float(y) - top, period[window], mask[window])
    return out


def _best(patch: FloatMap, x: float, y: float, period: FloatMap, mask: Mask) -> FloatMap:
    """The first beginning that ends without flaws, or else the one with the fewest."""
    local = float(np.median(period))
    rows, columns = np.indices(patch.shape, dtype=np.float32)
    squared = np.add((columns - x) ** 2, (rows - y) ** 2, dtype=np.float32)
    kernel = isotropic_filter(local)
    best, fewest = patch, np.inf
    for reach, bump in _BEGINNINGS:
        tried = _grown(patch + np.float32(bump) * np.exp(-squared / (2 * 4.0**2)), squared, reach, kernel)
        tidy = without_dots(without_stubs(tried, mask), mask)
        flaws = int(np.count_nonzero((tidy > 0) != (tried > 0))) + _blots(tidy, mask, squared, _WIDEST * local)
        if flaws < fewest:
            best, fewest = tidy, flaws
        if not flaws:
            break
    return best


def _grown(patch: FloatMap, squared: FloatMap, reach: float, kernel: FloatMap) -> FloatMap:
    near = np.exp(-squared / np.float32(2 * reach**2))
    for _ in range(_ROUNDS):
        response = cv2.filter2D(patch, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        patch = patch + near * (np.clip(GAIN * response, -1, 1) - patch)
    return patch


def _blots(ridges: FloatMap, mask: Mask, squared: FloatMap, widest: float) -> int:
    """Pixels near the point that lie deeper inside a ridge or a valley than any line's middle."""
    close = (squared < 26**2) & mask
    total = 0
    for phase in (ridges > 0, ridges <= 0):
        depth = cv2.distanceTransform(phase.astype(np.uint8), cv2.DIST_L2, 5)
        total += int(np.count_nonzero((depth > widest) & close))
    return total
