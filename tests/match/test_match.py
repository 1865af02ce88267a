"""The exact match: what it must not depend on, what it must not be upset by, what it must tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.conventions import wrap_direction
from fpipe.core.types import Comparison, Minutiae, Template
from fpipe.descriptors.cylinders import Cylinders
from fpipe.match.growth import Growth, Prepared
from fpipe.match.votes import Votes

MATCH, DESCRIBE = Growth(), Cylinders()


def drawn(seed: int, count: int = 40, side: int = 400) -> Minutiae:
    """Minutiae at random places at least 12 px apart, directions along a smooth flow."""
    rng = np.random.default_rng(seed)
    points: list[tuple[float, float]] = []
    while len(points) < count:
        x, y = rng.uniform(20, side - 20, 2)
        if all((x - a) ** 2 + (y - b) ** 2 > 144 for a, b in points):
            points.append((x, y))
    x, y = np.array(points, np.float32).T
    flow = 0.8 * np.sin(x / 150 + seed) + 0.6 * np.cos(y / 130 + 2 * seed) + np.pi * rng.integers(0, 2, count)
    kind = rng.integers(1, 3, count).astype(np.uint8)
    return Minutiae(x, y, wrap_direction(flow.astype(np.float32)), kind, np.full(count, 80, np.uint8))


def moved(m: Minutiae, angle: float, dx: float, dy: float, seed: int, noise: float = 1.5) -> Minutiae:
    """Another impression: turned counter-clockwise as seen on the screen, shifted, with small errors."""
    rng = np.random.default_rng(seed)
    x, y = m.x - 200, m.y - 200
    turned_x = np.cos(angle) * x + np.sin(angle) * y + 200 + dx + rng.normal(0, noise, len(m))
    turned_y = -np.sin(angle) * x + np.cos(angle) * y + 200 + dy + rng.normal(0, noise, len(m))
    direction = m.direction + angle + rng.normal(0, 0.05, len(m))
    return Minutiae(
        turned_x.astype(np.float32), turned_y.astype(np.float32), wrap_direction(direction.astype(np.float32)), m.kind,
        m.quality,
    )  # fmt: skip


def prepared(m: Minutiae, side: int = 700) -> Prepared:
    template = Template(m, side, side)
    return MATCH.prepare(template, DESCRIBE(template))


@given(st.integers(0, 50), st.floats(-1.5, 1.5), st.floats(-40, 40), st.floats(-40, 40))
@settings(max_examples=25, deadline=None)
def test_a_moved_and_turned_impression_is_found(seed: int, angle: float, dx: float, dy: float) -> None:
    m = drawn(seed)
    found = MATCH.compare(prepared(m), prepared(moved(m, angle, dx, dy, seed)))
    right = found.pairs[:, 0] == found.pairs[:, 1]
    assert right.sum() >= 30
    assert right.mean() > 0.9
    assert abs(np.angle(np.exp(1j * (found.rotation - angle)))) < 0.1
    assert found.score > 5


def test_mates_score_far_above_others() -> None:
    prints = [prepared(drawn(seed)) for seed in range(12)]
    again = [prepared(moved(drawn(seed), 0.3, 10, -8, seed)) for seed in range(12)]
    scores = np.array([MATCH.scores(p, again) for p in prints])
    same = np.eye(12, dtype=bool)
    assert scores[same].min() > 2 * scores[~same].max() + 1


def test_the_score_is_symmetric_and_compare_agrees_with_scores() -> None:
    a, b = prepared(drawn(1)), prepared(moved(drawn(1), 0.2, 5, 5, 3))
    assert MATCH.compare(a, b).score == pytest.approx(MATCH.compare(b, a).score, rel=1e-4)
    assert MATCH.scores(a, [b])[0] == np.float32(MATCH.compare(a, b).score)


def test_pairs_are_one_to_one() -> None:
    found = MATCH.compare(prepared(drawn(5)), prepared(moved(drawn(5), -0.4, 0, 0, 1)))
    assert len(set(found.pairs[:, 0])) == len(set(found.pairs[:, 1])) == len(found.pairs)


def test_a_small_latent_is_not_punished_for_the_size_of_its_mate() -> None:
    whole = drawn(7, count=70, side=520)
    near = np.flatnonzero((whole.x - 260) ** 2 + (whole.y - 260) ** 2 < 130**2)
    latent = moved(whole.take(near), 0.2, 0, 0, 2)
    small_mate = whole.take(np.flatnonzero((whole.x - 260) ** 2 + (whole.y - 260) ** 2 < 150**2))
    large, small = (MATCH.compare(prepared(latent), prepared(m)).score for m in (whole, small_mate))
    assert large > 0.8 * small


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_minutiae_score_finite_and_low(count: int) -> None:
    few = drawn(1, count) if count else Minutiae.empty()
    for other in (few, drawn(2)):
        for found in (MATCH.compare(prepared(few), prepared(other)), MATCH.compare(prepared(other), prepared(few))):
            assert np.isfinite(found.score)
            assert 0 <= found.score < 3


def test_all_minutiae_at_one_place_do_no_harm() -> None:
    n = 60
    same = np.full(n, 100, np.float32)
    m = Minutiae(same, same, np.zeros(n, np.float32), np.ones(n, np.uint8), np.full(n, 50, np.uint8))
    assert np.isfinite(MATCH.compare(prepared(m), prepared(m)).score)
    assert np.isfinite(MATCH.compare(prepared(m), prepared(drawn(1))).score)


def test_a_thousand_minutiae_are_bounded() -> None:
    many = drawn(3, 40)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 690, (2, 1000)).astype(np.float32)
    crowd = Minutiae(
        x, y, rng.uniform(0, 6.28, 1000).astype(np.float32), np.ones(1000, np.uint8), np.full(1000, 9, np.uint8)
    )
    assert len(prepared(crowd).x) <= MATCH.most_minutiae
    assert MATCH.compare(prepared(crowd), prepared(many)).score < 3


def doubted(m: Minutiae, rows: slice, quality: int) -> Minutiae:
    """The same with another quality in these rows."""
    changed = m.quality.copy()
    changed[rows] = quality
    return replace(m, quality=changed)


def test_weak_minutiae_join_the_pairs_and_count_little() -> None:
    m = drawn(6)
    few, rest = m.take(np.arange(12)), m.take(np.arange(12, 40))
    mate = prepared(moved(m, 0.2, 4, 6, 1))

    def found(quality: int) -> Comparison:
        template = Template(few, 700, 700, weak=doubted(rest, slice(None), quality))
        return MATCH.compare(MATCH.prepare(template, DESCRIBE(template)), mate)

    left_out, weak, weaker = found(MATCH.weak_from - 1), found(29), found(MATCH.weak_from)
    assert left_out.pairs.max() < 40
    assert left_out.pairs[:, 0].max() < 12 <= weak.pairs[:, 0].max()
    assert all(a == b for a, b in weak.pairs if a >= 12)  # rows of ``every``: the minutiae, then the weak ones
    assert weak.doubtful.tolist() == (weak.pairs[:, 0] >= 12).tolist()
    assert not left_out.doubtful.any()
    assert left_out.score < weaker.score < weak.score < MATCH.compare(prepared(m), mate).score


def test_a_doubtful_minutia_without_a_partner_costs_less() -> None:
    m, mate = drawn(8), prepared(moved(drawn(8), 0.1, 3, 3, 1).take(np.arange(0, 40, 2)))
    sure = MATCH.compare(prepared(m), mate).score
    assert MATCH.compare(prepared(doubted(m, slice(1, None, 2), 20)), mate).score > sure + 1


def test_qualities_on_another_scale_and_none_at_all_count_alike() -> None:
    m, mate = drawn(10), prepared(moved(drawn(10), 0.1, 3, 3, 1))
    scores = [MATCH.compare(prepared(doubted(m, slice(None), quality)), mate).score for quality in (80, 8, 1, 0)]
    assert len(set(scores)) == 1


def test_half_a_turn_costs_what_it_says() -> None:
    m = drawn(9)
    near, far = (MATCH.compare(prepared(m), prepared(moved(m, a, 0, 0, 1, 0.0))).score for a in (0.1, np.pi - 0.1))
    assert near - far == pytest.approx(-MATCH.half_turn, abs=1.5)
    assert far > 5


def test_votes_put_the_consistent_print_first_and_break_ties_by_id() -> None:
    m = drawn(4, 10)
    there = moved(m, 0.3, 20, 10, 1)
    rng = np.random.default_rng(1)
    ids = np.column_stack([np.full(10, 7), np.full(10, 3)]).astype(np.int64)
    x = np.column_stack([there.x, rng.uniform(0, 400, 10)]).astype(np.float32)
    y = np.column_stack([there.y, rng.uniform(0, 400, 10)]).astype(np.float32)
    d = np.column_stack([there.direction, rng.uniform(0, 6, 10)]).astype(np.float32)
    alike = np.full((10, 2), 0.6, np.float32)
    found, votes = Votes()(m.x, m.y, m.direction, ids, alike, x, y, d)
    assert list(found) == [7, 3]
    assert votes[0] > 2 * votes[1]
    twice = np.concatenate([ids, ids + 100], axis=1)
    pair = (np.tile(a, (1, 2)) for a in (alike, x, y, d))
    found, votes = Votes()(m.x, m.y, m.direction, twice, *pair)
    assert list(found)[:2] == [7, 107]
    assert votes[0] == votes[1]


def test_no_hits_no_candidates() -> None:
    none = np.full((2, 3), -1, np.int64)
    zero = np.zeros((2, 3), np.float32)
    ids, votes = Votes()(zero[:, 0], zero[:, 0], zero[:, 0], none, zero, zero, zero, zero)
    assert len(ids) == len(votes) == 0
