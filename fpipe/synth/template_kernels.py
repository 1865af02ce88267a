"""The compiled steps of drawing templates, in the order in which they run; ``templates`` says what they do.

All in one file: numba renews its cache when a kernel's own file changes, but not when that of a kernel it calls does.
``rules`` is a ``Rules``; u and v are px from the middle of a finger's pattern, v upwards.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fpipe.core import jitcache
from fpipe.core.conventions import CELL_PX, TWO_PI
from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING

jitcache.prepare()
from numba import njit  # noqa: E402

PATTERNS = ("arch", "tented_arch", "left_loop", "right_loop", "whorl")
SHARES = (0.037, 0.029, 0.338, 0.317, 0.279)
"""Natural shares of the classes (Wilson, Candela, Watson 1993, after the FBI's files), ``PATTERNS`` in order.

Those of ``flow``, written again: a compiled kernel kept in the cache would not notice a change of them there.
"""

_MOST_POINTS = 400
"""Minutiae of a whole finger, and of an impression, at most."""
_MOST_STORED = 255
"""Minutiae of a template at most, the best ones, as extraction keeps them."""
_WAVES = 3
_DOUBLE = 0.215
"""Share of double loops among the whorls, as in ``flow``."""


class Rules(NamedTuple):
    """The fields of ``DrawnTemplates`` as the kernels see them."""

    width: int
    height: int
    period_px: float
    size_sd: float
    density: float
    density_sd: float
    forced: float
    core: float
    core_px: float
    crest: float
    waviness_rad: float
    wave_px: float
    hard_px: float
    soft_px: float
    lean_rad: float
    lean_wide: float
    endings: float
    clarity_sd: float
    reach_x_px: float
    reach_y_px: float
    press_sd: float
    offset_px: float
    uneven: float
    rotation_rad: float
    place_px: float
    slide_px: float
    twist_rad: float
    wobble_px: float
    clarity: float
    print_sd: float
    patch_sd: float
    noise_sd: float
    border_px: float
    deep_px: float
    doubt: float
    sure: float
    least_quality: int
    missed: float
    missed_slope: float
    spurious: float
    spurious_slope: float
    spurious_drop: float
    spurious_near: float
    near_px: float
    along_px: float
    across_px: float
    turn_rad: float
    turn_wide: float
    flipped: float
    moisture_sd: float


class Pattern(NamedTuple):
    """A finger's orientation field.

    kind : index into ``PATTERNS``
    size : of the finger, 1 on average
    singular : (S, 5) x, y (v upwards), 1 a core or -1 a delta, cosine and sine of a core's axis
    slender, roundness, hill, hill_width, turn, twist : as in ``flow``: how parallel a loop's legs are, how the flow
        bends around the tip, an arch's hill, the turn of the whole and of a whorl's spiral
    waves : (W, 4) of the unevenness, as ``_smooth_waves`` makes them
    """

    kind: int
    size: float
    singular: Any
    slender: float
    roundness: float
    hill: float
    hill_width: float
    turn: float
    twist: float
    waves: Any


# -- random numbers: the same on every machine and for every version of NumPy ----------------------------------------


@njit(cache=True, error_model="numpy")
def _mixed(z):  # type: ignore[no-untyped-def]
    """Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": the finish of SplitMix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, error_model="numpy")
def _stream(seed, number):  # type: ignore[no-untyped-def]
    """State of the random numbers of a finger (number 0) or of one of its impressions."""
    return np.array([_mixed(_mixed((seed << np.uint64(12)) | number) + np.uint64(0x9E3779B97F4A7C15))], np.uint64)


@njit(cache=True, error_model="numpy")
def _uniform(state):  # type: ignore[no-untyped-def]
    """[0, 1)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return float(_mixed(state[0]) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, error_model="numpy")
def _normal(state):  # type: ignore[no-untyped-def]
    """Mean 0, standard deviation 1 (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - _uniform(state)))
    return radius * math.cos(2.0 * math.pi * _uniform(state))


@njit(cache=True, error_model="numpy")
def _normals(state):  # type: ignore[no-untyped-def]
    """Two of them, independent."""
    radius, around = math.sqrt(-2.0 * math.log(1.0 - _uniform(state))), 2.0 * math.pi * _uniform(state)
    return radius * math.cos(around), radius * math.sin(around)


