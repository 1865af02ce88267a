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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fpipe import __version__

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """A new entry, ready to be written."""

    number: int
    salt: bytes
    text: str
    content: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is read.

    payload : None where it was forgotten, or can't be read
    chain : hex; the last entry's is the head of the log
    """

    number: int
    payload: dict[str, Any] | None
    chain: str


def seal(payload: dict[str, Any], number: int, before: bytes) -> Sealed:
    """A payload, with who wrote it and when where it does not say so itself -> an entry that follows ``before``."""
    text = json.dumps({**stamp(), **payload}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    salt = secrets.token_bytes(SALT_BYTES)
    content = content_of(salt, text)
    return Sealed(number, salt, text, content, chained(before, number, content))


def content_of(salt: bytes, text: str) -> bytes:
    """The hash of what an entry says."""
    return hashlib.sha256(salt + text.encode()).digest()


def chained(before: bytes, number: int, content: bytes) -> bytes:
    """The hash of an entry and of all before it."""
    return hashlib.sha256(before + number.to_bytes(8, "little") + content).digest()


def parsed(text: object) -> dict[str, Any] | None:
    """What an entry's text says; None where it is no such text."""
    try:
        said = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


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
