"""The exact match's compiled steps, in the order in which they run.

All in one file: numba renews its cache when a kernel's own file changes, but not when that of a kernel it calls does.
Arrays of one template: see ``Prepared``; ``rules`` is a ``Rules``.  Indices are rows of the prepared minutiae.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fpipe.core import jitcache
from fpipe.core.conventions import CELL_PX

jitcache.prepare()
from numba import njit  # noqa: E402

TWO_PI = 2.0 * math.pi
_BINS = 512


class Rules(NamedTuple):
    """The constants of ``Growth`` as the kernels see them; units and sources stand there."""

    max_turn_rad: float
    least_common: int
    pairs_share: float
    pairs_least: int
    pairs_most: int
    length_px: float
    length_share: float
    length_slope: float
    angle_rad: float
    angle_slope: float
    rounds: int
    keep: float
    roots: int
    near_px: float
    near_share: float
    near_early: float
    near_most: float
    reach_px: float
    turn_rad: float
    bend_px: float
    direction_px: float
    residual_px: float
    direction_rad: float
    support_px: float
    support_share: float
    support_most: int
    constant: float
    per_log_quality: float
    per_quality_fraction: float
    per_unmatched: float
    per_fraction: float
    per_alike: float
    per_mean_quality: float
    per_smaller: float
    half_turn: float


@njit(cache=True, inline="always")
def _ones(word):  # type: ignore[no-untyped-def]
    """Number of set bits of a uint64; compiles to one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, inline="always")
def _gap(angle):  # type: ignore[no-untyped-def]
    """Absolute size of a turn of any number of revolutions, [0, pi]."""
    return abs(angle - TWO_PI * round(angle / TWO_PI))


@njit(cache=True)
def similar_pairs(a, b, rules):  # type: ignore[no-untyped-def]
    """The pairs of minutiae whose cylinders are most alike: rows of a, rows of b, similarity; best first.

    Similarity 1 - |p xor q| / (|p| + |q|) over the common valid cells, |.| the square root of the number of bits, as in
    the paper.  The number of pairs follows the smaller print.
    """
    words = a.valid.shape[1]
    layers = a.bits.shape[1] // max(words, 1)
    na, nb = len(a.described), len(b.described)
    wanted = int(min(max(rules.pairs_share * min(na, nb), rules.pairs_least), rules.pairs_most))
    alike = np.zeros((na, nb), np.float32)
    histogram = np.zeros(_BINS + 1, np.int64)
    for i in range(na):
        for j in range(nb):
            if _gap(a.direction[a.described[i]] - b.direction[b.described[j]]) > rules.max_turn_rad:
                continue
            cells = 0
            for w in range(words):
                cells += _ones(a.valid[i, w] & b.valid[j, w])
            if cells < rules.least_common:
                continue
            in_a, in_b, both = 0, 0, 0
            for layer in range(layers):
                for w in range(words):
                    p, q = a.bits[i, layer * words + w], b.bits[j, layer * words + w]
                    in_a += _ones(p & b.valid[j, w])
                    in_b += _ones(q & a.valid[i, w])
                    both += _ones(p & q)
            if both == 0:
                continue
            similarity = 1.0 - math.sqrt(in_a + in_b - 2 * both) / (math.sqrt(in_a) + math.sqrt(in_b))
            alike[i, j] = similarity
            if similarity > 0.0:
                histogram[int(similarity * _BINS)] += 1
    lowest, held = _BINS, histogram[_BINS]
    while lowest > 0 and held < wanted:
        lowest -= 1
        held += histogram[lowest]
    values = np.empty(held, np.float32)
    rows = np.empty((held, 2), np.int64)
    n = 0
    for i in range(na):
        for j in range(nb):
            if alike[i, j] > 0.0 and int(alike[i, j] * _BINS) >= lowest:
                values[n], rows[n, 0], rows[n, 1] = alike[i, j], a.described[i], b.described[j]
                n += 1
    order = np.argsort(-values[:n], kind="mergesort")[:wanted]
    return rows[order, 0], rows[order, 1], values[order]


