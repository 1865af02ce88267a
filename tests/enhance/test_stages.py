"""From picture to enhanced picture: known waves, invariants, and quiet where there is nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.types import FloatMap, GrayImage, Mask
from fpipe.enhance.clarity import Amplitude
from fpipe.enhance.contrast import LocalContrast
from fpipe.enhance.filter import CurvedGabor
from fpipe.enhance.orientation import StructureTensor
from fpipe.enhance.period import Signature
from fpipe.enhance.segment import GradientMask

SIDE = 160
ALL = np.ones((SIDE, SIDE), bool)
INNER = (slice(50, 110), slice(50, 110))


def sine(angle: float, period: float, side: int = SIDE) -> FloatMap:
    """Ridges of variance 1 at this angle, counter-clockwise on the screen."""
    y, x = np.mgrid[:side, :side].astype(float)
    across = x * np.sin(angle) + y * np.cos(angle)
    return np.asarray(np.sqrt(2) * np.cos(2 * np.pi * across / period), np.float32)


def gray(contrast: FloatMap) -> GrayImage:
    return np.clip(128 - 60 * contrast, 0, 255).astype(np.uint8)


def disc(side: int = SIDE, share: float = 0.4) -> Mask:
    y, x = np.mgrid[:side, :side]
    return np.asarray((x - side / 2) ** 2 + (y - side / 2) ** 2 < (share * side) ** 2)


def turned(a: FloatMap, b: FloatMap | float) -> FloatMap:
    """Difference of orientations, rad."""
    return np.asarray(np.abs(np.angle(np.exp(2j * (a - b)))) / 2, np.float32)


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(0, 3.14), period=st.floats(6, 14))
def test_orientation_and_period_of_waves(angle: float, period: float) -> None:
    wave = sine(angle, period)
    orientation, coherence = StructureTensor()(wave, ALL)
    assert turned(orientation[INNER], angle).max() < np.deg2rad(3)
    assert coherence[INNER].min() > 0.9
    found = Signature()(wave, ALL, orientation)
    assert np.abs(found[INNER] - period).max() < 0.06 * period


def test_ridges_and_valleys_have_one_orientation_and_period() -> None:
    rng = np.random.default_rng(3)
    wave = sine(0.7, 9.0) + rng.normal(0, 0.5, (SIDE, SIDE)).astype(np.float32)
    one, other = StructureTensor()(wave, ALL)[0], StructureTensor()(-wave, ALL)[0]
    assert turned(one, other).max() < 1e-3
    np.testing.assert_allclose(Signature()(wave, ALL, one), Signature()(-wave, ALL, one), rtol=1e-4)


@pytest.mark.parametrize("period", [6.0, 9.0, 13.0])
def test_a_clear_wave_passes_with_amplitude_one_and_noise_does_not(period: float) -> None:
    field, size = np.full((SIDE, SIDE), 0.6, np.float32), np.full((SIDE, SIDE), period, np.float32)
    clear = CurvedGabor()(sine(0.6, period), ALL, field, size)
    assert clear[INNER].max() == pytest.approx(1.0, abs=0.2)  # less by the linear interpolation
    assert np.corrcoef(clear[INNER].ravel(), sine(0.6, period)[INNER].ravel())[0, 1] > 0.995
    noise = np.random.default_rng(1).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    assert np.abs(CurvedGabor()(noise, ALL, field, size)[INNER]).mean() < 0.2
    assert np.abs(CurvedGabor()(np.ones((SIDE, SIDE), np.float32), ALL, field, size)[INNER]).max() < 1e-3


def test_the_filter_follows_curves() -> None:
    """Circles of radius 24 to 48 px: a straight filter of this length would lose a good part of the innermost."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE / 2
    radius = np.hypot(x, y)
    wave = np.asarray(np.sqrt(2) * np.cos(2 * np.pi * radius / 9), np.float32)
    field = np.mod(np.arctan2(-y, x) + np.pi / 2, np.pi).astype(np.float32)
    enhanced = CurvedGabor()(wave, ALL, field, np.full((SIDE, SIDE), 9, np.float32))
    ring = (radius > 24) & (radius < 48)
    assert np.abs(enhanced[ring]).mean() > 0.88 * 2 / np.pi


