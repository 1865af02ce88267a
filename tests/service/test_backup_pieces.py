"""Databases in pieces that backups share, and folders of backups from before that."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_maker import assert_holds, files_of, filled, new_print, traces
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import IntegrityError
from fpipe.core.files import sha256_hex
from fpipe.index import Gallery, NewPrint, segments
from fpipe.service import backup as making
from fpipe.service import backup_contents, backup_folder
from fpipe.service.audit import note
from fpipe.service.backup import back_up, leftovers, problems, restore
from fpipe.service.backup_contents import PAGE, joined, split
from fpipe.service.backup_folder import Backups
from fpipe.service.custody import remove

PRINTS = 30


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[NewPrint]]:
    """A gallery with a segment, and its prints; its database is many windows."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    monkeypatch.setattr(backup_contents, "WINDOW", 4 * PAGE)
    monkeypatch.setattr(backup_contents, "PRINTS", 8)
    return tmp_path / "g", filled(tmp_path / "g", PRINTS)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 2, 5, 10, 13]), max_size=9), st.integers(0, PAGE - 1))
def test_what_was_split_is_joined(kinds: list[int], short: int) -> None:
    pages = [bytes([kind]) + number.to_bytes(2, "big") * ((PAGE - 1) // 2) + b"!" for number, kind in enumerate(kinds)]
    data = b"".join(pages)[: max(0, len(pages) * PAGE - short)]
    rest, index, mask = split(data)
    assert joined(rest, index, mask) == data
    assert {page[0] for page in (index[at : at + PAGE] for at in range(0, len(index), PAGE))} <= {2, 10}


def test_a_new_print_copies_few_pieces(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    backups = Backups(tmp_path / "b")
    first = back_up(path, tmp_path / "b")
    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(90)])
    second = back_up(path, tmp_path / "b")
    before, after = (set(backups.contents(made.backup).pieces()) for made in (first, second))
    assert len(after) > 12
    assert len(after - before) <= len(after) / 2  # of them: the first page, ends of tables, one page of each index
    lists = [set(backups.contents(made.backup).prints) for made in (first, second)]
    assert (len(lists[1]), len(lists[1] - lists[0])) == (4, 1)
    assert second.copied <= len(after - before) + 5  # that list and that of all, print, accesses, perhaps a segment
    again = back_up(path, tmp_path / "b")
    assert again.copied == 2  # the end of the accesses, and the list
    assert again.backup.database == second.backup.database
    with Gallery.open(path) as gallery:
        for _ in range(9):
            note(gallery, "searched", filler="x" * 20_000)
    made = [back_up(path, tmp_path / "b").backup for _ in range(2)]
    logs = [backups.contents(backup).accesses for backup in made]
    assert logs[0][:-1] == logs[1][: len(logs[0]) - 1]
    assert len(logs[0]) > 10
    data = b"".join(backups.accesses(made[1]))
    assert data.splitlines(keepends=True) == (path / "access.log").read_bytes().splitlines(keepends=True)[:-1]
    data = b"".join(backups.database(second.backup))
    assert hashlib.sha256(data).hexdigest() == second.backup.database
    restore(tmp_path / "b", tmp_path / "older", at=first.backup.id)
    assert_holds(tmp_path / "older", prints)


@pytest.mark.parametrize("how", ["flipped", "missing", "short"])
def test_a_damaged_piece_is_named_and_not_restored(held: tuple[Path, list[NewPrint]], tmp_path: Path, how: str) -> None:
    path, prints = held
    made = back_up(path, tmp_path / "b")
    backups = Backups(tmp_path / "b")
    for sha256 in list(backups.contents(made.backup).pieces())[:4]:
        place = backups.object(sha256)
        data = place.read_bytes()
        if how == "missing":
            place.unlink()
        else:
            place.write_bytes(data[:-1] + bytes([data[-1] ^ 4]) if how == "flipped" else data[:-1])
        (line,) = problems(tmp_path / "b")
        assert sha256 in line
        with pytest.raises(IntegrityError, match=sha256):
            restore(tmp_path / "b", tmp_path / "new")
        assert not (tmp_path / "new").exists()
        place.unlink(missing_ok=True)
        back_up(path, tmp_path / "b")  # what the gallery still has is copied again
        assert problems(tmp_path / "b") == []
    restore(tmp_path / "b", tmp_path / "new", at=made.backup.id)
    assert_holds(tmp_path / "new", prints)


def test_dropping_takes_what_only_dropped_ones_need(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    back_up(path, tmp_path / "b")
    for number in range(90, 93):
        with Gallery.open(path, write=True) as gallery:
            gallery.add([new_print(number)])
        made = back_up(path, tmp_path / "b", keep=2)
    backups = Backups(tmp_path / "b")
    assert len(backups.ids()) == 2
    needed = {sha256 for number in backups.ids() for sha256, _ in backups.needed(backups.backup(number))}
    assert {place.name for place in (tmp_path / "b" / "objects").glob("*/*")} == needed
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[3].print, prints[20].print])
    last = back_up(path, tmp_path / "b", keep=1)
    assert made.backup.id not in backups.ids() == [last.backup.id]
    assert traces(tmp_path / "b", prints[3]) == traces(tmp_path / "b", prints[20]) == []
    assert problems(tmp_path / "b") == leftovers(tmp_path / "b") == []
    restore(tmp_path / "b", tmp_path / "new")
    left = [*(p for n, p in enumerate(prints) if n not in (3, 20)), *map(new_print, range(90, 93))]
    assert_holds(tmp_path / "new", left)


