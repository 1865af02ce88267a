"""The traditional encoding of ANSI/NIST-ITL files: bytes to records of fields, and back (1-2011 Update:2015, Annex B).

Of its own, and not by the package ``nistitl`` (0.6, looked at): that reads and writes Latin-1 whatever field 1.015
says, so that an Arabic name is lost; lets separators inside a value through, so that one item becomes two; leaves
Types 3 to 8 as bare bytes; says neither byte nor field where a file is broken; and gives a TypeError for an empty one.
What would be left of it is shorter than the wrapping.

Every record keeps the bytes it was read from, so a file that is written again unchanged is the same file.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from fpipe.core.errors import Damaged, EmptyFile, NotAnImage, Truncated

FS, GS, RS, US = b"\x1c", b"\x1d", b"\x1e", b"\x1f"
"""Separators: end of record, of field, of subfield, of item."""
DATA = 999
"""The field that holds a picture or sound as bytes, last in its record."""
_BEGIN = re.compile(rb"0{0,2}1\.0{0,5}1:")
"""How a file begins: 1.001: by the present standard, 1.01: by that of 1993 and 2000, with other zeros by some."""
FIXED_TYPES = frozenset(range(3, 9))
"""Record types of a fixed binary layout, without tags."""
_TEXT_ONLY = (1, 2, 9)
_LAYOUT = struct.Struct(">IBB6sBHHB"), struct.Struct(">IBBBBHH"), struct.Struct(">IB")
_KEPT_LOOSELY = "its fields can't be told apart ({}); it is kept as it is"
_USED = frozenset({1, 4, 9, 13, 14, 15})
"""Record types whose content is used: there a contradiction is an error, elsewhere a notice."""
_TAG = re.compile(rb"(\d{1,3})\.(\d{1,6}):")
_SECOND_DATA = re.compile(rb"\d{1,12}\x1d\d{2}\.999:")
_PADDING = b"\0\t\n\r\x1a "
MOST_LENGTH = 1 << 40
"""Bytes; a longer record is a broken length."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number after the dot, its bytes, and the byte of the file they begin at."""

    number: int
    value: bytes
    at: int = 0

    def subfields(self, charset: str = "latin-1") -> list[list[str]]:
        """Its subfields, each a list of items, as text."""
        return [[_text(item, charset) for item in part.split(US)] for part in self.value.split(RS)]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One record, its fields in the file's order; of Types 3 to 8 those of the fixed layout, by the standard's numbers.

    idc : the number that ties the records of one print together, None in Type-1 and where it is missing
    data : all its bytes, as in the file
    at : byte of the file where it begins
    charset : of its text
    """

    type: int
    idc: int | None
    fields: tuple[Field, ...]
    data: bytes
    at: int = 0
    charset: str = "latin-1"

    def field(self, number: int) -> Field | None:
        """A field by its number; None where there is none."""
        return next((field for field in self.fields if field.number == number), None)

    def items(self, number: int) -> list[list[str]]:
        """Subfields and items of a text field; none where there is no field."""
        field = self.field(number)
        return [] if field is None else field.subfields(self.charset)

    def entries(self, number: int) -> list[list[str]]:
        """The same without empty subfields at the end, which some writers leave and which say nothing."""
        found = self.items(number)
        while found and not any(item.strip() for item in found[-1]):
            found.pop()
        return found

    def text(self, number: int) -> str:
        """The first item of a text field, without blanks around it; empty where there is none."""
        items = self.items(number)
        return items[0][0].strip() if items else ""

    def integer(self, number: int) -> int | None:
        """A field as a number of zero or more; None where there is none, or something else."""
        field = self.field(number)
        if field is None:
            return None
        if self.type in FIXED_TYPES:
            return int.from_bytes(field.value, "big")
        text = self.text(number)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


@dataclass(frozen=True, slots=True, eq=False)
class ExchangeFile:
    """A whole file: its records, the padding behind them, and what a person should know, one line each."""

    records: tuple[Record, ...]
    tail: bytes = b""
    notices: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The file again: of a file that was read exactly its bytes."""
        return b"".join(record.data for record in self.records) + self.tail


def is_exchange(head: bytes) -> bool:
    """Whether a file's first bytes are those of an ANSI/NIST-ITL file in the traditional encoding."""
    return _BEGIN.match(head) is not None


