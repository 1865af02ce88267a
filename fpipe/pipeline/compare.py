"""Template -> descriptors -> what the exact match needs: the comparison half of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol, cast

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
        """What a gallery stores depends on these alone: descriptor and template layout."""
        return digest([self.cylinders.describe(), blob.VERSION])

    @property
    def score_digest(self) -> str:
        """What a candidate list and its scores depend on: scores of different ones can't be compared."""
        return digest([stage.describe() for stage in (self.cylinders, self.votes, self.growth)])

    def describe(self, template: Template) -> Descriptors:
        """The descriptors that the index keeps."""
        return self.cylinders(template)

    @property
    def descriptor_bytes(self) -> int:
        """Bytes a descriptor."""
        return self.cylinders.descriptor_bytes

    def voted(self, probe: Template, found: Descriptors, search: NearestSearch) -> NDArray[np.int64]:
        """Ids of the prints that the votes put forward, best first; a print without any hit is not among them.

        found : the probe's descriptors
        """
        if not len(found):
            return np.zeros(0, np.int64)
        hits = search(found.bits, NEIGHBOURS)
        m, rows = probe.minutiae, found.minutia
        ids, _ = self.votes(
            m.x[rows], m.y[rows], m.direction[rows], hits.print_id, hits.similarity, hits.x, hits.y, hits.direction
        )
        return ids

    def prepare(self, template: Template, descriptors: Descriptors | None = None) -> Prepared:
        """Everything about one template that comparisons need, made once."""
        return self.growth.prepare(template, self.describe(template) if descriptors is None else descriptors)

    def compare(self, probe: Prepared, gallery: Prepared) -> Comparison:
        """Score and paired minutiae."""
        return self.growth.compare(probe, gallery)

    def scores(self, probe: Prepared, gallery: Sequence[Prepared]) -> NDArray[np.float32]:
        """(G,) float32: the scores alone, of one probe with many prints."""
        return self.growth.scores(probe, gallery)


class Nearest(Protocol):
    """The k nearest descriptors of Q queries; (Q, k) each, print_id -1 where there are fewer."""

    @property
    def print_id(self) -> NDArray[np.int64]: ...
    @property
    def similarity(self) -> NDArray[np.float32]: ...
    @property
    def x(self) -> NDArray[np.float32]: ...
    @property
    def y(self) -> NDArray[np.float32]: ...
    @property
    def direction(self) -> NDArray[np.float32]: ...


NearestSearch = Callable[[NDArray[np.uint8], int], Nearest]
"""Query descriptors (Q, B) uint8 and k -> the hits; the index's search."""

NEIGHBOURS = 2000
"""Hits looked up for every descriptor of a latent."""


@lru_cache
def comparer() -> Comparer:
    """The comparer of this installation."""
    stages = load_comparison()
    return Comparer(cast(Cylinders, stages["descriptors"]), cast(Votes, stages["votes"]), cast(Growth, stages["match"]))
