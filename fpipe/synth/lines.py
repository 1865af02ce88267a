"""Minutiae of clean ridges, exact to a fraction of a pixel: the ends of the thinned ridges and of the thinned valleys.

Only what nobody pressed, blurred or scanned is read here, so the reading can be simple, and it is the truth.
A ridge's end is a ridge ending, a valley's end a bifurcation: the same reading on the negative swaps the two.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import skimage.morphology
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fpipe.core import jitcache
from fpipe.core.conventions import wrap_direction
from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, FloatMap, Mask, Minutiae
from fpipe.synth.fields import sampled

jitcache.prepare()
from numba import njit  # noqa: E402

TRACE_PX = 11
"""Length of line that gives a minutia its direction."""
_HAIR_PX = 4
"""Thinning splits the ends of broad lines into hairs no longer than this."""
_SPUR_PX = 7
"""A thinned line that meets another within so many pixels of its end is a flaw of the thinning."""
_FORK_PX = 11.0
"""A valley's end and the fork of the ridges around it are no further apart."""
_STUB_PX = 14
"""A line that ends within so many pixels of a fork: a period and a half."""
_FIRM = 0.5
"""Height, of 1, that the middle of every line is to have, so that resampling keeps it whole."""
BORDER_PX = 7
"""Within this of the skin's border a line ends because the skin does."""


def minutiae_of(ridges: FloatMap, period: FloatMap, mask: Mask) -> Minutiae:
    """Minutiae of clean ridges.

    ridges : (H, W) float32, positive on ridges, smooth across their edges
    period : (H, W) float32, px
    mask : (H, W) bool, where there is skin
    Returns endings, then bifurcations, each by row and column; quality 100.
    """
    inner = _inside(mask)
    thinned = _thinned((ridges > 0) & mask)
    ends = _placed(ridges, period, _line_ends(thinned, inner, TRACE_PX, _SPUR_PX))
    valley_ends = _line_ends(_thinned((ridges <= 0) & mask), inner, TRACE_PX, _SPUR_PX)
    forks = _reconciled(_placed(-ridges, period, valley_ends), _forks(thinned, inner, _SPUR_PX))
    points = np.concatenate([ends, forks]).astype(np.float32)
    kinds = np.repeat(np.array([KIND_ENDING, KIND_BIFURCATION], np.uint8), [len(ends), len(forks)])
    return Minutiae(points[:, 0], points[:, 1], wrap_direction(points[:, 2]), kinds, np.full(len(kinds), 100, np.uint8))


