"""Records written out byte by byte from the layouts of the standards, not by the code under test: read and written.

The layouts were compared with two public readers of these formats: FingerprintIO (all four) and NIST's BiomDI and
libbiomeval (INCITS 378-2004 and 2009, ISO/IEC 19794-2:2005).
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from fpipe.core.errors import BadTemplate
from fpipe.minutiae.files import describe_template, read_record, recode_template
from fpipe.minutiae.records import RECORDS, write_record
from fpipe.minutiae.views import View

POINTS_ISO = "4064 0028 20 508123 0190 FF 000007 003C 80 64"
"""Ending at (100, 40), 0x20 of 256 steps = 45 degrees, quality 80; bifurcation at (291, 400), 358.59 degrees, quality
not reported (0); other at (7, 60), 180 degrees, quality 100."""
POINTS_INCITS = "4064 0028 16 508123 0190 B3 000007 003C 5A 64"
"""The same in steps of 2 degrees: 44, 358 and 180."""

ISO_2005 = (
    "464D5200 20323000"  # "FMR" 0, " 20" 0
    "00000030 0000"  # 48 bytes; no capture device
    "012C 01F4 00C5 00C5 01 00"  # 300 x 500 px, 197 x 197 a centimetre, one view, reserved
    "02 00 5A 03" + POINTS_ISO + "0000"  # right index, view 0 and live plain, quality 90, three; no extended data
)
INCITS_2004 = (
    "464D5200 20323000"
    "0032 0103 0000 0000"  # 50 bytes; product owner unknown (CBEFF's 259) and type; no capture device
    "012C 01F4 00C5 00C5 01 00"
    "02 00 5A 03" + POINTS_INCITS + "0000"
)
ISO_2011 = (
    "464D5200 30333000"  # "030" 0
    "00000048 0001 00"  # 72 bytes, one representation, no certification
    "00000039"  # 57 bytes of representation
    "FFFFFFFFFFFFFFFFFF 00 0000 0000"  # no date; device: technology, vendor, type unknown
    "01 5A 0000 0000"  # one quality block: 90, of no maker
    "02 00 00C5 00C5 00"  # right index, representation 0, 197 x 197 a centimetre, live plain
    "012C 01F4 60 03" + POINTS_ISO.replace("FF 00", "FF FE") + "0000"  # six bytes a minutia; 254: not reported
)
INCITS_2009 = (
    "464D5200 30333000"
    "0000003A 0103 0000 00 0000 01 00"  # 58 bytes; owner, type; certification, device; one view, reserved
    "02 00 00 5A 0103 0000"  # right index, view 0, live plain, quality 90 of an unknown maker
    "012C 01F4 00C5 00C5 03" + POINTS_INCITS.replace("B3 00", "B3 FE") + "0000"
)
GOLDEN = {"iso2005": ISO_2005, "iso2011": ISO_2011, "incits2004": INCITS_2004, "incits2009": INCITS_2009}
DEGREES = {"iso": [45, 255 * 360 / 256, 180], "inc": [44, 358, 180]}


def golden(format: str) -> bytes:
    return bytes.fromhex(GOLDEN[format])


@pytest.mark.parametrize("format", RECORDS)
def test_bytes_of_the_layout_are_read(format: str) -> None:
    record = read_record(golden(format), "f")
    assert (record.format, record.notices) == (RECORDS[format].name, ())
    (view,) = record.views
    assert (view.finger, view.width, view.height, view.ppi_x, view.ppi_y) == (2, 300, 500, 197 * 2.54, 197 * 2.54)
    assert (view.impression, view.finger_quality, view.extended) == (0, 90, 0)
    assert view.x.tolist() == [100, 291, 7]
    assert view.y.tolist() == [40, 400, 60]
    assert np.allclose(np.rad2deg(view.direction), DEGREES[format[:3]], atol=1e-4)
    assert view.kind.tolist() == [1, 2, 0]
    assert view.reported().tolist() == [80, 0, 100]


@pytest.mark.parametrize("format", RECORDS)
def test_bytes_of_the_layout_are_written(format: str) -> None:
    """A view put together from numbers, as the layout's bytes."""
    directions = np.deg2rad(np.array(DEGREES[format[:3]], np.float64))
    view = View(
        finger=2,
        width=300,
        height=500,
        ppi_x=500.0,
        ppi_y=500.0,
        x=np.array([100.0, 291, 7]),
        y=np.array([40.0, 400, 60]),
        direction=directions,
        kind=np.array([1, 2, 0], np.uint8),
        quality=np.array([80, 0, 100], np.uint8),
        finger_quality=90,
    )
    assert write_record([view], format) == (golden(format), ())


@pytest.mark.parametrize("source", RECORDS)
@pytest.mark.parametrize("target", RECORDS)
def test_one_layout_becomes_another(source: str, target: str) -> None:
    """45 degrees are no whole step of 2 degrees: it is 44, and 46 only where rounding goes the other way."""
    written, _ = recode_template(golden(source), "f", target)
    expected = bytearray(golden(target))
    at = expected.index(bytes.fromhex("40640028"))
    for row in range(3):
        written_angle, angle = written[at + 6 * row + 4], expected[at + 6 * row + 4]
        assert abs(written_angle - angle) <= 1
        expected[at + 6 * row + 4] = written_angle
    assert written == bytes(expected)


