"""The gallery: a folder whose ``gallery.db`` is the truth and whose segments can be made again at any time.

    access.log   what was done without changing a record (``store.journal``)
    gallery.db   records, templates, links of subjects, log, and the vectors that are in no segment yet
    segments/    FAISS segments (``index.segments``)
    originals/   the files that were added, by their sha256, unless refused at creation
    incoming/    originals on their way in or out; empty between commands
    lock         held by the one writer

Every change is one SQLite transaction; files are written before it and deleted after it.  So after a crash at any point
the database is whole, and what lies beside it without being named there is deleted by the next writer.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import (
    DigestMismatch,
    DiskFull,
    FileShared,
    FpipeError,
    GalleryChanged,
    GalleryExists,
    GalleryVersion,
    IntegrityError,
    Locked,
    NameTaken,
    NoGallery,
    UnknownPrint,
)
from fpipe.core.files import PRIVATE_FOLDER, disk_errors, is_there, make_all_private, make_private, sha256_hex
from fpipe.index import check, segments
from fpipe.index.cache import Cache
from fpipe.index.conditions import Condition
from fpipe.index.content import content_digest, counts
from fpipe.index.events import event, now, record_event
from fpipe.index.originals import Originals
from fpipe.index.records import (
    COLUMNS,
    Amendment,
    NewPrint,
    PrintRecord,
    Reextraction,
    StoredPrint,
    fields_text,
    record_of,
)
from fpipe.index.schema import APPLICATION, INDEXES, VERSIONS
from fpipe.index.segments import Block, Hits
from fpipe.index.selection import Selected, Selection, select
from fpipe.index.subjects import Subjects
from fpipe.index.vectors import Vectors
from fpipe.store import log
from fpipe.store.chain import mentions
from fpipe.store.database import Database, old_version
from fpipe.store.journal import Journal
from fpipe.store.lock import writer_lock

Describe = Callable[[bytes, str], Vectors]
"""Template bytes, and where they are from for error messages -> the vectors the index keeps of them."""

_DATABASE_ENDS = ("", "-wal", "-shm", "-journal")

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM records"
_EMPTIED = "preset = NULL, extraction_digest = NULL, minutiae = NULL, vectors = NULL"
"""What a row says of its template, once another row has replaced it."""
_UNSAID = "subject = NULL, finger = NULL, fields = NULL"
"""What an amendment says, once another one has replaced it."""


class Gallery:
    """An open gallery; ``create`` and ``open`` make it, ``with`` or ``close`` ends it.

    Any number of readers beside one writer.  Raises IntegrityError wherever stored data turns out to be damaged.

    path : of the folder
    comparison_digest : of the descriptors and templates it holds
    descriptor_bytes : bytes a descriptor
    keep_originals : whether it keeps the files themselves
    subjects : whose prints they are, and which of them are one person
    accesses : what was done without changing it: searches, checks, backups; noted while another command writes, too
    """

    def __init__(self, path: Path, database: Database, held: contextlib.ExitStack, *, writing: bool) -> None:
        row = database.one("SELECT comparison_digest, descriptor_bytes, keep_originals FROM gallery")
        if tuple(map(type, row)) != (str, int, int) or row[1] < 1:
            raise IntegrityError(where=str(database.path), reason=f"its description is damaged: {row}")
        self.path = path
        self.comparison_digest: str = row[0]
        self.descriptor_bytes: int = row[1]
        self.keep_originals = bool(row[2])
        self.cache = Cache(database, path / "segments", self.descriptor_bytes)
        self.originals = Originals(path)
        self.accesses = Journal(path / "access.log")
        self.subjects = Subjects(database)
        self.database = database
        self.database.witness = self._accessed
        self.writing = writing
        self._held = held
        self._ids: tuple[tuple[int, int], NDArray[np.int64], NDArray[np.int64]] | None = None
        self._selected: tuple[tuple[int, int], Selection, Selected] | None = None

    @classmethod
    def create(cls, path: Path, *, comparison_digest: str, descriptor_bytes: int, keep_originals: bool = True) -> Self:
        """A new, empty gallery, open for writing.

        path : absent, or an empty folder

        Raises GalleryExists, NetworkDisk, DiskFull.
        """
        with disk_errors(path):
            if path.exists() and (not path.is_dir() or not _unfinished(path)):
                there = "there is a gallery" if (path / "gallery.db").exists() else "there are other files"
                raise GalleryExists(where=str(path), reason=there)
            path.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "comparison_digest": comparison_digest,
            "descriptor_bytes": descriptor_bytes,
            "keep_originals": int(keep_originals),
        }

        def fill(database: Database) -> None:
            database.run("INSERT INTO gallery VALUES (1, ?, ?, ?, 0, 0)", tuple(values.values()))
            log.append(database, event("created", **values))

        with contextlib.ExitStack() as held:
            held.enter_context(writer_lock(path))
            database = Database.create(path / "gallery.db", APPLICATION, VERSIONS, fill)
            return cls._opened(path, database, held, writing=True)

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Self:
        """An existing gallery.

        write : take the writer's lock, finish what a crash interrupted, and allow changes

        Raises NoGallery, NoAccess, GalleryVersion, Locked, IntegrityError, NetworkDisk, DiskFull.
        """
        file = path / "gallery.db"
        if not is_there(file):
            raise NoGallery(where=str(path))
        with contextlib.ExitStack() as held:
            if write:
                held.enter_context(writer_lock(path))
            try:
                database = Database.open(file, APPLICATION, VERSIONS, write=write, upgraded=_upgraded)
            except NoGallery as error:
                if not _only_remains(path):
                    raise IntegrityError(where=str(file), reason="it is empty, but there are other files") from error
                raise
            return cls._opened(path, database, held, writing=write)

    @classmethod
    def _opened(cls, path: Path, database: Database, held: contextlib.ExitStack, *, writing: bool) -> Self:
        held.callback(database.close)
        gallery = cls(path, database, held, writing=writing)
        if writing:
            gallery._heal()
            held.callback(gallery._tidy)  # runs before the database is closed
        gallery._held = held.pop_all()
        return gallery

    def _accessed(self) -> dict[str, Any]:
        """What a change says of the accesses: where they ended then, so that a cut behind it is found."""
        try:
            return {"access_head": list(self.accesses.settled())}
        except (DiskFull, IntegrityError):  # damaged, which the audit says by itself: no reason to store nothing more
            return {}

    def close(self) -> None:
        """Close it and free the lock."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- reading -----------------------------------------------------------------------------------------------------

    def print_ids(self) -> NDArray[np.int64]:
        """(P,) int64: the ids of all prints, rising."""
        return self._editions()[0]

    def editions(self, ids: Iterable[int]) -> list[int]:
        """A number for each of these prints that is another one once it was re-extracted or amended.

        Raises GalleryChanged where one is gone.
        """
        known, editions = self._editions()
        wanted = np.fromiter(ids, np.int64)
        gone = wanted[~np.isin(wanted, known)]
        if len(gone):
            raise GalleryChanged(where=str(self.path), got=int(gone[0]))
        found: list[int] = editions[np.searchsorted(known, wanted)].tolist()
        return found

    def _editions(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        stamp = self.database.stamp()
        if self._ids is None or self._ids[0] != stamp:
            rows = self.database.rows("SELECT id, edition FROM records WHERE print IS NOT NULL ORDER BY id")
            if not all(isinstance(edition, int) for _, edition in rows):
                raise IntegrityError(where=str(self.database.path), reason="a print is of no entry of the log")
            ids, editions = np.array(rows, np.int64).reshape(-1, 2).T
            self._ids = stamp, ids, editions
        return self._ids[1], self._ids[2]

    def records(self, ids: Iterable[int] | None = None) -> list[PrintRecord]:
        """The records of these prints in their order, or of all by id.

        Raises GalleryChanged where one is gone.
        """
        if ids is None:
            return [self._record(row) for row in self.database.rows(f"{_SELECT} WHERE print IS NOT NULL ORDER BY id")]
        return [self._record(row) for row in self._by_id(f"{_SELECT} WHERE id = ? AND print IS NOT NULL", ids)]

    def stored(self, ids: Iterable[int]) -> list[StoredPrint]:
        """Records and templates of one moment, in the order of the ids.

        Raises GalleryChanged where one is gone.
        """
        columns = ", ".join((*COLUMNS, "edition", "template"))
        rows = self._by_id(f"SELECT {columns} FROM records WHERE id = ? AND template NOTNULL", ids)
        return [StoredPrint(self._record(row[:-2]), row[-2], self._template(row[-1])) for row in rows]

    def templates(self, ids: Iterable[int]) -> list[bytes]:
        """The templates' bytes of these prints, in their order.

        Raises GalleryChanged where one is gone.
        """
        found = self._by_id("SELECT template FROM records WHERE id = ? AND template NOTNULL", ids)
        return [self._template(template) for (template,) in found]

    def _template(self, template: object) -> bytes:
        if not isinstance(template, bytes):
            raise IntegrityError(where=str(self.database.path), reason="a template is not bytes")
        return template

    def _by_id(self, sql: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
        rows = []
        with self.database.snapshot():
            for number in map(int, ids):
                row = self.database.first(sql, (number,))
                if row is None:
                    raise GalleryChanged(where=str(self.path), got=number)
                rows.append(row)
        return rows

    def _record(self, row: tuple[Any, ...]) -> PrintRecord:
        return record_of(row, str(self.database.path))

    def named(self, name: str) -> PrintRecord:
        """The record of the print of this name.

        Raises UnknownPrint.
        """
        row = self.database.first(f"{_SELECT} WHERE print = ?", (name,))
        if row is None:
            raise UnknownPrint(where=str(self.path), got=name)
        return self._record(row)

    def find(self, name: str, sha256: str, part: str = "") -> PrintRecord | None:
        """The record of this part of these bytes, whatever its name; None where it is new.

        Raises NameTaken where something else has this name.
        """
        row = self.database.first(f"{_SELECT} WHERE print = ?", (name,))
        if row is not None and (held := self._record(row)) and (held.sha256, held.part) != (sha256, part):
            got, expected = (f"{a} {b}".rstrip() for a, b in ((sha256, part), (held.sha256, held.part)))
            raise NameTaken(where=name, got=got, expected=expected)
        row = row or self.database.first(f"{_SELECT} WHERE sha256 = ? AND part = ?", (sha256, part))
        return None if row is None else self._record(row)

    def original(self, record: PrintRecord) -> bytes | None:
        """The bytes of a print's original: kept, or still at its path with the same sha256; None where it is neither.

        Raises IntegrityError where a kept original is damaged.
        """
        if record.path is None:
            return self.originals.read(record.sha256)
        try:
            data = Path(record.path).read_bytes()
        except OSError:
            return None
        return data if sha256_hex(data) == record.sha256 else None

    def extraction_digests(self) -> dict[str, list[str]]:
        """Kind of print -> the extraction digests its templates were made with."""
        found: dict[str, list[str]] = {}
        for kind, digest in self.database.rows("SELECT kind, extraction_digest FROM methods ORDER BY 1, 2"):
            found.setdefault(kind, []).append(digest)
        return found

    def counts(self) -> dict[str, Any]:
        """``prints``, ``files`` they are of, ``without_subject``, and ``kinds``: prints of each."""
        return counts(self.database)

    def digest(self) -> str:
        """Hex sha256 over the records' content alone: subjects, fingers, kinds, hashes, parts, resolutions, methods,
        fields, templates, and links.  The same whatever the order, jobs, interruptions, ids, names and times."""
        return content_digest(self.database)

    def select(self, selection: Selection) -> Selected:
        """The prints that a selection means; kept for the next question of the same, until something changes."""
        stamp = self.database.stamp()
        if self._selected is None or self._selected[:2] != (stamp, selection):
            self._selected = stamp, selection, select(self.database, selection)
        return self._selected[2]

    def search(self, bits: NDArray[np.uint8], k: int, among: NDArray[np.int64] | None = None) -> Hits:
        """The k nearest stored descriptors of each query: exact, the same whatever the threads and segments.

        bits : (Q, descriptor_bytes) uint8
        among : (P,) int64, print ids: hits are of these prints, as if the gallery held no others
        """
        return self.cache.search(bits, k, among)

    def check(self) -> list[str]:
        """Everything that is not as it was stored, one line each; empty where the gallery is whole.

        Raises Locked while a writer is at work.
        """
        return check.problems(self)

    def leftovers(self) -> list[str]:
        """Remains of an interrupted command that the next writing command clears away: no loss.  One line each."""
        files = (path.relative_to(self.path) for path in (*self.cache.leftovers(), *self.originals.leftovers()))
        found = [f"{path.as_posix()}: left by an interrupted command" for path in files]
        if self._unscrubbed():
            found.append("gallery.db-wal: may still hold bytes of a print whose removal was interrupted")
        return found

    # -- writing -----------------------------------------------------------------------------------------------------

    def refuse_new_method(self, kind: str, extraction_digest: str) -> None:
        """Raise DigestMismatch where prints of this kind were read by other methods only."""
        held = self.extraction_digests().get(kind, [])
        if held and extraction_digest not in held:
            raise DigestMismatch(
                where=str(self.path),
                got=f"the methods {extraction_digest}",
                expected=f"{kind} prints of {', '.join(held)}",
                what_to_do=f"read those again by these with `fpipe gallery reextract {self.path}`, or say --mixed, "
                "which every search then states",
            )

    def add(self, prints: Sequence[NewPrint], *, mixed: bool = False) -> list[int]:
        """Add prints in one transaction; returns their ids.  When it returns they are stored, whatever happens then.

        A part of bytes that the gallery already holds is not added again: the id is that of the print it is.
        mixed : allow an extraction digest that is new to a kind

        Raises NameTaken, DigestMismatch, DiskFull; nothing of this call is stored then.
        """
        known = {p.identity: self.find(p.print, p.sha256, p.part) for p in prints}
        fresh: dict[tuple[str, str], NewPrint] = {}
        self._refuse_width(new.vectors for new in prints)
        for new in prints:
            if known[new.identity] is None:
                fresh.setdefault(new.identity, new)
        (last,) = self.database.one("SELECT coalesce(max(id), 0) FROM prints")
        ids = {identity: number for number, identity in enumerate(fresh, last + 1)}
        try:
            if self.keep_originals and fresh:
                files = {new.sha256: new.original for new in fresh.values() if not self._keeps(new.sha256)}
                self.originals.stage(files)
            with self.database.transaction():
                for new in fresh.values():
                    self._insert(ids[new.identity], new, mixed=mixed)
        finally:  # to their places where they were committed, away where not
            if self.keep_originals and fresh:
                self.originals.heal(self._keeps)
        self.cache.fold()
        return [record.id if (record := known[p.identity]) else ids[p.identity] for p in prints]

    def _insert(self, number: int, new: NewPrint, *, mixed: bool) -> None:
        self.find(new.print, new.sha256, new.part)
        if not mixed:
            self.refuse_new_method(new.kind, new.extraction_digest)
        record = new.record(number, now(), kept=self.keep_originals)
        entry = log.append(self.database, record_event("added", record, new.template))
        columns = (*COLUMNS, "entry")
        self.database.run(
            f"INSERT INTO prints ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            (*record.row(), entry),
        )
        self.database.run("INSERT INTO templates VALUES (?, ?)", (number, new.template))
        self._index(record, new.vectors)

    def _index(self, record: PrintRecord, vectors: Vectors) -> None:
        """Vectors wait for their segment, instead of those that the print may have had; its method is counted."""
        self.database.run(
            "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", (record.id, len(vectors), vectors.to_bytes())
        )
        self.database.run(
            "INSERT INTO methods VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET prints = prints + 1",
            (record.kind, record.extraction_digest),
        )

    def _unmethod(self, record: PrintRecord) -> None:
        method = (record.kind, record.extraction_digest)
        self.database.run("UPDATE methods SET prints = prints - 1 WHERE kind = ? AND extraction_digest = ?", method)

    def reextract(self, prints: Sequence[Reextraction]) -> None:
        """Replace templates and vectors of prints, and what their records say of them, in one transaction.

        Names, ids and all else stay.  Raises GalleryChanged where a print is not there, DiskFull; nothing of this call
        is stored then.
        """
        self._refuse_width([new.vectors for new in prints])
        with self.database.transaction():
            for new in prints:
                self._replace(new)
            self.database.run("DELETE FROM methods WHERE prints = 0")
        self.cache.fold()

    def settle(self) -> None:
        """Write segments again that still hold vectors of templates that were replaced: no search finds them, but they
        take time and room.  ``reextract`` does it only where there are many."""
        self.cache.settle()

    def _replace(self, new: Reextraction) -> None:
        before = self._present(new.id)
        record = new.record(before)
        entry = log.append(self.database, record_event("reextracted", record, new.template))
        self.database.run(f"UPDATE prints SET {_EMPTIED} WHERE id = ?", (new.id,))
        self.database.run("UPDATE templates SET template = NULL WHERE id = ?", (new.id,))
        self.database.run(f"UPDATE reextractions SET {_EMPTIED}, template = NULL WHERE id = ?", (new.id,))
        self.database.run(
            "INSERT INTO reextractions (id, preset, extraction_digest, minutiae, vectors, template, entry) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (new.id, record.preset, record.extraction_digest, record.minutiae, record.vectors, new.template, entry),
        )
        self._unmethod(before)
        self._index(record, new.vectors)

    def _present(self, number: int) -> PrintRecord:
        row = self.database.first(f"{_SELECT} WHERE id = ? AND print IS NOT NULL", (number,))
        if row is None:
            raise GalleryChanged(where=str(self.path), got=number)
        return self._record(row)

    def amend(self, amendments: Sequence[Amendment], *, reason: str | None = None) -> int:
        """Say something else of stored prints in one transaction: subject, finger, fields; returns how many changed.

        What was said before stays in the log until the print is removed.  Raises GalleryChanged where a print is not
        there, DiskFull; nothing of this call is stored then.
        """
        with self.database.transaction():
            return sum(self._amend(new, reason) for new in amendments)

    def _amend(self, new: Amendment, reason: str | None) -> bool:
        before = self._present(new.id)
        record = new.record(before)
        if record == before:
            return False
        (template,) = self.database.one("SELECT template FROM records WHERE id = ?", (new.id,))
        entry = log.append(self.database, record_event("amended", record, self._template(template), reason=reason))
        self.database.run(f"UPDATE amendments SET {_UNSAID} WHERE id = ?", (new.id,))
        self.database.run(
            "INSERT INTO amendments (id, subject, finger, fields, entry) VALUES (?, ?, ?, ?, ?)",
            (new.id, record.subject, record.finger, fields_text(record.fields), entry),
        )
        return True

    def _refuse_width(self, vectors: Iterable[Vectors]) -> None:
        for found in vectors:
            if found.bits.shape[1] != self.descriptor_bytes:
                raise ValueError(f"descriptors of {found.bits.shape[1]} bytes, expected {self.descriptor_bytes}")

    def remove(self, names: Iterable[str], reason: str | None = None) -> None:
        """Remove prints so that no byte of their templates, images, hashes, names and fields is left in any file.

        reason : kept in the log, so it should name nobody

        Raises UnknownPrint, and removes nothing, where one is not there; FileShared where other prints of the same kept
        file would stay, since the file can't be removed then; Locked where a reader keeps old content from
        being overwritten: the prints are removed then, and the next writing command finishes the overwriting.
        """
        gone = {record.id: record for record in map(self.named, dict.fromkeys(names))}
        if not gone:
            return
        kept = {record.sha256: record.print for record in gone.values() if record.path is None}
        self._refuse_half_a_file(kept, gone)
        old, new = self.cache.rewritten(list(gone))
        words = self._telling(gone)
        self.accesses.forget(lambda said: mentions(said, words))
        self.originals.withdraw(kept)
        with self.database.transaction():
            for record in gone.values():
                self._erase(record, reason)
            self.subjects.forget_the_printless()
            self.database.run("DELETE FROM methods WHERE prints = 0")
            self.database.run("DELETE FROM waiting")
            for name, sql in INDEXES.items():
                self.database.run(f"DROP INDEX {name}")
                self.database.run(sql)
            self.cache.replace(old, new)
            self.database.run("UPDATE gallery SET unscrubbed = 1")
        self._heal()
        if self._unscrubbed():
            reason = (
                "the prints are removed, but another command is reading, so their old bytes can't be overwritten yet"
            )
            raise Locked(where=str(self.path), reason=f"{reason}; the next command that writes does it")

    def _refuse_half_a_file(self, files: Mapping[str, str], gone: Container[int]) -> None:
        """files : sha256 of an original -> a print of it that is to go"""
        for sha256, name in files.items():
            rows = self.database.rows("SELECT id, print FROM prints WHERE sha256 = ? ORDER BY id", (sha256,))
            staying = [other for number, other in rows if number not in gone]
            if staying:
                raise FileShared(where=str(self.path), got=name, others=", ".join(staying))

    def _telling(self, gone: Mapping[int, PrintRecord]) -> set[str]:
        """What would tell, where a search was noted, of prints that are to go: their names and hashes, and what the
        search was restricted to, a subject or NAME=VALUE of a field, if no print says so that stays."""
        files = {word for r in gone.values() for word in (r.print, r.print.partition("#")[0], r.sha256)}
        noted = self._noted_conditions()
        said = {word for record in gone.values() for word in _telling_words(record.as_document(), noted)}
        for number in gone:  # what was said before it was amended, too
            for entry in self._entries(number):
                record = (log.payload(self.database, entry) or {}).get("record")
                if isinstance(record, dict):
                    said.update(_telling_words(record, noted))
        noted = [condition for condition in noted if str(condition) in said]
        sql = "SELECT id, print, sha256, subject, fields FROM records WHERE print NOT NULL"
        for number, name, sha256, subject, text in self.database.each(sql):
            if number not in gone:
                staying = {"print": name, "sha256": sha256, "subject": subject, "fields": json.loads(text)}
                said.difference_update(_telling_words(staying, noted))
        return files | said

    def _noted_conditions(self) -> list[Condition]:
        """What searches were restricted to, by what else than a plain subject."""
        selections = [(entry.payload or {}).get("selection") for entry in self.accesses.entries() if entry is not None]
        texts = {text for one in selections if isinstance(one, dict) for text in one.get("where", ())}
        conditions = [Condition.parse(text) for text in sorted(texts)]
        return [condition for condition in conditions if condition.value.strip("*")]  # the others name nobody

    def _entries(self, number: int) -> list[int]:
        """All entries of the log that say something of a print, the first one first."""
        (entry,) = self.database.one("SELECT entry FROM prints WHERE id = ?", (number,))
        later = "SELECT entry FROM reextractions WHERE id = ? UNION ALL SELECT entry FROM amendments WHERE id = ?"
        return [entry, *(said for (said,) in self.database.rows(later, (number, number)))]

    def _erase(self, record: PrintRecord, reason: str | None) -> None:
        entry, *later = self._entries(record.id)
        for said in (entry, *later):
            log.forget(self.database, said)
        erased = ", ".join(f"{name} = NULL" for name in (*COLUMNS, "entry") if name != "id")
        self.database.run(f"UPDATE prints SET {erased} WHERE id = ?", (record.id,))
        self.database.run("UPDATE templates SET template = NULL WHERE id = ?", (record.id,))
        self.database.run(
            f"UPDATE reextractions SET {_EMPTIED}, template = NULL, entry = NULL WHERE id = ?", (record.id,)
        )
        self.database.run(f"UPDATE amendments SET {_UNSAID}, entry = NULL WHERE id = ?", (record.id,))
        self._unmethod(record)
        log.append(self.database, event("removed", entry=entry, reason=reason))

    def rebuild(self, describe: Describe, advance: Callable[[int], None] = lambda n: None) -> int:
        """Make all segments again from the templates; returns the number of prints.

        describe : template bytes, where -> Vectors
        advance : is told of every print done
        """
        old, ids = self.cache.entries(), self.print_ids()
        new = self.cache.write(self._described(ids, describe, advance))
        with self.database.transaction():
            self.cache.replace(old, new)
            self.database.run("DELETE FROM waiting")
            log.append(self.database, event("rebuilt", prints=len(ids)))
        self._heal()
        return len(ids)

    def _described(self, ids: NDArray[np.int64], describe: Describe, advance: Callable[[int], None]) -> Iterator[Block]:
        parts: list[tuple[int, Vectors]] = []
        rows = 0
        for number in map(int, ids):
            (template,) = self.templates([number])
            parts.append((number, describe(template, f"{self.path}: print {number}")))
            rows += len(parts[-1][1])
            advance(1)
            if rows >= segments.MOST_ROWS // 2:  # room for merging
                yield Block.join(parts, self.descriptor_bytes)
                parts, rows = [], 0
        if parts:
            yield Block.join(parts, self.descriptor_bytes)

    def _heal(self) -> None:
        """Finish what the last writer left, or this one's own removal: folders, stray files, overwriting."""
        with disk_errors(self.path):
            make_all_private(self.path)
            for folder in (self.cache.folder, self.originals.folder, self.originals.incoming):
                make_private(folder)
        self.cache.heal()
        with disk_errors(self.path):
            self.originals.heal(self._keeps)
        self._scrub()

    def _scrub(self) -> None:
        """Overwrite what a removal left in the write-ahead log, unless a reader still needs it, and delete what an
        upgrade put aside: it still holds the print."""
        if self._unscrubbed() and self.database.empty_log():
            with disk_errors(self.path):
                for version in range(1, len(VERSIONS)):
                    old_version(self.database.path, version).unlink(missing_ok=True)
            self.database.run("UPDATE gallery SET unscrubbed = 0")

    def _unscrubbed(self) -> bool:
        return bool(self.database.one("SELECT unscrubbed FROM gallery")[0])

    def _keeps(self, sha256: str) -> bool:
        sql = "SELECT 1 FROM prints WHERE sha256 = ? AND path IS NULL"
        return self.database.first(sql, (sha256,)) is not None

    def _tidy(self) -> None:
        with contextlib.suppress(FpipeError):  # everything is stored: what stays in the log is moved another time
            self._scrub()
            self.database.empty_log()


def _upgraded(database: Database, version: int) -> None:
    log.append(database, event("upgraded", before=version, after=len(VERSIONS)))


def _telling_words(record: Mapping[str, Any], noted: Iterable[Condition]) -> Iterator[str]:
    """The ways in which a search may have been restricted to what a print says of whom and what it is.

    noted : conditions of searches
    """
    subject, fields = record.get("subject"), record.get("fields", {})
    if subject:
        yield subject
    yield from (f"{name}={value}" for name, value in fields.items())
    said = {**fields, "subject": subject, "print": record.get("print"), "sha256": record.get("sha256")}
    yield from (str(condition) for condition in noted if condition.meets(said.get(condition.name)))


def _only_remains(path: Path) -> bool:
    """Whether a folder holds at most what a creation leaves that was interrupted before its commit."""
    return {entry.name for entry in path.iterdir()} <= {"lock", *(f"gallery.db{end}" for end in _DATABASE_ENDS)}


def _unfinished(path: Path) -> bool:
    """Whether a folder is empty, or a creation in it was interrupted before its commit."""
    if not _only_remains(path):
        return False
    if not (path / "gallery.db").exists():
        return True
    try:
        Database.open(path / "gallery.db", APPLICATION, VERSIONS, write=False).close()
    except NoGallery:
        return True
    except (IntegrityError, GalleryVersion):
        return False
    return False
