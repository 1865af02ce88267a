"""Backups: what comes back, what is copied, what an interruption, a removal or a flipped byte does."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_maker import assert_holds, filled, new_print, traces

from fpipe.core.errors import BackupDamaged, BackupUnknown, GalleryExists, NoBackup, UsageError
from fpipe.index import Gallery, NewPrint, segments
from fpipe.service import backup as module
from fpipe.service.audit import note
from fpipe.service.audit import problems as audit_problems
from fpipe.service.backup import back_up, leftovers, problems, restore
from fpipe.service.backup_folder import Backup, Backups, rendered
from fpipe.store.database import Database

ROOT = Path(__file__).resolve().parents[2]
PRINTS = 14


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[NewPrint]]:
    """A gallery with a segment and waiting vectors, and its prints."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    return tmp_path / "g", filled(tmp_path / "g", PRINTS)


def test_what_comes_back_is_what_was_there(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    first = back_up(path, tmp_path / "b")
    assert (first.backup.prints, first.copied, first.notice) == (PRINTS, first.files, None)
    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(90)])
        digest = gallery.digest()
    second = back_up(path, tmp_path / "b")
    assert second.copied <= 7  # the print, its list and that of all, two pieces, the accesses, perhaps a segment
    restored = restore(tmp_path / "b", tmp_path / "newest")
    assert restored == second.backup
    with Gallery.open(tmp_path / "newest") as gallery:
        assert gallery.digest() == digest
        said = [gallery.database.one("SELECT payload FROM log ORDER BY number DESC")[0]]
        assert '"event":"restored"' in said[0]
    assert_holds(tmp_path / "newest", [*prints, new_print(90)])
    restore(tmp_path / "b", tmp_path / "older", at=first.backup.id)
    assert_holds(tmp_path / "older", prints)
    assert problems(tmp_path / "b") == leftovers(tmp_path / "b") == []


def test_where_there_is_nothing_or_something_else(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, _ = held
    with pytest.raises(NoBackup):
        restore(tmp_path / "b", tmp_path / "new")
    with pytest.raises(UsageError, match="inside its gallery"):
        back_up(path, path / "b")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_bytes(b"mine")
    with pytest.raises(GalleryExists):
        back_up(path, tmp_path / "other")
    back_up(path, tmp_path / "b")
    with pytest.raises(BackupUnknown, match="000001-"):
        restore(tmp_path / "b", tmp_path / "new", at="nonsense")
    with pytest.raises(GalleryExists):
        restore(tmp_path / "b", path)
    filled(tmp_path / "g2", 1)
    with pytest.raises(GalleryExists, match="another gallery"):
        back_up(tmp_path / "g2", tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "again")
    back_up(tmp_path / "again", tmp_path / "b")


def test_an_interrupted_one_leaves_those_before_it(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    back_up(path, tmp_path / "b")
    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(90)])
    for name in ("put", "_settle", "sync", "sweep"):

        def killed(*args: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Backups, name, killed)
            back_up(path, tmp_path / "b")
        assert problems(tmp_path / "b") == []
    assert len(Backups(tmp_path / "b").ids()) == 2  # the last was interrupted when it was made
    restore(tmp_path / "b", tmp_path / "first", at=Backups(tmp_path / "b").ids()[0])
    assert_holds(tmp_path / "first", prints)
    back_up(path, tmp_path / "b")
    assert leftovers(tmp_path / "b") == []


