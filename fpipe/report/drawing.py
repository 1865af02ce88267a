"""Prints with their minutiae as vector drawings over the picture: geometry only, the template turns it into SVG.

Everything is in pixels of the picture at 500 ppi, so that a number in the report can be found in the drawing.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fpipe.core.conventions import CELL_PX, PPI, direction_vector
from fpipe.core.types import KIND_NAMES, FloatMap, GrayImage, Template

MARGIN_PX = 30
"""Round the print where a drawing is cut to it."""
REFERENCE_PX = 340
"""Marks keep their size on paper: they are drawn for a picture of this width and scaled for others."""
PAPER, PRINT_AREA = 255, 240
"""Gray levels of blank paper and of the print's area on it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One minutia: its place, the end of its direction stroke, its type's name and, where it is paired, its number.

    examiner : a person marked it
    """

    x: float
    y: float
    tip_x: float
    tip_y: float
    kind: str
    number: int | None = None
    label_x: float = 0.0
    label_y: float = 0.0
    examiner: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with marks.

    picture : id of the picture in the gallery of pictures
    left, top, width, height : of the part that is shown, px
    full_width, full_height : of the whole picture, px
    unit : size of a mark's stroke, px; grows with the part shown
    bar_px, bar_mm : the scale bar
    numbered : whether marks with a number stand out from those without
    """

    picture: str
    left: float
    top: float
    width: float
    height: float
    full_width: int
    full_height: int
    unit: float
    bar_px: float
    bar_mm: int
    marks: tuple[Mark, ...] = ()
    numbered: bool = False

    @property
    def cut(self) -> bool:
        """Whether it shows less than the whole picture."""
        return self.width < self.full_width or self.height < self.full_height


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as data: URI."""

    uri: str
    width: int
    height: int


@dataclass(slots=True)
class Pictures:
    """The pictures of one report by id, each kept once however often it is drawn."""

    stored: dict[str, Stored] = field(default_factory=dict)

    def add(self, pixels: GrayImage) -> str:
        """Keep a (H, W) uint8 picture as lossless PNG; returns its id."""
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
        data = stream.getvalue()
        name = f"picture-{hashlib.sha256(data).hexdigest()[:16]}"
        uri = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        self.stored[name] = Stored(uri, pixels.shape[1], pixels.shape[0])
        return name


def whole(picture: str, pixels: GrayImage, ppi: float) -> Figure:
    """A picture without marks, with the scale bar of its own resolution."""
    height, width = pixels.shape
    bar_px, bar_mm = _bar(width, ppi)
    return Figure(picture, 0, 0, width, height, width, height, width / REFERENCE_PX, bar_px, bar_mm)


NOBODY = np.zeros(0, np.bool_)
"""No minutia is an examiner's."""


def marked(picture: str, template: Template, examiner: NDArray[np.bool_] = NOBODY) -> Figure:
    """A print at 500 ppi with its minutiae, but the weak ones, cut to the print.

    examiner : (N,) bool, the minutiae that a person marked; empty for none
    """
    return _framed(picture, template, _region(template), {}, examiner, numbered=False)


def side_by_side(
    probe: tuple[str, Template],
    gallery: tuple[str, Template],
    pairs: NDArray[np.int32],
    examiner: NDArray[np.bool_] = NOBODY,
) -> tuple[Figure, Figure]:
    """Two prints at the same scale, each cut to its print, pair i numbered i + 1 on both; of weak minutiae the paired.

    examiner : of the probe's minutiae, as in ``marked``
    """
    regions = _region(probe[1]), _region(gallery[1])
    width = max(right - left for left, _, right, _ in regions)
    height = max(bottom - top for _, top, _, bottom in regions)
    drawn = []
    for column, ((picture, template), (left, top, right, bottom)) in enumerate(
        zip((probe, gallery), regions, strict=True)
    ):
        x = _inside((left + right - width) / 2, width, template.width)
        y = _inside((top + bottom - height) / 2, height, template.height)
        numbers = {int(row): number for number, row in enumerate(pairs[:, column], 1)}
        whose = NOBODY if column else examiner
        drawn.append(_framed(picture, template, (x, y, x + width, y + height), numbers, whose, numbered=True))
    return drawn[0], drawn[1]


def _inside(start: float, length: float, full: float) -> float:
    """Where a frame starts that shows as much of the picture as it can."""
    return min(max(start, 0), full - length) if length <= full else (full - length) / 2


def _framed(
    picture: str,
    template: Template,
    frame: tuple[float, float, float, float],
    numbers: Mapping[int, int],
    examiner: NDArray[np.bool_],
    *,
    numbered: bool,
) -> Figure:
    left, top, right, bottom = frame
    width, height = right - left, bottom - top
    unit = max(width / REFERENCE_PX, 0.55)
    bar_px, bar_mm = _bar(width, PPI)
    marks = _marks(template, numbers, examiner, unit, frame)
    full = (template.width, template.height)
    return Figure(picture, left, top, width, height, *full, unit, bar_px, bar_mm, marks, numbered)


