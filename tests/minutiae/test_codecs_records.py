"""ISO/IEC 19794-2 and INCITS 378: golden records with a known origin, odd lengths said aloud, resolutions respected."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.conventions import TWO_PI
from fpipe.core.errors import BadTemplate, UnknownResolution
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae import blob, iso
from fpipe.minutiae.files import describe_template, parse_template, read_record, recode_template
from fpipe.minutiae.records import RECORDS, write_record
from fpipe.minutiae.views import of_template

POINTS = [(1, 100, 14, 80, 90), (2, 164, 17, 60, 80), (0, 55, 18, 16, 0)]
"""type, x, y, direction in the format's own unit, quality."""


def minutiae_bytes(points: list[tuple[int, int, int, int, int]]) -> bytes:
    return b"".join(struct.pack(">HHBB", kind << 14 | x, y, d, q) for kind, x, y, d, q in points)


def iso_2005(
    points: list[tuple[int, int, int, int, int]] = POINTS,
    *,
    views: int = 1,
    size: tuple[int, int] = (300, 400),
    per_cm: tuple[int, int] = (197, 197),
    extended: bytes = b"",
    longer: int = 0,
) -> bytes:
    """Written from the tables of ISO/IEC 19794-2:2005, clause 7, independently of the code under test."""
    view = struct.pack(">BBBB", 2, 0, 60, len(points)) + minutiae_bytes(points)
    body = (view + struct.pack(">H", len(extended)) + extended) * views
    length = 24 + len(body) + longer
    return struct.pack(">4s4sIHHHHHBB", b"FMR\0", b" 20\0", length, 0, *size, *per_cm, views, 0) + body


def incits_2004(points: list[tuple[int, int, int, int, int]] = POINTS, *, long_length: bool = False) -> bytes:
    """Written from ANSI INCITS 378-2004, clause 6."""
    body = struct.pack(">HHHHHHHBB", 0x42, 0x11, 0xB5, 300, 400, 197, 197, 1, 0)
    body += struct.pack(">BBBB", 2, 0, 60, len(points)) + minutiae_bytes(points)
    body += struct.pack(">H", 0xFFFF) + bytes(0xFFFF) if long_length else struct.pack(">H", 0)
    length = 8 + (6 if long_length else 2) + len(body)
    return b"FMR\0 20\0" + (struct.pack(">HI", 0, length) if long_length else struct.pack(">H", length)) + body


def test_a_record_of_2005_is_read_as_written() -> None:
    record = read_record(iso_2005(views=2, extended=b"\x01\x02\x00\x06ab"), "f")
    assert (record.format, record.notices, len(record.views)) == (iso.NAME_2005, (), 2)
    for view in record.views:
        assert (view.finger, view.width, view.height, view.ppi_x) == (2, 300, 400, 197 * 2.54)
        assert view.x.tolist() == [100, 164, 55]
        assert view.y.tolist() == [14, 17, 18]
        assert np.allclose(np.rad2deg(view.direction), [112.5, 84.375, 22.5], atol=1e-4)
        assert view.kind.tolist() == [1, 2, 0]
        assert view.quality.tolist() == [90, 80, 0]


@pytest.mark.parametrize("long_length", [False, True])
def test_incits_2004_is_told_from_iso_by_its_length_field(long_length: bool) -> None:
    record = read_record(incits_2004(long_length=long_length), "f")
    assert record.format == "INCITS 378-2004"
    assert record.notices == ()
    assert np.allclose(np.rad2deg(record.views[0].direction), [160, 120, 32], atol=1e-4)


@pytest.mark.parametrize(("longer", "after"), [(40, b""), (-6, b""), (0, b"tail"), (0, bytes(1))])
def test_a_length_that_does_not_fit_is_said(longer: int, after: bytes) -> None:
    found = parse_template(iso_2005(longer=longer) + after, "f")
    assert len(found.template.minutiae) == len(POINTS)
    assert any("length" in line for line in found.notices)


def test_a_point_outside_the_picture_is_said_and_kept() -> None:
    found = parse_template(iso_2005([(1, 310, 20, 0, 50), (1, 10, 20, 0, 50)]), "f")
    assert any("1 minutiae outside the picture of 300 x 400" in line for line in found.notices)
    assert found.template.minutiae.x.tolist() == [310, 10]
    assert (found.template.width, found.template.height) == (311, 400)


