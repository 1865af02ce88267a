"""Segments: exact search against brute force, whatever the cuts and threads; files against damage; merging."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpipe.core.errors import IntegrityError
from fpipe.index import segments
from fpipe.index.segments import Block, SearchBlock, read_segment, search_blocks, write_segment
from fpipe.index.vectors import Vectors


def block(rng: np.random.Generator, first: int, prints: int, width: int) -> Block:
    parts = []
    for number in range(first, first + prints):
        rows = int(rng.integers(0, 9))
        # Few distinct bytes, so that equal similarities are the rule.
        bits = rng.choice(np.array([0, 1, 255], np.uint8), (rows, width))
        parts.append((number, Vectors(bits, *rng.random((3, rows)).astype(np.float32))))
    return Block.join(parts, width)


def brute(blocks: list[Block], bits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k most similar by (similarity, id, row) with NumPy alone."""
    whole = Block.merge(blocks, bits.shape[1])
    ids = np.repeat(whole.ids, np.diff(whole.starts))
    similarity = bit_similarity(bits, whole.vectors.bits)
    order = np.argsort(-similarity.round(9), axis=1, kind="stable")[:, :k]
    return ids[order], np.take_along_axis(similarity, order, 1).astype(np.float32), whole.vectors.x[order]


def bit_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every row of a with every row of b: the formula of the paper; 1 for two without any bit."""
    differ = np.unpackbits(a[:, None] ^ b[None], axis=2).sum(2)
    roots = np.sqrt(np.unpackbits(a, axis=1).sum(1))[:, None] + np.sqrt(np.unpackbits(b, axis=1).sum(1))[None]
    return np.where(roots > 0, 1 - np.sqrt(differ) / np.maximum(roots, 1e-9), 1.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 40), min_size=1, max_size=5), k=st.integers(1, 70))
def test_search_is_exact_and_does_not_see_the_cuts(seed: int, cuts: list[int], k: int) -> None:
    rng = np.random.default_rng(seed)
    blocks, first = [], 1
    for prints in cuts:
        blocks.append(block(rng, first, prints, 3))
        first += prints
    bits = rng.choice(np.array([0, 1, 255], np.uint8), (11, 3))
    hits = search_blocks([SearchBlock(b) for b in blocks if len(b.vectors)], bits, k)
    ids, similarity, x = brute(blocks, bits, k)
    found = ids.shape[1]
    assert hits.print_id.shape == hits.x.shape == (11, k)
    assert (hits.print_id[:, :found] == ids).all()
    assert np.allclose(hits.similarity[:, :found], similarity, atol=1e-6)
    assert (hits.x[:, :found] == x).all()
    assert (hits.print_id[:, found:] == -1).all()


def test_search_does_not_see_the_threads() -> None:
    rng = np.random.default_rng(1)
    held = SearchBlock(block(rng, 1, 4000, 6))
    bits = rng.choice(np.array([0, 1, 255], np.uint8), (300, 6))
    before = faiss.omp_get_max_threads()
    try:
        found = []
        for threads in (1, 2, 4):
            faiss.omp_set_num_threads(threads)
            hits = search_blocks([held], bits, 50)
            found.append((hits.print_id.tobytes(), hits.similarity.tobytes(), hits.x.tobytes()))
    finally:
        faiss.omp_set_num_threads(before)
    assert found[0] == found[1] == found[2]
    ids, similarity, _ = brute([held.block], bits, 50)
    assert found[0][0] == ids.tobytes()
    assert np.allclose(np.frombuffer(found[0][1], np.float32), similarity.ravel(), atol=1e-6)


def test_a_sparse_vector_is_not_near_to_everything() -> None:
    """By the Hamming distance the empty vector would come first: 12 bits differ, 16 in the one that shares most."""
    query = np.array([[0xFF, 0xF0, 0, 0]], np.uint8)
    stored = np.array([[0, 0, 0, 0], [0xFF, 0x0F, 0xFF, 0]], np.uint8)
    nowhere = np.zeros(2, np.float32)
    held = SearchBlock(Block.join([(1, Vectors(stored, nowhere, nowhere, nowhere))], 4))
    hits = search_blocks([held], np.concatenate([query, stored[1:]]), 2)
    assert hits.similarity[0, 0] == pytest.approx(1 - 4 / (12**0.5 + 20**0.5), abs=1e-6)
    assert hits.similarity[0, 1] == 0
    assert hits.similarity[1, 0] == 1


def test_file_round_trip(tmp_path: Path) -> None:
    made = block(np.random.default_rng(2), 5, 30, 4)
    entry = write_segment(tmp_path, 3, made)
    read = read_segment(tmp_path, entry, 4, verify=True)
    assert (entry.first_id, entry.last_id, entry.rows) == (5, 34, len(made.vectors))
    for name in ("ids", "starts"):
        assert (getattr(read, name) == getattr(made, name)).all()
    for name in ("bits", "x", "y", "direction"):
        assert (getattr(read.vectors, name) == getattr(made.vectors, name)).all()
    assert [p.name for p in tmp_path.iterdir()] == [entry.name]


def test_every_cut_and_flip_is_noticed_and_none_reaches_faiss_unmeasured(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    entry = write_segment(tmp_path, 1, block(rng, 1, 12, 4))
    path = tmp_path / entry.name
    whole = path.read_bytes()
    queries = rng.integers(0, 256, (5, 4), dtype=np.uint8)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(IntegrityError):
            read_segment(tmp_path, entry, 4, verify=False)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        with pytest.raises(IntegrityError):
            read_segment(tmp_path, entry, 4, verify=True)
        try:
            read = read_segment(tmp_path, entry, 4, verify=False)
        except IntegrityError:
            continue
        hits = search_blocks([SearchBlock(read)], queries, 9)
        assert np.isfinite(hits.x).all()


def test_another_width_or_generation_is_refused(tmp_path: Path) -> None:
    entry = write_segment(tmp_path, 1, block(np.random.default_rng(3), 1, 12, 4))
    with pytest.raises(IntegrityError):
        read_segment(tmp_path, entry, 5, verify=True)
    other = segments.SegmentEntry(2, entry.rows, entry.bytes, entry.sha256, 1, 12)
    (tmp_path / entry.name).rename(tmp_path / other.name)
    with pytest.raises(IntegrityError, match="generation 1"):
        read_segment(tmp_path, other, 4, verify=False)


def test_without_takes_rows_and_table_along() -> None:
    made = block(np.random.default_rng(4), 1, 40, 3)
    left = made.without(np.array([1, 7, 40, 99]))
    assert left.ids.tolist() == [n for n in range(1, 41) if n not in (1, 7, 40)]
    for number in left.ids.tolist():
        a, b = number - 1, left.ids.tolist().index(number)
        one = made.vectors.bits[made.starts[a] : made.starts[a + 1]]
        assert (one == left.vectors.bits[left.starts[b] : left.starts[b + 1]]).all()


@given(sizes=st.lists(st.integers(1, 2000), max_size=400))
def test_segments_stay_few(sizes: list[int]) -> None:
    rows: list[int] = []
    for size in sizes:
        count = segments.absorbed(rows, size)
        rows[len(rows) - count :] = [size + sum(rows[len(rows) - count :])]
    assert sum(rows) == sum(sizes)
    assert len(rows) <= 1 + np.log2(max(sum(sizes), 1)) + 1


def test_a_full_segment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_ROWS", 100)
    assert segments.absorbed([60, 60], 50) == 0
    assert segments.absorbed([100, 30], 40) == 1


def test_vectors_bytes() -> None:
    rng = np.random.default_rng(5)
    made = Vectors(rng.integers(0, 256, (9, 4), dtype=np.uint8), *rng.random((3, 9)).astype(np.float32))
    data = made.to_bytes()
    read = Vectors.from_bytes(data, "here")
    assert (read.bits == made.bits).all()
    assert (read.direction == made.direction).all()
    for length in range(len(data)):
        with pytest.raises(IntegrityError):
            Vectors.from_bytes(data[:length], "here")
    none = Vectors.join([], 4)
    assert Vectors.from_bytes(none.to_bytes(), "here").bits.shape == (0, 4)
    with pytest.raises(ValueError, match="lengths"):
        Vectors(made.bits, made.x[1:], made.y, made.direction)
