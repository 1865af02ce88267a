"""Records with parts and fields, what is said of them later, who is whom, and one number for all of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_maker import again, assert_holds, create, filled, new_print, reextraction, traces

from fpipe.core.errors import (
    BadParameter,
    FileShared,
    FpipeError,
    GalleryChanged,
    NameTaken,
    UnknownSubject,
    UsageError,
)
from fpipe.index import Amendment, Gallery, NewPrint, PrintRecord, segments
from fpipe.store import log


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments after few prints, as in test_gallery."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    monkeypatch.setattr(segments, "MOST_ROWS", 1500)


def card(number: int, parts: int = 3) -> list[NewPrint]:
    """The pictures of one exchange file."""
    file = new_print(number)
    return [
        replace(
            new_print(1000 * number + i),
            print=f"{file.print}#idc={i}",
            part=f"idc={i}",
            sha256=file.sha256,
            original=file.original,
            subject=file.subject,
        )
        for i in range(parts)
    ]


def amended(record: PrintRecord, **changes: object) -> Amendment:
    said: dict[str, object] = {"subject": record.subject, "finger": record.finger, "fields": record.fields, **changes}
    return Amendment(record.id, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_the_pictures_of_a_file_are_prints_of_their_own_and_the_file_is_kept_once(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "g"
    prints = [*card(1), new_print(2), *card(3, 5)]
    with create(path) as gallery:
        for start in range(0, len(prints), batch):
            gallery.add(prints[start : start + batch])
        assert gallery.add([prints[1], replace(prints[1], print="other name"), prints[0]]) == [2, 2, 1]
        found = gallery.find("any name", prints[0].sha256, "idc=2")
        assert found is not None
        assert found.print == prints[2].print
        assert gallery.find("any name", prints[0].sha256) is None
        assert gallery.find("any name", prints[0].sha256, "idc=9") is None
        with pytest.raises(NameTaken):
            gallery.find(prints[0].print, prints[0].sha256, "idc=1")
    assert len([p for p in (path / "originals").rglob("*") if p.is_file()]) == 3
    assert_holds(path, prints)


def test_prints_of_a_kept_file_are_removed_together(tmp_path: Path) -> None:
    path, prints = tmp_path / "g", [*card(1), *card(2)]
    with create(path) as gallery:
        gallery.add(prints)
        with pytest.raises(FileShared, match="#idc=2"):
            gallery.remove([prints[0].print, prints[1].print])
        gallery.remove([p.print for p in prints[:3]])
    for p in prints[:3]:
        assert traces(path, p) == []
    assert_holds(path, prints[3:])


def test_without_its_file_a_part_is_removed_alone(tmp_path: Path) -> None:
    path, prints = tmp_path / "g", card(1)
    with create(path, keep_originals=False) as gallery:
        gallery.add(prints)
        gallery.remove([prints[1].print])
    assert_holds(path, [prints[0], prints[2]])


def test_fields_hold_text_of_any_script(tmp_path: Path) -> None:
    fields = {"grave": "مقبرة ٣", "exhibit": 'A "12"; \\ \n', "dna_number": "٠", "x": "\x00"}
    new = replace(new_print(1), fields=fields)
    with create(tmp_path / "g") as gallery:
        gallery.add([new])
        assert gallery.named(new.print).as_document()["fields"] == fields
    assert_holds(tmp_path / "g", [new])


@pytest.mark.parametrize(
    "fields", [{"Case": "1"}, {"": "1"}, {"a-b": "1"}, {"sha256": "1"}, {"a": ""}, {"a": "\ud800"}]
)
def test_names_and_values_that_fields_can_not_have(fields: dict[str, str]) -> None:
    with pytest.raises(BadParameter, match="fields"):
        replace(new_print(1), fields=fields)
    with pytest.raises(BadParameter, match="fields"):
        Amendment(1, None, None, fields)


def test_what_is_said_later_holds(tmp_path: Path) -> None:
    """Before and after the print is read again; and the log keeps all of it."""
    path = tmp_path / "g"
    prints = filled(path, 5)
    with Gallery.open(path, write=True) as gallery:
        before = gallery.editions([2, 3])
        (record,) = gallery.records([3])
        assert gallery.amend([amended(record, subject=None, fields={"grave": "7"})], reason="found") == 1
        assert gallery.amend([amended(gallery.records([3])[0])]) == 0
        after = gallery.editions([2, 3])
        assert after[0] == before[0]
        assert after[1] != before[1]
        prints[2] = again(prints[2], method="b")
        gallery.reextract([reextraction(3, prints[2])])
        gallery.amend([amended(gallery.records([3])[0], finger="left_ring")])
        with pytest.raises(GalleryChanged):
            gallery.amend([amended(record), replace(amended(record), id=77)])
        said = [log.payload(gallery.database, number) or {} for number in range(7, 10)]
        assert [entry["event"] for entry in said] == ["amended", "reextracted", "amended"]
        assert said[0]["reason"] == "found"
        assert [entry["record"]["subject"] for entry in said] == [None, None, None]
        assert [entry["record"]["finger"] for entry in said] == ["right_index", "right_index", "left_ring"]
    prints[2] = replace(prints[2], subject=None, finger="left_ring", fields={"grave": "7"})
    assert_holds(path, prints)


def test_removal_reaches_what_was_said_before_and_later(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 120)
    rng = random.Random(1)
    versions = {p.print: [p] for p in prints}
    for turn in range(4):
        with Gallery.open(path, write=True) as gallery:
            for row in rng.sample(range(120), 60):
                old = prints[row]
                name = f"{'n' * rng.randrange(90)} {rng.randbytes(8).hex()}"
                new = replace(old, subject=name, fields={"case": name[::-1], f"field_{turn}": name + "x"})
                if turn % 2:
                    new = again(new, method="m" * turn)
                    gallery.reextract([reextraction(row + 1, new)])
                gallery.amend([Amendment(row + 1, new.subject, new.finger, new.fields)])
                prints[row] = new
                versions[old.print].append(new)
    gone = prints[3::7]
    assert_holds(path, prints)
    assert all(traces(path, version) for p in gone for version in versions[p.print])
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([p.print for p in gone], reason="court order 7")
        for version in (v for p in gone for v in versions[p.print]):
            assert traces(path, version) == []  # already while the writer is open
        (number,) = gallery.database.one("SELECT max(number) FROM log")
        assert (log.payload(gallery.database, number) or {})["reason"] == "court order 7"
    assert_holds(path, [p for p in prints if p not in gone])


def test_linked_subjects_are_one_person_until_they_are_not(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = [replace(new_print(n), subject=name) for n, name in enumerate(["a", "b", "c", "d", "e", "a"])]
    with create(path) as gallery:
        gallery.add(prints)
        subjects = gallery.subjects
        assert subjects.names() == {"a", "b", "c", "d", "e"}
        assert subjects.link("b", "a", reason="same scar")
        assert not subjects.link("a", "b")
        subjects.link("b", "c")
        subjects.link("e", "d")
        assert subjects.person("a") == subjects.person("c") == ("a", "b", "c")
        assert subjects.persons()["d"] == ("d", "e")
        subjects.unlink("a", "b", reason="no")
        assert subjects.person("a") == ("a",)
        assert subjects.links() == [("b", "c"), ("d", "e")]
        with pytest.raises(UsageError, match="not linked"):
            subjects.unlink("a", "b")
        with pytest.raises(UnknownSubject):
            subjects.link("a", "nobody")
        with pytest.raises(UsageError, match="twice"):
            subjects.link("a", "a")
        subjects.link("a", "b")
        assert subjects.person("c") == ("a", "b", "c")
    assert_holds(path, prints)


def test_removal_of_a_subjects_last_print_reaches_its_links(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 30)
    prints[7] = replace(prints[7], subject=prints[8].subject)
    with Gallery.open(path, write=True) as gallery:
        gallery.amend([Amendment(8, prints[7].subject, prints[7].finger, prints[7].fields)])
        names = [p.subject or "" for p in prints]
        gallery.subjects.link(names[3], names[4])
        gallery.subjects.unlink(names[3], names[4])
        gallery.subjects.link(names[4], names[8])
        gallery.subjects.link(names[8], names[5])
        gallery.remove([prints[4].print, prints[8].print])
        assert traces(path, prints[4]) == []
        assert gallery.subjects.links() == [tuple(sorted((names[5], names[8])))]  # print 8 is still of this subject
        gallery.remove([prints[7].print])
        assert traces(path, prints[7]) == traces(path, prints[8]) == []
        assert gallery.subjects.links() == []
    assert_holds(path, [p for i, p in enumerate(prints) if i not in (4, 7, 8)])


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    """Order, grouping, ids, names, times and detours leave it as it is."""
    prints = [*(new_print(n) for n in range(1, 25)), *card(30)]
    found = []
    for number, batch in enumerate((1, 7, 30)):
        path, mixed_up = tmp_path / str(number), list(prints)
        random.Random(number).shuffle(mixed_up)
        with create(path) as gallery:
            for start in range(0, len(prints), batch):
                gallery.add([replace(p, print=f"{batch}/{p.print}") for p in mixed_up[start : start + batch]])
            detour = gallery.add([new_print(99)])
            gallery.remove([gallery.records(detour)[0].print])
            for new in prints[3:9]:
                record = gallery.find("", new.sha256, new.part)
                assert record is not None
                if batch > 1:
                    gallery.reextract([reextraction(record.id, again(new, method="x"))])
                    gallery.amend([amended(record, finger="9")])
                gallery.reextract([reextraction(record.id, again(new, method="b"))])
                gallery.amend([amended(record, finger="2", fields={"b": "1", "a": "2"})])
            subjects = [p.subject or "" for p in prints]
            gallery.subjects.link(*subjects[batch % 2 : 2 + batch % 2])
            gallery.subjects.unlink(*subjects[batch % 2 : 2 + batch % 2])
            gallery.subjects.link(*subjects[:2][:: 1 if batch > 1 else -1])
        with Gallery.open(path) as gallery:
            found.append(gallery.digest())
    assert len(set(found)) == 1
    assert len(found[0]) == 64


CHANGES: list[Callable[[Gallery], object]] = [
    lambda g: g.amend([amended(g.records([2])[0], subject="other")]),
    lambda g: g.amend([amended(g.records([2])[0], finger=None)]),
    lambda g: g.amend([amended(g.records([2])[0], fields={})]),
    lambda g: g.reextract([reextraction(1, again(new_print(0), method="b"))]),
    lambda g: g.remove([new_print(0).print]),
    lambda g: g.add([new_print(5)]),
    lambda g: g.subjects.link(new_print(0).subject or "", new_print(1).subject or ""),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_the_content(tmp_path: Path, change: Callable[[Gallery], object]) -> None:
    filled(tmp_path / "g", 3)
    with Gallery.open(tmp_path / "g", write=True) as gallery:
        before = gallery.digest()
        change(gallery)
        assert gallery.digest() != before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE amendments SET subject = 'other' WHERE number = 2",
        "UPDATE amendments SET subject = 'other' WHERE number = 1",
        'UPDATE amendments SET fields = \'{"case":"other"}\' WHERE number = 2',
        "UPDATE amendments SET fields = '[]' WHERE number = 2",
        "UPDATE amendments SET fields = NULL WHERE number = 2",
        "UPDATE amendments SET entry = 2 WHERE number = 2",
        "UPDATE amendments SET id = 1 WHERE number = 2",
        "DELETE FROM amendments WHERE number = 1",
        "DELETE FROM amendments WHERE number = 2",
        "UPDATE prints SET part = 'idc=4' WHERE id = 1",
        'UPDATE prints SET fields = \'{"case":"other"}\' WHERE id = 1',
        "UPDATE links SET linked = 0",
        "UPDATE links SET other = 'other'",
        "UPDATE links SET one = NULL",
        "DELETE FROM links",
        "INSERT INTO links (one, other, linked, entry) VALUES ('a', 'b', 1, 2)",
    ],
)
def test_changed_records_and_links_are_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "g"
    prints = filled(path, 4)
    with Gallery.open(path, write=True) as gallery:
        for finger in ("1", "2"):
            gallery.amend([amended(gallery.records([3])[0], finger=finger)])
        gallery.subjects.link(prints[0].subject or "", prints[1].subject or "")
        assert gallery.check() == []
        gallery.database.run(change)
    with Gallery.open(path) as gallery:
        said: list[str] = []
        try:
            said += gallery.check()
        except FpipeError as error:
            said.append(error.message)
    assert said
