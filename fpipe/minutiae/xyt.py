"""NBIS .xyt text: one minutia a line, ``x y direction [quality]``, in whole or decimal numbers.

The text does not say its convention.  ``m1`` (mindtct -m1) has its origin at the top left and directions as ours;
``native`` (plain mindtct) has it at the bottom left and directions away from the ridge, so that the picture's height is
needed.  Neither says the picture's size or the type of a minutia; positions are taken to be at 500 ppi, as NBIS does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import ours_to_xyt_m1, ours_to_xyt_native, xyt_m1_to_ours, xyt_native_to_ours
from fpipe.core.errors import BadTemplate, UsageError
from fpipe.core.types import Template
from fpipe.minutiae.views import View

NAME = "NBIS .xyt"
Convention = Literal["m1", "native"]
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)")
_MOST = 1e5  # a number beyond this is not a position in any picture
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The text's numbers.

    values : (N, 4) float64: x, y, direction in degrees, quality (0 where the line has none), all as in the file
    """

    values: NDArray[np.float64]
    notices: tuple[str, ...]


def parse(data: bytes, where: str) -> Rows:
    """Read the text: any white space between numbers, any line ends, blank lines skipped, more than 4 numbers noticed.

    Raises BadTemplate that names the first line which is not 3 or more numbers, or whose quality is not 0..100.
    """
    rows, longer = [], 0
    for number, line in enumerate(data.removeprefix(_BOM).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 3 or not all(_NUMBER.fullmatch(word) for word in words):
            got = line[:60].decode("ascii", "backslashreplace")
            reason = f"line {number} is {got!r}, expected numbers: x y direction [quality]"
            raise BadTemplate(where=where, format=NAME, reason=reason)
        row = [float(word) for word in words[:4]] + [0.0] * (4 - len(words))
        if max(map(abs, row)) > _MOST or not 0 <= row[3] <= 100:
            reason = f"line {number}: {line[:60].decode('ascii')!r} is out of range, expected a quality of 0 to 100"
            raise BadTemplate(where=where, format=NAME, reason=reason)
        longer += len(words) > 4
        rows.append(row)
    notices = [f"{longer} lines have more than 4 numbers; the others were not read"] * bool(longer)
    if not rows:
        notices.append("the file holds no minutiae")
    return Rows(np.array(rows, np.float64).reshape(-1, 4), tuple(notices))


def to_view(rows: Rows, convention: Convention, *, width: int | None, height: int | None, where: str) -> View:
    """The rows in our convention; types are not in the file.

    Raises UsageError where the native convention is asked for without a height, BadTemplate where a position then lies
    above or left of the picture by more than a pixel.
    """
    x, y, degrees, quality = rows.values.T
    if convention == "native":
        if height is None:
            raise UsageError(reason=f"{where}: native .xyt counts from the bottom: give the picture's height in px")
        y, direction = xyt_native_to_ours(y, degrees, height)
    else:
        y, direction = xyt_m1_to_ours(y, degrees)
    if min(x.min(initial=0), y.min(initial=0)) < -1:
        reason = "a minutia lies outside the picture; is the convention or the height another?"
        raise BadTemplate(where=where, format=f"{NAME} ({convention})", reason=reason)
    none = np.zeros(len(x), np.uint8)
    return View(
        finger=0,
        width=width,
        height=height,
        ppi_x=None,
        ppi_y=None,
        x=np.maximum(x, 0),
        y=np.maximum(y, 0),
        direction=np.asarray(direction, np.float64),
        kind=none,
        quality=np.rint(quality).astype(np.uint8),
    )


def write(template: Template, convention: Convention) -> bytes:
    """Template -> text, whole numbers as NBIS writes them; types and grids are lost."""
    m = template.minutiae
    y, direction = m.y.astype(np.float64), m.direction.astype(np.float64)
    if convention == "native":
        rows, degrees = ours_to_xyt_native(y, direction, template.height)
    else:
        rows, degrees = ours_to_xyt_m1(y, direction)
    columns = np.rint(m.x), np.rint(rows), np.rint(degrees) % 360, m.quality
    lines = [f"{int(a)} {int(b)} {int(c)} {int(q)}\n" for a, b, c, q in zip(*columns, strict=True)]
    return "".join(lines).encode("ascii")