def parse(data: bytes, where: str) -> ExchangeFile:
    """All records of a file.

    Raises EmptyFile, NotAnImage where it is no such file, Truncated or Damaged (naming byte, record and field) where it
    contradicts itself.
    """
    if not data:
        raise EmptyFile(where=where)
    if not is_exchange(data):
        raise NotAnImage(where=where, reason=f"no ANSI/NIST file either: it begins with {data[:6]!r}, not b'1.001:'")
    notices: list[str] = []
    first = _text_record(data, 0, 1, "ascii", where, notices)
    charset = _charset(first, notices)
    records, at = [first], len(first.data)
    for type, idc in _announced(first, where):
        if at >= len(data):
            reason = f"at byte {at}: field 1.003 announces a Type-{type} record (IDC {idc}), 0 bytes are left"
            raise Truncated(where=where, reason=reason)
        if type in FIXED_TYPES:
            record = _fixed_record(data, at, type, where)
        else:
            record = _text_record(data, at, type, charset, where, notices)
        if record.idc is not None and record.idc != idc:
            notices.append(f"Type-{type} record at byte {at}: its IDC is {record.idc}, field 1.003 says {idc}")
        records.append(record)
        at += len(record.data)
    tail = _tail(data, at, where, notices)
    _notice_text(records, charset, notices)
    return ExchangeFile(tuple(records), tail, tuple(notices))


def _announced(first: Record, where: str) -> list[tuple[int, int]]:
    """(type, IDC) of the records that follow, by field 1.003 CNT."""
    field = first.field(3)
    if field is None:
        raise Damaged(where=where, reason="Type-1 record: no field 1.003, which announces the others")
    found = []
    for items in first.entries(3):
        numbers = [item.strip() for item in items]
        if len(numbers) != 2 or not all(n.isascii() and n.isdigit() and len(n) < 6 for n in numbers):
            reason = f"at byte {field.at}: field 1.003: {items!r}, expected a record type and a number"
            raise Damaged(where=where, reason=reason)
        found.append((int(numbers[0]), int(numbers[1])))
    if not found:
        raise Damaged(where=where, reason=f"at byte {field.at}: field 1.003, which announces the others, is empty")
    if found[0][0] != 1 or found[0][1] != len(found) - 1:
        reason = f"field 1.003 begins with {found[0][0]}, {found[0][1]} and announces {len(found) - 1} records"
        raise Damaged(where=where, reason=f"at byte {field.at}: {reason}; expected 1, {len(found) - 1}")
    for type, _ in found[1:]:
        if not 2 <= type <= 99:
            raise Damaged(where=where, reason=f"at byte {field.at}: field 1.003: there is no record Type-{type}")
    return found[1:]


def _text_record(data: bytes, at: int, type: int, charset: str, where: str, notices: list[str]) -> Record:
    tag = _TAG.match(data, at)
    if tag is None or int(tag[2]) != 1 or int(tag[1]) != type:
        reason = f"at byte {at}: a Type-{type} record is announced, found {data[at : at + 8]!r}"
        raise Damaged(where=where, reason=f"{reason}; expected '{type}.001:'")
    match = re.compile(rb"\s*(\d{1,15})\s*[\x1c\x1d]").match(data, tag.end())
    length = int(match[1]) if match else 0
    name = f"Type-{type} record at byte {at}"
    if not match:
        got = data[tag.end() : tag.end() + 12].split(GS)[0]
        if len(data) - tag.end() < 16 and got.strip().isdigit():
            raise Truncated(where=where, reason=f"{name}: it ends inside field {type}.001")
        raise Damaged(where=where, reason=f"{name}: field {type}.001 is {got!r}, expected its length")
    if length > len(data) - at:
        reason = f"{name}: {length} bytes announced in field {type}.001, {len(data) - at} left"
        raise (Truncated if length < MOST_LENGTH else Damaged)(where=where, reason=reason)
    if length < match.end() - at or data[at + length - 1 : at + length] != FS:
        last = data[max(at, at + length - 1) : at + length].hex() or "nothing"
        reason = f"{name}: field {type}.001 says {length} bytes, but there it has {last}, expected the end mark 1c"
        raise Damaged(where=where, reason=reason)
    whole = data[at : at + length]
    try:
        fields = tuple(_fields(whole, at, type, where, notices))
    except Damaged as error:
        if type in _USED:
            raise
        notices.append(f"{name}: {_KEPT_LOOSELY.format(error.facts['reason'])}")
        fields = (Field(1, match[1], tag.end()),)
    record = Record(type, None, fields, whole, at, charset)
    if type == 1:
        return record
    idc = record.integer(2)
    if idc is None:
        notices.append(f"{name}: field {type}.002 is {record.text(2)!r}, expected its IDC")
    return Record(type, idc, fields, whole, at, charset)


