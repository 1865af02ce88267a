"""Files as such: missing, folders, empty, foreign, hashes; and the two commands."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawing import gray_tiff, ridges, tiff

from fpipe.cli.convert import command as convert
from fpipe.cli.inspect import command as inspect
from fpipe.core.errors import BadParameter, EmptyFile, FpipeError, NotAnImage, NotFound, Unsupported, UsageError
from fpipe.formats import read_picture, reading

FILE = gray_tiff(ridges(), t282=(5, [1000, 1]), t283=(5, [1000, 1]))


def test_missing_folder_and_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no such file"):
        read_picture(tmp_path / "no.png")
    with pytest.raises(NotFound, match="folder"):
        read_picture(tmp_path)
    with pytest.raises(NotFound, match="can't be opened"):
        read_picture(tmp_path / ("x" * 300))
    path = tmp_path / "a.tif"
    path.write_bytes(FILE)
    with pytest.raises(NotFound):
        read_picture(path / "b.tif")

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)  # root, who runs the tests in containers, may read anything
    with pytest.raises(NotFound, match="no permission"):
        read_picture(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound, match="pipe"):
        read_picture(tmp_path / "pipe")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    with path.open("wb") as handle:
        handle.truncate(reading.MAX_BYTES + 1)
    with pytest.raises(Unsupported, match="at most"):
        read_picture(path)


def test_empty_and_foreign() -> None:
    with pytest.raises(EmptyFile, match=r"a\.png"):
        read_picture(b"", name="a.png")
    for data, words in (
        (b"GIF89a....", "a GIF file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"RIFF....WEBP", "WebP"),
        (b"FMR\0 20\0", "template"),
        (b"P5 3 3 255", "PGM"),
        (b"hello world", "begins with"),
        (b"\0" * 100, "begins with"),
        (b"\x89PN", "only 3 bytes"),
        (b"B", "only 1 bytes"),
    ):
        with pytest.raises(NotAnImage, match=words):
            read_picture(data)


def test_content_counts_and_the_name_does_not(tmp_path: Path) -> None:
    path = tmp_path / "print.png"
    path.write_bytes(FILE)
    picture = read_picture(path)
    assert picture.format == "TIFF"
    assert picture.sha256 == hashlib.sha256(FILE).hexdigest()
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.dtype == np.uint8


def test_given_resolution_wins_and_that_is_said() -> None:
    picture = read_picture(FILE, ppi=500)
    assert (picture.ppi, picture.ppi_origin) == (500, "option")
    assert any("1000" in notice for notice in picture.notices)
    assert read_picture(FILE, ppi=1000).notices == ()
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(BadParameter):
            read_picture(FILE, ppi=wrong)


def run(command, *arguments: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_inspect(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(FILE)
    document = json.loads(run(inspect, path, "--json").stdout)
    pixels = {"width": 51, "height": 40, "ppi": 1000.0, "ppi_origin": "file"}
    pixels["pixels_sha256"] = hashlib.sha256(ridges().tobytes()).hexdigest()
    assert document == {
        "file": path.as_posix(),
        "sha256": hashlib.sha256(FILE).hexdigest(),
        "format": "TIFF",
        **pixels,
        "bits": 8,
        "pages": 1,
        "records": [],
        "images": [{"record": None, "finger": None, "impression": None, **pixels, "compression": "TIFF"}],
        "minutiae": [],
        "notices": [],
    }
    text = run(inspect, path, "--ppi", 500)
    assert "500 ppi (given)" in text.stdout
    assert "1000" in text.stderr


def test_inspect_says_how_many_pages(tmp_path: Path) -> None:
    tags = {256: (4, [51]), 257: (4, [40]), 258: (3, [8]), 262: (3, [1])}
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([(tags, [ridges().tobytes()])] * 3))
    result = run(inspect, path, "--json")
    assert json.loads(result.stdout)["pages"] == 3
    assert "3 pictures" in result.stderr


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_convert(tmp_path: Path, ending: str) -> None:
    source, out = tmp_path / "a.tif", tmp_path / f"b.{ending}"
    source.write_bytes(FILE)
    assert run(convert, source, out).exit_code == 0
    again = read_picture(out)
    assert (again.pixels == ridges()).all()
    assert again.ppi == pytest.approx(1000, abs=0.02)


def test_convert_refuses_to_lose_anything(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    source.write_bytes(FILE)
    for out in (source, tmp_path / "." / "a.tif", tmp_path / "b.jpg", tmp_path / "b"):
        result = run(convert, source, out)
        assert isinstance(result.exception, UsageError)
    assert isinstance(run(convert, tmp_path / "no.tif", tmp_path / "b.png").exception, FpipeError)
    assert source.read_bytes() == FILE
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("command", [inspect, convert])
def test_help_has_an_example(command) -> None:  # type: ignore[no-untyped-def]
    assert "Example:" in run(command, "--help").stdout
