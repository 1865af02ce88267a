"""Impressions and latents: what is drawn is what was asked for, and its truth is that of the picture's own frame."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from fpipe.synth import marks
from fpipe.synth.crops import Crop
from fpipe.synth.fields import generator
from fpipe.synth.flow import CORE
from fpipe.synth.impression import Impression
from fpipe.synth.latent import TROUBLES, Latent
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.skin import Skin, ghost, smeared, touched
from fpipe.synth.touch import Drawn, Touch, truth_of

SENSORS = ["optical", "gray", "prism", "capacitive", "card"]
STILL = Touch(
    height=200,
    width=180,
    rotation_rad=0,
    offset_px=0,
    shift_px=0,
    twist_rad=0,
    wobble_px=0,
    lift_px=0,
    scale_sd=0,
    outline=0,
)


@cache
def master(pattern: str = "right_loop", seed: int = 1) -> Master:
    return MasterPrint(pattern=pattern, height=360, width=280)(seed)


def check_truth(drawn: Drawn, source: Master) -> None:
    """Shapes, types and ranges; every minutia lies on the mask and on the master's own when carried back."""
    truth, shape = drawn.truth, drawn.picture.shape
    assert drawn.picture.dtype == np.uint8
    assert truth.mask.dtype == bool and truth.ridges.dtype == np.uint8
    assert truth.mask.shape == truth.ridges.shape == truth.orientation.shape == truth.period.shape == shape
    assert truth.displacement.shape == (2, *shape)
    assert set(np.unique(truth.ridges)) <= {0, 1}
    inside = truth.orientation[truth.mask]
    assert np.all((inside >= 0) & (inside < np.pi)) and np.all(np.isnan(truth.orientation[~truth.mask]))
    assert np.all((truth.period[truth.mask] > 4) & (truth.period[truth.mask] < 20))
    m = truth.minutiae
    rows, columns = np.rint(m.y).astype(int), np.rint(m.x).astype(int)
    assert truth.mask[rows, columns].all()
    for axis, own in ((0, source.minutiae.x), (1, source.minutiae.y)):
        field = truth.displacement[axis]
        down, along = np.gradient(field)
        back = (m.x, m.y)[axis] + field[rows, columns]
        back = back + along[rows, columns] * (m.x - columns) + down[rows, columns] * (m.y - rows)
        assert np.abs(back[:, None] - own[None]).min(1).max(initial=0) < 0.1


@pytest.mark.parametrize("sensor", SENSORS)
def test_impressions_have_their_truth(sensor: str) -> None:
    drawn = Impression(sensor=sensor)(master(), 3)  # type: ignore[arg-type]
    check_truth(drawn, master())
    assert drawn.conditions["sensor"] == sensor
    assert drawn.conditions["quality"] in TROUBLES


@pytest.mark.parametrize("kind", ["rolled", "swiped"])
def test_rolled_and_swiped(kind: str) -> None:
    drawn = Impression(kind=kind)(master("whorl", 2), 4)  # type: ignore[arg-type]
    check_truth(drawn, master("whorl", 2))
    plain = Impression(kind="plain", sensor="card", height=512, width=480)(master("whorl", 2), 4)
    if kind == "rolled":
        assert drawn.truth.mask.sum() > plain.truth.mask.sum()
    else:
        assert drawn.picture.shape[1] < 0.6 * drawn.picture.shape[0]


@pytest.mark.parametrize("surface", ["paper", "form", "cheque", "wood", "cloth", "metal", "card", "smooth"])
def test_latents_have_their_truth(surface: str) -> None:
    drawn = Latent(surface=surface, height=320, width=300)(master(), 6)  # type: ignore[arg-type]
    check_truth(drawn, master())
    assert drawn.picture.shape == (320, 300)
    assert drawn.conditions["surface"] == surface


@pytest.mark.parametrize("developer", ["powder", "light powder", "ninhydrin", "fuming", "dust"])
def test_developers_leave_ridges_that_can_be_seen(developer: str) -> None:
    drawn = Latent(difficulty="good", surface="smooth", developer=developer)(master(), 8)  # type: ignore[arg-type]
    inner = distance_transform_edt(drawn.truth.mask) > 8
    flat = drawn.picture - cv2.GaussianBlur(drawn.picture.astype(np.float32), (0, 0), 9)
    ridge, valley = flat[inner & (drawn.truth.ridges == 1)], flat[inner & (drawn.truth.ridges == 0)]
    apart = valley.mean() - ridge.mean()
    assert (-apart if drawn.conditions.get("inverted") else apart) > 4


