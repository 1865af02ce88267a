"""Galleries and backups of other accounts: those of a group share what is opened to it; what is closed is said."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gallery_maker import WIDTH, assert_holds, create, filled, new_print

from fpipe.core.errors import GalleryWritten, NoAccess
from fpipe.index import Gallery
from fpipe.service.audit import note
from fpipe.service.backup import back_up, restore
from fpipe.service.custody import check_backups, check_gallery, remove
from fpipe.store.sums import Sums

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a gallery ``mine``, and another one and its backups that are closed; the account is not root."""
    was = os.geteuid()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        filled(folder / "mine", 3)
        filled(folder / "theirs", 2)
        back_up(folder / "theirs", folder / "backups")
        back_up(folder / "mine", folder / "closed")
        if was == 0:  # whom modes do not hold back
            for path in (folder, folder / "mine", *(folder / "mine").rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        for name in ("theirs", "backups", "closed"):
            (folder / name).chmod(0)
        try:
            if was == 0:
                os.seteuid(NOBODY)
            yield folder
        finally:
            os.seteuid(was)
            for name in ("theirs", "backups", "closed"):
                (folder / name).chmod(0o700)


@pytest.mark.parametrize(
    "act",
    [
        lambda place: Gallery.open(place / "theirs"),
        lambda place: Gallery.open(place / "theirs", write=True),
        lambda place: check_gallery(place / "theirs", deep=True),
        lambda place: check_backups(place / "backups"),
        lambda place: restore(place / "backups", place / "new"),
        lambda place: back_up(place / "mine", place / "backups"),
    ],
)
def test_what_is_closed_is_said(place: Path, act: Callable[[Path], object]) -> None:
    with pytest.raises(NoAccess, match="this account may not look into it") as caught:
        act(place)
    assert (caught.value.code, caught.value.exit_code) == ("no_access", 1)
    assert not (place / "new").exists()


def test_a_removal_goes_on_where_a_backup_can_not_be_looked_at(place: Path) -> None:
    with Gallery.open(place / "mine") as gallery:
        name = gallery.records()[1].print
    (kept,) = remove(place / "mine", [name]).backups
    assert (Path(kept.place).name, kept.holds) == ("closed", None)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that is opened to a group, and in which everything that is made goes to it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "g"
        folder.mkdir()
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2770)
        Path(made).chmod(0o755)
        yield folder


GROUP, ONE, OTHER = 61000, 61001, 61002


@contextlib.contextmanager
def account(number: int) -> Iterator[None]:
    """Act as another account of the group."""
    groups, mask = os.getgroups(), os.umask(0o022)
    os.setgroups([GROUP])
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(mask)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can act as several accounts")
def test_accounts_of_a_group_share_a_gallery(shared: Path) -> None:
    prints = [new_print(number) for number in range(6)]
    with account(ONE), create(shared) as gallery:
        gallery.add(prints[:2])
        note(gallery, "searched")
    with account(OTHER):
        with Gallery.open(shared, write=True) as gallery:
            gallery.add(prints[2:4])
        with Gallery.open(shared) as gallery:
            assert note(gallery, "searched") is None
        assert remove(shared, [prints[0].print]).unfinished is None
    with account(ONE):
        with Gallery.open(shared, write=True) as gallery:
            gallery.add(prints[4:])
        assert check_gallery(shared, deep=True).problems == []
    assert_holds(shared, prints[1:])
    for path in (shared, *shared.rglob("*")):
        facts = path.stat()
        assert stat.S_IMODE(facts.st_mode) == (0o2770 if path.is_dir() else 0o660), path
        assert facts.st_gid == GROUP


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can act as several accounts")
def test_what_is_restored_into_a_shared_folder_is_shared(shared: Path, tmp_path: Path) -> None:
    prints = filled(tmp_path / "mine", 3)
    back_up(tmp_path / "mine", tmp_path / "b")
    restore(tmp_path / "b", shared)
    assert_holds(shared, prints)
    for path in (shared, *shared.rglob("*")):
        facts = path.stat()
        assert stat.S_IMODE(facts.st_mode) == (0o2770 if path.is_dir() else 0o660), path
        assert facts.st_gid == GROUP, path


@pytest.fixture
def watched() -> Iterator[Path]:
    """A gallery in a folder where everybody may look and only its own account may write."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        filled(Path(made) / "g", 3)
        for path in ((folder := Path(made) / "g"), *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
        folder.chmod(0o755)


@contextlib.contextmanager
def looking_only(path: Path) -> Iterator[None]:
    """Act as an account that may not write in a gallery."""
    was = os.geteuid()
    path.chmod(0o555)
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)
        path.chmod(0o755)


@pytest.mark.parametrize(
    "act",
    [
        lambda gallery: gallery.records(),
        lambda gallery: gallery.database.problems(),
        lambda gallery: list(gallery.database.each("SELECT * FROM log")),
        lambda gallery: gallery.search(np.zeros((1, WIDTH), np.uint8), 3),
    ],
)
def test_what_is_written_while_one_can_only_look_is_said(watched: Path, act: Callable[[Gallery], object]) -> None:
    with looking_only(watched):
        reader = Gallery.open(watched)
        assert len(reader.records()) == 3
        assert reader.check() == []
    with contextlib.closing(reader):
        with Gallery.open(watched, write=True) as gallery:
            gallery.add([new_print(number) for number in range(10, 20)])
            with pytest.raises(GalleryWritten):  # of the log already: the segments may have been replaced since
                act(reader)
        with pytest.raises(GalleryWritten, match="run the command again"):
            act(reader)
    for path in (watched, *watched.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with looking_only(watched):
        assert check_gallery(watched, deep=True).problems == []


def test_bytes_that_are_written_while_they_are_compared_are_no_damage(
    watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(sums: Sums) -> list[str]:
        os.seteuid(was)
        os.utime(watched / "gallery.db")
        return ["gallery.db: bytes 0 to 65535 are not what was written"]

    was = os.geteuid()
    monkeypatch.setattr(Sums, "problems", problems)
    with looking_only(watched), pytest.raises(GalleryWritten):
        check_gallery(watched, deep=True)
