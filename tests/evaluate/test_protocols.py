"""The evaluation as a whole, on the samples: the same scores whatever the jobs, unusable prints at the bottom."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fpipe.cli.evaluate import command
from fpipe.core.errors import UsageError
from fpipe.core.types import Minutiae, Template
from fpipe.evaluate import protocols
from fpipe.evaluate.templates import read_labels
from fpipe.minutiae import blob
from fpipe.minutiae.files import write_template
from fpipe.synth import samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sample exemplars of two fingers, one file that is no picture, labels and lists."""
    data = tmp_path_factory.mktemp("data")
    plain = [item for item in samples.manifest()["files"] if item["kind"] == "plain"]
    fingers = [f for f in dict.fromkeys(i["finger"] for i in plain) if sum(i["finger"] == f for i in plain) > 1][:2]
    chosen = [item for item in plain if item["finger"] in fingers]
    for item in chosen:
        shutil.copy(samples.folder() / item["file"], data / item["file"])
    (data / "broken.png").write_text("no picture")
    with (data / "labels.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["print", "finger", "kind", "ppi"])
        writer.writerows([item["file"], item["finger"], "plain", 500] for item in chosen)
        writer.writerow(["broken.png", fingers[0], "plain", 500])
    names = [*(item["file"] for item in chosen), "broken.png"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    (data / "pairs.csv").write_text("probe,gallery\n" + "".join(f"{a},{b}\n" for a, b in pairs))
    (data / "names.txt").write_text("".join(f"{name}\n" for name in names))
    return data


def _run(*arguments: object) -> str:
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stderr


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_verify_scores_are_the_same_whatever_the_jobs(folder: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        said = _run("verify", "--data", folder, "--pairs", folder / "pairs.csv", "--out", out, "--jobs", jobs)
        assert "broken.png" in said
    assert (tmp_path / "1" / "scores.csv").read_bytes() == (tmp_path / "2" / "scores.csv").read_bytes()
    rows = _rows(tmp_path / "1" / "scores.csv")
    lowest = min(float(row["score"]) for row in rows)
    assert all((float(r["score"]) == lowest) == ("broken.png" in (r["probe"], r["gallery"])) for r in rows)
    metrics = json.loads((tmp_path / "1" / "metrics.json").read_text())
    assert set(metrics["unusable"]) == {"broken.png"}
    assert (tmp_path / "1" / "det.png").stat().st_size > 5000


def test_identify_through_the_index_agrees_with_comparing_all(folder: Path, tmp_path: Path) -> None:
    common = ("--data", folder, "--gallery", folder / "names.txt", "--probes", folder / "names.txt")
    _run("identify", *common, "--out", tmp_path / "all", "--cache", tmp_path / "cache")
    _run("identify", *common, "--out", tmp_path / "some", "--cache", tmp_path / "cache", "--candidates", 3)
    every = {(r["probe"], r["gallery"]): float(r["score"]) for r in _rows(tmp_path / "all" / "scores.csv")}
    some = {(r["probe"], r["gallery"]): float(r["score"]) for r in _rows(tmp_path / "some" / "scores.csv")}
    assert 0 < len(some) < len(every)
    assert all(every[pair] == pytest.approx(score, abs=1e-5) for pair, score in some.items())


def test_a_damaged_cache_is_made_again(folder: Path, tmp_path: Path) -> None:
    command_line = ("verify", "--data", folder, "--pairs", folder / "pairs.csv", "--out", tmp_path)
    _run(*command_line)
    before = (tmp_path / "scores.csv").read_bytes()
    for path in (tmp_path / "cache").rglob("*.fpt"):
        path.write_bytes(path.read_bytes()[:-3])
    _run(*command_line)
    assert (tmp_path / "scores.csv").read_bytes() == before


def test_lists_that_make_no_sense_are_refused(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for arguments in (
        ("verify", "--data", folder, "--out", tmp_path, "--pairs", folder / "names.txt"),
        ("identify", "--data", folder, "--out", tmp_path, "--gallery", empty, "--probes", empty),
    ):
        with pytest.raises(UsageError):
            CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def _drawn_templates(folder: Path, unusable: set[str]) -> dict[str, str]:
    """Six fingers, a gallery print ``Na`` and a probe ``Nb`` each; what is unusable holds no template."""
    finger = {f"{number}{side}.png": str(number) for number in range(6) for side in "ab"}
    for name, number in finger.items():
        rng, count = np.random.default_rng(int(number)), 35
        x, y, direction = (rng.uniform(20, high, count).astype(np.float32) for high in (280, 380, 26))
        m = Minutiae(x, y, (direction - 20) % 6, np.ones(count, np.uint8), np.full(count, 80, np.uint8))
        write_template(folder / name.replace(".png", ".fpt"), Template(m, 300, 400))
        if name in unusable:
            (folder / name.replace(".png", ".fpt")).write_bytes(b"junk")
    return finger


def test_workers_are_gone_before_the_gallery_they_search(monkeypatch: pytest.MonkeyPatch) -> None:
    m = Minutiae(*np.ones((3, 5), np.float32), np.ones(5, np.uint8), np.full(5, 80, np.uint8))
    run = protocols.Run({"a": blob.encode(Template(m, 300, 400))}, {}, {})
    there = []

    def spread(work: object, tasks: list[protocols._Probe], *_: object) -> Iterator[tuple[protocols._Probe, list[Any]]]:
        try:
            yield tasks[0], []
        finally:
            there.append(tasks[0].gallery.exists())

    def interrupted(count: int) -> None:
        if count:
            raise KeyboardInterrupt

    monkeypatch.setattr(protocols, "spread", spread)
    with pytest.raises(KeyboardInterrupt):
        protocols.search_candidates(run, ["a"], ["a"], 1, 2, interrupted)
    assert there == [True]


@pytest.mark.parametrize("unusable", [{"1b.png"}, {"2a.png"}, {"1b.png", "2a.png"}])
def test_the_index_path_hides_no_probe_and_no_mate_from_a_scorer(tmp_path: Path, unusable: set[str]) -> None:
    """A probe that can't be used, and a mate that no list holds, are misses: not left out of the count."""
    finger = _drawn_templates(tmp_path, unusable)
    (tmp_path / "labels.csv").write_text("print,finger\n" + "".join(f"{n},{f}\n" for n, f in finger.items()))
    for side in "ab":
        (tmp_path / f"{side}.txt").write_text("".join(f"{name}\n" for name in finger if name[1] == side))
    out = tmp_path / "out"
    _run(
        *("identify", "--data", tmp_path, "--templates", tmp_path, "--out", out),
        *("--gallery", tmp_path / "a.txt", "--probes", tmp_path / "b.txt", "--candidates", 2),
    )
    found = json.loads((out / "metrics.json").read_text())
    assert (found["gallery"], found["mated_probes"], found["nonmated_probes"]) == (6, 6, 0)
    assert found["rank_1"] == pytest.approx(100 * (6 - len(unusable)) / 6)
    assert {row["gallery"] for row in _rows(out / "scores.csv")} == {name for name in finger if name[1] == "a"}


def test_the_index_path_gives_the_same_whatever_the_jobs(tmp_path: Path) -> None:
    finger = _drawn_templates(tmp_path, {"1b.png"})
    for side in "ab":
        (tmp_path / f"{side}.txt").write_text("".join(f"{name}\n" for name in finger if name[1] == side))
    lists = "--gallery", tmp_path / "a.txt", "--probes", tmp_path / "b.txt", "--candidates", 2
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        _run("identify", "--data", tmp_path, "--templates", tmp_path, "--out", out, *lists, "--jobs", jobs)
    assert (tmp_path / "1" / "scores.csv").read_bytes() == (tmp_path / "2" / "scores.csv").read_bytes()


def test_an_unforeseen_fault_is_that_prints_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("drawn")

    monkeypatch.setattr("fpipe.evaluate.templates.read_print", fails)
    said = _run("verify", "--data", folder, "--pairs", folder / "pairs.csv", "--out", tmp_path)
    assert "ZeroDivisionError: drawn" in said
    assert all(float(row["score"]) == -1 for row in _rows(tmp_path / "scores.csv"))


def test_a_pair_of_one_print_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("probe,gallery\na.png\n")
    with pytest.raises(UsageError, match="row 1"):
        arguments = ["verify", "--data", str(folder), "--pairs", str(tmp_path / "pairs.csv"), "--out", str(tmp_path)]
        CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_labels_saved_by_a_spreadsheet_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("\ufeffprint,finger,kind,ppi\r\na.png,f1,latent,500\r\n".encode())
    labels = read_labels(tmp_path)
    assert list(labels) == ["a.png"]
    assert (labels["a.png"].finger, labels["a.png"].kind, labels["a.png"].ppi) == ("f1", "latent", 500.0)
