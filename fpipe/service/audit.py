"""Who did what with a gallery, and whether that was written over since.

Two logs, each a hash chain: *changes* in ``gallery.db``, written with the change itself, and *accesses* in
``access.log``: searches, checks and backups, which go on while another command holds the gallery for days.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from fpipe.core.errors import DiskFull, IntegrityError, Locked
from fpipe.index import Gallery
from fpipe.service.versions import versions
from fpipe.store import log
from fpipe.store.chain import Entry
from fpipe.store.journal import Journal

if TYPE_CHECKING:
    from fpipe.service.search import Candidate, Search

Log = Literal["changes", "accesses"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit.

    at : when it was written, or, of one that was forgotten, when the readable one before it was
    """

    log: Log
    at: str
    entry: Entry

    def as_document(self) -> dict[str, Any]:
        """JSON-able: where it stands, its hash, and what it says."""
        said = self.entry.payload
        facts = {"forgotten": True} if said is None else said
        return {"log": self.log, "number": self.entry.number, "chain": self.entry.chain.hex(), **facts}

    def as_evidence(self) -> dict[str, Any]:
        """JSON-able: all that is needed to verify it elsewhere."""
        salt = None if self.entry.salt is None else self.entry.salt.hex()
        hashes = {"content": self.entry.content.hex(), "chain": self.entry.chain.hex()}
        return {"log": self.log, "number": self.entry.number, "salt": salt, "text": self.entry.text, **hashes}


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log ends: whoever has it can tell later whether the log was cut off or written anew since."""

    log: Log
    number: int
    chain: str


def heads(gallery: Gallery) -> list[Head]:
    """Of both logs."""
    return [Head("changes", *log.head(gallery.database)), Head("accesses", *gallery.accesses.head())]


def entries(gallery: Gallery, *, event: str | None = None, since: datetime | None = None) -> Iterator[AuditEntry]:
    """The audit in the order of time, changes before accesses of the same second.

    event : only these, "searched" for instance; since : only these and later
    """
    both = (_dated("changes", log.entries(gallery.database)), _dated("accesses", gallery.accesses.entries()))
    for found in heapq.merge(*both, key=lambda one: one.at):
        said = found.entry.payload or {}
        if (event is None or said.get("event") == event) and (since is None or not _before(found.at, since)):
            yield found


def _dated(name: Log, found: Iterable[Entry | None]) -> Iterator[AuditEntry]:
    at = ""
    for entry in found:
        if entry is None:
            raise IntegrityError(
                where=name, reason="an entry of the log is unreadable; `fpipe audit verify` says which"
            )
        at = str((entry.payload or {}).get("at", at))
        yield AuditEntry(name, at, entry)


def _before(at: str, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(at) < (since if since.tzinfo else since.replace(tzinfo=UTC))
    except ValueError:
        return False


def problems(gallery: Gallery, known: Iterable[str] = ()) -> list[str]:
    """Entries that were changed, and chains that do not fit; empty where the audit is what was written.

    known : heads (hex) that were noted earlier: where the gallery has one no more, its log was cut off or written anew
    """
    journal = gallery.accesses
    strange = [*_strange_heads(gallery, journal), *_strange_accesses(gallery, journal)]
    found = [*log.problems(gallery.database), *journal.problems(), *strange]
    for head in known:
        if not _has(gallery, journal, head.strip().lower()):
            found.append(f"no entry has the chain {head}: a log was cut off or written anew since that was noted")
    return found


def _strange_heads(gallery: Gallery, journal: Journal) -> Iterator[str]:
    """What an access says the last change before it was, against the changes."""
    for number, head in _seen_heads(journal.entries(), "gallery_head"):
        row = gallery.database.first("SELECT lower(hex(chain)) FROM log WHERE number = ?", (head[0],))
        if (row[0] if row else "") != head[1]:
            yield f"log: entry {head[0]} is not the one that access {number} saw: it was cut off or written anew"


def _strange_accesses(gallery: Gallery, journal: Journal) -> Iterator[str]:
    """The first access that a change says was the last before it, and that is not there."""
    seen = {head: number for number, head in _seen_heads(log.entries(gallery.database), "access_head") if head[0]}
    for entry in journal.entries():
        if entry is not None:
            seen.pop((entry.number, entry.chain.hex()), None)
    for (number, _), change in sorted(seen.items())[:1]:
        reason = "it was cut off or written anew"
        yield f"{journal.path.name}: entry {number} is not the one that change {change} saw: {reason}"


def _seen_heads(found: Iterable[Entry | None], name: str) -> Iterator[tuple[int, tuple[int, str]]]:
    """(number, head of the other log that it saw) of entries that name one."""
    for entry in found:
        head = ((entry.payload if entry else None) or {}).get(name)
        if entry is not None and isinstance(head, list) and list(map(type, head)) == [int, str]:
            yield entry.number, (head[0], head[1])


def _has(gallery: Gallery, journal: Journal, head: str) -> bool:
    if gallery.database.first("SELECT 1 FROM log WHERE lower(hex(chain)) = ?", (head,)) is not None:
        return True
    return any(entry is not None and entry.chain.hex() == head for entry in journal.entries())


def note(gallery: Gallery, event: str, **facts: Any) -> str | None:
    """Note an access; returns why it could not be noted, on read-only media for instance, None where it was."""
    head = list(log.head(gallery.database))
    try:
        gallery.accesses.append({"event": event, "gallery_head": head, **facts})
    except (DiskFull, Locked, IntegrityError) as error:
        said = error.message.removesuffix(f"; {error.hint}")  # what to do about it is said where it stops a command
        return f"this could not be noted in the gallery's audit: {said}"
    return None


def note_search(gallery: Gallery, search: Search, **facts: Any) -> str | None:
    """Note a search: the probe, by what it was read, what it was compared with, and the candidates by their ids: so
    that a print that is removed later leaves no name here.

    facts : more to be noted, JSON-able: filters for instance
    """
    return note(
        gallery,
        "searched",
        latent=search.latent,
        sha256=search.sha256,
        ppi=search.ppi,
        preset=search.preset,
        extraction_digest=search.extraction_digest,
        comparison_digest=search.comparison_digest,
        score_digest=search.score_digest,
        gallery_extraction_digests=search.gallery_digests,
        prints_searched=search.prints_searched,
        prints_compared=search.prints_compared,
        candidates=[[c.record.id, round(c.score, 4)] for c in search.candidates],
        versions=search.versions,
        **facts,
    )


def note_stored_search(
    gallery: Gallery, number: int, candidates: Iterable[Candidate], searched: int, compared: int
) -> str | None:
    """Note that a stored print was searched among the gallery's latents; all of them by their ids."""
    return note(
        gallery,
        "searched",
        probe=number,
        reverse=True,
        comparison_digest=gallery.comparison_digest,
        prints_searched=searched,
        prints_compared=compared,
        candidates=[[c.record.id, round(c.score, 4)] for c in candidates],
        versions=versions(),
    )


def export(gallery: Gallery) -> Iterator[str]:
    """JSON lines to be archived and signed elsewhere: every entry with its salt and hashes, then the heads."""
    for found in entries(gallery):
        yield json.dumps(found.as_evidence(), ensure_ascii=False)
    ends = {head.log: {"number": head.number, "chain": head.chain} for head in heads(gallery)}
    yield json.dumps({"heads": ends}, ensure_ascii=False)
