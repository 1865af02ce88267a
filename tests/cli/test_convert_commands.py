"""fpipe convert between template formats, as a script calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, whorl

from fpipe.core.types import Minutiae, Template
from fpipe.formats.exchange.building import Print, efs_of, latent
from fpipe.minutiae.files import write_template


def fpipe(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fpipe", *map(str, arguments)], capture_output=True, text=True, encoding="utf-8"
    )


@pytest.fixture
def template(tmp_path: Path) -> Path:
    columns = ([30, 90, 60], "f4"), ([40, 50, 100], "f4"), ([0.5, 1, 2], "f4"), ([1, 2, 1], "u1"), ([9, 0, 100], "u1")
    m = Minutiae(*(np.array(values, kind) for values, kind in columns))
    path = tmp_path / "t.json"
    write_template(path, Template(m, 120, 140, np.ones((12, 10), bool)))
    return path


@pytest.mark.parametrize("format", ["iso2005", "iso2011", "incits2004", "incits2009"])
def test_template_to_every_record(template: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "t.fmr"
    done = fpipe("convert", template, out, "--format", format)
    assert (done.returncode, done.stdout.strip()) == (0, out.as_posix())
    assert "the print's area (mask)" in done.stderr
    document = json.loads(fpipe("inspect", out, "--json").stdout)
    (view,) = document["minutiae"]
    assert [(p["x"], p["y"], p["type"]) for p in view["points"]] == [
        (30, 40, "ending"), (90, 50, "bifurcation"), (60, 100, "ending"),
    ]  # fmt: skip
    again = tmp_path / "again.json"
    assert fpipe("convert", out, again).returncode == 0
    assert [m["quality"] for m in json.loads(again.read_text())["minutiae"]] == [9, 0, 100]


def test_markup_to_a_record_and_a_picture(tmp_path: Path) -> None:
    x, y = np.array([30.0, 90]), np.array([40.0, 50])
    markup = efs_of(x, y, np.array([0.0, 1]), np.array([1, 2], np.uint8), width=120, height=140, ppi=1000, finger=7)
    source = tmp_path / "latent.an2"
    source.write_bytes(latent(ENVELOPE, NAMED, Print(whorl(), 1000, 0, 4, markup), "SRC").to_bytes())
    assert fpipe("convert", source, tmp_path / "a.iso").returncode == 0
    (view,) = json.loads(fpipe("inspect", tmp_path / "a.iso", "--json").stdout)["minutiae"]
    assert (view["finger"], view["width"], view["height"]) == (7, 120, 140)
    assert view["ppi"] == pytest.approx(1000, abs=1.3)
    assert [(p["x"], p["y"]) for p in view["points"]] == [(30, 40), (90, 50)]
    assert fpipe("convert", source, tmp_path / "a.png").returncode == 0


def test_what_does_not_go_together(template: Path, tmp_path: Path) -> None:
    done = fpipe("convert", template, tmp_path / "a.png")
    assert done.returncode == 2
    assert "holds no picture" in done.stderr
    picture = next(iter(sorted((Path(__file__).parents[2] / "samples").glob("*.png"))))
    done = fpipe("convert", picture, tmp_path / "a.iso")
    assert done.returncode == 2
    assert "fpipe extract" in done.stderr
    assert fpipe("convert", template, template).returncode == 2
    assert fpipe("convert", template, tmp_path / "a.doc").returncode == 2


def test_a_native_xyt_needs_the_height(tmp_path: Path) -> None:
    source = tmp_path / "a.xyt"
    source.write_text("10 100 90 50\n")
    done = fpipe("convert", source, tmp_path / "a.iso", "--from-xyt", "native")
    assert done.returncode == 2
    assert "height" in done.stderr
    options = ["--from-xyt", "native", "--height", 140, "--width", 120]
    assert fpipe("convert", source, tmp_path / "a.iso", *options).returncode == 0
    (view,) = json.loads(fpipe("inspect", tmp_path / "a.iso", "--json").stdout)["minutiae"]
    assert (view["width"], view["height"]) == (120, 140)
    assert view["points"] == [{"x": 10, "y": 40, "direction_degrees": 270, "type": "other", "quality": 50}]