def to_gray(enhanced: FloatMap) -> GrayImage:
    """An enhanced picture, -1 valley .. 1 ridge, as `fpipe enhance` shows it: ridges dark, unknown mid-gray."""
    gray: GrayImage = np.rint(np.clip(127.5 - 127.5 * np.nan_to_num(enhanced), 0, 255)).astype(np.uint8)
    return gray


def blank(template: Template) -> GrayImage:
    """Paper in place of a missing picture, with the print's area in pale gray: (height, width) uint8."""
    paper = np.full((template.height, template.width), PAPER, np.uint8)
    if template.mask is not None:
        area = np.kron(template.mask, np.ones((CELL_PX, CELL_PX), np.bool_))
        paper[area[: template.height, : template.width]] = PRINT_AREA
    return paper


def _bar(width_px: float, ppi: float) -> tuple[float, int]:
    """A scale bar of about a quarter of the width: its length in px and in mm."""
    mm = max((step for step in (1, 2, 5, 10, 20, 50) if step * ppi / 25.4 <= 0.35 * width_px), default=1)
    return mm * ppi / 25.4, mm


def _region(template: Template) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the print with a margin, inside the picture."""
    m = template.minutiae
    xs, ys = [np.asarray(m.x, np.float64)], [np.asarray(m.y, np.float64)]
    if template.mask is not None and template.mask.any():
        rows, columns = np.nonzero(template.mask)
        xs.append(np.array([columns.min(), columns.max() + 1]) * float(CELL_PX))
        ys.append(np.array([rows.min(), rows.max() + 1]) * float(CELL_PX))
    x, y = np.concatenate(xs), np.concatenate(ys)
    if len(x) == 0:
        return 0, 0, template.width, template.height
    return (
        max(0, math.floor(x.min() - MARGIN_PX)),
        max(0, math.floor(y.min() - MARGIN_PX)),
        min(template.width, math.ceil(x.max() + MARGIN_PX)),
        min(template.height, math.ceil(y.max() + MARGIN_PX)),
    )


def _marks(
    template: Template,
    numbers: Mapping[int, int],
    examiner: NDArray[np.bool_],
    unit: float,
    frame: tuple[float, float, float, float],
) -> tuple[Mark, ...]:
    m = template.every
    step_x, step_y = direction_vector(m.direction)
    tips = np.column_stack([m.x + 10 * unit * step_x, m.y + 10 * unit * step_y]).astype(np.float64)
    points = np.column_stack([m.x, m.y]).astype(np.float64)
    paired = sorted(numbers, key=lambda row: numbers[row])
    labels = dict(zip(paired, _labels(points, tips, paired, unit, frame), strict=True))
    places = np.round(np.column_stack([points, tips]), 1).tolist()
    marked_by = set(np.flatnonzero(examiner).tolist())
    return tuple(
        Mark(
            *(x, y, tip_x, tip_y, KIND_NAMES[int(m.kind[row])], numbers.get(row)),
            *labels.get(row, (0.0, 0.0)),
            examiner=row in marked_by,
        )
        for row, (x, y, tip_x, tip_y) in enumerate(places)
        if row < len(template.minutiae) or row in numbers
    )


def _labels(
    points: NDArray[np.float64],
    tips: NDArray[np.float64],
    paired: list[int],
    unit: float,
    frame: tuple[float, float, float, float],
) -> list[tuple[float, float]]:
    """Where each number is written: beside its minutia, where it hides the fewest other marks and numbers.

    Greedy in the order of the numbers; each takes the best of 16 places round its minutia.
    """
    taken = np.concatenate([points[paired], tips[paired]]) if paired else np.zeros((0, 2))
    angles = np.arange(16) * (np.pi / 8)
    left, top, right, bottom = frame
    placed: list[tuple[float, float]] = []
    for row in paired:
        others = np.concatenate([taken, np.asarray(placed, np.float64).reshape(-1, 2)])
        best, best_cost = (0.0, 0.0), math.inf
        for distance in (11.0, 15.0):
            for x, y in points[row] + unit * distance * np.column_stack([np.cos(angles), np.sin(angles)]):
                gap = np.hypot((others[:, 0] - x) / 1.25, others[:, 1] - y) / unit
                cost = float(np.sum(np.clip(13 - gap, 0, None) ** 2)) + 2 * distance
                if not (left + 8 * unit < x < right - 8 * unit and top + 6 * unit < y < bottom - 6 * unit):
                    cost += 1e4
                if cost < best_cost - 1e-9:
                    best, best_cost = (round(float(x), 1), round(float(y), 1)), cost
        placed.append(best)
    return placed