@pytest.mark.parametrize("keep_originals", [True, False])
def test_which_backups_hold_a_file(tmp_path: Path, keep_originals: bool) -> None:
    prints = filled(tmp_path / "g", 5, keep_originals=keep_originals)
    first = back_up(tmp_path / "g", tmp_path / "b").backup
    assert [(b.backup, b.holds) for b in remove(tmp_path / "g", [prints[2].print]).backups] == [(first.id, True)]
    second = back_up(tmp_path / "g", tmp_path / "b").backup
    assert [b.backup for b in remove(tmp_path / "g", [prints[3].print]).backups] == [first.id, second.id]
    backups = Backups(tmp_path / "b")
    assert [backups.holds(second, [p.sha256]) for p in prints] == [True, True, False, True, True]


def test_a_backup_is_written_down_when_all_it_needs_is_durable(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = held
    folders: list[Path] = []
    files: list[str] = []
    write, sync_files = making.write_atomic, backup_folder.sync_files

    def syncing(paths) -> None:
        waiting = list(paths)
        files.extend(place.name for place in waiting)
        sync_files(waiting)

    def writing(place: Path, data: bytes, **how: bool) -> None:
        backup = json.loads(data)
        objects = sorted((tmp_path / "b" / "objects").glob("*/*"))
        assert backup["contents"] in files
        assert sorted(files) == sorted(one.name for one in objects)
        assert {one.parent for one in objects} | {tmp_path / "b" / "objects"} <= set(folders)
        assert list((tmp_path / "b" / "incoming").iterdir()) == []
        write(place, data, **how)

    monkeypatch.setattr(backup_folder, "_BATCH", 7)
    monkeypatch.setattr(backup_folder, "sync_files", syncing)
    monkeypatch.setattr(backup_folder, "sync_folder", folders.append)
    monkeypatch.setattr(making, "write_atomic", writing)
    back_up(path, tmp_path / "b")
    assert len(Backups(tmp_path / "b").ids()) == 1


def test_contents_of_another_version_are_said(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, _ = held
    made = back_up(path, tmp_path / "b").backup
    folder = tmp_path / "b"
    said = json.loads(Backups(folder).read(made.contents)) | {"news": []}
    other = Backups(folder)
    sha256 = other.put(json.dumps(said).encode())
    other.sync()
    number = "000002-20990101T000000Z"
    text = backup_folder.rendered(replace(made, id=number, contents=sha256))
    (folder / "backups" / f"{number}.json").write_bytes(text)
    (line,) = problems(folder)
    assert sha256 in line
    assert "another version of fpipe" in line
    with pytest.raises(IntegrityError, match="another version"):
        restore(folder, tmp_path / "new")
    back_up(path, folder)  # deletes nothing that the other version may need
    assert Backups(folder).object(sha256).exists()


def as_before(path: Path, folder: Path) -> str:
    """A folder of one backup whose database is one object, as they were made first; returns its id."""
    for part in (folder / "backups", folder / "objects", folder / "incoming"):
        part.mkdir(parents=True)
    (folder / "backup.json").write_bytes(b'{"format": "fpipe gallery backup", "version": 1}\n')
    with Gallery.open(path) as gallery:
        gallery.database.copy_to(folder / "database")
        (created,) = gallery.database.one("SELECT lower(hex(chain)) FROM log WHERE number = 1")
        (number, chain) = gallery.database.one("SELECT number, lower(hex(chain)) FROM log ORDER BY number DESC")
    database = (folder / "database").read_bytes()
    (folder / "database").unlink()
    kept = [data for name, data in files_of(path).items() if name.partition("/")[0] in ("segments", "originals")]
    for data in (database, *kept):
        place = folder / "objects" / sha256_hex(data)[:2] / sha256_hex(data)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
    said = {
        "id": "000001-20260101T000000Z",
        "at": "2026-01-01T00:00:00+00:00",
        "gallery": str(path),
        "database": sha256_hex(database),
        "accesses": "",
        "created": created,
        "head": [number, chain],
        "prints": PRINTS,
        "missing": [],
        "made_by": {"user": "root", "host": "here", "fpipe": "0.1.0"},
    }
    said["sha256"] = sha256_hex(json.dumps(said, ensure_ascii=False, indent=1).encode())
    text = json.dumps(said, ensure_ascii=False, indent=1) + "\n"
    (folder / "backups" / f"{said['id']}.json").write_text(text, "utf-8")
    return str(said["id"])


def test_a_folder_from_before_goes_on(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    folder = tmp_path / "b"
    old = as_before(path, folder)
    assert problems(folder) == leftovers(folder) == []
    database = Backups(folder).object(Backups(folder).backup().database)
    restore(folder, tmp_path / "r1")
    assert_holds(tmp_path / "r1", prints)

    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(90)])
    made = back_up(path, folder)
    assert Backups(folder).ids() == [old, made.backup.id]
    assert made.backup.id.startswith("000002-")
    assert problems(folder) == leftovers(folder) == []
    restore(folder, tmp_path / "r2", at=old)
    assert_holds(tmp_path / "r2", prints)
    restore(folder, tmp_path / "r3")
    assert_holds(tmp_path / "r3", [*prints, new_print(90)])
    assert [b.backup for b in remove(path, [prints[4].print]).backups] == [old, made.backup.id]

    data = database.read_bytes()
    for damaged in (data[:-1] + b"\xff", data[:5000], None):
        database.unlink()
        if damaged is not None:
            database.write_bytes(damaged)
        assert any(database.name in line for line in problems(folder))
        with pytest.raises(IntegrityError, match=database.name):
            restore(folder, tmp_path / "r4", at=old)
    database.write_bytes(data)
    shutil.rmtree(tmp_path / "r1")
    back_up(path, folder, keep=1)
    assert not database.exists()
    assert traces(folder, prints[4]) == []
    assert problems(folder) == leftovers(folder) == []
