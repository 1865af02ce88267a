"""A folder of drawn templates: whole subfolders of 1,000 fingers, so that an interrupted run goes on where it was.

OUT/synth.json            what was asked for, written first
OUT/templates/00000/      00000000_1.fpt, 00000000_2.fpt ...: finger, impression
OUT/labels.csv            written last: with it the folder is complete
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fpipe import __version__
from fpipe.core.conventions import PPI
from fpipe.core.errors import FpipeError, UsageError
from fpipe.core.files import disk_errors, sync_folder
from fpipe.core.params import digest
from fpipe.minutiae import blob
from fpipe.service.synth_folder import Advance, claimed
from fpipe.service.workers import spread
from fpipe.synth.seeds import FINGERS, SEEDS, USES, Use, finger_seed
from fpipe.synth.templates import IMPRESSIONS, DrawnTemplates

FOLDER_FINGERS = 1000
"""Fingers of a subfolder: what an interrupted run loses at most of each worker's."""
_AT_ONCE = 100
"""Fingers drawn before their files are written: changing between the two for each costs a quarter more."""
LABELS, TEMPLATES = "labels.csv", "templates"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    count : templates in all; impressions : of each finger
    seed, use : see ``synth.seeds``
    """

    count: int
    impressions: int = 1
    seed: int = 0
    use: Use = "test"

    def __post_init__(self) -> None:
        """Raises UsageError where the numbers can't be had."""
        for name, value, most in (("count", self.count, None), ("impressions", self.impressions, IMPRESSIONS)):
            if value < 1 or (most is not None and value > most):
                raise UsageError(reason=f"{name} {value}, expected {f'1 to {most}' if most else 'at least 1'}")
        if self.use not in USES or not 0 <= self.seed < SEEDS:
            reason = f"use {self.use!r} and seed {self.seed}, expected one of {', '.join(USES)} and 0 to {SEEDS - 1}"
            raise UsageError(reason=reason)
        if self.count % self.impressions:
            fewer = self.count - self.count % self.impressions
            near = (f"{fewer} or " if fewer else "") + str(fewer + self.impressions)
            reason = f"{self.count} templates can't be {self.impressions} impressions of every finger; ask for {near}"
            raise UsageError(reason=reason)
        if self.fingers > FINGERS:
            raise UsageError(reason=f"{self.fingers} fingers, a seed has {FINGERS}; spread them over several seeds")

    @property
    def fingers(self) -> int:
        """Fingers in all."""
        return self.count // self.impressions

    @property
    def set_name(self) -> str:
        """The set that labels.csv names: fingers of different uses and seeds are different."""
        return f"synth-{self.use}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Fingers ``first`` to ``end - 1``: one subfolder."""

    first: int
    end: int

    @property
    def name(self) -> str:
        """Of the subfolder."""
        return f"{self.first // FOLDER_FINGERS:05d}"


def synth_templates(out: Path, order: Order, *, jobs: int = 1, advance: Advance = lambda n: None) -> dict[str, Any]:
    """Fill ``out``, or go on filling it; the same bytes whatever the jobs.

    Returns a JSON-able summary: templates, fingers, seconds, folder.

    Raises UsageError where other things are in the folder, Locked where another command fills it, DiskFull.
    """
    start = time.perf_counter()
    drawn = DrawnTemplates()
    recipe = {"fpipe": __version__, "made": "templates", **asdict(order), "drawn": drawn.describe()}
    with claimed(out, recipe, (TEMPLATES, LABELS)):
        if not (out / LABELS).exists():
            _draw(out, order, drawn, jobs, advance)
            _write_labels(out, order)
    return {
        "templates": order.count,
        "fingers": order.fingers,
        "seconds": round(time.perf_counter() - start, 3),
        "folder": out.as_posix(),
    }


def source_of(drawn: DrawnTemplates) -> str:
    """What the templates say of their origin: the method, and which version and constants of it."""
    return f"synth-templates:{digest([drawn.describe()])}"


