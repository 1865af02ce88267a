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
from fpipe.minutiae import iso
from fpipe.minutiae.files import describe_template, parse_template, read_record

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
    written, notices = iso.write(template, finger=2)
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
    data, _ = iso.write(Template(m, 300, 400), ppi=ppi)
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
    data, notices = iso.write(Template(m, 400, 400))
    kept = parse_template(data, "f").template.minutiae
    assert len(kept) == 255
    assert "300 minutiae" in notices[0]
    assert kept.quality.min() == np.sort(quality)[-255]
    assert (np.diff(kept.x) > 0).all()


def test_positions_beyond_14_bits_are_refused() -> None:
    m = Minutiae(*(np.array([v], t) for v, t in ((5000, "f4"), (0, "f4"), (0, "f4"), (1, "u1"), (1, "u1"))))
    with pytest.raises(BadTemplate, match="smaller ppi"):
        iso.write(Template(m, 8000, 100), ppi=2000)


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
