"""Code tables of ANSI/NIST-ITL 1-2011 Update:2015: impression types, positions, compressions.

Compared code by code with those of an independent implementation (nist4j), which agree; position 55 and impression 43,
"contactless capture" of neither kind, are of the 2025 edition.
"""

from __future__ import annotations

from typing import Literal

Impression = Literal["plain", "rolled", "latent", "palm", "plantar", "swipe", "other", "unknown"]

_PLAIN = (0, 2, 20, 22, 24, 26, 42)
_ROLLED = (1, 3, 21, 23, 25, 27, 41)
_LATENT = (4, 5, 6, 7, *range(12, 16), *range(32, 40))


def impression_name(code: int | None) -> Impression:
    """What Table 7 makes of an impression type (IMP): of latent palms and soles "latent"."""
    if code is None:
        return "unknown"
    if code in _PLAIN:
        return "plain"
    if code in _ROLLED:
        return "rolled"
    if code in _LATENT:
        return "latent"
    named: dict[int, Impression] = {
        8: "swipe",
        10: "palm",
        11: "palm",
        30: "plantar",
        31: "plantar",
        28: "other",
        43: "other",
    }
    return named.get(code, "unknown")


_FINGERS = ("thumb", "index", "middle", "ring", "little")
_POSITIONS = {
    0: "unknown finger",
    **{hand * 5 + i + 1: f"{('right', 'left')[hand]} {name}" for hand in (0, 1) for i, name in enumerate(_FINGERS)},
    11: "plain right thumb",
    12: "plain left thumb",
    13: "plain right four fingers",
    14: "plain left four fingers",
    15: "both plain thumbs",
    16: "right extra digit",
    17: "left extra digit",
    18: "unknown friction ridge",
    19: "joint image or tip",
    20: "unknown palm",
    21: "right full palm",
    22: "right writer's palm",
    23: "left full palm",
    24: "left writer's palm",
    25: "right lower palm",
    26: "right upper palm",
    27: "left lower palm",
    28: "left upper palm",
    29: "right palm, other",
    30: "left palm, other",
    31: "right interdigital",
    32: "right thenar",
    33: "right hypothenar",
    34: "left interdigital",
    35: "left thenar",
    36: "left hypothenar",
    37: "right grasp",
    38: "left grasp",
    40: "right index and middle",
    41: "right middle and ring",
    42: "right ring and little",
    43: "left index and middle",
    44: "left middle and ring",
    45: "left ring and little",
    46: "right index and left index",
    47: "right index, middle and ring",
    48: "right middle, ring and little",
    49: "left index, middle and ring",
    50: "left middle, ring and little",
    51: "right four fingertips",
    52: "left four fingertips",
    53: "right five fingertips",
    54: "left five fingertips",
    55: "right and left index and middle",
    60: "unknown sole",
    61: "right sole",
    62: "left sole",
    63: "unknown toe",
    **{
        64 + foot * 5 + i: f"{('right', 'left')[foot]} {name} toe"
        for foot in (0, 1)
        for i, name in enumerate(("big", "second", "middle", "fourth", "little"))
    },
    74: "front of the right foot",
    75: "back of the right foot",
    76: "front of the left foot",
    77: "back of the left foot",
    78: "middle of the right foot",
    79: "middle of the left foot",
    81: "right carpal delta area",
    82: "left carpal delta area",
    83: "right full palm, rolled",
    84: "left full palm, rolled",
    85: "right wrist bracelet",
    86: "left wrist bracelet",
}


def position_name(code: int | None) -> str:
    """A friction ridge position (FGP, Table 8) in words."""
    if code is None:
        return "no position"
    return _POSITIONS.get(code, f"position {code}")


COMPRESSIONS = ("NONE", "WSQ20", "JPEGB", "JPEGL", "JP2", "JP2L", "PNG")
"""Compression algorithms (CGA, Table 15); a Type-4 record states the number of the name (GCA)."""

FAMILY = {
    "WSQ20": "WSQ",
    "WSQ": "WSQ",
    "JPEGB": "JPEG",
    "JPEGL": "JPEG",
    "JP2": "JPEG 2000",
    "JP2L": "JPEG 2000",
    "PNG": "PNG",
}
"""What a stated compression is by its content."""

MINUTIA_KINDS = {"A": 1, "B": 2, "C": 0, "D": 0}
"""Minutia types of field 9.012 (ending, bifurcation, compound, undetermined) by ISO's numbers."""
EFS_KINDS = {"E": 1, "B": 2, "X": 0}
"""Minutia types of field 9.331 by ISO's numbers."""
