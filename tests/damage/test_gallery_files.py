"""Every kind of file of a gallery, cut and with flipped bytes: check finds it, and only fpipe's errors come out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_maker import WIDTH, files_of, filled, new_print, vectors_of

from fpipe.core.errors import FpipeError
from fpipe.index import Gallery, segments

PRINTS = 25
FLIPS = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with segments, waiting vectors, a forgotten print and originals."""
    path = tmp_path_factory.mktemp("whole") / "g"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "FOLD_ROWS", 200)
        prints = filled(path, PRINTS)
        with Gallery.open(path, write=True) as gallery:
            gallery.remove([prints[3].print])
            gallery.add([new_print(PRINTS)])
            assert gallery.cache.waiting()
            assert len(gallery.cache.entries()) > 0
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "g")
    return tmp_path / "g"


def content(gallery: Gallery) -> dict[str, Any]:
    """All that a user gets out of it."""
    records = gallery.records()
    hits = gallery.search(np.random.default_rng(0).integers(0, 256, (9, WIDTH), dtype=np.uint8), 7)
    return {
        "records": records,
        "templates": gallery.templates(gallery.print_ids()),
        "originals": [gallery.original(record) for record in records],
        "methods": gallery.extraction_digests(),
        "links": gallery.subjects.links(),
        "digest": gallery.digest(),
        "log": gallery.database.rows("SELECT * FROM log"),
        "hits": tuple(getattr(hits, name).tobytes() for name in ("print_id", "similarity", "x", "y", "direction")),
    }


def used(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """What a damaged gallery gives, and what check says; every error is one of fpipe's own."""
    found: dict[str, Any] | None = None
    said: list[str] = []
    try:
        with Gallery.open(path) as gallery:
            said = gallery.check()
            found = content(gallery)
    except FpipeError as error:
        said.append(error.message)
    return found, said


def assert_noticed(path: Path, right: dict[str, Any]) -> None:
    found, said = used(path)
    assert said or found == right


def kinds(path: Path) -> dict[str, str]:
    """One file of every kind that holds something."""
    names = files_of(path)
    return {
        "database": "gallery.db",
        "segment": next(name for name in names if name.endswith(".seg")),
        "original": next(name for name in names if name.startswith("originals/")),
    }


def test_whole_is_whole(whole: Path) -> None:
    found, said = used(whole)
    assert said == []
    assert found is not None
    assert len(found["records"]) == PRINTS
    assert set(kinds(whole)) == {"database", "segment", "original"}


@pytest.mark.parametrize("kind", ["database", "segment", "original"])
def test_flipped_bytes(whole: Path, copy: Path, kind: str) -> None:
    """SQLite has unused space, where a flipped byte changes nothing: there the content must be as it was."""
    right, _ = used(whole)
    assert right is not None
    file = copy / kinds(copy)[kind]
    data = file.read_bytes()
    rng = np.random.default_rng(7)
    # Headers and structures lie at the beginning: half of the flips there.
    places = np.concatenate([rng.integers(0, min(200, len(data)), FLIPS // 2), rng.integers(0, len(data), FLIPS // 2)])
    for at in places.tolist():
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(damaged))
        if kind == "database":
            assert_noticed(copy, right)
        else:
            _, said = used(copy)
            assert said, f"byte {at}"
        _tidy(copy)
    file.write_bytes(data)
    assert used(copy) == (right, [])


@pytest.mark.parametrize("name", [b"newer.preset", b"amended.fields", b"ppi_origin TEXT"])
def test_a_schema_whose_names_are_no_text_is_said(copy: Path, name: bytes) -> None:
    """SQLite names what it misses by the bytes it found, which can't be decoded."""
    file = copy / "gallery.db"
    damaged = bytearray(file.read_bytes())
    damaged[damaged.index(name)] ^= 0x80
    file.write_bytes(bytes(damaged))
    found, said = used(copy)
    assert found is None
    assert any("damaged" in line for line in said)


@pytest.mark.parametrize("kind", ["database", "segment", "original"])
def test_cut_files(whole: Path, copy: Path, kind: str) -> None:
    file = copy / kinds(copy)[kind]
    data = file.read_bytes()
    rng = np.random.default_rng(8)
    for length in [0, 1, 16, 99, 100, 512, 4096, *rng.integers(0, len(data), 25).tolist(), len(data) - 1]:
        if length >= len(data):
            continue
        file.write_bytes(data[:length])
        _, said = used(copy)
        assert said, f"cut at {length}"
        _tidy(copy)


@pytest.mark.parametrize("kind", ["database", "segment", "original"])
def test_missing_files(copy: Path, kind: str) -> None:
    (copy / kinds(copy)[kind]).unlink()
    _, said = used(copy)
    assert said


def test_damaged_segments_are_made_again(whole: Path, copy: Path) -> None:
    right, _ = used(whole)
    file = copy / kinds(copy)["segment"]
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    with Gallery.open(copy, write=True) as gallery:
        gallery.rebuild(vectors_of)
    found, said = used(copy)
    assert said == []
    assert found is not None
    assert right is not None
    assert found["hits"] == right["hits"]


def test_a_damaged_segment_is_not_merged_into_a_sound_one(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are stored all the same; only the index waits for a rebuild."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    for name in [name for name in files_of(copy) if name.endswith(".seg")]:
        data = bytearray((copy / name).read_bytes())
        data[-1] ^= 1
        (copy / name).write_bytes(bytes(data))
    with Gallery.open(copy, write=True) as gallery, pytest.raises(FpipeError, match="rebuild"):
        for number in range(100, 200):
            gallery.add([new_print(number)])
    with Gallery.open(copy, write=True) as gallery:
        stored = len(gallery.print_ids())
        assert stored > PRINTS
        gallery.rebuild(vectors_of)
        assert gallery.check() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE prints SET subject = 'somebody else' WHERE id = 7",
        "UPDATE prints SET subject = NULL WHERE id = 7",
        "UPDATE prints SET width = 'wide' WHERE id = 7",
        "UPDATE prints SET print = NULL WHERE id = 7",
        "UPDATE prints SET entry = 2 WHERE id = 7",
        "UPDATE templates SET template = zeroblob(100) WHERE id = 7",
        "UPDATE templates SET template = 'text' WHERE id = 7",
        "DELETE FROM templates WHERE id = 7",
        "DELETE FROM prints WHERE id = 7",
        "DELETE FROM waiting",
        "UPDATE waiting SET vectors = zeroblob(8)",
        "UPDATE waiting SET vectors = zeroblob(7)",
        "UPDATE methods SET prints = 3",
        "DELETE FROM segments",
        "UPDATE segments SET last_id = last_id + 1",
        "UPDATE segments SET rows = rows + 1",
        "UPDATE gallery SET descriptor_bytes = 8",
        "DELETE FROM log WHERE number = (SELECT max(number) FROM log)",
    ],
)
def test_changed_tables(copy: Path, change: str) -> None:
    with Gallery.open(copy, write=True) as gallery:
        gallery.database.run(change)
    _, said = used(copy)
    assert said


def test_a_folder_that_lost_its_small_parts_is_mended_by_the_next_writer(whole: Path, copy: Path) -> None:
    right, _ = used(whole)
    (copy / "lock").unlink()
    (copy / "incoming").rmdir()
    Gallery.open(copy, write=True).close()
    assert used(copy) == (right, [])


def _tidy(path: Path) -> None:
    """What the reader of a damaged database left beside it belongs to that damage."""
    for end in ("-wal", "-shm"):
        (path / f"gallery.db{end}").unlink(missing_ok=True)
