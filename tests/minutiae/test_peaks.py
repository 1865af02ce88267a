"""Peaks of a confidence map: places, what is kept, what takes part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, Reading
from fpipe.minutiae.learned import Peaks


def reading(cells: dict[tuple[int, int], float], side: int = 20) -> Reading:
    """Confidence of some cells of a grid of 4 px; direction 1 rad, endings, in the cells' middles."""
    heat = np.zeros((side, side), np.float32)
    for at, value in cells.items():
        heat[at] = value
    flat = np.zeros((side, side), np.float32)
    return Reading(
        mask=np.ones((4 * side - 1, 4 * side - 2), bool),  # a picture that does not fill its last cells
        ridges=np.zeros((4 * side - 1, 4 * side - 2), np.float32),
        stride=4,
        doubled=np.stack([flat + 1, flat]),
        period=flat + 9,
        minutia=heat,
        bifurcation=flat,
        direction=flat + 1,
        offset=np.zeros((2, side, side), np.float32),
    )


def test_place_direction_type_and_quality() -> None:
    seen = reading({(5, 7): 0.8})
    seen.offset[:, 5, 7] = 1.25, -0.75
    seen.bifurcation[5, 7] = 0.9
    m, weak = Peaks(cut=0.5)(seen)
    assert (m.x.tolist(), m.y.tolist()) == ([4 * 7 + 1.5 + 1.25], [4 * 5 + 1.5 - 0.75])
    assert m.direction[0] == pytest.approx(1)
    assert (m.kind.tolist(), m.quality.tolist()) == ([KIND_BIFURCATION], [80])
    assert not len(weak)


def test_nothing_there() -> None:
    m, weak = Peaks()(reading({}))
    assert not len(m)
    assert not len(weak)


def test_the_cut_parts_them_and_the_least_ends_them() -> None:
    m, weak = Peaks(cut=0.5, least=0.2)(reading({(2, 2): 0.6, (2, 8): 0.5, (8, 2): 0.49, (8, 8): 0.2, (14, 2): 0.19}))
    assert m.quality.tolist() == [60, 50]
    assert weak.quality.tolist() == [49, 20]
    assert m.kind.tolist() == [KIND_ENDING] * 2


def test_of_neighbours_the_surer_one() -> None:
    m, _ = Peaks(cut=0.1)(reading({(5, 5): 0.5, (5, 6): 0.7, (12, 12): 0.6, (12, 13): 0.6}))
    assert m.quality.tolist() == [70, 60]
    far = Peaks(cut=0.1, apart_px=30)(reading({(5, 5): 0.5, (5, 9): 0.7, (5, 13): 0.6}))[0]
    assert far.quality.tolist() == [70]


def test_outside_the_mask_and_near_its_border() -> None:
    seen = reading({(2, 10): 0.9, (8, 10): 0.9, (12, 10): 0.9})
    seen.mask[:20] = False
    m, weak = Peaks(cut=0.5)(seen)
    assert len(m) == 2
    m, weak = Peaks(cut=0.5, border_px=16)(seen)
    assert (len(m), len(weak)) == (1, 1)
    assert m.y[0] > weak.y[0]


def test_the_picture_s_border_keeps_them_inside() -> None:
    seen = reading({(0, 0): 0.9, (19, 19): 0.9})
    seen.offset[:] = 5.0
    seen.offset[:, 0, 0] = -5.0
    m, _ = Peaks()(seen)
    assert (m.x.tolist(), m.y.tolist()) == ([0, 77], [0, 78])


def test_the_surest_are_kept_and_sorted_by_place() -> None:
    cells = {(r, c): 0.3 + 0.001 * (20 * r + c) for r in range(0, 20, 3) for c in range(0, 20, 3)}
    m, weak = Peaks(cut=0.2, most=10)(reading(cells))
    assert len(m) == 10
    assert len(weak) == 0
    assert m.quality.min() >= 100 * sorted(cells.values())[-10] - 1
    assert np.array_equal(np.lexsort((m.x, m.y)), np.arange(10))


def test_a_turned_reading_gives_turned_minutiae() -> None:
    rng = np.random.default_rng(4)
    cells = {
        (int(r), int(c)): float(p) for r, c, p in zip(*rng.integers(1, 19, (2, 9)), rng.uniform(0.3, 1, 9), strict=True)
    }
    seen = reading(cells)
    square = replace(seen, mask=np.ones((80, 80), bool))
    half = replace(square, minutia=np.ascontiguousarray(np.rot90(seen.minutia, 2)))
    m, turned = Peaks(cut=0.2)(square)[0], Peaks(cut=0.2)(half)[0]
    assert sorted(zip(79 - m.x, 79 - m.y, strict=True)) == sorted(zip(turned.x, turned.y, strict=True))