def test_contrast_does_not_depend_on_brightness_and_strength() -> None:
    wave, mask = sine(1.1, 9.0), disc()
    strong = LocalContrast()(np.clip(120 - 60 * wave, 0, 255).astype(np.uint8), mask)
    weak = LocalContrast()(np.clip(170 - 20 * wave, 0, 255).astype(np.uint8), mask)
    assert np.abs(strong - weak)[mask].max() < 0.15
    assert not strong[~mask].any()
    assert np.corrcoef(strong[INNER].ravel(), wave[INNER].ravel())[0, 1] > 0.99  # ridges positive


def test_what_lies_outside_the_mask_leaves_no_trace() -> None:
    picture, mask = gray(sine(0.3, 9.0)), disc()
    white, black = np.where(mask, picture, 255).astype(np.uint8), np.where(mask, picture, 0).astype(np.uint8)
    np.testing.assert_array_equal(LocalContrast()(white, mask), LocalContrast()(black, mask))


@pytest.mark.parametrize("value", [0, 255])
def test_the_mask_is_the_print_and_no_padding(value: int) -> None:
    """A gray picture with a print in it, turned by 20 degrees into pure black or white."""
    side = 360
    print_area = disc(side, 0.25)
    picture = np.where(print_area, gray(sine(0.5, 9.0, side)), 180).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 20, 0.8)
    around = cv2.warpAffine(picture, turn, (side, side), flags=cv2.INTER_LINEAR, borderValue=(value,))
    truth = cv2.warpAffine(print_area.astype(np.uint8), turn, (side, side)) > 0
    mask = GradientMask()(around)
    assert (mask & truth).sum() > 0.95 * truth.sum()
    assert (mask & ~truth).sum() < 0.3 * truth.sum()
    assert not mask[:20].any() and not mask[:, :20].any()


def test_clarity_tells_ridges_from_noise() -> None:
    noise = np.random.default_rng(5).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    half = sine(0.9, 9.0)
    half[:, 80:] = noise[:, 80:]
    field, coherence = StructureTensor()(half, ALL)
    enhanced = CurvedGabor()(half, ALL, field, np.full((SIDE, SIDE), 9, np.float32))
    field, coherence = StructureTensor(fine_px=4.0, coarse_px=16.0)(enhanced, ALL)
    clarity, believed = Amplitude()(enhanced, ALL, coherence)
    assert clarity[40:120, 20:60].min() > 0.75
    assert clarity[40:120, 110:150].mean() < 0.45
    assert believed[40:120, 20:60].all()


@pytest.mark.parametrize("shape", [(60, 60), (64, 201), (5, 9), (1, 1)])
@pytest.mark.parametrize("fill", ["flat", "noise", "black", "white"])
def test_nothing_comes_of_nothing(shape: tuple[int, int], fill: str) -> None:
    rng = np.random.default_rng(0)
    image = {
        "flat": np.full(shape, 127, np.uint8),
        "noise": rng.integers(0, 256, shape, dtype=np.uint8),
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
    }[fill]
    found = GradientMask()(image)
    assert found.shape == shape and (fill == "noise" or not found.any())
    for mask in (found, np.zeros(shape, bool), np.ones(shape, bool)):
        contrast = LocalContrast()(image, mask)
        orientation, coherence = StructureTensor()(contrast, mask)
        period = Signature()(contrast, mask, orientation)
        enhanced = CurvedGabor()(contrast, mask, orientation, period)
        clarity, believed = Amplitude()(enhanced, mask, coherence)
        for field in (contrast, orientation, coherence, period, enhanced, clarity):
            assert field.shape == shape and field.dtype == np.float32
            assert np.isfinite(field[mask]).all()
        assert np.isnan(orientation[~mask]).all() and np.isnan(period[~mask]).all()
        assert not (believed & ~mask).any()
