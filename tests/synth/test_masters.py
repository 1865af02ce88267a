"""Masters: same seed same finger, natural classes and minutiae, and truth that an independent reading confirms."""

from __future__ import annotations

from collections import Counter
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING
from fpipe.synth.fields import generator, smooth_noise, texture
from fpipe.synth.flow import CORE, DELTA, SHARES, draw_pattern, orientation_field
from fpipe.synth.lines import minutiae_of
from fpipe.synth.master import Master, MasterPrint

PATTERNS = list(SHARES)
SMALL = {"height": 280, "width": 220}


@cache
def grown(pattern: str, seed: int, period_px: float = 9.0) -> Master:
    return MasterPrint(pattern=pattern, period_px=period_px, **SMALL)(seed)


def poincare(orientation: NDArray[np.float32], row: float, column: float, radius: int = 12) -> float:
    """Turns of the orientation along a circle: +0.5 a core, -0.5 a delta, +1 a whorl (Kawagoe and Tojo 1984)."""
    around = np.linspace(0, 2 * np.pi, 181)
    rows = np.rint(row - radius * np.sin(around)).astype(int)
    columns = np.rint(column + radius * np.cos(around)).astype(int)
    steps = np.diff(orientation[rows, columns])
    return float(np.sum((steps + np.pi / 2) % np.pi - np.pi / 2) / (2 * np.pi))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ridges_cover_the_finger_and_nothing_else(pattern: str) -> None:
    master = grown(pattern, 1)
    assert master.ridges.dtype == np.float32 and master.ridges.shape == master.mask.shape == (280, 220)
    assert np.all(master.ridges[~master.mask] == 0) and np.abs(master.ridges).max() <= 1
    assert 0.46 < np.mean(master.ridges[master.mask] > 0) < 0.54  # ridges are as wide as valleys
    assert np.mean(np.abs(master.ridges[master.mask]) > 0.4) > 0.6  # and nowhere is the skin bare
    assert np.all((master.orientation >= 0) & (master.orientation < np.pi))


@pytest.mark.parametrize("period_px", [7.5, 9.0, 10.5])
@pytest.mark.parametrize("pattern", ["arch", "whorl"])
def test_ridge_period_is_the_one_stated_and_asked_for(pattern: str, period_px: float) -> None:
    """Ridges crossed on the way down a column, against what orientation and period let expect."""
    master = grown(pattern, 3, period_px)
    window = (slice(60, 220), slice(50, 170))
    ridges, theta, period = master.ridges[window] > 0, master.orientation[window], master.period[window]
    crossed = np.abs(np.diff(ridges.astype(int), axis=0)).sum() / 2
    expected = (np.abs(np.cos(theta)) / period).sum()
    assert crossed == pytest.approx(expected, rel=0.06)
    assert np.median(master.period[master.mask]) == pytest.approx(period_px, rel=0.15)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("seed", [5, 6])
def test_cores_and_deltas_are_where_the_orientation_turns(pattern: str, seed: int) -> None:
    rows, columns = np.indices((560, 416), dtype=np.float32)
    field, points = orientation_field(generator(seed, "test"), pattern, columns - 208, 240 - rows)  # type: ignore[arg-type]
    expected = {"arch": (0, 0), "tented_arch": (1, 1), "left_loop": (1, 1), "right_loop": (1, 1)}
    assert (sum(points.kind == CORE), sum(points.kind == DELTA)) == expected.get(pattern, (2, 2))
    for x, y, kind in zip(points.x, points.y, points.kind, strict=True):
        if not (8 < x < 408 and 8 < y < 552):
            continue  # a delta may lie beyond the finger's side
        turn = poincare(field, y, x, 6)
        assert turn == pytest.approx(0.5 if kind == CORE else -0.5, abs=0.02)
    assert np.hypot(points.x[points.kind == CORE] - 208, points.y[points.kind == CORE] - 240).max(initial=0) < 110


@pytest.mark.parametrize(("pattern", "side"), [("left_loop", -1), ("right_loop", 1)])
def test_a_loop_opens_to_its_side(pattern: str, side: int) -> None:
    points = grown(pattern, 2).singular_points
    core = int(np.flatnonzero(points.kind == CORE)[0])
    assert np.sign(np.cos(points.direction[core])) == side
    assert np.sin(points.direction[core]) < 0  # downwards


def test_classes_come_in_natural_proportions() -> None:
    rng = generator(1, "test")
    drawn = Counter(draw_pattern(rng) for _ in range(4000))
    for name, share in SHARES.items():
        assert drawn[name] / 4000 == pytest.approx(share, abs=4 * np.sqrt(share / 4000))
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_minutiae_come_in_natural_number(pattern: str) -> None:
    """About a fifth to a quarter of a minutia per mm2 on rolled prints (Champod and others), half of them endings."""
    master = MasterPrint(pattern=pattern)(11)
    density = len(master.minutiae) / (master.mask.sum() * (25.4 / 500) ** 2)
    assert 0.12 < density < 0.30
    assert 0.3 < np.mean(master.minutiae.kind == KIND_ENDING) < 0.7


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**51))
def test_same_seed_same_print_other_seed_other_print(seed: int) -> None:
    recipe = MasterPrint(height=160, width=140)
    first, again, other = recipe(seed), recipe(seed), recipe(seed + 1)
    assert np.array_equal(first.ridges, again.ridges)
    assert np.array_equal(first.minutiae.x, again.minutiae.x)
    assert np.corrcoef(first.ridges.ravel(), other.ridges.ravel())[0, 1] < 0.7


