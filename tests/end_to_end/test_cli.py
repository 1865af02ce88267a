"""What scripts rely on: exit codes, JSON, one clear line for a refused input."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run

from fpipe.synth import samples


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("fpipe: error:")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def plain_sample() -> Path:
    return samples.folder() / next(item["file"] for item in samples.manifest()["files"] if item["kind"] == "plain")


def latents_with_mates() -> list[dict[str, str]]:
    return [item for item in samples.manifest()["files"] if item["kind"] == "latent" and item["mate"]]


def test_help_is_light(fpipe: Run) -> None:
    script = (
        "import sys; from fpipe.cli.main import main; main(['--help'], standalone_mode=False);"
        "print(sorted(set(sys.modules) & {'numpy', 'cv2', 'faiss', 'skimage', 'scipy', 'PIL', 'numba'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [("serch",), ("search",), ("search", "--no-such"), ("gallery", "ad")])
def test_wrong_usage_is_exit_2(fpipe: Run, arguments: tuple[str, ...]) -> None:
    done = fpipe(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_demo_finds_the_mates_and_writes_reports(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = demo
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    ranks = []
    for search in document["searches"]:
        assert Path(search["report"]).stat().st_size > 50_000
        fingers = [f"{c['subject']} {c['finger']}" for c in search["candidates"]]
        if search["mate"]:
            ranks.append(fingers.index(search["mate"]) + 1)
        scores = [c["score"] for c in search["candidates"]]
        assert scores == sorted(scores, reverse=True)
    assert len(ranks) >= 3
    assert all(rank <= 3 for rank in ranks)
    assert (out / "gallery" / "gallery.db").exists()


def test_demo_runs_twice(fpipe: Run, demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, first = demo
    again = fpipe("demo", "--out", out, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["prints"] == json.loads(first.stdout)["prints"]


def test_search_json_is_what_scripts_rely_on(
    fpipe: Run, demo: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    latent = samples.folder() / latents_with_mates()[0]["file"]
    done = fpipe("search", demo[0] / "gallery", latent, "--ppi", 500, "--json", "--list", 3)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (search,) = document["searches"]
    for key in ("latent", "sha256", "ppi", "preset", "seconds", "prints_searched", "candidates"):
        assert key in search
    assert set(search["seconds"]) == {"read", "extract", "search"}
    assert [c["rank"] for c in search["candidates"]] == [1, 2, 3]
    assert {"rank", "print", "subject", "finger", "score", "pairs"} <= set(search["candidates"][0])
    assert "fpipe" in document["versions"]
    table = fpipe("search", demo[0] / "gallery", latent, "--csv", "--list", 3)
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [row["print"] for row in rows] == [c["print"] for c in search["candidates"]]


def test_the_whole_search_is_the_same_twice(fpipe: Run, demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    latents = [samples.folder() / item["file"] for item in latents_with_mates()[:2]]
    runs = [json.loads(fpipe("search", demo[0] / "gallery", *latents, "--json").stdout) for _ in range(2)]
    lists = [[search["candidates"] for search in run["searches"]] for run in runs]
    assert lists[0] == lists[1]


def test_refused_inputs_are_exit_5_and_one_line(
    fpipe: Run, demo: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    text, empty = tmp_path / "a.png", tmp_path / "b.png"
    text.write_text("not a picture")
    empty.write_bytes(b"")
    for path in (text, empty, tmp_path / "absent.png", tmp_path):
        for command in (
            ("inspect", path),
            ("search", demo[0] / "gallery", path, "--ppi", 500),
            ("extract", path, "--out", tmp_path / "t.json"),
            ("compare", path, plain_sample()),
        ):
            done = fpipe(*command)
            assert done.returncode == 5, (command, done.stderr)
            assert str(path) in one_line(done.stderr)
    assert not (tmp_path / "t.json").exists()


def test_no_gallery_is_exit_10(fpipe: Run, tmp_path: Path) -> None:
    done = fpipe("search", tmp_path / "none", plain_sample())
    assert done.returncode == 10
    assert "gallery create" in one_line(done.stderr)


@pytest.mark.parametrize("ending", ["json", "iso", "xyt", "fpt"])
def test_extract_writes_and_compare_reads_every_template_format(fpipe: Run, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"t.{ending}"
    done = fpipe("extract", plain_sample(), "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    count = json.loads(done.stdout)["minutiae"]
    assert count >= 12
    compared = json.loads(fpipe("compare", out, plain_sample(), "--json").stdout)
    assert compared["minutiae"] == {"probe": count, "gallery": count}
    assert len(compared["pairs"]) >= 0.9 * count


def test_extract_refuses_an_unknown_ending(fpipe: Run, tmp_path: Path) -> None:
    done = fpipe("extract", plain_sample(), "--out", tmp_path / "t.doc")
    assert done.returncode == 2
    assert ".iso" in done.stderr


def test_enhance_writes_a_picture_of_the_prints_size(fpipe: Run, tmp_path: Path) -> None:
    out = tmp_path / "e.png"
    assert fpipe("enhance", plain_sample(), "--out", out).returncode == 0
    before = json.loads(fpipe("inspect", plain_sample(), "--json").stdout)
    after = json.loads(fpipe("inspect", out, "--json").stdout)
    assert (after["width"], after["height"], after["ppi"]) == (
        before["width"],
        before["height"],
        pytest.approx(500, abs=0.01),
    )


def test_an_unknown_preset_lists_what_there_is(fpipe: Run, tmp_path: Path) -> None:
    done = fpipe("extract", plain_sample(), "--out", tmp_path / "t.json", "--preset", "best")
    assert done.returncode == 2
    assert "plain, latent" in one_line(done.stderr)


def test_doctor_is_well_here(fpipe: Run, tmp_path: Path) -> None:
    done = fpipe("doctor", "--folder", tmp_path, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    assert all(check["ok"] for check in document["checks"])


def test_a_read_only_home_still_works(fpipe: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "NUMBA_CACHE_DIR": ""}
    done = fpipe("compare", plain_sample(), plain_sample(), env=environment)
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout
