"""A dry run: what adding files to a gallery would do and take, without changing anything."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fpipe.index import Gallery
from fpipe.service.enroll import read_all
from fpipe.service.gallery_files import Source
from fpipe.service.intake import Looked, Outcome, Read, Task, Twin
from fpipe.service.pending import tasks_of
from fpipe.service.workers import Stop

SAMPLE = 4
"""Pictures, and templates, that are read wholly for an estimate of time and room; the others are only looked at."""
_RECORD_BYTES = 2048
"""Of a record, its entry in the log and its places in the indexes."""


@dataclass
class _Sample:
    """Prints of one sort: all that are new, and what those took that were read wholly."""

    prints: int = 0
    read: int = 0
    seconds: float = 0.0
    bytes: int = 0

    @property
    def share(self) -> float:
        """What the sums of those that were read count for."""
        return self.prints / self.read if self.read else 0.0


@dataclass
class Rehearsal:
    """What a run would do.

    counts : of prints that are new, known, quarantined; formats : of the new ones
    original_bytes : of files that would be kept
    """

    counts: Counter[str] = field(default_factory=lambda: Counter(new=0, known=0, quarantined=0))
    formats: Counter[str] = field(default_factory=Counter)
    original_bytes: int = 0
    free_bytes: int = 0
    _samples: tuple[_Sample, _Sample] = field(default_factory=lambda: (_Sample(), _Sample()))
    _seen: set[tuple[bytes, str]] = field(default_factory=set)
    _file: str = ""

    def count(self, task: Task, result: Read | Looked | Outcome) -> Outcome:
        """One more print, and what is to be told of it: new, unless its bytes came before."""
        if isinstance(result, Outcome):
            outcome = result
        elif (identity := (bytes.fromhex(task.sha256), task.part)) in self._seen:
            outcome = task.told("known", notices=("the same bytes come earlier in this run",))
        else:
            self._seen.add(identity)
            self._measure(task, result)
            outcome = task.told("new")
        self.counts[outcome.status] += 1
        return outcome

    def _measure(self, task: Task, result: Read | Looked) -> None:
        self.formats[result.format] += 1
        sample = self._samples[_is_picture(task)]
        sample.prints += 1
        if isinstance(result, Read):
            sample.read += 1
            sample.seconds += sum(seconds for _, seconds in result.seconds)
            sample.bytes += len(result.new.template) + len(result.new.vectors.to_bytes()) + _RECORD_BYTES
        if task.keep and task.sha256 != self._file:  # a file's prints follow each other
            self._file = task.sha256
            self.original_bytes += _size(task.source.path)

    @property
    def sampled(self) -> int:
        """Prints that were read wholly."""
        return sum(sample.read for sample in self._samples)

    def seconds(self, jobs: int) -> float | None:
        """That the run would take; None where nothing could be read to estimate it from."""
        return sum(sample.seconds * sample.share for sample in self._samples) / jobs if self.sampled else None

    @property
    def disk_bytes(self) -> int | None:
        """That the gallery would grow by; None where nothing could be read to estimate it from."""
        if not self.sampled:
            return None
        return self.original_bytes + round(sum(sample.bytes * sample.share for sample in self._samples))

    def as_document(self, jobs: int) -> dict[str, Any]:
        """JSON-able."""
        seconds = self.seconds(jobs)
        return {
            **self.counts,
            "formats": dict(sorted(self.formats.items())),
            "disk_bytes": self.disk_bytes,
            "free_bytes": self.free_bytes,
            "seconds": None if seconds is None else round(seconds, 1),
            "jobs": jobs,
            "sampled": self.sampled,
        }


def rehearse(
    path: Path,
    found: Iterable[Source],
    tell: Callable[[Outcome], None],
    *,
    preset: str | None = None,
    jobs: int = 1,
    mixed: bool = False,
    seconds: float | None = None,
    limit: int | None = None,
    stop: Stop | None = None,
) -> Rehearsal:
    """Read the pictures of files as ``enroll_sources`` would, extract only a few, store none.

    tell : is told of every print

    The gallery is opened for reading alone.  Raises as ``enroll`` does.
    """
    with Gallery.open(path) as gallery:
        tasks = tasks_of(gallery, found, preset=preset, mixed=mixed, limit=limit)
        counts = Rehearsal(free_bytes=shutil.disk_usage(path).free)
        with closing(read_all(_looking(tasks), jobs, seconds, stop)) as results:
            for task, result in results:
                assert not isinstance(result, Twin)
                tell(counts.count(task, result))
    return counts


def _looking(tasks: Iterable[Task]) -> Iterator[Task]:
    left = [SAMPLE, SAMPLE]
    for task in tasks:
        if task.outcome is None:
            yield replace(task, only_look=left[_is_picture(task)] <= 0)
            left[_is_picture(task)] -= 1
        else:
            yield task


def _is_picture(task: Task) -> bool:
    return task.preset is not None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
