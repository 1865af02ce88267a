"""A process that dies at any step of a change loses nothing it had reported, and the next writer tidies up."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_maker import again, assert_holds, files_of, filled, new_print, reextraction, traces, vectors_of

from fpipe.index import Gallery, segments
from fpipe.store.sums import Sums

ROOT = Path(__file__).resolve().parents[2]
FOLD_ROWS = 200
STEPS = 10
"""Steps at which each kind of change is killed; drawn from all there are, with a fixed seed."""

CHILD = """
import os, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from gallery_maker import again, new_print, reextraction, vectors_of
from fpipe.index import Gallery, segments
from fpipe.store.database import Database

segments.FOLD_ROWS = int(sys.argv[2])
path, what, last = Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
steps = 0

def counted(function):
    def step(*args, **kwargs):
        global steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step

os.fsync = counted(os.fsync)
for name in ("replace", "unlink", "mkdir", "open"):
    setattr(Path, name, counted(getattr(Path, name)))
Database.run = counted(Database.run)
Database.empty_log = counted(Database.empty_log)

with Gallery.open(path, write=True) as gallery:
    if what == "add":
        for start in range(40, 64, 6):
            gallery.add([new_print(number) for number in range(start, start + 6)])
            print(start + 6, flush=True)
    elif what == "reextract":
        for start in range(0, 40, 8):
            read = {number + 1: again(new_print(number), method="b") for number in range(start, start + 8)}
            gallery.reextract([reextraction(number, new) for number, new in read.items()])
            print(start + 8, flush=True)
        gallery.settle()
    elif what == "remove":
        gallery.remove([new_print(number).print for number in (3, 20, 39)])
        print(0, flush=True)
    else:
        gallery.rebuild(vectors_of)
        print(0, flush=True)
print("steps", steps, flush=True)
"""


def change(path: Path, what: str, last: int) -> list[str]:
    """Make a change in a process that is killed at step ``last``; returns what it reported."""
    command = [sys.executable, "-c", CHILD, str(ROOT / "tests"), str(FOLD_ROWS), str(path), what, str(last)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kill") / "g"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "FOLD_ROWS", FOLD_ROWS)
        filled(path, 40)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("what", ["add", "remove", "rebuild", "reextract"])
def test_killed_at_any_step(whole: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "g"
    shutil.copytree(whole, path)
    *_, said = change(path, what, -1)
    steps = int(said.split()[1])
    assert steps > STEPS
    for last in sorted(random.Random(what).sample(range(1, steps + 1), STEPS)):
        shutil.rmtree(path)
        shutil.copytree(whole, path)
        reported = change(path, what, last)
        assert_kept(path, what, reported)


def assert_kept(path: Path, what: str, reported: list[str]) -> None:
    first = [new_print(number) for number in range(40)]
    names = [p.print for p in first]
    assert Sums(path / "gallery.db").problems() == []
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        here = [record.print for record in gallery.records()]
    if what == "add":
        done = int(reported[-1]) if reported else 40
        later = [new_print(number).print for number in range(40, 64)]
        assert here[: 40 + done - 40] == (names + later)[:done]
        assert len(here) in (done, done + 6)
    elif what == "reextract":
        assert_replaced(path, int(reported[-1]) if reported else 0)
    elif what == "remove":
        left = [name for number, name in enumerate(names) if number not in (3, 20, 39)]
        assert here in ([left] if reported else [left, names])
    else:
        assert here == names
    with Gallery.open(path, write=True) as gallery:
        assert gallery.leftovers() == []
        assert gallery.check() == []
        gone = [p for p in first if p.print not in here]
        for p in gone:
            assert traces(path, p) == []
        gallery.rebuild(vectors_of)
        assert gallery.check() == []
    assert not [name for name in files_of(path) if name.startswith("incoming/")]


def assert_replaced(path: Path, done: int) -> None:
    """Every print as it was or as it was read again, wholly; the run can be repeated."""
    old = [new_print(number) for number in range(40)]
    new = [again(p, method="b") for p in old]
    with Gallery.open(path) as gallery:
        count = sum(record.preset == new[0].preset for record in gallery.records())
    assert count in (done, done + 8)
    Gallery.open(path, write=True).close()
    assert_holds(path, new[:count] + old[count:])
    with Gallery.open(path, write=True) as gallery:
        gallery.reextract([reextraction(number, p) for number, p in enumerate(new, 1)][count:])
        gallery.settle()
    assert_holds(path, new)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_commands_killed_at_random_moments() -> None:
    """The measured benchmark, small."""
    command = [sys.executable, "benchmarks/kill.py", "--trials", "1", "--prints", "40", "--pictures", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| gallery ") == 6
