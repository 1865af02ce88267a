"""Which of two record formats that share a version number a file is in: by its structure, and by its length field.

" 20" is ISO/IEC 19794-2:2005 and INCITS 378-2004, "030" ISO/IEC 19794-2:2011 and INCITS 378-2009.  The length fields
tell them apart (two bytes or four; one for each representation), but of all fields these are the ones that writers get
wrong: where what they say does not fit the file and the other format fits to the byte, it is the other.
"""

from __future__ import annotations

from dataclasses import dataclass

_MINUTIA_BYTES = 6
_LEAST_REPRESENTATION = 34
"""Bytes of one of 2011 without quality blocks and minutiae."""
_MOST_REPRESENTATIONS = 176
"""Of 2011: eleven positions with sixteen views each."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """header : bytes before the first view, the last two being the number of views and a zero; view : of a view before
    its minutiae, the last being their number; size : where width, height and resolutions stand, None if in the views"""

    header: int
    view: int
    size: int | None = None

    def fits(self, data: bytes) -> bool:
        """Whether its views end where the file does."""
        if len(data) < self.header:
            return False
        at = self.header
        for _ in range(data[self.header - 2]):
            at += self.view
            if at > len(data):
                return False
            at += data[at - 1] * _MINUTIA_BYTES
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        return at == len(data)

    def likely(self, data: bytes) -> bool:
        """Whether it fits, and size, resolutions and the zero behind the number of views are those of a record."""
        if self.size is None or not self.fits(data):
            return False
        width, height, x, y = (int.from_bytes(data[at : at + 2], "big") for at in range(self.size, self.size + 8, 2))
        return bool(width and height and x == y and data[self.header - 2] and not data[self.header - 1])


_ISO_2005, _INCITS_2004, _INCITS_2004_LONG = _Layout(24, 4, 14), _Layout(26, 4, 16), _Layout(30, 4, 20)
_INCITS_2009 = _Layout(21, 17)


def is_incits_2004(data: bytes) -> bool:
    """Whether a version 20 record is INCITS's and not ISO's."""
    return length_bytes(data) != 4


def length_bytes(data: bytes) -> int:
    """Of a version 20 record's length: 4 in ISO's, 2 or 6 in INCITS's (two of zero and four)."""
    first, second = int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:12], "big")
    # fewer than 26 bytes are no record of INCITS's, and 65536 times 24 bytes none of INCITS's with four
    stated = 4 if 0 < first < _INCITS_2004.header or (not first and second >= _ISO_2005.header) else 2 if first else 6
    layouts = {4: _ISO_2005, 2: _INCITS_2004, 6: _INCITS_2004_LONG}
    if layouts[stated].fits(data):
        return stated
    return next((size for size, layout in layouts.items() if layout.likely(data)), stated)


def is_iso_2011(data: bytes) -> bool:
    """Whether a version 030 record is ISO's and not INCITS 378-2009."""
    if _chain_fits(data):
        return True
    return not _INCITS_2009.fits(data) and 1 <= int.from_bytes(data[12:14], "big") <= _MOST_REPRESENTATIONS


def _chain_fits(data: bytes) -> bool:
    """Whether its representations, by their own lengths, end where the record says it ends, or where the file does."""
    count, at = int.from_bytes(data[12:14], "big"), 15
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < _LEAST_REPRESENTATION:
            return False
        at += length
    return count > 0 and at in (len(data), int.from_bytes(data[8:12], "big"))
