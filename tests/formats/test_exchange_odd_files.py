"""Exchange files as other programs write them, a little beside the standard: the right values, or one line that says
what is wrong; never a value made up."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_maker import fixed, header, tagged, whorl

from fpipe.service.inspect import describe_exchange

GRAY = whorl()
RAW = GRAY.tobytes()
REGION = (300, b"610\x1f711")


def picture(idc: int = 1, type: int = 14, **changes: bytes | None) -> bytes:
    """A record of 120 x 140 px at 500 ppi; ``f9=b"1000"`` changes a field, None leaves it out."""
    fields: dict[int, bytes | None] = {
        2: b"%02d" % idc, 3: b"0", 6: b"120", 7: b"140", 8: b"1", 9: b"500", 10: b"500", 11: b"NONE", 12: b"8",
        13: b"2", 999: RAW,
    }  # fmt: skip
    fields.update({int(name[1:]): value for name, value in changes.items()})
    return tagged(type, [(number, value) for number, value in sorted(fields.items()) if value is not None])


def marks(*fields: tuple[int, bytes], idc: int = 1) -> bytes:
    return tagged(9, [(2, b"%02d" % idc), (3, b"0"), (4, b"U"), *fields])


def with_marks(*fields: tuple[int, bytes]) -> dict:  # type: ignore[type-arg]
    return describe_exchange(header(b"1 2,14 1,9 1") + picture() + marks(*fields), "f")


def one(**changes: bytes | None) -> dict:  # type: ignore[type-arg]
    return describe_exchange(header(b"1 1,14 1") + picture(**changes), "f")


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_a_picture_that_is_missing_without_a_word_is_said() -> None:
    """Of a finger that is missing the record says so (field 18), or states no size; else something was lost."""
    for data in (None, b""):
        found = one(f999=data)
        assert found["images"] == []
        assert "120 x 140 px announced" in found["failed"][0]["message"]
        for fields in ({"f18": b"2\x1fXX"}, {"f6": None, "f7": None}):
            assert one(f999=data, **fields)["failed"] == []
    assert "is not there" in one(f999=None)["failed"][0]["message"]
    assert one(f999=None, f18=b"")["failed"], "an empty field says nothing"


@pytest.mark.parametrize("begin", [b"\xff\xa0\xff", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0"])
def test_as_many_bytes_as_pixels_are_pixels_where_no_compression_is_stated(begin: bytes) -> None:
    """A picture's first pixels can look like the beginning of a coded one."""
    pixels = begin + RAW[len(begin) :]
    (image,) = one(f11=None, f999=pixels)["images"]
    assert (image["compression"], image["width"], image["height"]) == ("NONE", 120, 140)


def test_uncompressed_colour_becomes_gray() -> None:
    (image,) = one(f12=b"24", f999=np.repeat(GRAY[:, :, None], 3, 2).tobytes())["images"]
    assert image["pixels_sha256"] == one()["images"][0]["pixels_sha256"]
    colours = np.zeros((140, 120, 3), np.uint8)
    colours[:, :, 1] = 100
    from fpipe.formats import read_picture

    data = header(b"1 1,14 1") + picture(f12=b"24", f999=colours.tobytes())
    assert (read_picture(data).pixels == 59).all(), "0.587 * 100, ITU-R BT.601"
    assert "14.999" in one(f12=b"24")["failed"][0]["message"], "too few bytes for colour"


def test_two_pictures_of_one_idc_are_both_given_and_what_markup_means_is_said() -> None:
    data = header(b"1 3,13 1,14 1,9 1") + picture(type=13, f9=b"1000", f10=b"1000") + picture()
    found = describe_exchange(data + marks(REGION, (331, b"51\x1f102\x1f60\x1fE")), "f")
    assert [image["record"] for image in found["images"]] == [13, 14]
    assert found["minutiae"][0]["ppi"] == 1000
    assert any("2 pictures of this IDC" in line for line in found["notices"])


