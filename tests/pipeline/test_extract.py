"""Picture to template: truth where it is known, quiet where there is nothing, the same twice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fpipe.core.errors import NoRidges
from fpipe.core.trace import Recorder
from fpipe.core.types import KIND_BIFURCATION, KIND_ENDING, GrayImage
from fpipe.formats import read_picture, to_500_ppi
from fpipe.minutiae import blob
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import PRESETS, load_preset
from fpipe.synth import samples

PLAIN = load_preset("plain")


def waves(angle: float, period: float = 9.0, side: int = 300) -> GrayImage:
    """Straight ridges in a disc of contact; angle of the ridges, counter-clockwise on the screen."""
    y, x = np.mgrid[:side, :side].astype(float)
    across = x * np.sin(angle) + y * np.cos(angle)
    gray = 128 + 90 * np.cos(2 * np.pi * across / period)
    disc = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (0.42 * side) ** 2
    return np.where(disc, gray, 235).astype(np.uint8)


def fork(period: float = 10.0, side: int = 300, sign: int = 1) -> GrayImage:
    """One dislocation in horizontal ridges, in the middle: a spiral phase adds a line to the right of it."""
    y, x = np.mgrid[:side, :side].astype(float)
    phase = 2 * np.pi * y / period + sign * np.arctan2(y - side / 2, x - side / 2)
    disc = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (0.42 * side) ** 2
    return np.where(disc, 128 + 90 * np.cos(phase), 235).astype(np.uint8)


@pytest.mark.parametrize("degrees", [0, 30, 75, 90, 120, 165])
def test_orientation_and_period_of_straight_ridges(degrees: int) -> None:
    trace = Recorder()
    template = extract(waves(np.deg2rad(degrees)), PLAIN, trace)
    inner = (slice(90, 210), slice(90, 210))
    off = trace["orientation.field"][inner] - np.deg2rad(degrees)
    off = np.abs(np.angle(np.exp(2j * off))) / 2
    assert np.median(off) < np.deg2rad(2)
    assert off.max() < np.deg2rad(5)
    assert np.median(trace["period.map"][inner]) == pytest.approx(9.0, abs=0.4)
    assert trace["segmentation.mask"][inner].all()
    assert len(template.minutiae) <= 2  # there is none


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dislocation_is_one_minutia_in_its_place(sign: int) -> None:
    """Golden: the spiral's centre is known; the added line runs to one side of it."""
    m = extract(fork(sign=sign), PLAIN).minutiae
    near = np.flatnonzero(np.hypot(m.x - 150, m.y - 150) < 12)
    assert len(near) == 1
    (i,) = near
    assert m.kind[i] in (KIND_ENDING, KIND_BIFURCATION)
    along = abs(np.cos(m.direction[i]))
    assert along > 0.9  # the ridges are horizontal


def test_turning_the_picture_turns_the_minutiae() -> None:
    path = samples.folder() / next(i["file"] for i in samples.manifest()["files"] if i["kind"] == "plain")
    image = to_500_ppi(read_picture(path), path.name)
    m = extract(image, PLAIN).minutiae
    turned = extract(cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE), PLAIN).minutiae
    x, y, d = m.y, image.shape[1] - 1 - m.x, m.direction + np.pi / 2
    found = 0
    for i in range(len(m)):
        close = np.hypot(turned.x - x[i], turned.y - y[i]) < 6
        found += bool(np.any(close & (np.cos(turned.direction - d[i]) > 0.9)))
    assert found >= 0.7 * len(m)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_no_print_is_refused_or_gives_little(preset: str) -> None:
    rng = np.random.default_rng(1)
    chosen = load_preset(preset)
    for image in (np.full((300, 300), 200, np.uint8), np.zeros((300, 300), np.uint8)):
        with pytest.raises(NoRidges):
            extract(image, chosen, where="x")
    for side in (64, 200):
        noise = rng.integers(0, 256, (side, side), dtype=np.uint8)
        try:
            m = extract(noise, chosen).minutiae
        except NoRidges:
            continue
        assert np.isfinite(m.x).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_bytes_whatever_the_threads(preset: str) -> None:
    item = next(i for i in samples.manifest()["files"] if i["kind"] == "latent")
    path = samples.folder() / item["file"]
    image = to_500_ppi(read_picture(path), path.name)
    first = blob.encode(extract(image, load_preset(preset)))
    cv2.setNumThreads(4)
    assert blob.encode(extract(image, load_preset(preset))) == first


def test_a_template_is_as_a_gallery_gives_it_back() -> None:
    template = extract(waves(0.3), PLAIN)
    data = blob.encode(template)
    assert blob.encode(blob.decode(data, "x")) == data
    assert template.source == PLAIN.extraction_digest
    assert template.mask is not None and template.mask.any()
