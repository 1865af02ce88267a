"""The list of what a run left out, as a CSV file: one line a print, written at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fpipe.core.files import disk_errors
from fpipe.service.intake import Outcome

COLUMNS = ("path", "sha256", "stage", "code", "message")


@contextmanager
def quarantine_list(path: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yields what writes one outcome more; an earlier list at that place is replaced.  A path of None makes no list.

    Raises DiskFull where it can't be written.
    """
    if path is None:
        yield lambda outcome: None
        return
    with disk_errors(path):
        stream = path.open("w", encoding="utf-8", newline="")
    with stream:
        rows = csv.writer(stream)

        def write(*cells: str) -> None:
            with disk_errors(path):
                rows.writerow(cells)
                stream.flush()

        write(*COLUMNS)
        yield lambda outcome: write(outcome.path, outcome.sha256, outcome.stage, outcome.code, outcome.message)
