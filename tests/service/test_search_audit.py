"""Every search is in the audit, also beside a writer, and is forgotten with the print that was its probe."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from fpipe.index import Gallery, Selection
from fpipe.service.audit import entries, problems
from fpipe.service.custody import remove
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.reverse import among_latents
from fpipe.service.search import open_searcher, search_file
from fpipe.service.synth_templates import Order, synth_templates


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Path]]:
    """A gallery of four drawn templates, two of them latents, and the files, the last of which it does not hold."""
    monkeypatch.chdir(tmp_path)
    synth_templates(Path("t"), Order(5, 1))
    files = sorted(Path("t").rglob("*.fpt"))
    create_gallery(Path("g"))
    for file, kind in zip(files[:4], ("plain", "plain", "latent", "latent"), strict=True):
        (done,) = enroll(Path("g"), [file], subject=file.stem, kind=kind, mixed=True)
        assert done.status == "added"
    return Path("g"), files


def test_searches_are_noted_beside_a_writer(held: tuple[Path, list[Path]]) -> None:
    path, files = held
    with Gallery.open(path, write=True), open_searcher(path) as searcher:
        found = search_file(searcher, files[4], listed=2)
        search_file(searcher, files[1], selection=Selection(subjects=(files[0].stem,)))
        (reverse,) = among_latents(searcher, [1], least=0)
    assert not [line for line in found.notices if "audit" in line]
    assert reverse.notice is None
    with Gallery.open(path) as gallery:
        first, second, third = (entry.entry.payload or {} for entry in entries(gallery, event="searched"))
        assert problems(gallery) == []
    assert (first["latent"], first["sha256"]) == (files[4].as_posix(), found.sha256)
    assert first["candidates"] == [[c.record.id, round(c.score, 4)] for c in found.candidates]
    assert (first["prints_searched"], first["prints_compared"], first["gallery_head"][0]) == (4, 4, 5)
    assert {"preset", "extraction_digest", "comparison_digest", "versions", "user", "host", "at"} <= set(first)
    assert second["selection"] == {"subjects": [files[0].stem]}
    assert (third["probe"], third["reverse"], {number for number, _ in third["candidates"]}) == (1, True, {3, 4})
    assert not any(file.stem in str((first, third)) for file in files[:4])
    remove(path, subject=files[0].stem)
    with Gallery.open(path) as gallery:
        said = [entry.entry.payload for entry in entries(gallery) if entry.log == "accesses"]
        assert [one is None for one in said] == [False, True, False]
        assert problems(gallery) == []
    remove(path, [files[1].as_posix()])
    for file in (*path.rglob("*"), path):
        data = file.read_bytes() if file.is_file() else b""
        assert not any(gone.stem.encode() in data for gone in files[:2]), file


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_latent_whose_name_is_no_text_is_noted(held: tuple[Path, list[Path]]) -> None:
    path, files = held
    odd = files[4].with_name(os.fsdecode(b"\xff") + files[4].name)
    shutil.copy(files[4], odd)
    with open_searcher(path) as searcher:
        found = search_file(searcher, odd)
    with Gallery.open(path) as gallery:
        (noted,) = (entry.entry.payload or {} for entry in entries(gallery, event="searched"))
    assert noted["latent"] == found.latent == (odd.parent / rf"\xff{files[4].name}").as_posix()
    assert not [line for line in found.notices if "audit" in line]
