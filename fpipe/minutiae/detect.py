"""Minutiae from the enhanced picture: ends of thinned ridges (endings) and of thinned valleys (bifurcations)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from fpipe.core import jitcache
from fpipe.core.conventions import wrap_direction
from fpipe.core.params import Params
from fpipe.core.trace import Trace, no_trace
from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, FloatMap, Mask, Minutiae

jitcache.prepare()
from numba import njit  # noqa: E402

NEIGHBOURS = np.array([(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)], np.int64)
"""(row, column) steps around a pixel, counter-clockwise from the right."""


@dataclass(frozen=True, slots=True)
class LineEnds(Params):
    """Ends of the thinned ridges and of the thinned valleys: a fork of ridges is where the valley between them ends.

    So both types follow one rule each way.  An end is not a minutia where
    - it lies near the mask's border, where contact ends, not the ridge;
    - its line is shorter than a period or two: a spur of the thinning, an island, a pore, a hole;
    - another end of the same kind faces it: a broken ridge, or a bridge over a valley;
    - more than a handful lie around it: a smudge, not a pattern.
    Quality is the clarity of the ridges around the minutia, less towards the border, spread so that it is about the
    share, in percent, of the minutiae of that quality that a learned extractor finds in the same place.
    """

    border_px: float = 9.0  # px, to the mask's border
    line_px: float = 11.0  # px, shortest line that an end may have
    look_px: int = 15  # px of the line that give the direction
    gap_px: float = 9.0  # px, between two ends that face each other
    gap_rad: float = 0.6  # rad, how straight they must face each other
    crowd_px: float = 22.0  # px, around an end
    crowd: int = 6  # other ends there that make it one of a smudge
    deep_px: float = 20.0  # px from the border, up to which depth counts
    doubt: float = 0.43  # trust at which the quality is 0
    sure: float = 0.78  # trust at which the quality is 100
    least_quality: int = 25  # weaker ends are not stored
    most: int = 255  # minutiae kept, the best ones

    def __call__(self, enhanced: FloatMap, mask: Mask, clarity: FloatMap, trace: Trace = no_trace) -> Minutiae:
        """Detect.

        enhanced : (H, W) float32, ridges positive; mask : (H, W) bool; clarity : (H, W) float32, 0..1

        Returns the minutiae, sorted by y, then x.  Emits ``skeleton.ridges`` and ``skeleton.valleys`` (bool).
        """
        found = []
        for kind, side, name in ((KIND_ENDING, enhanced > 0, "ridges"), (KIND_BIFURCATION, enhanced < 0, "valleys")):
            lines = skeletonize(side & mask)  # type: ignore[no-untyped-call]
            trace(f"skeleton.{name}", lines)
            sign = np.float32(1 if kind == KIND_ENDING else -1)
            ends = _line_ends(lines, sign * enhanced, self.look_px, self.line_px)
            found.append(np.column_stack([ends, np.full(len(ends), kind)]))
        ends = np.concatenate(found)
        depth = self._depth(ends, mask)
        ends, depth = ends[depth >= self.border_px], depth[depth >= self.border_px]
        keep = ~_facing(ends, self.gap_px, self.gap_rad)
        ends, depth = ends[keep], depth[keep]
        keep = _crowding(ends, self.crowd_px) < self.crowd
        ends, depth = ends[keep], depth[keep]
        trust = _sample(clarity, ends) * np.sqrt(np.minimum(depth / self.deep_px, 1))
        return self._as_minutiae(ends, (trust - self.doubt) / (self.sure - self.doubt))

    def _depth(self, ends: NDArray[np.float64], mask: Mask) -> NDArray[np.float32]:
        """Distance to the mask's border, px."""
        padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)[1:-1, 1:-1]
        return _sample(depth, ends)

    def _as_minutiae(self, ends: NDArray[np.float64], trust: NDArray[np.float32]) -> Minutiae:
        quality = np.clip(np.rint(100 * trust), 1, 100).astype(np.uint8)
        rows = np.flatnonzero(quality >= self.least_quality)
        rows = rows[np.lexsort((ends[rows, 0], ends[rows, 1], -quality[rows].astype(np.int64)))][: self.most]
        rows = rows[np.lexsort((ends[rows, 0], ends[rows, 1]))]
        return Minutiae(
            x=ends[rows, 0].astype(np.float32),
            y=ends[rows, 1].astype(np.float32),
            direction=wrap_direction(ends[rows, 2].astype(np.float32)),
            kind=ends[rows, 3].astype(np.uint8),
            quality=quality[rows],
        )


def _sample(field: NDArray[np.float32], ends: NDArray[np.float64]) -> NDArray[np.float32]:
    rows = np.clip(np.rint(ends[:, 1]).astype(np.int64), 0, field.shape[0] - 1)
    columns = np.clip(np.rint(ends[:, 0]).astype(np.int64), 0, field.shape[1] - 1)
    return np.asarray(field[rows, columns], np.float32)


