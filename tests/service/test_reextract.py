"""Re-extraction: what a gallery holds afterwards is what it would hold had it been filled by these methods."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import BadParameter, Locked
from fpipe.formats import read_picture, write_picture
from fpipe.index import Gallery
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service import reextract as module
from fpipe.service import storing
from fpipe.service.enroll import create_gallery, enroll, rebuild_gallery
from fpipe.service.reading import read_print
from fpipe.service.reextract import count_prints, reextract
from fpipe.service.search import as_document, open_searcher, search_file
from fpipe.store import lock
from fpipe.synth import samples

NAMES = ("0.png", "1.tif", "2.png", "small.png")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three ways to read; "blind" finds no ridges on small pictures."""
    folder = tmp_path_factory.mktemp("presets")
    text = (resources.files("fpipe.pipeline") / "presets" / "fast.toml").read_text("utf-8")
    changes = {
        "old": ("blur_px = 1.0", "blur_px = 1.0"),
        "new": ("blur_px = 1.0", "blur_px = 1.6"),
        "blind": ('method = "gradient"', 'method = "gradient"\nleast_area_px = 40000'),
    }
    for name, change in changes.items():
        (folder / f"{name}.toml").write_text(text.replace(*change), "utf-8")
    return {name: str(folder / f"{name}.toml") for name in changes}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    exemplars = [item["file"] for item in samples.manifest()["files"] if item["kind"] == "plain"]
    for name, sample in zip(NAMES, exemplars, strict=False):
        pixels = read_picture(samples.folder() / sample).pixels
        write_picture(folder / name, pixels[130:290, 100:260] if name == "small.png" else pixels, 500.0)
    return folder


