"""How skin meets a surface: where the finger lies, how it is bent out of shape, what touches, and the truth of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.conventions import wrap_direction
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask, Minutiae
from fpipe.synth.fields import sampled, smooth_noise, texture
from fpipe.synth.flow import Pattern, SingularPoints
from fpipe.synth.master import Master

jitcache.prepare()
from numba import njit  # noqa: E402

_STEP = 8
"""The distortion is smooth: it is computed on every eighth pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A finger on a surface.

    x, y : (H, W) float32 px, the point of the master that each pixel shows
    relief : (H, W) float32, [-1, 1], the skin's height above each pixel
    contact : (H, W) float32, about 1 well inside the contact region, 0 on its edge, negative outside
    """

    master: Master
    x: FloatMap
    y: FloatMap
    relief: FloatMap
    contact: FloatMap

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.x.shape[0], self.x.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a picture shows, in the picture's own frame.

    pattern : class of the finger
    minutiae : inside the mask, sub-pixel, quality 100
    singular_points : inside the mask
    ridges : (H, W) uint8, 1 = ridge, of all skin that lies over the picture, touching or not
    orientation : (H, W) float32 rad, [0, pi); period : (H, W) float32 px; both NaN outside the mask
    mask : (H, W) bool, where the print is
    displacement : (2, H, W) float32 px: pixel (x, y) shows the master's point (x + [0], y + [1])
    """

    pattern: Pattern
    minutiae: Minutiae
    singular_points: SingularPoints
    ridges: NDArray[np.uint8]
    orientation: FloatMap
    period: FloatMap
    mask: Mask
    displacement: FloatMap


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture with its truth.

    picture : (H, W) uint8, 500 ppi
    conditions : what was done to it, by name: JSON-able numbers, words and flags
    """

    picture: GrayImage
    truth: Truth
    conditions: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Touch(Params):
    """Lay a finger down.

    height, width : of the picture, px at 500 ppi
    rotation_rad : standard deviation of the finger's turn; pi and more: any turn
    offset_px : standard deviation of its place
    reach_x_px, reach_y_px : half axes of the contact region, on average
    reach_sd : relative standard deviation of the axes
    squareness : exponent of the region's outline: 2 an ellipse, 6 nearly a rectangle, as of a rolled finger
    outline : how uneven the region's edge is
    shift_px, twist_rad : standard deviations of the finger's slide and turn after its middle has stuck
    wobble_px : standard deviation of small local displacements
    lift_px : standard deviation of the contact's centre, on the skin, from the pattern's
    scale : pixels of the picture for one of the master
    scale_sd : relative standard deviation of the scale: skin swells, stated resolutions are wrong
    strips_px : standard deviation of the errors of a swiped sensor, which sets a picture together from strips
    """

    height: int = 420
    width: int = 360
    rotation_rad: float = 0.15
    offset_px: float = 14.0
    reach_x_px: float = 128.0
    reach_y_px: float = 172.0
    reach_sd: float = 0.12
    squareness: float = 2.3
    outline: float = 0.06
    shift_px: float = 8.0
    twist_rad: float = 0.06
    wobble_px: float = 1.2
    lift_px: float = 22.0
    scale: float = 1.0
    scale_sd: float = 0.012
    strips_px: float = 0.0

    def __call__(self, master: Master, rng: np.random.Generator) -> Laid:
        """Where the finger lies and what of it touches."""
        angle = rng.uniform(-np.pi, np.pi) if self.rotation_rad >= np.pi else rng.normal(0, self.rotation_rad)
        place = np.array([0.5 * self.width, 0.5 * self.height]) + rng.normal(0, self.offset_px, 2)
        lift = np.array([master.centre[0], master.centre[1] + 0.06 * master.ridges.shape[0]])
        lift = lift + rng.normal(0, self.lift_px, 2)
        x, y = self._map(rng, angle, place, lift)
        relief = sampled(master.relief, x, y, cubic=True, outside=-1)
        axes = np.array([self.reach_x_px, self.reach_y_px]) * np.clip(rng.normal(1, self.reach_sd, 2), 0.6, 1.5)
        reach = np.abs((x - np.float32(lift[0])) / np.float32(axes[0])) ** np.float32(self.squareness)
        reach += np.abs((y - np.float32(lift[1])) / np.float32(axes[1])) ** np.float32(self.squareness + 0.3)
        shape = (self.height, self.width)
        contact = 1 - reach + np.float32(self.outline) * texture(rng, shape, 110, 20)
        on_skin = sampled(master.touchable, x, y, outside=0)
        return Laid(master, x, y, relief, np.minimum(contact, on_skin * 4 - 2).astype(np.float32))

    def _map(
        self, rng: np.random.Generator, angle: float, place: NDArray[np.float64], lift: NDArray[np.float64]
    ) -> tuple[FloatMap, FloatMap]:
        """The master's point under each pixel.

        Skin that sticks in the middle of the contact and gives way around it: Cappelli, Maio and Maltoni 2001.
        """
        rows, columns = -(-self.height // _STEP) + 2, -(-self.width // _STEP) + 2
        # nodes lie where cv2.resize takes them to lie, with one more on every side
        nodes_x, nodes_y = np.meshgrid(
            _STEP * (np.arange(columns) - 1) + (_STEP - 1) / 2, _STEP * (np.arange(rows) - 1) + (_STEP - 1) / 2
        )
        scale = self.scale * float(np.clip(rng.normal(1, self.scale_sd), 0.72, 1.38))
        u, v = (nodes_x - place[0]) / scale, (nodes_y - place[1]) / scale
        u, v = np.cos(angle) * u - np.sin(angle) * v, np.sin(angle) * u + np.cos(angle) * v
        stuck_x, stuck_y = rng.uniform(45, 75), rng.uniform(55, 95)
        slide_x, slide_y = rng.normal(0, self.shift_px, 2)
        turn = rng.normal(0, self.twist_rad)
        beyond = np.hypot(u / stuck_x, v / stuck_y) - 1
        brake = np.where(beyond <= 0, 0, (1 - np.cos(np.pi * np.clip(beyond / 1.5, 0, 1))) / 2)
        moved_x = np.cos(turn) * u - np.sin(turn) * v + slide_x - u
        moved_y = np.sin(turn) * u + np.cos(turn) * v + slide_y - v
        wobble = [self.wobble_px * smooth_noise(rng, (rows, columns), 70 / _STEP) for _ in range(2)]
        x, y = u + lift[0] + brake * moved_x + wobble[0], v + lift[1] + brake * moved_y + wobble[1]
        if self.strips_px > 0:
            slip = np.cumsum(rng.normal(0, self.strips_px, (rows, 2)), 0)[:, None]
            x, y = x + 0.4 * slip[..., 0], y + slip[..., 1]
        return self._fine(x), self._fine(y)

    def _fine(self, coarse: NDArray[np.float64]) -> FloatMap:
        """Between the nodes: linear, then smooth.  (OpenCV's cubic resizing does not keep a straight line straight.)"""
        size = (coarse.shape[1] * _STEP, coarse.shape[0] * _STEP)
        fine = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        smooth = cv2.blur(fine, (_STEP + 1, _STEP + 1))
        return smooth[_STEP : _STEP + self.height, _STEP : _STEP + self.width].astype(np.float32)


def truth_of(laid: Laid, mask: Mask) -> Truth:
    """The master's truth carried into the picture.

    mask : (H, W) bool, where the print can be seen
    """
    master, x, y = laid.master, laid.x, laid.y
    visible = mask & (laid.contact > 0)  # contact is on skin alone
    clean = sampled(master.ridges, x, y, cubic=True, outside=0)
    orientation, period = _carried_field(x, y, master.doubled, master.period, visible)
    displacement = np.empty((2, *x.shape), np.float32)
    np.subtract(x, np.arange(x.shape[1], dtype=np.float32), out=displacement[0])
    np.subtract(y, np.arange(x.shape[0], dtype=np.float32)[:, None], out=displacement[1])
    m, s = master.minutiae, master.singular_points
    carried = _carried_points(
        laid, np.append(m.x, s.x), np.append(m.y, s.y), np.append(m.direction, s.direction)
    )  # at once: it is the calls that take the time
    (px, sx), (py, sy), (turned, pointed) = (np.split(values, [len(m)]) for values in carried)
    inside = _within(px, py, visible)
    return Truth(
        pattern=master.pattern,
        minutiae=Minutiae(px, py, turned, m.kind, m.quality).take(inside),
        singular_points=SingularPoints(sx, sy, s.kind, pointed).take(_within(sx, sy, visible)),
        ridges=(clean > 0.01).astype(np.uint8),
        orientation=orientation,
        period=period,
        mask=visible,
        displacement=displacement,
    )


@njit(cache=True)
def _carried_field(x: Any, y: Any, doubled: Any, period: Any, mask: Any) -> Any:  # pragma: no cover
    """Orientation and ridge period in the picture; NaN outside the mask.

    x, y, doubled, period : as in Laid and Master
    A step e along a ridge of the picture is a step J e along that of the master: e = adj(J) d, and its length is the
    factor by which ridges lie closer in the picture.
    """
    height, width = x.shape
    rows, columns = doubled.shape[0], doubled.shape[1]
    orientation = np.full((height, width), np.nan, np.float32)
    spacing = np.full((height, width), np.nan, np.float32)
    for row in range(height):
        up, down = max(row - 1, 0), min(row + 1, height - 1)
        for column in range(width):
            if not mask[row, column]:
                continue
            left, right = max(column - 1, 0), min(column + 1, width - 1)
            x_row = (x[down, column] - x[up, column]) / (down - up)
            y_row = (y[down, column] - y[up, column]) / (down - up)
            x_column = (x[row, right] - x[row, left]) / (right - left)
            y_column = (y[row, right] - y[row, left]) / (right - left)
            at_x = min(max(x[row, column], 0.0), columns - 1.001)
            at_y = min(max(y[row, column], 0.0), rows - 1.001)
            i, k = int(at_y), int(at_x)
            a, b = at_x - k, at_y - i
            cos = (1 - b) * ((1 - a) * doubled[i, k, 0] + a * doubled[i, k + 1, 0]) + b * (
                (1 - a) * doubled[i + 1, k, 0] + a * doubled[i + 1, k + 1, 0]
            )
            sin = (1 - b) * ((1 - a) * doubled[i, k, 1] + a * doubled[i, k + 1, 1]) + b * (
                (1 - a) * doubled[i + 1, k, 1] + a * doubled[i + 1, k + 1, 1]
            )
            # half the angle without trigonometry, which is what takes the time
            cos = min(max(cos / math.sqrt(cos * cos + sin * sin + 1e-12), -1.0), 1.0)
            dx = math.sqrt((1 + cos) / 2)
            dy = -math.sqrt((1 - cos) / 2) if sin >= 0 else math.sqrt((1 - cos) / 2)
            along_x, along_y = y_row * dx - x_row * dy, x_column * dy - y_column * dx
            angle = np.float32(math.atan2(np.float32(-along_y), np.float32(along_x)))
            if angle < 0:
                angle += np.float32(math.pi)
            orientation[row, column] = angle if angle < np.float32(math.pi) else np.float32(0)
            here = (1 - b) * ((1 - a) * period[i, k] + a * period[i, k + 1]) + b * (
                (1 - a) * period[i + 1, k] + a * period[i + 1, k + 1]
            )
            spacing[row, column] = here / math.sqrt(along_x * along_x + along_y * along_y)
    return orientation, spacing


Points = NDArray[np.float32]


def _carried_points(laid: Laid, x: Points, y: Points, direction: Points) -> tuple[Points, Points, Points]:
    """Points of the master in the picture (NaN where they are not over it), and their directions there."""
    if not len(x):
        return x, y, direction
    # the nearest of every sixteenth pixel, then Newton's steps on the map
    grid_x, grid_y = laid.x[::16, ::16], laid.y[::16, ::16]
    apart = (grid_x.ravel()[None] - x[:, None]) ** 2 + (grid_y.ravel()[None] - y[:, None]) ** 2
    nearest = np.argmin(apart, 1)
    column = 16.0 * (nearest % grid_x.shape[1])
    row = 16.0 * (nearest // grid_x.shape[1])
    height, width = laid.shape
    jacobian = np.zeros((4, len(x)))
    for _ in range(4):
        at_x, at_y, jacobian = _at(laid, column, row)
        determinant = jacobian[0] * jacobian[3] - jacobian[1] * jacobian[2]
        off_x, off_y = x - at_x, y - at_y
        column = np.clip(column + (jacobian[3] * off_x - jacobian[1] * off_y) / determinant, 0, width - 1)
        row = np.clip(row + (jacobian[0] * off_y - jacobian[2] * off_x) / determinant, 0, height - 1)
    at_x, at_y, jacobian = _at(laid, column, row)
    missed = np.hypot(at_x - x, at_y - y) > 0.05
    dx, dy = np.cos(direction), -np.sin(direction)
    turned = np.arctan2(-(jacobian[0] * dy - jacobian[2] * dx), jacobian[3] * dx - jacobian[1] * dy)
    column[missed], row[missed] = np.nan, np.nan
    return column.astype(np.float32), row.astype(np.float32), wrap_direction(turned.astype(np.float32))


def _at(
    laid: Laid, column: NDArray[np.float64], row: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The maps at points between pixels, and their slopes there: dx/dcolumn, dx/drow, dy/dcolumn, dy/drow."""
    c0 = np.clip(np.floor(column).astype(int), 0, laid.shape[1] - 2)
    r0 = np.clip(np.floor(row).astype(int), 0, laid.shape[0] - 2)
    a, b = column - c0, row - r0
    values, slopes = [], []
    for field in (laid.x, laid.y):
        f00, f01 = field[r0, c0].astype(np.float64), field[r0, c0 + 1].astype(np.float64)
        f10, f11 = field[r0 + 1, c0].astype(np.float64), field[r0 + 1, c0 + 1].astype(np.float64)
        values.append((1 - b) * ((1 - a) * f00 + a * f01) + b * ((1 - a) * f10 + a * f11))
        slopes += [(1 - b) * (f01 - f00) + b * (f11 - f10), (1 - a) * (f10 - f00) + a * (f11 - f01)]
    return values[0], values[1], np.array(slopes)


def _within(x: Points, y: Points, mask: Mask) -> NDArray[np.bool_]:
    """Whether points lie on the mask."""
    known = np.isfinite(x)
    inside = np.zeros(len(x), bool)
    columns, rows = np.rint(x[known]).astype(int), np.rint(y[known]).astype(int)
    inside[known] = mask[rows, columns]
    return inside
