"""Ten-print cards into a gallery, and the same content whatever the jobs, the order and the interruptions."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED
from gallery_maker import files_of

from fpipe.formats import read_picture
from fpipe.formats.exchange.building import Print, tenprint, text_record
from fpipe.formats.exchange.records import parse
from fpipe.index import Gallery
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service import enroll as enrolment
from fpipe.service.cards import image_of
from fpipe.service.enroll import create_gallery, enroll, enroll_sources
from fpipe.service.gallery_files import Details
from fpipe.service.intake import work
from fpipe.service.pending import sources
from fpipe.service.reading import read_print
from fpipe.service.reextract import reextract
from fpipe.service.rehearsal import rehearse
from fpipe.service.workers import Stop
from fpipe.synth import samples

PRESET = "fast"


def sample_pictures(count: int) -> list[Path]:
    names = [item["file"] for item in samples.manifest()["files"] if item["kind"] != "latent"]
    return [samples.folder() / name for name in names[:count]]


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of four fingers, the third of them broken, and a slap that is none."""
    pixels = [read_picture(path).pixels for path in sample_pictures(4)]
    prints = [Print(p, 500, position, 1, compression="NONE") for position, p in enumerate(pixels, 6)]
    prints.append(replace(prints[0], finger=14, impression=0))
    file = tenprint(ENVELOPE, NAMED, prints, "TESTORI")
    records = list(file.records)
    fields = [(f.number, f.value[:-9] if f.number == 999 else f.value) for f in records[4].fields if f.number != 1]
    records[4] = text_record(14, fields)
    path = tmp_path_factory.mktemp("cards") / "a.an2"
    path.write_bytes(replace(file, records=tuple(records)).to_bytes())
    assert len(parse(path.read_bytes(), "").records) == 7
    return path


