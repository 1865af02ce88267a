"""inspect, convert, extract and compare with exchange files, as a script calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, header, tagged, whorl

from fpipe.core.files import sha256_hex
from fpipe.formats import read_picture, write_picture
from fpipe.formats.exchange.building import Print, efs_of, latent, tenprint

GRAY = whorl(200, 160)


def fpipe(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fpipe", *map(str, arguments)], capture_output=True, text=True, encoding="utf-8"
    )


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.an2"
    prints = [Print(np.roll(GRAY, finger, 1), 500, finger, 1) for finger in (1, 7)]
    path.write_bytes(tenprint(ENVELOPE, NAMED, prints, "SRC").to_bytes())
    return path


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    path = tmp_path / "latent.an2"
    x, y, d = np.array([10.0, 150]), np.array([20.0, 30]), np.array([0.0, np.pi])
    efs = efs_of(x, y, d, np.array([1, 2], np.uint8), width=160, height=200, ppi=1000, finger=7)
    path.write_bytes(latent(ENVELOPE, NAMED, Print(GRAY, 1000, 0, 4, efs), "SRC").to_bytes())
    return path


def test_inspect_of_a_card(card: Path) -> None:
    done = fpipe("inspect", card, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["file"] == card.as_posix()
    assert document["sha256"] == sha256_hex(card.read_bytes())
    assert document["format"] == "ANSI/NIST-ITL"
    assert [(r["type"], r["idc"]) for r in document["records"]] == [(1, None), (2, 0), (14, 1), (14, 2)]
    fields = document["records"][1]["fields"]
    assert fields["2.018"] == "اختبار بصمة"
    assert document["records"][0]["fields"]["1.003"] == [["1", "3"], ["2", "00"], ["14", "01"], ["14", "02"]]
    assert document["records"][2]["fields"]["14.999"]["bytes"] > 100
    first = document["images"][0]
    expected = np.ascontiguousarray(np.roll(GRAY, 1, 1)).tobytes()
    assert first | {"record": 14, "idc": 1, "finger": 1, "impression": "rolled", "width": 160, "height": 200} == first
    assert first | {"ppi": 500, "ppi_origin": "file", "compression": "PNG"} == first
    assert first["pixels_sha256"] == sha256_hex(expected)
    assert (document["minutiae"], document["markup"], document["failed"]) == ([], [], [])
    text = fpipe("inspect", card).stdout
    assert "left index, rolled: 160 x 200 px, 500 ppi, PNG" in text


def test_inspect_of_a_latent_with_markup(marked: Path) -> None:
    document = json.loads(fpipe("inspect", marked, "--json").stdout)
    (view,) = document["minutiae"]
    assert (view["record"], view["finger"], view["width"], view["height"], view["ppi"]) == (9, 7, 160, 200, 1000)
    assert [p["type"] for p in view["points"]] == ["ending", "bifurcation"]
    assert [p["direction_degrees"] for p in view["points"]] == [0, 180]
    assert view["points"][0]["x"] == pytest.approx(10, abs=0.2)
    assert view["points"][0]["y"] == pytest.approx(20, abs=0.2)
    (markup,) = document["markup"]
    assert markup["region"] == {"width": 406, "height": 508, "x": 0, "y": 0, "polygon": []}
    assert "2 minutiae (efs)" in fpipe("inspect", marked).stdout


def test_inspect_of_what_can_not_be_read(tmp_path: Path, card: Path) -> None:
    cut = tmp_path / "cut.an2"
    cut.write_bytes(card.read_bytes()[:-100])
    done = fpipe("inspect", cut, "--json")
    assert done.returncode == 5
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "cut short: Type-14 record at byte" in done.stderr
    empty = tagged(14, [(2, b"01"), (6, b"9"), (7, b"9"), (13, b"3"), (999, b"")])
    bad = tmp_path / "bad.an2"
    bad.write_bytes(header(b"1 1,14 1") + empty)
    done = fpipe("inspect", bad, "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout)["failed"][0]["reason"] == "damaged"
    assert "is empty" in done.stderr


def test_templates_have_the_same_keys(tmp_path: Path) -> None:
    record = tmp_path / "a.fmr"
    minutia = bytes([0x40, 5, 0, 7, 64, 50])
    body = bytes([2, 0, 60, 1]) + minutia + b"\0\0"
    size = (24 + len(body)).to_bytes(4, "big")
    record.write_bytes(b"FMR\0 20\0" + size + b"\0\0" + bytes([0, 100, 0, 100, 0, 197, 0, 197, 1, 0]) + body)
    document = json.loads(fpipe("inspect", record, "--json").stdout)
    assert (document["records"], document["images"]) == ([], [])
    (view,) = document["minutiae"]
    assert (view["record"], view["finger"]) == (1, 2)
    assert view["points"] == [{"x": 5, "y": 7, "direction_degrees": 90, "type": "ending", "quality": 50}]


def test_convert_takes_the_one_picture_or_the_one_chosen(tmp_path: Path, card: Path, marked: Path) -> None:
    out = tmp_path / "out.png"
    assert fpipe("convert", marked, out).returncode == 0
    picture = read_picture(out)
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert picture.ppi == pytest.approx(1000, abs=0.01)
    done = fpipe("convert", card, out)
    assert done.returncode == 5
    assert "#7 or #idc=2 left index" in done.stderr
    assert fpipe("convert", f"{card}#7", out).returncode == 0
    np.testing.assert_array_equal(read_picture(out).pixels, np.roll(GRAY, 7, 1))
    assert fpipe("convert", f"{card}#7", card).returncode == 2


def test_extract_and_compare_take_pictures_of_cards(tmp_path: Path) -> None:
    sample = next(iter(sorted((Path(__file__).parents[2] / "samples").glob("*.png"))))
    picture = read_picture(sample)
    card = tmp_path / "card.an2"
    prints = [Print(picture.pixels, picture.ppi or 500, finger, 1, None, "NONE") for finger in (1, 2)]
    card.write_bytes(tenprint(ENVELOPE, NAMED, prints, "SRC").to_bytes())
    plain, inside = tmp_path / "plain.xyt", tmp_path / "inside.xyt"
    options = [] if picture.ppi else ["--ppi", 500]
    assert fpipe("extract", sample, "--out", plain, *options).returncode == 0
    assert fpipe("extract", f"{card}#2", "--out", inside).returncode == 0
    assert plain.read_bytes() == inside.read_bytes()
    done = fpipe("compare", f"{card}#1", f"{card}#idc=2", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["score"] > 0


def test_a_written_picture_is_no_exchange_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_picture(path, GRAY, 500)
    done = fpipe("inspect", f"{path}#7")
    assert done.returncode == 5
    assert "names a picture of an ANSI/NIST file" in done.stderr
