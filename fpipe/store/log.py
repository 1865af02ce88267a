"""The log of a database: entries chained by hashes (``store.chain``) that can still be made to forget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any

from fpipe.store import chain
from fpipe.store.chain import Entry
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

_PAGE = 1000
_TYPES: tuple[type | tuple[type, ...], ...] = (int, (bytes, NoneType), (str, NoneType), bytes, bytes)
"""Of the columns; anything else was not written here."""


def append(database: Database, payload: dict[str, Any]) -> int:
    """Add an entry within the caller's transaction, with who wrote it and when, and what the database's witness says;
    returns its number."""
    last = database.first("SELECT number, chain FROM log ORDER BY number DESC LIMIT 1")
    number, before = (last[0] + 1, last[1]) if last else (1, b"")
    new = chain.seal({**payload, **database.witness()}, number, before)
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
    for entry in _read(database.rows("SELECT * FROM log WHERE number = ?", (number,))):
        return entry.payload if entry else None
    return None


def head(database: Database) -> tuple[int, str]:
    """Number and chain (hex) of the last entry; (0, "") of an empty log."""
    row = database.first("SELECT number, hex(chain) FROM log ORDER BY number DESC LIMIT 1")
    return (int(row[0]), str(row[1]).lower()) if row else (0, "")


def entries(database: Database) -> Iterator[Entry | None]:
    """All entries, oldest first; None for one that can't be read.  Read in short transactions, so that whoever takes
    long over them does not keep a removal from overwriting."""
    after: int | None = None
    while rows := database.rows(*_after(after)):
        yield from _read(rows)
        after = rows[-1][0]


def _after(number: int | None) -> tuple[str, tuple[int, ...]]:
    where, values = ("", ()) if number is None else ("WHERE number > ?", (number,))
    return f"SELECT * FROM log {where} ORDER BY number LIMIT {_PAGE}", values


def problems(database: Database) -> list[str]:
    """Entries that do not fit their hash or the chain."""
    return list(chain.problems(entries(database), "log"))


def _read(rows: Iterable[tuple[Any, ...]]) -> Iterator[Entry | None]:
    for row in rows:
        whole = row[0] > 0 and all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True))
        yield Entry(*row) if whole else None