def _reconciled(valleys: NDArray[np.float64], forks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Valleys that end where a ridge forks, and forks without a valley's end.

    A valley that ends inside the innermost recurving ridge of a loop is no minutia, and a ridge that forks in three
    equal parts at a delta encloses no valley's end.  A bifurcation lies midway between the fork of the thinned ridge
    and the end of the thinned valley, which readers place apart by a quarter of a period and more.
    """
    if not len(forks):
        return forks
    if not len(valleys):
        return forks
    apart = np.hypot(valleys[:, None, 0] - forks[None, :, 0], valleys[:, None, 1] - forks[None, :, 1])
    rows, columns = linear_sum_assignment(np.where(apart <= _FORK_PX, apart, 1e3))
    near = apart[rows, columns] <= _FORK_PX
    alone = np.setdiff1d(np.arange(len(forks)), columns[near])
    middle = valleys[rows[near]]
    middle[:, :2] = (middle[:, :2] + forks[columns[near], :2]) / 2
    return np.concatenate([middle, forks[alone]])


def without_stubs(ridges: FloatMap, mask: Mask) -> FloatMap:
    """Ridges without the stubs, ridge or valley, that leave a fork and end within a period and a half.

    They grow at cores and deltas, where the filters disagree, and readers disagree whether they are minutiae.
    """
    out, inner = ridges.copy(), _inside(mask)
    for sign in (1, -1):
        thinned = _thinned((sign * out > 0) & mask)
        stubs = np.zeros(out.shape, np.uint8)
        for path in _stubs(thinned, inner, _STUB_PX):
            cv2.polylines(stubs, [path[:, ::-1].astype(np.int32)], False, 1, 7)
        out[(stubs > 0) & mask & (sign * out > 0)] = -0.6 * sign
    return out


def firm_lines(ridges: FloatMap, mask: Mask) -> FloatMap:
    """Ridges whose lines are all well above zero in the middle: resampling breaks none and joins no two."""
    out = ridges.copy()
    for sign in (-1, 1, 1):  # ridges last: where a ridge turns sharply around a valley's end, the ridge is to hold
        weak = _thinned((sign * out > 0) & mask) & (sign * out < _FIRM)
        if weak.any():
            out += sign * np.float32(2 * _FIRM) * cv2.GaussianBlur(weak.astype(np.float32), (0, 0), 1.2) * 3
    return np.clip(out, -1, 1)


def _stubs(thinned: NDArray[np.bool_], inner: Mask, longest: int) -> list[NDArray[np.int64]]:
    """Paths (row, column) of lines that end and fork within ``longest`` steps, without the fork's surroundings."""
    paths, lengths = _stub_paths(thinned, inner, longest)
    return [path[: max(1, n - 2)] for path, n in zip(paths, lengths, strict=True)]


def _thinned(phase: Mask) -> Mask:
    """The middle lines, one pixel wide, without the hairs that thinning leaves."""
    lines: Mask = skimage.morphology.skeletonize(phase)  # type: ignore[no-untyped-call]
    _shave(lines, _HAIR_PX)
    return lines


def _inside(mask: Mask) -> Mask:
    """The mask without ``BORDER_PX`` of border; the picture's edge is a border too."""
    bordered = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(bordered, cv2.DIST_L2, 5)[1:-1, 1:-1]
    inside: Mask = distance > BORDER_PX
    return inside


_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


@njit(cache=True)
def _branches(thinned: Any, row: int, column: int) -> Any:  # pragma: no cover
    """Crossing number: 1 at a line's end, 2 along it, 3 and more at a fork.  Neighbours in touch count once."""
    changes = 0
    for k in range(8):
        here = thinned[row + _AROUND[k][0], column + _AROUND[k][1]]
        after = thinned[row + _AROUND[(k + 1) % 8][0], column + _AROUND[(k + 1) % 8][1]]
        changes += int(here != after)
    return changes // 2


@njit(cache=True)
def _passed(path: Any, first: int, last: int, row: int, column: int) -> Any:  # pragma: no cover
    passed = False
    for i in range(first, last):
        passed = passed or (path[i, 0] == row and path[i, 1] == column)
    return passed


@njit(cache=True)
def _walk(thinned: Any, path: Any, known: int, limit: int) -> Any:  # pragma: no cover
    """Follow a thinned line from ``path[known]`` on, away from ``path[known - 1]``.

    Returns the last index of the path and the number of ways to go on from there: 0 a line's end, 2 or more a fork.
    """
    height, width = thinned.shape
    steps = known
    while steps < limit:
        y, x = path[steps]
        next_y, next_x, onward = -1, -1, 0
        # straight neighbours first: at a corner of the line the diagonal one comes after
        for turn in range(2):
            for k in range(turn, 8, 2):
                b, a = y + _AROUND[k][0], x + _AROUND[k][1]
                if b < 0 or a < 0 or b >= height or a >= width or not thinned[b, a]:
                    continue
                if _passed(path, max(steps - 2, 0), steps, b, a):
                    continue
                if onward > 0 and max(abs(b - next_y), abs(a - next_x)) <= 1:
                    continue
                onward += 1
                if onward == 1:
                    next_y, next_x = b, a
        if onward != 1:
            return steps, onward
        steps += 1
        path[steps, 0], path[steps, 1] = next_y, next_x
    return steps, 1


@njit(cache=True)
def _shave(thinned: Any, longest: int) -> None:  # pragma: no cover
    """Erase lines that end and fork within ``longest`` steps, the shortest first; in place.

    A line whose end thinning split in two so keeps one of them.
    """
    height, width = thinned.shape
    path = np.zeros((longest + 1, 2), np.int64)
    for length in range(1, longest + 1):
        for row in range(1, height - 1):
            for column in range(1, width - 1):
                if not thinned[row, column] or _branches(thinned, row, column) != 1:
                    continue
                path[0, 0], path[0, 1] = row, column
                steps, onward = _walk(thinned, path, 0, longest)
                if onward >= 2 and steps <= length:
                    for i in range(steps):
                        thinned[path[i, 0], path[i, 1]] = False


@njit(cache=True)
def _line_ends(thinned: Any, inner: Any, trace: int, spur: int) -> Any:  # pragma: no cover
    """(N, 4) float64: x, y of line ends and of the line's point ``trace`` steps further in."""
    height, width = thinned.shape
    out = np.zeros((height * width // 16, 4))
    found = 0
    path = np.zeros((trace + 1, 2), np.int64)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if not thinned[row, column] or not inner[row, column]:
                continue
            if _branches(thinned, row, column) != 1:
                continue
            path[0, 0], path[0, 1] = row, column
            steps, onward = _walk(thinned, path, 0, trace)
            if (onward == 1 or steps > spur) and found < len(out):
                out[found] = (column, row, path[steps, 1], path[steps, 0])
                found += 1
    return out[:found]


@njit(cache=True)
def _stub_paths(thinned: Any, inner: Any, longest: int) -> Any:  # pragma: no cover
    """(N, longest + 1, 2) int64 paths from line ends, (N,) steps to the fork that each meets."""
    height, width = thinned.shape
    paths = np.zeros((height * width // 256 + 1, longest + 1, 2), np.int64)
    lengths = np.zeros(len(paths), np.int64)
    found = 0
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if not thinned[row, column] or not inner[row, column] or found >= len(paths):
                continue
            if _branches(thinned, row, column) != 1:
                continue
            path = paths[found]
            path[0, 0], path[0, 1] = row, column
            steps, onward = _walk(thinned, path, 0, longest)
            if onward >= 2:
                lengths[found] = steps
                found += 1
    return paths[:found], lengths[:found]


@njit(cache=True)
def _forks(thinned: Any, inner: Any, spur: int) -> Any:  # pragma: no cover
    """(N, 3) float64: x, y and direction of ridge forks; the direction halves the narrowest of the three angles."""
    height, width = thinned.shape
    out = np.zeros((height * width // 16, 3))
    found = 0
    path = np.zeros((spur + 2, 2), np.int64)
    angles = np.zeros(8)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if not thinned[row, column] or not inner[row, column]:
                continue
            if _branches(thinned, row, column) < 3:
                continue
            branches, spurs = 0, 0
            for k in range(8):
                dy, dx = _AROUND[k]
                before = _AROUND[(k + 7) % 8]
                if not thinned[row + dy, column + dx] or thinned[row + before[0], column + before[1]]:
                    continue
                path[0, 0], path[0, 1] = row, column
                path[1, 0], path[1, 1] = row + dy, column + dx
                steps, onward = _walk(thinned, path, 1, spur + 1)
                if onward == 0 and steps <= spur:
                    spurs += 1
                else:
                    angles[branches] = np.arctan2(-(path[steps, 0] - row), path[steps, 1] - column)
                    branches += 1
            if branches < 3 or found >= len(out):
                continue
            near = False  # a junction of the thinned lines may count several pixels
            for i in range(found):
                near = near or (abs(out[i, 0] - column) <= 3 and abs(out[i, 1] - row) <= 3)
            if near:
                continue
            ordered = np.sort(angles[:branches])
            narrowest, direction = 7.0, 0.0
            for i in range(branches):
                gap = (ordered[(i + 1) % branches] - ordered[i]) % (2 * np.pi)
                if gap < narrowest:
                    narrowest, direction = gap, ordered[i] + gap / 2
            out[found, 0], out[found, 1], out[found, 2] = column, row, direction
            found += 1
    return out[:found]


def _placed(phase: FloatMap, period: FloatMap, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) x, y, direction: a quarter of a period inside the tip, in the middle of the line.

    The tip is where the line's phase ends: thinning eats up to ten pixels of lines along the diagonals.
    """
    if not len(ends):
        return np.zeros((0, 3))
    x, y = ends[:, 0], ends[:, 1]
    direction = np.arctan2(-(ends[:, 3] - y), ends[:, 2] - x)
    along = np.column_stack([np.cos(direction), -np.sin(direction)])
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    quarter = period[y.astype(int), x.astype(int)] / 4
    steps = np.arange(0, 16.01, 0.25)
    outward = _sampled(phase, x[:, None] - along[:, :1] * steps, y[:, None] - along[:, 1:] * steps)
    beyond = outward <= 0
    tip = np.where(beyond.any(1), steps[np.argmax(beyond, 1)], 0.0)
    shift = quarter - tip
    x, y = x + along[:, 0] * shift, y + along[:, 1] * shift
    aside = np.arange(-3, 3.01, 0.5)
    across = np.maximum(_sampled(phase, x[:, None] + normal[:, :1] * aside, y[:, None] + normal[:, 1:] * aside), 0)
    total = across.sum(1)
    middle = np.where(total > 0, (across * aside).sum(1) / np.where(total > 0, total, 1), 0)
    x, y = x + normal[:, 0] * middle, y + normal[:, 1] * middle
    return np.column_stack([x, y, np.arctan2(-(ends[:, 3] - y), ends[:, 2] - x)])


def _sampled(field: FloatMap, x: NDArray[np.float64], y: NDArray[np.float64]) -> FloatMap:
    return sampled(field, x.astype(np.float32), y.astype(np.float32))
