"""An exchange file as a search: its picture, an examiner's markup, or both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, whorl

from fpipe.core.errors import NoMarkup, NotFound, SeveralPictures, UsageError
from fpipe.core.types import Minutiae, Template
from fpipe.formats import read_picture
from fpipe.formats.exchange.building import Print, efs_of, latent, markup_record, tenprint
from fpipe.formats.exchange.efs import Orientation, Region
from fpipe.formats.exchange.records import parse
from fpipe.minutiae.files import write_template
from fpipe.pipeline.presets import load_preset
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.markup import NEAR_PX, Marked, marked_template, marks_for, merged
from fpipe.service.reading import read_print, read_probe
from fpipe.service.search import as_document, open_searcher, search_file

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.png"))
PRESET = load_preset("fast")


def efs(width: int = 120, height: int = 140, ppi: float = 500, **facts: object) -> object:
    x, y = np.array([30.0, 90, 60]), np.array([40.0, 50, 100])
    found = efs_of(
        x, y, np.array([0.0, 1, 2]), np.array([1, 2, 1], np.uint8), width=width, height=height, ppi=ppi, finger=7
    )
    return replace(found, **facts)  # type: ignore[arg-type]


def latent_bytes(markup: object, ppi: float = 500) -> bytes:
    return latent(ENVELOPE, NAMED, Print(whorl(), ppi, 0, 4, markup), "SRC").to_bytes()  # type: ignore[arg-type]


def test_the_markup_becomes_a_template_at_500_ppi() -> None:
    """Origin: the positions above, in pixels at 1000 ppi, are half as far at 500."""
    marks = marks_for(parse(latent_bytes(efs(ppi=1000), 1000), "x"), "x")
    marked = marked_template(marks, "x", source="s:1")
    m = marked.template.minutiae
    assert np.allclose(m.x, [15, 45, 30], atol=0.11)
    assert np.allclose(m.y, [20, 25, 50], atol=0.11)
    assert m.kind.tolist() == [1, 2, 1]
    assert (marked.template.width, marked.template.height) == (60, 70)
    assert marked.examiner.all()


def test_the_region_is_the_mask() -> None:
    """A polygon: the left half of the picture; its corner is the origin of the points."""
    region = Region(305, 711, 0, 0, ((0, 0), (305, 0), (305, 711), (0, 711)))
    marks = marks_for(parse(latent_bytes(efs(region=region)), "x"), "x")
    mask = marked_template(marks, "x").template.mask
    assert mask is not None
    assert mask[:, :5].all()
    assert not mask[:, 5:].any()
    shifted = replace(region, x=127, y=254)  # 0.01 mm: 25 and 50 px
    moved = marks_for(parse(latent_bytes(efs(region=shifted)), "x"), "x")
    assert np.allclose(moved.x - marks.x, 25)
    assert np.allclose(moved.y - marks.y, 50)


def test_both_keeps_the_examiners_and_ours_apart() -> None:
    """Of ours one is near the examiner's, one outside the region, one stays."""
    theirs = np.array([[30, 40]], np.float32)
    ours = np.array([[30 + NEAR_PX - 1, 40], [110, 130], [60, 100]], np.float32)

    def minutiae(at: np.ndarray, quality: int) -> Minutiae:
        n = len(at)
        return Minutiae(
            at[:, 0], at[:, 1], np.zeros(n, np.float32), np.ones(n, np.uint8), np.full(n, quality, np.uint8)
        )

    region = np.ones((12, 10), bool)
    region[10:] = False
    found = merged(
        Template(
            minutiae(ours, 50),
            120,
            140,
            np.ones((12, 10), bool),
            source="ours",
            weak=minutiae(ours - np.float32(1), 20),
        ),
        Marked(Template(minutiae(theirs, 100), 120, 140, region), np.ones(1, bool)),
    )
    m = found.template.minutiae
    assert list(zip(m.x.tolist(), m.y.tolist(), strict=True)) == [(30, 40), (60, 100)]
    assert found.template.weak.x.tolist() == [59]
    assert found.examiner.tolist() == [True, False]
    assert found.template.mask is not None
    assert np.array_equal(found.template.mask, region)


def test_which_markup_is_meant() -> None:
    card = tenprint(ENVELOPE, NAMED, [Print(whorl(), 500, f, 1, efs(), "NONE") for f in (2, 7)], "S")  # type: ignore[arg-type]
    file = parse(card.to_bytes(), "card.an2")
    with pytest.raises(SeveralPictures, match="2 records of minutiae"):
        marks_for(file, "card.an2")
    assert marks_for(file, "card.an2", "idc=2").record.idc == 2
    assert marks_for(file, "card.an2", "2").record.idc == 1
    with pytest.raises(NoMarkup, match="record types 1, 2, 13"):
        marks_for(parse(latent_bytes(None), "x"), "x")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("markup") / "g"
    create_gallery(path)
    assert all(o.status == "added" for o in enroll(path, SAMPLES[:4], ppi=500, preset="fast"))
    return path


