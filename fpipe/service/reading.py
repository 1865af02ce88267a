"""A file becomes a template: read, bring to 500 ppi, extract; with what was read and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from fpipe.core.trace import Trace, no_trace
from fpipe.core.types import GrayImage, Picture, Template
from fpipe.formats import read_picture, to_500_ppi
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import Preset


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One print as read.

    picture : as in the file
    image : (H, W) uint8 at 500 ppi
    seconds : of "read" (file to 500 ppi) and "extract" (to the template)
    """

    name: str
    picture: Picture
    image: GrayImage
    template: Template
    preset: str
    seconds: dict[str, float]


def read_print(path: Path, preset: Preset, *, ppi: float | None = None, trace: Trace = no_trace) -> Reading:
    """Read and extract one file.

    Raises InputRefused (a subclass says why) where the file can't be used.
    """
    name = path.as_posix()
    start = time.perf_counter()
    picture = read_picture(path, name=name, ppi=ppi)
    image = to_500_ppi(picture, name)
    middle = time.perf_counter()
    template = extract(image, preset, trace, where=name)
    seconds = {"read": middle - start, "extract": time.perf_counter() - middle}
    return Reading(name, picture, image, template, preset.name, seconds)
