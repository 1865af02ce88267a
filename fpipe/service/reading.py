"""A print from a file: picture, 500 ppi, template, with what was done and how long it took.

A probe may also be a template file, or the markup in an exchange file: then there is little or no picture to read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import PPI
from fpipe.core.errors import NotFound, UsageError
from fpipe.core.files import sha256_hex, split_choice
from fpipe.core.trace import Trace, no_trace
from fpipe.core.types import GivenPpi, GrayImage, Picture, Template
from fpipe.formats import read_picture, to_500_ppi
from fpipe.formats.exchange.pictures import pictures_of, read_exchange_picture
from fpipe.formats.exchange.records import ExchangeFile, is_exchange, parse
from fpipe.minutiae.blob import quantised
from fpipe.minutiae.files import is_template, parse_template
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import Preset
from fpipe.pipeline.ridge_scale import estimate_ppi
from fpipe.service.gallery_files import Source, as_text, read_bytes
from fpipe.service.markup import MARKED_QUALITY, Use, facts_of, marked_template, marks_for, merged

PAPER = 255
"""Gray level of what stands for a picture where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One print as read.

    picture : as in the file; blank paper of the template's size where there is none
    image : (H, W) uint8 at 500 ppi, alike
    seconds : of "read" (file to 500 ppi) and "extract" (to the template)
    method : the preset's extraction digest, or what else made the template
    use : of an exchange file what was used; "image" of all others but template files, which are "template"
    examiner : (N,) bool, the template's minutiae that an examiner marked
    markup : what the markup says besides, JSON-able; None where none was used
    notices : what a person should know beyond the picture's own, one line each
    """

    name: str
    picture: Picture
    image: GrayImage
    template: Template
    preset: str
    seconds: dict[str, float]
    method: str = ""
    use: str = "image"
    examiner: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    markup: dict[str, Any] | None = None
    notices: tuple[str, ...] = ()


def picture_of(source: Path | bytes, name: str, ppi: float | None) -> Picture:
    """As ``read_picture``; where an estimate is asked for and the file states no resolution, with that.

    Raises UnknownResolution where no ridges are clear enough for one.
    """
    return estimated(partial(read_picture, source, name=name), name, ppi)


def estimated(read: Callable[..., Picture], name: str, ppi: float | None) -> Picture:
    """What ``read(ppi=...)`` gives; where an estimate is asked for and nothing is stated, with that."""
    if not (isinstance(ppi, GivenPpi) and ppi.origin == "estimated"):
        return read(ppi=ppi)
    picture = read(ppi=None)
    if picture.ppi is not None:
        line = f"the file states {picture.ppi:.6g} ppi, so nothing is estimated"
        return replace(picture, notices=(*picture.notices, line))
    found = estimate_ppi(picture.pixels, name)
    kept = tuple(line for line in picture.notices if not line.startswith("resolution unknown"))
    return replace(picture, ppi=found.ppi, ppi_origin="estimated", notices=(*kept, found.line))


def read_print(path: Path, preset: Preset, *, ppi: float | None = None, trace: Trace = no_trace) -> Reading:
    """Read and extract one file.

    Raises InputRefused (a subclass says why) where the file can't be used.
    """
    name = as_text(path)
    start = time.perf_counter()
    picture = picture_of(path, name, ppi)
    image = to_500_ppi(picture, name)
    middle = time.perf_counter()
    template = extract(image, preset, trace, where=name)
    seconds = {"read": middle - start, "extract": time.perf_counter() - middle}
    none = np.zeros(len(template.minutiae), np.bool_)
    return Reading(name, picture, image, template, preset.name, seconds, preset.extraction_digest, examiner=none)


def read_probe(
    path: Path, preset: Preset, *, ppi: float | None = None, use: Use | None = None, trace: Trace = no_trace
) -> Reading:
    """Read what is to be searched: a picture, a template file, or an exchange file by picture, markup or both.

    use : of an exchange file; by default its picture, where it has none its markup

    Raises InputRefused (a subclass says why), UsageError where ``use`` asks for what such a file can't have.
    """
    if is_template(path):
        _refuse_use(use, path, "a template file")
        return _imported(path, ppi)
    data = _exchange_bytes(path)
    if data is None:
        _refuse_use(use, path, "a picture")
        return read_print(path, preset, ppi=ppi, trace=trace)
    file = parse(data, as_text(path))
    chosen: Use = use or ("image" if pictures_of(file) else "markup")
    if chosen == "image":
        return read_print(path, preset, ppi=ppi, trace=trace)
    return _marked(path, file, data, preset, ppi, chosen, trace)


def _refuse_use(use: Use | None, path: Path, what: str) -> None:
    if use in ("markup", "both"):
        reason = f"{as_text(path)}: it is {what}; expected an ANSI/NIST file with Type-9 minutiae for --use {use}"
        raise UsageError(reason=reason)


def _exchange_bytes(path: Path) -> bytes | None:
    """An exchange file's bytes; None for any other file, whose reader says what is wrong with it."""
    try:
        file = split_choice(path)[0]
        if not file.is_file():
            return None
        with file.open("rb") as handle:
            head = handle.read(64)
            return head + handle.read() if is_exchange(head) else None
    except OSError as error:
        raise NotFound(where=as_text(path), reason=error.strerror or str(error)) from error


