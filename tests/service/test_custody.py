"""Check of every byte, and removal of a subject, with the backups that still hold it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_maker import create, new_print, traces

from fpipe.core.errors import NoGallery, UnknownSubject
from fpipe.index import Gallery, NewPrint, segments
from fpipe.service.backup import back_up
from fpipe.service.custody import check_backups, check_gallery, remove


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[NewPrint]]:
    """A gallery of 12 prints, three of them of the subject Zażółć, closed."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 150)
    prints = [new_print(number) for number in range(12)]
    prints = [replace(p, subject="Zażółć") if number in (1, 5, 11) else p for number, p in enumerate(prints)]
    with create(tmp_path / "g") as gallery:
        gallery.add(prints)
    return tmp_path / "g", prints


def test_one_flipped_byte_in_any_file_is_found_and_named(held: tuple[Path, list[NewPrint]]) -> None:
    path, _ = held
    assert check_gallery(path, deep=True).problems == []
    rng = np.random.default_rng(3)
    for file in sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size):
        if file.name.endswith("-shm"):
            continue
        data = file.read_bytes()
        spots = [18, 60, 99, *rng.integers(0, len(data), 6).tolist()] if file.name == "gallery.db" else [len(data) // 2]
        for at in spots:
            damaged = bytearray(data)
            damaged[at] ^= 1 << int(rng.integers(8))
            file.write_bytes(bytes(damaged))
            said = check_gallery(path, deep=True).problems
            assert any(file.name in line for line in said), (file, at, said)
            for end in ("-wal", "-shm"):  # what a reader of the damaged database left
                (path / f"gallery.db{end}").unlink(missing_ok=True)
        file.write_bytes(data)
    assert check_gallery(path, deep=True).problems == []


def test_no_gallery(tmp_path: Path) -> None:
    for deep in (False, True):
        with pytest.raises(NoGallery):
            check_gallery(tmp_path, deep=deep)
    assert list(tmp_path.iterdir()) == []


def test_a_subject_is_removed_wholly(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    gone = [p for p in prints if p.subject == "Zażółć"]
    old = back_up(path, tmp_path / "b").backup
    lost = back_up(path, tmp_path / "lost").backup
    shutil.rmtree(tmp_path / "lost")
    with pytest.raises(UnknownSubject):
        remove(path, subject="nobody")
    done = remove(path, subject="Zażółć", reason="order 4/2026")
    assert done.prints == 3
    assert [(b.backup, b.holds) for b in done.backups] == [(old.id, True), (lost.id, None)]
    new = back_up(path, tmp_path / "new")
    assert new.backup.prints == 9
    for place in (path, tmp_path / "new"):
        assert [line for p in gone for line in traces(place, p)] == []
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        assert "order 4/2026" in gallery.database.one("SELECT payload FROM log ORDER BY number DESC")[0]
    back_up(path, tmp_path / "b", keep=1)
    assert [line for p in gone for line in traces(tmp_path / "b", p)] == []
    assert check_backups(tmp_path / "b").problems == []
    assert [b.place for b in remove(path, [prints[0].print]).backups if b.holds] == [
        str((tmp_path / name).resolve()) for name in ("b", "new")
    ]


def test_a_backup_that_ends_while_a_removal_begins_is_listed(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    removed, made = Gallery.remove, []

    def late(gallery: Gallery, names: list[str], reason: str | None = None) -> None:
        made.append(back_up(path, tmp_path / "b").backup.id)
        removed(gallery, names, reason)

    monkeypatch.setattr(Gallery, "remove", late)
    done = remove(path, [prints[0].print])
    assert [(b.backup, b.holds) for b in done.backups] == [(made[0], True)]


def test_a_reader_in_the_way_is_said_with_all_the_rest(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpipe.store.database.BUSY_MS", 50)
    path, prints = held
    back_up(path, tmp_path / "b")
    with Gallery.open(path) as reader:
        with reader.database.snapshot():
            reader.database.rows("SELECT * FROM prints")
            done = remove(path, [prints[0].print])
        assert done.prints == len(done.backups) == 1
        assert done.unfinished is not None
        assert done.unfinished.exit_code == 11
    assert remove(path, [prints[2].print]).unfinished is None
    assert traces(path, prints[0]) == traces(path, prints[2]) == []