@njit(cache=True, error_model="numpy")
def _between(state, low, high):  # type: ignore[no-untyped-def]
    return low + (high - low) * _uniform(state)


@njit(cache=True, error_model="numpy")
def _poisson(state, mean):  # type: ignore[no-untyped-def]
    """Knuth's product, in steps that can't underflow."""
    count, left = 0, mean
    while left > 0.0:
        step = min(left, 30.0)
        left -= step
        floor, product = math.exp(-step), _uniform(state)
        while product > floor:
            count += 1
            product *= _uniform(state)
    return count


@njit(cache=True, error_model="numpy")
def _smooth_waves(state, deviation, length):  # type: ignore[no-untyped-def]
    """(W, 4) a smooth random field as a sum of waves: mean 0, this standard deviation, about this length.

    Columns: turns a px along u and v, phase in turns, amplitude.
    """
    waves = np.empty((_WAVES, 4))
    for i in range(_WAVES):
        heading, number = _between(state, 0.0, TWO_PI), 1.0 / (length * _between(state, 0.75, 1.5))
        waves[i, 0], waves[i, 1] = number * math.cos(heading), number * math.sin(heading)
        waves[i, 2], waves[i, 3] = _uniform(state), deviation * math.sqrt(2.0 / _WAVES)
    return waves


@njit(cache=True, error_model="numpy")
def _sine(turns):  # type: ignore[no-untyped-def]
    """Sine of an angle in turns to 0.001, by two parabolas: waves are random anyway, and this takes a fifth as long."""
    turns -= math.floor(turns + 0.5)
    rough = 8.0 * turns - 16.0 * turns * abs(turns)
    return rough + 0.225 * (rough * abs(rough) - rough)


@njit(cache=True, error_model="numpy")
def _wave_at(waves, u, v):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(_WAVES):
        total += waves[i, 3] * _sine(waves[i, 0] * u + waves[i, 1] * v + waves[i, 2])
    return total


# -- a finger --------------------------------------------------------------------------------------------------------


@njit(cache=True, error_model="numpy")
def _drawn_kind(state):  # type: ignore[no-untyped-def]
    left, kind = _uniform(state), 0
    while kind < len(SHARES) - 1 and left >= SHARES[kind]:
        left -= SHARES[kind]
        kind += 1
    return kind


@njit(cache=True, error_model="numpy")
def _singularities(state, kind, double):  # type: ignore[no-untyped-def]
    """(S, 5) cores and deltas of a class, as ``Pattern`` has them; the places are those of ``flow``.

    double : 0, or for a double loop the side to which it leans, 1 or -1
    """
    points = np.zeros((4, 5))
    low, aside, other = -_between(state, 125.0, 165.0), _between(state, 75.0, 110.0), _between(state, 75.0, 110.0)
    gap, lean = _between(state, 16.0, 46.0), 7.0 * _normal(state)
    if double != 0.0:
        gap, lean = _between(state, 48.0, 70.0), double * _between(state, 18.0, 40.0)
    count = 2
    points[0, 2], points[1, 2] = 1.0, -1.0
    if kind == 0:
        count = 0
    elif kind == 1:
        points[1, 0], points[1, 1] = 4.0 * _normal(state), -_between(state, 75.0, 105.0)
    elif kind < 4:  # a right loop opens to the right, its delta lies on the left
        points[1, 0], points[1, 1] = aside if kind == 2 else -aside, low
    else:
        count = 4
        points[0, 0], points[1, 0], points[1, 1], points[1, 2] = -lean / 2, lean / 2, -gap, 1.0
        points[2, 0], points[2, 1], points[2, 2] = -aside, low + 10.0 * _normal(state), -1.0
        points[3, 0], points[3, 1], points[3, 2] = other, low + 10.0 * _normal(state), -1.0
    for i in range(count):
        axis = 0.0  # where the field points away from a core
        for k in range(count):
            if k != i:
                axis += points[k, 2] * math.atan2(points[i, 1] - points[k, 1], points[i, 0] - points[k, 0])
        points[i, 3], points[i, 4] = math.cos(axis), math.sin(axis)
    return points[:count]


