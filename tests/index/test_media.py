"""Media that refuse: a full disk, read-only media; real ones, where the system lets a test have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_maker import filled

from fpipe.index import Gallery

ROOT = Path(__file__).resolve().parents[2]

FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gallery_maker import new_print
from fpipe.core.errors import DiskFull
from fpipe.index import Gallery

with Gallery.open(Path(sys.argv[2]), write=True) as gallery:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    number = 10
    try:
        while number < 1000:
            gallery.add([new_print(number)])
            number += 1
    except DiskFull as error:
        print(number, error.message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size to set")
def test_where_no_more_fits_everything_told_is_there(tmp_path: Path) -> None:
    path = tmp_path / "g"
    filled(path, 10)
    command = [sys.executable, "-c", FULL, str(ROOT / "tests"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    number, _, message = done.stdout.partition(" ")
    assert "could not be written" in message, done.stderr
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        assert len(gallery.print_ids()) == int(number) > 10


READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
"$2" -m fpipe gallery list "$1"
"$2" -m fpipe gallery check "$1"
set +e
"$2" -m fpipe gallery remove "$1" nobody
echo "exit $?"
"""


@pytest.mark.skipif(os.name == "nt", reason="needs mount namespaces")
@pytest.mark.parametrize("tidy", [True, False])
def test_read_only_media_are_read(tmp_path: Path, tidy: bool) -> None:
    """With the small files that SQLite keeps beside an open database, and without them, as on a disc."""
    path = tmp_path / "g"
    filled(path, 10)
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
    if tidy:
        for end in ("-wal", "-shm"):
            (path / f"gallery.db{end}").unlink(missing_ok=True)
    script = ["unshare", "-rm", "sh", "-c", READ_ONLY, "sh", str(path), sys.executable]
    try:
        done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert "10 prints" in done.stdout
    assert "whole, 10 prints" in done.stdout
    assert done.stdout.endswith("exit 1\n")
    assert "Read-only file system" in done.stderr
