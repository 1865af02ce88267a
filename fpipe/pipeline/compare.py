"""Template -> descriptors -> what the exact match needs: the comparison half of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fpipe.core.params import digest
from fpipe.core.types import Comparison, Descriptors, Template
from fpipe.descriptors.cylinders import Cylinders
from fpipe.match.growth import Growth, Prepared
from fpipe.match.votes import Votes
from fpipe.minutiae import blob
from fpipe.pipeline.presets import load_comparison

__all__ = ["Comparer", "Prepared", "comparer"]


class Comparer:
    """Compares templates; one set of methods for the whole installation, so that scores mean the same everywhere."""

    def __init__(self, cylinders: Cylinders, votes: Votes, growth: Growth) -> None:
        self.cylinders = cylinders
        self.votes = votes
        self.growth = growth

    @property
    def digest(self) -> str:
        """Comparison digest: descriptor and template layout.  What a gallery stores depends on these alone."""
        return digest([self.cylinders.describe(), blob.VERSION])

    def describe(self, template: Template) -> Descriptors:
        """The descriptors that the index keeps."""
        return self.cylinders(template)

    def prepare(self, template: Template, descriptors: Descriptors | None = None) -> Prepared:
        """Everything about one template that comparisons need, made once."""
        return self.growth.prepare(template, self.describe(template) if descriptors is None else descriptors)

    def compare(self, probe: Prepared, gallery: Prepared) -> Comparison:
        """Score and paired minutiae."""
        return self.growth.compare(probe, gallery)

    def scores(self, probe: Prepared, gallery: Sequence[Prepared]) -> NDArray[np.float32]:
        """(G,) float32: the scores alone, of one probe with many prints."""
        return self.growth.scores(probe, gallery)


@lru_cache
def comparer() -> Comparer:
    """The comparer of this installation."""
    stages = load_comparison()
    return Comparer(cast(Cylinders, stages["descriptors"]), cast(Votes, stages["votes"]), cast(Growth, stages["match"]))