@njit(cache=True, error_model="numpy")
def _drawn_pattern(state, rules):  # type: ignore[no-untyped-def]
    kind = _drawn_kind(state)
    size = max(0.7, 1.0 + rules.size_sd * _normal(state))
    double, slender, roundness, twist = 0.0, 0.8, 0.55 if kind < 2 else 0.35, 0.0
    if kind == 4:
        slender, roundness, twist = 0.25, 0.12, 0.22 * _normal(state)
        if _uniform(state) < _DOUBLE:
            double = 1.0 if _uniform(state) < 0.5 else -1.0
            slender, twist = 0.6, -double * _between(state, 0.5, 0.9)
    singular = _singularities(state, kind, double)
    hill, hill_width = _between(state, 0.6, 1.1) if kind == 0 else 0.0, _between(state, 55.0, 85.0)
    waves = _smooth_waves(state, rules.waviness_rad, rules.wave_px)
    return Pattern(kind, size, singular, slender, roundness, hill, hill_width, 0.052 * _normal(state), twist, waves)


@njit(cache=True, error_model="numpy")
def flow_at(pattern, u, v):  # type: ignore[no-untyped-def]
    """Orientation at a place and its slopes: rad (any), rad/px along u, along v.

    Sherlock and Monro's zeros and poles, with the corrections that ``flow`` describes.
    """
    turn, along_u, along_v = pattern.turn, 0.0, 0.0
    if pattern.hill > 0.0:
        s, q = u / pattern.hill_width, (v + 20.0) / 140.0
        bell = -1.65 * pattern.hill * math.exp(-s * s / 2.0 - q * q)
        rise = 1.0 / (1.0 + (s * bell) ** 2)
        turn += math.atan(s * bell)
        along_u += rise * bell * (1.0 - s * s) / pattern.hill_width
        along_v -= rise * s * bell * 2.0 * q / 140.0
    re, im = 1.0, 0.0  # the sum of the angles as one complex product
    for i in range(len(pattern.singular)):
        a, b, sign, cos, sin = pattern.singular[i]
        du, dv = u - a, v - b
        square = du * du + dv * dv + 1.0
        re, im = re * du - im * sign * dv, im * du + re * sign * dv
        along_u -= sign * dv / (2.0 * square)
        along_v += sign * du / (2.0 * square)
        if sign > 0.0:
            near = pattern.slender / 2.0 * math.exp(-square / (130.0 * 130.0))
            far = math.sqrt(square)
            s = (dv * cos - du * sin) / far
            turn -= near * s
            along_u -= near * (-sin / far - s * du / square - s * 2.0 * du / (130.0 * 130.0))
            along_v -= near * (cos / far - s * dv / square - s * 2.0 * dv / (130.0 * 130.0))
    turn += math.atan2(im, re) / 2.0
    above, k = 1.0 / (1.0 + math.exp(-v / 50.0)), pattern.roundness / 110.0
    bend = math.atan(k * u)
    turn -= above * bend
    along_u -= above * k / (1.0 + (k * u) ** 2)
    along_v -= above * (1.0 - above) / 50.0 * bend
    if pattern.twist != 0.0:
        spiral = pattern.twist * math.exp(-(u * u + (v + 20.0) ** 2) / (2.0 * 55.0 * 55.0))
        turn += spiral
        along_u -= spiral * u / (55.0 * 55.0)
        along_v -= spiral * (v + 20.0) / (55.0 * 55.0)
    for i in range(_WAVES):
        at = pattern.waves[i, 0] * u + pattern.waves[i, 1] * v + pattern.waves[i, 2]
        slope = TWO_PI * pattern.waves[i, 3] * _sine(at + 0.25)
        turn += pattern.waves[i, 3] * _sine(at)
        along_u += slope * pattern.waves[i, 0]
        along_v += slope * pattern.waves[i, 1]
    return turn, along_u, along_v


@njit(cache=True, error_model="numpy")
def _room(state, points, count, u, v, hard, soft):  # type: ignore[no-untyped-def]
    """Whether another minutia finds room beside those that there are."""
    chance = 1.0
    for i in range(count):
        square = (points[i, 0] - u) ** 2 + (points[i, 1] - v) ** 2
        if square < hard * hard:
            return False
        if square < soft * soft:
            chance *= math.sqrt(square) / soft
    return chance >= 1.0 or _uniform(state) < chance


