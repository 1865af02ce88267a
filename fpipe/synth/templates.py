"""Templates drawn without pictures: fingers as points on a pattern's flow, impressions as extraction gives them.

A finger is a pattern class in its natural share, an orientation field and minutiae.  Where the ridges of a field
diverge, new ones must begin, so the field itself says where minutiae crowd and which way they point (Gottschlich and
Huckemann 2014, "Separating the real from the synthetic"): both come from the divergence here, over an even background.
An impression is a contact region, a rigid motion, a plastic distortion; minutiae are missed, moved, misread, made up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import grid_shape
from fpipe.core.params import Params
from fpipe.core.types import Minutiae, Template
from fpipe.synth.template_kernels import PATTERNS, SHARES, Rules, finger, impression

__all__ = ["IMPRESSIONS", "PATTERNS", "SHARES", "DrawnTemplates"]

IMPRESSIONS = (1 << 12) - 1
"""Impressions a finger can have: their number shares 64 bits with a finger's seed, which has 52."""


@dataclass(frozen=True, slots=True)
class DrawnTemplates(Params):
    """Draw a finger's impressions as templates.

    Constants without a source are fitted to what fpipe's extraction gives on real prints (the figures are in
    ``benchmarks/RESULTS.md``, the comparison in ``benchmarks/synth_templates.py``).  "sd": standard deviation.
    """

    version: ClassVar[int] = 1

    width: int = 400  # px at 500 ppi, of the picture that the print would have
    height: int = 480

    # a finger
    period_px: float = 9.2  # mean ridge period
    size_sd: float = 0.07  # of a finger's size, relative
    density: float = 2.75e-4  # minutiae a px2 where ridges run parallel
    density_sd: float = 0.16  # of a finger's density, relative
    forced: float = 0.6  # minutiae that a diverging flow brings, as a share of the ridges it needs
    core: float = 2.0  # how much denser they are on a core, as a multiple of ``density``
    core_px: float = 30.0  # how far from it
    crest: float = 4.0  # largest density, as a multiple of ``density``
    waviness_rad: float = 0.055  # sd of the orientation's unevenness
    wave_px: float = 130.0  # its length
    hard_px: float = 4.0  # least distance between two minutiae
    soft_px: float = 15.0  # up to which others get rarer towards a minutia
    lean_rad: float = 0.12  # sd of a minutia's direction about the flow
    lean_wide: float = 0.2  # share of minutiae with three times that
    endings: float = 0.5  # share of endings
    clarity_sd: float = 0.05  # of a minutia's own clarity, the same in all impressions

    # a touch
    reach_x_px: float = 132.0  # half axes of the contact region
    reach_y_px: float = 172.0
    press_sd: float = 0.09  # of their size, relative
    offset_px: float = 16.0  # sd of the contact's place on the finger
    uneven: float = 0.10  # of the contact's edge, relative to its half axes
    rotation_rad: float = 0.14  # sd
    place_px: float = 12.0  # sd of the print's place in the picture
    slide_px: float = 5.0  # sd, of the plastic distortion; as in ``fields.plastic_distortion``
    twist_rad: float = 0.05  # sd
    wobble_px: float = 1.2  # sd

    # what extraction makes of it
    clarity: float = 0.745  # mean
    print_sd: float = 0.05  # of a print's clarity
    patch_sd: float = 0.07  # of its unevenness over the print
    noise_sd: float = 0.05  # of a minutia's clarity from print to print
    border_px: float = 9.0  # depth under which nothing is detected, and up to which clarity suffers; as in ``LineEnds``
    deep_px: float = 20.0
    doubt: float = 0.43  # clarity at quality 0 and at 100; as in ``LineEnds``
    sure: float = 0.78
    least_quality: int = 25
    missed: float = 0.02  # share of minutiae missed at ``sure`` clarity
    missed_slope: float = 0.75  # more of them for every unit of clarity below that
    spurious: float = 0.42e-4  # false minutiae a px2 at mean clarity
    spurious_slope: float = 12.0  # their logarithm for every unit of clarity below that
    spurious_drop: float = 0.06  # clarity that they have less
    spurious_near: float = 0.28  # share of them beside another minutia
    near_px: float = 18.0  # how far beside it, along each axis, at most
    along_px: float = 1.6  # sd of a minutia's shift along and across the flow
    across_px: float = 0.9
    turn_rad: float = 0.05  # sd of its direction
    turn_wide: float = 0.12  # share with three times shift and turn
    flipped: float = 0.12  # share of types misread
    moisture_sd: float = 0.5  # how much more of one type than of the other, from print to print

    def __call__(self, seed: int, impressions: int, *, source: str = "", first: int = 1) -> list[Template]:
        """Impressions ``first`` .. ``first + impressions - 1`` of the finger of a seed.

        seed : from ``seeds.finger_seed``: below 2**52
        source : of the templates

        The same seed and number, the same impression, whatever is drawn beside it.  Positions, directions and the mask
        as in Template; minutiae are sorted by y, qualities are ``least_quality`` .. 100.

        Raises ValueError for a seed or an impression that there is not.
        """
        if not 0 <= seed < 1 << 52 or first < 1 or impressions < 0 or first + impressions - 1 > IMPRESSIONS:
            raise ValueError(
                f"seed {seed}, impressions {first} to {first + impressions - 1}; "
                f"expected a seed below 2**52, impressions from 1 to {IMPRESSIONS}"
            )
        rules = _rules(self)
        pattern, points = finger(np.uint64(seed), rules)
        templates = []
        mask = np.empty(grid_shape(self.height, self.width), np.bool_)
        for number in range(first, first + impressions):
            columns = impression(np.uint64(seed), np.uint64(number), rules, pattern, points, mask)
            minutiae = Minutiae(*columns)
            templates.append(Template(minutiae, self.width, self.height, mask=mask.copy(), source=source))
        return templates

    def pattern(self, seed: int) -> str:
        """The class of the finger of a seed: one of ``PATTERNS``."""
        return PATTERNS[finger(np.uint64(seed), _rules(self))[0].kind]

    def points(self, seed: int) -> NDArray[np.float64]:
        """A finger's own minutiae: (N, 5) float64 u, v (px from the pattern's centre, v upwards), direction (rad),
        type and clarity."""
        points: NDArray[np.float64] = finger(np.uint64(seed), _rules(self))[1]
        return points


@lru_cache(maxsize=16)
def _rules(drawn: DrawnTemplates) -> Rules:
    return Rules(**asdict(drawn))
