"""Minutiae of drawn ridges whose truth is known, and the rules that keep false ones out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, FloatMap, Minutiae
from fpipe.minutiae.detect import LineEnds

SIDE = 140
ALL = np.ones((SIDE, SIDE), bool)
SURE = np.ones((SIDE, SIDE), np.float32)


def detect(enhanced: FloatMap, mask: np.ndarray = ALL, clarity: FloatMap = SURE) -> Minutiae:
    return LineEnds()(np.asarray(enhanced, np.float32), mask, clarity)


def dislocation(x0: float, y0: float, sign: int, turn: float, period: float = 10.0) -> FloatMap:
    """Ridges in the direction ``turn`` (counter-clockwise on the screen) with one line more on its far side: a spiral
    phase about (x0, y0)."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    u = (x - x0) * np.cos(turn) - (y - y0) * np.sin(turn)  # along the ridges
    v = (x - x0) * np.sin(turn) + (y - y0) * np.cos(turn)  # across, to the right of it
    return np.asarray(np.cos(2 * np.pi * v / period + sign * np.arctan2(v, u)), np.float32)


@pytest.mark.parametrize("degrees", [0, 40, 90, 200, 310])
@pytest.mark.parametrize("valley", [False, True])
def test_place_direction_and_kind_of_one_minutia(degrees: int, valley: bool) -> None:
    """Golden: the added line starts at the spiral's centre and runs along ``turn``."""
    turn = np.deg2rad(degrees)
    picture = dislocation(70.0, 70.0, 1, turn) * (-1 if valley else 1)
    m = detect(picture)
    assert len(m) == 1
    assert m.kind[0] == (KIND_BIFURCATION if valley else KIND_ENDING)
    assert np.hypot(m.x[0] - 70, m.y[0] - 70) < 5
    assert np.cos(m.direction[0] - turn) > np.cos(np.deg2rad(8))
    assert m.quality[0] == 100


def test_the_place_is_finer_than_a_pixel() -> None:
    wide = cv2.GaussianBlur(dislocation(70.0, 70.0, 1, 0.3), (0, 0), 1.5)  # without the jump in the middle
    shifts = np.arange(17) / 8
    found = []
    for shift in shifts:
        moved = cv2.warpAffine(
            wide,
            np.array([[1, 0, shift], [0, 1, shift]]),
            (SIDE, SIDE),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        m = detect(moved)
        found.append((m.x[0], m.y[0]))
    off = np.array(found) - found[0] - shifts[:, None]
    assert np.abs(off).max() < 0.3


def test_quality_follows_the_clarity_and_weak_ones_are_left_out() -> None:
    picture = dislocation(70.0, 70.0, 1, 0.0)
    qualities = [detect(picture, clarity=np.full_like(SURE, c)).quality for c in (0.5, 0.6, 0.7)]
    assert len(qualities[0]) == 0
    assert 0 < qualities[1][0] < qualities[2][0] < 100


def test_where_the_contact_ends_is_no_minutia() -> None:
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    ridges = np.cos(2 * np.pi * y / 10)
    mask = np.asarray((x - 70) ** 2 + (y - 70) ** 2 < 50**2)
    assert len(detect(ridges * mask, mask)) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_broken_ridge_and_a_bridge_are_none(sign: int) -> None:
    y = np.mgrid[:SIDE, :SIDE][0].astype(float)
    ridges = np.cos(2 * np.pi * y / 10)
    ridges[66:75, 67:72] = -0.3  # the ridge of y = 70 is cut for 5 px
    assert len(detect(sign * ridges)) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_an_island_and_a_hole_are_none(sign: int) -> None:
    y = np.mgrid[:SIDE, :SIDE][0].astype(float)
    ridges = np.cos(2 * np.pi * y / 10)
    ridges[74:77, 66:73] = 0.8  # a speck in the valley of y = 75
    assert len(detect(sign * ridges)) == 0


def test_a_smudge_is_none() -> None:
    """Many ends in little space are no pattern."""
    rng = np.random.default_rng(2)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)), (0, 0), 2.5).astype(np.float32)
    crowded = noise / np.abs(noise).max()
    assert len(detect(crowded)) < len(LineEnds(crowd=1000)(crowded, ALL, SURE))


def test_nothing_comes_of_nothing() -> None:
    for shape in ((1, 1), (3, 200), (60, 60)):
        for mask in (np.zeros(shape, bool), np.ones(shape, bool)):
            for value in (-1.0, 0.0, 1.0):
                flat = np.full(shape, value, np.float32)
                assert len(LineEnds()(flat, mask, np.ones(shape, np.float32))) == 0


@pytest.mark.real
def test_directions_agree_with_another_extractor(data: Path) -> None:
    """FingerJetFX writes ISO/IEC 19794-2 beside each picture: same place, same sense of direction."""
    from fpipe.minutiae.files import read_template
    from fpipe.pipeline.extract import extract
    from fpipe.pipeline.presets import load_preset

    folder = data / "formats" / "templates" / "fingerjetfx"
    off: list[float] = []
    for path in sorted(folder.glob("*.ist")):
        picture = next((folder / "images").glob(f"{path.stem}.*"))
        theirs = read_template(path).minutiae
        ours = extract(
            np.asarray(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), np.uint8), load_preset("plain")
        ).minutiae
        for i in range(len(theirs)):
            near = np.hypot(ours.x - theirs.x[i], ours.y - theirs.y[i]) < 10
            off += list(np.cos(ours.direction[near] - theirs.direction[i]))
    assert len(off) > 50
    assert np.mean(np.array(off) > 0.8) > 0.7
    assert np.mean(np.array(off) < -0.8) < 0.15  # half a turn wrong: the other convention