@njit(cache=True, error_model="numpy")
def _wide(state, share):  # type: ignore[no-untyped-def]
    """1, or 3 for a share: normal deviates times this have the heavy tails that measurements have."""
    return 3.0 if _uniform(state) < share else 1.0


@njit(cache=True, error_model="numpy")
def _nearness(singular, u, v, length):  # type: ignore[no-untyped-def]
    """1 on a core, falling to 0 away from it."""
    total = 0.0
    for i in range(len(singular)):
        square = (singular[i, 0] - u) ** 2 + (singular[i, 1] - v) ** 2
        if singular[i, 2] > 0.0 and square < 9.0 * length * length:
            total += math.exp(-square / (length * length))
    return total


@njit(cache=True, error_model="numpy")
def finger(seed, rules):  # type: ignore[no-untyped-def]
    """A finger's pattern and its minutiae: (N, 5) u, v, direction, type, own clarity."""
    state = _stream(seed, np.uint64(0))
    pattern = _drawn_pattern(state, rules)
    density = rules.density * math.exp(rules.density_sd * _normal(state))
    reach_u, reach_v = 1.38 * pattern.size * rules.reach_x_px, 1.32 * pattern.size * rules.reach_y_px
    points, count = np.empty((_MOST_POINTS, 5)), 0
    for _ in range(_poisson(state, 4.0 * reach_u * reach_v * density * rules.crest)):
        u, v = _between(state, -1.0, 1.0), _between(state, -1.0, 1.0)
        if u * u + v * v > 1.0:
            continue
        u, v = reach_u * u, reach_v * v - 12.0
        flow, along_u, along_v = flow_at(pattern, u, v)
        cos, sin = math.cos(flow), math.sin(flow)
        # ridges that begin less those that end in a px2, for one who walks along the flow
        begin = rules.forced * (cos * along_v - sin * along_u) / (rules.period_px * pattern.size)
        share = density * (1.0 + rules.core * _nearness(pattern.singular, u, v, rules.core_px)) + abs(begin)
        if _uniform(state) * rules.crest * density >= share or count == _MOST_POINTS:
            continue
        if not _room(state, points, count, u, v, rules.hard_px, rules.soft_px):
            continue
        if _uniform(state) >= (1.0 + begin / share) / 2.0:
            flow += math.pi
        points[count, 0], points[count, 1] = u, v
        points[count, 2] = flow + rules.lean_rad * _wide(state, rules.lean_wide) * _normal(state)
        points[count, 3] = KIND_ENDING if _uniform(state) < rules.endings else KIND_BIFURCATION
        points[count, 4] = rules.clarity_sd * _normal(state)
        count += 1
    return pattern, points[:count]


# -- an impression ---------------------------------------------------------------------------------------------------


class _Touch(NamedTuple):
    """Where and how a finger was laid down; u, v as a finger's, before the plastic distortion unless said otherwise.

    u, v : middle of the contact; reach_u, reach_v : its half axes; edge : waves of its edge
    rotation, x, y : rad, and px in the picture, where the pattern's centre lies
    stuck_u, stuck_v, slide_u, slide_v, twist : of the plastic distortion; wobble_u, wobble_v : its waves
    clarity : of the print; patches : waves of its unevenness
    moisture : positive wet, more bifurcations
    """

    u: float
    v: float
    reach_u: float
    reach_v: float
    edge: Any
    rotation: float
    x: float
    y: float
    stuck_u: float
    stuck_v: float
    slide_u: float
    slide_v: float
    twist: float
    wobble_u: Any
    wobble_v: Any
    clarity: float
    patches: Any
    moisture: float


@njit(cache=True, error_model="numpy")
def _touched(state, rules, size):  # type: ignore[no-untyped-def]
    press = size * max(0.6, 1.0 + rules.press_sd * _normal(state))
    return _Touch(
        rules.offset_px * _normal(state),
        -12.0 + rules.offset_px * _normal(state),
        press * rules.reach_x_px,
        press * rules.reach_y_px * max(0.6, 1.0 + rules.press_sd * _normal(state)),
        _smooth_waves(state, rules.uneven, 110.0),
        rules.rotation_rad * _normal(state),
        0.5 * rules.width + rules.place_px * _normal(state),
        0.48 * rules.height + rules.place_px * _normal(state),
        _between(state, 45.0, 75.0),
        _between(state, 55.0, 95.0),
        rules.slide_px * _normal(state),
        rules.slide_px * _normal(state),
        rules.twist_rad * _normal(state),
        _smooth_waves(state, rules.wobble_px, 150.0),
        _smooth_waves(state, rules.wobble_px, 150.0),
        rules.clarity + rules.print_sd * _normal(state),
        _smooth_waves(state, rules.patch_sd, 160.0),
        rules.moisture_sd * _normal(state),
    )


