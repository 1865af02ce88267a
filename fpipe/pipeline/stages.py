"""The tables of methods: stage -> name -> class."""

from __future__ import annotations

from typing import Any

from fpipe.descriptors.cylinders import Cylinders
from fpipe.enhance.clarity import Amplitude
from fpipe.enhance.contrast import LocalContrast
from fpipe.enhance.filter import CurvedGabor
from fpipe.enhance.orientation import StructureTensor
from fpipe.enhance.period import Signature
from fpipe.enhance.segment import GradientMask
from fpipe.match.growth import Growth
from fpipe.match.votes import Votes
from fpipe.minutiae.detect import LineEnds

Table = dict[str, dict[str, type[Any]]]

EXTRACTION: Table = {
    "segmentation": {"gradient": GradientMask},
    "contrast": {"local-contrast": LocalContrast},
    "orientation": {"structure-tensor": StructureTensor},
    "period": {"signature": Signature},
    "filter": {"curved-gabor": CurvedGabor},
    "refine": {"structure-tensor": StructureTensor},
    "clarity": {"amplitude": Amplitude},
    "minutiae": {"line-ends": LineEnds},
}
"""From picture to template, in the order of the work."""

COMPARISON: Table = {
    "descriptors": {"cylinders": Cylinders},
    "votes": {"consistent": Votes},
    "match": {"growth": Growth},
}
"""From two templates to a score."""
