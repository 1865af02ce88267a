"""The algorithm from picture to template, top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fpipe.core.conventions import CELL_PX, grid_shape
from fpipe.core.errors import NoRidges
from fpipe.core.trace import Trace, no_trace
from fpipe.core.types import GrayImage, Mask, Minutiae, Template
from fpipe.enhance.learned import intermediates
from fpipe.minutiae.blob import quantised
from fpipe.pipeline.presets import Preset

Stages = Mapping[str, Any]
Found = tuple[Minutiae, Minutiae, Mask]
"""Minutiae, weak minutiae, mask on the template's grid."""

LEAST_CELLS = 8
"""Cells of the 12 px grid that a print must cover: less than about 3 x 6 mm holds no pattern."""


def extract(image: GrayImage, preset: Preset, trace: Trace = no_trace, where: str = "") -> Template:
    """Read a print.

    image : (H, W) uint8, 500 ppi, ridges dark
    trace : receives intermediates, see ``learned`` and ``classical``

    Returns the template exactly as a gallery would give it back.  Raises NoRidges where there is no print to read.
    """
    cv2.setNumThreads(1)
    read = learned if "reading" in preset.stages else classical
    minutiae, weak, grid = read(image, preset.stages, trace, where or "picture")
    height, width = image.shape
    return quantised(Template(minutiae, width, height, mask=grid, source=preset.extraction_digest, weak=weak))


def learned(image: GrayImage, stage: Stages, trace: Trace, where: str) -> Found:
    """A network reads everything at once.

    Emits ``segmentation.mask``, ``orientation.field``, ``period.map``, ``enhanced.image`` (the ridges as the network
    sees them, -1..1) and ``minutiae.map`` (its confidence that a minutia lies there), all (H, W).
    """
    reading = stage["reading"](image)
    if trace is not no_trace:
        for key, value in intermediates(reading).items():
            trace(key, value)
    grid = _believed(reading.mask, where, "no area of the picture looks like a print")
    minutiae, weak = stage["minutiae"](reading)
    return minutiae, weak, grid


def classical(image: GrayImage, stage: Stages, trace: Trace, where: str) -> Found:
    """Step by step.

    Emits ``segmentation.mask``, ``contrast.image``, ``orientation.field``, ``orientation.coherence``, ``period.map``,
    ``enhanced.image`` (orientation and enhancement after their refinement), ``clarity.map``, ``clarity.mask`` (what the
    template keeps as print) and what the minutiae stage emits.
    """
    mask = stage["segmentation"](image)
    trace("segmentation.mask", mask)
    _believed(mask, where, "no area of the picture looks like a print")
    contrast = stage["contrast"](image, mask)
    trace("contrast.image", contrast)
    orientation, coherence = stage["orientation"](contrast, mask)
    period = stage["period"](contrast, mask, orientation)
    trace("period.map", period)
    enhanced = stage["filter"](contrast, mask, orientation, period)
    # the enhanced picture shows the orientation better than the print itself: once more, finer
    orientation, coherence = stage["refine"](enhanced, mask)
    trace("orientation.field", orientation)
    trace("orientation.coherence", coherence)
    enhanced = stage["filter"](contrast, mask, orientation, period)
    trace("enhanced.image", enhanced)
    clarity, mask = stage["clarity"](enhanced, mask, coherence)
    trace("clarity.map", clarity)
    trace("clarity.mask", mask)
    grid = _believed(mask, where, "nowhere are ridges clear enough to be followed")
    return stage["minutiae"](enhanced, mask, clarity, trace), Minutiae.empty(), grid


def _believed(mask: Mask, where: str, reason: str) -> Mask:
    """The template's grid of a mask; NoRidges where it covers too little."""
    grid = mask_grid(mask)
    if grid.sum() < LEAST_CELLS:
        raise NoRidges(where=where, reason=reason)
    return grid


def mask_grid(mask: Mask) -> Mask:
    """(H, W) -> the template's grid: cells of which at least half is print."""
    rows, columns = grid_shape(*mask.shape)
    padded = np.zeros((rows * CELL_PX, columns * CELL_PX), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    share: Mask = padded.reshape(rows, CELL_PX, columns, CELL_PX).mean(axis=(1, 3)) >= 0.5
    return share
