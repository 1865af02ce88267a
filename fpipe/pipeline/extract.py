"""The algorithm from picture to template, top to bottom."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fpipe.core.conventions import CELL_PX, grid_shape
from fpipe.core.errors import NoRidges
from fpipe.core.trace import Trace, no_trace
from fpipe.core.types import GrayImage, Mask, Template
from fpipe.minutiae.blob import quantised
from fpipe.pipeline.presets import Preset

LEAST_CELLS = 8
"""Cells of the 12 px grid that a print must cover: less than about 3 x 6 mm holds no pattern."""


def extract(image: GrayImage, preset: Preset, trace: Trace = no_trace, where: str = "") -> Template:
    """Read a print.

    image : (H, W) uint8, 500 ppi, ridges dark
    trace : receives ``segmentation.mask``, ``contrast.image``, ``orientation.field``, ``orientation.coherence``,
        ``period.map``, ``enhanced.image`` (orientation and enhancement after their refinement), ``clarity.map``,
        ``clarity.mask`` (what the template keeps as print) and what the minutiae stage emits

    Returns the template exactly as a gallery would give it back.  Raises NoRidges where there is no print to read.
    """
    cv2.setNumThreads(1)
    stage: Any = preset.stages
    mask = stage["segmentation"](image)
    trace("segmentation.mask", mask)
    if mask_grid(mask).sum() < LEAST_CELLS:
        raise NoRidges(where=where or "picture", reason="no area of the picture looks like a print")
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
    grid = mask_grid(mask)
    if grid.sum() < LEAST_CELLS:
        raise NoRidges(where=where or "picture", reason="nowhere are ridges clear enough to be followed")
    minutiae = stage["minutiae"](enhanced, mask, clarity, trace)
    height, width = image.shape
    return quantised(Template(minutiae, width, height, mask=grid, source=preset.extraction_digest))


def mask_grid(mask: Mask) -> Mask:
    """(H, W) -> the template's grid: cells of which at least half is print."""
    rows, columns = grid_shape(*mask.shape)
    padded = np.zeros((rows * CELL_PX, columns * CELL_PX), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    share: Mask = padded.reshape(rows, CELL_PX, columns, CELL_PX).mean(axis=(1, 3)) >= 0.5
    return share
