"""FAISS segments: immutable files of vectors that can be made again from the templates at any time.

A file holds, little-endian: header with its own crc32; print ids (P,) int64; first rows (P + 1,) int64, the table that
leads from a row to its print; bits (N, B) uint8; x, y, direction (N,) float32 each.  Its size and sha256 stand in the
database.  FAISS gets arrays that were read and measured here: it would load flipped bytes without a word and abort the
process on some.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import IntegrityError
from fpipe.core.files import sha256_hex, sync_folder, write_atomic
from fpipe.index.vectors import Vectors

MAGIC = b"FPIPESEG"
VERSION = 1
FOLD_ROWS = 1 << 14
"""Vectors that make a segment; until then they wait in the database (about 300 prints, found by every search)."""
MOST_ROWS = 1 << 22
"""Vectors a segment grows to by merging: what the removal of one print has to rewrite at most."""

_HEADER = struct.Struct("<8sIIQQQ")  # magic, version, bytes a descriptor, generation, prints, rows
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The k most similar stored descriptors of each of Q queries, best first, ties by print id and row.

    print_id : (Q, k) int64, -1 where the gallery holds fewer than k
    similarity : (Q, k) float32, 0..1: 1 - sqrt(bits that differ) / (sqrt(bits set in a) + sqrt(bits set in b)), that of
        Minutia Cylinder-Code's bit vectors (Cappelli, Ferrara, Maltoni 2010)
    x, y, direction : (Q, k) float32, of the stored minutia; px at 500 ppi, rad
    """

    print_id: NDArray[np.int64]
    similarity: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    direction: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The vectors of some prints, in the order of their ids.

    ids : (P,) int64, rising; starts : (P + 1,) int64, first row of each print, then the number of rows
    """

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    vectors: Vectors

    @staticmethod
    def join(parts: Sequence[tuple[int, Vectors]], width: int) -> Block:
        """Prints and their vectors -> one block."""
        ids = np.array([number for number, _ in parts], np.int64)
        starts = np.cumsum([0, *(len(vectors) for _, vectors in parts)], dtype=np.int64)
        return Block(ids, starts, Vectors.join([vectors for _, vectors in parts], width))

    @staticmethod
    def merge(blocks: Sequence[Block], width: int) -> Block:
        """Blocks of rising ids, one after the other."""
        starts, base = [np.zeros(1, np.int64)], 0
        for block in blocks:
            starts.append(block.starts[1:] + base)
            base += len(block.vectors)
        ids = np.concatenate([np.zeros(0, np.int64), *(block.ids for block in blocks)])
        return Block(ids, np.concatenate(starts), Vectors.join([block.vectors for block in blocks], width))

    def without(self, gone: NDArray[np.int64]) -> Block:
        """The block without some prints."""
        return self._kept(~np.isin(self.ids, gone))

    def only(self, wanted: NDArray[np.int64]) -> Block:
        """The block with some prints alone."""
        return self._kept(np.isin(self.ids, wanted))

    def _kept(self, keep: NDArray[np.bool_]) -> Block:
        counts = np.diff(self.starts)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[keep])])
        return Block(self.ids[keep], starts, self.vectors.take(np.repeat(keep, counts)))

    def replaced(self, parts: Sequence[tuple[int, Vectors]], width: int) -> Block:
        """The block with these prints' vectors instead of those it has of them."""
        if not parts:
            return self
        fresh = Block.join(parts, width)
        whole = Block.merge([self.without(fresh.ids), fresh], width)
        order = np.argsort(whole.ids)
        counts = np.diff(whole.starts)[order]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        rows = np.arange(starts[-1]) + np.repeat(whole.starts[:-1][order] - starts[:-1], counts)
        return Block(whole.ids[order], starts, whole.vectors.take(rows))


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment as the database knows it."""

    generation: int
    rows: int
    bytes: int
    sha256: str
    first_id: int
    last_id: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.generation:010d}.seg"


def write_segment(folder: Path, generation: int, block: Block) -> SegmentEntry:
    """Write a block as a segment file, durable when this returns; the caller commits the entry."""
    bits = np.ascontiguousarray(block.vectors.bits, np.uint8)
    header = _HEADER.pack(MAGIC, VERSION, bits.shape[1], generation, len(block.ids), len(bits))
    places = (block.vectors.x, block.vectors.y, block.vectors.direction)
    data = b"".join(
        [
            header,
            _CRC.pack(zlib.crc32(header)),
            block.ids.astype("<i8").tobytes(),
            block.starts.astype("<i8").tobytes(),
            bits.tobytes(),
            *(np.ascontiguousarray(column, "<f4").tobytes() for column in places),
        ]
    )
    entry = SegmentEntry(generation, len(bits), len(data), sha256_hex(data), int(block.ids[0]), int(block.ids[-1]))
    write_atomic(folder / entry.name, data, private=True)
    return entry


def read_segment(folder: Path, entry: SegmentEntry, width: int, *, verify: bool) -> Block:
    """Read a segment's file.

    width : bytes a descriptor; verify : compare the sha256 too, not only size, header and the table of rows

    Raises FileNotFoundError where it is gone, IntegrityError where it is not what was written.
    """
    path = folder / entry.name

    def bad(reason: str) -> IntegrityError:
        return IntegrityError(where=str(path), reason=reason)

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise bad(f"can't be read: {error.strerror}") from error
    if len(data) != entry.bytes:
        raise bad(f"{len(data)} bytes, {entry.bytes} were written")
    if verify and sha256_hex(data) != entry.sha256:
        raise bad("its content is not what was written (sha256)")
    head = _HEADER.size + _CRC.size
    if len(data) < head or zlib.crc32(data[: _HEADER.size]) != _CRC.unpack_from(data, _HEADER.size)[0]:
        raise bad("its header is damaged")
    magic, version, got_width, generation, prints, rows = _HEADER.unpack_from(data)
    if (magic, version, got_width, generation, rows) != (MAGIC, VERSION, width, entry.generation, entry.rows):
        raise bad(f"its header says version {version}, generation {generation}, {rows} rows of {got_width} bytes")
    if len(data) != head + 8 * (2 * prints + 1) + rows * (width + 12):
        raise bad(f"{len(data)} bytes do not fit {prints} prints and {rows} rows")
    ids = np.frombuffer(data, "<i8", prints, head).astype(np.int64)
    starts = np.frombuffer(data, "<i8", prints + 1, head + 8 * prints).astype(np.int64)
    at = head + 8 * (2 * prints + 1)
    bits = np.frombuffer(data, np.uint8, rows * width, at).reshape(rows, width)
    places = np.frombuffer(data, "<f4", 3 * rows, at + rows * width).astype(np.float32, copy=False).reshape(3, rows)
    if (np.diff(ids) <= 0).any() or (np.diff(starts) < 0).any() or starts[0] != 0 or starts[-1] != rows:
        raise bad("its table of prints is damaged")
    if not np.isfinite(places).all():
        raise bad("a vector's place is not a number")
    return Block(ids, starts, Vectors(bits, *places))


def unlink_segments(folder: Path, entries: Sequence[SegmentEntry]) -> None:
    """Delete segments that the database no longer names."""
    for entry in entries:
        (folder / entry.name).unlink(missing_ok=True)
    sync_folder(folder)


def absorbed(rows: Sequence[int], new: int) -> int:
    """How many of the newest segments a new one takes in: those no larger than itself, so that their number stays
    logarithmic and a vector is written again at most log2(MOST_ROWS / FOLD_ROWS) times.

    rows : of the segments, oldest first; new : rows of the new one
    """
    count = 0
    for size in reversed(rows):
        if size > new or size + new > MOST_ROWS:
            break
        new += size
        count += 1
    return count


class SearchBlock:
    """A block with exact FAISS indexes, one for each number of set bits.

    Among vectors of one weight the order of the Hamming distance is that of the similarity; over all of them it is not:
    vectors of few bits are near to everything.
    """

    def __init__(self, block: Block) -> None:
        self.block = block

    @cached_property
    def _bands(self) -> list[tuple[float, NDArray[np.int64], Any]]:
        """Weight, rows and index: made when first searched, since a selection may be searched instead."""
        import faiss

        bits = self.block.vectors.bits
        weight = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
        order = np.argsort(weight, kind="stable")
        bands = []
        for rows in np.split(order, np.flatnonzero(np.diff(weight[order])) + 1):
            if len(rows):
                index = faiss.IndexBinaryFlat(8 * bits.shape[1])
                # counts by distance: the same hits as by a heap, for thousands of them much sooner
                index.use_heap = False  # type: ignore[attr-defined]  # the stubs lack it
                index.add(np.ascontiguousarray(bits[rows]))
                bands.append((float(weight[rows[0]]), rows, index))
        return bands

    def nearest(self, bits: NDArray[np.uint8], k: int, offset: int) -> Iterator[NDArray[np.int64]]:
        """For each weight the keys (Q, <= k) of its nearest vectors; they rise with dissimilarity, then with the row.

        offset : added to the rows
        """
        root = np.sqrt(np.bitwise_count(bits).sum(axis=1, dtype=np.float64))[:, None]
        for weight, rows, index in self._bands:
            distance, found = index.search(bits, min(k, len(rows)))
            unlike = np.sqrt(distance) / np.maximum(root + np.sqrt(weight), 1.0)
            yield np.rint(unlike * _ONE).astype(np.int64) << _ROW_BITS | (rows[found] + offset)


_ROW_BITS = 32
_ONE = 1 << 30
"""Steps of a similarity of 1 in a key; finer than two different similarities are apart."""
_NONE = np.iinfo(np.int64).max
_BUFFER = 1 << 14
"""Keys a query that are gathered before all but the k smallest are dropped."""


def search_blocks(blocks: Sequence[SearchBlock], bits: NDArray[np.uint8], k: int) -> Hits:
    """The k nearest over blocks of rising ids, as if they were one."""
    bits = np.ascontiguousarray(bits, np.uint8)
    offsets = np.cumsum([0, *(len(held.block.vectors) for held in blocks)])
    best = np.full((len(bits), k), _NONE, np.int64)
    gathered = [best]
    for held, offset in zip(blocks, offsets[:-1], strict=True):
        for keys in held.nearest(bits, k, int(offset)):
            gathered.append(keys)
            if sum(part.shape[1] for part in gathered) > _BUFFER:
                gathered = [_smallest(gathered, k)]
    best = np.sort(_smallest(gathered, k), axis=1)
    similarity = np.where(best == _NONE, 0.0, 1.0 - (best >> _ROW_BITS) / _ONE).astype(np.float32)
    hits = Hits(
        print_id=np.full(best.shape, -1, np.int64),
        similarity=similarity,
        x=np.zeros(best.shape, np.float32),
        y=np.zeros(best.shape, np.float32),
        direction=np.zeros(best.shape, np.float32),
    )
    row = np.where(best == _NONE, -1, best & ((1 << _ROW_BITS) - 1))
    for held, offset in zip(blocks, offsets[:-1], strict=True):
        block, vectors = held.block, held.block.vectors
        here = (row >= offset) & (row < offset + len(vectors))
        local = row[here] - offset
        hits.print_id[here] = block.ids[np.searchsorted(block.starts, local, side="right") - 1]
        for column in ("x", "y", "direction"):
            getattr(hits, column)[here] = getattr(vectors, column)[local]
    return hits


def _smallest(parts: Sequence[NDArray[np.int64]], k: int) -> NDArray[np.int64]:
    keys = np.concatenate(parts, axis=1)
    return keys if keys.shape[1] <= k else np.partition(keys, k - 1, axis=1)[:, :k]
