"""The searchable half of a print: packed descriptors, each with the place and direction of its minutia."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import IntegrityError

_HEADER = struct.Struct("<II")  # rows, bytes a descriptor


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """N descriptors as columns.

    bits : (N, B) uint8, packed
    x, y : (N,) float32, px at 500 ppi; direction : (N,) float32, rad
    """

    bits: NDArray[np.uint8]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    direction: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or len({len(self.bits), len(self.x), len(self.y), len(self.direction)}) != 1:
            raise ValueError("vectors: columns of different lengths")

    def __len__(self) -> int:
        return len(self.bits)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Vectors:
        """Some rows: those where a boolean array is true, or by their numbers."""
        return Vectors(self.bits[rows], self.x[rows], self.y[rows], self.direction[rows])

    def to_bytes(self) -> bytes:
        """Little-endian, column after column."""
        places = (np.ascontiguousarray(column, "<f4").tobytes() for column in (self.x, self.y, self.direction))
        bits = np.ascontiguousarray(self.bits, np.uint8)
        return b"".join([_HEADER.pack(*bits.shape), bits.tobytes(), *places])

    @staticmethod
    def from_bytes(data: bytes, where: str) -> Vectors:
        """Raises IntegrityError where the sizes do not fit or a place is not a number."""
        rows, width = _HEADER.unpack_from(data) if len(data) >= _HEADER.size else (-1, 0)
        if len(data) != _HEADER.size + rows * (width + 12):
            raise IntegrityError(where=where, reason=f"vectors of {len(data)} bytes do not fit their header")
        bits = np.frombuffer(data, np.uint8, rows * width, _HEADER.size).reshape(rows, width)
        places = np.frombuffer(data, "<f4", 3 * rows, _HEADER.size + rows * width).astype(np.float32).reshape(3, rows)
        if not np.isfinite(places).all():
            raise IntegrityError(where=where, reason="a vector's place is not a number")
        return Vectors(bits, *places)

    @staticmethod
    def join(parts: Sequence[Vectors], width: int) -> Vectors:
        """One after the other; ``width`` (bytes a descriptor) says the shape where there are none."""
        if not parts:
            none = np.zeros(0, np.float32)
            return Vectors(np.zeros((0, width), np.uint8), none, none, none)
        return Vectors(
            np.concatenate([part.bits for part in parts]),
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.direction for part in parts]),
        )
