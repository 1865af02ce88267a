"""fpipe synth prints: a folder that other commands take, the same whatever the jobs, whole after any interruption."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import DiskFull, Locked, UsageError
from fpipe.evaluate.templates import read_labels
from fpipe.formats import read_picture
from fpipe.service import synth_prints as module
from fpipe.service.synth_folder import claimed
from fpipe.service.synth_prints import Order, prints_of, synth_prints
from fpipe.synth.seeds import seed_parts

SMALL = {"height": 200, "width": 180}


def digests(folder: Path) -> dict[str, str]:
    """Every file but the lock."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "out"
    order = Order(2, impressions=2, rolled=1, swiped=1, latents=2, seed=5, masters=True, **SMALL)  # type: ignore[arg-type]
    summary = synth_prints(out, order)
    assert summary["fingers"] == 2 and summary["prints"] == 12
    return out


def test_labels_are_those_of_the_protocols(made: Path) -> None:
    with (made / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["print", "finger", "impression", "kind", "set", "ppi"]
    assert len(rows) == 12 and len({row["print"] for row in rows}) == 12
    first = [row for row in rows if row["finger"] == "synth-test-5:1"]
    kinds = [("plain", "M"), ("plain", "2"), ("rolled", "1"), ("plain", "S1"), ("latent", "L1"), ("latent", "L2")]
    assert [(row["kind"], row["impression"]) for row in first] == kinds
    assert all((made / row["print"]).is_file() and row["ppi"] == "500" for row in rows)


def test_evaluate_takes_the_labels(made: Path) -> None:
    labels = read_labels(made)
    assert len(labels) == 12 and {label.kind for label in labels.values()} == {"plain", "rolled", "latent"}


def test_every_print_has_its_truth(made: Path) -> None:
    for path in sorted((made / "prints").iterdir()):
        picture = read_picture(path)
        assert picture.ppi == pytest.approx(500, abs=0.1) and picture.pixels.shape == (200, 180)
        document = json.loads((made / "truth" / f"{path.stem}.json").read_text())
        assert document["print"] == f"prints/{path.name}" and document["finger"].startswith("synth-test-5:")
        assert document["class"] in ("arch", "tented_arch", "left_loop", "right_loop", "whorl")
        assert seed_parts(document["seed"]) == ("test", 5, int(path.stem[:5]))
        assert document["version"] and document["conditions"]["kind"]
        for m in document["minutiae"]:
            assert set(m) == {"x", "y", "direction", "type"} and m["type"] in ("ending", "bifurcation")
            assert 0 <= m["x"] < 180 and 0 <= m["y"] < 200 and 0 <= m["direction"] <= 2 * np.pi
        for point in document["singular_points"]:
            assert set(point) == {"x", "y", "kind", "direction"} and point["kind"] in ("core", "delta")
        with np.load(made / "truth" / f"{path.stem}.npz") as arrays:
            assert set(arrays) == {"ridges", "orientation", "period", "mask", "displacement"}
            assert arrays["displacement"].shape == (2, 200, 180)
            assert all(arrays[name].shape == (200, 180) for name in ("ridges", "orientation", "period", "mask"))
            assert arrays["mask"].dtype == bool and set(np.unique(arrays["ridges"])) <= {0, 1}


def test_minutiae_of_all_prints_of_a_finger_meet_on_its_master(made: Path) -> None:
    own = json.loads((made / "masters" / "00001.json").read_text())
    points = np.array([(m["x"], m["y"]) for m in own["minutiae"]])
    for path in (made / "truth").glob("00001_*.json"):
        document = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as arrays:
            shift = arrays["displacement"]
        for m in document["minutiae"]:
            row, column = round(m["y"]), round(m["x"])
            back = np.array([m["x"], m["y"]]) + shift[:, row, column]
            assert np.hypot(*(points - back).T).min() < 0.75  # half a pixel of rest, turned with the print


def test_the_same_whatever_the_jobs_and_the_order_of_events(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    order = Order(2, impressions=2, rolled=1, swiped=1, latents=2, seed=5, masters=True, **SMALL)  # type: ignore[arg-type]
    synth_prints(out, order, jobs=2)
    assert digests(out) == digests(made)
    for name in ("prints/00001_M.png", "truth/00002_L1.npz", "truth/00001_R1.json", "labels.csv", "masters/00002.json"):
        (out / name).unlink()
    (out / "prints" / ".00001_M.png.abc.tmp").write_bytes(b"left by a kill")
    (out / "truth" / "00001_2.npz").write_bytes(b"")  # as after a loss of power
    synth_prints(out, order)
    assert digests(out) == digests(made)


def test_a_print_does_not_depend_on_what_else_is_asked_for(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "fewer"
    synth_prints(out, Order(1, impressions=1, latents=1, seed=5, **SMALL))  # type: ignore[arg-type]
    for name in ("prints/00001_M.png", "prints/00001_L1.png", "truth/00001_L1.npz"):
        assert (out / name).read_bytes() == (made / name).read_bytes()


def test_uses_and_seeds_share_no_finger(tmp_path: Path) -> None:
    pictures = []
    for number, (use, seed) in enumerate((("train", 0), ("test", 0), ("demo", 0), ("test", 1))):
        out = tmp_path / str(number)
        synth_prints(out, Order(1, seed=seed, use=use, **SMALL))  # type: ignore[arg-type]
        pictures.append((out / "prints" / "00001_1.png").read_bytes())
    assert len(set(pictures)) == 4


@pytest.mark.parametrize("ending", ["tif", "wsq"])
def test_other_formats_hold_the_same_pictures(made: Path, tmp_path: Path, ending: str) -> None:
    if ending == "wsq" and sys.platform == "darwin":
        pytest.skip("the wsq package has no wheel for macOS")
    out = tmp_path / ending
    synth_prints(out, Order(1, latents=1, seed=5, format=ending, **SMALL))  # type: ignore[arg-type]
    drawn = read_picture(out / "prints" / f"00001_M.{ending}")
    original = read_picture(made / "prints" / "00001_M.png")
    assert drawn.ppi == pytest.approx(500, abs=0.1)
    assert np.abs(drawn.pixels.astype(int) - original.pixels).mean() < (1e-9 if ending == "tif" else 12)


# -- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_folder_in_use_is_left_alone(made: Path, tmp_path: Path) -> None:
    before = digests(made)
    with pytest.raises(UsageError, match=r"filled otherwise \(fingers 2 there, 3 asked"):
        synth_prints(made, Order(3, impressions=2, rolled=1, swiped=1, latents=2, seed=5, masters=True, **SMALL))  # type: ignore[arg-type]
    assert digests(made) == before
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"other files are there \(holiday\.jpg\)"):
        synth_prints(tmp_path, Order(1))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(UsageError, match="a file is there"):
        synth_prints(tmp_path / "holiday.jpg", Order(1))
    orphan = tmp_path / "orphan"
    (orphan / "prints").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"no synth\.json"):
        synth_prints(orphan, Order(1))


def test_two_commands_do_not_fill_one_folder(tmp_path: Path) -> None:
    with claimed(tmp_path / "out", {"made": "prints"}, ("prints",)), pytest.raises(Locked, match="another fpipe"):
        synth_prints(tmp_path / "out", Order(1))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"fingers": 0}, "expected 1 to"),
        ({"fingers": 1, "impressions": -1}, "0 to 999"),
        ({"fingers": 1, "latents": 1000}, "0 to 999"),
        ({"fingers": 1, "impressions": 0}, "nothing to draw"),
        ({"fingers": 1, "impressions": 0, "latents": 1}, "need a mate"),
        ({"fingers": 1, "use": "play"}, "play"),
        ({"fingers": 1, "seed": -1}, "-1"),
        ({"fingers": 1, "difficulty": "awful"}, "awful"),
        ({"fingers": 1, "format": "gif"}, "gif"),
        ({"fingers": 1, "height": 50, "width": 500}, "500 x 50"),
        ({"fingers": 1, "height": 500}, "0 x 500"),
    ],
)
def test_the_impossible_is_refused(wanted: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Order(**wanted)  # type: ignore[arg-type]


def test_a_full_disk_leaves_whole_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The medium refuses in the middle of the second print; once there is room, the same command goes on."""
    out, order = tmp_path / "out", Order(1, impressions=2, seed=5, **SMALL)  # type: ignore[arg-type]
    whole = module.write_atomic
    written: list[str] = []

    def filling(path: Path, data: bytes) -> None:
        written.append(path.name)
        if len(written) == 3:
            raise DiskFull(where=str(path), reason=errno.errorcode[errno.ENOSPC])
        whole(path, data)

    monkeypatch.setattr(module, "write_atomic", filling)
    with pytest.raises(DiskFull, match="ENOSPC"):
        synth_prints(out, order)
    assert not (out / "labels.csv").exists()
    assert not list(out.rglob("*.tmp"))
    assert json.loads((out / "truth" / "00001_1.json").read_text())["impression"] == "1"
    monkeypatch.undo()
    synth_prints(out, order)
    synth_prints(tmp_path / "at once", order)
    assert digests(out) == digests(tmp_path / "at once")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    options = ["--fingers", "3", "--impressions", "3", "--size", "180x200", "--seed", "6"]
    command = [sys.executable, "-m", "fpipe", "synth", "prints"]
    running = subprocess.Popen([*command, str(tmp_path / "out"), *options], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("truth/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(how)
    _, said = running.communicate(timeout=60)
    assert running.returncode in (0, 130 if how == signal.SIGINT else -how), said
    for name in ("out", "at once"):
        subprocess.run([*command, str(tmp_path / name), *options], check=True, capture_output=True)
    assert digests(tmp_path / "out") == digests(tmp_path / "at once")


def test_names_and_numbers_of_prints() -> None:
    order = Order(7, impressions=2, rolled=1, swiped=1, latents=1)
    stems = [p.stem for p in prints_of(order, 7)]
    assert stems == ["00007_M", "00007_2", "00007_R1", "00007_S1", "00007_L1"]
    assert [p.stem for p in prints_of(Order(7, impressions=1), 7)] == ["00007_1"]
