"""Units and directions, and the only place that converts between conventions.

- Pictures: 8-bit gray, ridges dark, ``PPI`` pixels an inch.  Arrays are (row, column).
- Points: (x, y) in pixels, origin at the top left, pixel centres at integers, y downwards.
- Orientation of ridges: [0, pi) rad; direction of a minutia: [0, 2 pi) rad; counter-clockwise *as seen on the screen*.
  A direction points from the minutia along its ridge (ending) or its valley (bifurcation), as in ISO/IEC 19794-2.
- Masks: bool, True = print.  Ridge period in pixels, NaN outside the mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PPI = 500
"""Pixels an inch of every picture after loading."""

CELL_PX = 12
"""Side of a cell of a template's foreground mask and orientation grid, px at 500 ppi."""

TWO_PI = 2.0 * np.pi

FloatArray = NDArray[np.floating[Any]]


def wrap_direction(angle: FloatArray) -> FloatArray:
    """Any angle in rad -> [0, 2 pi), dtype kept."""
    wrapped = np.mod(angle, TWO_PI).astype(angle.dtype)
    wrapped[wrapped >= np.asarray(TWO_PI, wrapped.dtype)] = 0  # float32 rounds just below 2 pi up to it
    return wrapped


def wrap_orientation(angle: FloatArray) -> FloatArray:
    """Any angle in rad -> [0, pi), dtype kept."""
    wrapped = np.mod(angle, np.pi).astype(angle.dtype)
    wrapped[wrapped >= np.asarray(np.pi, wrapped.dtype)] = 0
    return wrapped


def direction_vector(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction in rad -> unit step (dx, dy) in image coordinates (y points down, so dy = -sin)."""
    return np.cos(direction), -np.sin(direction)


def iso_to_direction(byte: NDArray[np.uint8]) -> NDArray[np.float32]:
    """ISO/IEC 19794-2 angle (0..255, unit 360/256 degrees, counter-clockwise) -> rad."""
    return (np.asarray(byte, np.float64) * (TWO_PI / 256)).astype(np.float32)


def direction_to_iso(direction: FloatArray) -> NDArray[np.uint8]:
    """Rad -> ISO/IEC 19794-2 angle, to the nearest of its 256 steps."""
    return (np.rint(np.asarray(direction, np.float64) * (256 / TWO_PI)).astype(np.int64) % 256).astype(np.uint8)


def incits_to_direction(byte: NDArray[np.uint8]) -> NDArray[np.float32]:
    """INCITS 378 angle (0..179, unit 2 degrees, counter-clockwise) -> rad."""
    return np.deg2rad(np.asarray(byte, np.float64) * 2).astype(np.float32)


def direction_to_incits(direction: FloatArray) -> NDArray[np.uint8]:
    """Rad -> INCITS 378 angle, to the nearest of its 180 steps."""
    return (np.rint(np.rad2deg(np.asarray(direction, np.float64)) / 2).astype(np.int64) % 180).astype(np.uint8)


def xyt_native_to_ours(y: FloatArray, degrees: FloatArray, height: int) -> tuple[FloatArray, FloatArray]:
    """mindtct's plain .xyt: origin at the *bottom* left, directions away from the ridge -> (y down, rad)."""
    return height - y, wrap_direction(np.deg2rad(np.asarray(degrees, np.float64) + 180.0))


def ours_to_xyt_native(y: FloatArray, direction: FloatArray, height: int) -> tuple[FloatArray, FloatArray]:
    """(y down, rad) -> mindtct's plain .xyt: (y up from the bottom, degrees away from the ridge)."""
    return height - y, np.mod(np.rad2deg(np.asarray(direction, np.float64)) + 180.0, 360.0)


def xyt_m1_to_ours(y: FloatArray, degrees: FloatArray) -> tuple[FloatArray, FloatArray]:
    """mindtct -m1 .xyt: ANSI INCITS 378 conventions, as ours, in degrees -> (y, rad)."""
    return y, wrap_direction(np.deg2rad(np.asarray(degrees, np.float64)))


def ours_to_xyt_m1(y: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(y, rad) -> mindtct -m1 .xyt, degrees."""
    return y, np.mod(np.rad2deg(np.asarray(direction, np.float64)), 360.0)


HUNDREDTHS_PER_INCH = 2540.0
"""Units of 0.01 mm, in which ANSI/NIST-ITL Type-9 states positions."""


def hundredths_to_px(value: FloatArray, ppi: float) -> NDArray[np.float64]:
    """0.01 mm from the left or top edge -> px.  NIST's reference files put pixel 432 at 2195: no half pixel."""
    return np.asarray(value, np.float64) * (ppi / HUNDREDTHS_PER_INCH)


def px_to_hundredths(px: FloatArray, ppi: float) -> NDArray[np.int64]:
    """px -> 0.01 mm from the left or top edge, to the nearest."""
    return np.rint(np.asarray(px, np.float64) * (HUNDREDTHS_PER_INCH / ppi)).astype(np.int64)


def itl_to_ours(
    y: FloatArray, degrees: FloatArray, height: float, ppi: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ANSI/NIST-ITL field 9.012: 0.01 mm up from the *bottom* edge, direction away from the ridge -> (y down px, rad).

    height : of the picture, px
    The half pixel is that of NIST's reference files: row 368 of 768 stands at 2030, which is 399.6 px.
    """
    rows = height - 0.5 - np.asarray(y, np.float64) * (ppi / HUNDREDTHS_PER_INCH)
    return rows, degrees_to_direction(np.asarray(degrees, np.float64) + 180.0)


def ours_to_itl(
    y: FloatArray, direction: FloatArray, height: float, ppi: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(y down px, rad) -> field 9.012: (0.01 mm up from the bottom edge, whole degrees away from the ridge)."""
    up = px_to_hundredths(height - 0.5 - np.asarray(y, np.float64), ppi)
    degrees = np.rint(np.rad2deg(np.asarray(direction, np.float64)) + 180.0).astype(np.int64) % 360
    return up, degrees


def degrees_to_direction(degrees: FloatArray) -> NDArray[np.float64]:
    """Degrees along the ridge or valley, counter-clockwise, as field 9.331 and the FBI's 9.023 have them -> rad."""
    return np.asarray(wrap_direction(np.deg2rad(np.asarray(degrees, np.float64))), np.float64)


def direction_to_degrees(direction: FloatArray) -> NDArray[np.int64]:
    """Rad -> whole degrees, 0..359."""
    return np.rint(np.rad2deg(np.asarray(direction, np.float64))).astype(np.int64) % 360


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """(rows, columns) of the ``CELL_PX`` grid that covers a picture of this size."""
    return -(-height // CELL_PX), -(-width // CELL_PX)
