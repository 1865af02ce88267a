"""A sink for intermediates.  Off by default; every key is public and documented where it is emitted."""

from __future__ import annotations

from typing import Any, Protocol


class Trace(Protocol):
    """Receives named intermediates, e.g. ``orientation.field``."""

    def __call__(self, key: str, value: Any) -> None: ...


def no_trace(key: str, value: Any) -> None:
    """The default sink: keeps nothing."""


class Recorder(dict[str, Any]):
    """A sink that keeps every intermediate under its key."""

    def __call__(self, key: str, value: Any) -> None:
        self[key] = value