@pytest.fixture(scope="module")
def marked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample as a latent, its markup what fpipe reads in it, moved by nothing."""
    picture = read_picture(SAMPLES[1])
    template = read_print(SAMPLES[1], PRESET, ppi=500).template
    m = template.minutiae.take(np.argsort(-template.minutiae.quality.astype(int), kind="stable")[:25])
    markup = efs_of(m.x, m.y, m.direction, m.kind, width=template.width, height=template.height, ppi=500, finger=2)
    markup = replace(markup, orientation=Orientation(10, 15))
    path = tmp_path_factory.mktemp("marked") / "latent.an2"
    path.write_bytes(latent(ENVELOPE, NAMED, Print(picture.pixels, 500, 0, 4, markup), "SRC").to_bytes())
    return path


@pytest.mark.parametrize("use", ["image", "markup", "both"])
def test_a_search_by_each_use(gallery: Path, marked_file: Path, use: str) -> None:
    with open_searcher(gallery) as searcher:
        found = search_file(searcher, marked_file, preset="fast", use=use)  # type: ignore[arg-type]
    document = as_document(found)
    first = document["candidates"][0]  # type: ignore[index]
    assert first["print"] == SAMPLES[1].as_posix()
    assert first["pairs"] > 10
    assert document["use"] == use
    if use == "image":
        assert (document["examiner_minutiae"], first["examiner_pairs"], document["markup"]) == (0, 0, None)
        assert document["extraction_digest"] == PRESET.extraction_digest
        return
    assert document["examiner_minutiae"] == 25
    assert document["markup"]["orientation"] == {"degrees": 10, "uncertainty": 15}  # type: ignore[index]
    if use == "markup":
        assert document["minutiae"] == 25
        assert first["examiner_pairs"] == first["pairs"]
        assert document["extraction_digest"] == "type9-efs"
    else:
        assert document["minutiae"] > 25  # type: ignore[operator]
        assert 0 < first["examiner_pairs"] <= first["pairs"]
        assert document["extraction_digest"] == f"{PRESET.extraction_digest}+type9-efs"


def test_markup_without_a_picture_is_searched(gallery: Path, marked_file: Path, tmp_path: Path) -> None:
    whole = parse(marked_file.read_bytes(), "x")
    bare = tmp_path / "bare.an2"
    nine = next(r for r in whole.records if r.type == 9)
    from fpipe.formats.exchange.building import compose

    bare.write_bytes(compose(ENVELOPE, [nine]).to_bytes())
    with open_searcher(gallery) as searcher:
        found = search_file(searcher, bare, preset="fast")
    assert found.use == "markup"
    assert found.candidates[0].record.print == SAMPLES[1].as_posix()
    assert any("without a picture" in line for line in found.notices)
    with pytest.raises(NotFound, match="no picture of IDC 1"):
        read_probe(bare, PRESET, use="both")


def test_a_template_file_is_searched_and_says_what_it_lacks(gallery: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.xyt"
    write_template(path, read_print(SAMPLES[1], PRESET, ppi=500).template)
    with open_searcher(gallery) as searcher:
        found = search_file(searcher, path, preset="fast")
        assert found.candidates[0].record.print == SAMPLES[1].as_posix()
        assert (found.use, found.extraction_digest) == ("template", "xyt-m1")
        for told in ("without a picture", "where the print is", "endings and bifurcations"):
            assert any(told in line for line in found.notices)
        with pytest.raises(UsageError, match="a template file"):
            search_file(searcher, path, use="markup")
        with pytest.raises(UsageError, match="a picture"):
            search_file(searcher, SAMPLES[1], ppi=500, use="both")


@pytest.mark.real
def test_a_latent_finds_its_mate_by_markup(data: Path, tmp_path: Path) -> None:
    """NIST's reference files: the latent's minutiae of type-9-13, its mate of type-9-14, written in three ways."""
    folder = data / "formats" / "an2"
    latents = [folder / f"type-9-13-{name}.an2" for name in ("m1", "std")]
    from fpipe.pipeline.compare import comparer

    match = comparer()
    mate = read_probe(folder / "type-9-14-m1.an2", PRESET, use="markup").template
    for path in latents:
        reading = read_probe(path, PRESET, use="markup")
        assert (reading.use, len(reading.template.minutiae)) == ("markup", 48)
        assert match.compare(match.prepare(reading.template), match.prepare(mate)).score > 1


def test_a_record_of_another_print_is_not_mixed_in(tmp_path: Path) -> None:
    """The Type-9 of IDC 5 has no picture beside the latent of IDC 1."""
    from fpipe.formats.exchange.building import compose

    whole = parse(latent_bytes(None), "x")
    other = markup_record(5, efs(), 4)  # type: ignore[arg-type]
    path = tmp_path / "two.an2"
    path.write_bytes(compose(ENVELOPE, [*whole.records[1:], other]).to_bytes())
    reading = read_probe(path, PRESET, use="markup")
    assert (reading.picture.pixels == 255).all()
    assert reading.template.width == 120