def _imported(path: Path, ppi: float | None) -> Reading:
    """A template file, without a picture."""
    start = time.perf_counter()
    name = as_text(path)
    data = read_bytes(Source(path, name))
    found = parse_template(data, name, ppi=ppi)
    template = quantised(found.template)
    seconds = {"read": time.perf_counter() - start, "extract": 0.0}
    method = template.source.partition(":")[0] or "unknown"
    picture = _paper(template, data, "template", ("a template without a picture", *found.notices, *lacking(template)))
    none = np.zeros(len(template.minutiae), np.bool_)
    return Reading(name, picture, picture.pixels, template, "imported", seconds, method, "template", none)


def lacking(template: Template) -> tuple[str, ...]:
    """What a template lacks of what comparisons use, one line each."""
    lines = []
    if template.mask is None:
        lines.append(
            "it does not say where the print is: the area within its minutiae is taken, so that skin without minutiae "
            "beyond them does not count against a candidate"
        )
    if len(template.minutiae) and not template.minutiae.kind.any():
        lines.append("it does not say endings and bifurcations apart: types neither help nor hinder")
    if len(template.minutiae) and not template.minutiae.quality.any():
        lines.append("it states no quality of its minutiae: of too many the first take part")
    return tuple(lines)


def _paper(template: Template, data: bytes, format: str, notices: tuple[str, ...]) -> Picture:
    """Blank paper of a template's size, in the place of a picture."""
    pixels = np.full((template.height, template.width), PAPER, np.uint8)
    return Picture(pixels, float(PPI), "file", format, 8, sha256_hex(data), notices)


def _marked(
    path: Path, file: ExchangeFile, data: bytes, preset: Preset, ppi: float | None, use: Use, trace: Trace
) -> Reading:
    """Markup of an exchange file, on its picture where it has one."""
    name, choice = as_text(path), split_choice(path)[1]
    start = time.perf_counter()
    marks = marks_for(file, name, choice)
    idc = marks.record.idc
    there = idc is not None and any(picture.record.idc == idc for picture in pictures_of(file))
    source = f"type9-{marks.block}:{sha256_hex(data)}"
    if not there:
        theirs = marked_template(marks, name, ppi=ppi, quality=MARKED_QUALITY, source=source)
        if use == "both":
            raise NotFound(where=name, reason=f"no picture of IDC {idc}, which --use both needs")
        picture = _paper(theirs.template, data, "ANSI/NIST Type-9", ("markup without a picture", *file.notices))
        image = picture.pixels
    else:
        picture = estimated(partial(read_exchange_picture, data, name, f"idc={idc}"), name, ppi)
        ppi = None if ppi is None else picture.ppi
        image = to_500_ppi(picture, name)
        size = image.shape[1], image.shape[0]
        theirs = marked_template(marks, name, size=size, ppi=ppi, quality=MARKED_QUALITY, source=source)
    middle = time.perf_counter()
    method = f"type9-{marks.block}"
    if use == "both":
        ours = extract(image, preset, trace, where=name)
        theirs = merged(ours, theirs)
        method = f"{preset.extraction_digest}+{method}"
    template = quantised(theirs.template)
    seconds = {"read": middle - start, "extract": time.perf_counter() - middle}
    told = f"{int(theirs.examiner.sum())} of {len(template.minutiae)} minutiae are the markup's (Type-9, {marks.block})"
    notices = (told, *theirs.notices, *(lacking(template) if use == "markup" else ()))
    return Reading(
        name, picture, image, template, preset.name, seconds, method, use, theirs.examiner, facts_of(marks), notices
    )