def test_reserved_types_and_qualities_are_said() -> None:
    found = parse_template(iso_2005([(3, 10, 20, 0, 255)]), "f")
    assert (found.template.minutiae.kind.tolist(), found.template.minutiae.quality.tolist()) == ([0], [0])
    assert any("type" in line for line in found.notices)
    assert any("qualities" in line for line in found.notices)


def test_no_minutiae_are_a_template_and_no_view_is_none() -> None:
    assert len(parse_template(iso_2005([]), "f").template.minutiae) == 0
    with pytest.raises(BadTemplate, match="no finger view"):
        parse_template(iso_2005(views=0), "f")


def test_further_views_are_said() -> None:
    assert any("2 more views" in line for line in parse_template(iso_2005(views=3), "f").notices)


@given(per_cm=st.integers(60, 1000))
def test_positions_are_brought_to_500_ppi(per_cm: int) -> None:
    template = parse_template(iso_2005(per_cm=(per_cm, per_cm)), "f").template
    expected = 1.0 if per_cm == 197 else 500 / (per_cm * 2.54)
    assert np.allclose(template.minutiae.x, np.array([100, 164, 55]) * expected, rtol=1e-6)
    assert template.width == round(300 * expected)


def test_unequal_resolutions_bend_directions() -> None:
    """A ridge at 45 degrees in pixels twice as wide as high lies at atan(1/2) on the finger."""
    template = parse_template(iso_2005([(1, 100, 100, 32, 50)], per_cm=(197, 394)), "f").template
    assert np.rad2deg(template.minutiae.direction[0]) == pytest.approx(26.55, abs=0.05)
    assert template.minutiae.y[0] == pytest.approx(50, abs=0.1)


def test_an_unknown_resolution_is_asked_for() -> None:
    data = iso_2005(per_cm=(0, 0))
    with pytest.raises(UnknownResolution):
        parse_template(data, "f")
    assert parse_template(data, "f", ppi=1000).template.minutiae.x.tolist() == [50, 82, 27.5]
    assert describe_template(data, "f")["minutiae"][0]["ppi"] is None


def test_what_is_written_is_the_standard() -> None:
    """Origin: the record drawn above by hand."""
    expected = iso_2005([(1, 100, 14, 80, 90), (2, 164, 17, 60, 80)])
    template = parse_template(expected, "f").template
    written, notices = write_record([of_template(template, finger=2)], "iso2005")
    assert notices == ()
    assert written[:26] + written[27:] == expected[:26] + expected[27:]  # but the view's quality, 85 = mean here
    assert written[26] == 85


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 255), ppi=st.sampled_from([500.0, 1000.0, 400.0]))
def test_writing_and_reading_keeps_all_to_the_formats_steps(seed: int, count: int, ppi: float) -> None:
    rng = np.random.default_rng(seed)
    m = Minutiae(
        rng.uniform(0, 299, count).astype(np.float32),
        rng.uniform(0, 399, count).astype(np.float32),
        rng.uniform(0, TWO_PI, count).astype(np.float32),
        rng.integers(0, 3, count).astype(np.uint8),
        rng.integers(0, 101, count).astype(np.uint8),
    )
    data, _ = write_record([of_template(Template(m, 300, 400), ppi=ppi)], "iso2005")
    back = parse_template(data, "f")
    assert back.notices == ()
    assert abs(back.template.width - 300) <= 2
    assert abs(back.template.height - 400) <= 2
    tolerance = 0.5 * 500 / ppi + 400 * 0.5 * 2.54 / ppi * 1.01  # whole pixels, and whole pixels a centimetre
    assert np.abs(back.template.minutiae.x - m.x).max(initial=0) <= tolerance
    assert np.abs(back.template.minutiae.y - m.y).max(initial=0) <= tolerance
    turn = np.abs(back.template.minutiae.direction - m.direction)
    assert np.minimum(turn, TWO_PI - turn).max(initial=0) <= TWO_PI / 512 + 1e-5
    assert np.array_equal(back.template.minutiae.kind, m.kind)
    assert np.array_equal(back.template.minutiae.quality, m.quality)


def test_of_too_many_the_best_are_written_and_said() -> None:
    count = 300
    quality = (np.arange(count) % 100 + 1).astype(np.uint8)
    at = np.arange(count, dtype=np.float32)
    m = Minutiae(at, at, np.zeros(count, np.float32), np.ones(count, np.uint8), quality)
    data, notices = write_record([of_template(Template(m, 400, 400))], "iso2005")
    kept = parse_template(data, "f").template.minutiae
    assert len(kept) == 255
    assert "300 minutiae" in notices[0]
    assert kept.quality.min() == np.sort(quality)[-255]
    assert (np.diff(kept.x) > 0).all()


