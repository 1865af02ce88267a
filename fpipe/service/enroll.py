"""Files into a gallery: what can't be read is set aside with its reason and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from fpipe.core.errors import DigestMismatch, FileChanged, InputRefused, NotFound
from fpipe.index import Gallery, NewPrint
from fpipe.index.records import Kind
from fpipe.pipeline.compare import comparer
from fpipe.service.gallery_files import Details, Source
from fpipe.service.intake import Looked, Outcome, Read, Task, Twin, work
from fpipe.service.pending import found_in, sources, tasks_of
from fpipe.service.storing import Batch, describe, open_for_writing
from fpipe.service.workers import Stop, spread

_RECENT = 4096
"""Prints for which it is remembered that they were begun, or left out: many more than are under way at a time."""
_OF_ITS_FILE = (FileChanged.code, NotFound.code)
"""Reasons that say nothing of the bytes: a copy of them is read all the same."""

__all__ = ["Outcome", "create_gallery", "enroll", "enroll_sources", "rebuild_gallery"]


def create_gallery(path: Path, *, keep_originals: bool = True) -> None:
    """A new, empty gallery for this installation's descriptors."""
    match = comparer()
    Gallery.create(
        path,
        comparison_digest=match.digest,
        descriptor_bytes=match.descriptor_bytes,
        keep_originals=keep_originals,
    ).close()


def rebuild_gallery(path: Path, advance: Callable[[int], None] = lambda n: None) -> int:
    """Make a gallery's segments again from its templates; returns the number of prints."""
    with open_for_writing(path) as gallery:
        return gallery.rebuild(describe, advance)


def enroll(
    path: Path,
    files: Iterable[Path],
    *,
    ppi: float | None = None,
    subject: str | None = None,
    finger: str | None = None,
    kind: Kind | None = None,
    preset: str | None = None,
    jobs: int = 1,
    mixed: bool = False,
) -> Iterator[Outcome]:
    """Add files to the gallery at ``path``, and yield what became of each print, in their order.

    files : pictures, template files, ANSI/NIST files, folders of them and patterns, see ``gallery_files.gather``
    ppi : resolution where the files do not say it or say it wrongly
    kind : impression type; by default what the file says, else plain
    preset, jobs, mixed : as in ``enroll_sources``
    """
    found = sources(files, None, Details(subject, finger, kind, ppi), but=[path])
    yield from enroll_sources(path, found, preset=preset, jobs=jobs, mixed=mixed)


def enroll_sources(
    path: Path,
    found: Iterable[Source],
    *,
    preset: str | None = None,
    jobs: int = 1,
    mixed: bool = False,
    seconds: float | None = None,
    limit: int | None = None,
    stop: Stop | None = None,
) -> Iterator[Outcome]:
    """Add what ``pending.sources`` found to the gallery at ``path``; yield what became of each print, in their order.

    preset : how pictures are read; by default the one of their kind
    jobs : processes that read and extract; the gallery is the same whatever their number
    mixed : allow methods of reading that are new to this kind of print in this gallery
    seconds : a print may take; it is left out then
    limit : files at most that are not wholly in the gallery already
    stop : ends the run early: what was begun is stored; asked twice, nothing more is, with a KeyboardInterrupt, but
        where jobs is 1 and there is no time limit there is only the print at hand, which is finished and stored

    An outcome is yielded only once it is certain: "added" after the commit.  Closing the iterator early drops what is
    not stored yet.

    Raises DigestMismatch before any picture is read where ``mixed`` is needed; Locked, DiskFull, NoGallery.
    """
    with open_for_writing(path) as gallery:
        intake = _Intake(gallery, mixed=mixed)
        tasks = tasks_of(gallery, found, preset=preset, mixed=mixed, limit=limit)
        with closing(read_all(_with_twins(tasks), jobs, seconds, stop)) as results:
            for task, result in results:
                assert not isinstance(result, Looked)
                yield from intake.take(task, result)
        yield from intake.store()