def test_one_flipped_byte_in_any_file_is_found_and_named(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, _ = held
    folder = tmp_path / "b"
    back_up(path, folder)
    back_up(path, folder)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        data = file.read_bytes()
        for at in {0, len(data) // 2, len(data) - 1} if data else ():
            damaged = bytearray(data)
            damaged[at] ^= 1
            file.write_bytes(bytes(damaged))
            said = problems(folder)
            assert any(file.name in line for line in said), (file, at, said)
        file.write_bytes(data)
        if "objects" in file.parts:
            file.unlink()
            assert any(file.name in line for line in problems(folder)), file
            file.write_bytes(data)
    assert problems(folder) == []


def test_a_damaged_object_is_not_restored(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    back_up(path, tmp_path / "b")
    file = Backups(tmp_path / "b").object(prints[5].sha256)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BackupDamaged, match=f"{prints[5].sha256}.*restore --at"):
        restore(tmp_path / "b", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_the_gallery_lacks_is_listed(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    with Gallery.open(path) as gallery:
        gallery.originals.place(prints[2].sha256).unlink()
        gallery.originals.place(prints[3].sha256).write_bytes(b"damaged")
    made = back_up(path, tmp_path / "b")
    assert sorted(Path(place).name for place in made.backup.missing) == sorted(p.sha256 for p in prints[2:4])
    assert problems(tmp_path / "b") == []
    restore(tmp_path / "b", tmp_path / "new")
    with Gallery.open(tmp_path / "new") as gallery:
        assert len(gallery.check()) == 2


def test_a_removal_meanwhile_leaves_nothing(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    files, done = module.files_of, []

    def removing(database: module.Database):
        for sha256, place in files(database):
            if sha256 == prints[9].sha256 and not done:
                done.append(1)
                with Gallery.open(path, write=True) as gallery:
                    gallery.remove([prints[9].print, prints[4].print])
            yield sha256, place

    monkeypatch.setattr(module, "files_of", removing)
    made = back_up(path, tmp_path / "b")
    monkeypatch.undo()
    assert done
    assert made.backup.missing == ()
    for gone in (prints[9], prints[4]):
        assert traces(tmp_path / "b", gone) == []
    restore(tmp_path / "b", tmp_path / "new")
    assert_holds(tmp_path / "new", [p for p in prints if p not in (prints[9], prints[4])])


def test_a_removal_when_all_is_copied_leaves_nothing(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    sync, done = Backups.sync, []

    def removing(backups: Backups) -> None:
        if not done:
            done.append(1)
            with Gallery.open(path, write=True) as gallery:
                gallery.remove([prints[6].print])
        sync(backups)

    monkeypatch.setattr(Backups, "sync", removing)
    made = back_up(path, tmp_path / "b")
    assert made.backup.prints == PRINTS - 1
    assert traces(tmp_path / "b", prints[6]) == []
    assert problems(tmp_path / "b") == leftovers(tmp_path / "b") == []


def test_a_removal_when_it_is_written_down_leaves_nothing(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    done = []

    def removing(backup: Backup) -> bytes:
        if not done:
            done.append(1)
            with Gallery.open(path, write=True) as gallery:
                gallery.remove([prints[6].print])
        return rendered(backup)

    monkeypatch.setattr(module, "rendered", removing)
    made = back_up(path, tmp_path / "b")
    assert Backups(tmp_path / "b").ids() == [made.backup.id]
    assert made.backup.prints == PRINTS - 1
    assert traces(tmp_path / "b", prints[6]) == []
    assert problems(tmp_path / "b") == leftovers(tmp_path / "b") == []


def test_what_is_forgotten_meanwhile_is_not_in_it(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prints = held
    with Gallery.open(path) as gallery:
        note(gallery, "searched", latent="other.png")
        note(gallery, "searched", latent=prints[6].print, sha256=prints[6].sha256)
    copy_to, done = Database.copy_to, []

    def removing(database: Database, target: Path, **how: bool) -> None:
        if not done:
            done.append(1)
            with Gallery.open(path, write=True) as gallery:
                gallery.remove([prints[6].print])
        copy_to(database, target, **how)

    monkeypatch.setattr(Database, "copy_to", removing)
    back_up(path, tmp_path / "b")
    assert traces(tmp_path / "b", prints[6]) == []
    restore(tmp_path / "b", tmp_path / "new")
    with Gallery.open(tmp_path / "new") as gallery:
        assert audit_problems(gallery) == []
        assert gallery.accesses.head()[0] == 2


def test_a_damaged_older_one_does_not_hinder_the_next(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    first = back_up(path, tmp_path / "b").backup
    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(90)])
    back_up(path, tmp_path / "b")
    place = Backups(tmp_path / "b").object(first.contents)
    place.write_bytes(place.read_bytes()[:50])
    third = back_up(path, tmp_path / "b")
    assert len({line.split(":")[0] for line in problems(tmp_path / "b")}) == 2  # by its own name, and by its backup
    assert [line for line in problems(tmp_path / "b") if place.name not in line] == []
    restore(tmp_path / "b", tmp_path / "new", at=third.backup.id)
    assert_holds(tmp_path / "new", [*prints, new_print(90)])


def test_the_oldest_are_deleted_with_what_only_they_need(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, prints = held
    first = back_up(path, tmp_path / "b").backup
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[0].print])
    assert traces(tmp_path / "b", prints[0])
    made = back_up(path, tmp_path / "b", keep=1)
    assert traces(tmp_path / "b", prints[0]) == []
    assert Backups(tmp_path / "b").ids() == [made.backup.id] != [first.id]
    assert problems(tmp_path / "b") == leftovers(tmp_path / "b") == []


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_nobody_else_reads_a_gallery_or_backup(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, _ = held
    back_up(path, tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "new")
    with Gallery.open(path) as gallery:
        gallery.records()
        for place in (path, tmp_path / "b", tmp_path / "new"):
            for entry in [place, *place.rglob("*")]:
                assert stat.S_IMODE(entry.stat().st_mode) == (0o700 if entry.is_dir() else 0o600), entry


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_older_ones_are_closed_to_others(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    """By the first command that writes; one that only reads changes no mode."""
    path, prints = held
    back_up(path, tmp_path / "b")

    def modes(folder: Path) -> set[int]:
        return {stat.S_IMODE(entry.stat().st_mode) for entry in (folder, *folder.rglob("*"))}

    for folder in (path, tmp_path / "b"):
        for entry in (folder, *folder.rglob("*")):
            entry.chmod(0o755 if entry.is_dir() else 0o644)
    with Gallery.open(path) as gallery:
        gallery.records()
    back_up(path, tmp_path / "b")
    assert modes(tmp_path / "b") == {0o700, 0o600}
    assert 0o755 in modes(path)
    with Gallery.open(path, write=True) as gallery:
        assert modes(path) == {0o700, 0o600}
        gallery.add([new_print(90)])
    assert modes(path) == {0o700, 0o600}
    assert_holds(path, [*prints, new_print(90)])


ADD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gallery_maker import new_print
from fpipe.index import Gallery, segments
segments.FOLD_ROWS = 200
with Gallery.open(Path(sys.argv[2]), write=True) as gallery:
    for number in range(100, 140):
        gallery.add([new_print(number)])
        print(number, flush=True)
"""


def test_while_another_command_adds(held: tuple[Path, list[NewPrint]], tmp_path: Path) -> None:
    path, _ = held
    command = [sys.executable, "-c", ADD, str(ROOT / "tests"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as adding:
        assert adding.stdout is not None
        adding.stdout.readline()
        made = [back_up(path, tmp_path / "b") for _ in range(3)]
        rest = adding.stdout.read()
    assert adding.returncode == 0
    assert rest.endswith("139\n")
    for number, one in enumerate(made):
        assert one.backup.missing == ()
        restore(tmp_path / "b", tmp_path / f"r{number}", at=one.backup.id)
        with Gallery.open(tmp_path / f"r{number}") as gallery:
            assert gallery.check() == []
            assert len(gallery.print_ids()) == one.backup.prints > PRINTS
