"""The pattern class of a finger, as the Type-9 records of its file state it: fields 9.307 (EFS), 9.007 and 9.017.

The codes are those of the machine-readable tables of ANSI/NIST-ITL 1-2011; classes are named as in drawn galleries.
"""

from __future__ import annotations

from typing import Literal

from fpipe.formats.exchange.records import ExchangeFile, Record

PatternClass = Literal["arch", "tented_arch", "left_loop", "right_loop", "whorl"]
_CLASSES: dict[str, PatternClass] = {
    "AU": "arch",
    "PA": "arch",
    "TA": "tented_arch",
    "LS": "left_loop",
    "RS": "right_loop",
    **dict.fromkeys(("WU", "WN", "PW", "CP", "DL", "AW"), "whorl"),
}
"""Code -> class; scars (SR), missing fingers (XX, UP) and what could not be told (UC, UN) have none."""
_RIGHT_HAND, _LEFT_HAND = frozenset({*range(1, 6), 11}), frozenset({*range(6, 11), 12})


def pattern_class(file: ExchangeFile, idc: int | None, finger: int | None) -> PatternClass | None:
    """Of the print of this IDC and position (FGP); None where nothing is said, or several classes are possible."""
    found = {
        _class(*codes, finger)
        for record in file.records
        if record.type == 9 and record.idc == idc and idc is not None
        for codes in _codes(record)
    }
    classes = found - {None}
    return classes.pop() if len(classes) == 1 else None


def _codes(record: Record) -> list[tuple[str, str]]:
    """(code, subclass) as stated: 9.307 has both, 9.007 a table's letter in front, 9.017 ridge counts behind."""
    whole = [(items[0], items[1] if len(items) > 1 else "") for items in record.entries(307)]
    whole += [(items[1], "") for items in record.entries(7) if len(items) > 1]
    whole += [(items[0], "") for items in record.entries(17)]
    return [(code.strip().upper(), sub.strip().upper()) for code, sub in whole]


def _class(code: str, sub: str, finger: int | None) -> PatternClass | None:
    """Radial and ulnar loops open to the thumb's side and away from it: which that is, the hand says."""
    if code in ("RL", "UL"):
        if finger not in _RIGHT_HAND | _LEFT_HAND:
            return None
        return "right_loop" if (code == "UL") == (finger in _RIGHT_HAND) else "left_loop"
    return _CLASSES.get(sub) if code == "AU" and sub else _CLASSES.get(code)
