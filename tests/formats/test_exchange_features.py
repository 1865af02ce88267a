"""Type-9 records: four ways to say where a minutia is, and an examiner's markup, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, a_print, header, tagged
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.conventions import (
    degrees_to_direction,
    direction_to_degrees,
    hundredths_to_px,
    itl_to_ours,
    ours_to_itl,
    px_to_hundredths,
)
from fpipe.core.errors import Damaged
from fpipe.formats.exchange.building import efs_of, latent, markup_record
from fpipe.formats.exchange.efs import (
    Core,
    Correspondence,
    Delta,
    Efs,
    EfsMinutia,
    Orientation,
    Pattern,
    Position,
    Region,
    Value,
    read_efs,
)
from fpipe.formats.exchange.features import Marks, marks_of
from fpipe.formats.exchange.records import parse

MARKUP = Efs(
    region=Region(400, 500, 30, 50, ((0, 0), (399, 0), (200, 499))),
    orientation=Orientation(-15, 30),
    positions=(Position(7, "DST"), Position(8)),
    patterns=(Pattern("WU", "PW", "I"), Pattern("LS")),
    cores=(Core(120, 200, 90, 5, 10), Core(1, 2)),
    deltas=(Delta(10, 400, 90, 210, 330, "L", 20, 1, 2, 3), Delta(350, 410)),
    minutiae=(
        EfsMinutia(100, 200, 45, "E"),
        EfsMinutia(0, 0, 359, "B", 30, 15),
        EfsMinutia(399, 499, 0, "X", None, 180),
    ),
    value=Value("LIMITED", "Nobody", "Ann", "Lab", "20260101120000Z", "smudged", "COMPLEX"),
    correspondences=(Correspondence("A", "F", 331, 2), Correspondence("B", "P", None, None, 20, 30, "a dot")),
)


def nine(fields: list[tuple[int, bytes]], picture: bool = True) -> list[Marks]:
    """The marks of one Type-9 record, with a picture of 120 x 140 px at 500 ppi beside it."""
    record = tagged(9, [(2, b"01"), (3, b"0"), (4, b"S"), *fields])
    other = [
        (2, b"01"),
        (3, b"0"),
        (6, b"120"),
        (7, b"140"),
        (8, b"1"),
        (9, b"500"),
        (10, b"500"),
        (13, b"8"),
        (999, b""),
    ]
    data = header(b"1 2,9 1,14 1") + record + tagged(14, other) if picture else header(b"1 1,9 1") + record
    return marks_of(parse(data, "x"), "x")


def test_conversions_both_ways() -> None:
    y, direction = itl_to_ours(np.array([2030.0, 0.0]), np.array([101.0, 0.0]), 768, 500)
    np.testing.assert_allclose(y, [767.5 - 399.606, 767.5], atol=0.001)
    np.testing.assert_allclose(np.rad2deg(direction), [281, 180], atol=1e-9)
    up, degrees = ours_to_itl(y, direction, 768, 500)
    assert up.tolist() == [2030, 0]
    assert degrees.tolist() == [101, 0]
    assert px_to_hundredths(hundredths_to_px(np.arange(9999.0), 500), 500).tolist() == list(range(9999))
    assert direction_to_degrees(degrees_to_direction(np.arange(360.0))).tolist() == list(range(360))
    assert direction_to_degrees(np.array([2 * np.pi - 1e-4])).tolist() == [0]


def test_the_standard_block() -> None:
    rows = b"001\x1f04060203090\x1f02\x1fA\x1e002\x1f00000000359\x1f63\x1fB\x1e003\x1f00510051180\x1f00\x1fD"
    (marks,) = nine([(6, b"07"), (8, b"02030406"), (10, b"3"), (12, rows)])
    assert (marks.block, marks.finger, marks.width, marks.height, marks.ppi) == ("standard", 7, 120, 140, 500)
    np.testing.assert_allclose(marks.x, [79.92, 0, 10.04], atol=0.01)
    np.testing.assert_allclose(marks.y, [139.5 - 39.96, 139.5, 129.46], atol=0.01)
    np.testing.assert_allclose(np.rad2deg(marks.direction), [270, 179, 0], atol=1e-9)
    assert marks.kind.tolist() == [1, 2, 0]
    assert marks.quality.tolist() == [100, 1, 0]
    np.testing.assert_allclose(marks.cores, [(39.96, 59.58)], atol=0.01)


def test_the_standard_block_without_a_picture_says_what_it_assumes() -> None:
    (marks,) = nine([(12, b"001\x1f04060203090\x1f02\x1fA\x1e002\x1f00000508000\x1f02\x1fA")], picture=False)
    assert marks.height is None
    assert "no picture of this IDC" in marks.notices[0]
    np.testing.assert_allclose(np.diff(marks.y), [39.96 - 100], atol=0.01)
    assert marks.y.min() >= 0


def test_the_incits_block() -> None:
    fields = [(126, b"27\x1f513\x1f0"), (128, b"120"), (129, b"141"), (130, b"2"), (131, b"197"), (132, b"197")]
    rows = b"001\x1f10\x1f20\x1f179\x1f1\x1f100\x1e002\x1f119\x1f0\x1f0\x1f2\x1f254\x1e003\x1f500\x1f3\x1f45\x1f9\x1f0"
    (marks,) = nine([*fields, (134, b"03"), (136, b"4"), (137, rows), (139, b"50\x1f60\x1f0"), (140, b"1\x1f2\x1f0")])
    assert (marks.block, marks.finger, marks.width, marks.height) == ("incits378", 3, 120, 141)
    assert marks.ppi == pytest.approx(500.38)
    assert marks.x.tolist() == [10, 119, 500]
    assert marks.y.tolist() == [20, 0, 3]
    np.testing.assert_allclose(np.rad2deg(marks.direction), [358, 0, 90], atol=1e-5)
    assert marks.kind.tolist() == [1, 2, 0]
    assert marks.quality.tolist() == [100, 0, 0]
    assert marks.cores == ((50, 60),)
    assert marks.deltas == ((1, 2),)
    text = " | ".join(marks.notices)
    assert "says 4 minutiae, field 9.137 has 3" in text
    assert "1 minutiae outside the picture" in text
    assert "120 x 141 px, the picture has 120 x 140" in text


def test_the_fbi_block() -> None:
    (marks,) = nine([(14, b"08"), (23, b"001\x1f04060203281\x1f00\x1fC\x1f03304")])
    assert (marks.block, marks.finger) == ("fbi", 8)
    np.testing.assert_allclose([marks.x[0], marks.y[0]], [79.92, 39.96], atol=0.01)
    np.testing.assert_allclose(np.rad2deg(marks.direction), [281], atol=1e-9)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([(12, b"001\x1f0406020309\x1f02\x1fA")], "field 9.012, entry 1: '0406020309', expected 11 digits"),
        ([(12, b"001\x1f04060203361\x1f02\x1fA")], "a direction of 361, expected 0 to 359"),
        ([(12, b"001")], "field 9.012, entry 1: ''"),
        ([(137, b"001\x1f10\x1f20\x1f180\x1f1\x1f100")], "field 9.137, entry 1, item 4: 180, expected 0 to 179"),
        ([(137, b"001\x1f10\x1f-2\x1f18\x1f1\x1f100")], "field 9.137, entry 1, item 3: '-2'"),
        ([(137, b"001\x1f10")], "field 9.137, entry 1, item 3: ''"),
        ([(331, b"1\x1f2\x1f3\x1fQ")], "field 9.331, entry 1, item 4: 'Q', expected E, B or X"),
        ([(331, b"1\x1f2\x1f3\x1fE\x1e1\x1f\x1f3\x1fE")], "field 9.331, entry 2, item 2: ''"),
        ([(300, b"0\x1f5")], "field 9.300, entry 1, item 1: '0', expected a length"),
        ([(300, b"5\x1f5\x1f0\x1f0\x1f1,2-x")], "expected corners as x,y-x,y-x,y"),
        ([(361, b"A\x1fD\x1f12")], "a field number of 300 to 399"),
        ([(320, b"1e5\x1f2")], "field 9.320, entry 1, item 1: '1e5'"),
    ],
)
def test_broken_entries_are_named(fields: list[tuple[int, bytes]], words: str) -> None:
    with pytest.raises(Damaged, match=words.replace("(", r"\(")) as caught:
        nine(fields)
    assert "Type-9 record (IDC 1)" in caught.value.message


def test_a_markup_comes_back_whole() -> None:
    record = markup_record(1, MARKUP, 4)
    assert read_efs(record, "x") == MARKUP
    written = latent(ENVELOPE, NAMED, a_print(7, 4, efs=MARKUP), "SRC")
    (marks,) = marks_of(parse(written.to_bytes(), "x"), "x")
    assert marks.efs == MARKUP
    assert (marks.block, marks.finger, marks.width, marks.height, marks.ppi) == ("efs", 7, 120, 140, 500)
    scale = 500 / 2540
    np.testing.assert_allclose(marks.x, np.array([130, 30, 429]) * scale)
    np.testing.assert_allclose(marks.y, np.array([250, 50, 549]) * scale)
    np.testing.assert_allclose(np.rad2deg(marks.direction), [45, 359, 0])
    assert marks.kind.tolist() == [1, 2, 0]
    np.testing.assert_allclose(marks.radius, [np.nan, 30 * scale, np.nan])
    np.testing.assert_allclose(marks.spread, [np.nan, 15, 180])
    np.testing.assert_allclose(marks.cores, np.array([(150, 250), (31, 52)]) * scale)
    np.testing.assert_allclose(marks.deltas, np.array([(40, 450), (380, 460)]) * scale)


def test_a_markup_of_nothing_found() -> None:
    efs = Efs(region=Region(10, 10), none_of=("cores", "deltas", "minutiae"))
    assert read_efs(markup_record(1, efs, 4), "x") == efs
    assert read_efs(markup_record(1, Efs(), 4), "x") is None


whole = st.integers(0, 49999)
maybe = st.none() | st.integers(0, 359)
words = st.text(st.characters(codec="utf-8", exclude_characters="\x1c\x1d\x1e\x1f"), max_size=10).map(str.strip)
markups = st.builds(
    Efs,
    region=st.none() | st.builds(Region, st.integers(1, 49999), st.integers(1, 49999), whole, whole),
    orientation=st.none() | st.builds(Orientation, st.integers(-179, 180), maybe),
    positions=st.lists(st.builds(Position, st.integers(0, 99)), max_size=3).map(tuple),
    cores=st.lists(st.builds(Core, whole, whole, maybe, maybe, maybe), max_size=3).map(tuple),
    deltas=st.lists(st.builds(Delta, whole, whole, maybe, maybe, maybe, st.just(""), maybe, maybe), max_size=3).map(
        tuple
    ),
    minutiae=st.lists(
        st.builds(EfsMinutia, whole, whole, st.integers(0, 359), st.sampled_from("EBX"), maybe, maybe), max_size=20
    ).map(tuple),
    value=st.none() | st.builds(Value, st.sampled_from(["VALUE", "LIMITED", "NOVALUE"]), words, words, words, words),
)


@given(markups)
def test_any_markup_comes_back(efs: Efs) -> None:
    assert (read_efs(markup_record(1, efs, 4), "x") or Efs()) == efs


@given(st.integers(1, 40), st.sampled_from([500.0, 1000.0, 500.38]), st.integers(0, 2**31))
def test_minutiae_in_pixels_come_back_within_half_a_unit(count: int, ppi: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, d = rng.uniform(0, 118, count), rng.uniform(0, 138, count), rng.uniform(0, 2 * np.pi, count)
    kind = rng.integers(0, 3, count).astype(np.uint8)
    efs = efs_of(x, y, d, kind, width=120, height=140, ppi=ppi, finger=2)
    written = latent(ENVELOPE, NAMED, a_print(2, 4, ppi, efs=efs), "SRC").to_bytes()
    (marks,) = marks_of(parse(written, "x"), "x")
    unit = ppi / 2540
    np.testing.assert_allclose(marks.x, x, atol=0.51 * unit + 1e-3)
    np.testing.assert_allclose(marks.y, y, atol=0.51 * unit + 1e-3)
    turned = np.rad2deg(marks.direction - d)
    np.testing.assert_allclose((turned + 180) % 360 - 180, 0, atol=0.51)
    assert marks.kind.tolist() == kind.tolist()


@pytest.mark.real
def test_one_print_told_in_three_ways(data: Path) -> None:
    """NIST's reference files: the same 48 minutiae as 0.01 mm from below, as pixels, and as the FBI has them."""

    def marks(name: str, idc: int) -> Marks:
        path = data / "formats" / "an2" / f"{name}.an2"
        return next(m for m in marks_of(parse(path.read_bytes(), name), name) if m.record.idc == idc)

    for ours, theirs, most in (
        (marks("type-9-13-std", 1), marks("type-9-13-9-14-m1", 1), 0.12),
        (marks("type-9-14-std", 1), marks("type-9-13-9-14-m1", 2), 0.5),  # its picture is said to have 500.38 ppi
        (marks("type-9-4-iafis", 1), marks("type-9-13-9-14-m1", 2), 0.25),
    ):
        assert len(ours) == len(theirs) == 48
        assert np.abs(ours.x - theirs.x).max() < most
        assert np.abs(ours.y - theirs.y).max() < most
        turned = np.rad2deg(ours.direction - theirs.direction)
        assert np.abs((turned + 180) % 360 - 180).max() < 1.001  # half a step of 2 degrees
        assert ours.finger == theirs.finger == 8


@pytest.mark.real
def test_the_examiners_minutiae_of_the_data_folder(data: Path) -> None:
    """latent_real holds them as text, their directions checked against the pictures."""
    path = data / "formats" / "an2" / "type-9-13-9-14-m1.an2"
    found = marks_of(parse(path.read_bytes(), "x"), "x")
    for marks, name in zip(found, ("sd27_an2_latent_minutiae.txt", "sd27_an2_mate_minutiae.txt"), strict=True):
        table = np.loadtxt(data / "latent_real" / name)
        np.testing.assert_allclose(marks.x, table[:, 0])
        np.testing.assert_allclose(marks.y, table[:, 1])
        np.testing.assert_allclose(np.rad2deg(marks.direction), table[:, 2], atol=1e-3)
