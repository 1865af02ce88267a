"""A proficiency test's folder: everything the examiner needs, nothing that tells an answer, and the key apart."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import DiskFull, FpipeError, Locked, UsageError
from fpipe.formats import read_picture
from fpipe.service import proficiency as module
from fpipe.service.grading import COLUMNS, read_key, set_id
from fpipe.service.proficiency import LEAST_IN_COMMON, SEED_LIMIT, Order, Trial, in_common, plan, synth_proficiency
from fpipe.synth.impression import Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import MasterPrint
from fpipe.synth.seeds import seed_parts

SMALL = Order(2, exemplars=2, seed=3, close=0.5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A set, its key and the summary."""
    out = tmp_path_factory.mktemp("proficiency") / "set"
    summary = synth_proficiency(out, SMALL)
    return out, json.loads((out.parent / "set.key.json").read_text()), summary


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pictures(key: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for trial in key["trials"] for one in (trial["latent"], *trial["exemplars"].values())]


def test_the_folder_is_as_documented(made: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    out, key, summary = made
    files = {f"trial-00{n}/{name}.png" for n in (1, 2) for name in ("latent", "exemplar-A", "exemplar-B")}
    assert set(contents(out)) == {"README.txt", "answers.csv", *files}
    assert {path.name for path in out.parent.iterdir()} == {"set", "set.key.json"}
    with (out / "answers.csv").open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows == [list(COLUMNS), *([key["set"], f"trial-00{n}", "", "", "", "", ""] for n in (1, 2))]
    assert summary["set"] == key["set"] and summary["trials"] == 2 and summary["exemplars"] == 4
    assert summary["key"] == (out.parent / "set.key.json").as_posix()
    assert key["set"] in (out / "README.txt").read_text()
    read = read_key(out.parent / "set.key.json")
    assert read.exemplars == 2 and list(read.trials) == ["trial-001", "trial-002"]


def test_the_key_tells_the_truth(made: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    out, key, _ = made
    assert key["options"]["seed"] == 3 and key["set"] == set_id(key["trials"])
    assert sum(trial["mate"] is not None for trial in key["trials"]) == 1
    for one in pictures(key):
        assert hashlib.sha256((out / one["file"]).read_bytes()).hexdigest() == one["sha256"]
        use, seed, _ = seed_parts(one["finger"])
        assert use == "test" and seed != 0
    for trial in key["trials"]:
        for letter, one in trial["exemplars"].items():
            assert one["relation"] == "mate" if letter == trial["mate"] else one["relation"] != "mate"
            assert (one["finger"] == trial["latent"]["finger"]) == (one["relation"] != "other non-match")
            assert ("ridges" in one) == (one["relation"] == "close non-match")
            assert one["in_common"] >= LEAST_IN_COMMON


def test_pictures_can_be_drawn_again_from_the_key(made: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    out, key, _ = made
    trial = key["trials"][0]
    latent = trial["latent"]
    drawn = Latent(difficulty="mixed")(MasterPrint()(latent["finger"]), latent["seed"])
    assert np.array_equal(read_picture(out / latent["file"]).pixels, drawn.picture)
    close = next(o for t in key["trials"] for o in t["exemplars"].values() if o["relation"] == "close non-match")
    recipe = Impression(close["conditions"]["kind"], difficulty="good")
    again = recipe(MasterPrint()(close["finger"], close["ridges"]), close["seed"])
    assert np.array_equal(read_picture(out / close["file"]).pixels, again.picture)


def test_nothing_in_the_folder_tells(made: tuple[Path, dict[str, Any], dict[str, Any]]) -> None:
    out, key, _ = made
    assert len({path.stat().st_mtime_ns for path in (out, *out.rglob("*"))}) == 1
    for path in out.rglob("*.png"):
        assert _chunks(path.read_bytes()) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
    told = (out / "README.txt").read_text() + (out / "answers.csv").read_text()
    for one in pictures(key):
        assert str(one["finger"]) not in told and str(one["seed"]) not in told
    others = Order(2, exemplars=2, seed=4, mated=1, close=0, difficulty="bad")
    assert module.instructions("x", others) == module.instructions("x", SMALL)


def _chunks(data: bytes) -> set[bytes]:
    kinds, at = set(), 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kinds.add(data[at + 4 : at + 8])
        at += 12 + length
    return kinds


def test_the_same_seed_the_same_set_whatever_the_jobs(
    made: tuple[Path, dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    out, _, _ = made
    synth_proficiency(tmp_path / "again", SMALL, key=tmp_path / "k", jobs=2)
    assert contents(tmp_path / "again") == contents(out)
    assert (tmp_path / "k").read_bytes() == (out.parent / "set.key.json").read_bytes()


def test_without_a_seed_every_set_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(module, "spread", lambda work, tasks, jobs, died: _noted(seeds, work))
    monkeypatch.setattr(module, "_written", lambda *a: {"set": "set-0"})
    monkeypatch.setattr(module, "_handed_over", lambda *a: None)
    for _ in range(4):
        synth_proficiency(tmp_path / "s", Order(1))
    assert len(set(seeds)) == 4 and all(0 <= seed < SEED_LIMIT for seed in seeds) and max(seeds) > SEED_LIMIT >> 20


def _noted(seeds: list[int], work: Any) -> Any:
    seeds.append(work.args[2])
    yield from ()


@settings(max_examples=60, deadline=None)
@given(
    trials=st.integers(1, 40),
    exemplars=st.integers(1, 10),
    mated=st.floats(0, 1),
    close=st.floats(0, 1),
    seed=st.integers(0, SEED_LIMIT - 1),
)
def test_shares_are_exact(trials: int, exemplars: int, mated: float, close: float, seed: int) -> None:
    found = plan(Order(trials, exemplars, mated=mated, close=close), seed)
    relations = [relation for trial in found for relation in trial.relations]
    assert [trial.number for trial in found] == list(range(1, trials + 1))
    assert all(trial.relations.count("mate") <= 1 and len(trial.relations) == exemplars for trial in found)
    assert relations.count("mate") == int(trials * mated + 0.5)
    assert relations.count("close") == int((len(relations) - relations.count("mate")) * close + 0.5)


def test_mates_lie_anywhere_in_any_order() -> None:
    found = [plan(Order(20, 4), seed) for seed in range(50)]
    first = [trial.relations.index("mate") for trials in found for trial in trials if "mate" in trial.relations]
    assert all(90 <= first.count(place) <= 160 for place in range(4))
    at = [trial.number for trials in found for trial in trials if "mate" in trial.relations]
    assert all(10 <= at.count(number) <= 40 for number in range(1, 21))


def test_minutiae_in_common_are_those_on_skin_that_both_show() -> None:
    master = MasterPrint()(77)
    latent = Latent(difficulty="good")(master, 5)
    rolled, swiped = Impression("rolled", difficulty="good")(master, 6), Impression("swiped")(master, 6)
    everything = in_common(latent, master.centre, rolled, master.centre)
    some = in_common(latent, master.centre, swiped, master.centre)
    assert 0 < some <= everything <= len(latent.truth.minutiae)
    assert in_common(latent, master.centre, latent, master.centre) == len(latent.truth.minutiae)
    assert in_common(latent, master.centre, rolled, (master.centre[0] + 500, master.centre[1])) == 0


def test_a_hopeless_trial_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_attempt", lambda *a: None)
    with pytest.raises(FpipeError, match=r"trial-001: 60 fingers without 8 minutiae"):
        module._draw_trial(tmp_path, SMALL, 1, Trial(1, ("mate",)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trials": 0}, "0 trials, expected 1 to 999"),
        ({"exemplars": 11}, "11 exemplars"),
        ({"mated": 1.5}, "mated 1.5"),
        ({"close": float("nan")}, "close nan"),
        ({"seed": -1}, "seed -1"),
        ({"seed": SEED_LIMIT}, "seed"),
        ({"difficulty": "hard"}, "'hard'"),
        ({"format": "bmp"}, "'bmp'"),
    ],
)
def test_what_cannot_be_had(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Order(**{"trials": 1, **wrong})


def test_refused_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_draw_trial", _not_to_be_called)
    out = tmp_path / "s"

    def refused(said: str, folder: Path = out, key: Path | None = None) -> None:
        with pytest.raises(UsageError, match=said):
            synth_proficiency(folder, Order(1), key=key)

    refused("can't lie in the examiner's folder", key=out / "key.json")
    refused("can't lie in the examiner's folder", key=tmp_path / "s" / ".." / "s" / "deep" / "k")
    refused("can't lie in the examiner's folder", key=out)
    refused("expected a folder that is there", key=tmp_path / "nowhere" / "k")
    refused("name of a new folder", Path())
    (tmp_path / "k").write_text("an older key")
    refused("never overwritten", key=tmp_path / "k")
    out.write_text("a file")
    refused("expected a new folder")
    out.unlink()
    out.mkdir()
    (out / "mine").write_text("x")
    refused("not empty")
    assert (tmp_path / "k").read_text() == "an older key"
    assert {path.name for path in tmp_path.iterdir()} == {"s", "k"}


def _not_to_be_called(*_: object) -> None:
    raise AssertionError


def test_one_command_at_a_time(tmp_path: Path) -> None:
    work = tmp_path / ".s.making"
    work.mkdir()
    with FileLock(work / "lock"), pytest.raises(Locked, match="another fpipe command"):
        synth_proficiency(tmp_path / "s", Order(1))
    assert work.is_dir() and not (tmp_path / "s").exists()


def _fake(folder: Path, order: Order, seed: int, trial: Trial) -> dict[str, Any]:
    """A trial whose pictures are a few bytes."""
    here = folder / trial.name
    here.mkdir()
    files = {name: f"{trial.name}/{name}.png" for name in ("latent", "exemplar-A")}
    for name, file in files.items():
        (folder / file).write_bytes(f"{seed} {trial.name} {name}".encode())
    latent = {"file": files["latent"], "quality": "good"}
    exemplar = {"file": files["exemplar-A"], "relation": "mate" if trial.relations[0] == "mate" else "other non-match"}
    mate = "A" if trial.relations[0] == "mate" else None
    return {"trial": trial.name, "mate": mate, "latent": latent, "exemplars": {"A": exemplar}}


def test_what_an_interruption_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_draw_trial", _fake)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synth_proficiency(tmp_path / "s", Order(3, seed=1), advance=interrupt)
    assert not list(tmp_path.iterdir())
    # as a killed process leaves it: half a set in the hidden folder
    left = tmp_path / ".s.making" / "drawn" / "trial-001"
    left.mkdir(parents=True)
    (tmp_path / ".s.making" / "synth.json").write_text('{"made": "proficiency"}')
    (left / "latent.png").write_bytes(b"half")
    (tmp_path / "s").mkdir()  # an empty folder may be there
    done: list[int] = []
    synth_proficiency(tmp_path / "s", Order(3, seed=1), advance=done.append)
    assert sum(done) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"s", "s.key.json"}
    assert read_key(tmp_path / "s.key.json").name in (tmp_path / "s" / "answers.csv").read_text()


@pytest.mark.parametrize(("failing", "left"), [("README.txt", []), ("s.key.json", []), ("sync", ["s", "s.key.json"])])
def test_a_full_disk_leaves_set_and_key_or_neither(
    failing: str, left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_draw_trial", _fake)
    for name in ("write_atomic", "sync_folder"):
        monkeypatch.setattr(module, name, _full_on(failing, getattr(module, name)))
    with pytest.raises(DiskFull):
        synth_proficiency(tmp_path / "s", Order(1, seed=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_folder_that_cannot_be_handed_over_has_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_draw_trial", _fake)

    def refusing(*_: object) -> None:
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(DiskFull, match="refused"):
        synth_proficiency(tmp_path / "s", Order(1, seed=1))
    assert not (tmp_path / "s").exists() and not (tmp_path / "s.key.json").exists()


def _full_on(failing: str, function: Callable[..., None]) -> Callable[..., None]:
    def full(path: Path, *rest: object) -> None:
        if path.name == failing or (failing == "sync" and not rest):
            raise DiskFull(where=str(path), reason=errno.errorcode[errno.ENOSPC])
        function(path, *rest)

    return full
