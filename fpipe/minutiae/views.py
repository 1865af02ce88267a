"""What a template file of another maker says, in its own pixels, and how that becomes a template of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import PPI, wrap_direction
from fpipe.core.errors import BadTemplate, UnknownResolution
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae.blob import MOST_PX

CM_PER_INCH = 2.54
NOT_REPORTED = 254
"""A quality in records since 2009 that says nothing; 255 is an attempt that failed."""
MOST_FINGER = 10
LEAST_PER_CM = 99
"""ISO/IEC 19794-2 asks for 250 ppi or more."""
CONTACTLESS, CONTACTLESS_2004 = 24, 9
"""Impression type of a contactless capture since 2009, and before: there 9 became a vertical roll."""
_HALF_STEP_PPI = CM_PER_INCH / 2  # files hold whole pixels a centimetre: 500 ppi becomes 197, read back as 500.38


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One finger view as the file states it.

    finger : position, 0 = unknown, 1..10 as in ISO/IEC 19794-2
    width, height : of the picture, the file's own px; None where the format does not say it
    ppi_x, ppi_y : None where not stated
    x, y : (N,) float64, the file's own px, origin at the top left
    direction : (N,) float64 rad, [0, 2 pi)
    kind, quality : (N,) uint8, as in the file (a quality over 100 means "not reported")
    impression : code of the impression type, as since 2009; finger_quality : 0..100, None where not stated
    unreported : the quality by which the format says "not reported": 0, or 254 since 2009
    extended : bytes of extended data (ridge counts, cores, deltas, makers' own), which are not read
    """

    finger: int
    width: int | None
    height: int | None
    ppi_x: float | None
    ppi_y: float | None
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    direction: NDArray[np.float64]
    kind: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    impression: int = 0
    finger_quality: int | None = None
    unreported: int = 0
    extended: int = 0

    def reported(self) -> NDArray[np.uint8]:
        """(N,) uint8, the qualities in our convention: 1..100, 0 = not reported."""
        known = (self.quality != self.unreported) & (self.quality <= 100)
        return np.where(known, np.maximum(self.quality, 1), 0).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A template file's views, and what a person should know about it."""

    format: str
    views: tuple[View, ...]
    notices: tuple[str, ...] = ()


class Bytes:
    """Big-endian fields one after the other; running out of bytes is an error that says where."""

    def __init__(self, data: bytes, where: str, format: str) -> None:
        self.data, self.where, self.format, self.at = data, where, format, 0
        self.notices: list[str] = []

    def take(self, count: int, what: str) -> bytes:
        """The next bytes."""
        left = len(self.data) - self.at
        if count > left:
            raise self.bad(f"at byte {self.at}: {what} needs {count} bytes, {left} are left; the file is cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int, what: str) -> int:
        """The next bytes as an unsigned number."""
        return int.from_bytes(self.take(count, what), "big")

    def bad(self, reason: str) -> BadTemplate:
        """The error of this file."""
        return BadTemplate(where=self.where, format=self.format, reason=reason)

    def record(self, declared: int, views: list[View]) -> Record:
        """The whole record; every difference between what is declared, what was read and what is there is noticed."""
        lengths = []
        if declared != len(self.data):
            lengths.append(f"length: the header declares {declared} bytes, the file has {len(self.data)}")
        if self.at < len(self.data):
            lengths.append(f"length: {len(self.data) - self.at} bytes after the end of the record were not read")
        oddities = [line for number, view in enumerate(views, 1) for line in view_notices(number, view)]
        return Record(self.format, tuple(views), (*lengths, *self.notices, *oddities))


def old_impression(code: int) -> int:
    """An impression type of 2004 or 2005, the low half of a byte, by the codes since 2009."""
    return CONTACTLESS if code & 15 == CONTACTLESS_2004 else code & 15


def view_notices(number: int, view: View) -> list[str]:
    """What is odd about a view, one line each."""
    found = []
    if view.width is not None and view.height is not None:
        outside = int(np.sum((view.x >= view.width) | (view.y >= view.height)))
        if outside:
            found.append(f"view {number}: {outside} minutiae outside the picture of {view.width} x {view.height} px")
    if not 0 <= view.finger <= MOST_FINGER:
        found.append(f"view {number}: finger position {view.finger}, expected 0 to {MOST_FINGER}")
    if view.ppi_x and view.ppi_y and view.ppi_x != view.ppi_y:
        found.append(f"view {number}: {view.ppi_x:.6g} x {view.ppi_y:.6g} ppi: the picture's pixels are not square")
    if 0 < min(view.ppi_x or 0, view.ppi_y or 0) < LEAST_PER_CM * CM_PER_INCH:
        found.append(f"view {number}: {view.ppi_x:.6g} ppi, expected {LEAST_PER_CM} pixels a centimetre or more")
    if (view.kind > 2).any():
        found.append(f"view {number}: {int(np.sum(view.kind > 2))} minutiae of a reserved type, taken as type other")
    odd = (view.quality > 100) & ((view.quality < NOT_REPORTED) | (view.unreported == 0))
    if odd.any():
        found.append(f"view {number}: {int(np.sum(odd))} qualities over 100, taken as not reported")
    return found


def to_template(view: View, *, ppi: float | None, source: str, where: str, format: str) -> Template:
    """One view at 500 ppi.

    ppi : overrides the file's resolution
    A picture that the file declares too small for its points is widened to hold them; view_notices says so.

    Raises UnknownResolution where neither the file nor ``ppi`` says it, BadTemplate where the result is too large.
    """
    scale_x, scale_y = _scale(ppi or view.ppi_x, where), _scale(ppi or view.ppi_y, where)
    x, y, direction = view.x * scale_x, view.y * scale_y, view.direction
    if scale_x != scale_y:
        direction = np.arctan2(np.sin(direction) * scale_y, np.cos(direction) * scale_x)
    width, height = _side(view.width, scale_x, x), _side(view.height, scale_y, y)
    if max(width, height) > MOST_PX:
        raise BadTemplate(
            where=where, format=format, reason=f"{width} x {height} px at {PPI} ppi, expected at most {MOST_PX} each"
        )
    minutiae = Minutiae(
        x.astype(np.float32),
        y.astype(np.float32),
        wrap_direction(direction.astype(np.float32)),
        np.where(view.kind > 2, 0, view.kind).astype(np.uint8),
        view.reported(),
    )
    return Template(minutiae, width, height, source=source)


def _scale(ppi: float | None, where: str) -> float:
    if ppi is None:
        raise UnknownResolution(where=where, reason="the template does not state it")
    return 1.0 if abs(ppi - PPI) <= _HALF_STEP_PPI else PPI / ppi


def _side(declared: int | None, scale: float, values: NDArray[np.float64]) -> int:
    reach = int(np.floor(values.max(initial=0))) + 1
    return max(round((declared or 0) * scale), reach, 1)


def of_template(template: Template, *, ppi: float = PPI, finger: int = 0) -> View:
    """A template as a view in whole pixels at ``ppi``; its weak minutiae and grids are left behind."""
    m, scale = template.minutiae, ppi / PPI
    width, height = max(round(template.width * scale), 1), max(round(template.height * scale), 1)
    return View(
        finger=finger,
        width=width,
        height=height,
        ppi_x=ppi,
        ppi_y=ppi,
        x=np.clip(np.rint(m.x.astype(np.float64) * scale), 0, width - 1),
        y=np.clip(np.rint(m.y.astype(np.float64) * scale), 0, height - 1),
        direction=m.direction.astype(np.float64),
        kind=m.kind,
        quality=m.quality,
    )
