"""The list of what a run left out, as a CSV file: one line a print, written at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fpipe.core.errors import UsageError
from fpipe.core.files import disk_errors
from fpipe.service.intake import Outcome

COLUMNS = ("path", "sha256", "stage", "code", "message")


@contextmanager
def quarantine_list(path: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yields what writes one outcome more; an earlier list at that place is replaced.  A path of None makes no list.

    Raises UsageError where any other file is there, a slip of the hand must not cost an original; DiskFull where it
    can't be written.
    """
    if path is None:
        yield lambda outcome: None
        return
    _refuse_another_file(path)
    with disk_errors(path):
        stream = path.open("a", encoding="utf-8", newline="")
    with stream:
        written = _List(path, stream)
        yield written.add
        written.begin()


class _List:
    """Begun with the first outcome, or at the end: a run that is refused, since another one holds the gallery for
    instance, leaves the list of that one alone."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self._path, self._stream, self._rows = path, stream, csv.writer(stream)
        self._begun = False

    def begin(self) -> None:
        """Replace what was there."""
        if not self._begun:
            self._begun = True
            with disk_errors(self._path):
                if self._path.is_file():
                    self._stream.truncate(0)
                self._rows.writerow(COLUMNS)
                self._stream.flush()

    def add(self, outcome: Outcome) -> None:
        """One line more, written at once."""
        self.begin()
        with disk_errors(self._path):
            self._rows.writerow([outcome.path, outcome.sha256, outcome.stage, outcome.code, outcome.message])
            self._stream.flush()


def _refuse_another_file(path: Path) -> None:
    head, found = ",".join(COLUMNS).encode(), b""
    with disk_errors(path):
        if path.is_file():
            with path.open("rb") as stream:
                found = stream.read(len(head))
    if found and found != head:
        reason = f"{path.as_posix()} is there and no earlier list of this kind; choose another name for --quarantine"
        raise UsageError(reason=reason)
