"""--ppi, --scale and --estimate-ppi: one resolution, with how it was come by."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from fpipe.cli.common import ppi_option, scale_ppi
from fpipe.cli.main import main
from fpipe.core.errors import BadParameter, UnknownResolution
from fpipe.core.types import ESTIMATE, GivenPpi
from fpipe.formats import read_picture, write_picture
from fpipe.pipeline.ridge_scale import SPREAD, estimate_ppi
from fpipe.service.reading import picture_of

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("p*.png"))


@click.command()
@ppi_option
def shown(ppi: float | None) -> None:
    click.echo(f"{ppi} {getattr(ppi, 'origin', 'option' if ppi else None)}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "None None"),
        (["--ppi", "1000"], "1000.0 option"),
        (["--scale", "0,0,0,2000,50.8"], "1000.0 scale"),
        (["--estimate-ppi"], "nan estimated"),
    ],
)
def test_one_resolution_whichever_way_it_is_given(options: list[str], said: str) -> None:
    done = CliRunner().invoke(shown, options)
    value, origin = done.output.split()
    expected, from_where = said.split()
    assert origin == from_where
    assert value == expected or float(value) == pytest.approx(float(expected), nan_ok=True)


@pytest.mark.parametrize(
    "options",
    [
        ["--ppi", "500", "--estimate-ppi"],
        ["--scale", "1,2,3,4,5", "--ppi", "500"],
        ["--scale", "1,2,3"],
        ["--scale", "0,0,0,0,10"],
        ["--scale", "0,0,100,0,0"],
        ["--scale", "0,0,nan,0,10"],
        ["--scale", "0,0,100,0,x"],
        ["--scale", "0,0,100,0,1000"],
    ],
)
def test_what_is_no_resolution_is_wrong_usage(options: list[str]) -> None:
    assert CliRunner().invoke(shown, options).exit_code == 2


def test_the_origin_goes_with_it() -> None:
    given = scale_ppi("0,0,300,400,25.4")
    assert given == 500
    assert pickle.loads(pickle.dumps(given)).origin == "scale"
    picture = read_picture(SAMPLES[0], ppi=GivenPpi(400, "scale"))
    assert (picture.ppi, picture.ppi_origin) == (400, "scale")
    with pytest.raises(BadParameter):
        read_picture(SAMPLES[0], ppi=ESTIMATE)  # what forgets to estimate refuses it


@pytest.fixture
def unstated(tmp_path: Path) -> Path:
    path = tmp_path / "unstated.png"
    write_picture(path, read_picture(SAMPLES[0]).pixels, None)
    return path


def test_an_estimate_is_marked_as_one_everywhere(unstated: Path) -> None:
    picture = picture_of(unstated, "x", ESTIMATE)
    assert picture.ppi_origin == "estimated"
    assert picture.ppi is not None
    assert abs(np.log(picture.ppi / 500)) < 3 * SPREAD
    assert any("estimated from the ridges" in line and "most likely" in line for line in picture.notices)
    done = CliRunner().invoke(main, ["inspect", str(unstated), "--estimate-ppi", "--json"])
    document = json.loads(done.stdout)
    assert document["ppi_origin"] == document["images"][0]["ppi_origin"] == "estimated"
    assert "ESTIMATED" in CliRunner().invoke(main, ["inspect", str(unstated), "--estimate-ppi"]).stdout


def test_a_stated_resolution_is_not_estimated() -> None:
    picture = picture_of(SAMPLES[0], "x", ESTIMATE)
    assert picture.ppi_origin == "file"
    assert picture.ppi == pytest.approx(500, abs=0.1)
    assert any("nothing is estimated" in line for line in picture.notices)


@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0, 4.0])
def test_the_estimate_follows_the_scale(factor: float) -> None:
    """Drawn prints: the same finger at other resolutions, each within what the spread of fingers allows."""
    found = []
    for path in SAMPLES[:4]:
        pixels = read_picture(path).pixels
        scaled = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        scale = estimate_ppi(np.asarray(scaled, np.uint8), "x")
        assert scale.low < scale.ppi < scale.high
        found.append(np.log(scale.ppi / (500 * factor)))
    assert np.abs(found).max() < 3 * SPREAD
    assert abs(float(np.mean(found))) < 2 * SPREAD


@pytest.mark.parametrize("level", [0, 255])
def test_without_ridges_there_is_no_estimate(level: int) -> None:
    with pytest.raises(UnknownResolution, match="no ridges clear enough"):
        estimate_ppi(np.full((300, 300), level, np.uint8), "x")
