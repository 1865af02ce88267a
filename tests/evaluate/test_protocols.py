"""The evaluation as a whole, on the samples: the same scores whatever the jobs, unusable prints at the bottom."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fpipe.cli.evaluate import command
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
    from fpipe.core.errors import UsageError

    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for arguments in (
        ("verify", "--data", folder, "--out", tmp_path, "--pairs", folder / "names.txt"),
        ("identify", "--data", folder, "--out", tmp_path, "--gallery", empty, "--probes", empty),
    ):
        with pytest.raises(UsageError):
            CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
