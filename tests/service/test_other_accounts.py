"""Galleries and backups that this account may not look into: said as that, and nothing else stops for it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gallery_maker import filled

from fpipe.core.errors import NoAccess
from fpipe.index import Gallery
from fpipe.service.backup import back_up, restore
from fpipe.service.custody import check_backups, check_gallery, remove

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