@njit(cache=True)
def _follow(lines, row, column, most, path):  # type: ignore[no-untyped-def]
    """Walk a line from its end; fills ``path`` and returns (steps, whether it met a fork)."""
    height, width = lines.shape
    path[0, 0], path[0, 1] = row, column
    before_r, before_c = -1, -1
    for step in range(1, most):
        count, next_r, next_c = 0, -1, -1
        for n in range(8):
            r, c = row + NEIGHBOURS[n, 0], column + NEIGHBOURS[n, 1]
            if not (0 <= r < height and 0 <= c < width) or not lines[r, c] or (r == before_r and c == before_c):
                continue
            if before_r >= 0 and abs(r - before_r) <= 1 and abs(c - before_c) <= 1:
                continue  # touches where the walk came from: the same corner, not a new line
            count += 1
            next_r, next_c = r, c
        if count == 0:
            return step, False
        if count > 1:
            first_r, first_c = -1, -1
            apart = False
            for n in range(8):
                r, c = row + NEIGHBOURS[n, 0], column + NEIGHBOURS[n, 1]
                if not (0 <= r < height and 0 <= c < width) or not lines[r, c]:
                    continue
                if abs(r - before_r) <= 1 and abs(c - before_c) <= 1:
                    continue
                if first_r >= 0 and max(abs(r - first_r), abs(c - first_c)) > 1:
                    apart = True
                first_r, first_c = r, c
            if apart:
                return step, True
        before_r, before_c = row, column
        row, column = next_r, next_c
        path[step, 0], path[step, 1] = row, column
    return most, False


@njit(cache=True)
def _height(height_map, x, y):  # type: ignore[no-untyped-def]
    """Bilinear; the border's value outside."""
    height, width = height_map.shape
    x, y = min(max(x, 0.0), width - 1.001), min(max(y, 0.0), height - 1.001)
    c, r = int(x), int(y)
    fx, fy = x - c, y - r
    top = height_map[r, c] * (1 - fx) + height_map[r, c + 1] * fx
    low = height_map[r + 1, c] * (1 - fx) + height_map[r + 1, c + 1] * fx
    return top * (1 - fy) + low * fy


@njit(cache=True)
def _tip(height_map, x, y, ux, uy):  # type: ignore[no-untyped-def]
    """Where the line through (x, y) ends; (ux, uy) is the unit step into it."""
    mid = _height(height_map, x, y)
    left, right = _height(height_map, x - 2 * uy, y + 2 * ux), _height(height_map, x + 2 * uy, y - 2 * ux)
    bend = left - 2 * mid + right
    if bend < 0:  # the top of the parabola through three places across the line
        aside = min(max((left - right) / bend, -0.5), 0.5)  # thinning is right to half a pixel
        x, y = x + aside * uy, y - aside * ux
    before = _height(height_map, x, y)
    for k in range(1, 17):
        value = _height(height_map, x - 0.5 * k * ux, y - 0.5 * k * uy)
        if value <= 0:
            out = 0.5 * (k - 1 + (before / (before - value) if before > 0 else 0.0))
            return x - out * ux, y - out * uy
        before = value
    return x, y


@njit(cache=True)
def _line_ends(lines, height_map, look, least):  # type: ignore[no-untyped-def]
    """(K, 3) float64 x, y, direction of the ends of lines that are long enough.

    The position is moved to the middle of the line and out of it to where ``height_map`` crosses zero, to a fraction
    of a pixel.
    """
    height, width = lines.shape
    found = []
    most = math.ceil(least) + look
    path = np.empty((most + 1, 2), np.int64)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if not lines[row, column]:
                continue
            changes, neighbours = 0, 0
            for n in range(8):
                here = lines[row + NEIGHBOURS[n, 0], column + NEIGHBOURS[n, 1]]
                after = lines[row + NEIGHBOURS[(n + 1) % 8, 0], column + NEIGHBOURS[(n + 1) % 8, 1]]
                neighbours += here
                changes += here != after
            if neighbours == 0 or changes > 2 or neighbours > 2:
                continue
            steps, _ = _follow(lines, row, column, most, path)
            if steps < least:
                continue
            far = min(steps - 1, look)
            dy, dx = float(path[far, 0] - row), float(path[far, 1] - column)
            norm = math.hypot(dx, dy)
            if norm < 0.5 * far:
                continue
            ux, uy = dx / norm, dy / norm
            x, y = _tip(height_map, float(column), float(row), ux, uy)
            found.append((x, y, math.atan2(-uy, ux)))
    out = np.empty((len(found), 3))
    for i in range(len(found)):
        out[i, 0], out[i, 1], out[i, 2] = found[i]
    return out


@njit(cache=True)
def _facing(ends, gap, straight):  # type: ignore[no-untyped-def]
    """(K,) bool: ends of the same kind that face each other over a gap."""
    out = np.zeros(len(ends), np.bool_)
    for i in range(len(ends)):
        for k in range(i):
            if ends[i, 3] != ends[k, 3]:
                continue
            dx, dy = ends[k, 0] - ends[i, 0], ends[k, 1] - ends[i, 1]
            if dx * dx + dy * dy > gap * gap:
                continue
            turn = ends[i, 2] - ends[k, 2] - math.pi
            turn -= 2 * math.pi * round(turn / (2 * math.pi))
            # each lies ahead of the other, away from its own line
            ahead = -(dx * math.cos(ends[i, 2]) - dy * math.sin(ends[i, 2]))
            if abs(turn) < straight and ahead > -2.0:
                out[i] = out[k] = True
    return out


@njit(cache=True)
def _crowding(ends, radius):  # type: ignore[no-untyped-def]
    """(K,) int64: other ends within the radius."""
    out = np.zeros(len(ends), np.int64)
    for i in range(len(ends)):
        for k in range(i):
            if (ends[i, 0] - ends[k, 0]) ** 2 + (ends[i, 1] - ends[k, 1]) ** 2 < radius * radius:
                out[i] += 1
                out[k] += 1
    return out
