"""What a long run shows and heeds: progress with rate and time left, Ctrl-C once and twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fpipe.service.workers import Stop

LINE_S = 60.0
"""Seconds between lines of progress where stderr is no terminal."""
_WINDOW = 10
"""Lines back from which the time that is left is reckoned: known files go by faster than new ones."""
_FINISHING = b"fpipe: notice: interrupted: finishing what was begun; Ctrl-C again breaks it off\n"

Advance = Callable[[int, int], None]
"""Is told of files and prints that are done."""


@contextmanager
def batch_progress(label: str, total: int) -> Iterator[Advance]:
    """Files done of all, prints a second and time left: a bar where stderr is a terminal, else a line a minute."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(label, total).advance
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, speed_estimate_period=300) as bar:
        task = bar.add_task(label, total=total, rate="")
        start, prints = time.monotonic(), 0

        def advance(files: int, more: int) -> None:
            nonlocal prints
            prints += more
            bar.update(task, advance=files, rate=f"{prints / max(time.monotonic() - start, 1e-3):.2f} prints/s")

        yield advance


class _Lines:
    """Lines of progress, the first after a minute."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._files = self._prints = 0
        self._said = deque([(time.monotonic(), 0, 0)], maxlen=_WINDOW)

    def advance(self, files: int, prints: int) -> None:
        self._files += files
        self._prints += prints
        now = time.monotonic()
        if now - self._said[-1][0] >= LINE_S:
            click.echo(f"fpipe: {self._label}: {self._line(now)}", err=True)
            self._said.append((now, self._files, self._prints))

    def _line(self, now: float) -> str:
        since, files, prints = self._said[0]
        pace = (self._files - files) / (now - since)
        left = f"{_clock((self._total - self._files) / pace)} left" if pace else "time left unknown"
        rate = (self._prints - prints) / (now - since)
        return f"{self._files} of {self._total} files, {rate:.2f} prints/s, {left}"


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h"


@contextmanager
def heeding_interrupts(stop: Stop) -> Iterator[None]:
    """Ctrl-C, or a request to terminate, asks ``stop``: once to finish what was begun, again to break off; a third
    one ends the process as ever.  So no change to a gallery is cut off in the middle, and every one is counted."""

    def heed(number: int, frame: FrameType | None) -> None:
        first = not stop.asked
        stop.ask()  # before anything is said: who reads that may interrupt again at once, within this handler
        if first:
            os.write(2, _FINISHING)  # print() is not for a signal's handler
        if stop.at_once:
            restore()

    def restore() -> None:
        for which, handler in before.items():
            signal.signal(which, handler)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for which in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(which)) != signal.SIG_IGN:  # a shell's background job, for instance
                before[which] = handler
                signal.signal(which, heed)
    try:
        yield
    finally:
        restore()
