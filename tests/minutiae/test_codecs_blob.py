"""The gallery's template format: identity on quantised templates, the same bytes, every damage noticed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.conventions import TWO_PI, grid_shape
from fpipe.core.errors import BadTemplate
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae import blob


def a_template(
    seed: int = 1, count: int = 20, width: int = 300, height: int = 400, grids: bool = True, weak: int = 0
) -> Template:
    rng = np.random.default_rng(seed)
    shape = grid_shape(height, width)
    orientation = rng.uniform(0, np.pi, shape).astype(np.float32)
    mask = rng.random(shape) > 0.3
    orientation[~mask] = np.nan
    minutiae, doubted = (
        Minutiae(
            rng.uniform(0, width - 1, number).astype(np.float32),
            rng.uniform(0, height - 1, number).astype(np.float32),
            rng.uniform(0, TWO_PI, number).astype(np.float32),
            rng.integers(0, 3, number).astype(np.uint8),
            rng.integers(0, 101, number).astype(np.uint8),
        )
        for number in (count, weak)
    )
    grid = (mask, orientation) if grids else (None, None)
    return Template(minutiae, width, height, *grid, "0123456789abcdef", doubted)


def same(a: Template, b: Template) -> bool:
    grids = ((a.mask, b.mask), (a.orientation, b.orientation))
    columns = ("x", "y", "direction", "kind", "quality")
    return (
        (a.width, a.height, a.source) == (b.width, b.height, b.source)
        and all(np.array_equal(getattr(a.minutiae, c), getattr(b.minutiae, c)) for c in columns)
        and all(np.array_equal(getattr(a.weak, c), getattr(b.weak, c)) for c in columns)
        and all((p is None) == (q is None) for p, q in grids)
        and all(p is None or np.array_equal(p, q, equal_nan=p.dtype != bool) for p, q in grids)
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 40),
    width=st.integers(1, 8191),
    height=st.integers(1, 900),
    grids=st.booleans(),
    weak=st.integers(0, 12),
)
def test_decoding_gives_back_what_quantising_gives(
    seed: int, count: int, width: int, height: int, grids: bool, weak: int
) -> None:
    given_template = a_template(seed, count, width, height, grids, weak)
    once = blob.quantised(given_template)
    assert same(blob.quantised(once), once)
    assert blob.encode(once) == blob.encode(given_template)
    assert np.abs(once.minutiae.x - given_template.minutiae.x).max(initial=0) <= 1 / 16
    turn = np.abs(once.minutiae.direction - given_template.minutiae.direction)
    assert np.minimum(turn, TWO_PI - turn).max(initial=0) <= TWO_PI / blob.DIRECTION_STEPS
    assert ((once.minutiae.direction >= 0) & (once.minutiae.direction < TWO_PI)).all()


def test_the_bytes_of_version_1_stay() -> None:
    """Origin: written by hand from the layout in the module's docstring (struct, in this order)."""
    m = Minutiae(
        np.array([1.5, 10], np.float32),
        np.array([2, 0.125], np.float32),
        np.array([np.pi, 0], np.float32),
        np.array([1, 2], np.uint8),
        np.array([100, 0], np.uint8),
    )
    mask = np.array([[True, False]])
    template = Template(m, 20, 10, mask, np.where(mask, np.float32(np.pi * 51 / 255), np.float32(np.nan)), "ab")
    body = bytes.fromhex(
        "4650541a" "01" "03" "1400" "0a00" "0200" "0200"  # header
        "0c00" "5000" "1000" "0100" "0080" "0000" "0102" "6400"  # columns
        "80" "33ff" "6162"  # mask, orientation, source
    )  # fmt: skip
    encoded = blob.encode(template)
    assert encoded[:-4] == body
    assert hashlib.sha256(encoded).hexdigest() == hashlib.sha256(blob.encode(template)).hexdigest()
    assert same(blob.decode(encoded, "t"), template)


def test_weak_minutiae_follow_the_grids() -> None:
    """Origin: as above; flag 4, their number after the header, their columns before the source."""
    m = Minutiae(*(np.array([v], np.float32) for v in (1.5, 2, np.pi)), *(np.array([v], np.uint8) for v in (1, 9)))
    encoded = blob.encode(Template(m, 20, 10, source="ab", weak=m))
    header, columns = "4650541a010414000a00010002000100", "0c00100000800109"
    assert encoded[:-4] == bytes.fromhex(header + 2 * columns + "6162")
    assert same(blob.decode(encoded, "t"), Template(m, 20, 10, source="ab", weak=m))


def test_every_cut_is_noticed() -> None:
    for template in (a_template(), a_template(weak=5)):
        data = blob.encode(template)
        for length in range(len(data)):
            with pytest.raises(BadTemplate, match="here"):
                blob.decode(data[:length], "here")
        with pytest.raises(BadTemplate):
            blob.decode(data + b"\0", "here")


def test_every_flipped_bit_is_noticed() -> None:
    data = blob.encode(a_template(count=5, weak=3))
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(BadTemplate):
                blob.decode(bytes(damaged), "here")


def test_a_template_of_no_minutiae_is_one() -> None:
    none = Template(Minutiae.empty(), 100, 100)
    assert same(blob.quantised(none), none)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": np.array([np.nan], np.float32)}, "finite"),
        ({"direction": np.array([np.inf], np.float32)}, "finite"),
        ({"x": np.array([500], np.float32)}, "outside the picture"),
        ({"y": np.array([-1.5], np.float32)}, "outside the picture"),
        ({"kind": np.array([3], np.uint8)}, "type"),
        ({"quality": np.array([101], np.uint8)}, "quality"),
    ],
)
def test_what_it_cannot_hold_is_refused(change: dict[str, np.ndarray], said: str) -> None:
    m = a_template(count=1).minutiae
    columns = {name: getattr(m, name) for name in ("x", "y", "direction", "kind", "quality")}
    with pytest.raises(BadTemplate, match=said):
        blob.encode(Template(Minutiae(**{**columns, **change}), 300, 400))


def test_a_picture_larger_than_any_print_is_refused() -> None:
    with pytest.raises(BadTemplate, match="8192 x 1"):
        blob.encode(Template(Minutiae.empty(), 8192, 1))
