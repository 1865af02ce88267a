"""Templates as JSON, for people and scripts.

    {"format": "fpipe-template", "version": 1, "width": 388, "height": 374, "ppi": 500, "source": "...",
     "minutiae": [{"x": 12.5, "y": 40.125, "direction": 1.57, "type": "ending", "quality": 80}, ...],
     "weak": [...], "mask": ["0110", ...], "orientation": [[0.5, null, ...], ...]}

Positions in px at 500 ppi from the top left; direction in rad, counter-clockwise, [0, 2 pi), along the ridge of an
ending and the valley of a bifurcation; type "ending", "bifurcation" or "other"; quality 1..100, 0 = not reported.
``weak`` (minutiae that take no part in comparisons), ``mask`` (a row of the 12 px grid a string, 1 = print) and
``orientation`` (rad, null outside the print) may be absent.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from fpipe.core.conventions import PPI, TWO_PI, grid_shape, wrap_direction, wrap_orientation
from fpipe.core.errors import BadTemplate
from fpipe.core.types import KIND_NAMES, Minutiae, Template
from fpipe.minutiae.blob import MOST_PX

FORMAT, VERSION = "fpipe-template", 1
_KEYS = {"format", "version", "width", "height", "ppi", "source", "minutiae"}
_OPTIONAL = {"weak", "mask", "orientation"}
_MINUTIA_KEYS = {"x", "y", "direction", "type", "quality"}


def write(template: Template) -> bytes:
    """Template -> JSON; read gives back every number exactly."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "width": template.width,
        "height": template.height,
        "ppi": PPI,
        "source": template.source,
        "minutiae": _rows(template.minutiae),
    }
    if len(template.weak):
        document["weak"] = _rows(template.weak)
    if template.mask is not None:
        document["mask"] = ["".join("01"[int(cell)] for cell in row) for row in template.mask]
    if template.orientation is not None:
        document["orientation"] = [[None if np.isnan(a) else _short(a) for a in row] for row in template.orientation]
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _rows(m: Minutiae) -> list[dict[str, Any]]:
    return [
        {"x": _short(x), "y": _short(y), "direction": _short(d), "type": KIND_NAMES[k], "quality": int(q)}
        for x, y, d, k, q in zip(m.x, m.y, m.direction, m.kind, m.quality, strict=True)
    ]


def read(data: bytes, where: str) -> Template:
    """JSON -> template.

    Raises BadTemplate that names the first thing which the schema does not allow; nothing is guessed or left out.
    """
    try:
        document = json.loads(data)
        return _template(document)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or not the schema
        raise BadTemplate(where=where, format="JSON", reason=str(error)) from error


def _template(document: Any) -> Template:
    _keys(document, _KEYS, _OPTIONAL, "the document")
    if (document["format"], document["version"], document["ppi"]) != (FORMAT, VERSION, PPI):
        got = ", ".join(f"{key} {document[key]!r}" for key in ("format", "version", "ppi"))
        raise ValueError(f"{got}; expected {FORMAT!r}, {VERSION} and {PPI}")
    width, height = (_whole(document[side], 1, MOST_PX, side) for side in ("width", "height"))
    if not isinstance(document["source"], str):
        raise ValueError(f"source is {document['source']!r}, expected text")  # noqa: TRY004 - one error for the schema
    return Template(
        _minutiae(document["minutiae"], width, height, "minutia"),
        width,
        height,
        _mask(document["mask"], height, width) if "mask" in document else None,
        _orientation(document["orientation"], height, width) if "orientation" in document else None,
        document["source"],
        _minutiae(document.get("weak", []), width, height, "weak minutia"),
    )


def _minutiae(values: Any, width: int, height: int, what: str) -> Minutiae:
    if not isinstance(values, list):
        raise ValueError("minutiae is not a list" if what == "minutia" else "weak is not a list")  # noqa: TRY004
    rows = [_minutia(m, width, height, f"{what} {number}") for number, m in enumerate(values)]
    x, y, direction, kind, quality = zip(*rows, strict=True) if rows else [()] * 5
    return Minutiae(
        np.array(x, np.float32),
        np.array(y, np.float32),
        wrap_direction(np.array(direction, np.float32)),
        np.array(kind, np.uint8),
        np.array(quality, np.uint8),
    )


def _minutia(m: Any, width: int, height: int, what: str) -> tuple[float, float, float, int, int]:
    _keys(m, _MINUTIA_KEYS, set(), what)
    if m["type"] not in KIND_NAMES:
        raise ValueError(f"{what}: type is {m['type']!r}, expected one of {', '.join(KIND_NAMES)}")
    return (
        _number(m["x"], 0, width, f"{what}: x"),
        _number(m["y"], 0, height, f"{what}: y"),
        _number(m["direction"], 0, TWO_PI, f"{what}: direction"),
        KIND_NAMES.index(m["type"]),
        _whole(m["quality"], 0, 100, f"{what}: quality"),
    )


def _mask(rows: Any, height: int, width: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    shape = grid_shape(height, width)
    fits = isinstance(rows, list) and len(rows) == shape[0]
    if not fits or not all(isinstance(r, str) and len(r) == shape[1] and set(r) <= {"0", "1"} for r in rows):
        raise ValueError(f"mask is not {shape[0]} strings of {shape[1]} digits 0 or 1")
    return np.array([[cell == "1" for cell in row] for row in rows], bool).reshape(shape)


def _orientation(rows: Any, height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    shape = grid_shape(height, width)
    fits = isinstance(rows, list) and len(rows) == shape[0]
    if not fits or not all(isinstance(r, list) and len(r) == shape[1] for r in rows):
        raise ValueError(f"orientation is not {shape[0]} lists of {shape[1]} angles or nulls")
    values = [[math.nan if a is None else _number(a, 0, math.pi, "orientation") for a in r] for r in rows]
    return wrap_orientation(np.array(values, np.float32).reshape(shape))


def _keys(value: Any, required: set[str], optional: set[str], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {type(value).__name__}, expected an object")  # noqa: TRY004
    wrong = (required - set(value)) | (set(value) - required - optional)
    if wrong:
        raise ValueError(
            f"{what}: key {sorted(wrong)[0]!r} is missing or unknown, expected {', '.join(sorted(required))}"
        )


def _number(value: Any, low: float, high: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}, expected a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any, low: int, high: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}, expected a whole number from {low} to {high}")
    return value


def _short(value: np.floating[Any]) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(value))
