"""What makes a log a chain: each entry's hash covers the one before it; and who is writing.

An entry's *content* is sha256(salt || payload), its *chain* sha256(chain before || number || content).  To forget an
entry its payload and salt are erased: the chain still verifies, and without the salt (32 random bytes) the content hash
says nothing about what was there.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import secrets
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fpipe import __version__

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log; salt and text are None once it was forgotten.  The last entry's chain is the log's head."""

    number: int
    salt: bytes | None
    text: str | None
    content: bytes
    chain: bytes

    @property
    def payload(self) -> dict[str, Any] | None:
        """What it says; None where it was forgotten, or can't be read."""
        try:
            said = json.loads(self.text) if self.text is not None else None
        except ValueError:
            return None
        return said if isinstance(said, dict) else None

    def fits(self) -> bool:
        """Whether it says what it said when it was written."""
        return self.salt is not None and self.text is not None and content_of(self.salt, self.text) == self.content


def seal(payload: dict[str, Any], number: int, before: bytes) -> Entry:
    """A payload, with who wrote it and when where it does not say so itself -> the entry that follows ``before``."""
    text = json.dumps({**stamp(), **payload}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    salt = secrets.token_bytes(SALT_BYTES)
    content = content_of(salt, text)
    return Entry(number, salt, text, content, chained(before, number, content))


def problems(entries: Iterable[Entry | None], name: str) -> Iterator[str]:
    """What does not fit its hash or the chain; None among the entries is one that can't be read, and ends it."""
    before, expected = b"", 1
    for entry in entries:
        if entry is None:
            yield f"{name}: entry {expected} is unreadable"
            return
        if entry.number != expected:
            yield f"{name}: entry {expected} is missing"
        if (entry.salt is None) != (entry.text is None):
            yield f"{name}: entry {entry.number} is half erased"
        elif entry.salt is not None and not entry.fits():
            yield f"{name}: entry {entry.number} was changed"
        if entry.chain != chained(before, entry.number, entry.content):
            yield f"{name}: the chain is broken at entry {entry.number}"
        before, expected = entry.chain, entry.number + 1


def content_of(salt: bytes, text: str) -> bytes:
    """The hash of what an entry says."""
    return hashlib.sha256(salt + text.encode()).digest()


def chained(before: bytes, number: int, content: bytes) -> bytes:
    """The hash of an entry and of all before it."""
    return hashlib.sha256(before + number.to_bytes(8, "little") + content).digest()


def mentions(said: Any, words: Collection[str]) -> bool:
    """Whether a payload, or something in it, is one of these words, or a condition NAME=WORD."""
    if isinstance(said, dict):
        return any(mentions(value, words) for value in said.values())
    if isinstance(said, list):
        return any(mentions(value, words) for value in said)
    return isinstance(said, str) and (said in words or said.partition("=")[2] in words)


def stamp() -> dict[str, str]:
    """When, who, where and with what: part of every entry.

    at : UTC by this computer's clock, ISO 8601; user : of the operating system; host : this computer's name
    """
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), **_writer()}


@lru_cache
def _writer() -> dict[str, str]:
    return {"user": _user(), "host": platform.node(), "fpipe": __version__}


def _user() -> str:
    """The user this process runs as, by the system where it tells: anybody can set environment variables."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in containers: a number without a name
        return f"uid {os.geteuid()}"