@njit(cache=True)
def relax(a, b, rows_a, rows_b, alike, rules):  # type: ignore[no-untyped-def]
    """Let the pairs support each other: the paper's local similarity sort with relaxation.

    Returns each pair's relaxed similarity: in every round a part is kept, the rest renewed by the pairs that agree with
    it in distance, directions and bearing.
    """
    n = len(alike)
    agreement = np.zeros((n, n), np.float32)
    for t in range(n):
        at, bt = rows_a[t], rows_b[t]
        for k in range(t):
            ak, bk = rows_a[k], rows_b[k]
            if ak == at or bk == bt:
                continue
            off = abs(a.distance[at, ak] - b.distance[bt, bk])
            tolerance = rules.length_px + rules.length_share * 0.5 * (a.distance[at, ak] + b.distance[bt, bk])
            if off > 2.0 * tolerance:
                continue
            turn = _gap((a.direction[at] - a.direction[ak]) - (b.direction[bt] - b.direction[bk]))
            if turn > 2.0 * rules.angle_rad:
                continue
            one = _gap(a.bearing[at, ak] - b.bearing[bt, bk])
            other = _gap(a.bearing[ak, at] - b.bearing[bk, bt])
            if max(one, other) > 2.0 * rules.angle_rad:
                continue
            by_length = 1.0 / (1.0 + math.exp(rules.length_slope * (off - tolerance)))
            by_turn = 1.0 / (1.0 + math.exp(rules.angle_slope * (turn - rules.angle_rad)))
            common = by_length * by_turn
            agreement[t, k] = common / (1.0 + math.exp(rules.angle_slope * (one - rules.angle_rad)))
            agreement[k, t] = common / (1.0 + math.exp(rules.angle_slope * (other - rules.angle_rad)))
    relaxed = alike.astype(np.float64)
    renewed = np.empty(n, np.float64)
    for _ in range(rules.rounds):
        for t in range(n):
            total = 0.0
            for k in range(n):
                total += agreement[t, k] * relaxed[k]
            renewed[t] = rules.keep * relaxed[t] + (1.0 - rules.keep) * total / max(n - 1, 1)
        relaxed[:] = renewed
    return relaxed


@njit(cache=True)
def predict(x, y, a, b, pairs, skip, rules):  # type: ignore[no-untyped-def]
    """Where a point of a lies in b, and the rotation there, by the pairs found so far but pair ``skip``.

    The rigid motion that fits the pairs best in the sense of weighted least squares, with weights that fall with the
    distance from the point, so that the map bends (moving least squares: Schaefer, McPhail, Warren, SIGGRAPH 2006).
    The pairs' own directions count as ``direction_px`` of lever each, so that one pair is enough.
    """
    total, ax, ay, bx, by = 0.0, 0.0, 0.0, 0.0, 0.0
    same, cross, turn_cos, turn_sin = 0.0, 0.0, 0.0, 0.0
    for k in range(len(pairs)):
        if k == skip:
            continue
        i, j = pairs[k, 0], pairs[k, 1]
        px, py, qx, qy = a.x[i] - x, a.y[i] - y, b.x[j] - x, b.y[j] - y
        weight = 1.0 / (px * px + py * py + rules.bend_px * rules.bend_px)
        total += weight
        ax += weight * px
        ay += weight * py
        bx += weight * qx
        by += weight * qy
        same += weight * (px * qx + py * qy)
        cross += weight * (qx * py - qy * px)
        turn_cos += weight * (a.cos[i] * b.cos[j] + a.sin[i] * b.sin[j])
        turn_sin += weight * (a.cos[i] * b.sin[j] - a.sin[i] * b.cos[j])
    ax, ay, bx, by = ax / total, ay / total, bx / total, by / total
    lever = rules.direction_px * rules.direction_px
    cos = same / total - (ax * bx + ay * by) + lever * turn_cos / total
    sin = cross / total - (bx * ay - by * ax) + lever * turn_sin / total
    norm = max(math.hypot(cos, sin), 1e-12)
    cos, sin = cos / norm, sin / norm
    return x + bx - cos * ax - sin * ay, y + by + sin * ax - cos * ay, cos, sin