def test_the_worse_the_difficulty_the_less_there_is() -> None:
    names = ("good", "bad", "ugly")
    areas, apart = [], []
    for name in names:
        drawn = [Latent(difficulty=name)(master(), seed) for seed in range(10)]  # type: ignore[arg-type]
        areas.append(np.mean([d.truth.mask.mean() for d in drawn]))
        apart.append(np.mean([abs(_ridge_contrast(d)) for d in drawn]))
    assert areas == sorted(areas, reverse=True)
    assert apart == sorted(apart, reverse=True)
    contrasts = [TROUBLES[name].contrast for name in names]
    assert contrasts == sorted(contrasts, reverse=True)


def _ridge_contrast(drawn: Drawn) -> float:
    mask, ridge = drawn.truth.mask, drawn.truth.ridges == 1
    if not (mask & ridge).any():
        return 0.0
    return float(drawn.picture[mask & ~ridge].mean() - drawn.picture[mask & ridge].mean())


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**51))
def test_same_seed_same_picture_other_seed_other_picture(seed: int) -> None:
    for recipe in (Impression(height=160, width=150), Latent(height=160, width=150), Crop(height=128, width=128)):
        first, again, other = (recipe(master(), s) for s in (seed, seed, seed + 1))
        assert np.array_equal(first.picture, again.picture) and first.conditions == again.conditions
        assert np.array_equal(first.truth.displacement, again.truth.displacement)
        assert not np.array_equal(first.picture, other.picture)


def test_crops_are_of_all_kinds_and_at_all_angles() -> None:
    drawn = [Crop()(master(), seed) for seed in range(60)]
    assert all(d.picture.shape == (256, 256) for d in drawn)
    assert {d.conditions["kind"] for d in drawn} == {"plain", "rolled", "latent"}
    turns = []
    for d in drawn:
        points = d.truth.singular_points
        if (points.kind == CORE).any():
            turns.append(points.direction[points.kind == CORE][0])
    assert len(turns) > 10 and abs(np.mean(np.exp(1j * np.array(turns)))) < 0.5
    check_truth(drawn[0], master())


def test_faults_occur_and_are_labelled() -> None:
    """What a first reader failed on: ghosts, hollow ridges, broad creases, hard padding."""
    drawn = [Impression()(master(), seed) for seed in range(120)]
    for name in ("ghost", "padding", "hollow_ridges", "broad_creases", "base_crease", "wear"):
        share = np.mean([bool(d.conditions.get(name)) for d in drawn])
        assert 0.02 < share < 0.8, name
    padded = [d for d in drawn if d.conditions.get("padding") == "black"]
    assert padded and all(np.mean(d.picture[~d.truth.mask] == 0) > 0.02 for d in padded)


# -- how skin meets a surface ----------------------------------------------------------------------------------------


def test_a_still_touch_shows_the_master_as_it_is() -> None:
    source = master()
    laid = STILL(source, generator(0, "test"))
    truth = truth_of(laid, laid.contact > 0)
    left, top = laid.x[0, 0], laid.y[0, 0]
    assert np.abs(np.diff(laid.x, axis=1) - 1).max() < 1e-3 and np.abs(np.diff(laid.y, axis=0) - 1).max() < 1e-3
    assert truth.displacement[0].std() < 1e-3
    m = truth.minutiae
    gaps = np.hypot(m.x[:, None] + left - source.minutiae.x, m.y[:, None] + top - source.minutiae.y)
    assert gaps.min(1).max() < 0.01
    assert np.abs(m.direction - source.minutiae.direction[gaps.argmin(1)]).max() < 1e-3
    row, column = round(float(50 + top)), round(float(60 + left))
    assert truth.orientation[50, 60] == pytest.approx(source.orientation[row, column], abs=0.06)
    assert truth.period[50, 60] == pytest.approx(source.period[row, column], rel=0.02)