def _fields(whole: bytes, base: int, type: int, where: str, notices: list[str]) -> list[Field]:
    """The fields of a tagged record; ``base`` is the byte of the file where it begins."""
    found, seen, at, end = list[Field](), set[int](), 0, len(whole) - 1
    while at < end:
        tag = _TAG.match(whole, at)
        if tag is None or int(tag[1]) != type:
            got = whole[at : at + 8]
            reason = f"at byte {base + at}: Type-{type} record: {got!r} after field {found[-1].number if found else 0}"
            raise Damaged(where=where, reason=f"{reason}; expected a tag '{type}.nnn:'")
        number, start = int(tag[2]), tag.end()
        if number == DATA and type not in _TEXT_ONLY:
            second = _SECOND_DATA.match(whole, start)
            if second is not None:  # NIST's own reference files have it
                text = f"field {type}.{DATA} is there twice; the second, which holds the data, is taken"
                notices.append(f"Type-{type} record at byte {base}: {text}")
                start = second.end()
            found.append(Field(number, whole[start:end], base + start))
            return found
        stop = whole.find(GS, start, end)
        stop = end if stop < 0 else stop
        inside = whole.find(FS, start, stop)
        if inside >= 0:
            reason = f"at byte {base + inside}: an end mark (1c) inside field {type}.{number:03d}"
            raise Damaged(where=where, reason=f"{reason}; the length in field {type}.001 is too large")
        if number in seen:
            reason = f"at byte {base + at}: field {type}.{number:03d} is there twice"
            if type in _USED:
                raise Damaged(where=where, reason=f"{reason}; expected once")
            notices.append(reason)
        seen.add(number)
        found.append(Field(number, whole[start:stop], base + start))
        at = stop + 1
    return found


def _fixed_record(data: bytes, at: int, type: int, where: str) -> Record:
    """Types 3 to 8: (first byte after the header) by their layouts; of Type-7 only length and IDC are laid down."""
    layout = _LAYOUT[{7: 2, 8: 1}.get(type, 0)]
    name, left = f"Type-{type} record at byte {at}", len(data) - at
    if left < layout.size:
        raise Truncated(where=where, reason=f"{name}: {layout.size} bytes of header expected, {left} left")
    length = int.from_bytes(data[at : at + 4], "big")
    if length < layout.size:
        reason = f"{name}: its first four bytes say {length} bytes, expected at least {layout.size}"
        raise Damaged(where=where, reason=reason)
    if length > left:
        raise Truncated(where=where, reason=f"{name}: {length} bytes announced, {left} left")
    sizes = [4, 1, *{7: (), 8: (1, 1, 1, 2, 2)}.get(type, (1, 6, 1, 2, 2, 1))]
    fields, begin = [], at
    for number, size in enumerate([*sizes, length - layout.size], 1):
        fields.append(Field(number, data[begin : begin + size], begin))
        begin += size
    return Record(type, data[at + 4], tuple(fields), data[at : at + length], at)


def _tail(data: bytes, at: int, where: str, notices: list[str]) -> bytes:
    tail = data[at:]
    if not tail.strip(_PADDING):
        if tail:
            notices.append(f"{len(tail)} bytes of padding follow the last record")
        return tail
    tag = _TAG.match(tail)
    if tag is not None and int(tag[2]) == 1:
        reason = f"at byte {at}: a Type-{int(tag[1])} record that field 1.003 does not announce"
    else:
        reason = f"at byte {at}: {len(tail)} bytes after the last record that field 1.003 announces"
    raise Damaged(where=where, reason=reason)


def _charset(first: Record, notices: list[str]) -> str:
    """Of the text by field 1.015 DCS (Update:2015, Table 4): 000 ASCII, 001 Latin-1, 003 UTF-8."""
    items = first.items(15)
    code, name = (items[0][0].strip(), items[0][1].strip() if len(items[0]) > 1 else "") if items else ("", "")
    known = code.isascii() and code.isdigit() and len(code) < 5
    if not known or int(code) in (0, 1):
        if code and not known:
            notices.append(f"field 1.015 is {code!r}, expected a number; text is read as Latin-1")
        return "latin-1"
    if int(code) in (2, 3):
        if int(code) == 2 or "8" not in (name or "8"):
            notices.append(f"field 1.015 says {code} {name!r}; text is read as UTF-8")
        return "utf-8"
    notices.append(f"field 1.015 says {code} {name!r}, which is not read; text is read as Latin-1")
    return "latin-1"


def _notice_text(records: list[Record], charset: str, notices: list[str]) -> None:
    """Say where text is not what field 1.015 declares; and what it would be as UTF-8, which many forget to declare."""
    for record in records:
        odd, otherwise = [], ""
        for field in record.fields if record.type not in FIXED_TYPES else ():
            if field.value.isascii() or (field.number == DATA and record.type not in _TEXT_ONLY):
                continue
            utf8 = _text(field.value, "utf-8")
            valid = utf8 != _text(field.value, "latin-1")
            if record.type == 1 or charset != "utf-8" or not valid:
                odd.append(f"{record.type}.{field.number:03d}")
                otherwise = otherwise or (utf8[:40] if valid else "")
        if odd:
            told = "is no UTF-8" if charset == "utf-8" and record.type != 1 else "is not ASCII and no other is declared"
            hint = f"; as UTF-8 it would be {otherwise!r}" if otherwise else ""
            notices.append(f"the text of field {', '.join(odd)} {told} in field 1.015; read as Latin-1{hint}")


def _text(value: bytes, charset: str) -> str:
    if charset == "utf-8":
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value.decode("latin-1")