def test_positions_beyond_14_bits_are_refused() -> None:
    m = Minutiae(*(np.array([v], t) for v, t in ((5000, "f4"), (0, "f4"), (0, "f4"), (1, "u1"), (1, "u1"))))
    with pytest.raises(BadTemplate, match="smaller ppi"):
        write_record([of_template(Template(m, 8000, 100), ppi=2000)], "iso2005")


@pytest.mark.parametrize("format", RECORDS)
@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 255), min_size=1, max_size=4))
def test_every_record_format_gives_back_its_views(format: str, seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    views = []
    for number, count in enumerate(counts):
        m = Minutiae(
            rng.uniform(0, 299, count).astype(np.float32),
            rng.uniform(0, 399, count).astype(np.float32),
            rng.uniform(0, TWO_PI, count).astype(np.float32),
            rng.integers(0, 3, count).astype(np.uint8),
            rng.integers(0, 101, count).astype(np.uint8),
        )
        views.append(of_template(Template(m, 300, 400), finger=number // 2 + 1))
    data, notices = write_record(views, format)
    record = read_record(data, "f")
    assert (record.format, record.notices, notices) == (RECORDS[format].name, (), ())
    for old, new in zip(views, record.views, strict=True):
        assert (old.finger, old.width, old.height) == (new.finger, new.width, new.height)
        assert new.ppi_x == 197 * 2.54
        assert np.array_equal(old.x, new.x)
        assert np.array_equal(old.y, new.y)
        assert np.array_equal(old.kind, new.kind)
        assert np.array_equal(old.reported(), new.reported())
        turn = np.abs(np.rad2deg(old.direction - new.direction) + 180) % 360 - 180
        assert np.abs(turn).max(initial=0) <= RECORDS[format].step_degrees / 2 + 1e-3


def test_quality_is_absent_in_each_formats_own_way() -> None:
    """Origin: 0 until 2005, 254 since 2009; there 0 is the worst quality, which is a quality."""
    view = read_record(iso_2005([(1, 5, 6, 0, 0), (1, 5, 7, 0, 9)]), "f").views[0]
    for format, absent in (("iso2005", 0), ("incits2004", 0), ("iso2011", 254), ("incits2009", 254)):
        data, _ = write_record([view], format)
        assert read_record(data, "f").views[0].quality.tolist() == [absent, 9]
        assert parse_template(data, "f").template.minutiae.quality.tolist() == [0, 9]
    worst = bytearray(write_record([view], "iso2011")[0])
    worst[-3] = 0
    assert parse_template(bytes(worst), "f").template.minutiae.quality.tolist() == [0, 1]


def test_views_of_two_resolutions_need_a_format_that_has_two() -> None:
    one = read_record(iso_2005(), "f").views[0]
    two = read_record(iso_2005(per_cm=(394, 394), size=(600, 800)), "f").views[0]
    for format in ("iso2011", "incits2009"):
        record = read_record(write_record([one, two], format)[0], "f")
        assert [round(view.ppi_x or 0) for view in record.views] == [500, 1001]
    for format in ("iso2005", "incits2004"):
        with pytest.raises(BadTemplate, match="different resolutions"):
            write_record([one, two], format)


def test_a_conversion_says_what_it_loses() -> None:
    _, notices = recode_template(iso_2005(extended=b"\x01\x02\x00\x06ab"), "f", "incits2004")
    assert any("steps of 2" in line for line in notices)
    assert any("extended data" in line for line in notices)
    weak = Minutiae(*(np.array([v], t) for v, t in ((50, "f4"), (50, "f4"), (0, "f4"), (1, "u1"), (1, "u1"))))
    template = Template(weak, 300, 400, np.ones((34, 25), bool), weak=weak)
    for format, told in (("iso2011", "mask"), ("xyt", "types"), ("incits2009", "1 weak"), ("json", "")):
        _, notices = recode_template(blob.encode(template), "f.fpt", format)
        assert any(told in line for line in notices) == bool(told)


def test_incits_2004_takes_four_bytes_where_two_do_not_hold_its_length() -> None:
    m = Minutiae(*(np.full(255, v, t) for v, t in ((50, "f4"), (60, "f4"), (0, "f4"), (1, "u1"), (1, "u1"))))
    views = [of_template(Template(m, 300, 400), finger=1)] * 43
    data, _ = write_record(views, "incits2004")
    assert len(data) > 65535
    record = read_record(data, "f")
    assert (record.format, len(record.views), record.notices) == ("INCITS 378-2004", 43, ())


# -- real records ----------------------------------------------------------------------------------------------------

SAMPLES = {
    "iso19794p2v2005": (iso.NAME_2005, 360 / 256, 256),
    "iso19794p2v2011": (iso.NAME_2011, 360 / 256, 256),
    "ansi378v2004": ("INCITS 378-2004", 2, 180),
    "ansi378v2009": ("INCITS 378-2009", 2, 180),
    "ansi378v2009am1": ("INCITS 378-2009", 2, 180),
}


@pytest.mark.real
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_another_implementation(data: Path, name: str) -> None:
    """Origin: records and their JSON by the fingerprint template library of SourceAFIS's author."""
    folder = data / "formats" / "templates"
    truth = json.loads((folder / f"{name}-sample.json").read_text("utf-8"))
    record = read_record((folder / f"{name}-sample.dat").read_bytes(), name)
    format, degrees, steps = SAMPLES[name]
    assert record.format == format
    assert len(record.views) == len(truth["fingerprints"])
    fingers = {"LEFT_INDEX": 7, "RIGHT_INDEX": 2}
    kinds = {"ENDING": 1, "BIFURCATION": 2, "OTHER": 0, "EITHER": 0}
    for view, expected in zip(record.views, truth["fingerprints"], strict=True):
        minutiae = expected["minutiae"]
        assert view.finger == fingers[expected["position"]]
        assert view.x.tolist() == [m["positionX"] for m in minutiae]
        assert view.y.tolist() == [m["positionY"] for m in minutiae]
        assert view.quality.tolist() == [m["quality"] for m in minutiae]
        assert view.kind.tolist() == [kinds[m["type"]] for m in minutiae]
        # the 2004 sample holds angles over 179 steps, which that standard does not have
        assert np.allclose(np.rad2deg(view.direction), [m["angle"] % steps * degrees for m in minutiae], atol=1e-3)


@pytest.mark.real
def test_records_of_an_extractor(data: Path) -> None:
    for path in sorted((data / "formats" / "templates" / "fingerjetfx").glob("*.ist")):
        found = parse_template(path.read_bytes(), path.name)
        assert found.notices == ()
        assert len(found.template.minutiae) > 20


@pytest.mark.real
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("format", RECORDS)
def test_samples_in_every_other_format(data: Path, name: str, format: str) -> None:
    """All views with their fingers, sizes, types and qualities; directions to half a step of the coarser unit."""
    whole = (data / "formats" / "templates" / f"{name}-sample.dat").read_bytes()
    before = read_record(whole, name)
    written, notices = recode_template(whole, name, format)
    after = read_record(written, "again")
    assert after.format == RECORDS[format].name
    assert after.notices == ()
    assert len(after.views) == len(before.views)
    for old, new in zip(before.views, after.views, strict=True):
        assert (old.finger, old.width, old.height, old.ppi_x) == (new.finger, new.width, new.height, new.ppi_x)
        assert np.array_equal(old.x, new.x)
        assert np.array_equal(old.y, new.y)
        assert np.array_equal(old.kind % 3, new.kind)
        assert np.array_equal(old.reported(), new.reported())
        turn = np.abs(np.rad2deg(old.direction - new.direction) + 180) % 360 - 180
        assert np.abs(turn).max() <= RECORDS[format].step_degrees / 2 + 1e-3
    if any(view.extended for view in before.views):
        assert any("extended data" in line for line in notices)


@pytest.mark.real
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_written_as_their_maker_did(data: Path, name: str) -> None:
    """Of the same format only device, date, makers' numbers and extended data differ: the minutiae's bytes do not."""
    short = {"iso19794p2v2005": "iso2005", "iso19794p2v2011": "iso2011", "ansi378v2004": "incits2004"}
    whole = (data / "formats" / "templates" / f"{name}-sample.dat").read_bytes()
    written, _ = recode_template(whole, name, short.get(name, "incits2009"))
    for view in read_record(whole, name).views:
        first = bytes([int(view.kind[0]) << 6 | int(view.x[0]) >> 8, int(view.x[0]) & 255])
        at = whole.index(first)
        angles_fit = name != "ansi378v2004"  # its angles over 179 are no angles of that standard
        assert not angles_fit or whole[at : at + 6 * len(view.x)] in written