# -- templates -------------------------------------------------------------------------------------------------------


def _draw(out: Path, order: Order, drawn: DrawnTemplates, jobs: int, advance: Advance) -> None:
    with disk_errors(out):
        (out / TEMPLATES).mkdir(exist_ok=True)
    with closing(spread(partial(_fill, out, order, drawn), _chunks(order), jobs, _died)) as filled:
        for chunk, _ in filled:
            advance((chunk.end - chunk.first) * order.impressions)
    if hasattr(os, "sync"):
        os.sync()  # once for all: a flush a file would take ten times as long as the file
    with disk_errors(out):
        sync_folder(out / TEMPLATES)


def _chunks(order: Order) -> Iterator[Chunk]:
    for first in range(0, order.fingers, FOLDER_FINGERS):
        yield Chunk(first, min(first + FOLDER_FINGERS, order.fingers))


def _died(chunk: Chunk) -> None:
    raise FpipeError(reason=f"subfolder {chunk.name}: the process that drew it died; the same command goes on with it")


def _fill(out: Path, order: Order, drawn: DrawnTemplates, chunk: Chunk) -> None:
    """One subfolder, whole or not at all; nothing to do where it is there."""
    final, unfinished = out / TEMPLATES / chunk.name, out / f".{chunk.name}.tmp"
    with disk_errors(final):
        if _is_whole(final, order, chunk):
            return
        try:
            for folder in (final, unfinished):
                if folder.exists():
                    shutil.rmtree(folder)
            unfinished.mkdir()
            _write_chunk(unfinished, order, drawn, chunk)
            unfinished.replace(final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def _is_whole(folder: Path, order: Order, chunk: Chunk) -> bool:
    """Whether every file of a subfolder is there; after a loss of power the system may have left files empty."""
    if not folder.is_dir():
        return False
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
    return all(sizes.values()) and sizes.keys() == {name for _, _, name in _names(order, chunk)}


def _names(order: Order, chunk: Chunk) -> Iterator[tuple[int, int, str]]:
    """(finger, impression, file name) of a subfolder, in their order."""
    for finger in range(chunk.first, chunk.end):
        for impression in range(1, order.impressions + 1):
            yield finger, impression, f"{finger:08d}_{impression}.fpt"


def _write_chunk(folder: Path, order: Order, drawn: DrawnTemplates, chunk: Chunk) -> None:
    source = source_of(drawn)
    names = (name for _, _, name in _names(order, chunk))
    for first in range(chunk.first, chunk.end, _AT_ONCE):
        fingers = range(first, min(first + _AT_ONCE, chunk.end))
        seeds = (finger_seed(order.use, order.seed, finger) for finger in fingers)
        files = [blob.encode(template) for seed in seeds for template in drawn(seed, order.impressions, source=source)]
        for data in files:
            _write_new(f"{folder}/{next(names)}", data)


def _write_new(path: str, data: bytes) -> None:
    """As ``Path.write_bytes``, in a third of the time, which is a good part of a template's."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):  # where the disk is full, the next call raises
            written += os.write(descriptor, data[written:])
    finally:
        os.close(descriptor)


def _write_labels(out: Path, order: Order) -> None:
    """Streamed: a million rows are no reason to hold them."""
    path, unfinished = out / LABELS, out / f".{LABELS}.tmp"
    with disk_errors(path):
        try:
            with unfinished.open("w", encoding="utf-8", newline="") as handle:
                handle.write("print,finger,impression,kind,set,ppi\n")
                for chunk in _chunks(order):
                    handle.writelines(
                        f"{TEMPLATES}/{chunk.name}/{name},{order.set_name}:{finger:08d},{impression},plain,"
                        f"{order.set_name},{PPI}\n"
                        for finger, impression, name in _names(order, chunk)
                    )
                handle.flush()
                os.fsync(handle.fileno())
            unfinished.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        sync_folder(out)
