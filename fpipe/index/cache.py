"""The searchable half of a gallery: segments, and the vectors that still wait in the database for theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

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


class Cache:
    """Segments and waiting vectors of one gallery.

    folder : of the segment files
    width : bytes a descriptor
    """

    def __init__(self, database: Database, folder: Path, width: int) -> None:
        self.database = database
        self.folder = folder
        self.width = width
        self._loaded: dict[int, SearchBlock] = {}
        self._waiting: SearchBlock | None = None
        self._stamp: tuple[int, int] | None = None

    def entries(self) -> list[SegmentEntry]:
        """The segments, in the order of their prints' ids."""
        sql = "SELECT generation, rows, bytes, sha256, first_id, last_id FROM segments ORDER BY first_id"
        return [SegmentEntry(*row) for row in self.database.rows(sql)]

    def waiting(self, *, without: Iterable[int] = ()) -> list[tuple[int, Vectors]]:
        """Prints whose vectors are in no segment yet, by id."""
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
        """Turn waiting vectors into segments, FOLD_ROWS by FOLD_ROWS, merging small segments on the way.

        Where the cuts fall depends on the prints alone, not on how they were grouped into transactions.
        """
        while (last := self._cut()) is not None:
            sql = "SELECT id, vectors FROM waiting WHERE id <= ? ORDER BY id"
            fresh = Block.join(
                [(n, self._vectors(n, data)) for n, data in self.database.rows(sql, (last,))], self.width
            )
            entries = self.entries()
            count = segments.absorbed([entry.rows for entry in entries], len(fresh.vectors))
            old = entries[len(entries) - count :]
            blocks = [segments.read_segment(self.folder, entry, self.width, verify=True) for entry in old]
            generation = self.next_generation()
            entry = segments.write_segment(self.folder, generation, Block.merge([*blocks, fresh], self.width))
            with self.database.transaction():
                self.replace(old, [entry])
                self.database.run("DELETE FROM waiting WHERE id <= ?", (last,))
            self.unlink(old)

    def _cut(self) -> int | None:
        total = 0
        for number, rows in self.database.rows("SELECT id, rows FROM waiting ORDER BY id"):
            total += rows
            if total >= segments.FOLD_ROWS:
                return int(number)
        return None

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

        All waiting vectors of other prints become a segment as well, so that ``waiting`` can be cleared as a whole.
        """
        ids = np.array(sorted(gone), np.int64)
        entries, waiting = self.entries(), Block.join(self.waiting(without=gone), self.width)
        count = segments.absorbed([entry.rows for entry in entries], len(waiting.vectors)) if len(waiting.ids) else 0
        tail = entries[len(entries) - count :]
        old = [e for e in entries[: len(entries) - count] if ((ids >= e.first_id) & (ids <= e.last_id)).any()]
        kept = [segments.read_segment(self.folder, e, self.width, verify=True).without(ids) for e in (*old, *tail)]
        blocks = [*kept[: len(old)], Block.merge([*kept[len(old) :], waiting], self.width)]
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

    def search(self, bits: NDArray[np.uint8], k: int) -> Hits:
        """The k nearest stored descriptors of each query; see ``Hits``."""
        if bits.shape[1] != self.width:  # of the same comparison digest, so its description was changed
            reason = f"queries of {bits.shape[1]} bytes, its descriptors have {self.width}; expected the same"
            raise IntegrityError(where=str(self.database.path), reason=reason)
        return segments.search_blocks(self._current(), bits, k)

    def _current(self) -> list[SearchBlock]:
        """Everything searchable, loaded again where another command changed it."""
        for attempt in range(_TRIES):
            with self.database.snapshot():
                stamp = self.database.stamp()
                if stamp != self._stamp:
                    entries = self.entries()
                    waiting = Block.join(self.waiting(), self.width)
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
        return [block for block in (*self._loaded.values(), self._waiting) if len(block.block.vectors)]

    def _load(self, entries: Sequence[SegmentEntry], waiting: Block) -> None:
        held = self._loaded
        self._loaded = {
            entry.generation: held.get(entry.generation)
            or SearchBlock(segments.read_segment(self.folder, entry, self.width, verify=False))
            for entry in entries
        }
        self._waiting = SearchBlock(waiting)
