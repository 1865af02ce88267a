"""What an exchange file gives a gallery: names, parts, and what the record says of each picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_maker import ENVELOPE, NAMED, a_print, header, tagged, whorl

from fpipe.core.errors import NotAnImage, NotFound, SeveralPictures, Truncated
from fpipe.core.files import sha256_hex
from fpipe.formats.exchange.building import Envelope, Print, Subject, compose, latent, tenprint, text_record
from fpipe.formats.exchange.records import parse
from fpipe.index import Selection
from fpipe.service.cards import Part, given, image_of, parts_of
from fpipe.service.gallery_files import Details


def card(*prints: Print, subject: Subject = NAMED, envelope: Envelope = ENVELOPE) -> bytes:
    return tenprint(envelope, subject, prints, "TESTORI").to_bytes()


def parts(data: bytes, choice: str = "") -> list[Part]:
    return parts_of(data, "a.an2", choice, sha256_hex(data))


def test_every_finger_of_a_card() -> None:
    data = card(a_print(2, 1), a_print(10, 3), a_print(11, 0))
    found = parts(data)
    assert [(p.name, p.part, p.details.finger, p.details.kind, p.refusal) for p in found] == [
        ("a.an2#2", "idc=1", "right_index", "rolled", None),
        ("a.an2#10", "idc=2", "left_little", "rolled", None),
        ("a.an2#11", "idc=3", "right_thumb", "plain", None),
    ]
    assert {p.details.subject for p in found} == {f"CASE0001/TESTORI/{sha256_hex(data)[:8]}"}
    assert found[0].details.fields == {"transaction": "CASE0001", "agency": "TESTORI"}


@pytest.mark.parametrize("domain", ["", "NORAM"])
def test_a_name_where_it_is_known_to_be_one(domain: str) -> None:
    envelope = Envelope("LFS", "20260101", "D", "O", "1", domain=domain)
    (found,) = parts(card(a_print(), envelope=envelope))
    assert found.details.fields["name"] == NAMED.fields[18]


def test_a_position_that_comes_twice_is_named_by_the_record() -> None:
    found = parts(card(a_print(7, 1), a_print(7, 0), a_print(0, 0)))
    assert [(p.name, p.part) for p in found] == [
        ("a.an2#idc=1", "idc=1"),
        ("a.an2#idc=2", "idc=2"),
        ("a.an2#0", "idc=3"),
    ]
    assert [p.details.finger for p in found] == ["left_index", "left_index", None]


def test_palms_are_left_out_and_slaps_taken_apart() -> None:
    data = card(a_print(43, 0), a_print(21, 10), a_print(1, 1), a_print(13, 4))
    assert [(p.name, p.part, p.details.finger, p.refusal and p.refusal.code) for p in parts(data)] == [
        ("a.an2#43.8", "idc=1.8", "left_middle", None),
        ("a.an2#43.7", "idc=1.7", "left_index", None),
        ("a.an2#21", "idc=2", None, "palm"),
        ("a.an2#1", "idc=3", "right_thumb", None),
        ("a.an2#13", "idc=4", None, "slap"),
    ]
    assert [p.part for p in parts(data, "43")] == ["idc=1.8", "idc=1.7"]
    assert [p.part for p in parts(data, "43.7")] == ["idc=1.7"]
    with pytest.raises(NotFound, match="no picture of several fingers"):
        parts(data, "43.2")
    with pytest.raises(NotFound, match="no picture of several fingers"):
        parts(data, "1.1")


def test_fingers_that_are_missing_are_not_looked_for() -> None:
    fields = [(2, b"01"), (3, b"0"), (6, b"120"), (7, b"140"), (8, b"1"), (9, b"500"), (10, b"500"), (11, b"NONE")]
    more = [(12, b"8"), (13, b"13"), (18, b"3\x1fXX\x1e5\x1fUP"), (999, whorl().tobytes())]
    found = parts(header(b"1 1,14 01") + tagged(14, [*fields, *more]))
    assert [p.details.finger for p in found] == ["right_index", "right_ring"]


def test_a_latent_is_nobodys() -> None:
    data = latent(ENVELOPE, NAMED, a_print(0, 4), "TESTORI").to_bytes()
    (found,) = parts(data)
    assert (found.details.kind, found.details.subject) == ("latent", None)
    assert set(found.details.fields) == {"transaction", "agency"}


def test_one_picture_is_chosen() -> None:
    data = card(a_print(2), a_print(7), a_print(7))
    assert [p.name for p in parts(data, "2")] == ["a.an2#2"]
    assert [p.part for p in parts(data, "idc=3")] == ["idc=3"]
    with pytest.raises(SeveralPictures, match="2 pictures"):
        parts(data, "7")
    with pytest.raises(NotFound, match="FILE#POSITION"):
        parts(data, "left")


def test_pictures_that_can_not_be_told_apart_are_left_out() -> None:
    fields = [(2, b"01"), (3, b"0"), (6, b"120"), (7, b"140"), (8, b"1"), (9, b"500"), (10, b"500"), (11, b"NONE")]
    picture = tagged(14, [*fields, (12, b"8"), (13, b"2"), (999, whorl().tobytes())])
    found = parts(header(b"1 2,14 01,14 01") + picture * 2)
    assert [p.refusal and p.refusal.code for p in found] == ["damaged", "damaged"]


def test_a_file_without_pictures_or_cut_is_refused_whole() -> None:
    data = card(a_print())
    with pytest.raises(Truncated):
        parts(data[:-100])
    with pytest.raises(NotAnImage, match="record types 1, 2"):
        parts(header(b"1 1,2 00") + tagged(2, [(2, b"00")]))


def test_what_was_said_before_holds() -> None:
    found = parts(card(a_print(2, 1), a_print(3, 1)))
    said = given(Details(subject="S", kind="plain", fields={"agency": "ours", "case": "7"}), found, "a.an2")
    assert {(p.details.subject, p.details.kind) for p in said} == {("S", "plain")}
    assert said[0].details.finger == "right_index"
    assert said[0].details.fields == {"transaction": "CASE0001", "agency": "ours", "case": "7"}
    with pytest.raises(SeveralPictures, match="one finger is given: 7"):
        given(Details(finger="7"), found, "a.an2")
    assert given(Details(finger="7"), found[:1], "a.an2")[0].details.finger == "7"


@pytest.mark.real
def test_a_reference_card_of_fourteen_pictures(data: Path) -> None:
    file = data / "formats" / "an2" / "type-14-tpcard-nqm.an2"
    content = file.read_bytes()
    found = parts_of(content, file.name, "", sha256_hex(content))
    assert [p.name.partition("#")[2] for p in found] == [
        *map(str, range(1, 11)),
        *("14.10", "14.9", "14.8", "14.7", "12", "11"),
        *("13.2", "13.3", "13.4", "13.5"),
    ]
    assert [p.details.kind for p in found] == ["rolled"] * 10 + ["plain"] * 10
    picture, image = image_of(content, "idc=14.3", "here")
    assert image.shape[0] < picture.pixels.shape[0]
    assert image.shape[1] < picture.pixels.shape[1] / 2


def test_a_pattern_class_that_the_file_states_is_the_print_s() -> None:
    """Of a single finger, by any Type-9 record of its IDC; what is said beside the file holds."""
    file = parse(card(a_print(2, 1), a_print(7, 1), a_print(13, 0)), "a")
    marks = [
        text_record(9, [(2, f"{idc:02d}"), (3, "1"), (4, "U"), (307, [[code]])])
        for idc, code in ((1, "WU"), (2, "LS"), (3, "AU"))
    ]
    data = compose(ENVELOPE, [*file.records[1:], *marks]).to_bytes()
    found = parts(data)
    classes = [part.details.fields.get("class") for part in found]
    assert classes == ["whorl", "left_loop", *(None for _ in range(4))]
    chosen = Selection(classes=("whorl",))
    assert [chosen.meets(part.details.finger, part.details.fields.get("class")) for part in found[:2]] == [True, False]
    (told, *_) = given(Details(fields={"class": "arch"}), found, "a.an2")
    assert told.details.fields["class"] == "arch"
