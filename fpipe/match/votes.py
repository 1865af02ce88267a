"""From the nearest descriptors of a gallery to its most promising prints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpipe.core import jitcache
from fpipe.core.params import Params

jitcache.prepare()
from numba import njit  # noqa: E402

_LAST = 0.01
"""Similarity that the last hit of a query is credited with: it is a hit all the same."""


@dataclass(frozen=True, slots=True)
class Votes(Params):
    """Ranks prints by their hits that agree on one rotation and displacement.

    Every hit votes with how much more similar it is than the last hit of its query.  A print gets the votes of its
    strongest consistent group: a hit and all others whose distance, directions and bearings to it are the same in both
    prints (a Hough transform without bins); each query minutia counts once.
    """

    length_px: float = 10.0  # px, tolerance of the distance between two hits
    length_share: float = 0.1  # of that distance, added
    angle_rad: float = math.pi / 6.0  # rad, tolerance of directions and bearings
    half_turn: float = 0.8  # share of its votes that a group keeps which is turned by more than a quarter
    most_hits: int = 300  # strongest hits of a print that are looked at: bounds the work

    def __call__(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        direction: NDArray[np.float32],
        print_id: NDArray[np.int64],
        similarity: NDArray[np.float32],
        hit_x: NDArray[np.float32],
        hit_y: NDArray[np.float32],
        hit_direction: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank the prints that were hit.

        Parameters
        ----------
        x, y, direction : (Q,) of the queries' minutiae, px, rad
        print_id, similarity : (Q, k), the hits of each query, best first, -1 where there are fewer; 0..1
        hit_x, hit_y, hit_direction : (Q, k) of the hits' minutiae, px, rad

        Returns
        -------
        print ids (P,) int64 best first, ties by id, and their votes (P,) float32.
        """
        query, column = np.nonzero(print_id >= 0)
        if not len(query):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        last = np.where(print_id >= 0, similarity, 1.0).min(axis=1)
        lead = (similarity - last[:, None] + _LAST)[query, column] / (1.0 - last[query] + _LAST)
        order = np.lexsort((query, print_id[query, column]))
        query, column, lead = query[order], column[order], lead[order].astype(np.float64)
        prints = print_id[query, column]
        starts = np.flatnonzero(np.r_[True, prints[1:] != prints[:-1], True])
        votes = _strongest_groups(
            starts,
            query,
            lead,
            x.astype(np.float64),
            y.astype(np.float64),
            direction.astype(np.float64),
            hit_x[query, column].astype(np.float64),
            hit_y[query, column].astype(np.float64),
            hit_direction[query, column].astype(np.float64),
            float(self.length_px),
            float(self.length_share),
            float(self.angle_rad),
            float(self.half_turn),
            self.most_hits,
        ).astype(np.float32)
        ids = prints[starts[:-1]]
        best = np.lexsort((ids, -votes))
        return ids[best], votes[best]


@njit(cache=True)
def _gap(angle):  # type: ignore[no-untyped-def]
    return abs(angle - 2.0 * math.pi * round(angle / (2.0 * math.pi)))


@njit(cache=True)
def _strongest_groups(  # type: ignore[no-untyped-def]
    starts, query, weight, x, y, direction, hx, hy, hd, length_px, length_share, angle, half_turn, most
):
    """The votes of each print's strongest group; hits of print p stand at starts[p]:starts[p + 1], ordered by query."""
    votes = np.zeros(len(starts) - 1)
    for p in range(len(votes)):
        rows = np.arange(starts[p], starts[p + 1])
        if len(rows) > most:
            rows = np.sort(rows[np.argsort(-weight[rows], kind="mergesort")[:most]])
        for pivot in rows:
            i = query[pivot]
            total, best, run = weight[pivot], 0.0, -1
            for hit in rows:
                k = query[hit]
                if k == i:
                    continue
                if k != run:
                    total += best
                    best, run = 0.0, k
                if weight[hit] <= best:
                    continue
                dx, dy = x[k] - x[i], y[i] - y[k]
                ex, ey = hx[hit] - hx[pivot], hy[pivot] - hy[hit]
                length, other = math.hypot(dx, dy), math.hypot(ex, ey)
                if abs(length - other) > length_px + length_share * length or other < 1.0:
                    continue
                if _gap(direction[k] - direction[i] - hd[hit] + hd[pivot]) > angle:
                    continue
                turn = hd[pivot] - direction[i]
                if _gap(math.atan2(ey, ex) - math.atan2(dy, dx) - turn) > angle:
                    continue
                best = weight[hit]
            total += best
            if _gap(hd[pivot] - direction[i]) > 0.5 * math.pi:
                total *= half_turn
            votes[p] = max(votes[p], total)
    return votes