@njit(cache=True)
def grow(root_a, root_b, a, b, rules):  # type: ignore[no-untyped-def]
    """One-to-one pairs, grown from a root: (P, 2) rows, in the order in which they were found.

    Takes next the minutia of a nearest to those paired, predicts its place, and pairs it with the nearest free minutia
    of b there that points the right way.
    """
    na, nb = len(a.x), len(b.x)
    pairs = np.empty((min(na, nb), 2), np.int32)
    pairs[0, 0], pairs[0, 1] = root_a, root_b
    n = 1
    near = a.distance[root_a].copy()
    tried = np.zeros(na, np.bool_)
    taken = np.zeros(nb, np.bool_)
    tried[root_a], taken[root_b] = True, True
    while n < len(pairs):
        i, gap = -1, rules.reach_px
        for k in range(na):
            if not tried[k] and near[k] < gap:
                i, gap = k, near[k]
        if i < 0:
            break
        tried[i] = True
        x, y, cos, sin = predict(a.x[i], a.y[i], a, b, pairs[:n], -1, rules)
        share = rules.near_share + (rules.near_early if n < 3 else 0.0)
        radius = min(rules.near_px + share * gap, rules.near_most)
        least_cos = math.cos(rules.turn_rad)
        toward_cos = a.cos[i] * cos - a.sin[i] * sin
        toward_sin = a.sin[i] * cos + a.cos[i] * sin
        j, best = -1, radius * radius
        for k in range(nb):
            if not taken[k]:
                square = (b.x[k] - x) ** 2 + (b.y[k] - y) ** 2
                if square < best and b.cos[k] * toward_cos + b.sin[k] * toward_sin > least_cos:
                    j, best = k, square
        if j >= 0:
            pairs[n, 0], pairs[n, 1] = i, j
            n += 1
            taken[j] = True
            for k in range(na):
                near[k] = min(near[k], a.distance[i, k])
    return pairs[:n]


@njit(cache=True)
def _in_print(x, y, mask):  # type: ignore[no-untyped-def]
    row, column = math.floor((y + 0.5) / CELL_PX), math.floor((x + 0.5) / CELL_PX)
    return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]


@njit(cache=True)
def _unmatched(a, b, pairs, rules):  # type: ignore[no-untyped-def]
    """Weight of the minutiae of a without a partner whose place lies in b's print."""
    paired = np.zeros(len(a.x), np.bool_)
    for k in range(len(pairs)):
        paired[pairs[k, 0]] = True
    count = 0.0
    for i in range(len(a.x)):
        if not paired[i]:
            x, y, _, _ = predict(a.x[i], a.y[i], a, b, pairs, -1, rules)
            if _in_print(x, y, b.mask):
                count += a.weight[i]
    return count


@njit(cache=True)
def evidence(a, b, pairs, rules):  # type: ignore[no-untyped-def]
    """What speaks for and against a pairing.

    Weight of the pairs, each the geometric mean of its minutiae's; sums over them, of at most their weight each, of
    nearness to where the others place it, agreement in direction, equal kind (1/2 where unknown), support by distances
    to the others; weight of the unmatched minutiae of a in b's print, of b in a's.
    """
    n = len(pairs)
    total, near, turned, kinds, support = 0.0, 0.0, 0.0, 0.0, 0.0
    weight = np.sqrt(a.weight[pairs[:, 0]] * b.weight[pairs[:, 1]])
    for k in range(n):
        i, j = pairs[k, 0], pairs[k, 1]
        total += weight[k]
        if n > 1:
            x, y, cos, sin = predict(a.x[i], a.y[i], a, b, pairs, k, rules)
            square = (b.x[j] - x) ** 2 + (b.y[j] - y) ** 2
            near += weight[k] * math.exp(-square / (2.0 * rules.residual_px * rules.residual_px))
            off_cos = (a.cos[i] * cos - a.sin[i] * sin) * b.cos[j] + (a.sin[i] * cos + a.cos[i] * sin) * b.sin[j]
            off = 2.0 * (1.0 - off_cos)
            turned += weight[k] * math.exp(-off / (2.0 * rules.direction_rad * rules.direction_rad))
        if a.kind[i] == 0 or b.kind[j] == 0:
            kinds += 0.5 * weight[k]
        elif a.kind[i] == b.kind[j]:
            kinds += weight[k]
        agree = 0.0
        for m in range(n):
            length = a.distance[i, pairs[m, 0]]
            off = abs(length - b.distance[j, pairs[m, 1]])
            if m != k and off <= rules.support_px + rules.support_share * length:
                agree += weight[m]
        support += weight[k] * min(agree, rules.support_most) / rules.support_most
    swapped = np.ascontiguousarray(pairs[:, ::-1])
    return total, near, turned, kinds, support, _unmatched(a, b, pairs, rules), _unmatched(b, a, swapped, rules)


