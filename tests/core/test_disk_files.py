"""Files on disks: durable, private, and what is said where a disk refuses."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fpipe.core.errors import DiskFull, DiskGone, NoAccess, ReadOnly
from fpipe.core.files import (
    disk_errors,
    is_there,
    make_all_private,
    make_private,
    open_like,
    open_private,
    sync_files,
    write_atomic,
)


def test_all_files_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / str(number) for number in range(1500)]
    for path in paths:
        path.write_bytes(path.name.encode())
    done: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(os.fstat(descriptor).st_ino))
    sync_files(iter(paths))
    assert sorted(done) == sorted(path.stat().st_ino for path in paths)
    assert paths[7].read_bytes() == b"7"
    sync_files([])


def test_one_that_can_not_be_synced_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        sync_files([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.ENOSPC, DiskFull, "free some space"),
        (errno.EDQUOT, DiskFull, "free some space"),
        (errno.EROFS, ReadOnly, "right to read and write"),
        (errno.EACCES, ReadOnly, "right to read and write"),
        (errno.EPERM, ReadOnly, "right to read and write"),
        (errno.EIO, DiskGone, "its disk is connected"),
        (errno.ENOENT, DiskGone, "the folder is there"),
    ],
)
def test_what_to_do_depends_on_why(number: int, kind: type[DiskFull], hint: str) -> None:
    with pytest.raises(DiskFull, match=hint) as caught, disk_errors(Path("there")):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.exit_code) == ("disk", 1)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(OSError, match="many open"), disk_errors(Path("there")):
        raise OSError(errno.EMFILE, "too many open files")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with a file, where nobody may write; pytest's own lets another account not even through."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        folder = Path(made) / "closed"
        folder.mkdir()
        (folder / "file").write_bytes(b"old")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_a_folder_without_permission(closed: Path) -> None:
    folder, was = closed, os.geteuid()
    try:
        if was == 0:  # whom modes do not hold back
            os.seteuid(65534)
        with pytest.raises(ReadOnly, match=r"closed.*Permission denied.*right"):
            write_atomic(folder / "file", b"new")
        with pytest.raises(ReadOnly), disk_errors(folder):
            open_private(folder / "other").close()
    finally:
        os.seteuid(was)
    assert (folder / "file").read_bytes() == b"old"


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def loose(folder: Path) -> Path:
    """A folder as older versions made it."""
    (folder / "below").mkdir(parents=True)
    for path in (folder / "file", folder / "below" / "file"):
        path.write_bytes(b"x")
        path.chmod(0o644)
    for path in (folder / "below", folder):
        path.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_what_others_could_read_they_no_longer_can(tmp_path: Path) -> None:
    folder = loose(tmp_path / "g")
    (tmp_path / "outside").write_bytes(b"")
    (tmp_path / "outside").chmod(0o644)
    (folder / "link").symlink_to(tmp_path / "outside")
    make_all_private(folder)
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o644
    (folder / "link").unlink()
    assert modes(folder) == {0o700, 0o600}
    (folder / "below").chmod(0o755)  # what was opened since, in a folder that nobody else looks into
    make_all_private(folder)
    assert stat.S_IMODE((folder / "below").stat().st_mode) == 0o755


def test_whether_there_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one may not look it is not known, whatever ``Path.is_file`` says of that."""
    (tmp_path / "file").write_bytes(b"")
    if sys.platform != "win32":  # where not every account may make links
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    there = [is_there(tmp_path / name) for name in ("file", "none", "file/below", "loop", ".")]
    assert there == [True, False, False, False, False]

    def closed(path: Path, **_: bool) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", closed)
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    with pytest.raises(NoAccess):
        is_there(tmp_path / "file")


def test_a_folder_that_another_command_makes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def late(folder: Path, *how: int) -> None:
        make(folder, *how)
        make(folder, *how)

    monkeypatch.setattr(Path, "mkdir", late)
    make_private(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_a_disk_that_refuses_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refused)
    write_atomic(tmp_path / "file", b"x", private=True)
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_a_folder_that_replaces_one(tmp_path: Path) -> None:
    for mode, expected in ((0o2770, 0o2770), (0o750, 0o750), (0o755, 0o700)):
        model, folder = tmp_path / f"{mode:o}", tmp_path / f"new-{mode:o}"
        for path in (model, folder):
            path.mkdir(0o700)
        model.chmod(mode)
        open_like(folder, model)
        assert stat.S_IMODE(folder.stat().st_mode) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's access lists")
def test_an_access_list_is_kept(tmp_path: Path) -> None:
    folder = loose(tmp_path / "g")
    nobody = 2**32 - 1
    entries = [(0x01, 7, nobody), (0x02, 7, 65534), (0x04, 0, nobody), (0x10, 7, nobody), (0x20, 0, nobody)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(folder, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"no access lists on this disk: {error}")
    folder.chmod(0o775)
    acl = os.getxattr(folder, "system.posix_acl_access")
    make_all_private(folder)
    assert os.getxattr(folder, "system.posix_acl_access") == acl
    assert modes(folder) == {0o775, 0o755, 0o644}
    folder.chmod(0o770)
    (tmp_path / "new").mkdir(0o700)
    open_like(tmp_path / "new", folder)
    same = [os.getxattr(path, "system.posix_acl_access") for path in (folder, tmp_path / "new")]
    assert same[0] == same[1]


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_what_a_group_was_given_it_has(tmp_path: Path) -> None:
    """Whatever the process's mask; a folder that everybody may look into was given to nobody."""
    mask = os.umask(0o077)
    try:
        for folder, file, below in (
            (0o770, 0o660, 0o770),
            (0o750, 0o640, 0o750),
            (0o700, 0o600, 0o700),
            (0o775, 0o600, 0o700),
        ):
            place = tmp_path / f"{folder:o}"
            place.mkdir()
            place.chmod(folder)
            open_private(place / "opened").close()
            write_atomic(place / "atomic", b"x", private=True)
            make_private(place / "below" / "that")
            assert {stat.S_IMODE((place / name).stat().st_mode) for name in ("opened", "atomic")} == {file}
            assert {stat.S_IMODE(path.stat().st_mode) for path in (place / "below", place / "below/that")} == {below}
    finally:
        os.umask(mask)
