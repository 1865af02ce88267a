"""A disk that is full, really: a small file system in memory, where the system lets a test mount one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TRIAL = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gallery_maker import filled, new_print
from fpipe.core.errors import FpipeError
from fpipe.index import Gallery
from fpipe.service.audit import note
from fpipe.service.backup import back_up, problems, restore
from fpipe.service.custody import check_gallery

disk = Path(sys.argv[2])
path = disk / "g"
prints = filled(path, 20)
back_up(path, disk / "b")
made, number = 0, 100
with (disk / "rubbish").open("wb") as stream:
    room = os.statvfs(disk)
    stream.write(bytes(room.f_bavail * room.f_bsize - 400_000))
with Gallery.open(path, write=True) as gallery:
    try:
        while number < 1000:
            gallery.add([new_print(number)])
            number += 1
    except FpipeError as error:
        print("add", error.code, error.exit_code)
    stored = [record.print for record in gallery.records()]
    assert stored == [p.print for p in prints] + [new_print(n).print for n in range(100, number)]

def remove():
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[0].print])

for what, act in {
    "backup": lambda: back_up(path, disk / "b"),
    "restore": lambda: restore(disk / "b", disk / "g2"),
    "remove": remove,
}.items():
    try:
        act()
        print(what, "done")
    except FpipeError as error:
        print(what, error.code, error.exit_code)
with Gallery.open(path) as gallery:
    print("note", note(gallery, "searched", filler="x" * 100_000) is not None)
    assert {r.print for r in gallery.records()} >= {p.print for p in prints[1:]}
(disk / "rubbish").unlink()
assert problems(disk / "b") == []
with Gallery.open(path, write=True) as gallery:
    gallery.add([new_print(2000)])
done = check_gallery(path, deep=True)
assert (done.problems, done.remains) == ([], []), done
assert done.count in (number - 100 + 21, number - 100 + 20)
back_up(path, disk / "b")
assert problems(disk / "b") == []
print("whole")
"""
MOUNTED = 'mount -t tmpfs -o size=3m none "$3" && exec "$1" -c "$2" "$4" "$3"'


@pytest.mark.skipif(os.name == "nt", reason="needs mount namespaces")
def test_what_was_told_stays_and_the_rest_can_be_repeated(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh", sys.executable, TRIAL, str(disk), str(ROOT / "tests")]
    try:
        done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "add disk 1"
    assert said[-1] == "whole"
    assert {line.split()[1] for line in said[:-1]} <= {"disk", "done", "True", "False"}
