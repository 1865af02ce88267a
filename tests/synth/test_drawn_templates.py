"""Drawn templates: the same seed the same finger, fields that are what they say, prints like real ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.conventions import CELL_PX
from fpipe.core.types import Template
from fpipe.minutiae import blob
from fpipe.synth import flow, templates
from fpipe.synth import template_kernels as kernels
from fpipe.synth.seeds import finger_seed
from fpipe.synth.templates import IMPRESSIONS, PATTERNS, SHARES, DrawnTemplates

DRAWN = DrawnTemplates()
RULES = templates._rules(DRAWN)
seeds = st.integers(0, 2**52 - 1)


def same(a: Template, b: Template) -> bool:
    return blob.encode(a) == blob.encode(b)


@cache
def population() -> list[Template]:
    return [DRAWN(finger_seed("test", 1, finger), 1)[0] for finger in range(400)]


@given(seeds)
@settings(deadline=None)
def test_an_impression_is_what_its_number_says_whatever_is_drawn_beside_it(seed: int) -> None:
    three = DRAWN(seed, 3, source="s")
    assert len(three) == 3 and all(template.source == "s" for template in three)
    assert same(three[0], DRAWN(seed, 1, source="s")[0])
    assert same(three[2], DRAWN(seed, 1, first=3, source="s")[0])
    assert not same(three[0], three[1])
    assert not same(three[0], DRAWN((seed + 1) % 2**52, 1, source="s")[0])


@given(seeds)
@settings(deadline=None)
def test_a_template_is_as_extraction_would_leave_it(seed: int) -> None:
    (template,) = DRAWN(seed, 1)
    m = template.minutiae
    assert all(column.dtype == np.float32 for column in (m.x, m.y, m.direction))
    assert all(column.dtype == np.uint8 for column in (m.kind, m.quality))
    assert np.all((m.direction >= 0) & (m.direction < np.float32(2 * np.pi)))
    assert np.isin(m.kind, (1, 2)).all()
    assert np.all((m.quality >= DRAWN.least_quality) & (m.quality <= 100))
    assert np.all((m.x > 0) & (m.x < template.width) & (m.y > 0) & (m.y < template.height))
    assert np.all(np.diff(m.y) >= 0)
    assert template.mask is not None
    inside = template.mask[(m.y // CELL_PX).astype(int), (m.x // CELL_PX).astype(int)]
    assert inside.sum() >= 0.9 * len(m)  # one may be moved over the border of its cell
    assert len(blob.encode(template)) > 100


def test_what_there_is_not_is_refused() -> None:
    for seed, impressions, first in ((-1, 1, 1), (2**52, 1, 1), (0, 1, 0), (0, -1, 1), (0, 2, IMPRESSIONS)):
        with pytest.raises(ValueError, match="expected a seed below"):
            DRAWN(seed, impressions, first=first)
    assert DRAWN(0, 0) == []


def test_the_kernels_see_every_parameter() -> None:
    assert kernels.Rules._fields == tuple(f.name for f in fields(DrawnTemplates))


# -- fingers ---------------------------------------------------------------------------------------------------------


def test_classes_come_in_their_natural_shares() -> None:
    count = 4000
    found = Counter(DRAWN.pattern(finger_seed("test", 2, finger)) for finger in range(count))
    assert sum(SHARES) == pytest.approx(1)
    whorls = {"whorl": flow.SHARES["whorl"] + flow.SHARES["double_loop"]}
    assert dict(zip(PATTERNS, SHARES, strict=True)) == pytest.approx({k: (flow.SHARES | whorls)[k] for k in PATTERNS})
    for name, share in zip(PATTERNS, SHARES, strict=True):
        assert abs(found[name] - count * share) < 4 * np.sqrt(count * share * (1 - share)), name


def turned(pattern: object, x: float, y: float, radius: float) -> float:
    """Turns of the flow along a circle, counter-clockwise: +0.5 a core, -0.5 a delta (Kawagoe and Tojo 1984)."""
    around = np.linspace(0, 2 * np.pi, 73)
    flow = [kernels.flow_at(pattern, x + radius * np.cos(a), y + radius * np.sin(a))[0] for a in around]
    steps = np.diff(flow)
    return float(np.sum((steps + np.pi / 2) % np.pi - np.pi / 2) / (2 * np.pi))


def test_the_flow_turns_around_cores_and_deltas() -> None:
    for finger in range(60):
        pattern, _ = kernels.finger(np.uint64(finger_seed("test", 3, finger)), RULES)
        assert len(pattern.singular) == (0 if pattern.kind == 0 else 4 if pattern.kind == 4 else 2)
        for x, y, sign, _, _ in pattern.singular:
            assert turned(pattern, x, y, 5.0) == pytest.approx(sign / 2, abs=1e-6)


@given(seeds, st.floats(-150, 150), st.floats(-190, 150))
@settings(deadline=None)
def test_the_slopes_of_the_flow_are_its_differences(seed: int, u: float, v: float) -> None:
    pattern, _ = kernels.finger(np.uint64(seed), RULES)
    if any(np.hypot(u - x, v - y) < 10 for x, y, *_ in pattern.singular):
        return
    step = 1e-4
    _, along_u, along_v = kernels.flow_at(pattern, u, v)
    for slope, du, dv in ((along_u, step, 0.0), (along_v, 0.0, step)):
        turn = kernels.flow_at(pattern, u + du, v + dv)[0] - kernels.flow_at(pattern, u - du, v - dv)[0]
        turn = (turn + np.pi / 2) % np.pi - np.pi / 2
        assert slope == pytest.approx(turn / (2 * step), abs=2e-3 * max(1, abs(slope)))


def test_minutiae_keep_apart_and_follow_the_flow() -> None:
    gaps, agree, forced = [], [], []
    for finger in range(80):
        seed = finger_seed("test", 4, finger)
        pattern, points = kernels.finger(np.uint64(seed), RULES)
        assert np.array_equal(points, DRAWN.points(seed))
        apart = np.hypot(*(points[:, None, :2] - points[None, :, :2]).T) + 1e9 * np.eye(len(points))
        gaps.append(apart.min())
        for u, v, direction, _, _ in points:
            flow, along_u, along_v = kernels.flow_at(pattern, u, v)
            along = np.cos(direction - flow)
            agree.append(abs(along) > np.cos(np.deg2rad(30)))
            diverging = np.cos(flow) * along_v - np.sin(flow) * along_u
            if abs(diverging) > 0.01:
                forced.append(along * diverging > 0)
    assert min(gaps) >= DRAWN.hard_px
    assert np.mean(agree) > 0.9
    assert np.mean(forced) > 0.7  # where ridges diverge, new ones begin


# -- prints like real ones: the middle halves of the real sets' figures, widened --------------------------------------


def test_a_population_is_like_real_prints() -> None:
    prints = population()
    counts = np.array([len(t.minutiae) for t in prints])
    cells = np.array([t.mask.sum() for t in prints if t.mask is not None])
    assert 26 <= np.median(counts) <= 45
    assert np.percentile(counts, 5) >= 12 and np.percentile(counts, 95) <= 70
    per_mm2 = counts / (cells * (CELL_PX * 25.4 / 500) ** 2)
    assert 0.15 <= np.median(per_mm2) <= 0.22
    kinds = np.concatenate([t.minutiae.kind for t in prints])
    assert 0.43 <= np.mean(kinds == 1) <= 0.57
    quality = np.concatenate([t.minutiae.quality for t in prints])
    assert 75 <= np.median(quality) <= 92 and 0.2 <= np.mean(quality == 100) <= 0.4
