"""Enrolment: what is stored, what is left out and why, the same whatever the jobs."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import DigestMismatch, Locked, NoGallery, NotFound
from fpipe.index import Gallery
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service import intake, storing
from fpipe.service.enroll import create_gallery, enroll, rebuild_gallery
from fpipe.service.gallery_files import Source
from fpipe.service.reading import read_print
from fpipe.service.storing import describe
from fpipe.store import lock
from fpipe.synth import samples


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as laboratories have them: prints, folders, and everything else."""
    folder = tmp_path_factory.mktemp("archive") / "cards"
    (folder / "a").mkdir(parents=True)
    exemplars = [item["file"] for item in samples.manifest()["files"] if item["kind"] != "latent"]
    for i, name in enumerate(exemplars[:4]):
        shutil.copy(samples.folder() / name, folder / "a" / f"{i}.png")
    shutil.copy(folder / "a" / "1.png", folder / "copy of 1.png")
    cut = (folder / "a" / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(cut[: len(cut) // 2])
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("no picture")
    if os.name != "nt":
        os.mkfifo(folder / "pipe")
        (folder / "broken link").symlink_to("nowhere")
        (folder / "circle").symlink_to(folder, target_is_directory=True)
    return folder


def outcomes(path: Path, *files: Path, **options: object) -> list[tuple[str, str, str]]:
    found = enroll(path, files, **options)  # type: ignore[arg-type]
    return [(Path(o.file).name, o.status, o.code) for o in found]


def content(path: Path) -> list[object]:
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        return [[replace(r, added="") for r in gallery.records()], gallery.templates(gallery.print_ids())]


def test_a_folder_of_all_sorts(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    found = outcomes(path, pictures)
    prints = [(f"{i}.png", "added", "") for i in range(4)]
    odd = [("pipe", "quarantined", "not_found")] if os.name != "nt" else []
    links = [(name, "quarantined", "not_found") for name in ("broken link", "circle")] if os.name != "nt" else []
    assert found == [
        *prints,
        *links,
        ("copy of 1.png", "known", ""),
        ("cut.png", "quarantined", "truncated"),
        ("empty.png", "quarantined", "empty"),
        ("notes.txt", "quarantined", "not_an_image"),
        *odd,
    ]
    again = outcomes(path, pictures / "a")
    assert again == [(name, "known", "") for name, _, _ in prints]
    with Gallery.open(path) as gallery:
        record = gallery.records()[0]
        assert record.print == (pictures / "a" / "0.png").as_posix()
        assert gallery.original(record) == (pictures / "a" / "0.png").read_bytes()
        assert gallery.extraction_digests() == {"plain": [load_preset("plain").extraction_digest]}
        template = read_print(pictures / "a" / "0.png", load_preset("plain")).template
        assert describe(gallery.templates([1])[0], "").bits.shape == (record.vectors, gallery.descriptor_bytes)
        assert record.minutiae == len(template.minutiae)


def test_the_gallery_does_not_depend_on_the_jobs(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for jobs, batch in ((1, 32), (2, 2)):
        monkeypatch.setattr(storing, "BATCH", batch)
        create_gallery(tmp_path / str(jobs))
        outcomes(tmp_path / str(jobs), pictures, jobs=jobs)
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_a_taken_name_is_refused_for_that_file(pictures: Path, tmp_path: Path) -> None:
    path, file = tmp_path / "g", tmp_path / "x.png"
    create_gallery(path)
    shutil.copy(pictures / "a" / "0.png", file)
    assert outcomes(path, file) == [("x.png", "added", "")]
    shutil.copy(pictures / "a" / "1.png", file)
    assert outcomes(path, file, pictures / "a" / "2.png") == [
        ("x.png", "quarantined", "name_taken"),
        ("2.png", "added", ""),
    ]


def test_subject_finger_and_resolution_go_into_the_record(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path, keep_originals=False)
    assert outcomes(path, pictures / "a" / "0.png", subject="S", finger="2", kind="rolled", ppi=500.0)
    with Gallery.open(path) as gallery:
        (record,) = gallery.records()
        assert (record.subject, record.finger, record.kind, record.ppi_origin) == ("S", "2", "rolled", "option")
        assert record.path == (pictures / "a" / "0.png").absolute().as_posix()
        assert gallery.original(record) is not None


def test_adding_templates_can_be_repeated_and_goes_on(pictures: Path, tmp_path: Path) -> None:
    """The way pictures are read is of no matter where there is none among the files."""
    path = tmp_path / "g"
    create_gallery(path)
    template = read_print(pictures / "a" / "0.png", load_preset("plain")).template
    for name in ("1", "2"):
        fewer = template.minutiae.take(np.arange(int(name), len(template.minutiae)))
        write_template(tmp_path / f"{name}.fpt", replace(template, minutiae=fewer, source="drawn:1"))
    assert outcomes(path, tmp_path / "1.fpt") == [("1.fpt", "added", "")]
    both = outcomes(path, tmp_path / "1.fpt", tmp_path / "2.fpt")
    assert both == [("1.fpt", "known", ""), ("2.fpt", "added", "")]
    with pytest.raises(DigestMismatch, match="--mixed"):
        outcomes(path, tmp_path / "1.fpt", pictures / "a" / "0.png")


def test_templates_of_other_makers_need_a_word_beside_pictures(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    template = read_print(pictures / "a" / "0.png", load_preset("plain")).template
    for ending in ("iso", "fpt"):
        write_template(tmp_path / f"t.{ending}", template)
    create_gallery(path)
    assert outcomes(path, tmp_path / "t.fpt", pictures / "a" / "1.png") == [
        ("t.fpt", "added", ""),
        ("1.png", "added", ""),
    ]
    assert outcomes(path, tmp_path / "t.iso") == [("t.iso", "quarantined", "digest_mismatch")]
    assert outcomes(path, tmp_path / "t.iso", mixed=True) == [("t.iso", "added", "")]
    with Gallery.open(path) as gallery:
        digests = gallery.extraction_digests()["plain"]
        assert digests == sorted(["iso19794-2", load_preset("plain").extraction_digest])
        assert gallery.templates([1])[0] == (tmp_path / "t.fpt").read_bytes()


def test_other_methods_are_refused_before_anything_is_read(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    template = read_print(pictures / "a" / "0.png", load_preset("plain")).template
    write_template(tmp_path / "t.iso", template)
    outcomes(path, tmp_path / "t.iso")
    with pytest.raises(DigestMismatch, match="--mixed"):
        outcomes(path, pictures / "a" / "1.png")
    assert outcomes(path, pictures / "a" / "1.png", kind="rolled") == [("1.png", "added", "")]
    assert outcomes(path, pictures / "a" / "2.png", mixed=True) == [("2.png", "added", "")]


def test_another_installation_s_gallery_is_refused(pictures: Path, tmp_path: Path) -> None:
    Gallery.create(tmp_path / "g", comparison_digest="other", descriptor_bytes=4).close()
    with pytest.raises(DigestMismatch):
        outcomes(tmp_path / "g", pictures)
    with pytest.raises(NoGallery):
        outcomes(tmp_path / "none", pictures)


def test_what_was_told_is_stored_when_the_reader_of_outcomes_leaves(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "BATCH", 1)
        running = enroll(path, [pictures])
        told = [next(running).record, next(running).record]
        patch.setattr(lock, "WAIT_S", 0.05)
        with pytest.raises(Locked):
            rebuild_gallery(path)
        running.close()  # type: ignore[attr-defined]
    assert rebuild_gallery(path) == 2
    with Gallery.open(path) as gallery:
        assert gallery.records() == told


@pytest.mark.parametrize("gone", [True, False])
def test_a_copy_is_added_where_its_twin_goes_meanwhile(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    read = intake.read_bytes

    def late(source: Source) -> bytes:
        if source.path.name == "1.png":
            if gone:
                raise NotFound(where=str(source.path), reason="gone")
            return b"other bytes"
        return read(source)

    monkeypatch.setattr(intake, "read_bytes", late)
    create_gallery(tmp_path / "g")
    found = outcomes(tmp_path / "g", pictures / "a" / "1.png", pictures / "copy of 1.png")
    assert [code for *_, code in found] == ["not_found" if gone else "changed", ""]
    assert found[1][:2] == ("copy of 1.png", "added")


def test_a_fault_in_fpipe_leaves_one_file_out(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_gallery(tmp_path / "g")
    real = intake.extract

    def faulty(image, preset, where=""):  # type: ignore[no-untyped-def]
        if where.endswith("1.png"):
            raise IndexError("of this test")
        return real(image, preset, where=where)

    monkeypatch.setattr(intake, "extract", faulty)
    found = outcomes(tmp_path / "g", pictures / "a")
    assert [status for _, status, _ in found] == ["added", "quarantined", "added", "added"]
    assert found[1][2] == "fault"
