"""The tables of methods: stage -> name -> class."""

from __future__ import annotations

from typing import Any

from fpipe.descriptors.cylinders import Cylinders
from fpipe.enhance.clarity import Amplitude
from fpipe.enhance.contrast import LocalContrast
from fpipe.enhance.filter import CurvedGabor
from fpipe.enhance.learned import LearnedMask, LearnedOrientation, Network
from fpipe.enhance.orientation import StructureTensor
from fpipe.enhance.period import Signature
from fpipe.enhance.segment import GradientMask
from fpipe.match.growth import Growth
from fpipe.match.votes import Votes
from fpipe.minutiae.detect import LineEnds
from fpipe.minutiae.learned import Peaks

Table = dict[str, dict[str, type[Any]]]

CLASSICAL: Table = {
    "segmentation": {"gradient": GradientMask, "learned": LearnedMask},
    "contrast": {"local-contrast": LocalContrast},
    "orientation": {"structure-tensor": StructureTensor, "learned": LearnedOrientation},
    "period": {"signature": Signature},
    "filter": {"curved-gabor": CurvedGabor},
    "refine": {"structure-tensor": StructureTensor},
    "clarity": {"amplitude": Amplitude},
    "minutiae": {"line-ends": LineEnds},
}
"""From picture to template step by step, in the order of the work."""

LEARNED: Table = {
    "reading": {"network": Network},
    "minutiae": {"peaks": Peaks},
}
"""From picture to template with a network that sees everything at once; a preset with [reading] goes this way."""

COMPARISON: Table = {
    "descriptors": {"cylinders": Cylinders},
    "votes": {"consistent": Votes},
    "match": {"growth": Growth},
}
"""From two templates to a score."""
