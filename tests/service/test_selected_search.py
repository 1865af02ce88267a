"""Searches of a part of the gallery, reverse ones, and candidates with what is known of them; on drawn templates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fpipe.cli.search import command
from fpipe.core.errors import BadParameter, UsageError
from fpipe.core.files import sha256_hex
from fpipe.core.fingers import FINGERS
from fpipe.formats.exchange import building
from fpipe.index import Condition, Gallery, NewPrint, Selection
from fpipe.minutiae import blob
from fpipe.minutiae.files import read_template
from fpipe.pipeline.compare import comparer
from fpipe.service.enroll import create_gallery
from fpipe.service.reverse import among_latents, probes_of
from fpipe.service.search import Search, as_document, open_searcher, search_file
from fpipe.service.storing import vectors_of
from fpipe.service.synth_templates import Order, synth_templates

COUNT = 20


def new_print(file: Path, **facts: Any) -> NewPrint:
    """A drawn template as a print of a gallery."""
    template, data = read_template(file), file.read_bytes()
    said: dict[str, Any] = {"subject": None, "finger": None, "kind": "plain", "fields": {}, **facts}
    return NewPrint(
        print=file.name,
        sha256=sha256_hex(data),
        ppi=500.0,
        ppi_origin="file",
        format="template",
        width=template.width,
        height=template.height,
        preset="imported",
        extraction_digest="fpipe",
        minutiae=len(template.minutiae),
        path=file.as_posix(),
        template=blob.encode(template),
        vectors=vectors_of(template),
        original=data,
        **said,
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three impressions of each of 20 fingers: the folder of the files."""
    out = tmp_path_factory.mktemp("drawn")
    synth_templates(out, Order(3 * COUNT, 3))
    return out / "templates" / "00000"


def file(drawn: Path, finger: int, impression: int) -> Path:
    return drawn / f"{finger:08d}_{impression}.fpt"


