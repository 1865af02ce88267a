"""Drawn waves: their period and share are found whatever their direction; writing and noise have no such wave."""

from __future__ import annotations

import numpy as np
import pytest

from fpipe.pipeline.waves import strongest_waves

SIDE, STEP = 40, 10


def drawn(period: float, degrees: float, size: int = 120) -> np.ndarray:
    """(H, W) uint8, a wave along ``degrees``."""
    y, x = np.mgrid[:size, :size]
    along = x * np.cos(np.deg2rad(degrees)) - y * np.sin(np.deg2rad(degrees))
    return np.rint(127 + 60 * np.sin(2 * np.pi * along / period)).astype(np.uint8)


@pytest.mark.parametrize("period", [6.0, 9.0, 9.7, 13.0])
@pytest.mark.parametrize("degrees", [0, 30, 45, 80, 90, 135, 170])
def test_a_wave_of_any_direction(period: float, degrees: float) -> None:
    waves = strongest_waves(drawn(period, degrees), SIDE, STEP, 4.5, 16.0)
    inner = (slice(3, -3), slice(3, -3))
    assert np.abs(np.log(waves.period[inner] / period)).max() < 0.08
    assert waves.share[inner].min() > 0.45  # a level one counts half, as both its bins are in the half plane
    assert waves.share.max() <= 1.0
    assert waves.strength[inner].min() > 20


def test_noise_and_flat_paper_have_none() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (160, 160), dtype=np.uint8)
    assert np.median(strongest_waves(noise, SIDE, STEP, 4.5, 16.0).share) < 0.2
    flat = strongest_waves(np.full((100, 100), 200, np.uint8), SIDE, STEP, 4.5, 16.0)
    assert flat.strength.max() < 0.01


def test_one_value_a_square() -> None:
    waves = strongest_waves(drawn(9, 20, 105), SIDE, STEP, 4.5, 16.0)
    assert waves.share.shape == waves.period.shape == waves.strength.shape == (11, 11)