def test_a_close_non_match_shares_the_flow_but_not_the_minutiae() -> None:
    recipe = MasterPrint(pattern="right_loop", **SMALL)
    print_, close = recipe(4), recipe(4, ridge_seed=99)
    assert np.array_equal(print_.singular_points.x, close.singular_points.x)
    assert np.array_equal(print_.period, close.period)
    inner = cv2.erode(print_.mask.astype(np.uint8), np.ones((25, 25))) > 0
    turn = np.abs((print_.orientation - close.orientation + np.pi / 2) % np.pi - np.pi / 2)[inner]
    assert np.median(turn) < np.deg2rad(6)
    gaps = np.hypot(
        print_.minutiae.x[:, None] - close.minutiae.x[None], print_.minutiae.y[:, None] - close.minutiae.y[None]
    )
    assert np.mean(gaps.min(1) < 5) < 0.5


# -- minutiae --------------------------------------------------------------------------------------------------------


def straight(period: float = 9.0, size: int = 160) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Level ridges; one ends in the middle, coming from the left, where the valleys around it close."""
    rows, columns = np.indices((size, size), dtype=np.float32)
    x, y = columns - size / 2, rows - size / 2
    phase = 2 * np.pi * y / period + np.arctan2(y, x)  # one ridge more on the left than on the right
    return np.cos(phase).astype(np.float32), np.full((size, size), period, np.float32)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dislocation_is_one_minutia_of_either_kind(sign: int) -> None:
    """The negative of an ending is a bifurcation at the same place with the same direction."""
    ridges, period = straight()
    for shift in (1.0, -1.0):  # the phase decides whether the line that ends is a ridge or a valley
        found = minutiae_of(sign * shift * ridges, period, np.ones((160, 160), bool))
        assert len(found) == 1
        assert abs(found.x[0] - 80) < 9 and abs(found.y[0] - 80) < 5
        assert abs(np.cos(found.direction[0])) > 0.95
    kinds = {int(minutiae_of(s * ridges, period, np.ones((160, 160), bool)).kind[0]) for s in (1, -1)}
    assert kinds == {KIND_ENDING, KIND_BIFURCATION}


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.2])
def test_minutiae_turn_and_move_with_the_ridges(angle: float) -> None:
    master = grown("whorl", 3)
    centre = (110, 140)
    matrix = cv2.getRotationMatrix2D(centre, float(np.rad2deg(angle)), 1.0)
    matrix[:, 2] += (40.37, 30.71)
    size = (320, 340)
    turned = cv2.warpAffine(master.ridges, matrix, size, flags=cv2.INTER_CUBIC)
    mask = cv2.warpAffine(master.mask.astype(np.uint8), matrix, size) > 0
    found = minutiae_of(turned, np.full(turned.shape, 9.0, np.float32), mask)
    m = master.minutiae
    moved = np.column_stack([m.x, m.y]) @ matrix[:, :2].T + matrix[:, 2]
    gaps = np.hypot(moved[:, None, 0] - found.x[None], moved[:, None, 1] - found.y[None])
    near = gaps.min(1) < 4
    assert near.mean() > 0.9
    nearest = gaps.argmin(1)
    assert np.median(gaps.min(1)) < 0.5  # exact to a fraction of a pixel
    turn = np.angle(np.exp(1j * (found.direction[nearest] - m.direction - angle)))[near]
    assert np.median(np.abs(turn)) < np.deg2rad(4)
    assert np.mean(found.kind[nearest][near] == m.kind[near]) > 0.95


def crossing_numbers(ridge: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ends and forks of the thinned ridges, (N, 2), by nothing but crossing numbers; hairs and all."""
    thinned = skeletonize(ridge)
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    walk = np.stack([np.roll(thinned, (-y, -x), (0, 1)).astype(int) for y, x in ring])
    crossings = np.abs(np.diff(walk, axis=0)).sum(0) // 2
    return np.argwhere(thinned & ((crossings == 1) | (crossings >= 3)))[:, ::-1].astype(float)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_minutia_is_read_by_crossing_numbers_too(pattern: str) -> None:
    """The whole comparison, with precision, is in benchmarks/synth_prints.py."""
    master = grown(pattern, 7)
    depth = distance_transform_edt(np.pad(master.mask, 1))[1:-1, 1:-1]
    read = crossing_numbers(master.ridges > 0)
    m = master.minutiae
    inside = depth[m.y.round().astype(int), m.x.round().astype(int)] > 14
    gaps = np.hypot(m.x[:, None] - read[None, :, 0], m.y[:, None] - read[None, :, 1])
    assert inside.sum() > 5
    assert np.all(gaps.min(1)[inside] < 8)


# -- fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale_px", [1.5, 5, 23, 40, 130])
def test_smooth_noise_has_unit_variance_and_its_scale(scale_px: float) -> None:
    fields = np.stack([smooth_noise(generator(i, "test"), (200, 180), scale_px) for i in range(40)])
    assert fields.shape == (40, 200, 180) and fields.dtype == np.float32
    assert abs(fields.mean()) < 0.2 and 0.7 < fields.std() < 1.35
    near = np.mean(fields[:, :, 10:] * fields[:, :, :-10]) / fields.var()
    assert near > 0.9 if scale_px >= 40 else near < 0.95
    if scale_px <= 5:
        assert abs(near) < 0.15


def test_texture_has_unit_variance() -> None:
    fields = np.stack([texture(generator(i, "test"), (128, 128), 60, 4) for i in range(30)])
    assert 0.75 < fields.std() < 1.25