@pytest.fixture(scope="module")
def gallery(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ids 1 to 20: two persons' ten fingers; ids 21 to 25: latents of fingers 0, 5, 10 and so on; linked subjects."""
    path = tmp_path_factory.mktemp("selected") / "g"
    create_gallery(path)
    prints = [
        new_print(
            file(drawn, n, 1),
            subject=f"person {n // 10}",
            finger=FINGERS[n % 10] if n != 13 else None,
            kind="rolled" if n % 2 else "plain",
            fields={"case": f"{n % 3}"},
        )
        for n in range(COUNT)
    ]
    marks = [new_print(file(drawn, n, 2), kind="latent", fields={"exhibit": f"E{n}"}) for n in range(0, COUNT, 5)]
    with Gallery.open(path, write=True) as opened:
        opened.add([*prints, *marks], mixed=True)
        opened.subjects.link("person 0", "person 1")
    return path


def found(gallery: Path, probe: Path, **options: Any) -> Search:
    with open_searcher(gallery) as searcher:
        return search_file(searcher, probe, **options)


def listed(search: Search) -> list[tuple[int, float]]:
    return [(c.record.id, c.score) for c in search.candidates]


@pytest.mark.parametrize("compared", [None, 4])
def test_some_prints_are_searched_as_if_there_were_no_others(
    gallery: Path, drawn: Path, tmp_path: Path, compared: int | None
) -> None:
    wanted = Selection(kinds=("rolled",), where=(Condition("case", "=", "1"),))
    with Gallery.open(gallery) as opened:
        ids = opened.select(wanted).ids.tolist()
        names = [record.print for record in opened.records(ids)]
    assert 2 < len(ids) < 10
    create_gallery(tmp_path / "alone")
    with Gallery.open(tmp_path / "alone", write=True) as alone:
        alone.add([new_print(drawn / name, kind="rolled") for name in names])
    few = None if compared is None else 2
    part = found(gallery, file(drawn, 7, 3), selection=wanted, compared=few)
    every = found(tmp_path / "alone", file(drawn, 7, 3), compared=few)
    assert [(c.record.print, c.score) for c in part.candidates] == [(c.record.print, c.score) for c in every.candidates]
    assert part.candidates[0].record.print == file(drawn, 7, 1).name
    assert (part.prints_searched, part.prints_in_gallery, part.unsaid) == (len(ids), COUNT + 4, 0)
    assert every.prints_in_gallery == every.prints_searched == len(ids)


def test_prints_that_do_not_say_their_finger_are_counted(gallery: Path, drawn: Path) -> None:
    search = found(gallery, file(drawn, 13, 3), selection=Selection(hands=("right",), kinds=("rolled",)))
    assert search.unsaid == 1
    assert 14 not in [number for number, _ in listed(search)]
    assert any("1 prints were not searched" in line and "finger" in line for line in search.notices)
    assert found(gallery, file(drawn, 13, 3)).candidates[0].record.id == 14


def test_a_selection_of_nothing_has_no_candidates(gallery: Path, drawn: Path) -> None:
    search = found(gallery, file(drawn, 3, 3), selection=Selection(where=(Condition("case", "=", "none"),)))
    assert (search.candidates, search.prints_searched, search.prints_compared) == ((), 0, 0)


def test_a_new_print_finds_the_latent_it_left(gallery: Path, drawn: Path) -> None:
    search = found(gallery, file(drawn, 10, 3), reverse=True)
    assert search.candidates[0].record.print == file(drawn, 10, 2).name
    assert {c.record.kind for c in search.candidates} == {"latent"}
    assert (search.prints_searched, search.preset) == (4, "plain")
    assert as_document(search)["reverse"] is True
    with pytest.raises(UsageError, match="latents only"):
        found(gallery, file(drawn, 10, 3), reverse=True, selection=Selection(kinds=("rolled",)))


def test_a_latent_is_searched_among_latents(gallery: Path, drawn: Path) -> None:
    search = found(gallery, file(drawn, 5, 3), selection=Selection(kinds=("latent",)))
    assert search.candidates[0].record.fields == {"exhibit": "E5"}
    assert search.prints_searched == 4


def test_stored_prints_among_the_latents(gallery: Path, drawn: Path) -> None:
    with open_searcher(gallery) as searcher:
        results = list(among_latents(searcher, [1, 2, 11, 21], least=0))
        mate = results[0].candidates[0]
        (strict,) = among_latents(searcher, [1], least=mate.score)
        (none,) = among_latents(searcher, [1], least=mate.score + 0.01)
    assert [r.record.id for r in results] == [1, 2, 11, 21]
    assert [r.latents for r in results] == [4, 4, 4, 3]
    assert [len(r.candidates) for r in results] == [4, 4, 4, 3]
    assert (mate.record.id, results[2].candidates[0].record.id) == (21, 23)
    assert [c.record.id for c in strict.candidates] == [21]
    assert (strict.latents, strict.compared, strict.below) == (4, 4, 3)
    assert none.candidates == ()
    assert json.loads(json.dumps(results[0].as_document()))["candidates"][0]["fields"] == {"exhibit": "E0"}


def test_candidates_say_who_they_are(gallery: Path, drawn: Path) -> None:
    (first, *_) = as_document(found(gallery, file(drawn, 12, 3)))["candidates"]  # type: ignore[misc]
    expected = {
        "rank": 1,
        "print": file(drawn, 12, 1).name,
        "subject": "person 1",
        "person": ["person 0", "person 1"],
        "finger": "right_middle",
        "kind": "plain",
        "part": "",
        "fields": {"case": "0"},
    }
    assert {name: first[name] for name in expected} == expected
    (mark, *_) = found(gallery, file(drawn, 0, 3), reverse=True).candidates
    assert mark.person == ()


def test_the_command_says_what_was_searched(gallery: Path, drawn: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> Any:
        result = CliRunner().invoke(command, [str(a) for a in (gallery, *arguments)], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result

    options = ("--finger", "left_ring", "--hand", "left", "--where", "case=1", "--report", tmp_path)
    (said,) = json.loads(run(file(drawn, 19, 3), *options, "--json").stdout)["searches"]
    assert said["selection"] == {"fingers": ["left_ring"], "hands": ["left"], "where": ["case=1"]}
    assert (said["prints_searched"], said["prints_in_gallery"]) == (0, COUNT + 4)
    text = run(file(drawn, 18, 3), "--finger", "9", "--report", tmp_path).stdout
    assert "2 of 24 prints searched (finger 9), 2 compared" in text
    assert "(person 0 = person 1 left_ring)" in text
    (report,) = [p.read_text("utf-8") for p in tmp_path.iterdir() if p.name.startswith("00000018")]
    assert "2 of them searched, those meant by: <bdi>finger 9</bdi>" in report
    assert "person 0 = person 1" in report
    assert '<th scope="row">case</th><td><bdi>0</bdi></td>' in report
    text = run(file(drawn, 0, 3), "--reverse", "--report", tmp_path).stdout
    assert "4 of 24 prints searched (kind latent)" in text
    (report,) = [p.read_text("utf-8") for p in tmp_path.iterdir() if p.name.startswith("00000000")]
    assert "A reverse search" in report
    with pytest.raises(BadParameter, match="right_index"):
        run(file(drawn, 0, 3), "--finger", "nose")


def test_a_card_is_searched_finger_by_finger(tmp_path: Path, drawn: Path) -> None:
    picture = np.full((300, 250), 200, np.uint8)
    prints = [building.Print(picture, 500.0, finger, 0) for finger in (2, 7, 13)]
    envelope = building.Envelope("CAR", "20260131", "THERE", "HERE", "1")
    path = tmp_path / "card.an2"
    path.write_bytes(building.tenprint(envelope, building.Subject(), prints, "HERE").to_bytes())
    probes, others = probes_of(path)
    assert [p.name for p in probes] == ["card.an2#idc=1", "card.an2#idc=2"]
    assert len(others) == 1
    assert "four fingers" in others[0]
    for other in (probes[0], file(drawn, 0, 1), tmp_path / "nowhere.png"):
        assert probes_of(other) == ([other], [])


def test_comparisons_are_alike_in_both_directions(drawn: Path) -> None:
    """So that a reverse search ranks as the search of the latent would have."""
    match = comparer()
    a, b = (match.prepare(read_template(file(drawn, 4, n))) for n in (1, 2))
    there, back = match.compare(a, b), match.compare(b, a)
    assert there.score == pytest.approx(back.score, rel=0.1)
    assert there.score > 1
    assert replace(Selection(), kinds=("latent",)).kinds == ("latent",)
