"""Which files are meant: folders with every kind of entry, patterns, one picture of a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fpipe.service.gallery_files import Details, Source, gather


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cards/b.an2", "cards/a.an2", "cards/deep/c.an2", "cards/deep/d.png", "x[1].png", "e#1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")
    return tmp_path


def names(*files: str, **how: object) -> list[str]:
    return [source.name for source in gather(map(Path, files), **how)]  # type: ignore[arg-type]


def refused(*files: str) -> list[tuple[str, str]]:
    return [(source.name, source.refusal.code) for source in gather(map(Path, files)) if source.refusal is not None]


def test_patterns_are_expanded_here(folder: Path) -> None:
    assert names("cards/*.an2") == ["cards/a.an2", "cards/b.an2"]
    assert names("cards/**/*.an2") == ["cards/a.an2", "cards/b.an2", "cards/deep/c.an2"]
    assert names("card?") == ["cards/a.an2", "cards/b.an2", "cards/deep/c.an2", "cards/deep/d.png"]
    assert names("x[1].png") == ["x[1].png"]
    assert refused("none*.png") == [("none*.png", "not_found")]
    assert names(str(folder / "cards" / "b*")) == [(folder / "cards/b.an2").as_posix()]


def test_one_picture_of_a_file(folder: Path) -> None:
    (source,) = gather([Path("cards/a.an2#idc=3")], Details(subject="S"))
    assert source == Source(Path("cards/a.an2"), "cards/a.an2", None, "idc=3", Details(subject="S"))
    (source,) = gather([Path("e#1.png")])
    assert (source.name, source.choice) == ("e#1.png", "")
    assert refused("none.an2#7") == [("none.an2#7", "not_found")]


def test_the_gallery_itself_is_passed_over(folder: Path) -> None:
    assert names(".", but=[Path("cards/deep"), Path("x[1].png")]) == ["cards/a.an2", "cards/b.an2", "e#1.png"]
    (found,) = gather([Path("cards")], but=[folder / "cards"])
    assert found.refusal is not None
    assert found.refusal.code == "not_found"


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_that_are_no_text_or_no_names(folder: Path) -> None:
    Path(os.fsdecode(b"cards/\xff.png")).write_bytes(b"x")
    assert refused("cards") == [(r"cards/\xff.png", "bad_name")]
    assert refused("y" * 300) == [("y" * 300, "not_found")]
    assert refused("zero\0byte") == [("zero\0byte", "not_found")]


@pytest.mark.skipif(sys.platform == "win32", reason="links, and names of any length, are not everybody's on Windows")
def test_links_that_lead_round_and_entries_that_are_no_files(folder: Path) -> None:
    Path("cards/deep/up").symlink_to("..")
    Path("cards/one").symlink_to("other")
    Path("cards/other").symlink_to("one")
    Path("cards/gone.png").symlink_to("nowhere")
    os.mkfifo("cards/pipe.png")
    Path("cards/zero.png").symlink_to("/dev/zero")
    entries = {source.name: source.refusal for source in gather([Path("cards")])}
    reasons = {name: refusal.message for name, refusal in entries.items() if refusal is not None}
    assert len(entries) == 10
    assert "a link to a folder, which is not followed" in reasons["cards/deep/up"]
    assert "Too many levels" in reasons["cards/one"]
    assert "Too many levels" in reasons["cards/other"]
    assert "a broken link" in reasons["cards/gone.png"]
    assert "a device, pipe or socket" in reasons["cards/pipe.png"]
    assert "a device, pipe or socket" in reasons["cards/zero.png"]
    assert len(reasons) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter on Windows")
def test_folders_deeper_than_python_recurses(folder: Path) -> None:
    deepest, depth = Path("n"), sys.getrecursionlimit() + 100
    try:
        for _ in range(depth):
            deepest.mkdir()
            deepest /= "n"
        deepest.write_bytes(b"x")
        assert names("n") == [deepest.as_posix()]
    finally:
        deepest.unlink(missing_ok=True)
        for parent in deepest.parents[:-1]:
            if parent.exists():
                parent.rmdir()
