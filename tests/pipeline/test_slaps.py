"""Slaps put together from the samples: every finger found at its place; what is no such hand is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fpipe.core.errors import SlapPicture
from fpipe.formats import read_picture, to_500_ppi
from fpipe.formats.exchange.pictures import decode_picture, pictures_of
from fpipe.formats.exchange.records import parse
from fpipe.pipeline.slaps import FINGERS_OF, Slaps

SAMPLES = sorted(path for path in (Path(__file__).parents[2] / "samples").glob("p*.png") if "again" not in path.name)
SIZES = {2: 1.0, 3: 1.0, 4: 1.0, 5: 0.75, 7: 1.0, 8: 1.0, 9: 1.0, 10: 0.75, 1: 1.1, 6: 1.1}
DOWN = {2: 150, 3: 30, 4: 80, 5: 300, 7: 150, 8: 30, 9: 80, 10: 300, 1: 100, 6: 100}
"""px from the top: the tips' arch."""


def drawn_slap(fingers: list[int], *, tilt: float = 0.0, gap: int = 330) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Samples side by side on white paper, turned about the middle; and where each finger's middle is."""
    height, width = 1000, 200 + gap * len(fingers)
    slap = np.full((height, width), 255, np.uint8)
    centres = {}
    for i, finger in enumerate(fingers):
        picture = read_picture(SAMPLES[0])
        size = SIZES[finger]
        one = cv2.resize(picture.pixels, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
        y, x = 150 + DOWN[finger], 100 + gap * i
        one = one[: height - y, : width - x]
        place = slap[y : y + one.shape[0], x : x + one.shape[1]]
        np.minimum(place, one, out=place)
        ink = np.argwhere(one < 128)
        centres[finger] = ink.mean(0)[::-1] + np.array([x, y])
    if tilt:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), np.rad2deg(tilt), 1.0)
        slap = np.asarray(cv2.warpAffine(slap, turn, (width, height), borderValue=255), np.uint8)
        centres = {f: turn[:, :2] @ c + turn[:, 2] for f, c in centres.items()}
    return slap, centres


@pytest.mark.parametrize("position", [13, 14, 15])
@pytest.mark.parametrize("degrees", [0, 15, -15])
def test_every_finger_is_found_at_its_place(position: int, degrees: int) -> None:
    gap = 330 if position != 15 else 480
    slap, centres = drawn_slap(list(FINGERS_OF[position]), tilt=np.deg2rad(degrees), gap=gap)
    found = Slaps()(slap, position, "slap")
    assert [f.position for f in found.fingers] == list(FINGERS_OF[position])
    for finger in found.fingers:
        height, width = finger.image.shape
        middle = np.array([finger.x + width / 2, finger.y + height / 2])
        assert np.hypot(*(middle - centres[finger.position])) < 80
        assert 120 < width < 450


def test_a_finger_is_cut_out_as_it_lies() -> None:
    """Its own pixels are the slap's; of its neighbours there is nothing but paper."""
    slap, _ = drawn_slap([2, 3, 4, 5])
    for finger in Slaps()(slap, 13, "slap").fingers:
        height, width = finger.image.shape
        there = slap[finger.y : finger.y + height, finger.x : finger.x + width]
        own = finger.image != 255
        assert np.array_equal(finger.image[own], there[own])
        assert own.mean() > 0.4


def test_a_missing_finger_is_known_from_the_record_or_refused() -> None:
    slap, _ = drawn_slap([2, 4, 5])
    with pytest.raises(SlapPicture, match="3 pieces look like fingertips"):
        Slaps()(slap, 13, "slap")
    assert [f.position for f in Slaps()(slap, 13, "slap", missing=[3]).fingers] == [2, 4, 5]
    with pytest.raises(SlapPicture, match="said to be missing"):
        Slaps()(slap, 13, "slap", missing=[2, 3, 4, 5])


def test_the_other_hand_is_refused() -> None:
    slap, _ = drawn_slap([10, 9, 8, 7])
    with pytest.raises(SlapPicture, match="other hand"):
        Slaps()(slap, 13, "slap")


def test_a_joint_below_is_no_fingertip() -> None:
    """Where the tilt is misjudged by 40 degrees, the joint of one finger seems to stand beside another's tip."""
    slap, _ = drawn_slap([3, 4])
    slaps = Slaps()
    _, (left, right) = slaps._pieces(slaps.mask(slap))
    slaps._check([left, right], [3, 4], 0.0, "slap", 41)
    right.centre = left.centre + np.array([60.0, 520.0])
    with pytest.raises(SlapPicture, match="below its neighbour"):
        slaps._check([left, right], [3, 4], np.deg2rad(5), "slap", 41)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_hand_at_all_is_refused(level: int) -> None:
    with pytest.raises(SlapPicture, match="0 pieces"):
        Slaps()(np.full((600, 1000), level, np.uint8), 14, "slap")


def test_noise_and_lines_are_refused() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (600, 1000), dtype=np.uint8)
    with pytest.raises(SlapPicture):
        Slaps()(noise, 13, "slap")
    lines = np.full((600, 1000), 255, np.uint8)
    lines[::90] = 0
    with pytest.raises(SlapPicture):
        Slaps()(lines, 13, "slap")


@pytest.mark.real
def test_real_slaps(data: Path) -> None:
    """Live-scanned hands in full; on an inked card with writing, a punch and a neighbour's print: right, or refused.

    Origin of the places: looked at by eye, centres of the fingertips in px.
    """
    folder = data / "formats" / "an2"

    def slap(name: str, idc: int) -> np.ndarray:
        picture = next(p for p in pictures_of(parse((folder / name).read_bytes(), name)) if p.record.idc == idc)
        return decode_picture(picture, name)[0].gray

    live = {1: {2: (320, 470), 3: (620, 180), 4: (960, 250), 5: (1370, 630)}}
    for idc, centres in live.items():
        found = Slaps()(slap("valid1.8.an2", idc), 13, "slap")
        assert [f.position for f in found.fingers] == list(centres)
        for finger in found.fingers:
            x, y = centres[finger.position]
            assert finger.x < x < finger.x + finger.image.shape[1]
            assert finger.y < y < finger.y + finger.image.shape[0]
    assert [f.position for f in Slaps()(slap("valid1.8.an2", 2), 14, "slap").fingers] == [10, 9, 8, 7]
    card = {
        (2, 13): {2: (270, 620), 3: (550, 250), 4: (930, 220), 5: (1350, 570)},
        (1, 14): {10: (295, 770), 9: (590, 280), 8: (890, 130), 7: (1270, 360)},
        (3, 15): {6: (200, 640), 1: (680, 560)},
    }
    for (idc, position), centres in card.items():
        found = Slaps()(slap("type-4-14-slaps.an2", idc), position, "slap")
        assert [f.position for f in found.fingers] == list(centres)
        for finger in found.fingers:
            x, y = centres[finger.position]
            assert finger.x < x < finger.x + finger.image.shape[1]
            assert finger.y < y < finger.y + finger.image.shape[0]
    # the ring finger is painted over: said to be missing it is left out, and otherwise nobody takes its place
    amputated = slap("type-14-amp-nqm-utf8.an2", 3)
    with pytest.raises(SlapPicture):
        Slaps()(amputated, 14, "slap")
    assert [f.position for f in Slaps()(amputated, 14, "slap", missing=[9]).fingers] == [10, 8, 7]


def test_samples_are_500_ppi() -> None:
    picture = read_picture(SAMPLES[0])
    assert to_500_ppi(picture, "x") is picture.pixels