def test_records_come_in_any_order() -> None:
    data = header(b"1 4,9 1,99 7,14 1,2 0") + marks(REGION, (331, b"51\x1f102\x1f60\x1fE"))
    data += tagged(99, [(2, b"07"), (999, b"\x1c\x1d\0")]) + picture() + tagged(2, [(2, b"00"), (18, b"NAME")])
    found = describe_exchange(data, "f")
    assert [record["type"] for record in found["records"]] == [1, 9, 99, 14, 2]
    assert found["images"][0]["pixels_sha256"] == one()["images"][0]["pixels_sha256"]
    assert (found["minutiae"][0]["width"], found["minutiae"][0]["ppi"]) == (120, 500)


def test_a_type_4_record_with_a_marked_up_type_9() -> None:
    data = header(b"1 2,4 1,9 1", native=b"19.69", transmitted=b"19.69") + fixed(RAW, 120, 140)
    data += marks((6, b"02"), (12, b"001\x1f01000100090\x1f02\x1fA"))
    (view,) = describe_exchange(data, "f")["minutiae"]
    assert (view["block"], view["width"], view["ppi"]) == ("standard", 120, 500.126)
    assert view["points"] == [{"x": 19.69, "y": 119.81, "direction_degrees": 270, "type": "ending", "quality": 100}]


def test_markup_in_two_ways_is_given_twice() -> None:
    found = with_marks(
        (128, b"120"), (129, b"140"), (130, b"1"), (131, b"500"), (132, b"500"), (134, b"2"), (136, b"1"),
        (137, b"1\x1f10\x1f20\x1f30\x1f1\x1f60"), REGION, (331, b"51\x1f102\x1f60\x1fE"),
    )  # fmt: skip
    assert [view["block"] for view in found["minutiae"]] == ["incits378", "efs"]
    assert found["minutiae"][0]["points"][0]["x"] == 10
    assert found["minutiae"][1]["points"][0]["x"] == pytest.approx(51 * 500 / 2540, abs=1e-3)


# -- separators ------------------------------------------------------------------------------------------------------


def test_separators_at_the_end_of_a_field_are_no_entries() -> None:
    (view,) = with_marks(REGION, (331, b"51\x1f102\x1f60\x1fE\x1e"))["minutiae"]
    assert view["count"] == 1
    assert with_marks(REGION, (331, b""), (334, b"Y"))["failed"] == []
    data = header(b"1 1,14 1,") + picture()
    assert len(describe_exchange(data, "f")["images"]) == 1
    assert with_marks(REGION, (331, b"\x1e51\x1f102\x1f60\x1fE"))["failed"], "in front it shifts the numbers"


# -- directions and scales ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [b"361", b"400", b"-1", b"-10"])
def test_a_direction_that_is_none_is_refused(degrees: bytes) -> None:
    (failed,) = with_marks(REGION, (331, b"51\x1f102\x1f" + degrees + b"\x1fE"))["failed"]
    assert "entry 1, item 3" in failed["message"]


def test_a_whole_turn_is_no_turn() -> None:
    (view,) = with_marks(REGION, (331, b"51\x1f102\x1f360\x1fE"))["minutiae"]
    assert view["points"][0]["direction_degrees"] == 0
    (view,) = with_marks((12, b"001\x1f01000100360\x1f02\x1fA"))["minutiae"]
    assert view["points"][0]["direction_degrees"] == 180


def test_scales_of_markup_that_contradict_are_said() -> None:
    fields = [(128, b"120"), (129, b"140"), (136, b"1"), (137, b"1\x1f10\x1f20\x1f30\x1f1\x1f60")]
    for scale, words in (
        ((b"1", b"500", b"1000"), "not square"),
        ((b"1", b"1000", b"1000"), "1000 ppi, the picture's record 500"),
        ((b"1", b"72", b"72"), "does not know it"),
        ((b"2", b"197", b"197"), ""),
    ):
        found = with_marks(*zip((130, 131, 132), scale, strict=True), *fields)
        assert words in " | ".join(found["notices"])
        assert bool(words) == bool(found["notices"])
        assert found["minutiae"][0]["points"][0]["x"] == 10
