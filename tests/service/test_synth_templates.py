"""A folder of drawn templates: the same bytes whatever the jobs and interruptions, and nothing half written."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from fpipe.core.errors import DiskFull, Locked, UsageError
from fpipe.evaluate.templates import read_labels
from fpipe.minutiae.files import read_template
from fpipe.service import synth_templates as module
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.search import open_searcher
from fpipe.service.synth_templates import Order, source_of, synth_templates
from fpipe.synth.seeds import finger_seed
from fpipe.synth.templates import DrawnTemplates

ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_the_folder_is_as_documented(tmp_path: Path) -> None:
    done: list[int] = []
    document = synth_templates(tmp_path / "t", Order(24, 2, seed=5, use="demo"), advance=done.append)
    assert {name: document[name] for name in ("templates", "fingers", "folder")} == {
        "templates": 24,
        "fingers": 12,
        "folder": (tmp_path / "t").as_posix(),
    }
    assert sum(done) == 24
    with (tmp_path / "t" / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 24
    assert rows[3] == {
        "print": "templates/00000/00000001_2.fpt",
        "finger": "synth-demo-5:00000001",
        "impression": "2",
        "kind": "plain",
        "set": "synth-demo-5",
        "ppi": "500",
    }
    assert read_labels(tmp_path / "t")[rows[3]["print"]].finger == rows[3]["finger"]
    template = read_template(tmp_path / "t" / rows[3]["print"])
    (drawn,) = DrawnTemplates()(finger_seed("demo", 5, 1), 1, first=2)
    assert template.source == source_of(DrawnTemplates())
    assert len(template.minutiae) == len(drawn.minutiae) and (template.minutiae.kind == drawn.minutiae.kind).all()
    assert {path.name for path in (tmp_path / "t").iterdir()} - {"lock"} == {"synth.json", "labels.csv", "templates"}
    assert len(list((tmp_path / "t" / "templates" / "00000").iterdir())) == 24


def test_jobs_and_count_change_no_template(tmp_path: Path) -> None:
    synth_templates(tmp_path / "one", Order(2300))
    synth_templates(tmp_path / "two", Order(2300), jobs=2)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert len(one) == 2302
    synth_templates(tmp_path / "more", Order(60, 3))
    more = contents(tmp_path / "more")
    for finger in range(20):
        name = f"templates/00000/{finger:08d}_1.fpt"
        assert more[name] == one[name]


def test_another_seed_and_another_use_have_other_fingers(tmp_path: Path) -> None:
    prints: set[bytes] = set()
    for number, order in enumerate((Order(50), Order(50, seed=1), Order(50, use="train"))):
        synth_templates(tmp_path / str(number), order)
        prints |= {data for name, data in contents(tmp_path / str(number)).items() if name.endswith(".fpt")}
    assert len(prints) == 150


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "t"
    command = [sys.executable, "-m", "fpipe", "synth", "templates", str(out), "--count", "12000"]
    process = subprocess.Popen(command, cwd=ROOT)
    until = time.monotonic() + 120
    while not (out / "templates" / "00001").exists() and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "labels.csv").exists()
    first = out / "templates" / "00000" / "00000000_1.fpt"
    before = first.stat().st_mtime_ns
    synth_templates(out, Order(12000))
    assert first.stat().st_mtime_ns == before
    assert not list(out.glob(".*"))
    synth_templates(tmp_path / "whole", Order(12000))
    assert contents(out) == contents(tmp_path / "whole")


def test_what_a_loss_of_power_left_empty_or_short_is_drawn_again(tmp_path: Path) -> None:
    out = tmp_path / "t"
    synth_templates(out, Order(1500))
    whole = contents(out)
    (out / "labels.csv").unlink()
    (out / "templates" / "00000" / "00000007_1.fpt").write_bytes(b"")
    (out / "templates" / "00001" / "00001007_1.fpt").unlink()
    (out / ".00001.tmp").mkdir()
    (out / ".00001.tmp" / "x").touch()
    (out / ".labels.csv.tmp").touch()
    (out / ".synth.json.abc.tmp").touch()
    synth_templates(out, Order(1500))
    assert contents(out) == whole


def test_a_complete_folder_is_left_alone(tmp_path: Path) -> None:
    synth_templates(tmp_path / "t", Order(10))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock"}
    assert synth_templates(tmp_path / "t", Order(10))["templates"] == 10
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock"}


# -- refusals --------------------------------------------------------------------------------------------------------


def test_other_files_are_not_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UsageError, match=r"other files are there \(holiday.jpg\)"):
        synth_templates(tmp_path, Order(10))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(UsageError, match="a file is there"):
        synth_templates(tmp_path / "holiday.jpg", Order(10))


@pytest.mark.parametrize("order", [Order(12), Order(10, 2), Order(10, seed=1), Order(10, use="train")])
def test_another_recipe_is_refused(tmp_path: Path, order: Order) -> None:
    synth_templates(tmp_path, Order(10))
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"filled otherwise .* there, .* asked"):
        synth_templates(tmp_path, order)
    assert contents(tmp_path) == before


def test_a_recipe_that_is_lost_damaged_or_of_another_version_is_told(tmp_path: Path) -> None:
    synth_templates(tmp_path, Order(10))
    recipe = tmp_path / "synth.json"
    document = json.loads(recipe.read_text())
    for changed in ({**document, "more": 1}, {**document, "fpipe": "0"}, {**document, "drawn": {}}):
        recipe.write_text(json.dumps(changed))
        with pytest.raises(UsageError, match="filled otherwise"):
            synth_templates(tmp_path, Order(10))
    for text in ("[]", "{"):
        recipe.write_text(text)
        with pytest.raises(UsageError, match=r"synth\.json|filled otherwise"):
            synth_templates(tmp_path, Order(10))
    recipe.unlink()
    with pytest.raises(UsageError, match=r"templates is there, but no synth\.json"):
        synth_templates(tmp_path, Order(10))


def test_impossible_orders() -> None:
    with pytest.raises(UsageError, match="10 templates can't be 3 impressions of every finger; ask for 9 or 12"):
        Order(10, 3)
    with pytest.raises(UsageError, match=r"ask for 3$"):
        Order(2, 3)
    with pytest.raises(UsageError, match="impressions 5000, expected 1 to 4095"):
        Order(5000, 5000)
    with pytest.raises(UsageError, match="spread them over several seeds"):
        Order(2**24 + 1)
    with pytest.raises(UsageError, match="count 0"):
        Order(0)
    with pytest.raises(UsageError, match="seed -1"):
        Order(1, seed=-1)


def test_a_folder_that_is_being_filled_is_locked(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock"), pytest.raises(Locked, match="another fpipe command"):
        synth_templates(tmp_path, Order(10))
    synth_templates(tmp_path, Order(10))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    write_new = module._write_new

    def full(path: str, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 1200:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_new(path, data)

    monkeypatch.setattr(module, "_write_new", full)
    with pytest.raises(DiskFull, match="No space left"):
        synth_templates(tmp_path / "t", Order(1500))
    assert {path.name for path in (tmp_path / "t").iterdir()} - {"lock"} == {"synth.json", "templates"}
    assert [path.name for path in (tmp_path / "t" / "templates").iterdir()] == ["00000"]
    monkeypatch.undo()
    synth_templates(tmp_path / "t", Order(1500))
    synth_templates(tmp_path / "whole", Order(1500))
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


FULL = """
import resource, sys
from pathlib import Path
from fpipe.core.errors import DiskFull
from fpipe.service.synth_templates import Order, synth_templates
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    synth_templates(Path(sys.argv[1]), Order(1000))
except DiskFull as error:
    print(error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size to set")
def test_labels_that_do_not_fit_are_not_there(tmp_path: Path) -> None:
    synth_templates(tmp_path / "warm", Order(1))  # kernels are compiled, and kept in files larger than the limit
    command = [sys.executable, "-c", FULL, str(tmp_path / "t")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "labels.csv: could not be written" in done.stdout, done.stderr
    assert {path.name for path in (tmp_path / "t").iterdir()} - {"lock"} == {"synth.json", "templates"}


# -- what they are for -----------------------------------------------------------------------------------------------


def test_a_gallery_takes_them_and_another_impression_finds_its_finger(tmp_path: Path) -> None:
    synth_templates(tmp_path / "t", Order(60))
    synth_templates(tmp_path / "p", Order(40, 2))
    create_gallery(tmp_path / "g", keep_originals=False)
    outcomes = list(enroll(tmp_path / "g", [tmp_path / "t" / "templates"]))
    assert [outcome.status for outcome in outcomes] == ["added"] * 60
    with open_searcher(tmp_path / "g") as searcher:
        right = 0
        for finger in range(20):
            probe = read_template(tmp_path / "p" / "templates" / "00000" / f"{finger:08d}_2.fpt")
            ids, scores = searcher.candidates(probe, None)
            (best,) = searcher.gallery.records(ids[:1])
            right += best.print.endswith(f"{finger:08d}_1.fpt") and scores[0] > 1
    assert right >= 19
