"""Seeds of drawn fingers: what trains, what tests and what is shown can't share a finger, by construction."""

from __future__ import annotations

from typing import Literal, get_args

Use = Literal["train", "test", "demo"]
"""What a drawn finger is for."""
USES: tuple[Use, ...] = get_args(Use)

_SEED_BITS, _FINGER_BITS = 26, 24
SEEDS = 1 << _SEED_BITS
"""Seeds a use has: 0 .. SEEDS - 1."""
FINGERS = 1 << _FINGER_BITS
"""Fingers a seed has: 0 .. FINGERS - 1."""


def finger_seed(use: Use, seed: int, finger: int) -> int:
    """The seed of one finger: ``use * 2**50 + seed * 2**24 + finger``, uses numbered in the order of ``USES``.

    Different for every (use, seed, finger), below 2**52.

    Raises ValueError for an unknown use, a seed outside 0 .. 2**26 - 1, a finger outside 0 .. 2**24 - 1.
    """
    if use not in USES:
        raise ValueError(f"use {use!r}, expected one of {', '.join(USES)}")
    for name, value, limit in (("seed", seed, SEEDS), ("finger", finger, FINGERS)):
        if not 0 <= value < limit:
            raise ValueError(f"{name} {value}, expected 0 to {limit - 1}")
    return (USES.index(use) << (_SEED_BITS + _FINGER_BITS)) + (seed << _FINGER_BITS) + finger


def seed_parts(number: int) -> tuple[Use, int, int]:
    """A finger's seed -> its (use, seed, finger).

    Raises ValueError where ``finger_seed`` never gives that number.
    """
    limit = len(USES) << (_SEED_BITS + _FINGER_BITS)
    if not 0 <= number < limit:
        raise ValueError(f"{number} is no finger's seed, expected 0 to {limit - 1}")
    return USES[number >> (_SEED_BITS + _FINGER_BITS)], (number >> _FINGER_BITS) % SEEDS, number % FINGERS