@njit(cache=True, error_model="numpy")
def _distorted(touch, u, v):  # type: ignore[no-untyped-def]
    """A place on the skin -> where the plastic distortion takes it, and how far it turns there (rad)."""
    a, b = u - touch.u, v - touch.v
    beyond = math.sqrt((a / touch.stuck_u) ** 2 + (b / touch.stuck_v) ** 2) - 1.0
    brake = 0.0 if beyond <= 0.0 else 1.0 if beyond >= 1.5 else (1.0 - math.cos(math.pi * beyond / 1.5)) / 2.0
    wobble_u, wobble_v = _wave_at(touch.wobble_u, u, v), _wave_at(touch.wobble_v, u, v)
    return (
        u + brake * (touch.slide_u - touch.twist * b) + wobble_u,
        v + brake * (touch.slide_v + touch.twist * a) + wobble_v,
        brake * touch.twist,
    )


@njit(cache=True, error_model="numpy")
def _inside(touch, u, v):  # type: ignore[no-untyped-def]
    """1 in the middle of the contact, 0 on its edge were that smooth, of a distorted place."""
    a, b = (u - touch.u) / touch.reach_u, abs(v - touch.v) / touch.reach_v
    return 1.0 - a * a - b * b * math.sqrt(b)


@njit(cache=True, error_model="numpy")
def _depth(touch, u, v):  # type: ignore[no-untyped-def]
    """Distance to the contact's uneven edge, px, of a distorted place; negative outside.  Good near the edge."""
    a, b = (u - touch.u) / touch.reach_u, abs(v - touch.v) / touch.reach_v
    slope = math.hypot(2.0 * a / touch.reach_u, 2.5 * b * math.sqrt(b) / touch.reach_v)
    return (_inside(touch, u, v) + _wave_at(touch.edge, u, v)) / max(slope, 1e-3)


@njit(cache=True, error_model="numpy")
def _fill_mask(touch, cos, sin, mask):  # type: ignore[no-untyped-def]
    """The contact on the CELL_PX grid, by the cells' centres."""
    rows, columns = mask.shape
    most = touch.edge[:, 3].sum()  # the waves can't do more: only near the edge need they be known
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * CELL_PX - 0.5 - touch.x, touch.y - (row + 0.5) * CELL_PX + 0.5
            u, v = cos * x + sin * y, cos * y - sin * x
            inside = _inside(touch, u, v)
            if abs(inside) <= most:
                inside += _wave_at(touch.edge, u, v)
            mask[row, column] = inside > 0.0


@njit(cache=True, error_model="numpy")
def _quality(rules, clarity, depth):  # type: ignore[no-untyped-def]
    """1..100, and 0 for what extraction does not keep."""
    if depth < rules.border_px:
        return 0
    trust = clarity * math.sqrt(min(depth / rules.deep_px, 1.0))
    quality = round(100.0 * (trust - rules.doubt) / (rules.sure - rules.doubt))
    return 0 if quality < rules.least_quality else min(quality, 100)


