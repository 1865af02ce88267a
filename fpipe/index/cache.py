"""The searchable half of a gallery: segments, and the vectors that still wait in the database for theirs.

A print that waits is looked for in the database alone.  Where a segment has rows of it too, it was re-extracted: those
rows are of a template that is no more, and go when the segment is written again.  So a batch of re-extracted prints
costs as much as one of added prints, whatever the size of their segments, and is committed together with their records:
there is no moment at which a print is found twice, by old vectors, or not at all.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import IntegrityError
from fpipe.core.files import disk_errors
from fpipe.index import segments
from fpipe.index.segments import Block, Hits, SearchBlock, SegmentEntry
from fpipe.index.vectors import Vectors
from fpipe.store.database import Database

_TRIES = 5
"""Attempts of a reader at a set of segments that a writer replaces meanwhile."""
_SHARE = 16
"""A segment is written again when a sixteenth of its rows has been replaced: at most 16 times in a re-extraction."""

Part = TypeVar("Part")


def placed(
    entries: Sequence[SegmentEntry], waiting: Sequence[tuple[int, Part]]
) -> tuple[dict[int, list[tuple[int, Part]]], list[tuple[int, Part]]]:
    """What waits, by print id, sorted out: what replaces rows of a segment, by its generation, and what is in none yet.

    entries : by id
    """
    inside: dict[int, list[tuple[int, Part]]] = {}
    fresh: list[tuple[int, Part]] = []
    firsts = [entry.first_id for entry in entries]
    for part in waiting:
        if entries and part[0] <= entries[-1].last_id:
            entry = entries[max(bisect_right(firsts, part[0]) - 1, 0)]
            inside.setdefault(entry.generation, []).append(part)
        else:
            fresh.append(part)
    return inside, fresh


class Cache:
    """Segments and waiting vectors of one gallery.

    folder : of the segment files
    width : bytes a descriptor
    """

    def __init__(self, database: Database, folder: Path, width: int) -> None:
        self.database = database
        self.folder = folder
        self.width = width
        self._loaded: dict[int, tuple[bytes, SearchBlock]] = {}
        self._waiting: SearchBlock | None = None
        self._stamp: tuple[int, int] | None = None
        self._chosen: tuple[bytes, list[SearchBlock]] | None = None

    def entries(self) -> list[SegmentEntry]:
        """The segments, in the order of their prints' ids."""
        sql = "SELECT generation, rows, bytes, sha256, first_id, last_id FROM segments ORDER BY first_id"
        return [SegmentEntry(*row) for row in self.database.rows(sql)]

    def waiting(self, *, without: Iterable[int] = ()) -> list[tuple[int, Vectors]]:
        """Prints whose vectors are in no segment yet, or were replaced since, by id."""
        gone = set(without)
        rows = self.database.rows("SELECT id, vectors FROM waiting ORDER BY id")
        return [(number, self._vectors(number, data)) for number, data in rows if number not in gone]

    def _vectors(self, number: int, data: bytes) -> Vectors:
        where = f"{self.database.path}: print {number}"
        vectors = Vectors.from_bytes(data, where)
        if vectors.bits.shape[1] != self.width:
            raise IntegrityError(where=where, reason=f"descriptors of {vectors.bits.shape[1]} bytes, not {self.width}")
        return vectors

    # -- writing -----------------------------------------------------------------------------------------------------

    def fold(self) -> None:
        """Turn waiting vectors into segments where there are enough of them."""
        self.settle(least=segments.FOLD_ROWS)
        while (last := self._cut()) is not None:
            self._fold(last)

    def _fold(self, last: int) -> None:
        """Make a segment of the new prints up to ``last``, merging small segments on the way.

        Where the cuts fall depends on the prints alone, not on how they were grouped into transactions.
        """
        entries = self.entries()
        span = self._last(entries), last
        sql = "SELECT id, vectors FROM waiting WHERE id > ? AND id <= ? ORDER BY id"
        fresh = Block.join([(n, self._vectors(n, data)) for n, data in self.database.rows(sql, span)], self.width)
        count = segments.absorbed([entry.rows for entry in entries], len(fresh.vectors))
        old = entries[len(entries) - count :]
        blocks = [segments.read_segment(self.folder, entry, self.width, verify=True) for entry in old]
        entry = segments.write_segment(self.folder, self.next_generation(), Block.merge([*blocks, fresh], self.width))
        with self.database.transaction():
            self.replace(old, [entry])
            self.database.run("DELETE FROM waiting WHERE id > ? AND id <= ?", span)
        self.unlink(old)

    def _cut(self) -> int | None:
        total = 0
        sql = "SELECT id, rows FROM waiting WHERE id > ? ORDER BY id"
        for number, rows in self.database.rows(sql, (self._last(self.entries()),)):
            total += rows
            if total >= segments.FOLD_ROWS:
                return int(number)
        return None

    @staticmethod
    def _last(entries: Sequence[SegmentEntry]) -> int:
        return entries[-1].last_id if entries else 0

    def settle(self, *, least: int = 0) -> None:
        """Write segments again with the vectors of re-extracted prints in their places.

        least : do so only where that many rows wait for it, and a good part of the segments
        """
        entries = self.entries()
        counts, _ = placed(entries, self.database.rows("SELECT id, rows FROM waiting ORDER BY id"))
        old = [entry for entry in entries if entry.generation in counts]
        rows = sum(count for parts in counts.values() for _, count in parts)
        if not old or (least and rows < max(least, sum(entry.rows for entry in old) // _SHARE)):
            return
        inside, _ = placed(entries, self.waiting())
        new = self.write(self._settled(entry, inside[entry.generation]) for entry in old)
        with self.database.transaction():
            self.replace(old, new)
            self.database.run("DELETE FROM waiting WHERE id <= ?", (self._last(entries),))
        self.unlink(old)

    def _settled(self, entry: SegmentEntry, parts: Sequence[tuple[int, Vectors]]) -> Block:
        """A segment's content with some prints' vectors replaced.  It may grow over MOST_ROWS: not by much."""
        return segments.read_segment(self.folder, entry, self.width, verify=True).replaced(parts, self.width)

    def next_generation(self) -> int:
        """The generation of the next segment to be written; ``replace`` commits it."""
        return int(self.database.one("SELECT generation FROM gallery")[0]) + 1

    def replace(self, old: Sequence[SegmentEntry], new: Sequence[SegmentEntry]) -> None:
        """Exchange segments within the caller's transaction."""
        for entry in old:
            self.database.run("DELETE FROM segments WHERE generation = ?", (entry.generation,))
        for entry in new:
            self.database.run(
                "INSERT INTO segments (generation, rows, bytes, sha256, first_id, last_id) VALUES (?, ?, ?, ?, ?, ?)",
                (entry.generation, entry.rows, entry.bytes, entry.sha256, entry.first_id, entry.last_id),
            )
            self.database.run("UPDATE gallery SET generation = max(generation, ?)", (entry.generation,))

    def unlink(self, old: Sequence[SegmentEntry]) -> None:
        """Delete the files of segments that are no longer named."""
        with disk_errors(self.folder):
            segments.unlink_segments(self.folder, old)

    def rewritten(self, gone: Sequence[int]) -> tuple[list[SegmentEntry], list[SegmentEntry]]:
        """Segments that hold some prints (old), and files written without them (new), to be committed by ``replace``.

        All waiting vectors of other prints go into segments as well, so that ``waiting`` can be cleared as a whole.
        """
        ids = np.array(sorted(gone), np.int64)
        entries = self.entries()
        inside, waiting = placed(entries, self.waiting(without=gone))
        fresh = Block.join(waiting, self.width)
        count = segments.absorbed([entry.rows for entry in entries], len(fresh.vectors)) if len(fresh.ids) else 0
        cut = len(entries) - count
        old = [
            entry
            for entry in entries[:cut]
            if entry.generation in inside or ((ids >= entry.first_id) & (ids <= entry.last_id)).any()
        ]
        tail = entries[cut:]
        kept = [self._settled(entry, inside.get(entry.generation, [])).without(ids) for entry in (*old, *tail)]
        blocks = [*kept[: len(old)], Block.merge([*kept[len(old) :], fresh], self.width)]
        return [*old, *tail], self.write([block for block in blocks if len(block.ids)])

    def write(self, blocks: Iterable[Block]) -> list[SegmentEntry]:
        """Write blocks as segments of the next generations."""
        first = self.next_generation()
        return [segments.write_segment(self.folder, first + i, block) for i, block in enumerate(blocks)]

    def heal(self) -> None:
        """Delete files that no segment entry names: written by a command that ended before its commit."""
        with disk_errors(self.folder):
            for path in self.leftovers():
                path.unlink()

    def leftovers(self) -> list[Path]:
        """Files in the folder that no segment entry names."""
        named = {entry.name for entry in self.entries()}
        present = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        return [path for path in present if path.name not in named]

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(self, bits: NDArray[np.uint8], k: int, among: NDArray[np.int64] | None = None) -> Hits:
        """The k nearest stored descriptors of each query; see ``Hits``.

        among : ids of the prints that are searched; None for all
        """
        if bits.shape[1] != self.width:  # of the same comparison digest, so its description was changed
            reason = f"queries of {bits.shape[1]} bytes, its descriptors have {self.width}; expected the same"
            raise IntegrityError(where=str(self.database.path), reason=reason)
        blocks = self._current()
        return segments.search_blocks(blocks if among is None else self._among(blocks, among), bits, k)

    def _among(self, blocks: Sequence[SearchBlock], ids: NDArray[np.int64]) -> list[SearchBlock]:
        """Some prints alone, so that no others crowd them out of the k nearest; kept for the next such search."""
        key = hashlib.sha256(repr(self._stamp).encode() + ids.tobytes()).digest()
        if self._chosen is None or self._chosen[0] != key:
            parts = [held.block.only(ids) for held in blocks]
            self._chosen = key, [SearchBlock(part) for part in parts if len(part.vectors)]
        return self._chosen[1]

    def _current(self) -> list[SearchBlock]:
        """Everything searchable, loaded again where another command changed it."""
        for attempt in range(_TRIES):
            with self.database.snapshot():
                stamp = self.database.stamp()
                if stamp != self._stamp:
                    entries, waiting = self.entries(), self.waiting()
            if stamp == self._stamp:
                break
            try:
                self._load(entries, waiting)
            except FileNotFoundError as error:  # replaced since the snapshot
                if attempt + 1 == _TRIES:
                    raise IntegrityError(where=str(error.filename), reason="the segment is missing") from error
            else:
                self._stamp = stamp
                break
        assert self._waiting is not None
        blocks = [*(block for _, block in self._loaded.values()), self._waiting]
        return [block for block in blocks if len(block.block.vectors)]

    def _load(self, entries: Sequence[SegmentEntry], waiting: Sequence[tuple[int, Vectors]]) -> None:
        inside, fresh = placed(entries, waiting)
        self._loaded = {
            entry.generation: self._searchable(entry, inside.get(entry.generation, [])) for entry in entries
        }
        self._waiting = SearchBlock(Block.join(fresh, self.width))

    def _searchable(self, entry: SegmentEntry, parts: Sequence[tuple[int, Vectors]]) -> tuple[bytes, SearchBlock]:
        """A segment as it will be once it is settled, so that hits and their order do not depend on whether it is;
        with a digest of what was replaced in it."""
        digest = hashlib.sha256(b"".join(b"%d:" % number + vectors.to_bytes() for number, vectors in parts)).digest()
        held = self._loaded.get(entry.generation)
        if held is not None and held[0] == digest:
            return held
        # one that is held can be built upon: of one segment, prints are only ever replaced, and replaced again
        block = held[1].block if held else segments.read_segment(self.folder, entry, self.width, verify=False)
        return digest, SearchBlock(block.replaced(parts, self.width))
