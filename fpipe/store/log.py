"""The log of a database: entries chained by hashes (``store.chain``) that can still be made to forget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fpipe.store.chain import Entry, chained, content_of, parsed, seal
from fpipe.store.database import Database

SCHEMA = """
CREATE TABLE log (
    number INTEGER PRIMARY KEY,
    salt BLOB,
    payload TEXT,
    content BLOB NOT NULL,
    chain BLOB NOT NULL
)
"""


def append(database: Database, payload: dict[str, Any]) -> int:
    """Add an entry within the caller's transaction, with who wrote it and when; returns its number."""
    last = database.first("SELECT number, chain FROM log ORDER BY number DESC LIMIT 1")
    number, before = (last[0] + 1, last[1]) if last else (1, b"")
    new = seal(payload, number, before)
    database.run(
        "INSERT INTO log (number, salt, payload, content, chain) VALUES (?, ?, ?, ?, ?)",
        (new.number, new.salt, new.text, new.content, new.chain),
    )
    return number


def forget(database: Database, number: int) -> None:
    """Erase what an entry said, within the caller's transaction."""
    database.run("UPDATE log SET salt = NULL, payload = NULL WHERE number = ?", (number,))


def payload(database: Database, number: int) -> dict[str, Any] | None:
    """What an entry says; None where it was forgotten or is not there, or is not readable."""
    row = database.first("SELECT payload FROM log WHERE number = ?", (number,))
    return parsed(row[0]) if row else None


def head(database: Database) -> tuple[int, str]:
    """Number and chain (hex) of the last entry; (0, "") of an empty log."""
    row = database.first("SELECT number, hex(chain) FROM log ORDER BY number DESC LIMIT 1")
    return (int(row[0]), str(row[1]).lower()) if row else (0, "")


def entries(database: Database) -> Iterator[Entry]:
    """All entries, oldest first."""
    for number, text, chain in database.each("SELECT number, payload, hex(chain) FROM log ORDER BY number"):
        yield Entry(number, parsed(text), chain.lower())


def problems(database: Database) -> list[str]:
    """Entries that do not fit their hash or the chain."""
    found, before, expected = [], b"", 1
    for number, salt, text, content, chain in database.each("SELECT * FROM log ORDER BY number"):
        if number != expected:
            found.append(f"log: entry {expected} is missing")
        if number < 1 or not isinstance(content, bytes) or not isinstance(chain, bytes):
            found.append(f"log: entry {number} is unreadable")
            break
        if (salt is None) != (text is None):
            found.append(f"log: entry {number} is half erased")
        elif salt is not None and not _fits(salt, text, content):
            found.append(f"log: entry {number} was changed")
        if chain != chained(before, number, content):
            found.append(f"log: the chain is broken at entry {number}")
        before, expected = chain, number + 1
    return found


def _fits(salt: Any, text: Any, content: bytes) -> bool:
    return isinstance(salt, bytes) and isinstance(text, str) and content_of(salt, text) == content
