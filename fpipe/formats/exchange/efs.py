"""The extended feature set of Type-9 (fields 9.300 to 9.399): an examiner's markup with its meaning, read and written.

ANSI/NIST-ITL 1-2011 Update:2015, section 8.9.7 and Annex F.  All lengths are whole numbers of 0.01 mm, all points
relative to the top left corner of the region of interest, all directions whole degrees counter-clockwise from the
right: kept so, lossless; ``features`` makes pixels of them.  Fields not named here stay in the record as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from fpipe.core.errors import Damaged
from fpipe.formats.exchange.records import Record

T = TypeVar("T")
FULL_TURN = 360
"""Degrees, which some writers give for 0."""
MINUTIA_TYPES = ("E", "B", "X")
"""Ending, bifurcation, not known which (Table 42)."""


@dataclass(frozen=True, slots=True)
class Region:
    """9.300 ROI: the part of the picture that holds the impression; its corner is the origin of all other points.

    polygon : corners, relative to that same corner; empty for the rectangle
    """

    width: int
    height: int
    x: int = 0
    y: int = 0
    polygon: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Orientation:
    """9.301 ORT: degrees, -179 to 180, counter-clockwise, by which the fingertip is turned from upright; an uncertainty
    of 180 means unknown.  A record without it means upright, by the standard."""

    degrees: int
    uncertainty: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """9.302 FPP: a position the impression may be of (Table 8), and the segment of the finger."""

    code: int
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """9.307 PAT: class (AU, WU, RS, LS, XX, UP, UC, SR, DR), subclass (PA, TA, PW, CP, DL, AW), whorl's deltas."""

    general: str
    sub: str = ""
    whorl_delta: str = ""


@dataclass(frozen=True, slots=True)
class Core:
    """9.320 COR; None where not stated."""

    x: int
    y: int
    direction: int | None = None
    radius: int | None = None
    direction_uncertainty: int | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """9.321 DEL; directions up, left and right, their uncertainties alike; None where not stated."""

    x: int
    y: int
    up: int | None = None
    left: int | None = None
    right: int | None = None
    type: str = ""
    radius: int | None = None
    up_uncertainty: int | None = None
    left_uncertainty: int | None = None
    right_uncertainty: int | None = None


