"""Names of the ten fingers, however they were written: ``right_index``, ``Right Index``, ``2``."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

Hand = Literal["right", "left"]
HANDS: tuple[Hand, ...] = get_args(Hand)
_NAMES = ("thumb", "index", "middle", "ring", "little")
FINGERS = tuple(f"{hand}_{name}" for hand in HANDS for name in _NAMES)
"""In the order of their positions in ANSI/NIST-ITL and ISO/IEC 19794-2: 1 right thumb ... 10 left little finger."""
_PLAIN_THUMBS = {"11": "right_thumb", "12": "left_thumb"}
_OTHER_WORDS = {"fore": "index", "forefinger": "index", "pinky": "little", "small": "little"}


@lru_cache(maxsize=1024)
def finger_name(text: str) -> str:
    """The finger's name where it is one of the ten, else the text as it is.

    A position's number is understood (11 and 12 are the plain thumbs), upper case, and spaces or hyphens.
    """
    words = text.strip().lower().replace("-", " ").replace("_", " ").split()
    name = "_".join(_OTHER_WORDS.get(word, word) for word in words if word not in ("finger", "plain"))
    if name.isdecimal() and name.isascii():
        number = name.lstrip("0")
        return FINGERS[int(number) - 1] if number in _POSITIONS else _PLAIN_THUMBS.get(number, text)
    return name if name in FINGERS else text


_POSITIONS = {str(number) for number in range(1, len(FINGERS) + 1)}


def hand_of(finger: str | None) -> Hand | None:
    """Which hand a finger is of; None where that is not said."""
    name = finger_name(finger) if finger else ""
    return next((hand for hand in HANDS if name.lower().startswith(hand)), None)
