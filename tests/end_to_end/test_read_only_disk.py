"""A medium that can not be written to, really: what is on it is read, and what can not be done there is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_maker import filled

from fpipe.service.backup import back_up

ROOT = Path(__file__).resolve().parents[2]

TRIAL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gallery_maker import create, new_print
from fpipe.core.errors import ReadOnly
from fpipe.index import Gallery
from fpipe.service.audit import note, problems
from fpipe.service.backup import back_up, restore
from fpipe.service.custody import check_backups, check_gallery, remove

disk, outside = Path(sys.argv[2]), Path(sys.argv[3])
path = disk / "g"
done = check_gallery(path, deep=True)
assert (done.problems, done.count) == ([], 8), done
assert "could not be noted" in done.notice and "give this account" not in done.notice, done.notice
with Gallery.open(path) as gallery:
    assert len(gallery.records()) == 8 and problems(gallery) == []
kept = check_backups(disk / "b")
assert (kept.problems, kept.remains, kept.count) == ([], [], 1), kept
restore(disk / "b", outside / "g2")
assert check_gallery(outside / "g2", deep=True).problems == []
back_up(path, outside / "b")

for what, act in {
    "open": lambda: Gallery.open(path, write=True),
    "remove": lambda: remove(path, [new_print(0).print]),
    "create": lambda: create(disk / "new"),
    "backup": lambda: back_up(outside / "g2", disk / "b"),
    "restore": lambda: restore(outside / "b", disk / "g3"),
}.items():
    try:
        act()
        print(what, "done")
    except ReadOnly as error:
        assert (error.code, error.exit_code) == ("disk", 1)
        assert "Read-only file system" in error.message, error.message
        assert "free some space" not in error.message and "writable disk" in error.message, error.message
        print(what, "refused")
"""
MOUNTED = 'mount --bind "$3" "$3" && mount -o remount,ro,bind "$3" && exec "$1" -c "$2" "$4" "$3" "$5"'


@pytest.mark.skipif(os.name == "nt", reason="needs mount namespaces")
def test_what_is_there_is_read_and_the_rest_is_said(tmp_path: Path) -> None:
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    disk.mkdir()
    outside.mkdir()
    filled(disk / "g", 8)
    back_up(disk / "g", disk / "b")
    places = map(str, (disk, ROOT / "tests", outside))
    script = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh", sys.executable, TRIAL, *places]
    try:
        done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [
        word for what in ("open", "remove", "create", "backup", "restore") for word in (what, "refused")
    ]