@dataclass(frozen=True, slots=True)
class EfsMinutia:
    """9.331 MIN: direction along the ridge (ending) or the valley (bifurcation); radius and degrees of uncertainty."""

    x: int
    y: int
    direction: int
    type: str
    radius: int | None = None
    direction_uncertainty: int | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """9.353 EAA: an examiner's judgement (VALUE, LIMITED, NOVALUE, NONPRINT), by whom and when."""

    code: str
    surname: str = ""
    given_name: str = ""
    affiliation: str = ""
    time: str = ""
    comment: str = ""
    complexity: str = ""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """9.361 CPF: a point that corresponds, or does not, under a label shared with the other impression.

    type : F a feature and P a point that corresponds, DF and DP debatably; others (X, R, U ...) none that does
    field, occurrence : the feature meant (331 and its number from 1 for a minutia); None for a point of its own
    """

    label: str
    type: str
    field: int | None = None
    occurrence: int | None = None
    x: int | None = None
    y: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Efs:
    """An examiner's markup of one impression.  ``none_of``: kinds that were looked for and are not there."""

    region: Region | None = None
    orientation: Orientation | None = None
    positions: tuple[Position, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    cores: tuple[Core, ...] = ()
    deltas: tuple[Delta, ...] = ()
    minutiae: tuple[EfsMinutia, ...] = ()
    value: Value | None = None
    correspondences: tuple[Correspondence, ...] = ()
    none_of: tuple[str, ...] = ()


NONE_OF = {325: "cores", 326: "deltas", 334: "minutiae"}
"""Fields that say Y where there are none of a kind."""
NUMBERS = frozenset({300, 301, 302, 307, 320, 321, 331, 353, 361, *NONE_OF})
"""Fields that have a meaning here."""


class _Items:
    """The items of one subfield; what is no number is an error that says where."""

    def __init__(self, items: list[str], number: int, occurrence: int, where: str) -> None:
        self.items, self.number, self.occurrence, self.where = items, number, occurrence, where

    def text(self, at: int) -> str:
        """An item, empty where there is none."""
        return self.items[at].strip() if at < len(self.items) else ""

    def maybe(self, at: int) -> int | None:
        """An item as a whole number; None where it is empty."""
        text = self.text(at)
        if not text:
            return None
        digits = text.removeprefix("-").removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise self.bad(at, "a whole number")
        return int(text)

    def whole(self, at: int) -> int:
        """The same, required."""
        value = self.maybe(at)
        if value is None:
            raise self.bad(at, "a whole number")
        return value

    def bad(self, at: int, expected: str) -> Damaged:
        """The error of an item."""
        place = f"field 9.{self.number}, entry {self.occurrence}, item {at + 1}"
        return Damaged(where=self.where, reason=f"{place}: {self.text(at)!r}, expected {expected}")


def read_efs(record: Record, where: str) -> Efs | None:
    """The markup of a Type-9 record; None where it has none.

    Raises Damaged where an item is not what it must be.
    """
    if not any(field.number in NUMBERS for field in record.fields):
        return None

    def all_of(number: int, make: Callable[[_Items], T]) -> tuple[T, ...]:
        entries = record.entries(number)
        return tuple(make(_Items(items, number, i, where)) for i, items in enumerate(entries, 1))

    def first_of(number: int, make: Callable[[_Items], T]) -> T | None:
        return next(iter(all_of(number, make)), None)

    return Efs(
        region=first_of(300, _region),
        orientation=first_of(301, lambda i: Orientation(i.whole(0), i.maybe(1))),
        positions=all_of(302, lambda i: Position(i.whole(0), i.text(1))),
        patterns=all_of(307, lambda i: Pattern(i.text(0), i.text(1), i.text(2))),
        cores=all_of(320, lambda i: Core(i.whole(0), i.whole(1), i.maybe(2), i.maybe(3), i.maybe(4))),
        deltas=all_of(321, _delta),
        minutiae=all_of(331, _minutia),
        value=first_of(353, lambda i: Value(*(i.text(at) for at in range(7)))),
        correspondences=all_of(361, _correspondence),
        none_of=tuple(kind for number, kind in NONE_OF.items() if record.text(number).upper() == "Y"),
    )


def _region(i: _Items) -> Region:
    width, height = i.whole(0), i.whole(1)
    if width < 1 or height < 1:
        raise i.bad(0 if width < 1 else 1, "a length of 0.01 mm or more")
    return Region(width, height, i.maybe(2) or 0, i.maybe(3) or 0, _polygon(i, 4))


def _polygon(i: _Items, at: int) -> tuple[tuple[int, int], ...]:
    """``x,y-x,y-...`` (section 7.7.12.1)."""
    corners = []
    for corner in i.text(at).split("-") if i.text(at) else ():
        x, _, y = corner.partition(",")
        if not (x.isascii() and y.isascii() and x.isdigit() and y.isdigit() and max(len(x), len(y)) < 10):
            raise i.bad(at, "corners as x,y-x,y-x,y")
        corners.append((int(x), int(y)))
    return tuple(corners)


def _delta(i: _Items) -> Delta:
    directions = i.maybe(2), i.maybe(3), i.maybe(4)
    return Delta(i.whole(0), i.whole(1), *directions, i.text(5), i.maybe(6), i.maybe(7), i.maybe(8), i.maybe(9))


def _minutia(i: _Items) -> EfsMinutia:
    kind = i.text(3).upper()
    if kind not in MINUTIA_TYPES:
        raise i.bad(3, "E, B or X")
    if not 0 <= i.whole(2) <= FULL_TURN:
        raise i.bad(2, "a direction of 0 to 359")
    return EfsMinutia(i.whole(0), i.whole(1), i.whole(2), kind, i.maybe(4), i.maybe(5))


def _correspondence(i: _Items) -> Correspondence:
    point = i.maybe(2), i.maybe(3), i.maybe(4), i.maybe(5)
    if point[0] is not None and not 300 <= point[0] <= 399:
        raise i.bad(2, "a field number of 300 to 399, or nothing")
    return Correspondence(i.text(0), i.text(1), *point, i.text(6))


def efs_fields(efs: Efs) -> list[tuple[int, list[list[str]]]]:
    """(number, subfields) of a markup, to be written."""
    fields: list[tuple[int, list[list[str]]]] = []
    if (region := efs.region) is not None:
        items = [region.width, region.height]
        if region.x or region.y or region.polygon:
            items += [region.x, region.y]
        path = "-".join(f"{x},{y}" for x, y in region.polygon)
        fields.append((300, [_strings([*items, *((path,) if path else ())])]))
    if efs.orientation is not None:
        fields.append((301, [_strings((efs.orientation.degrees, efs.orientation.uncertainty))]))
    fields += [
        (302, [_strings((p.code, p.segment)) for p in efs.positions]),
        (307, [_strings((p.general, p.sub, p.whorl_delta)) for p in efs.patterns]),
        (320, [_strings((c.x, c.y, c.direction, c.radius, c.direction_uncertainty)) for c in efs.cores]),
        (321, [_strings(_values(d)) for d in efs.deltas]),
        *((number, [["Y"]]) for number, kind in NONE_OF.items() if kind in efs.none_of and number != 334),
        (331, [_strings(_values(m)) for m in efs.minutiae]),
    ]
    if "minutiae" in efs.none_of:
        fields.append((334, [["Y"]]))
    if efs.value is not None:
        fields.append((353, [_strings(_values(efs.value))]))
    fields.append((361, [_strings(_values(c)) for c in efs.correspondences]))
    return [(number, entries) for number, entries in fields if entries]


def _values(entry: Delta | EfsMinutia | Value | Correspondence) -> list[str | int | None]:
    return [getattr(entry, name) for name in entry.__dataclass_fields__]


def _strings(values: Iterable[str | int | None]) -> list[str]:
    """As text, without the empty items at the end."""
    found = ["" if value is None else str(value) for value in values]
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found
