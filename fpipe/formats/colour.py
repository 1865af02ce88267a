"""Samples of any depth and colour model to 8-bit gray.

Depths are scaled to the full range, value * 255 / largest, rounded; never clipped or stretched.  Colour becomes luma of
ITU-R BT.601.  CMYK is ink: light = largest - ink.  Transparency lies on white paper.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.types import GrayImage

Samples = NDArray[np.unsignedinteger[Any]]
Model = Literal["gray", "white_is_zero", "rgb", "cmyk"]
Alpha = Literal["none", "straight", "premultiplied"]

BAND_PIXELS = 1 << 20
"""Pixels converted at once, so that a large scan does not need eight times its size in memory."""
CHANNELS: dict[Model, int] = {"gray": 1, "white_is_zero": 1, "rgb": 3, "cmyk": 4}


def scaled(values: NDArray[Any], largest: int) -> GrayImage:
    """Integers of [0, largest] -> uint8, value * 255 / largest rounded to the nearest."""
    if largest == 255:
        return values.astype(np.uint8)
    if largest <= 65535:
        table = (np.arange(largest + 1, dtype=np.int64) * 510 + largest) // (2 * largest)
        return np.take(table.astype(np.uint8), values)
    return np.rint(values.astype(np.float64) * (255.0 / largest)).astype(np.uint8)


def luma(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any]) -> NDArray[np.int64]:
    """ITU-R BT.601 luma in 16-bit fixed point: gray stays exactly what it is."""
    total = 19595 * red.astype(np.int64) + 38470 * green.astype(np.int64) + 7471 * blue.astype(np.int64)
    return (total + 32768) >> 16


def to_gray(samples: Samples, largest: int, model: Model, alpha: Alpha = "none") -> GrayImage:
    """(H, W, C) samples of [0, largest] -> (H, W) uint8 gray.

    The channels of ``model`` come first, then alpha unless that is "none"; further channels are ignored.
    """
    height, width = samples.shape[0], samples.shape[1]
    out = np.empty((height, width), np.uint8)
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        out[top : top + rows] = _band(samples[top : top + rows], largest, model, alpha)
    return out


def _band(samples: Samples, largest: int, model: Model, alpha: Alpha) -> GrayImage:
    light: NDArray[Any]
    if model == "rgb":
        light = luma(samples[..., 0], samples[..., 1], samples[..., 2])
    elif model == "cmyk":
        paper = largest - samples[..., :4].astype(np.int64)
        red, green, blue = ((paper[..., i] * paper[..., 3] + largest // 2) // largest for i in range(3))
        light = luma(red, green, blue)
    else:
        light = samples[..., 0] if model == "gray" else largest - samples[..., 0]
    if alpha == "none":
        return scaled(light, largest)
    cover = samples[..., CHANNELS[model]].astype(np.int64)
    if alpha == "straight":
        light = (light.astype(np.int64) * cover + largest * (largest - cover) + largest // 2) // largest
    else:
        light = np.minimum(light.astype(np.int64) + largest - cover, largest)
    return scaled(light, largest)
