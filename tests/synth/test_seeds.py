"""Seeds of drawn fingers: disjoint by construction, and back again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpipe.synth.seeds import FINGERS, SEEDS, USES, Use, finger_seed, seed_parts

uses = st.sampled_from(USES)
seeds = st.integers(0, SEEDS - 1)
fingers = st.integers(0, FINGERS - 1)


@given(uses, seeds, fingers)
def test_a_seed_says_what_it_is_made_of(use: Use, seed: int, finger: int) -> None:
    assert seed_parts(finger_seed(use, seed, finger)) == (use, seed, finger)


def test_the_numbers_are_as_documented() -> None:
    assert finger_seed("train", 0, 0) == 0
    assert finger_seed("test", 3, 5) == 2**50 + 3 * 2**24 + 5
    assert finger_seed("demo", 2**26 - 1, 2**24 - 1) == 3 * 2**50 - 1


@pytest.mark.parametrize(("use", "seed", "finger"), [("other", 0, 0), ("test", -1, 0), ("test", 2**26, 0)])
def test_what_would_collide_is_refused(use: Use, seed: int, finger: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        finger_seed(use, seed, finger)
    with pytest.raises(ValueError, match="finger"):
        finger_seed("test", 0, 2**24)


@pytest.mark.parametrize("number", [-1, 3 * 2**50])
def test_a_number_that_is_no_seed_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="no finger's seed"):
        seed_parts(number)
