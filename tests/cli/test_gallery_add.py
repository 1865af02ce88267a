"""``fpipe gallery add``: sources, lists, limits, exit codes, interruption; real processes where that matters."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from exchange_maker import ENVELOPE, NAMED

from fpipe.cli import batch, gallery_add
from fpipe.cli import gallery as module
from fpipe.core.errors import Locked, UsageError
from fpipe.formats import read_picture
from fpipe.formats.exchange.building import Print, tenprint
from fpipe.index import KINDS, Gallery
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service.reading import read_print
from fpipe.service.reverse import LEAST_SCORE
from fpipe.service.workers import Stop
from fpipe.synth import samples

FIRST, SECOND = "p1-left-index.png", "p1-left-middle.png"


def run(*arguments: object, input: bytes | None = None) -> Result:
    command = [str(a) for a in arguments]
    result = CliRunner().invoke(module.command, command, standalone_mode=False, input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def lines(result: Result) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *items, summary = map(json.loads, result.stdout.splitlines())
    assert {item["type"] for item in items} <= {"item"}
    assert summary["type"] == "summary"
    return items, summary


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prints that are read in no time."""
    folder = tmp_path_factory.mktemp("templates")
    template = read_print(samples.folder() / FIRST, load_preset("fast")).template
    for number in range(12):
        fewer = template.minutiae.take(np.arange(number, len(template.minutiae)))
        write_template(folder / f"{number:02d}.fpt", replace(template, minutiae=fewer))
    return folder


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, templates: Path) -> Path:
    shutil.copytree(templates, tmp_path / "t")
    for name in (FIRST, SECOND):
        shutil.copy(samples.folder() / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    run("create", "G")
    return Path("G")


def test_add_says_what_became_of_every_file(gallery: Path) -> None:
    Path("bad.png").write_bytes(b"no picture")
    done = run("add", gallery, FIRST, "bad.png", SECOND, "--subject", "7", "--preset", "fast", "--json")
    assert done.return_value == 3
    items, summary = lines(done)
    assert [(i["file"], i["status"]) for i in items] == [
        (FIRST, "added"),
        ("bad.png", "quarantined"),
        (SECOND, "added"),
    ]
    assert items[1]["code"] == "not_an_image"
    counts = {"type": "summary", "added": 2, "known": 0, "quarantined": 1, "prints": 2}
    assert {key: summary[key] for key in counts} == counts
    assert (summary["interrupted"], summary["too_many_errors"]) == (False, False)
    assert summary["steps"]["extract"] > 0
    assert run("add", gallery, FIRST, "--timeout", 0).return_value == 0
    assert run("add", gallery, "bad.png", "--timeout", 0, "--preset", "fast").return_value == 5
    assert run("add", gallery, "bad.png", FIRST, "--timeout", 0, "--preset", "fast").return_value == 3
    with Gallery.open(gallery) as opened:
        assert [(r.print, r.subject) for r in opened.records()] == [(FIRST, "7"), (SECOND, "7")]


def test_the_kinds_are_those_of_the_index() -> None:
    assert gallery_add._KINDS == KINDS


def test_sources_from_a_list_patterns_and_standard_input(gallery: Path) -> None:
    Path("list.csv").write_text("path;subject;case\nt/00.fpt;S;7/26\nt/01.fpt;;\n", "utf-8-sig")
    items, summary = lines(run("add", gallery, "--manifest", "list.csv", "--finger", "3", "--timeout", 0, "--json"))
    assert [(i["print"], i["subject"], i["finger"], i["fields"]) for i in items] == [
        ("t/00.fpt", "S", "3", {"case": "7/26"}),
        ("t/01.fpt", None, "3", {}),
    ]
    assert summary["prints"] == 2
    names = b"t/02.fpt\r\n\nt/03.fpt"
    assert lines(run("add", gallery, "-", "--timeout", 0, "--json", input=names))[1]["added"] == 2
    names = b"t/04.fpt\0t/05.fpt\0"
    assert lines(run("add", gallery, "-", "-0", "--timeout", 0, "--json", input=names))[1]["added"] == 2
    _, summary = lines(run("add", gallery, "t/*.fpt", "--timeout", 0, "--json"))
    assert (summary["added"], summary["known"], summary["prints"]) == (6, 6, 12)
    with pytest.raises(click.UsageError, match="SOURCE or --manifest"):
        run("add", gallery)


def test_the_list_of_what_was_left_out(gallery: Path) -> None:
    Path("t/notes.txt").write_text("no picture", "utf-8")
    Path("t/صورة.png").touch()
    done = run("add", gallery, "t", "--quarantine", "t/left, out.csv", "--timeout", 0)
    assert done.return_value == 3
    with Path("t/left, out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["path"], r["stage"], r["code"], len(r["sha256"])) for r in rows] == [
        ("t/notes.txt", "read", "not_an_image", 64),
        ("t/صورة.png", "find", "empty", 0),
    ]
    assert "no picture" not in rows[0]["message"]
    assert "12 added, 0 known, 2 quarantined" in done.stdout


def test_a_list_of_what_was_left_out_replaces_no_other_file(gallery: Path) -> None:
    Path("list.csv").write_text("path\nt/00.fpt\n", "utf-8")
    for name in ("list.csv", "t/01.fpt"):
        before = Path(name).read_bytes()
        with pytest.raises(UsageError, match="no earlier list"):
            run("add", gallery, "t", "--quarantine", name, "--timeout", 0)
        assert Path(name).read_bytes() == before
    Path("empty.csv").touch()
    for _ in range(2):
        assert (
            run("add", gallery, "--manifest", "list.csv", "--quarantine", "empty.csv", "--timeout", 0).return_value == 0
        )
    assert Path("empty.csv").read_bytes() == b"path,sha256,stage,code,message\r\n"


def test_the_list_of_a_run_that_goes_on_is_left_alone_by_a_second_one(gallery: Path) -> None:
    Path("bad.png").touch()
    assert run("add", gallery, "bad.png", "--quarantine", "left.csv", "--timeout", 0).return_value == 5
    before = Path("left.csv").read_bytes()
    assert b"bad.png" in before
    with Gallery.open(gallery, write=True), pytest.raises(Locked):
        run("add", gallery, "t", "--quarantine", "left.csv", "--timeout", 0)
    assert Path("left.csv").read_bytes() == before


def test_names_on_standard_input_as_windows_writes_them(gallery: Path) -> None:
    names = b"\xef\xbb\xbft/00.fpt\r\nt/01.fpt\r\n"
    assert lines(run("add", gallery, "-", "--timeout", 0, "--json", input=names))[1]["added"] == 2
    with pytest.raises(click.UsageError, match="give - as a SOURCE"):
        run("add", gallery, "t", "-0")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_no_name_can_forge_a_line(gallery: Path) -> None:
    name = "ok\nadded forged\x1b[31m\u202e.fpt"
    shutil.copy("t/00.fpt", name)
    Path("bad\nname.png").touch()
    done = run("add", gallery, name, "bad\nname.png", "--timeout", 0)
    assert done.stdout.splitlines() == [
        r"added ok\nadded forged\x1b[31m\u202e.fpt",
        "1 added, 0 known, 1 quarantined",
    ]
    assert all(line.startswith("fpipe: notice: ") for line in done.stderr.splitlines())
    assert run("list", gallery).stdout.splitlines()[0].startswith(r"ok\nadded forged\x1b[31m\u202e.fpt  plain")
    items, _ = lines(run("add", gallery, name, "--timeout", 0, "--json"))
    assert [i["print"] for i in items] == [name]


def test_what_is_wrong_with_the_request_is_said_before_anything_is_read(gallery: Path) -> None:
    for wrong in (
        [""],
        ["--dry-run", "--reverse"],
        ["--preset", "no such"],
        ["--finger", "\udcff"],
        ["--ppi", "nan"],
        ["--timeout", "inf"],
    ):
        with pytest.raises((UsageError, click.UsageError)):
            run("add", gallery, "t", *wrong)
    assert run("add", gallery, "t/00.fpt", "--subject", "", "--finger", "", "--timeout", 0).return_value == 0
    with Gallery.open(gallery) as opened:
        assert [(r.print, r.subject, r.finger) for r in opened.records()] == [("t/00.fpt", None, None)]


def test_what_is_no_picture_does_not_stop_a_gallery_of_templates(gallery: Path) -> None:
    """It needs no method that the gallery does not have."""
    run("add", gallery, "t/00.fpt", "--timeout", 0)
    Path("t/00 notes.txt").write_text("no picture", "utf-8")
    done = run("add", gallery, "t", "--timeout", 0, "--json")
    _, summary = lines(done)
    assert (done.return_value, summary["added"], summary["known"], summary["quarantined"]) == (3, 11, 1, 1)


def test_what_else_is_said_of_a_known_print_is_told(gallery: Path) -> None:
    rows = "t/00.fpt,S,1,A\n", "t/00.fpt,S,2,\n"
    Path("list.csv").write_text("path,subject,case,grave\n" + "".join(rows), "utf-8")
    items, _ = lines(run("add", gallery, "--manifest", "list.csv", "--timeout", 0, "--json"))
    assert [i["status"] for i in items] == ["added", "known"]
    (line,) = items[1]["notices"]
    assert line.startswith("its case in the gallery is 1, not 2; that was left as it is")


def test_a_limit_and_too_many_errors(gallery: Path) -> None:
    _, summary = lines(run("add", gallery, "t", "--limit", 3, "--timeout", 0, "--json"))
    assert (summary["added"], summary["interrupted"]) == (3, False)
    for number in range(5):
        Path(f"t/00{number}.png").touch()
    done = run("add", gallery, "t", "--max-errors", 2, "--timeout", 0, "--json")
    _, summary = lines(done)
    assert done.return_value == 3
    assert (summary["quarantined"], summary["too_many_errors"], summary["interrupted"]) == (3, True, False)
    assert "more than 2 prints were left out" in done.stderr


def test_a_dry_run_says_what_would_be(gallery: Path) -> None:
    run("add", gallery, "t/00.fpt", "--timeout", 0)
    shutil.copy("t/01.fpt", "t/01 again.fpt")
    Path("t/bad.png").touch()
    done = run("add", gallery, "t", FIRST, "--dry-run", "--json", "--timeout", 0, "--preset", "fast")
    items, summary = lines(done)
    assert done.return_value == 3
    assert [i["status"] for i in items].count("new") == 12
    counts = {"dry_run": True, "new": 12, "known": 2, "quarantined": 1, "formats": {"PNG": 1, "template": 11}}
    assert {key: summary[key] for key in counts} == counts
    assert summary["free_bytes"] > summary["disk_bytes"] > 0
    assert summary["seconds"] > 0
    with Gallery.open(gallery) as opened:
        assert len(opened.print_ids()) == 1
    said = run("add", gallery, "t", "--dry-run", "--timeout", 0).stdout
    assert "11 new, 2 known, 1 quarantined" in said
    assert "new prints by format: 11 template" in said
    assert "estimated from" in said


def test_a_print_that_takes_too_long_is_left_out(gallery: Path) -> None:
    """Ended in the middle, for real: nothing is read in a thousandth of a second."""
    done = run("add", gallery, FIRST, "--timeout", 0.001, "--json")
    items, summary = lines(done)
    assert done.return_value == 5
    assert (items[0]["code"], items[0]["stage"]) == ("timeout", "read")
    assert "took longer than 0.001 s" in items[0]["message"]
    assert summary["quarantined"] == 1


def test_a_card_on_the_command_line(gallery: Path) -> None:
    pixels = read_picture(Path(FIRST)).pixels
    prints = [Print(pixels, 500, 2, 1), Print(pixels, 500, 21, 10)]
    Path("a.an2").write_bytes(tenprint(ENVELOPE, NAMED, prints, "TESTORI").to_bytes())
    done = run("add", gallery, "a.an2", "--json", "--preset", "fast")
    items, summary = lines(done)
    assert done.return_value == 3
    assert [(i["file"], i.get("finger"), i.get("code")) for i in items] == [
        ("a.an2#2", "right_index", None),
        ("a.an2#21", None, "palm"),
    ]
    assert (items[0]["kind"], items[0]["part"], summary["prints"]) == ("rolled", "idc=1", 1)


def test_new_prints_are_searched_among_the_latents(gallery: Path) -> None:
    for name in ("latent-1.png", "p1-right-index.png"):
        shutil.copy(samples.folder() / name, name)
    options = ["--preset", "fast", "--timeout", 0, "--json", "--reverse"]
    *_, summary = map(json.loads, run("add", gallery, "latent-1.png", "--kind", "latent", *options).stdout.splitlines())
    assert summary["added"] == 1
    done = run("add", gallery, FIRST, "p1-right-index.png", *options)
    told = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "reverse"]
    assert [line["print"] for line in told] == [FIRST, "p1-right-index.png"]
    assert {line["latents_searched"] for line in told} == {1}
    for line in told:
        assert line["latents_compared"] == 1
        assert (line["latents_below_least_score"], [c["print"] for c in line["candidates"]]) in (
            (1, []),
            (0, ["latent-1.png"]),
        )
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "summary"
    again = run("add", gallery, FIRST, *options)
    assert '"reverse"' not in again.stdout


