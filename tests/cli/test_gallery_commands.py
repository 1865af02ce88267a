"""``fpipe gallery``: exit codes, JSON, interruption; in a process of its own where that matters."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fpipe.cli import gallery as module
from fpipe.core.errors import DigestMismatch, UnknownPrint
from fpipe.index import Gallery
from fpipe.store import lock
from fpipe.synth import samples

FIRST, SECOND, THIRD = "p1-left-index.png", "p1-left-middle.png", "p1-right-index.png"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(module.command, [str(a) for a in arguments], standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (FIRST, SECOND, THIRD):
        shutil.copy(samples.folder() / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    run("create", "G")
    return Path("G")


def test_show_remove_check_rebuild(gallery: Path) -> None:
    run("add", gallery, FIRST, SECOND)
    assert json.loads(run("show", gallery, FIRST, "--json").stdout)["original"] is True
    with pytest.raises(UnknownPrint):
        run("remove", gallery, FIRST, "nobody")
    assert json.loads(run("check", gallery, "--json").stdout)["prints"] == 2
    assert json.loads(run("remove", gallery, FIRST, FIRST, "--json").stdout)["removed"] == 1
    assert json.loads(run("rebuild", gallery, "--json").stdout) == {"prints": 1}
    assert run("check", gallery).return_value == 0
    (segment,) = (gallery / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    done = run("check", gallery, "--json")
    assert done.return_value == 6
    assert json.loads(done.stdout)["whole"] is False
    run("rebuild", gallery)
    assert run("check", gallery).return_value == 0


@pytest.fixture
def presets(gallery: Path) -> tuple[str, str]:
    """The classical methods, and the same with another parameter, as files."""
    text = (resources.files("fpipe.pipeline") / "presets" / "fast.toml").read_text("utf-8")
    Path("old.toml").write_text(text, "utf-8")
    Path("new.toml").write_text(text.replace("blur_px = 1.0", "blur_px = 1.6"), "utf-8")
    return "old.toml", "new.toml"


def test_reextract_says_what_became_of_every_print(gallery: Path, presets: tuple[str, str]) -> None:
    old, new = presets
    run("add", gallery, FIRST, SECOND, "--preset", old)
    with pytest.raises(DigestMismatch, match="`fpipe gallery reextract G`, or say --mixed"):
        run("add", gallery, THIRD, "--preset", new)
    with Gallery.open(gallery) as opened:
        place = opened.originals.place(opened.named(SECOND).sha256)
    original = place.read_bytes()
    place.unlink()
    done = run("reextract", gallery, "--preset", new, "--json")
    assert done.return_value == 3
    *items, summary = map(json.loads, done.stdout.splitlines())
    assert [(i["type"], i["print"], i["status"]) for i in items] == [
        ("item", FIRST, "reextracted"),
        ("item", SECOND, "kept"),
    ]
    assert items[1]["code"] == "not_found"
    assert {"sha256", "kind", "preset", "extraction_digest", "minutiae", "minutiae_before"} <= set(items[0])
    digests = sorted(i["extraction_digest"] for i in items)
    assert summary == {
        "type": "summary",
        "reextracted": 1,
        "current": 0,
        "imported": 0,
        "kept": 1,
        "interrupted": False,
        "extraction_digests": {"plain": digests},
    }
    assert len(set(digests)) == 2
    again = run("reextract", gallery, "--preset", new)
    assert again.return_value == 3
    assert "0 reextracted, 1 current, 0 imported, 1 kept" in again.stdout
    assert f"{SECOND} keeps its template (not_found)" in again.stderr
    assert "2 different methods" in again.stderr
    run("remove", gallery, FIRST)
    assert run("reextract", gallery, "--preset", new).return_value == 5
    place.write_bytes(original)
    assert run("reextract", gallery, "--preset", new, "--kind", "latent", "--kind", "rolled").stdout.startswith("0 re")
    assert run("reextract", gallery, "--preset", new, "--kind", "plain").return_value == 0
    assert run("add", gallery, THIRD, "--preset", new).return_value == 0
    assert run("check", gallery).return_value == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
def test_a_reextraction_is_interrupted_and_repeated(gallery: Path, presets: tuple[str, str]) -> None:
    Path("many").mkdir()
    data = (samples.folder() / FIRST).read_bytes()
    for number in range(12):
        Path(f"many/{number:03d}.png").write_bytes(data + bytes([number]))
    run("add", gallery, "many", "--preset", presets[0])
    command = [sys.executable, "-c", SLOW, "gallery", "reextract", "G", "--preset", presets[1], "--json"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        rest = running.stdout.read()
    assert running.returncode == 130
    *items, summary = map(json.loads, [first, *rest.splitlines()])
    assert summary["interrupted"] is True
    assert 0 < len(items) < 12
    with Gallery.open(gallery) as opened:
        assert opened.check() == []
        read = {r.print for r in opened.records() if r.preset == "new"}
    assert {i["print"] for i in items} <= read
    done = run("reextract", gallery, "--preset", presets[1])
    assert done.return_value == 0
    assert f"{12 - len(read)} reextracted, {len(read)} current" in done.stdout


SLOW = """
import sys
from fpipe.cli.main import run
from fpipe.service import storing

storing.BATCH = 1
run()
"""
"""The command with a transaction for every print, so that there is something to interrupt."""


def test_every_help_has_an_example() -> None:
    for name in ("create", "add", "list", "show", "remove", "check", "rebuild", "reextract"):
        assert "Example:" in run(name, "--help").stdout


def test_the_kinds_are_those_of_the_index() -> None:
    from fpipe.index import KINDS

    assert module._KINDS == KINDS


def process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fpipe", "gallery", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_exit_codes_of_what_can_not_be_done(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.05)
    assert process("list", "nowhere").returncode == 10
    assert process("create", gallery).returncode == 2
    with Gallery.open(gallery, write=True):
        done = process("add", gallery, FIRST)
    assert done.returncode == 11
    assert "another fpipe command" in done.stderr
    assert done.stderr.count("\n") == 1
    assert process("remove", gallery, "nobody").returncode == 2