# -- lengths that are wrong do not make it the other standard ----------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 23, 30, 96, 65535, 65536, 0x00380000, 0xFFFFFFFF])
def test_iso_2005_is_known_whatever_its_length_field_says(length: int) -> None:
    data = bytearray(golden("iso2005"))
    data[8:12] = struct.pack(">I", length)
    record = read_record(bytes(data), "f")
    assert record.format == RECORDS["iso2005"].name
    assert record.views[0].x.tolist() == [100, 291, 7]
    assert any("length" in line for line in record.notices)


@pytest.mark.parametrize("length", [0, 1, 25, 40, 96, 65535])
def test_incits_2004_is_known_whatever_its_length_field_says(length: int) -> None:
    data = bytearray(golden("incits2004"))
    data[8:10] = struct.pack(">H", length)
    record = read_record(bytes(data), "f")
    assert record.format == RECORDS["incits2004"].name
    assert record.views[0].y.tolist() == [40, 400, 60]
    assert any("length" in line for line in record.notices)


def test_a_length_of_six_bytes_may_be_small() -> None:
    """Allowed by other readers: two bytes of zero, then four."""
    whole = golden("incits2004")
    data = whole[:8] + struct.pack(">HI", 0, len(whole) + 4) + whole[10:]
    record = read_record(data, "f")
    assert (record.format, record.notices) == (RECORDS["incits2004"].name, ())
    assert record.views[0].x.tolist() == [100, 291, 7]


def test_a_large_record_of_2005_is_not_taken_for_incits() -> None:
    """More than 65535 bytes, so that the first two of its length are not zero."""
    view = replace(read_record(golden("iso2005"), "f").views[0], finger=0)
    full = replace(
        view,
        x=np.full(255, 9.0),
        y=np.full(255, 9.0),
        direction=np.zeros(255),
        kind=np.ones(255, np.uint8),
        quality=np.full(255, 50, np.uint8),
    )
    data, _ = write_record([full] * 60, "iso2005")
    assert data[8:10] != b"\0\0"
    record = read_record(data, "f")
    assert (record.format, len(record.views), record.notices) == (RECORDS["iso2005"].name, 60, ())


@pytest.mark.parametrize("length", [0, 33, 56, 58, 0xFFFF])
def test_a_representation_of_another_length_is_refused_as_what_it_is(length: int) -> None:
    data = bytearray(golden("iso2011"))
    data[15:19] = struct.pack(">I", length)
    with pytest.raises(BadTemplate, match=r"19794-2:2011.*representation 1"):
        read_record(bytes(data), "f")


@pytest.mark.parametrize("length", [0, 20, 200])
def test_incits_2009_is_known_whatever_its_length_field_says(length: int) -> None:
    data = bytearray(golden("incits2009"))
    data[8:12] = struct.pack(">I", length)
    record = read_record(bytes(data), "f")
    assert record.format == RECORDS["incits2009"].name
    assert any("length" in line for line in record.notices)


@pytest.mark.parametrize("format", RECORDS)
def test_a_record_cut_anywhere_is_refused(format: str) -> None:
    whole = golden(format)
    for length in range(8, len(whole)):
        with pytest.raises(BadTemplate):
            describe_template(whole[:length], "f")


# -- what the standards call differently -------------------------------------------------------------------------------


def test_impression_types_are_translated() -> None:
    """9 is contactless in the formats of 2004 and 2005, a vertical roll in ISO's of 2011; INCITS 378-2009 has none."""
    old = bytearray(golden("incits2004"))
    old[27] = 9
    (view,) = read_record(bytes(old), "f").views
    assert view.impression == 24
    assert write_record([view], "incits2004")[0] == bytes(old)
    expected = {"iso2005": (0, 1), "iso2011": (24, 0), "incits2009": (24, 0)}
    for format, (code, told) in expected.items():
        data, notices = write_record([view], format)
        assert (read_record(data, "f").views[0].impression, len(notices)) == (code, told)
    codes = {  # of the view -> iso2005, incits2004, iso2011, incits2009
        7: (2, 2, 7, 28), 8: (8, 8, 8, 8), 9: (1, 1, 9, 28), 21: (1, 1, 1, 21), 22: (0, 0, 0, 22), 27: (1, 24, 24, 27),
        28: (0, 0, 28, 28), 200: (0, 0, 28, 28),
    }  # fmt: skip
    for code, written in codes.items():
        for format, expected_code in zip(("iso2005", "incits2004", "iso2011", "incits2009"), written, strict=True):
            data, notices = write_record([replace(view, impression=code)], format)
            assert read_record(data, "f").views[0].impression == expected_code
            assert bool(notices) == (code != expected_code)


def test_more_views_than_a_format_counts_are_refused() -> None:
    (view,) = read_record(golden("iso2011"), "f").views
    data, _ = write_record([view] * 300, "iso2011")
    assert len(read_record(data, "f").views) == 300
    for format in ("iso2005", "incits2004", "incits2009"):
        with pytest.raises(BadTemplate, match="300 views, expected 1 to 255"):
            recode_template(data, "f", format)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (24, "0B", "finger position 11"),
        (24, "FF", "finger position 255"),
        (20, "018A", "not square"),
        (18, "001C 001C", "71.12 ppi"),
    ],
)
def test_what_no_record_says_is_said(at: int, value: str, words: str) -> None:
    changed = bytes.fromhex(value)
    data = golden("iso2005")
    found = describe_template(data[:at] + changed + data[at + len(changed) :], "f")
    assert words in " | ".join(found["notices"])
    assert [point["x"] for point in found["minutiae"][0]["points"]] == [100, 291, 7]
