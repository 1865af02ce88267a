"""Two prints compared, each a picture or a template file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpipe.core.types import Comparison, Template
from fpipe.minutiae.files import is_template, read_template
from fpipe.pipeline.compare import comparer
from fpipe.pipeline.presets import load_preset
from fpipe.service.reading import read_print


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two templates and what the exact match says of them."""

    probe: Template
    gallery: Template
    comparison: Comparison


def template_of(path: Path, *, ppi: float | None, preset: str) -> Template:
    """The template in a template file, or of a picture."""
    if is_template(path):
        return read_template(path)
    return read_print(path, load_preset(preset), ppi=ppi).template


def compare_files(probe: Path, gallery: Path, *, ppi: float | None, probe_preset: str, gallery_preset: str) -> Compared:
    """Read both and compare."""
    first = template_of(probe, ppi=ppi, preset=probe_preset)
    second = template_of(gallery, ppi=ppi, preset=gallery_preset)
    match = comparer()
    return Compared(first, second, match.compare(match.prepare(first), match.prepare(second)))


def as_document(found: Compared, probe: Path, gallery: Path) -> dict[str, object]:
    """The JSON of one comparison, as ``fpipe compare --json`` prints it."""
    return {
        "probe": probe.as_posix(),
        "gallery": gallery.as_posix(),
        "score": round(found.comparison.score, 4),
        "rotation_degrees": round(float(np.rad2deg(found.comparison.rotation)), 1),
        "minutiae": {"probe": len(found.probe.minutiae), "gallery": len(found.gallery.minutiae)},
        "pairs": [
            {
                "number": number,
                "probe": _point(found.probe, int(a)),
                "gallery": _point(found.gallery, int(b)),
                "doubtful": bool(doubtful),
            }
            for number, ((a, b), doubtful) in enumerate(
                zip(found.comparison.pairs, found.comparison.doubtful, strict=True), 1
            )
        ],
    }


def _point(template: Template, row: int) -> dict[str, float]:
    m = template.every
    return {
        "x": round(float(m.x[row]), 2),
        "y": round(float(m.y[row]), 2),
        "direction_degrees": round(float(np.rad2deg(m.direction[row])), 1),
        "quality": int(m.quality[row]),
    }
