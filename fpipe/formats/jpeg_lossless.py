"""Lossless JPEG (ITU-T T.81 Annex H, frame header SOF3) of one gray component, as ANSI/NIST files hold it ("JPEGL").

The JPEG library in the worker does not decode these, so this is done here: codes one by one, the prediction by sums
over whole rows and columns where the predictor allows it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.formats.decoded import check_size

FRAME = 0xC3
MOST_PIXELS = 16_000_000
"""Larger ones would take minutes; a slap at 1000 ppi has 6 million."""
_RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(slots=True)
class _Scan:
    width: int = 0
    height: int = 0
    bits: int = 0
    tables: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    interval: int = 0
    table: int = 0
    predictor: int = 0
    shift: int = 0


def decode_lossless(data: bytes, where: str) -> tuple[NDArray[np.int64], int]:
    """(H, W) samples and their bits.

    Raises Unsupported for more than one component, Truncated where pixels are missing, Damaged where they contradict
    the header.
    """
    scan, start = _headers(data, where)
    end = _MARKER.search(data, start)
    if end is None:
        raise Truncated(where=where, reason="no end mark after its pixels")
    if data[end.start() + 1] != 0xD9:
        marker = data[end.start() + 1]
        raise Damaged(where=where, reason=f"at byte {end.start()}: marker {marker:#04x}, expected the end")
    coded = data[start : end.start()]
    parts = _RESTARTS.split(coded) if scan.interval else [coded]
    rows = scan.height
    if scan.interval:
        if scan.interval % scan.width:
            raise Unsupported(where=where, reason=f"restarts every {scan.interval} pixels of {scan.width} px rows")
        rows = scan.interval // scan.width
    if len(parts) != -(-scan.height // rows):
        raise Damaged(where=where, reason=f"{len(parts)} restart intervals, expected {-(-scan.height // rows)}")
    bands = []
    for number, part in enumerate(parts):
        height = min(rows, scan.height - number * rows)
        differences = _differences(part.replace(b"\xff\x00", b"\xff"), height * scan.width, scan, where)
        bands.append(_predicted(differences.reshape(height, scan.width), scan))
    samples = np.vstack(bands) & 0xFFFF
    if int(samples.max()) >> (scan.bits - scan.shift):
        raise Damaged(where=where, reason=f"a pixel of {int(samples.max())} in {scan.bits - scan.shift} bits")
    return samples << scan.shift, scan.bits


def _headers(data: bytes, where: str) -> tuple[_Scan, int]:
    """Everything before the coded pixels, whose first byte is given too; ``jpeg`` has walked the markers before."""
    scan, at = _Scan(), 2
    while True:
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        if marker in (0x01, *range(0xD0, 0xD8)):
            at += 1
            continue
        size = struct.unpack_from(">H", data, at + 1)[0]
        content = data[at + 3 : at + 1 + size]
        at += 1 + size
        if marker == FRAME and len(content) >= 6:
            _frame(content, scan, where)
        elif marker == 0xC4:
            _code_tables(content, scan, where)
        elif marker == 0xDD and len(content) == 2:
            scan.interval = struct.unpack(">H", content)[0]
        elif marker == 0xDA:
            known = len(content) == 6 and content[0] == 1 and content[2] >> 4 in scan.tables
            if not known or content[3] not in range(1, 8) or not scan.width:
                raise Damaged(where=where, reason=f"at byte {at}: its scan header is {content.hex(' ')}")
            scan.table, scan.predictor, scan.shift = content[2] >> 4, content[3], content[5] & 15
            if scan.shift >= scan.bits:
                raise Damaged(where=where, reason=f"a point transform of {scan.shift} for {scan.bits} bits")
            return scan, at


def _frame(content: bytes, scan: _Scan, where: str) -> None:
    scan.bits, scan.height, scan.width, components = struct.unpack_from(">BHHB", content)
    if components != 1:
        raise Unsupported(where=where, reason=f"lossless JPEG of {components} components is not read; save it as PNG")
    if not 2 <= scan.bits <= 16:
        raise Damaged(where=where, reason=f"lossless JPEG of {scan.bits} bits")
    check_size(scan.width, scan.height, where)
    if scan.width * scan.height > MOST_PIXELS:
        size = f"{scan.width} x {scan.height} px"
        raise Unsupported(where=where, reason=f"lossless JPEG of {size} is not read, at most {MOST_PIXELS} px are")


def _code_tables(content: bytes, scan: _Scan, where: str) -> None:
    """Each as a table from the next 16 bits to 32 * (bits of the code) + category; 0 where no code begins so."""
    at = 0
    while at + 17 <= len(content):
        counts = content[at + 1 : at + 17]
        values = content[at + 17 : at + 17 + sum(counts)]
        table, code, next_value = np.zeros(1 << 16, np.int32), 0, 0
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                first = code << (16 - length)
                if next_value >= len(values) or values[next_value] > 16 or first >= 1 << 16:
                    raise Damaged(where=where, reason="a code table that contradicts itself")
                table[first : first + (1 << (16 - length))] = 32 * length + values[next_value]
                code, next_value = code + 1, next_value + 1
            code <<= 1
        scan.tables[content[at] & 15] = table
        at += 17 + len(values)


def _differences(coded: bytes, count: int, scan: _Scan, where: str) -> NDArray[np.int64]:
    table = scan.tables[scan.table].tolist()
    padded, total, at = coded + bytes(8), 8 * len(coded), 0
    if count > total:  # a pixel takes a bit at least
        raise Truncated(where=where, reason=f"{len(coded)} coded bytes can't hold {count} pixels")
    found = np.zeros(count, np.int64)
    from_bytes = int.from_bytes
    for i in range(count):
        byte = at >> 3
        window = from_bytes(padded[byte : byte + 6], "big") << (at & 7)
        entry = table[(window >> 32) & 0xFFFF]
        if not entry:
            raise (Truncated if at + 16 > total else Damaged)(where=where, reason=f"no code at pixel {i} of {count}")
        length, category = entry >> 5, entry & 31
        at += length
        if 0 < category < 16:
            bits = (window >> (48 - length - category)) & ((1 << category) - 1)
            found[i] = bits if bits >> (category - 1) else bits - (1 << category) + 1
            at += category
        elif category:
            found[i] = 32768
        if at > total:
            raise Truncated(where=where, reason=f"it ends at pixel {i} of {count}")
    if total - at >= 8:
        raise Damaged(where=where, reason=f"{(total - at) // 8} coded bytes after its last pixel")
    return found


def _predicted(differences: NDArray[np.int64], scan: _Scan) -> NDArray[np.int64]:
    """Differences to the prediction -> samples (modulo 65536), by predictor 1 to 7 of Table H.1."""
    d = differences
    d[0, 0] += 1 << (scan.bits - scan.shift - 1)
    if scan.predictor == 1:
        d[:, 0] = np.cumsum(d[:, 0])
        return np.cumsum(d, axis=1)
    if scan.predictor == 2:
        d[0] = np.cumsum(d[0])
        return np.cumsum(d, axis=0)
    if scan.predictor == 4:
        return np.cumsum(np.cumsum(d, axis=0), axis=1)
    rows = [(np.cumsum(d[0]) & 0xFFFF).tolist()]
    for line in d[1:].tolist():
        above, left = rows[-1], (rows[-1][0] + line[0]) & 0xFFFF
        row = [left]
        for c in range(1, len(line)):
            b, corner = above[c], above[c - 1]
            if scan.predictor == 3:
                guess = corner
            elif scan.predictor == 5:
                guess = left + ((b - corner) >> 1)
            elif scan.predictor == 6:
                guess = b + ((left - corner) >> 1)
            else:
                guess = (left + b) >> 1
            left = (guess + line[c]) & 0xFFFF
            row.append(left)
        rows.append(row)
    return np.array(rows, np.int64)
