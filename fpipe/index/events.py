"""What the log says of a change to the gallery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fpipe import __version__
from fpipe.core.files import sha256_hex
from fpipe.index.records import PrintRecord


def now() -> str:
    """UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def event(name: str, *, reason: str | None = None, **facts: Any) -> dict[str, Any]:
    """An entry: what happened, when, by which fpipe, and, where one was given, why."""
    entry = {"event": name, "at": now(), "fpipe": __version__, **facts}
    return entry if reason is None else {**entry, "reason": reason}


def record_event(name: str, record: PrintRecord, template: bytes, *, reason: str | None = None) -> dict[str, Any]:
    """An entry that leaves a print as ``record`` says: the whole record and the template's hash."""
    return event(name, reason=reason, record=record.as_document(), template=sha256_hex(template))