def _with_twins(tasks: Iterable[Task]) -> Iterator[Task]:
    """Copies often lie beside each other: what is under way is not read a second time."""
    recent = dict[tuple[object, ...], None]()
    for task in tasks:
        if task.outcome is None:
            yield replace(task, twin=task.reading in recent)
            recent[task.reading] = None
            if len(recent) > _RECENT:
                del recent[next(iter(recent))]
        else:
            yield task


def read_all(
    tasks: Iterable[Task], jobs: int, seconds: float | None, stop: Stop | None
) -> Generator[tuple[Task, Read | Looked | Twin | Outcome], None, None]:
    """The tasks with what reading gave, in their order; what is known already is passed on."""
    return spread(
        work,
        tasks,
        jobs,
        Task.died,
        ready=lambda task: Twin() if task.twin else task.outcome,
        seconds=seconds,
        overdue=partial(_overdue, seconds),
        stop=stop,
    )


def _overdue(seconds: float | None, task: Task) -> Outcome:
    return task.overdue(seconds or 0.0)


class _Intake:
    """Results in the order of the files -> batches in the gallery -> outcomes in the same order."""

    def __init__(self, gallery: Gallery, *, mixed: bool) -> None:
        self.gallery = gallery
        self.mixed = mixed
        self._batch: Batch[tuple[Task, Read | Outcome]] = Batch()
        self._left = dict[tuple[object, ...], Outcome]()

    def take(self, task: Task, result: Read | Twin | Outcome) -> Iterator[Outcome]:
        """One more result; yields what has become certain."""
        if isinstance(result, Twin):
            yield from self.store()
            result = self._known(task) or self._as_its_twin(task)
        if isinstance(result, Read):
            if self._depends_on_batch(result.new):
                yield from self.store()
            result = self._judged(task, result)
        if isinstance(result, Outcome) and result.status == "quarantined" and result.code not in _OF_ITS_FILE:
            self._left[task.reading] = result
            if len(self._left) > _RECENT:
                del self._left[next(iter(self._left))]
        if isinstance(result, Outcome) and not self._batch.items:
            yield result  # nothing is waiting to be stored, so it is certain
        elif self._batch.add((task, result)):
            yield from self.store()

    def store(self) -> Iterator[Outcome]:
        """Commit the batch, then say so."""
        batch = self._batch.take()
        fresh = [item.new for _, item in batch if isinstance(item, Read)]
        records = iter(self.gallery.records(self.gallery.add(fresh, mixed=self.mixed)) if fresh else ())
        for task, item in batch:
            if isinstance(item, Read):
                yield task.told("added", record=next(records), notices=item.notices, seconds=item.seconds)
            else:
                yield item

    def _held(self) -> Iterator[NewPrint]:
        return (item.new for _, item in self._batch.items if isinstance(item, Read))

    def _depends_on_batch(self, new: NewPrint) -> bool:
        """Whether what to do with a print can only be said after the batch is stored."""
        return any(
            new.print == held.print
            or new.identity == held.identity
            or (new.kind == held.kind and new.extraction_digest != held.extraction_digest)
            for held in self._held()
        )

    def _known(self, task: Task) -> Outcome | None:
        try:
            return found_in(self.gallery, task, ())
        except InputRefused as error:
            return task.set_aside(error, "store")

    def _as_its_twin(self, task: Task) -> Read | Outcome:
        """Known by now, or left out for the same reason; where that was not in the bytes, it is read after all."""
        first = self._left.get(task.reading)
        if first is not None and first.stage != "store":
            message = first.message.replace(first.file, task.name, 1)
            return task.told("quarantined", code=first.code, message=message, stage=first.stage)
        result = work(replace(task, twin=False))
        assert isinstance(result, Read | Outcome)
        return result

    def _judged(self, task: Task, read: Read) -> Read | Outcome:
        new = read.new
        try:
            found = found_in(self.gallery, task, read.notices)
            if found is None and not self.mixed:
                self.gallery.refuse_new_method(new.kind, new.extraction_digest)
        except (InputRefused, DigestMismatch) as error:
            return task.set_aside(error, "store")
        if found is not None:
            return found
        for held in self._held():
            if held.sha256 == new.sha256:  # ten prints of a card hold its bytes once
                return replace(read, new=replace(new, original=held.original))
        return read
