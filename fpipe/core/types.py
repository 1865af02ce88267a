"""The types that pass between the parts: frozen, and compared by identity where they hold arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import grid_shape

GrayImage = NDArray[np.uint8]
"""(H, W) uint8, 500 ppi, ridges dark."""
Mask = NDArray[np.bool_]
"""(H, W) bool, True = print."""
FloatMap = NDArray[np.float32]
"""(H, W) float32: an orientation field, a ridge period map, an enhanced picture."""

PpiOrigin = Literal["file", "option", "scale", "estimated", "unknown"]
"""Where a resolution comes from: the file, a person's number, a scale in the picture, the ridges themselves."""


class GivenPpi(float):
    """A resolution that a person gave by other ways than a number; a float, so that it goes wherever one does.

    ``ESTIMATE`` asks for an estimate from the picture's ridges.  It is not a number: what forgets to make the estimate
    refuses it.
    """

    origin: PpiOrigin

    def __new__(cls, value: float, origin: PpiOrigin) -> GivenPpi:
        """``value`` pixels an inch."""
        made = super().__new__(cls, value)
        made.origin = origin
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Into worker processes with its origin."""
        return GivenPpi, (float(self), self.origin)


ESTIMATE = GivenPpi(float("nan"), "estimated")


KIND_OTHER, KIND_ENDING, KIND_BIFURCATION = 0, 1, 2
"""Minutia types, as ISO/IEC 19794-2 numbers them."""
KIND_NAMES = ("other", "ending", "bifurcation")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A file's picture before any resampling.

    pixels : (H, W) uint8, upright, gray as the file means it
    ppi : pixels an inch, None where unknown
    bits : bits a sample in the file
    sha256 : of the file's bytes, hex
    notices : what a person should know (other pages, unequal resolutions), one line each
    pages : pictures in the file; this is the first
    """

    pixels: GrayImage
    ppi: float | None
    ppi_origin: PpiOrigin
    format: str
    bits: int
    sha256: str
    notices: tuple[str, ...] = ()
    pages: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Minutiae:
    """N minutiae as columns.

    x, y : (N,) float32, px at 500 ppi, origin at the top left
    direction : (N,) float32, rad, [0, 2 pi)
    kind : (N,) uint8, KIND_OTHER, KIND_ENDING or KIND_BIFURCATION
    quality : (N,) uint8, 1..100, 0 = not reported
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    direction: NDArray[np.float32]
    kind: NDArray[np.uint8]
    quality: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if len({len(column) for column in (self.x, self.y, self.direction, self.kind, self.quality)}) != 1:
            raise ValueError("minutiae: columns of different lengths")

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray[Any]) -> Minutiae:
        """The minutiae of an index or boolean array, in its order."""
        return Minutiae(self.x[rows], self.y[rows], self.direction[rows], self.kind[rows], self.quality[rows])

    @staticmethod
    def empty() -> Minutiae:
        """No minutiae."""
        none = np.zeros(0, np.float32)
        return Minutiae(none, none, none, np.zeros(0, np.uint8), np.zeros(0, np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a learned reader sees in a picture of H x W px; all but the mask and the ridges on a grid of cells.

    mask : (H, W) bool; ridges : (H, W) float32, -1 valley .. 1 ridge
    stride : px to a cell, each way; h = ceil(H / stride), w = ceil(W / stride)
    doubled : (2, h, w) float32, cosine and sine of the doubled orientation, about of length 1
    period : (h, w) float32, px
    minutia : (h, w) float32, 0..1, that one lies in the cell; bifurcation : (h, w) float32, 0..1, that it is one
    direction : (h, w) float32, rad, [0, 2 pi); offset : (2, h, w) float32, px, of a minutia from the cell's middle
    """

    mask: Mask
    ridges: FloatMap
    stride: int
    doubled: FloatMap
    period: FloatMap
    minutia: FloatMap
    bifurcation: FloatMap
    direction: FloatMap
    offset: FloatMap


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is kept of a print for comparison.

    width, height : of the picture, px at 500 ppi
    weak : minutiae that the extractor doubts: they have no descriptors, and count little in comparisons
    mask : (rows, columns) bool on the CELL_PX grid, True = print; None where unknown (imported templates)
    orientation : (rows, columns) float32 rad on the same grid, NaN outside the print; None where not kept
    source : extraction digest, or the format and sha256 of an imported template
    """

    minutiae: Minutiae
    width: int
    height: int
    mask: NDArray[np.bool_] | None = None
    orientation: NDArray[np.float32] | None = None
    source: str = ""
    weak: Minutiae = field(default_factory=Minutiae.empty)

    def __post_init__(self) -> None:
        for grid in (self.mask, self.orientation):
            if grid is not None and grid.shape != grid_shape(self.height, self.width):
                raise ValueError(f"template: grid {grid.shape} for a picture of {self.height} x {self.width} px")

    @property
    def every(self) -> Minutiae:
        """The minutiae, then the weak ones."""
        columns = ("x", "y", "direction", "kind", "quality")
        return Minutiae(*(np.concatenate([getattr(m, name) for m in (self.minutiae, self.weak)]) for name in columns))


@dataclass(frozen=True, slots=True, eq=False)
class Descriptors:
    """Local descriptors of D of a template's minutiae, packed for Hamming distance.

    bits : (D, B) uint8, packed bits; an invalid cell's bit is 0
    valid : (D, V) uint8, packed validity of the cells
    minutia : (D,) int32, row of the template's minutiae each belongs to
    """

    bits: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    minutia: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.minutia)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two templates compared.

    score : higher is more alike; 0 where nothing agrees
    pairs : (P, 2) int32, rows of the probe's and of the gallery print's ``every``, in the order they were found
    doubtful : (P,) bool, the pairs with a weak minutia in them
    rotation : rad, probe to gallery, counter-clockwise as seen on the screen
    """

    score: float
    pairs: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    doubtful: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    rotation: float = 0.0
