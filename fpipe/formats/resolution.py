"""What a file says about its resolution, and how far that is believed.

Nothing is assumed, rounded or snapped: a stand-in that software writes when it does not know is unknown, and everything
else is taken as it stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

STAND_INS = (72.0, 96.0)
"""What software writes that knows no resolution: the screens of old Macintosh and Windows computers."""
STAND_IN_TOLERANCE = 1.0
"""ppi; 28 and 38 dots a centimetre, the nearest whole numbers, are 71.1 and 96.5."""
LEAST, MOST = 10.0, 50_000.0
"""ppi outside which no scanner or camera works: 1 dot an inch or a centimetre is a stand-in too."""
SQUARE = 0.01
"""Relative difference of the two axes up to which pixels are square: beyond it a print would be visibly stretched."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """As stated, in pixels an inch along x and y; None and a reason where nothing usable is stated."""

    x: float | None
    y: float | None
    reason: str = ""


UNSTATED = Resolution(None, None, "the file states none")


def per_inch(x: float, y: float) -> Resolution:
    """Dots an inch."""
    return Resolution(x, y)


def per_centimetre(x: float, y: float) -> Resolution:
    """Dots a centimetre."""
    return Resolution(x * 2.54, y * 2.54)


def per_metre(x: float, y: float) -> Resolution:
    """Dots a metre."""
    return Resolution(x * 0.0254, y * 0.0254)


def unusable(reason: str) -> Resolution:
    """Something is stated that says no resolution."""
    return Resolution(None, None, reason)


def credible(resolution: Resolution) -> tuple[float | None, str]:
    """The one resolution of square pixels, ppi, or None; and a line about it where a person should know."""
    x, y = resolution.x, resolution.y
    if x is None or y is None:
        return None, resolution.reason
    if not (math.isfinite(x) and math.isfinite(y) and min(x, y) >= LEAST and max(x, y) <= MOST):
        return None, f"the file states {_number(x)} x {_number(y)} ppi, which no scanner has"
    for stand_in in STAND_INS:
        if abs(x - stand_in) < STAND_IN_TOLERANCE and abs(y - stand_in) < STAND_IN_TOLERANCE:
            return None, f"the file states {_number(x)} ppi, which software writes that does not know it"
    if abs(x - y) > SQUARE * max(x, y):
        return None, f"the file states {_number(x)} x {_number(y)} ppi: its pixels are not square"
    return (x + y) / 2, ""


def _number(value: float) -> str:
    return f"{value:.6g}"
