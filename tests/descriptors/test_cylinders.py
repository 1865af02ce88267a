"""Cylinders: invariant to movement, blind outside the mask, quiet on nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fpipe.core.conventions import grid_shape, wrap_direction
from fpipe.core.types import Minutiae, Template
from fpipe.descriptors.cylinders import Cylinders

DESCRIBE = Cylinders()


def drawn(seed: int, count: int = 30) -> Minutiae:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(60, 340, (2, count)).astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    return Minutiae(x, y, direction, np.ones(count, np.uint8), np.full(count, 80, np.uint8))


def test_shapes_are_what_the_index_is_told() -> None:
    found = DESCRIBE(Template(drawn(1), 400, 400))
    assert found.bits.shape == (len(found), DESCRIBE.descriptor_bytes)
    assert found.bits.dtype == found.valid.dtype == np.uint8
    assert found.minutia.max() < 30


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_print_has_nearly_the_same_bits(quarter: int) -> None:
    m = drawn(2)
    angle = quarter * np.pi / 2
    c, s = round(np.cos(angle)), round(np.sin(angle))
    x, y = m.x - 200, m.y - 200
    turned = Minutiae(
        (c * x + s * y + 200).astype(np.float32), (-s * x + c * y + 200).astype(np.float32),
        wrap_direction((m.direction + np.float32(angle)).astype(np.float32)), m.kind, m.quality,
    )  # fmt: skip
    a, b = DESCRIBE(Template(m, 400, 400)), DESCRIBE(Template(turned, 400, 400))
    assert list(a.minutia) == list(b.minutia)
    wrong = np.unpackbits(a.bits ^ b.bits, axis=1).sum(axis=1)
    assert np.mean(wrong) < 0.02 * 8 * DESCRIBE.descriptor_bytes


def test_cells_outside_the_mask_are_invalid_and_hold_no_bit() -> None:
    m = drawn(3)
    whole = np.ones(grid_shape(400, 400), bool)
    half = whole.copy()
    half[:, : half.shape[1] // 2] = False
    full, part = DESCRIBE(Template(m, 400, 400, mask=whole)), DESCRIBE(Template(m, 400, 400, mask=half))
    counts = dict(zip(full.minutia, np.unpackbits(full.valid, axis=1).sum(axis=1), strict=True))
    assert len(part)
    assert all(n <= counts[i] for i, n in zip(part.minutia, np.unpackbits(part.valid, axis=1).sum(axis=1), strict=True))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_minutiae_give_few_or_no_descriptors(count: int) -> None:
    m = drawn(1, count) if count else Minutiae.empty()
    assert len(DESCRIBE(Template(m, 400, 400))) <= count