@pytest.fixture(scope="module")
def filled(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "g"
    create_gallery(path)
    for _ in enroll(path, [card], preset=PRESET):
        pass
    return path


def outcomes(path: Path, *files: Path, **options: object) -> list[tuple[str, str, str]]:
    found = enroll(path, files, preset=PRESET, **options)  # type: ignore[arg-type]
    return [(Path(o.file).name, o.status, o.code) for o in found]


def test_a_card_s_fingers_are_stored_beside_a_broken_one(card: Path, filled: Path) -> None:
    with Gallery.open(filled) as gallery:
        assert gallery.check() == []
        records = gallery.records()
        assert [(Path(r.print).name, r.part, r.finger) for r in records] == [
            ("a.an2#6", "idc=1", "left_thumb"),
            ("a.an2#7", "idc=2", "left_index"),
            ("a.an2#9", "idc=4", "left_ring"),
        ]
        assert {(r.kind, r.ppi, r.ppi_origin, r.format) for r in records} == {
            ("rolled", 500.0, "file", "ANSI/NIST Type-14, NONE")
        }
        assert len({(r.subject, r.sha256) for r in records}) == 1
        assert records[0].fields == {"transaction": "CASE0001", "agency": "TESTORI"}
        assert gallery.original(records[2]) == card.read_bytes()
        assert len(list((filled / "originals").glob("*/*"))) == 1
        own = read_print(sample_pictures(1)[0], load_preset(PRESET)).template
        assert records[0].minutiae == len(own.minutiae)


def test_adding_a_card_again_changes_nothing(card: Path, filled: Path) -> None:
    assert outcomes(filled, card) == [
        ("a.an2#6", "known", ""),
        ("a.an2#7", "known", ""),
        ("a.an2#8", "quarantined", "damaged"),
        ("a.an2#9", "known", ""),
        *((f"a.an2#14.{finger}", "quarantined", "slap") for finger in (10, 9, 8, 7)),
    ]


def test_what_was_left_out_says_where_and_why(card: Path, filled: Path) -> None:
    files = [card, card.with_name("none.png")]
    left = [o.as_document() for o in enroll(filled, files, preset=PRESET) if o.code]
    assert [(o["stage"], o["path"], bool(o["sha256"])) for o in left] == [
        *(("read", card.as_posix(), True) for _ in range(5)),
        ("find", card.with_name("none.png").as_posix(), False),
    ]


def test_one_finger_of_a_card_and_who_it_is(card: Path, tmp_path: Path) -> None:
    create_gallery(tmp_path / "g")
    found = list(enroll(tmp_path / "g", [Path(f"{card}#7")], preset=PRESET, subject="S", finger="2", kind="plain"))
    (record,) = [o.record for o in found]
    assert record is not None
    assert (record.print, record.subject, record.finger, record.kind) == (f"{card.as_posix()}#7", "S", "2", "plain")
    assert outcomes(tmp_path / "g", card, finger="2") == [("a.an2", "quarantined", "several_pictures")]
    again = list(enroll(tmp_path / "g", [Path(f"{card}#7")], preset=PRESET, subject="T"))
    assert [(o.status, o.notices) for o in again] == [
        ("known", ("its subject in the gallery is S, not T; that was left as it is; `fpipe gallery set` changes it",))
    ]


def test_the_fingers_of_a_slap_are_prints(tmp_path: Path) -> None:
    one, other = (read_picture(path).pixels for path in sample_pictures(2))
    slap = np.full((max(one.shape[0], other.shape[0]) + 60, one.shape[1] + other.shape[1] + 90), 255, np.uint8)
    slap[30 : 30 + one.shape[0], 20 : 20 + one.shape[1]] = one
    slap[30 : 30 + other.shape[0], -20 - other.shape[1] : -20] = other
    data = tenprint(ENVELOPE, NAMED, [Print(slap, 500, 43, 0)], "TESTORI").to_bytes()
    (tmp_path / "s.an2").write_bytes(data)
    create_gallery(tmp_path / "g")
    assert outcomes(tmp_path / "g", tmp_path / "s.an2") == [("s.an2#43.8", "added", ""), ("s.an2#43.7", "added", "")]
    assert [status for _, status, _ in outcomes(tmp_path / "g", tmp_path / "s.an2")] == ["known", "known"]
    with Gallery.open(tmp_path / "g") as gallery:
        left, right = gallery.records()
        assert (left.finger, left.part, left.kind) == ("left_middle", "idc=1.8", "plain")
        own = read_print(sample_pictures(1)[0], load_preset(PRESET)).template
        assert 0.5 * len(own.minutiae) < left.minutiae < 1.5 * len(own.minutiae)
        picture, image = image_of(data, right.part, right.print, right.ppi)
        assert picture.pixels.shape == slap.shape
        assert image.shape[1] < other.shape[1] + 60
    text = (Path(__file__).parents[2] / "fpipe/pipeline/presets/fast.toml").read_text("utf-8")
    (tmp_path / "new.toml").write_text(text.replace("blur_px = 1.0", "blur_px = 1.6"), "utf-8")
    assert [o.status for o in reextract(tmp_path / "g", preset=str(tmp_path / "new.toml"))] == ["reextracted"] * 2


def test_a_card_s_prints_are_read_again_from_it(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path / "g")
    text = (Path(__file__).parents[2] / "fpipe/pipeline/presets/fast.toml").read_text("utf-8")
    (tmp_path / "new.toml").write_text(text.replace("blur_px = 1.0", "blur_px = 1.6"), "utf-8")
    done = list(reextract(tmp_path / "g", preset=str(tmp_path / "new.toml")))
    assert [o.status for o in done] == ["reextracted"] * 3


def lasting_files(path: Path) -> dict[str, bytes]:
    """A gallery's files but those that SQLite makes for any reader."""
    return {name: data for name, data in files_of(path).items() if not name.endswith(("-wal", "-shm"))}


def test_a_dry_run_changes_nothing(card: Path, filled: Path, tmp_path: Path) -> None:
    create_gallery(tmp_path / "g")
    before = lasting_files(tmp_path / "g")
    shutil.copy(card, tmp_path / "again.an2")
    told = []
    found = rehearse(tmp_path / "g", sources([card, tmp_path / "again.an2"]), told.append, preset=PRESET)
    assert found.counts == {"new": 3, "known": 3, "quarantined": 10}
    assert found.formats == {"ANSI/NIST Type-14, NONE": 3}
    assert [o.status for o in told][:5] == ["new", "new", "quarantined", "new", "quarantined"]
    assert found.original_bytes == card.stat().st_size
    assert found.sampled >= 2
    assert (found.seconds(2) or 0) > 0
    assert (found.disk_bytes or 0) > found.original_bytes
    assert lasting_files(tmp_path / "g") == before
    known = rehearse(filled, sources([card]), told.append, preset=PRESET)
    assert known.counts == {"new": 0, "known": 3, "quarantined": 5}
    assert known.seconds(1) is None


def test_copies_beside_each_other_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{number}.png" for number in range(6)]
    data = sample_pictures(1)[0].read_bytes()
    for number, file in enumerate(files):
        file.write_bytes(data if number < 3 else data[: len(data) // 2])
    create_gallery(tmp_path / "g")
    calls = []
    monkeypatch.setattr(enrolment, "work", lambda task: (calls.append(task.name), work(task))[1])
    found = list(enroll(tmp_path / "g", files, preset=PRESET))
    assert calls == [files[0].as_posix(), files[3].as_posix()]
    assert [o.status for o in found] == ["added", "known", "known", *["quarantined"] * 3]
    assert {o.code for o in found[3:]} == {"truncated"}
    assert [o.message.startswith(o.file) for o in found[3:]] == [True] * 3
    assert [o.path for o in found] == [file.as_posix() for file in files]


# -- the same content, however it came ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, card: Path) -> Path:
    """Templates and one card: duplicates, damaged files, subjects by folder."""
    folder = tmp_path_factory.mktemp("archive") / "in"
    folder.mkdir()
    template = read_print(sample_pictures(1)[0], load_preset(PRESET)).template
    rng = np.random.default_rng(0)
    for number in range(60):
        rows = np.sort(rng.choice(len(template.minutiae), len(template.minutiae) - 3, replace=False))
        fewer = replace(template, minutiae=template.minutiae.take(rows), source=template.source)
        write_template(folder / f"{number:03d}.fpt", fewer)
    for number in (3, 30):
        shutil.copy(folder / f"{number:03d}.fpt", folder / f"{number:03d} again.fpt")
    (folder / "020.fpt").write_bytes((folder / "021.fpt").read_bytes()[:-5])
    shutil.copy(card, folder / "card.an2")
    return folder


def digest(path: Path) -> str:
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        return gallery.digest()


@pytest.fixture(scope="module")
def expected(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("expected") / "g"
    create_gallery(path)
    counts = [status for _, status, _ in outcomes(path, archive)]
    assert [counts.count(s) for s in ("added", "known", "quarantined")] == [59 + 3, 2, 1 + 5]
    return digest(path)


def test_jobs_and_order_do_not_matter(archive: Path, expected: str, tmp_path: Path) -> None:
    files = [archive / name for name in sorted(os.listdir(archive), reverse=True)]  # noqa: PTH208
    random.Random(1).shuffle(files)
    for jobs, given in ((2, list(reversed(files))), (1, files)):
        path = tmp_path / str(jobs)
        create_gallery(path)
        outcomes(path, *given, jobs=jobs)
        assert digest(path) == expected


def test_what_is_said_of_a_print_is_content(archive: Path, expected: str, tmp_path: Path) -> None:
    create_gallery(tmp_path / "g")
    outcomes(tmp_path / "g", archive, subject="S")
    assert digest(tmp_path / "g") != expected


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_and_repeated(archive: Path, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    command = [sys.executable, "-m", "fpipe", "gallery", "add", path, archive, "--preset", PRESET, "--jobs", "2"]
    for lines in (1, 20):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            assert running.stdout is not None
            for _ in range(lines):
                running.stdout.readline()
            running.kill()
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 3
    assert digest(path) == expected


def test_stopped_after_some_and_repeated(archive: Path, expected: str, tmp_path: Path) -> None:
    path, stop = tmp_path / "g", Stop()
    create_gallery(path)
    first = []
    for outcome in enroll_sources(path, sources([archive]), preset=PRESET, stop=stop):
        first.append(outcome)
        stop.ask()
    assert 0 < len(first) < 40
    with Gallery.open(path) as gallery:
        assert len(gallery.print_ids()) == sum(o.status == "added" for o in first)
    outcomes(path, archive)
    assert digest(path) == expected


def test_a_limit_counts_files_that_are_new(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    for known in (0, 5):
        found = list(enroll_sources(path, sources(sorted(archive.glob("04?.fpt"))), limit=5))
        assert [o.status for o in found] == ["known"] * known + ["added"] * 5


def test_a_manifest_s_words_are_the_records(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    rows = ["path,subject,grave,finger", "000.fpt,,A-7,3", "001.fpt,أحمد,,", "none.fpt,,,"]
    (archive / "list.csv").write_text("\n".join(rows), "utf-8")
    found = sources([], archive / "list.csv", Details(subject="U", kind="rolled"))
    statuses = [o.status for o in enroll_sources(path, found)]
    assert statuses == ["added", "added", "quarantined"]
    with Gallery.open(path) as gallery:
        assert [(Path(r.print).name, r.subject, r.finger, r.kind, r.fields) for r in gallery.records()] == [
            ("000.fpt", "U", "3", "rolled", {"grave": "A-7"}),
            ("001.fpt", "أحمد", None, "rolled", {}),
        ]
    (archive / "list.csv").unlink()
