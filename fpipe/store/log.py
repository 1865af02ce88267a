"""A log whose entries are chained by hashes and can still be made to forget.

An entry's ``content`` is sha256(salt || payload), its ``chain`` sha256(chain before || number || content).  To forget
an entry its payload and salt are erased: the chain still verifies, and without the salt (32 random bytes) the content
hash says nothing about what was there.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

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
    """Add an entry within the caller's transaction; returns its number."""
    last = database.first("SELECT number, chain FROM log ORDER BY number DESC LIMIT 1")
    number, before = (last[0] + 1, last[1]) if last else (1, b"")
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    salt = secrets.token_bytes(32)
    content = hashlib.sha256(salt + text.encode()).digest()
    database.run(
        "INSERT INTO log (number, salt, payload, content, chain) VALUES (?, ?, ?, ?, ?)",
        (number, salt, text, content, _chained(before, number, content)),
    )
    return number


def forget(database: Database, number: int) -> None:
    """Erase what an entry said, within the caller's transaction."""
    database.run("UPDATE log SET salt = NULL, payload = NULL WHERE number = ?", (number,))


def payload(database: Database, number: int) -> dict[str, Any] | None:
    """What an entry says; None where it was forgotten or is not there, or is not readable."""
    row = database.first("SELECT payload FROM log WHERE number = ?", (number,))
    try:
        said = json.loads(row[0]) if row and row[0] is not None else None
    except (ValueError, TypeError):
        return None
    return said if isinstance(said, dict) else None


def problems(database: Database) -> list[str]:
    """Entries that do not fit their hash or the chain."""
    found, before, expected = [], b"", 1
    for number, salt, text, content, chain in database.rows("SELECT * FROM log ORDER BY number"):
        if number != expected:
            found.append(f"log: entry {expected} is missing")
        if not isinstance(content, bytes) or not isinstance(chain, bytes):
            found.append(f"log: entry {number} is unreadable")
            break
        if (salt is None) != (text is None):
            found.append(f"log: entry {number} is half erased")
        elif salt is not None and not _fits(salt, text, content):
            found.append(f"log: entry {number} was changed")
        if chain != _chained(before, number, content):
            found.append(f"log: the chain is broken at entry {number}")
        before, expected = chain, number + 1
    return found


def _fits(salt: Any, text: Any, content: bytes) -> bool:
    readable = isinstance(salt, bytes) and isinstance(text, str)
    return readable and hashlib.sha256(salt + text.encode()).digest() == content


def _chained(before: bytes, number: int, content: bytes) -> bytes:
    return hashlib.sha256(before + number.to_bytes(8, "little") + content).digest()
