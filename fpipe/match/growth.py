"""The exact match: roots by relaxation, a pairing grown over a map that may bend, a score of products.

docs/matching.md says in words what is done and where each constant comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fpipe.core.params import Params
from fpipe.core.types import Comparison, Descriptors, Template
from fpipe.match import kernels
from fpipe.match.prepared import Part, Prepared, prepare

__all__ = ["Growth", "Prepared"]


@dataclass(frozen=True, slots=True)
class Growth(Params):
    """Compares two prepared templates."""

    most_minutiae: int = 200  # of best quality take part: bounds the work
    weak_from: int = 15  # percent, quality from which weak minutiae take part: of those with a partner most are true
    sure_from: int = 62  # percent, quality from which a minutia counts whole; under it in proportion
    hull_margin_px: float = 0.0  # px around the minutiae's hull where a template has no mask

    # which minutiae are alike
    max_turn_rad: float = math.pi  # rad, largest rotation between the prints; pi = any
    least_common: int = 10  # cells that both cylinders must have in the print: a fifth of the disc's 52
    pairs_share: float = 1.0  # pairs that are relaxed, as a multiple of the smaller print's descriptors
    pairs_least: int = 8
    pairs_most: int = 64

    # relaxation: MCC's rule, looser: a share of the length, and 20 degrees where the paper has 15
    length_px: float = 6.0  # px, tolerance of a distance between two minutiae
    length_share: float = 0.08  # of that distance, added
    length_slope: float = 1.6  # 1/px
    angle_rad: float = math.pi / 9.0  # rad, tolerance of directions and bearings
    angle_slope: float = 30.0  # 1/rad
    rounds: int = 5
    keep: float = 0.5  # of the similarity in each round
    roots: int = 3

    # growth
    near_px: float = 10.0  # px, search radius around a predicted place
    near_share: float = 0.15  # of the distance to the nearest pair, added
    near_early: float = 0.08  # of it, added while there are fewer than 3 pairs
    near_most: float = 24.0  # px, largest search radius
    reach_px: float = 200.0  # px, farthest from a pair that growth goes on
    turn_rad: float = math.radians(34.0)  # rad, tolerance of directions
    bend_px: float = 30.0  # px, below this distance all pairs weigh alike in the map
    direction_px: float = 30.0  # px, lever of a pair's directions in the map's rotation

    # evidence
    residual_px: float = 6.0  # px, sigma of a pair's distance from where the others place it
    direction_rad: float = 0.15  # rad, sigma of a pair's direction from where the others turn it
    support_px: float = 5.0  # px, tolerance of the distance between two pairs
    support_share: float = 0.06  # of that distance, added
    support_most: int = 6  # supporting pairs that make a pair fully supported

    # score: weights of a logistic regression on 280 genuine and 2,880 impostor pairs, the first 5 fingers of FVC2002
    # DB3_B and of FVC2004 DB1_B with another extractor's minutiae; the constant puts FMR 0.1 % near 0
    constant: float = -12.0
    per_log_quality: float = 2.05
    per_quality_fraction: float = 0.151
    per_unmatched: float = -0.049
    per_fraction: float = 5.95
    per_alike: float = 7.64
    per_mean_quality: float = 7.94
    per_smaller: float = -0.063
    half_turn: float = -3.0  # log odds of mates that lie more than a quarter turn apart: seldom, yet possible

    def prepare(self, template: Template, descriptors: Descriptors) -> Prepared:
        """Everything about one template that comparisons need."""
        return prepare(template, descriptors, Part._make(getattr(self, name) for name in Part._fields))

    def compare(self, probe: Prepared, gallery: Prepared) -> Comparison:
        """Score, paired minutiae (rows of ``every``) in the order of growth, rotation of probe to gallery."""
        score, rotation, pairs = kernels.compare(probe, gallery, self._rules())
        rows = np.stack([probe.minutia[pairs[:, 0]], gallery.minutia[pairs[:, 1]]], axis=1)
        doubtful = probe.weak[pairs[:, 0]] | gallery.weak[pairs[:, 1]]
        return Comparison(float(np.float32(score)), rows.astype(np.int32), doubtful, float(rotation))

    def scores(self, probe: Prepared, gallery: Sequence[Prepared]) -> NDArray[np.float32]:
        """(G,) float32: the scores of one probe with many prints, the same as ``compare`` gives."""
        rules = self._rules()
        return np.array([kernels.compare(probe, other, rules)[0] for other in gallery], np.float32)

    def _rules(self) -> kernels.Rules:
        whole = {f.name for f in fields(self) if isinstance(f.default, int)}  # a preset may give 5 for 5.0
        values = [(name, getattr(self, name)) for name in kernels.Rules._fields]
        return kernels.Rules._make(value if name in whole else float(value) for name, value in values)
