"""A backup that dies at any step leaves those before it whole, and the next one goes on from there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TRIAL = """
import os, random, shutil, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from gallery_maker import assert_holds, filled, new_print, traces
from fpipe.index import Gallery, segments
from fpipe.service import backup_contents, backup_folder
from fpipe.service.backup import back_up, leftovers, problems, restore
from fpipe.service.backup_folder import Backups

segments.FOLD_ROWS, backup_contents.WINDOW, backup_contents.PRINTS, backup_folder._BATCH = 200, 4 * 4096, 8, 5
work = Path(sys.argv[2])
path, whole, folder = work / "g", work / "whole", work / "b"
prints = filled(path, 20)
first = back_up(path, whole).backup
with Gallery.open(path, write=True) as gallery:
    gallery.add([new_print(number) for number in range(40, 46)])
    gallery.remove([prints[3].print])
now = [*prints[:3], *prints[4:], *map(new_print, range(40, 46))]

def counted(function, last, steps):
    def step(*args, **kwargs):
        steps[0] += 1
        if steps[0] == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step

def child(last):
    # fork: what was imported is there, and no thread is
    if (process := os.fork()) == 0:
        steps = [0]
        os.fsync = counted(os.fsync, last, steps)
        for name in ("replace", "unlink", "mkdir", "open"):
            setattr(Path, name, counted(getattr(Path, name), last, steps))
        back_up(path, folder, keep=1)
        (work / "steps").write_text(str(steps[0]))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

killed = 0
for last in range(1, 24):  # of a first backup: the folder itself is made in these steps
    shutil.rmtree(folder, ignore_errors=True)
    killed += child(last) == -9
    made = back_up(path, folder, keep=1)
    assert problems(folder) == leftovers(folder) == [], last
    entries = {place.name for place in folder.iterdir()}
    assert entries - {"lock"} == {"backup.json", "backups", "incoming", "objects"}, last
restore(folder, work / "new")
assert_holds(work / "new", now)
shutil.rmtree(work / "new")
shutil.rmtree(folder)
print("killed at first", killed)
shutil.copytree(whole, folder)
assert child(-1) == 0
steps = int((work / "steps").read_text())
killed = 0
for last in sorted(random.Random(1).sample(range(1, steps + 1), 10)):
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    killed += child(last) == -9
    backups = Backups.open(folder)
    assert problems(folder) == [], (last, problems(folder))
    held = {number: backups.backup(number).prints for number in backups.ids()}
    assert 1 <= len(held) <= 2 and set(held.values()) <= {20, 25}, held
    if first.id in held:
        restore(folder, work / "old", at=first.id)
        assert_holds(work / "old", prints)
        shutil.rmtree(work / "old")
    made = back_up(path, folder, keep=1)
    assert problems(folder) == leftovers(folder) == []
    needed = {sha256 for sha256, _ in backups.needed(made.backup)}
    assert {place.name for place in (folder / "objects").glob("*/*")} == needed
    assert traces(folder, prints[3]) == []
    restore(folder, work / "new")
    assert_holds(work / "new", now)
    shutil.rmtree(work / "new")
print("killed", killed)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_any_step_of_a_backup(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRIAL, str(ROOT / "tests"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "killed at first 23\nkilled 10\n"
