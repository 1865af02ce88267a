"""To 500 ppi: scale, filter, limits; and pictures written and read again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import BlankImage, DiskFull, TooLarge, TooSmall, UnknownResolution, UsageError
from fpipe.core.types import Picture, PpiOrigin
from fpipe.formats import read_picture, to_500_ppi, write_picture
from fpipe.formats.resample import SIGMA


def picture(pixels: np.ndarray, ppi: float | None, origin: PpiOrigin = "file", *notices: str) -> Picture:
    return Picture(pixels, ppi, origin, "PNG", 8, "", notices)


def waves(ppi: float, millimetres: float = 10.0, period: float = 0.45) -> np.ndarray:
    """Ridges of a period in mm as a device of this resolution records them."""
    side = round(millimetres / 25.4 * ppi)
    x = (np.arange(side) + 0.5) / ppi * 25.4
    return np.tile(np.rint(127.5 + 100 * np.sin(2 * np.pi * x / period)), (side, 1)).astype(np.uint8)


@pytest.mark.parametrize("ppi", [499.5, 499.999, 500, 500.38, 500.5])
def test_untouched_where_it_is_500_already(ppi: float) -> None:
    pixels = waves(500)
    assert to_500_ppi(picture(pixels, ppi), "x") is pixels


@pytest.mark.parametrize("ppi", [250, 300, 400, 508, 600, 1000, 1200, 2000])
def test_ridges_keep_place_and_period(ppi: float) -> None:
    found = to_500_ppi(picture(waves(ppi), ppi), "x").astype(float)
    expected = waves(500).astype(float)
    assert abs(found.shape[0] - expected.shape[0]) <= 1
    inner = slice(20, 170)
    assert np.corrcoef(found[inner, inner].ravel(), expected[inner, inner].ravel())[0, 1] > 0.995


def test_the_filter_is_that_of_nistir_7839_at_1000_ppi() -> None:
    assert SIGMA * np.sqrt(2.0**2 - 1) == pytest.approx(0.8475)


def test_what_500_ppi_can_not_carry_is_gone_and_not_folded_back() -> None:
    pixels = np.tile(np.array([0, 255], np.uint8), (400, 200))  # one pixel wide at 2000 ppi
    assert np.ptp(to_500_ppi(picture(pixels | np.uint8(1), 2000), "x")[10:-10, 10:-10].astype(int)) <= 2


@settings(deadline=None, max_examples=20)
@given(st.integers(70, 200), st.integers(70, 200), st.sampled_from([300.0, 500.0, 777.0, 1000.0]))
def test_turning_before_or_after_is_the_same(height: int, width: int, ppi: float) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height * 2, width * 2)).astype(np.uint8)
    upright = to_500_ppi(picture(pixels, ppi), "x").astype(int)
    turned = to_500_ppi(picture(np.ascontiguousarray(pixels.T), ppi), "x").astype(int)
    assert np.abs(upright - turned.T).max() <= 1


def test_refusals_say_what_to_do() -> None:
    good = waves(500)
    with pytest.raises(UnknownResolution, match="--ppi"):
        to_500_ppi(picture(good, None, "unknown"), "x")
    with pytest.raises(UnknownResolution, match="72 ppi"):
        to_500_ppi(picture(good, None, "unknown", "resolution unknown: the file states 72 ppi"), "x")
    for ppi in (20, 124, 5001, 1e9):
        with pytest.raises(UnknownResolution, match="prints are recorded"):
            to_500_ppi(picture(good, ppi), "x")
    with pytest.raises(TooSmall, match="at least 64"):
        to_500_ppi(picture(good[:63], 500), "x")
    with pytest.raises(TooSmall, match="at least 128"):
        to_500_ppi(picture(good[:120], 1000), "x")
    with pytest.raises(TooLarge, match="4100"):
        to_500_ppi(picture(np.zeros((70, 4200), np.uint8), 500), "x")


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank(level: int) -> None:
    pixels = np.full((200, 200), level, np.uint8)
    with pytest.raises(BlankImage):
        to_500_ppi(picture(pixels, 500), "x")
    pixels[3, 4] = 255 - level
    with pytest.raises(BlankImage, match="all but"):
        to_500_ppi(picture(pixels, 500), "x")
    pixels[50:80, 50:80] = 140 if level != 128 else 110
    assert to_500_ppi(picture(pixels, 500), "x") is pixels


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["png", "tif", "tiff", "PNG"]),
    st.one_of(st.none(), st.sampled_from([500.0, 499.999, 1000.0, 1250.0, 300.5])),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_written_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, ending: str, ppi: float | None, height: int, width: int
) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width)).astype(np.uint8)
    path = tmp_path_factory.mktemp("written") / f"a.{ending}"
    write_picture(path, pixels, ppi)
    again = read_picture(path)
    assert (again.pixels == pixels).all()
    assert again.ppi == (None if ppi is None else pytest.approx(ppi, abs=0.02))
    assert again.ppi_origin == ("unknown" if ppi is None else "file")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "darwin", reason="the wsq package has no wheel for macOS")
@pytest.mark.parametrize("ppi", [None, 500.0, 1000.0])
def test_wsq_is_written_and_read_again(tmp_path: Path, ppi: float | None) -> None:
    rows, columns = np.indices((200, 150))
    pixels = (127.5 + 90 * np.sin(0.6 * rows + 0.3 * columns)).astype(np.uint8)
    write_picture(tmp_path / "a.wsq", pixels, ppi)
    again = read_picture(tmp_path / "a.wsq")
    assert np.abs(again.pixels.astype(int) - pixels).mean() < 6  # lossy
    assert again.ppi == ppi
    assert (tmp_path / "a.wsq").stat().st_size < pixels.size / 5


def test_writing_refuses(tmp_path: Path) -> None:
    pixels = np.zeros((5, 5), np.uint8)
    for name in ("a.jpg", "a", "a.bmp"):
        with pytest.raises(UsageError, match=r"expected \.png, \.tif or \.wsq"):
            write_picture(tmp_path / name, pixels, None)
    with pytest.raises(DiskFull):
        write_picture(tmp_path / "missing" / "a.png", pixels, None)
    assert list(tmp_path.iterdir()) == []
