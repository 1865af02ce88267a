"""Whether a gallery is as it was stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fpipe.core.errors import DiskFull, FpipeError, IntegrityError, NetworkDisk
from fpipe.core.files import sha256_hex
from fpipe.index import segments
from fpipe.index.cache import placed
from fpipe.index.records import COLUMNS, record_of
from fpipe.index.segments import Block
from fpipe.store import log
from fpipe.store.lock import writer_lock

if TYPE_CHECKING:
    from fpipe.index.gallery import Gallery


def problems(gallery: Gallery) -> list[str]:
    """Database, log, records, templates, vectors, segments and originals; one line for everything that is wrong."""
    found: list[str] = []
    with contextlib.ExitStack() as held:
        if not gallery.writing:
            with contextlib.suppress(DiskFull, NetworkDisk):  # where nobody can write there is no writer to wait for
                held.enter_context(writer_lock(gallery.path))
        for part in (_database, _log, _prints, _amendments, _links, _methods, _vectors, _originals):
            try:
                found += part(gallery)
            except IntegrityError as error:  # so damaged that this part can't be looked at further
                found.append(error.message.removesuffix(f"; {error.hint}"))
    return list(dict.fromkeys(found))


def _database(gallery: Gallery) -> list[str]:
    return gallery.database.problems()


def _log(gallery: Gallery) -> list[str]:
    found = log.problems(gallery.database)
    created = log.payload(gallery.database, 1) or {}
    for name in ("comparison_digest", "descriptor_bytes", "keep_originals"):
        if created.get(name) != getattr(gallery, name):
            found.append(f"gallery.db: its {name} is not the one it was created with")
    return found


def _prints(gallery: Gallery) -> Iterator[str]:
    """Every record and template against what the log says was added, re-extracted or amended."""
    columns = ", ".join(f"records.{name}" for name in (*COLUMNS, "edition", "template"))
    sql = f"SELECT {columns}, entry FROM records JOIN prints USING (id) ORDER BY records.id"
    entries, seen = set(_history(gallery)), 0
    for *row, edition, template, entry in gallery.database.each(sql):
        number = row[0]
        if number == seen:
            yield f"print {number}: two templates"
        seen = number
        if row[1] is None:
            if any(value is not None for value in (*row[1:], edition, template, entry)):
                yield f"print {number}: half removed"
            continue
        record = record_of(tuple(row), str(gallery.database.path))
        said = log.payload(gallery.database, edition) if isinstance(edition, int) else None
        entries.add(entry)
        if said is None:
            yield f"print {record.print}: the log does not say that it was added"
        elif _said_of_record(said) != record.as_document():
            yield f"print {record.print}: its record was changed"
        elif not isinstance(template, bytes) or said.get("template") != sha256_hex(template):
            yield f"print {record.print}: its template was changed"
    for event in ("added", "reextracted", "amended"):
        for (number,) in gallery.database.rows(f'SELECT number FROM log WHERE payload LIKE \'%"event":"{event}"%\''):
            if number not in entries:
                yield f"log: entry {number} says a print was {event} that is not there"


def _history(gallery: Gallery) -> Iterator[int]:
    """Log entries of re-extractions and amendments."""
    for table in ("reextractions", "amendments"):
        sql = f"SELECT {table}.entry FROM {table} JOIN prints USING (id) WHERE print IS NOT NULL"
        yield from (entry for (entry,) in gallery.database.each(sql))


def _said_of_record(said: dict[str, Any]) -> dict[str, Any] | None:
    """The record in an entry of the log, with what an older fpipe did not write."""
    record = said.get("record")
    return {"part": "", "fields": {}, **record} if isinstance(record, dict) else None


def _amendments(gallery: Gallery) -> Iterator[str]:
    """Nothing is left of what was replaced or removed."""
    sql = "SELECT id FROM amendments WHERE fields IS NULL AND (subject NOT NULL OR finger NOT NULL)"
    for (number,) in gallery.database.rows(sql):
        yield f"print {number}: an amendment is half erased"
    sql = "SELECT id FROM amendments JOIN prints USING (id) WHERE print IS NULL AND amendments.entry NOT NULL"
    for (number,) in gallery.database.rows(sql):
        yield f"print {number}: half removed"


def _links(gallery: Gallery) -> Iterator[str]:
    """Every link between subjects against what the log says of it."""
    entries = set()
    rows = gallery.database.rows("SELECT number, one, other, linked, entry FROM links")
    for number, one, other, linked, entry in rows:
        if one is None:
            if any(value is not None for value in (other, linked, entry)):
                yield f"link {number}: half erased"
            continue
        entries.add(entry)
        said = (log.payload(gallery.database, entry) if isinstance(entry, int) else None) or {}
        event = "linked" if linked else "unlinked"
        if (said.get("event"), said.get("one"), said.get("other")) != (event, one, other):
            yield f"link {number}: not what the log says"
    for event in ("linked", "unlinked"):
        for (number,) in gallery.database.rows(f'SELECT number FROM log WHERE payload LIKE \'%"event":"{event}"%\''):
            if number not in entries:
                yield f"log: entry {number} says subjects were {event}, but there is no link"


def _methods(gallery: Gallery) -> list[str]:
    counted = (
        "SELECT kind, extraction_digest, count(*) FROM records WHERE print IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    )
    stated = "SELECT kind, extraction_digest, prints FROM methods ORDER BY 1, 2"
    same = gallery.database.rows(counted) == gallery.database.rows(stated)
    return [] if same else ["gallery.db: its table of extraction digests does not fit the prints"]


def _vectors(gallery: Gallery) -> Iterator[str]:
    """Every segment against its digest, and every print's vectors exactly once, in a segment or waiting for one."""
    held: dict[int, int] = {}
    entries, waiting = gallery.cache.entries(), gallery.cache.waiting()
    again = {number for (number,) in gallery.database.rows("SELECT id FROM reextractions WHERE template NOT NULL")}
    replaced = again & {number for parts in placed(entries, waiting)[0].values() for number, _ in parts}
    damaged = False
    for entry in entries:
        try:
            block = segments.read_segment(gallery.cache.folder, entry, gallery.descriptor_bytes, verify=True)
        except FileNotFoundError:
            damaged = True
            yield f"segments/{entry.name}: missing"
        except IntegrityError as error:
            damaged = True
            yield f"segments/{entry.name}: {error.facts['reason']}"
        else:
            if (block.ids[0], block.ids[-1]) != (entry.first_id, entry.last_id):
                yield f"segments/{entry.name}: its prints are not the ones noted"
            yield from _counted(held, block.without(np.array(sorted(replaced), np.int64)))
    for before, after in pairwise(entries):
        if before.last_id >= after.first_id:
            yield f"segments/{after.name}: overlaps {before.name}"
    yield from _counted(held, Block.join(waiting, gallery.descriptor_bytes))
    if damaged:
        return
    for number, count in gallery.database.rows("SELECT id, vectors FROM records WHERE print IS NOT NULL"):
        got = held.pop(number, None)
        if got != count:
            yield f"print {number}: {got or 'no'} vectors in the index, expected {count}"
    for number in held:
        yield f"print {number}: vectors in the index, but no record"


def _counted(held: dict[int, int], block: Block) -> Iterator[str]:
    for number, start, end in zip(block.ids.tolist(), block.starts[:-1], block.starts[1:], strict=True):
        if number in held:
            yield f"print {number}: twice in the index"
        held[number] = int(end - start)


def _originals(gallery: Gallery) -> Iterator[str]:
    kept = gallery.database.rows(  # the first print of each file
        "SELECT print, sha256, min(id) FROM prints WHERE print IS NOT NULL AND path IS NULL GROUP BY sha256 ORDER BY 3"
    )
    for name, sha256, _ in kept:
        place = gallery.originals.place(sha256).relative_to(gallery.path).as_posix()
        try:
            if gallery.originals.read(sha256) is None:
                yield f"print {name}: its original is missing: {place}"
        except FpipeError as error:
            yield f"print {name}: {error.facts['reason']}: {place}"
    names = {sha256 for _, sha256, _ in kept}
    for path in gallery.originals.strangers(names.__contains__):
        yield f"{path.relative_to(gallery.path).as_posix()}: an original that no record names"
