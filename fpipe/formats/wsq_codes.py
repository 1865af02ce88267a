"""How many wavelet coefficients a WSQ file must hold and how many it does (FBI IAFIS-IC-0110).

The decoder takes any number: it fills what is missing with whatever lay in memory and says nothing, so a block that was
cut and closed with an end mark, or lost its place after a flipped bit, would come out as another picture.
"""

from __future__ import annotations

import struct

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fpipe.core.errors import Damaged

SUBBANDS = 60
"""Subbands that are coded; the four of the highest frequencies are not."""
_EXTRA_BITS = np.zeros(256, np.int64)
"""That follow a symbol."""
_EXTRA_BITS[101:107] = 8, 8, 16, 16, 8, 16
_LONGEST_RUN, _RUN_8, _RUN_16 = 100, 105, 106
"""Symbols up to this one are runs of zeros, of so many; those of two have their length in the extra bits."""


def _halves(length: int, flipped: bool = False) -> tuple[int, int]:
    larger = (length + 1) // 2
    return (length - larger, larger) if flipped else (larger, length - larger)


def _quarters(length: int, flipped: bool) -> tuple[int, ...]:
    first, second = _halves(length, flipped)
    return (*_halves(first), *_halves(second, flipped=True))


def _sixteen(width: int, height: int, flip_x: bool = False, flip_y: bool = False) -> list[int]:
    """Pixels of 16 subbands, quadrant by quadrant."""
    xs, ys = _quarters(width, flip_x), _quarters(height, flip_y)
    return [xs[x + i] * ys[y + j] for y in (0, 2) for x in (0, 2) for j in (0, 1) for i in (0, 1)]


def subband_sizes(width: int, height: int) -> list[int]:
    """Coefficients of subbands 0..59 of a picture."""
    (across, across_high), (down, down_high) = _halves(_halves(width)[0]), _halves(_halves(height)[0])
    sizes = [0] * 64
    sizes[3:19] = _sixteen(across, down)
    sizes[19:35] = _sixteen(across_high, down, flip_x=True)
    sizes[48:64] = _sixteen(width, height)
    sizes[35:51] = _sixteen(across, down_high, flip_y=True)
    low_x, low_y = _halves(_halves(_halves(across)[0])[0]), _halves(_halves(_halves(down)[0])[0])
    sizes[0:4] = [low_x[i] * low_y[j] for j in (0, 1) for i in (0, 1)]
    return sizes[:SUBBANDS]


def expected_coefficients(width: int, height: int, quantisation: bytes, where: str) -> int:
    """Of the subbands whose quantisation bin is not zero."""
    if len(quantisation) < 3 + 6 * 64:
        raise Damaged(where=where, reason=f"a quantisation table of {len(quantisation)} bytes, expected {3 + 6 * 64}")
    bins = [struct.unpack_from(">H", quantisation, 4 + 6 * i)[0] for i in range(SUBBANDS)]
    return sum(size for size, width_of_bin in zip(subband_sizes(width, height), bins, strict=True) if width_of_bin)


def code_tables(segment: bytes, where: str) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Table number -> (length, symbol) of the code that each 16 bits begin with; length 0 where none does."""
    tables, at = {}, 0
    while at + 17 <= len(segment):
        number, counts = segment[at], segment[at + 1 : at + 17]
        symbols = segment[at + 17 : at + 17 + sum(counts)]
        lengths, values = np.zeros(65536, np.uint8), np.zeros(65536, np.uint8)
        code = place = 0
        for length, count in enumerate(counts, 1):
            for symbol in symbols[place : place + count]:
                first = code << (16 - length)
                lengths[first : first + (1 << (16 - length))] = length
                values[first : first + (1 << (16 - length))] = symbol
                code += 1
            place += count
            code <<= 1
        if place > len(symbols) or code > 2 << 16:
            raise Damaged(where=where, reason=f"code table {number} contradicts itself")
        tables[number] = lengths, values
        at += 17 + place
    return tables


def coefficients(codes: bytes, table: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> tuple[int, int]:
    """Coefficients in the codes of one block, as they stand in the file: without and with the last seven bits.

    Those may fill up the last byte: with ones, which are no code, but who knows every encoder.
    """
    data = np.frombuffer(codes.replace(b"\xff\x00", b"\xff") + b"\xff" * 6, np.uint8)
    without_fill, every = _counted(data, *table, _EXTRA_BITS)
    return without_fill, every


@njit(cache=True)
def _counted(data, lengths, symbols, extra):  # type: ignore[no-untyped-def]
    """Walk the codes of ``data``, six bytes of ones behind them: coefficients before the last seven bits, and all."""
    end = 8 * (len(data) - 6)
    at, without_fill, every = 0, 0, 0
    while at < end:
        window = _sixteen_bits(data, at)
        length, symbol = int(lengths[window]), int(symbols[window])
        following = at + length + extra[symbol]
        if length == 0 or following > end:  # fill bits, a code that does not exist, or one that is not whole
            break
        number = 1
        if symbol <= _LONGEST_RUN:
            number = symbol
        elif symbol == _RUN_8:
            number = _sixteen_bits(data, at + length) >> 8
        elif symbol == _RUN_16:
            number = _sixteen_bits(data, at + length)
        every += number
        if at < end - 7:
            without_fill += number
        at = following
    return without_fill, every


@njit(cache=True)
def _sixteen_bits(data, at):  # type: ignore[no-untyped-def]
    """From bit ``at`` on."""
    byte = at >> 3
    three = (int(data[byte]) << 16) | (int(data[byte + 1]) << 8) | int(data[byte + 2])
    return (three >> (8 - (at & 7))) & 0xFFFF
