"""Exchange files written: single records, a latent with its markup, a ten-print card with minutiae.

A file that was read and is written again keeps the bytes of every record that was not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import direction_to_degrees, px_to_hundredths
from fpipe.core.errors import UsageError
from fpipe.core.types import GrayImage
from fpipe.formats.exchange.efs import Efs, EfsMinutia, Position, Region, efs_fields
from fpipe.formats.exchange.records import DATA, FIXED_TYPES, FS, GS, RS, US, ExchangeFile, Field, Record
from fpipe.formats.writing import encode_png

VERSION = "0502"
"""1.002: ANSI/NIST-ITL 1-2011 Update:2015."""
Value = str | bytes | Sequence[Sequence[str]]
"""A field's content: one item, bytes, or subfields of items."""
_SEPARATORS = frozenset("\x1c\x1d\x1e\x1f")
_DCS = [["003", "UTF-8"]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What Type-1 says of a transaction (section 8.1).

    kind : type of transaction (TOT), by the receiving domain; date : YYYYMMDD; time : YYYYMMDDHHMMSSZ, may be empty
    destination, origin : agencies (DAI, ORI); control : its number (TCN)
    """

    kind: str
    date: str
    destination: str
    origin: str
    control: str
    time: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """One print to be written.

    pixels : (H, W) uint8; ppi : None where unknown
    finger : position (FGP); impression : code of Table 7
    efs : markup, relative to the picture of this print; None for none
    compression : PNG or NONE, both lossless: evidence is not coded anew with losses
    """

    pixels: GrayImage
    ppi: float | None
    finger: int
    impression: int
    efs: Efs | None = None
    compression: Literal["PNG", "NONE"] = "PNG"


@dataclass(frozen=True, slots=True)
class Subject:
    """Fields of Type-2 by number (from 3 on), as the receiving domain defines them; any script, written as UTF-8."""

    fields: dict[int, str] = field(default_factory=dict)


def text_record(type: int, fields: Iterable[tuple[int, Value]]) -> Record:
    """A record of tagged fields; its length, field 1, is counted here.

    Raises UsageError for a separator inside a value, a number that comes twice, or a type without tags.
    """
    parts, made, seen = list[bytes](), list[Field](), {1}
    if type in FIXED_TYPES:
        raise UsageError(reason=f"a Type-{type} record has no tagged fields")
    for number, value in fields:
        if number in seen:
            raise UsageError(reason=f"field {type}.{number:03d} is given twice, or counted by itself")
        seen.add(number)
        data = value if isinstance(value, bytes) else _encoded(value, type, number)
        parts.append(b"%d.%03d:" % (type, number) + data)
        made.append(Field(number, data))
    body = b"".join(GS + part for part in parts) + FS
    length = len(body) + len(b"%d.001:" % type)
    while length != len(body) + len(b"%d.001:%d" % (type, length)):
        length = len(body) + len(b"%d.001:%d" % (type, length))
    head = Field(1, b"%d" % length)
    idc = next((int(f.value) for f in made if f.number == 2), None) if type != 1 else None
    data = b"%d.001:%d" % (type, length) + body
    return Record(type, idc, (head, *made), data, charset="utf-8")


def _encoded(value: str | Sequence[Sequence[str]], type: int, number: int) -> bytes:
    subfields = [[value]] if isinstance(value, str) else value
    for items in subfields:
        for item in items:
            if _SEPARATORS & set(item):
                where = f"field {type}.{number:03d}"
                raise UsageError(reason=f"{where}: {item!r} holds a separator (1c to 1f), which would break the record")
    try:
        return RS.join(US.join(item.encode("utf-8") for item in items) for items in subfields)
    except UnicodeEncodeError as error:
        raise UsageError(reason=f"field {type}.{number:03d}: not valid text ({error.reason})") from error


def compose(envelope: Envelope, records: Sequence[Record], per_mm: float | None = None) -> ExchangeFile:
    """A whole file: Type-1 in front, its 1.003 announcing the records as they come.

    per_mm : pixels a millimetre of Type-4 records, None where there is none
    """
    for record in records:
        if record.idc is None or record.type == 1:
            raise UsageError(reason=f"a Type-{record.type} record without IDC can't be announced")
    announced = [["1", str(len(records))], *([str(r.type), f"{r.idc:02d}"] for r in records)]
    scale = "00.00" if per_mm is None else f"{per_mm:05.2f}"
    fields: list[tuple[int, Value]] = [
        (2, VERSION),
        (3, announced),
        (4, envelope.kind),
        (5, envelope.date),
        (7, envelope.destination),
        (8, envelope.origin),
        (9, envelope.control),
        (11, scale),
        (12, scale),
    ]
    if envelope.domain:
        fields.append((13, [[envelope.domain]]))
    if envelope.time:
        fields.append((14, envelope.time))
    first = text_record(1, fields)
    if not first.data.isascii():
        raise UsageError(reason="Type-1 holds ASCII alone: put other text into Type-2")
    text = b"".join(f.value for r in records if r.type not in FIXED_TYPES for f in r.fields if f.number != DATA)
    if not text.isascii():
        first = text_record(1, [*fields, (15, _DCS)])
    return ExchangeFile((first, *records))


def latent(envelope: Envelope, subject: Subject, one: Print, agency: str) -> ExchangeFile:
    """A latent for search elsewhere: Types 1, 2, 13, and 9 with the extended feature set where it is marked up."""
    records = [_subject(subject), _picture(13, 1, one, agency, envelope.date)]
    if one.efs is not None:
        records.append(markup_record(1, one.efs, one.impression))
    return compose(envelope, records)


def tenprint(envelope: Envelope, subject: Subject, prints: Sequence[Print], agency: str) -> ExchangeFile:
    """A ten-print card: Types 1, 2, and for each print a Type-14, with a Type-9 where there are minutiae."""
    if not 1 <= len(prints) <= 99:
        raise UsageError(reason=f"{len(prints)} prints, expected 1 to 99 of a card")
    records = [_subject(subject)]
    for idc, one in enumerate(prints, 1):
        records.append(_picture(14, idc, one, agency, envelope.date))
        if one.efs is not None:
            records.append(markup_record(idc, one.efs, one.impression))
    return compose(envelope, records)


def _subject(subject: Subject) -> Record:
    return text_record(2, [(2, "00"), *sorted(subject.fields.items())])


def _picture(type: int, idc: int, one: Print, agency: str, date: str) -> Record:
    """A Type-13 or Type-14 record (sections 8.13, 8.14)."""
    if one.pixels.ndim != 2 or one.pixels.dtype != np.uint8 or not one.pixels.size:
        raise ValueError(f"exchange: {one.pixels.dtype} of shape {one.pixels.shape}, expected (H, W) uint8")
    height, width = one.pixels.shape
    unit, dots = _scale(one.ppi)
    data = encode_png(one.pixels, one.ppi) if one.compression == "PNG" else one.pixels.tobytes()
    fields: list[tuple[int, Value]] = [
        (2, f"{idc:02d}"),
        (3, str(one.impression)),
        (4, agency),
        (5, date),
        (6, str(width)),
        (7, str(height)),
        (8, str(unit)),
        (9, str(dots)),
        (10, str(dots)),
        (11, one.compression),
        (12, "8"),
        (13, str(one.finger)),
        (DATA, data),
    ]
    return text_record(type, fields)


def _scale(ppi: float | None) -> tuple[int, int]:
    """SLC and HPS: whole pixels an inch or a centimetre, whichever is nearer; 0 and 1 where it is unknown."""
    if ppi is None:
        return 0, 1
    inch, centimetre = round(ppi), round(ppi / 2.54)
    return (1, inch) if abs(inch - ppi) <= abs(centimetre * 2.54 - ppi) else (2, centimetre)


def markup_record(idc: int, efs: Efs, impression: int) -> Record:
    """A Type-9 record of the extended feature set (section 8.9.7)."""
    return text_record(9, [(2, f"{idc:02d}"), (3, str(impression)), (4, "U"), *efs_fields(efs)])


def efs_of(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    direction: NDArray[np.floating],
    kind: NDArray[np.uint8],
    *,
    width: int,
    height: int,
    ppi: float,
    finger: int | None = None,
) -> Efs:
    """A markup of minutiae in our convention: px from the top left, rad; the region is the whole picture.

    Points are kept inside the region, as the standard asks.
    """
    right, bottom = (int(v) for v in px_to_hundredths(np.array([width, height], np.float64), ppi))
    across = np.clip(px_to_hundredths(x, ppi), 0, right - 1)
    down = np.clip(px_to_hundredths(y, ppi), 0, bottom - 1)
    columns = zip(across, down, direction_to_degrees(direction), kind, strict=True)
    minutiae = tuple(EfsMinutia(int(a), int(b), int(d), {1: "E", 2: "B"}.get(int(k), "X")) for a, b, d, k in columns)
    return Efs(
        region=Region(right, bottom),
        positions=() if finger is None else (Position(finger),),
        minutiae=minutiae,
        none_of=() if minutiae else ("minutiae",),
    )