def test_orientation_and_period_follow_the_distorted_ridges() -> None:
    touch = Touch(height=260, width=240, rotation_rad=4.0, shift_px=14, twist_rad=0.15, wobble_px=2, scale=1.2)
    laid = touch(master("whorl", 2), generator(3, "test"))
    truth = truth_of(laid, laid.contact > 0)
    clean = cv2.GaussianBlur(truth.ridges.astype(np.float32), (0, 0), 1.0)
    gx, gy = cv2.Sobel(clean, cv2.CV_32F, 1, 0), cv2.Sobel(clean, cv2.CV_32F, 0, 1)
    cos, sin = cv2.GaussianBlur(gy * gy - gx * gx, (0, 0), 5), cv2.GaussianBlur(2 * gx * gy, (0, 0), 5)
    inner = distance_transform_edt(truth.mask) > 10
    turn = (np.arctan2(sin, cos) / 2 - truth.orientation + np.pi / 2) % np.pi - np.pi / 2
    assert np.rad2deg(np.abs(turn[inner]).mean()) < 1.5
    assert np.nanmedian(truth.period) == pytest.approx(1.2 * np.median(laid.master.period), rel=0.1)


def test_the_middle_of_a_contact_sticks() -> None:
    source = master()
    rigid = STILL(source, generator(4, "test"))
    bent = Touch(**{**_fields(STILL), "shift_px": 14.0, "twist_rad": 0.1})(source, generator(4, "test"))
    shift = np.hypot(bent.x - rigid.x, bent.y - rigid.y)
    assert shift[95:105, 85:95].max() < 0.5
    assert shift[:20].max() > 4


def _fields(touch: Touch) -> dict[str, float]:
    described: dict[str, float] = touch.describe()["parameters"]
    return described


def test_moisture_widens_ridges_and_wear_takes_them_away() -> None:
    laid = STILL(master(), generator(1, "test"))
    covered = [touched(generator(2, "t"), laid, Skin(moisture=m)).mean() for m in (-0.8, 0.0, 0.8)]
    assert covered == sorted(covered) and covered[2] > 1.5 * covered[0]
    assert touched(generator(2, "t"), laid, Skin(wear=0.8)).mean() < 0.9 * covered[1]


def test_a_ghost_is_not_the_finger() -> None:
    laid = STILL(master(), generator(1, "test"))
    trace = ghost(generator(5, "test"), laid)
    assert trace.min() >= 0 and trace.max() <= 1.001 and trace.std() > 0.1
    inside = trace > 0.02
    assert abs(np.corrcoef(trace[inside], laid.relief[inside])[0, 1]) < 0.2


def test_a_smear_blurs_along_its_line_only() -> None:
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    drawn = smeared(point, 10, 0.0)
    assert drawn.sum() == pytest.approx(1, abs=1e-4)
    assert drawn[20, 16] > 0.05 and drawn[16, 20] < 0.01
    assert smeared(point, 0.5, 0.0) is point


# -- marks -----------------------------------------------------------------------------------------------------------

MARKS = {
    "guilloche": marks.guilloche,
    "ruled_lines": marks.ruled_lines,
    "boxes": marks.boxes,
    "pen_arc": marks.pen_arc,
    "tape_edge": marks.tape_edge,
    "printed_text": lambda rng, shape: marks.printed_text(rng, shape, 3),
    "handwriting": lambda rng, shape: marks.handwriting(rng, shape, 6),
    "pen_lines": lambda rng, shape: marks.pen_lines(rng, shape, 3),
    "stains": lambda rng, shape: marks.stains(rng, shape, 2),
    "specks": lambda rng, shape: marks.specks(rng, shape, 0.05, 1.0),
    "scale": lambda rng, shape: marks.scale_bar(rng, shape)[0],
}


@pytest.mark.parametrize("name", sorted(MARKS))
def test_marks_cover_some_of_the_picture(name: str) -> None:
    drawn = [MARKS[name](generator(i, "test"), (200, 170)) for i in range(12)]  # type: ignore[no-untyped-call]
    for mark in drawn:
        assert mark.shape == (200, 170) and mark.dtype == np.float32
        assert mark.min() >= -1e-6 and mark.max() <= 1.0 + 1e-5
    assert 0.002 < np.mean(drawn) < 0.7
    assert np.max(drawn) > 0.5


@pytest.mark.parametrize("surface", [marks.paper, marks.wood, marks.cloth])
def test_surfaces_vary_by_about_one(surface: object) -> None:
    drawn = np.stack([surface(generator(i, "test"), (160, 160)) for i in range(10)])  # type: ignore[operator]
    assert 0.4 < drawn.std() < 2.5 and abs(drawn.mean()) < 0.6


def test_specks_cover_the_share_asked_for() -> None:
    for share in (0.01, 0.1, 0.3):
        covered = np.mean([(marks.specks(generator(i, "t"), (256, 256), share, 1.0) > 0).mean() for i in range(5)])
        assert covered == pytest.approx(share, rel=0.25)