@njit(cache=True, error_model="numpy")
def _seen(state, rules, touch, points, out):  # type: ignore[no-untyped-def]
    """A finger's minutiae as they are found: fills ``out`` (u, v distorted, direction, type, quality); their number."""
    count = 0
    for i in range(len(points)):
        u, v, turn = _distorted(touch, points[i, 0], points[i, 1])
        depth = _depth(touch, u, v)
        if depth < rules.border_px:
            continue
        clarity = touch.clarity + points[i, 4] + _wave_at(touch.patches, u, v) + rules.noise_sd * _normal(state)
        quality = _quality(rules, clarity, depth)
        lost = rules.missed + rules.missed_slope * max(rules.sure - clarity, 0.0)
        if quality == 0 or _uniform(state) < lost:
            continue
        wide, direction = _wide(state, rules.turn_wide), points[i, 2] + turn
        along, across = _normals(state)
        along, across = wide * rules.along_px * along, wide * rules.across_px * across
        cos, sin = math.cos(direction), math.sin(direction)
        kind = points[i, 3]
        prone = 1.0 + touch.moisture if kind == KIND_ENDING else 1.0 - touch.moisture
        if _uniform(state) < rules.flipped * prone:
            kind = KIND_ENDING + KIND_BIFURCATION - kind
        out[count, 0], out[count, 1] = u + along * cos - across * sin, v + along * sin + across * cos
        out[count, 2] = direction + wide * rules.turn_rad * _normal(state)
        out[count, 3], out[count, 4] = kind, quality
        count += 1
    return count


@njit(cache=True, error_model="numpy")
def _made_up(state, rules, touch, pattern, out, count):  # type: ignore[no-untyped-def]
    """False minutiae, added to ``out``; the number of all."""
    reach_u, reach_v = 1.15 * touch.reach_u, 1.15 * touch.reach_v
    rate = rules.spurious * math.exp(rules.spurious_slope * (rules.clarity - touch.clarity))
    for _ in range(_poisson(state, min(4.0 * reach_u * reach_v * rate, float(_MOST_STORED)))):
        u, v = touch.u + reach_u * _between(state, -1.0, 1.0), touch.v + reach_v * _between(state, -1.0, 1.0)
        lean = rules.lean_rad * _wide(state, rules.lean_wide)
        if count > 0 and _uniform(state) < rules.spurious_near:  # where one is disturbed, others are
            beside = int(count * _uniform(state))
            u = out[beside, 0] + rules.near_px * _between(state, -1.0, 1.0)
            v = out[beside, 1] + rules.near_px * _between(state, -1.0, 1.0)
            lean *= 3.0
        clarity = touch.clarity - rules.spurious_drop + _wave_at(touch.patches, u, v)
        quality = _quality(rules, clarity + 1.4 * rules.noise_sd * _normal(state), _depth(touch, u, v))
        if quality == 0 or count == len(out) or not _room(state, out, count, u, v, rules.hard_px / 2, 0.0):
            continue
        direction = flow_at(pattern, u, v)[0] + (math.pi if _uniform(state) < 0.5 else 0.0)
        out[count, 0], out[count, 1] = u, v
        out[count, 2] = direction + lean * _normal(state)
        out[count, 3] = KIND_ENDING if _uniform(state) < rules.endings - 0.25 * touch.moisture else KIND_BIFURCATION
        out[count, 4] = quality
        count += 1
    return count


@njit(cache=True, error_model="numpy")
def impression(seed, number, rules, pattern, points, mask):  # type: ignore[no-untyped-def]
    """Columns of Minutiae; fills the mask."""
    state = _stream(seed, number)
    touch = _touched(state, rules, pattern.size)
    cos, sin = math.cos(touch.rotation), math.sin(touch.rotation)
    _fill_mask(touch, cos, sin, mask)
    out = np.empty((_MOST_POINTS + _MOST_STORED, 5))
    count = _made_up(state, rules, touch, pattern, out, _seen(state, rules, touch, points, out))
    kept = 0
    for i in range(count):
        x = touch.x + cos * out[i, 0] - sin * out[i, 1]
        y = touch.y - sin * out[i, 0] - cos * out[i, 1]
        if (
            rules.border_px <= x < rules.width - rules.border_px
            and rules.border_px <= y < rules.height - rules.border_px
        ):
            out[kept] = x, y, (out[i, 2] + touch.rotation) % TWO_PI, out[i, 3], out[i, 4]
            kept += 1
    rows = np.argsort(-out[:kept, 4], kind="mergesort")[:_MOST_STORED]
    rows = rows[np.argsort(out[rows, 1], kind="mergesort")]
    best = out[rows].astype(np.float32)
    direction = best[:, 2].copy()
    direction[direction >= np.float32(TWO_PI)] = 0.0  # float32 rounds just below 2 pi up to it
    return best[:, 0].copy(), best[:, 1].copy(), direction, best[:, 3].astype(np.uint8), best[:, 4].astype(np.uint8)
