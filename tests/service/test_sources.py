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


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_that_are_no_text_or_no_names(folder: Path) -> None:
    Path(os.fsdecode(b"cards/\xff.png")).write_bytes(b"x")
    assert refused("cards") == [(r"cards/\xff.png", "bad_name")]
    assert refused("y" * 300) == [("y" * 300, "not_found")]
    assert refused("zero\0byte") == [("zero\0byte", "not_found")]