def test_a_print_that_is_gone_does_not_end_the_search_of_the_others(
    gallery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("add", gallery, "t/00.fpt", "--timeout", 0)
    gallery_add._search_latents(gallery, [7, 1], 0.0, Stop(), as_json=True)
    told = capsys.readouterr()
    assert [json.loads(line)["print"] for line in told.out.splitlines()] == ["t/00.fpt"]
    assert len(told.err.splitlines()) == 1


def test_the_least_score_is_that_of_the_service() -> None:
    (option,) = (parameter for parameter in gallery_add.add.params if parameter.name == "least_score")
    assert option.default == LEAST_SCORE


def test_lines_of_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(batch.time, "monotonic", lambda: now[0])
    with batch.batch_progress("adding", 100) as advance:
        for _ in range(25):
            now[0] += 6
            advance(1, 10)
    assert capsys.readouterr().err.splitlines() == [
        "fpipe: adding: 10 of 100 files, 1.67 prints/s, 0:09 h left",
        "fpipe: adding: 20 of 100 files, 1.67 prints/s, 0:08 h left",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_interrupts_are_heeded() -> None:
    stop, before = Stop(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with batch.heeding_interrupts(stop):
            signal.raise_signal(signal.SIGINT)
            assert (stop.asked, stop.at_once) == (True, False)
            signal.raise_signal(signal.SIGINT)
            assert stop.at_once
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        with batch.heeding_interrupts(Stop()):
            pass
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
@pytest.mark.parametrize(("jobs", "times"), [(1, 1), (2, 1), (2, 2)])
def test_ctrl_c_ends_cleanly(gallery: Path, jobs: int, times: int) -> None:
    Path("many").mkdir()
    data = Path(FIRST).read_bytes()
    for number in range(100):
        Path(f"many/{number:03d}.png").write_bytes(data + bytes([number]))  # behind the end, so only the hash differs
    options = ["--json", "--jobs", str(jobs), "--preset", "fast"]
    command = [sys.executable, "-m", "fpipe", "gallery", "add", "G", "many", *options]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit it ignored
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        first = running.stdout.readline()
        said = []
        for turn in range(times):
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
            if turn == 0:
                said.append(running.stderr.readline())
        rest = running.stdout.read()
        said += filter(str.strip, running.stderr.read().splitlines(keepends=True))
    assert running.returncode == 130
    assert said == [batch._FINISHING.decode(), "fpipe: error: interrupted; what was reported as stored is safe\n"]
    *items, summary = map(json.loads, [first, *rest.splitlines()])
    assert summary["interrupted"] is True
    assert 0 < len(items) < 100
    with Gallery.open(gallery) as opened:
        assert opened.check() == []
        assert [i["print"] for i in items] == [r.print for r in opened.records()]
    assert summary["added"] == summary["prints"] == len(items)
