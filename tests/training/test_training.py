"""What the training draws: looks that leave the truth in place, batches that a seed fixes, hard crops taken again."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fpipe.core.types import GrayImage
from fpipe.synth.master import MasterPrint
from fpipe.synth.seeds import finger_seed

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(autouse=True)
def _training_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TRAINING))


def module(name: str) -> ModuleType:
    """A file of ``training/``, which is no package."""
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def crops() -> list[dict[str, NDArray[Any]]]:
    sys.path.insert(0, str(TRAINING))
    try:
        drawn = module("crops").drawn
    finally:
        sys.path.remove(str(TRAINING))
    number = finger_seed("train", 0, 0)
    master = MasterPrint()(number)
    return [drawn(master, number * 1024 + i) for i in range(3)]


def changed(crop: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], seed: int) -> GrayImage:
    bank = np.random.default_rng(1).standard_normal((1024, 1024), np.float32)
    rng = np.random.default_rng(seed)
    image: GrayImage = module("looks").changed_look(crop["picture"], other["picture"], crop["mask"], rng, bank)
    return image


def test_a_look_is_fixed_by_its_seed_and_differs_from_others(crops: list[dict[str, NDArray[Any]]]) -> None:
    looks = [changed(crops[0], crops[1], seed) for seed in range(6)]
    assert all(look.shape == crops[0]["picture"].shape and look.dtype == np.uint8 for look in looks)
    assert np.array_equal(looks[3], changed(crops[0], crops[1], 3))
    assert len({look.tobytes() for look in looks}) == len(looks)


@pytest.mark.parametrize("name", ["_pored", "_blotched", "_saturated"])
def test_what_skin_does_leaves_most_ridges_in_their_place(crops: list[dict[str, NDArray[Any]]], name: str) -> None:
    looks = module("looks")
    bank = np.random.default_rng(1).standard_normal((1024, 1024), np.float32)
    picture, mask = crops[0]["picture"].astype(np.float32), crops[0]["mask"]
    inside = np.kron(mask, np.ones((4, 4))).astype(bool)
    likeness = []
    for seed in range(8):
        rest = () if name == "_pored" else (mask,)
        found = getattr(looks, name)(picture, *rest, np.random.default_rng(seed), bank)
        assert found.shape == picture.shape
        assert not np.array_equal(found, picture)
        likeness.append(np.corrcoef(found[inside], picture[inside])[0, 1])
    assert min(likeness) > 0.2
    assert np.median(likeness) > 0.6


def test_a_piece_without_a_print_can_be_saturated(crops: list[dict[str, NDArray[Any]]]) -> None:
    bank = np.random.default_rng(1).standard_normal((1024, 1024), np.float32)
    picture = crops[0]["picture"].astype(np.float32)
    nothing = np.zeros_like(crops[0]["mask"])
    found = module("looks")._saturated(picture, nothing, np.random.default_rng(0), bank)
    assert np.isfinite(found).all()
    assert found.std() > 10


@pytest.mark.parametrize("way", [0.1, 0.17, 0.2])
def test_lossy_files_leave_a_picture_in_its_place(crops: list[dict[str, NDArray[Any]]], way: float) -> None:
    class Fixed:
        """Chooses the file, and the mildest of its kind."""

        def random(self) -> float:
            return way

        def integers(self, low: int, high: int) -> int:
            return high - 1

        def uniform(self, low: float, high: float) -> float:
            return high

    picture = crops[0]["picture"]
    coded = module("looks")._coded(picture, Fixed())
    assert coded.shape == picture.shape
    assert not np.array_equal(coded, picture)
    assert np.corrcoef(coded.ravel(), picture.ravel())[0, 1] > 0.95


def test_batches_are_fixed_by_seed_and_step_and_take_hard_crops_again(crops: list[dict[str, NDArray[Any]]]) -> None:
    pytest.importorskip("torch", reason="batches for training need PyTorch: pip install -e '.[train]'")
    batches = module("batches")
    stored = {name: np.stack([crop[name] for crop in crops] * 4) for name in crops[0]}
    hardness = batches.Hardness(12)
    hardness.last[5] = 1.0
    run = batches.batches(stored, hardness, 8, 0, 0)
    found = [next(run) for _ in range(6)]
    rows, batch = next(batches.batches(stored, hardness, 8, 0, 3))
    assert np.array_equal(rows, found[3][0])
    assert all(np.array_equal(batch[name], found[3][1][name]) for name in batch)
    again = np.concatenate([rows[-batches.HARD :] for rows, _ in found])
    assert (again == 5).sum() >= 2
    assert sorted(np.concatenate([rows[: -batches.HARD] for rows, _ in found[:2]])) == list(range(12))