@pytest.fixture(scope="module")
def whole(pictures: Path, presets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Galleries read by the old methods, with and without originals."""
    folder = tmp_path_factory.mktemp("whole")
    return {keep: filled(folder / f"g{keep}", pictures, presets["old"], keep=keep) for keep in (True, False)}


@pytest.fixture
def gallery(whole: dict[bool, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[True], tmp_path / "g"))


def filled(path: Path, pictures: Path, preset: str, *, keep: bool = True) -> Path:
    create_gallery(path, keep_originals=keep)
    assert all(o.status == "added" for o in enroll(path, [pictures], preset=preset, subject="S", finger="2"))
    return path


def again(path: Path, preset: str | None, **options: object) -> list[tuple[str, str, str]]:
    found = reextract(path, preset=preset, **options)  # type: ignore[arg-type]
    return [(Path(o.record.print).name, o.status, o.code) for o in found]


def statuses(status: str) -> list[tuple[str, str, str]]:
    return [(name, status, "") for name in NAMES]


def content(path: Path) -> list[object]:
    """Everything a search can see."""
    with Gallery.open(path) as opened:
        assert opened.check() == []
        assert opened.leftovers() == []
        bits = np.random.default_rng(0).integers(0, 256, (30, opened.descriptor_bytes), dtype=np.uint8)
        hits = opened.search(bits, 500)
        columns = ("print_id", "similarity", "x", "y", "direction")
        return [
            [replace(record, added="") for record in opened.records()],
            opened.templates(opened.print_ids()),
            opened.extraction_digests(),
            [getattr(hits, name).tobytes() for name in columns],
        ]


@pytest.mark.parametrize("keep", [True, False])
def test_it_is_as_if_the_gallery_had_been_filled_by_the_new_methods(
    whole: dict[bool, Path], pictures: Path, presets: dict[str, str], tmp_path: Path, keep: bool
) -> None:
    path = Path(shutil.copytree(whole[keep], tmp_path / "g"))
    before = content(path)
    assert again(path, presets["old"]) == statuses("current")
    assert content(path) == before
    outcomes = list(reextract(path, preset=presets["new"]))
    assert [(Path(o.record.print).name, o.status, o.code) for o in outcomes] == statuses("reextracted")
    assert [o.before for o in outcomes] == [record.minutiae for record in before[0]]  # type: ignore[attr-defined]
    with Gallery.open(path) as opened:
        assert opened.records() == [o.record for o in outcomes]
    assert content(path) != before
    assert content(path) == content(filled(tmp_path / "fresh", pictures, presets["new"], keep=keep))
    assert again(path, presets["new"]) == statuses("current")
    with Gallery.open(path) as opened:  # the last run found nothing to do, and wrote nothing
        after = opened.database.rows("SELECT number FROM log")
    assert len(after) == 1 + 2 * len(NAMES)
    rebuild_gallery(path)
    assert content(path) == content(tmp_path / "fresh")
    assert again(path, presets["old"]) == statuses("reextracted")
    assert content(path) == before


def test_the_gallery_does_not_depend_on_the_jobs(
    gallery: Path, presets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(gallery, tmp_path / "other"))
    assert again(gallery, presets["new"], jobs=2) == statuses("reextracted")
    monkeypatch.setattr(storing, "BATCH", 1)
    assert again(other, presets["new"]) == statuses("reextracted")
    assert content(gallery) == content(other)


def test_each_kind_is_read_by_its_own_preset(pictures: Path, presets: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "g"
    create_gallery(path)
    for kind, name in (("plain", "0.png"), ("rolled", "1.tif"), ("latent", "2.png")):
        list(enroll(path, [pictures / name], preset=presets["old"], kind=kind))  # type: ignore[arg-type]
    assert (count_prints(path), count_prints(path, ["latent", "rolled"])) == (3, 2)
    assert again(path, None, kinds=["latent"]) == [("2.png", "reextracted", "")]
    assert again(path, None) == [("0.png", "reextracted", ""), ("1.tif", "reextracted", ""), ("2.png", "current", "")]
    with Gallery.open(path) as opened:
        plain, rolled, latent = opened.records()
        assert (plain.preset, rolled.preset, latent.preset) == ("plain", "plain", "latent")
        assert [r.kind for r in (plain, rolled, latent)] == ["plain", "rolled", "latent"]
        assert plain.extraction_digest == load_preset("plain").extraction_digest
        assert opened.check() == []


def test_a_print_that_can_not_be_read_again_keeps_its_template(
    gallery: Path, pictures: Path, presets: dict[str, str]
) -> None:
    """Missing, damaged, and without ridges for the new method: listed, and the rest goes on."""
    with Gallery.open(gallery) as opened:
        records, templates = opened.records(), opened.templates(opened.print_ids())
        places = [opened.originals.place(record.sha256) for record in records]
    aside = places[0].read_bytes()
    places[0].unlink()
    places[1].write_bytes(places[1].read_bytes()[:-1] + b"?")
    outcomes = list(reextract(gallery, preset=presets["blind"]))
    assert [(o.status, o.code) for o in outcomes] == [
        ("kept", "not_found"),
        ("kept", "integrity"),
        ("reextracted", ""),
        ("kept", "no_ridges"),
    ]
    assert records[0].print in outcomes[0].message
    assert "sha256" in outcomes[1].message
    with Gallery.open(gallery) as opened:
        assert [r for i, r in enumerate(opened.records()) if i != 2] == [*records[:2], records[3]]
        assert [t for i, t in enumerate(opened.templates(opened.print_ids())) if i != 2] == [
            *templates[:2],
            templates[3],
        ]
        assert len(opened.check()) == 2  # the two originals, and nothing else
    places[0].write_bytes(aside)
    places[1].write_bytes((pictures / "1.tif").read_bytes())
    assert again(gallery, presets["blind"])[:2] == [("0.png", "reextracted", ""), ("1.tif", "reextracted", "")]
    with Gallery.open(gallery) as opened:
        assert opened.check() == []


def test_files_beside_the_gallery_have_to_be_the_same(pictures: Path, presets: dict[str, str], tmp_path: Path) -> None:
    path, files = tmp_path / "g", tmp_path / "files"
    shutil.copytree(pictures, files)
    filled(path, files, presets["old"], keep=False)
    (files / "0.png").unlink()
    shutil.copy(files / "2.png", files / "1.tif")
    outcomes = list(reextract(path, preset=presets["new"]))
    assert [(o.status, o.code) for o in outcomes[:2]] == [("kept", "not_found")] * 2
    assert all((files / name).absolute().as_posix() in o.message for name, o in zip(NAMES, outcomes[:2], strict=False))
    assert [o.status for o in outcomes[2:]] == ["reextracted"] * 2
    with Gallery.open(path) as opened:
        assert opened.check() == []


def test_imported_templates_stay_and_every_search_says_what_the_gallery_holds(
    pictures: Path, presets: dict[str, str], tmp_path: Path
) -> None:
    path, latent = tmp_path / "g", samples.folder() / "latent-1.png"
    create_gallery(path)
    template = read_print(pictures / "0.png", load_preset(presets["old"])).template
    write_template(tmp_path / "t.iso", template)
    list(enroll(path, [pictures / "1.tif"], preset=presets["old"]))
    list(enroll(path, [tmp_path / "t.iso"], mixed=True))
    list(enroll(path, [pictures / "2.png"], preset=presets["new"], mixed=True))
    old, new = (load_preset(presets[name]).extraction_digest for name in ("old", "new"))
    for preset, left in (("new", [new]), ("old", [old])):
        expected = sorted({*left, "iso19794-2"})
        again(path, presets[preset])
        with open_searcher(path) as searcher:
            document = as_document(search_file(searcher, latent, preset=presets["old"]))
        assert document["gallery_extraction_digests"] == {"plain": expected}
        notices = document["notices"]
        assert isinstance(notices, list)
        assert any(f"2 different methods ({', '.join(expected)})" in line for line in notices)
    assert again(path, presets["old"]) == [
        ("1.tif", "current", ""),
        ("t.iso", "imported", ""),
        ("2.png", "current", ""),
    ]
    with Gallery.open(path, write=True) as opened:
        opened.remove([(tmp_path / "t.iso").as_posix()])
    with open_searcher(path) as searcher:
        assert search_file(searcher, latent, preset=presets["old"]).notices == ()


def test_a_searcher_that_stays_open_follows(gallery: Path, presets: dict[str, str]) -> None:
    """Template and record of a candidate belong together, before and after."""
    latent = samples.folder() / "latent-1.png"
    with open_searcher(gallery) as searcher:

        def seen() -> dict[str, tuple[str, float]]:
            found = search_file(searcher, latent, preset=presets["old"])
            assert all(c.template.source == c.record.extraction_digest for c in found.candidates)
            return {c.record.print: (c.record.extraction_digest, c.score) for c in found.candidates}

        before = seen()
        again(gallery, presets["new"])
        after = seen()
        assert {digest for digest, _ in after.values()} == {load_preset(presets["new"]).extraction_digest}
    with open_searcher(gallery) as searcher:
        assert seen() == after
    assert before.keys() == after.keys()
    assert before != after


def test_an_interrupted_run_is_repeated(
    gallery: Path, presets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(storing, "BATCH", 1)
        running = reextract(gallery, preset=presets["new"])
        assert [next(running).status, next(running).status] == ["reextracted"] * 2
        patch.setattr(lock, "WAIT_S", 0.05)
        with pytest.raises(Locked):
            again(gallery, presets["new"])
        running.close()  # type: ignore[attr-defined]
    with Gallery.open(gallery) as opened:
        assert opened.check() == []
        assert len(opened.extraction_digests()["plain"]) == 2
    rest = again(gallery, presets["new"])
    assert [status for _, status, _ in rest] == ["current", "current", "reextracted", "reextracted"]
    assert len(content(gallery)[2]["plain"]) == 1  # type: ignore[index,call-overload]


def test_a_fault_in_fpipe_leaves_one_print_as_it_is(
    gallery: Path, presets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.extract

    def faulty(image, preset, where=""):  # type: ignore[no-untyped-def]
        if where.endswith("1.tif"):
            raise IndexError("of this test")
        return real(image, preset, where=where)

    monkeypatch.setattr(module, "extract", faulty)
    found = again(gallery, presets["new"])
    assert [(status, code) for _, status, code in found] == [
        ("reextracted", ""),
        ("kept", "fault"),
        ("reextracted", ""),
        ("reextracted", ""),
    ]


def test_an_unknown_preset_is_refused_before_anything_is_read(gallery: Path) -> None:
    before = content(gallery)
    with pytest.raises(BadParameter):
        again(gallery, "best")
    assert content(gallery) == before
