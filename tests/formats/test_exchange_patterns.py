"""Pattern classes of exchange files: codes by the standard's tables, and what is said of a finger that has several."""

from __future__ import annotations

import pytest
from exchange_maker import header, tagged

from fpipe.formats.exchange.features import marks_of
from fpipe.formats.exchange.patterns import pattern_class
from fpipe.formats.exchange.records import parse


def classed(*fields: tuple[int, bytes], finger: int | None = 2, idc: int = 1) -> str | None:
    record = tagged(9, [(2, b"01"), (3, b"1"), (4, b"U"), *fields])
    return pattern_class(parse(header(b"1 1,9 1") + record, "x"), idc, finger)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"AU", "arch"), (b"AU\x1fPA", "arch"), (b"AU\x1fTA", "tented_arch"), (b"WU", "whorl"),
        (b"WU\x1fDL\x1fO", "whorl"),
        (b"LS", "left_loop"), (b"rs ", "right_loop"), (b"XX", None), (b"SR", None), (b"UC", None), (b"", None),
        (b"LS\x1eLS", "left_loop"), (b"LS\x1eWU\x1fPW", None), (b"LS\x1eUC", "left_loop"),
    ],
)  # fmt: skip
def test_extended_feature_set(code: bytes, expected: str | None) -> None:
    assert classed((307, code)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([(7, b"T\x1fTA")], "tented_arch"),
        ([(7, b"T\x1fUN")], None),
        ([(7, b"U\x1fXYZ")], None),
        ([(7, b"WU")], None),
        ([(17, b"LS\x1f15\x1f0")], "left_loop"),
        ([(17, b"WU\x1f15\x1f3\x1eRS")], None),
        ([(7, b"T\x1fUN"), (307, b"WU")], "whorl"),
        ([], None),
    ],
)
def test_older_fields(fields: list[tuple[int, bytes]], expected: str | None) -> None:
    assert classed(*fields) == expected


@pytest.mark.parametrize(
    ("finger", "ulnar", "radial"),
    [(2, "right_loop", "left_loop"), (11, "right_loop", "left_loop"), (7, "left_loop", "right_loop"), (0, None, None)],
)
def test_ulnar_loops_open_to_the_little_finger(finger: int, ulnar: str | None, radial: str | None) -> None:
    """On paper the right hand's little finger is at the right, the left hand's at the left."""
    assert classed((7, b"T\x1fUL"), finger=finger) == ulnar
    assert classed((7, b"T\x1fRL"), finger=finger) == radial


def test_another_finger_s_pattern_is_not_taken() -> None:
    assert classed((307, b"WU"), idc=2) is None


def test_a_palm_s_positions_have_five_digits() -> None:
    """Field 9.012 of a palm, XXXXXYYYYYTTT; of a finger XXXXYYYYTTT."""
    for text in (b"0100001000090", b"10001000090"):
        record = tagged(9, [(2, b"01"), (3, b"10"), (4, b"S"), (12, b"001\x1f" + text + b"\x1f02\x1fA")])
        (marks,) = marks_of(parse(header(b"1 1,9 1") + record, "x"), "x")
        assert marks.x[0] == pytest.approx(1000 * 500 / 2540)
