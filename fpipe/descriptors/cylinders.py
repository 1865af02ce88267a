"""Minutia Cylinder-Code: a bit vector around each minutia that says where its neighbours are and which way they point.

R. Cappelli, M. Ferrara, D. Maltoni, "Minutia Cylinder-Code: a new representation and matching technique for fingerprint
recognition", IEEE TPAMI 32(12), 2010: the bit-based variant.  It may be patented in some countries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.conventions import CELL_PX
from fpipe.core.foreground import foreground
from fpipe.core.params import Params
from fpipe.core.types import Descriptors, Template

jitcache.prepare()
from numba import njit  # noqa: E402

WORD_BITS = 64
_ANGLE_STEPS = 512


@dataclass(frozen=True, slots=True)
class Cylinders(Params):
    """A disc of cells around every minutia, turned into its direction, in layers of relative direction.

    A bit is set where the neighbours' smoothed density exceeds ``least_density``.  Cells outside the print are invalid,
    so that half a finger is not punished for its other half.  Bits are grouped by layer: each layer starts a new 64-bit
    word, so that one validity word serves all layers.

    Constants are the paper's but for cells (it has 8 and 16; 8 is as good inside the exact match) and the two limits
    that it sets at 75 % of the cells and 2 neighbours: less suits small and partial prints.
    """

    radius_px: float = 70.0  # px, R of the paper
    cells: int = 8  # along the diameter, N_S
    layers: int = 6  # of relative direction over 2 pi, N_D
    sigma_px: float = 28.0 / 3.0  # px, sigma_S
    sigma_rad: float = 2.0 * math.pi / 9.0  # rad, sigma_D
    least_density: float = 0.01  # mu_Psi
    hull_margin_px: float = 50.0  # px around the minutiae's hull where a template has no mask, Omega
    least_valid: float = 0.2  # share of a cylinder's cells that must lie in the print, of 1
    least_neighbours: int = 1  # minutiae that must contribute to a cylinder

    @property
    def descriptor_bytes(self) -> int:
        """Bytes of one descriptor's bits."""
        return self.layers * self._words * (WORD_BITS // 8)

    @property
    def _words(self) -> int:
        return -(-len(_disc(self.cells, self.radius_px)) // WORD_BITS)

    def __call__(self, template: Template) -> Descriptors:
        """Descriptors of the minutiae that have a valid cylinder.

        Returns
        -------
        Descriptors with bits (D, layers * words * 8) uint8 and valid (D, words * 8) uint8, bit order little, where
        words = ceil(cells of the disc / 64); minutia in increasing order.
        """
        m = template.minutiae
        disc = _disc(self.cells, self.radius_px)
        bits = np.zeros((len(m), self.layers, self._words * WORD_BITS), np.bool_)
        valid = np.zeros((len(m), self._words * WORD_BITS), np.bool_)
        neighbours = np.zeros(len(m), np.int64)
        _fill(
            m.x.astype(np.float64),
            m.y.astype(np.float64),
            m.direction.astype(np.float64),
            foreground(template, self.hull_margin_px),
            disc,
            _layer_shares(self.layers, self.sigma_rad),
            float(self.radius_px),
            float(self.sigma_px),
            float(self.least_density),
            bits,
            valid,
            neighbours,
        )
        enough = (valid.sum(1) >= self.least_valid * len(disc)) & (neighbours >= self.least_neighbours)
        rows = np.flatnonzero(enough)
        return Descriptors(
            bits=np.packbits(bits[rows].reshape(len(rows), self.layers * self._words * WORD_BITS), 1, "little"),
            valid=np.packbits(valid[rows], 1, "little"),
            minutia=rows.astype(np.int32),
        )


@lru_cache
def _disc(cells: int, radius_px: float) -> NDArray[np.float64]:
    """(C, 2) centres of the cells within the radius, px along and left of the minutia's direction."""
    side = 2.0 * radius_px / cells
    at = (np.arange(cells) + 0.5) * side - radius_px
    v, u = np.meshgrid(at, at, indexing="ij")
    centres: NDArray[np.float64] = np.stack([u, v], -1)[np.hypot(u, v) <= radius_px]
    return centres


@lru_cache
def _layer_shares(layers: int, sigma_rad: float) -> NDArray[np.float64]:
    """(_ANGLE_STEPS, layers): the share that a neighbour turned by step * 2 pi / _ANGLE_STEPS gives each layer.

    The Gaussian of the paper's eq. 11 integrated over the layer's width; layer k is centred at (k + 1/2) widths - pi.
    """
    width = 2.0 * math.pi / layers
    turn = np.arange(_ANGLE_STEPS) * (2.0 * math.pi / _ANGLE_STEPS)
    centre = (np.arange(layers) + 0.5) * width - math.pi
    gap = np.mod(turn[:, None] - centre + math.pi, 2.0 * math.pi) - math.pi
    erf = np.vectorize(math.erf, otypes=[np.float64])
    scale = sigma_rad * math.sqrt(2.0)
    shares: NDArray[np.float64] = 0.5 * (erf((gap + width / 2) / scale) - erf((gap - width / 2) / scale))
    return shares


@njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    x, y, direction, mask, disc, shares, radius, sigma, least, bits, valid, neighbours
):
    """Validity and bits of every minutia's cells; the number of minutiae that contribute to each cylinder."""
    steps, layers = shares.shape
    reach = 3.0 * sigma
    scale = 1.0 / (sigma * math.sqrt(2.0 * math.pi))
    density = np.empty((len(disc), layers))
    for i in range(len(x)):
        cos, sin = math.cos(direction[i]), math.sin(direction[i])
        for c in range(len(disc)):
            u, v = disc[c, 0], disc[c, 1]
            column = math.floor((x[i] + cos * u - sin * v + 0.5) / CELL_PX)
            row = math.floor((y[i] - sin * u - cos * v + 0.5) / CELL_PX)
            valid[i, c] = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]
        density[:] = 0.0
        for j in range(len(x)):
            dx, dy = x[j] - x[i], y[i] - y[j]
            if j == i or dx * dx + dy * dy > (radius + reach) ** 2:
                continue
            along, left = cos * dx + sin * dy, cos * dy - sin * dx
            turn = round((direction[i] - direction[j]) / (2.0 * math.pi) * steps) % steps
            contributes = False
            for c in range(len(disc)):
                square = (disc[c, 0] - along) ** 2 + (disc[c, 1] - left) ** 2
                if valid[i, c] and square <= reach * reach:
                    contributes = True
                    weight = scale * math.exp(-square / (2.0 * sigma * sigma))
                    for layer in range(layers):
                        density[c, layer] += weight * shares[turn, layer]
            neighbours[i] += contributes
        for layer in range(layers):
            for c in range(len(disc)):
                bits[i, layer, c] = density[c, layer] > least
