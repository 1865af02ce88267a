"""What comparisons need of one template, made once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import TWO_PI
from fpipe.core.foreground import foreground
from fpipe.core.types import Descriptors, Template


class Prepared(NamedTuple):
    """One template as the kernels read it: arrays alone, so that it crosses process borders.

    x, y, direction, cos, sin, kind : (N,), the minutiae that take part, px, rad
    weight : (N,) float32, 0..1, how much each counts
    minutia : (N,) int32, their rows in the template's ``every``; weak : (N,) bool, the weak ones
    distance : (N, N) float32, px
    bearing : (N, N) float32, rad, [-pi, pi]: where column's minutia lies, seen from row's and its direction
    described : (D,) int32, rows of these minutiae that have a descriptor
    bits : (D, layers * words) uint64, valid : (D, words) uint64
    mask : (rows, columns) bool, the print on the CELL_PX grid
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    direction: NDArray[np.float32]
    cos: NDArray[np.float32]
    sin: NDArray[np.float32]
    kind: NDArray[np.uint8]
    weight: NDArray[np.float32]
    minutia: NDArray[np.int32]
    weak: NDArray[np.bool_]
    distance: NDArray[np.float32]
    bearing: NDArray[np.float32]
    described: NDArray[np.int32]
    bits: NDArray[np.uint64]
    valid: NDArray[np.uint64]
    mask: NDArray[np.bool_]


class Part(NamedTuple):
    """Which minutiae take part; constants of ``Growth``, which has their units and sources."""

    most_minutiae: int
    weak_from: int
    sure_from: int
    hull_margin_px: float


def prepare(template: Template, descriptors: Descriptors, part: Part) -> Prepared:
    """Tables of the minutiae of best quality, weak ones last; of equal ones the earlier."""
    every = template.every
    quality = every.quality.astype(np.int64)
    weak = np.arange(len(every)) >= len(template.minutiae)
    order = np.lexsort((-quality, weak))
    rows = np.sort(order[(~weak | (quality >= part.weak_from))[order]][: part.most_minutiae])
    m, quality = every.take(rows), quality[rows]
    dx, dy = m.x[None, :] - m.x[:, None], m.y[:, None] - m.y[None, :]
    bearing = np.arctan2(dy, dx) - m.direction[:, None]
    bearing -= np.float32(TWO_PI) * np.round(bearing / np.float32(TWO_PI))
    kept = np.isin(descriptors.minutia, rows)
    return Prepared(
        x=m.x.astype(np.float32),
        y=m.y.astype(np.float32),
        direction=m.direction.astype(np.float32),
        cos=np.cos(m.direction),
        sin=np.sin(m.direction),
        kind=m.kind.astype(np.uint8),
        weight=_weight(quality, template.minutiae.quality, part.sure_from),
        minutia=rows.astype(np.int32),
        weak=weak[rows],
        distance=np.hypot(dx, dy).astype(np.float32),
        bearing=bearing.astype(np.float32),
        described=np.searchsorted(rows, descriptors.minutia[kept]).astype(np.int32),
        bits=_words(descriptors.bits[kept]),
        valid=_words(descriptors.valid[kept]),
        mask=np.ascontiguousarray(foreground(template, part.hull_margin_px)),
    )


def _weight(quality: NDArray[np.int64], strong: NDArray[np.uint8], sure_from: int) -> NDArray[np.float32]:
    """(N,) 0..1: 1 without a quality, and from ``sure_from`` or the strong ones' upper quartile on, all in percent.

    Other extractors' qualities are on other scales, and a print whose minutiae are all poor is compared by the best it
    has.
    """
    known = strong[strong > 0]
    whole = min(float(sure_from), float(np.quantile(known, 0.75))) if len(known) else float(sure_from)
    return np.where(quality > 0, np.minimum(quality / whole, 1), 1).astype(np.float32)


def _words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64)