@njit(cache=True)
def log_odds(a, b, alike, found, rules):  # type: ignore[no-untyped-def]
    """The score before it is made positive, from the evidence of one pairing."""
    n, near, turned, kinds, support, in_a, in_b = found
    quality = (near + 0.5 * turned + 0.5 * kinds + 0.5 * support) / 2.5
    unmatched = 0.5 * (in_a + in_b)
    fraction = n / (n + unmatched + 1.0)
    return (
        rules.constant
        + rules.per_log_quality * math.log1p(quality)
        + rules.per_quality_fraction * quality * fraction
        + rules.per_unmatched * unmatched
        + rules.per_fraction * fraction
        + rules.per_alike * math.sqrt(alike)
        + rules.per_mean_quality * quality / max(n, 4.0)
        + rules.per_smaller * min(np.sum(a.weight), np.sum(b.weight))
    )


@njit(cache=True)
def compare(a, b, rules):  # type: ignore[no-untyped-def]
    """Score, rotation a to b in rad, and the pairs (P, 2) in order of growth.

    From each root the pairing is grown in both directions; a root is worth the mean of the two, so that the score of a
    with b is that of b with a.  The pairs are those of the better direction.
    """
    nothing = np.empty((0, 2), np.int32)
    rows_a, rows_b, alike = similar_pairs(a, b, rules)
    if len(alike) == 0:
        return 0.0, 0.0, nothing
    relaxed = relax(a, b, rows_a, rows_b, alike, rules)
    order = np.argsort(-(relaxed / alike), kind="mergesort")
    mean_alike = relaxed_similarity(relaxed[order], min(len(a.described), len(b.described)))
    best, pairs, rotation = -np.inf, nothing, 0.0
    for r in order[: rules.roots]:
        there = grow(rows_a[r], rows_b[r], a, b, rules)
        back = grow(rows_b[r], rows_a[r], b, a, rules)
        one = log_odds(a, b, mean_alike, evidence(a, b, there, rules), rules)
        other = log_odds(b, a, mean_alike, evidence(b, a, back, rules), rules)
        chosen = there if one >= other else np.ascontiguousarray(back[:, ::-1])
        middle_x, middle_y = np.mean(a.x[chosen[:, 0]]), np.mean(a.y[chosen[:, 0]])
        _, _, cos, sin = predict(middle_x, middle_y, a, b, chosen, -1, rules)
        odds = 0.5 * (one + other) + (rules.half_turn if cos < 0.0 else 0.0)
        if odds > best:
            best, pairs, rotation = odds, chosen, math.atan2(sin, cos)
    return math.log1p(math.exp(-abs(best))) + max(best, 0.0), rotation, pairs


@njit(cache=True)
def relaxed_similarity(relaxed, smaller):  # type: ignore[no-untyped-def]
    """Mean of the first 4 to 12 relaxed similarities, more for larger prints (eq. 27 of the paper)."""
    top = min(4 + round(8.0 / (1.0 + math.exp(-0.4 * (smaller - 20.0)))), len(relaxed))
    return np.mean(relaxed[:top])
