"""One file to a template file, or to its enhanced picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from fpipe.core.conventions import PPI
from fpipe.core.trace import Recorder
from fpipe.formats import write_picture
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service.reading import read_print


@dataclass(frozen=True, slots=True)
class Extracted:
    """What ``fpipe extract --json`` prints, and what a person should know."""

    document: dict[str, Any]
    notices: tuple[str, ...]


def extract_file(file: Path, out: Path, *, xyt: str, ppi: float | None, preset: str) -> Extracted:
    """Read, extract and write the template in the format of ``out``'s ending."""
    chosen = load_preset(preset)
    reading = read_print(file, chosen, ppi=ppi)
    notices = write_template(out, reading.template, xyt=cast(Literal["m1", "native"], xyt))
    document = {
        "file": file.as_posix(),
        "sha256": reading.picture.sha256,
        "ppi": reading.picture.ppi,
        "ppi_origin": reading.picture.ppi_origin,
        "preset": chosen.name,
        "extraction_digest": chosen.extraction_digest,
        "width": reading.template.width,
        "height": reading.template.height,
        "minutiae": len(reading.template.minutiae),
        "seconds": {name: round(value, 4) for name, value in reading.seconds.items()},
        "out": out.as_posix(),
    }
    return Extracted(document, (*reading.picture.notices, *notices))


def enhance_file(file: Path, out: Path, *, ppi: float | None, preset: str) -> None:
    """Write the enhanced picture, 500 ppi, ridges dark, mid-gray outside the print."""
    trace = Recorder()
    read_print(file, load_preset(preset), ppi=ppi, trace=trace)
    enhanced = trace["enhanced.image"]
    write_picture(out, np.clip(127.5 - 127.5 * enhanced, 0, 255).round().astype(np.uint8), float(PPI))
